drian web/rip1
