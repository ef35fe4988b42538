explain vip.mode
