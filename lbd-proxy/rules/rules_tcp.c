/* Content rules on connections: by addresses, ports, and what a client says at the beginning of TLS. */
#include "rules_tcp.h"

#include "base/must.h"

#include "net/worker.h"
#include "subject.h"

bool
rules_want_hello(const struct conn *c)
{
	return c->tls == NULL &&
	       (c->svc->view->rules->uses & (1u << WHEN_sni | 1u << WHEN_alpn)) != 0;
}

const struct rule *
rules_conn(struct conn *c, const struct hello *hello, bool *lost_out)
{
	const struct rules *x = c->svc->view->rules;
	struct rules_scratch *w = rules_scratch(c->w);
	struct subject s = { .c = c, .hello = hello };

	*lost_out = w == NULL;
	for (uint32_t i = 0; w != NULL && i < x->requests; i++)
		if (when_test(&x->request[i].when, subject_get, &s, w->match, NULL))
			return &x->request[i];
	return NULL;
}
