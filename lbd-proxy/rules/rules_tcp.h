/* rules_tcp.h - content rules on a connection of mode tcp. */
#ifndef LBD_PROXY_RULES_TCP_H
#define LBD_PROXY_RULES_TCP_H

#include "rules.h"

struct conn;
struct hello;
struct conn_rules {
	const struct rule *end; /* NULL: none */
	struct rules_pool pool; /* of action use */
	uint64_t up, down;	/* bytes a second to and from the server; 0: no limit */
	int16_t priority;
};
/* rules_want_hello - rules look at the beginning of TLS, which is the client's own business with its server. */
bool rules_want_hello(const struct conn *c);
/* rules_conn - what they make of it. hello: NULL when there is none. False: no memory. */
bool rules_conn(struct conn *c, const struct hello *hello, struct conn_rules *out);

#endif
