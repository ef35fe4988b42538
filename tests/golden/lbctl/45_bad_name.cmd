apply -q -f configs/web-farm.yaml
get vip shpo
