get vpi
