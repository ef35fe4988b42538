apply -q -f configs/web-farm.yaml
get rip shop/ -o wide
