apply -q -f configs/web-farm.yaml
get rip shop/web1 -o json
