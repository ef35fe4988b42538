create vip v address=10.0.0.1 ports=80 mode=nat persistence=source persist_mask=64
