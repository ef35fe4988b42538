apply -q -f configs/web-farm.yaml
drain -q shop/web1
describe vip shop
