/* Content rules on connections: by addresses, ports, and what a client says at the beginning of TLS. */
#include "rules_tcp.h"

#include "base/must.h"

#include "decide.h"
#include "net/worker.h"

bool
rules_want_hello(const struct conn *c)
{
	return c->tls == NULL &&
	       (c->svc->view->rules->uses & (1u << WHEN_sni | 1u << WHEN_alpn)) != 0;
}

bool
rules_conn(struct conn *c, const struct hello *hello, struct conn_rules *out)
{
	const struct rules *x = c->svc->view->rules;
	const struct decide_note note = { .worker = c->w->index };
	struct edit e = { .w = rules_scratch(c->w), .s = { .c = c, .hello = hello } };
	struct decision d;
	struct metering m;

	if (e.w == NULL)
		return false;
	if (x->meters.n > 0) {
		meters_begin(&x->meters, &e.s, c->w->now, &m);
		e.s.meters = &m;
	}
	edit_begin(&e);
	decide_request(x, &e, &note, &d);
	*out = (struct conn_rules){
		.end = d.end, .pool = d.pool, .up = e.rate, .priority = e.priority
	};
	e.rate = 0;
	decide_answer(x, &e, &note, &d);
	out->down = e.rate;
	return true;
}
