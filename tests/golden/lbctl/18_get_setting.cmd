config check -q
get setting
