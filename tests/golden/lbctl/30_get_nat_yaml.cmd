apply -q -f configs/layer4-nat.yaml
get nat desktop -o yaml
