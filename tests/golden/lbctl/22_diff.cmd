apply -q -f configs/web-farm.yaml
set -q vip shop scheduler=wrr retries=1
delete -q -y rip shop/web3
diff 2 4
