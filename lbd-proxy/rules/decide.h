/* decide.h - what the rules of a service make of one request, answer or connection. The one decision for traffic (rules_http.c,
 * rules_tcp.c) and for trials (trial.c): looks only at what struct edit says, and writes in its scratch. */
#ifndef LBD_PROXY_DECIDE_H
#define LBD_PROXY_DECIDE_H

#include "edit.h"

struct decision {
	const struct rule
	    *end;	 /* with an action that ends the evaluation, or the last one; NULL: none */
	unsigned status; /* the request is refused with it; 0 not */
	/* action use: where it leads; svc NULL: nowhere now */
	struct rules_pool pool;
	bool unknown;		   /* the last rule that held named a pool that there is none of */
	struct when_groups groups; /* of end */
};
/* Who hears of each rule that holds, after what it did: a worker, whose count it is; or fn. The rule whose pool nobody knows and that
 * has no other holds not, and is told with unknown. */
struct decide_note {
	unsigned worker;
	void (*fn)(void *arg, const struct rule *r, const struct edit *e, const struct decision *d);
	void *arg;
};

/* decide_final - the action ends the evaluation. */
static inline bool
decide_final(const struct rule *r)
{
	return r->action < rule_action_set_header;
}
/* decide_request - rules for requests, or of mode tcp for connections; after edit_begin. decide_answer - rules for answers: what
 * has no room stays as it came. */
void decide_request(
    const struct rules *x, struct edit *e, const struct decide_note *note, struct decision *out);
void decide_answer(
    const struct rules *x, struct edit *e, const struct decide_note *note, struct decision *out);

#endif
