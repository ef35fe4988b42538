/* exchange_join.c - on the node that orders: the other's chain is compared with ours, and what it has beyond the last
 * common revision is followed, or joined field by field. */
#include "exchange_priv.h"

#include "sys/log.h"

#include "base/must.h"

#include <errno.h>

struct chain {
	bool any, met; /* it has revisions; one of them is ours too */
	uint32_t common, last;
	uint64_t hash; /* of last */
};

/* One scope of PEER_CHAIN: rising, so the last match is the last common one. */
static bool
read_chain(const struct exchange *x, struct rd *r, enum scope *scope, struct chain *out)
{
	uint32_t count;

	*out = (struct chain){ 0 };
	*scope = (enum scope)rd_be(r, 1);
	count = (uint32_t)rd_be(r, 4);
	if (r->bad || count > EXCHANGE_CHAIN_MOST + 1 ||
	    (*scope != SCOPE_SHARED && *scope != SCOPE_OPER))
		return false;
	while (count-- > 0 && !r->bad) {
		uint32_t n = (uint32_t)rd_be(r, 4);
		uint64_t hash = rd_be(r, 8), mine;

		if (!r->bad && replica_hash_at(exchange_store(x), *scope, n, &mine) == 0 &&
		    mine == hash) {
			out->met = true;
			out->common = n;
		}
		out->any = true;
		out->last = n;
		out->hash = hash;
	}
	return !r->bad;
}

static void
compare(struct exchange *x, enum scope scope, const struct chain *c)
{
	struct msg_peer_ask ask = { .scope = (uint8_t)scope, .above = c->common };
	uint32_t n;
	uint64_t hash;

	exchange_head(x, scope, &n, &hash);
	x->peer_n[scope] = c->last;
	x->peer_hash[scope] = c->any ? c->hash : 0;
	if (c->common == c->last) {
		exchange_send_above(x, scope, c->common);
		return;
	}
	x->joining[scope] = true;
	x->forked[scope] = n != c->common;
	x->common[scope] = c->common;
	x->until[scope] = c->last;
	(void)peer_channel_send(x->k, MSG_PEER_ASK, &ask);
}

void
exchange_on_chain(struct exchange *x, const uint8_t *p, size_t len)
{
	struct rd r = { .p = p, .left = len };
	struct chain c[SCOPES];
	enum scope scope;

	if (x->foreign || !exchange_orders(x))
		return;
	for (unsigned i = 0; i < ARRAY_LEN(exchange_scopes); i++) {
		if (!read_chain(x, &r, &scope, &c[i]) || scope != exchange_scopes[i])
			return;
	}
	if (!c[0].met || (!c[1].met && c[1].any)) {
		const struct msg_peer_ask all = { .scope = EXCHANGE_ALL, .all = true };

		log_info(
		    "pair: the nodes have no revision in common; node 2 takes the configuration of node 1");
		if (x->node == 1)
			exchange_send_whole(x);
		else
			(void)peer_channel_send(x->k, MSG_PEER_ASK, &all);
		return;
	}
	for (unsigned i = 0; i < ARRAY_LEN(exchange_scopes); i++)
		compare(x, exchange_scopes[i], &c[i]);
}

/* The last of the other's revisions is in: it goes back to the common one and takes ours. */
static void
end_join(struct exchange *x, enum scope scope)
{
	struct msg_peer_ask m = { .scope = (uint8_t)scope, .above = x->common[scope] };

	x->joining[scope] = false;
	if (!x->forked[scope] || replica_hash_at(exchange_store(x), scope, m.above, &m.hash) != 0)
		return;
	(void)replica_conflicts(exchange_store(x), exchange_send_conflict, x);
	(void)peer_channel_send(x->k, MSG_PEER_REWIND, &m);
	exchange_send_above(x, scope, m.above);
	log_info(
	    "pair: revisions of both nodes since %u are joined; lbctl ha conflicts shows what did not fit",
	    m.above);
}

void
exchange_join_one(struct exchange *x, const struct replica_revision *r)
{
	struct commit_result result = { 0 };
	struct err err = { 0 };
	int rc;

	rc = x->forked[r->scope]
		 ? replica_join(exchange_store(x), x->common[r->scope], r, &result, NULL, &err)
		 : replica_follow(exchange_store(x), r, &result, &err);
	if (rc == -EBUSY && exchange_trial_give_way(x)) {
		x->joining[r->scope] = false;
		exchange_ask_again(x);
		return;
	}
	if (rc != 0) {
		log_warn("pair: revision %u of the other node cannot be taken: %s", r->n, err.text);
		x->joining[r->scope] = false; /* once more from the chain, a little later */
		exchange_settle(x);
		return;
	}
	exchange_announce(x, &result);
	if (r->n >= x->until[r->scope])
		end_join(x, r->scope);
}
