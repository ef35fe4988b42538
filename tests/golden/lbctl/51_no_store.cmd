get vip
