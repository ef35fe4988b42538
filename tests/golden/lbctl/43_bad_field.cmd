apply -q -f configs/web-farm.yaml
set vip shop prots=80
