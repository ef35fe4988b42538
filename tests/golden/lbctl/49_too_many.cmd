rename vip a b c
