apply -q -f configs/layer4-nat.yaml
get vip -o wide
