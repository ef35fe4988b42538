/* Counts of content rules between two processes, by the same rules as other counters (tally.c): what was counted since it was told
 * last is told, once, and the new process goes on from there. A parcel has the rules of one service, as many as fit. */
#include "tally.h"

#include "base/buf.h"
#include "base/mem.h"

#include "control.h"
#include "parcel.h"
#include "rules/rules.h"

#include <stdlib.h>

#define ENTRIES 2048 /* of one parcel, 20 bytes each */

static const struct rule *
rule_at(const struct rules *x, uint32_t i)
{
	return i < x->requests ? &x->request[i] : &x->answer[i - x->requests];
}

static struct rule_counts *
told_of(struct idmap *m, uint32_t id)
{
	struct rule_counts *n = idmap_get(m, id);

	if (n == NULL) {
		n = mem_alloc(sizeof(*n));
		*n = (struct rule_counts){ 0 };
		idmap_put(m, id, n);
	}
	return n;
}

/* One parcel: rules that differ, from *at on. Returns 0, also when none does, or -errno. */
static int
send_some(struct idmap *told, const struct ctl_service *c, uint32_t *at, int fd)
{
	static struct {
		struct rule_counts *was, now;
	} sent[ENTRIES];
	const struct rules *x = c->view->rules;
	struct buf b = { 0 };
	unsigned n = 0;
	int code = 0;

	buf_put_be(&b, PARCEL_RULES, 1);
	buf_put_be(&b, c->id, 4);
	for (; *at < x->requests + x->answers && n < ENTRIES; ++*at) {
		const struct rule *r = rule_at(x, *at);
		struct rule_counts now, *was = told_of(told, r->id);

		rule_hits_sum(r->hits, &now);
		if (now.held == was->held && now.unknown == was->unknown)
			continue;
		buf_put_be(&b, r->id, 4);
		buf_put_be(&b, now.held - was->held, 8);
		buf_put_be(&b, now.unknown - was->unknown, 8);
		sent[n].was = was;
		sent[n++].now = now;
	}
	if (n > 0)
		code = parcel_send(fd, b.p, b.len, NULL, 0);
	for (unsigned i = 0; code == 0 && i < n; i++)
		*sent[i].was = sent[i].now;
	buf_fini(&b);
	return code;
}

int
tally_send_rules(struct idmap *told, const struct ctl_service *c, int fd)
{
	const struct rules *x = c->view == NULL ? NULL : c->view->rules;
	uint32_t at = 0;
	int code = 0;

	while (code == 0 && x != NULL && at < x->requests + x->answers)
		code = send_some(told, c, &at, fd);
	return code;
}

/* Rules come in the order in which they stand, mostly: the search goes on behind the last one. */
void
tally_add_rules(struct control *k, struct rd *r)
{
	const struct ctl_service *c;
	const struct rules *x;
	uint32_t at = 0, all;

	(void)rd_be(r, 1);
	c = idmap_get(&k->services, (uint32_t)rd_be(r, 4));
	x = c == NULL || c->view == NULL ? NULL : c->view->rules;
	all = x == NULL ? 0 : x->requests + x->answers;
	while (r->left > 0 && all > 0) {
		uint32_t id = (uint32_t)rd_be(r, 4), looked = 0;
		uint64_t held = rd_be(r, 8), unknown = rd_be(r, 8);

		if (r->bad)
			return;
		for (; looked < all && rule_at(x, at)->id != id; looked++)
			at = at + 1 < all ? at + 1 : 0;
		if (looked == all)
			continue;
		rule_at(x, at)->hits->base.held -= held;
		rule_at(x, at)->hits->base.unknown -= unknown;
	}
}
