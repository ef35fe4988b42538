help tx
