create user eve password=topsecret1
