apply -q -f configs/web-farm.yaml
get vip --columns nam
