create vip v address=10.0.0.1 ports=80 mode=nat scheduler=wlcx
