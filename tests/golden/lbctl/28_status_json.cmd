apply -q -f configs/web-farm.yaml
status -o json
