apply -q -f configs/web-farm.yaml
export vip shop -o json
