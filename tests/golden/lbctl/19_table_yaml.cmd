apply -q -f configs/web-farm.yaml
get rip --columns name,weight,check -o yaml
