apply -q -f configs/web-farm.yaml
get rip -o name
