apply -q -f configs/layer4-nat.yaml
describe vip shop
