apply -q -f configs/layer4-nat.yaml
create rip shop/c address=192.168.50.11 port=8080
