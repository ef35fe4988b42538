/* rules_tcp.h - content rules on a connection of mode tcp. */
#ifndef LBD_PROXY_RULES_TCP_H
#define LBD_PROXY_RULES_TCP_H

#include "rules.h"

struct conn;
struct hello;
/* rules_want_hello - rules look at the beginning of TLS, which is the client's own business with its server. */
bool rules_want_hello(const struct conn *c);
/* rules_conn - the rule that ends the evaluation; NULL: none. hello: NULL when there is none. *lost_out: no memory. */
const struct rule *rules_conn(struct conn *c, const struct hello *hello, bool *lost_out);

#endif
