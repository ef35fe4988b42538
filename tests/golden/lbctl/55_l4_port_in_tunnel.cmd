apply -q -f configs/layer4-tunnel.yaml
create rip far/x address=172.16.1.11 port=8443
