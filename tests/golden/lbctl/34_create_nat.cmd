create nat web kind=dnat outside=10.0.0.7 inside=192.168.50.7 protocol=tcp ports=80
set nat web ports=80,443
export
