get vip --colums name
