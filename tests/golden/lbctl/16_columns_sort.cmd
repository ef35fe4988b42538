apply -q -f configs/web-farm.yaml
get rip --columns name,weight,max_conns --sort -weight --no-headers
