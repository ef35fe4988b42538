validate -f -
