apply -q -f configs/layer4-nat.yaml
set vip shop mode=tcp
