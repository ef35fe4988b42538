apply -q -f configs/web-farm.yaml
get rip shop/web1 shop/web3 -o yaml
