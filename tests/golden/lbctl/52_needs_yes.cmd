apply -q -f configs/web-farm.yaml
delete vip shop --cascade
