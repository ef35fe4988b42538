apply -q -f configs/web-farm.yaml
set rip shop/web1 weight=70000
