/* exchange.c - both nodes have one configuration: who tells whom what, and when.
 *
 * One node orders: the active one of group 1, and node 1 while neither or both are. A commit on either node goes to the
 * other as the very next revision; most of the time that is all. When it does not fit, the node that follows sends its
 * chain (numbers and hashes); the one that orders finds the last common revision and does what is missing: it sends its
 * revisions, follows those of the other, or, when both went on from there, joins the other's field by field
 * (replica.h), hands the losing values over, sends the other back to the common revision and then its own. Without
 * anything in common node 2 takes node 1's configuration whole: that is what was confirmed when they were paired.
 *
 * Everything may be asked again: what is here already is passed over, so a channel that breaks in the middle costs
 * another round. While heads differ this node does not say that its state is whole. */
#include "exchange_priv.h"

#include "daemon/announce.h"
#include "sys/log.h"

#include "base/mem.h"
#include "base/must.h"

#include <string.h>

#define SETTLE DUR_S(1)

const enum scope exchange_scopes[EXCHANGE_SCOPES] = { SCOPE_SHARED, SCOPE_OPER };

struct store *
exchange_store(const struct exchange *x)
{
	return daemon_store(x->d);
}

/* Whether this node's values stand. */
bool
exchange_orders(const struct exchange *x)
{
	struct shared_is is;
	bool mine, theirs;

	role_is(x->role, &is);
	mine = is.group[0].hold;
	theirs = is.alive &&
		 (is.group[0].peer_role == FSM_ACTIVE || is.group[0].peer_role == FSM_LEAVING);
	return mine != theirs ? mine : x->node == 1;
}

/* ---- heads --------------------------------------------------------------------------------------------------- */

void
exchange_head(const struct exchange *x, enum scope scope, uint32_t *n, uint64_t *hash)
{
	*n = 0;
	*hash = 0;
	if (exchange_store(x) != NULL)
		(void)replica_head(exchange_store(x), scope, n, hash);
}

bool
exchange_in_step(const struct exchange *x)
{
	for (unsigned i = 0; i < ARRAY_LEN(exchange_scopes); i++) {
		uint32_t n;
		uint64_t hash;

		exchange_head(x, exchange_scopes[i], &n, &hash);
		if (n != x->peer_n[exchange_scopes[i]] || hash != x->peer_hash[exchange_scopes[i]])
			return false;
	}
	return true;
}

/* What is called again and again must not move it on and on. */
void
exchange_settle(struct exchange *x)
{
	if (x->settles)
		return;
	x->settles = true;
	loop_timer_set(&x->settle, SETTLE);
}

/* Once: a copy that is refused here is refused again. A trial waits in the way only for a while. */
static void
ask_outgrown(struct exchange *x)
{
	const struct msg_peer_ask all = { .scope = EXCHANGE_ALL, .all = true };
	struct trial t = { 0 };

	if (store_trial(exchange_store(x), &t, NULL) != 0 || t.pending)
		return;
	x->outgrown = false;
	x->fills = true;
	for (unsigned i = 0; i < ARRAY_LEN(exchange_scopes); i++) {
		uint32_t n;

		exchange_head(x, exchange_scopes[i], &n, &x->filled[exchange_scopes[i]]);
	}
	log_info(
	    "pair: an older version of this node left out what it did not know; the whole is asked for");
	(void)peer_channel_send(x->k, MSG_PEER_ASK, &all);
}

void
exchange_look_whole(struct exchange *x)
{
	bool config = !x->foreign && exchange_in_step(x) && x->telling == 0;
	bool stick = x->stick == NULL || !stick_mirror_peer_due(x->stick);

	if (!x->up)
		return;
	if (x->outgrown && exchange_in_step(x))
		ask_outgrown(x);
	role_whole(x->role, WHOLE_CONFIG, config ? NULL : "revisions of the configuration");
	role_whole(x->role, WHOLE_PERSIST, stick ? NULL : "persistence of layer 7");
	role_whole(x->role, WHOLE_CHANNEL, NULL);
	if (!config || !stick)
		exchange_settle(x);
}

void
exchange_tell_heads(struct exchange *x)
{
	struct msg_peer_heads m = { 0 };

	exchange_head(x, SCOPE_SHARED, &m.shared, &m.shared_hash);
	exchange_head(x, SCOPE_OPER, &m.oper, &m.oper_hash);
	role_heads(x->role, m.shared, m.shared_hash, m.oper_hash);
	if (x->up)
		(void)peer_channel_send(x->k, MSG_PEER_HEADS, &m);
}

static void
take_heads(struct exchange *x, const struct msg_peer_heads *m)
{
	x->peer_n[SCOPE_SHARED] = m->shared;
	x->peer_hash[SCOPE_SHARED] = m->shared_hash;
	x->peer_n[SCOPE_OPER] = m->oper;
	x->peer_hash[SCOPE_OPER] = m->oper_hash;
	exchange_look_whole(x);
}

/* ---- what comes ------------------------------------------------------------------------------------------------ */

static void
on_faces(struct exchange *x, const uint8_t *p, size_t len)
{
	uint8_t mac[SHARED_MACS][6];
	unsigned n = (unsigned)(len / 6 < SHARED_MACS ? len / 6 : SHARED_MACS);

	memcpy(mac, p, n * sizeof(mac[0]));
	role_peer_macs(x->role, mac, n);
}

void
exchange_blob(struct exchange *x, unsigned number, const uint8_t *p, size_t len)
{
	if (exchange_store(x) == NULL)
		return;
	switch (number) {
	case MSG_PEER_REVISION: exchange_on_revision(x, p, len); break;
	case MSG_PEER_CHAIN: exchange_on_chain(x, p, len); break;
	case MSG_PEER_DUMP: exchange_on_dump(x, p, len); break;
	case MSG_PEER_SECRET: exchange_on_secret(x, p, len); break;
	case MSG_PEER_CONFLICT: exchange_on_conflict(x, p, len); break;
	case MSG_PEER_FACES: on_faces(x, p, len); break;
	case MSG_PEER_STICK: exchange_on_batch(x, p, len); break;
	default: break;
	}
}

static void
on_ask(struct exchange *x, const struct msg_peer_ask *m)
{
	if (x->foreign)
		exchange_ask_again(x);
	else if (m->all)
		exchange_send_whole(x);
	else if (m->scope == EXCHANGE_ALL)
		exchange_send_chain(x);
	else if (m->scope == SCOPE_SHARED || m->scope == SCOPE_OPER)
		exchange_send_above(x, (enum scope)m->scope, m->above);
}

void
exchange_row(struct exchange *x, const struct msg_row *row, const union msg_any *m)
{
	if (exchange_store(x) == NULL)
		return;
	switch (row->number) {
	case MSG_PEER_ASK: on_ask(x, &m->peer_ask); break;
	case MSG_PEER_REWIND: exchange_on_rewind(x, &m->peer_ask); break;
	case MSG_PEER_HEADS: take_heads(x, &m->peer_heads); break;
	case MSG_PEER_TRIAL: exchange_on_trial(x, &m->peer_trial); break;
	default: break;
	}
}

/* ---- the channel ------------------------------------------------------------------------------------------------ */

static void
on_settle(void *arg)
{
	struct exchange *x = arg;

	x->settles = false;
	if (!x->up)
		return;
	memset(x->joining, 0, sizeof(x->joining));
	if (exchange_store(x) != NULL && (x->foreign || !exchange_in_step(x)))
		exchange_ask_again(x);
	exchange_look_whole(x);
}

void
exchange_hello(struct exchange *x, struct msg_peer_hello *m)
{
	exchange_head(x, SCOPE_SHARED, &m->shared, &m->shared_hash);
	exchange_head(x, SCOPE_OPER, &m->oper, &m->oper_hash);
	m->trials = true;
}

void
exchange_up(struct exchange *x, const struct msg_peer_hello *m)
{
	const struct msg_peer_heads heads = { .shared = m->shared,
		.shared_hash = m->shared_hash,
		.oper = m->oper,
		.oper_hash = m->oper_hash };

	x->up = true;
	x->trials = m->trials;
	x->fills = false;
	x->outgrown = exchange_store(x) != NULL && replica_outgrown(exchange_store(x), m->schema);
	memset(x->joining, 0, sizeof(x->joining));
	exchange_send_faces(x);
	exchange_persist_up(x);
	exchange_trial_up(x, true);
	take_heads(x, &heads);
	if (x->foreign || (!exchange_in_step(x) && !exchange_orders(x)))
		exchange_ask_again(x);
}

void
exchange_down(struct exchange *x)
{
	x->up = false;
	exchange_persist_down(x);
	exchange_trial_up(x, false);
	/* What it has now cannot be known; what was missing is missing no more than the rest. */
	role_whole(x->role, WHOLE_CHANNEL, "the channel to the other node is down");
	role_whole(x->role, WHOLE_CONFIG, NULL);
	role_whole(x->role, WHOLE_PERSIST, NULL);
}

void
exchange_moved(struct exchange *x)
{
	if (exchange_store(x) == NULL)
		return;
	for (unsigned i = 0; x->up && !x->foreign && i < ARRAY_LEN(exchange_scopes); i++) {
		enum scope s = exchange_scopes[i];
		uint32_t n;
		uint64_t hash, there;

		exchange_head(x, s, &n, &hash);
		if (x->joining[s] || (n == x->peer_n[s] && hash == x->peer_hash[s]))
			continue;
		if (n > x->peer_n[s] &&
		    replica_hash_at(exchange_store(x), s, x->peer_n[s], &there) == 0 &&
		    there == x->peer_hash[s])
			exchange_send_above(x, s, x->peer_n[s]);
	}
	exchange_tell_heads(x);
	exchange_trial_look(x);
}

/* ---- the pair ------------------------------------------------------------------------------------------------ */

void
exchange_pair(struct exchange *x, const struct cluster *c, struct peer_channel *k)
{
	struct err err = { 0 };

	if (k == NULL && x->up)
		exchange_down(x);
	x->k = k;
	if (c == NULL || (c->node == x->node && c->id == x->cluster))
		return;
	x->node = c->node;
	announce_links(x->d);
	x->cluster = c->id;
	x->foreign =
	    exchange_store(x) != NULL && replica_is_foreign(exchange_store(x), c->node, c->id);
	if (exchange_store(x) != NULL && !x->foreign &&
	    replica_set_cluster(exchange_store(x), c->id, &err) != 0)
		log_warn("pair: %s", err.text);
	exchange_persist_pair(x, c);
	if (exchange_store(x) != NULL && replica_node(exchange_store(x)) != c->node &&
	    replica_set_node(exchange_store(x), c->node, &err) != 0)
		log_warn("pair: %s", err.text);
}

void
exchange_stick(struct exchange *x, struct stick_mirror *s)
{
	x->stick = s;
}

struct exchange *
exchange_new(struct daemon *d, struct ha_role *r)
{
	struct exchange *x = mem_alloc(sizeof(*x));

	x->d = d;
	x->role = r;
	loop_timer_init(&x->settle, daemon_loop(d), on_settle, x);
	exchange_persist_init(x);
	exchange_trial_init(x);
	return x;
}

void
exchange_free(struct exchange *x)
{
	if (x == NULL)
		return;
	exchange_trial_fini(x);
	loop_timer_fini(&x->settle);
	loop_timer_fini(&x->pace);
	free(x);
}
