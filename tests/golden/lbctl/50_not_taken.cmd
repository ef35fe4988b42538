drain web/rip1 --tx 3
