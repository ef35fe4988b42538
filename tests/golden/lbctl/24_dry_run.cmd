apply -q -f configs/web-farm.yaml
set vip shop retries=9 --dry-run
