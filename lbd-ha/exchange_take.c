/* exchange_take.c - what comes from the other node: its next revision, its whole, the order to go back, secrets,
 * conflicts. */
#include "exchange_priv.h"

#include "daemon/announce.h"
#include "sys/log.h"

#include "base/must.h"

#include <errno.h>

#define TELL_WAIT DUR_S(10)

/* What is refused is shown by the daemon; it is not waited for. */
static void
on_in_force(void *arg, const char *refused)
{
	struct exchange *x = arg;

	(void)refused;
	x->telling--;
	exchange_look_whole(x);
}

void
exchange_announce(struct exchange *x, struct commit_result *r)
{
	x->telling++;
	announce_commit(x->d, r, TELL_WAIT, on_in_force, x);
	commit_result_fini(r);
}

void
exchange_ask_again(struct exchange *x)
{
	const struct msg_peer_ask ask = { .scope = EXCHANGE_ALL, .all = x->foreign };

	if (!x->foreign && !exchange_orders(x))
		exchange_send_chain(x);
	else
		(void)peer_channel_send(x->k, MSG_PEER_ASK, &ask);
}

static void
follow_one(struct exchange *x, const struct replica_revision *r)
{
	struct commit_result result = { 0 };
	struct err err = { 0 };
	uint64_t mine;
	int rc;

	if (replica_hash_at(exchange_store(x), r->scope, r->n, &mine) == 0 && mine == r->hash)
		return; /* here already */
	rc = replica_follow(exchange_store(x), r, &result, &err);
	if (rc == 0) {
		x->peer_n[r->scope] = r->n;
		x->peer_hash[r->scope] = r->hash;
		x->warned = false;
		exchange_announce(x, &result);
		return;
	}
	if (rc != ERR_CONFLICT && !x->warned)
		log_warn(
		    "pair: revision %u of the other node is not in force here: %s", r->n, err.text);
	x->warned = true;
	if (rc == ERR_CONFLICT) {
		(void)exchange_trial_give_way(x);
		exchange_ask_again(x);
	} else {
		exchange_settle(x);
	}
}

void
exchange_on_revision(struct exchange *x, const uint8_t *p, size_t len)
{
	struct replica_revision r;

	if (x->foreign)
		return;
	if (replica_decode(p, len, &r) != 0) {
		log_warn("pair: a revision that cannot be read");
		return;
	}
	if (x->joining[r.scope])
		exchange_join_one(x, &r);
	else
		follow_one(x, &r);
	exchange_tell_heads(x);
	exchange_look_whole(x);
}

/* Daemons load the whole when the history is another. */
static void
announce_whole(struct exchange *x)
{
	struct commit_result r = { 0 };
	uint64_t hash;

	for (unsigned i = 0; i < ARRAY_LEN(exchange_scopes); i++)
		exchange_head(x, exchange_scopes[i], &r.revision[exchange_scopes[i]], &hash);
	exchange_announce(x, &r);
	exchange_tell_heads(x);
	exchange_look_whole(x);
}

void
exchange_on_rewind(struct exchange *x, const struct msg_peer_ask *m)
{
	const struct msg_peer_ask all = { .scope = EXCHANGE_ALL, .all = true };
	struct err err = { 0 };
	int rc;

	if (x->foreign || (m->scope != SCOPE_SHARED && m->scope != SCOPE_OPER))
		return;
	rc = replica_rewind(exchange_store(x), (enum scope)m->scope, m->above, m->hash, &err);
	if (rc == 0) {
		announce_whole(x);
	} else if (rc == -EBUSY && exchange_trial_give_way(x)) {
		exchange_ask_again(x);
	} else {
		log_warn(
		    "pair: the way back to revision %u is not there: %s; the whole is asked for",
		    m->above, err.text);
		(void)peer_channel_send(x->k, MSG_PEER_ASK, &all);
	}
}

/* Whether the whole that comes was asked for to fill in fields, and something was committed here since. */
static bool
is_stale(struct exchange *x)
{
	bool stale = false;

	for (unsigned i = 0; x->fills && i < ARRAY_LEN(exchange_scopes); i++) {
		uint32_t n;
		uint64_t hash;

		exchange_head(x, exchange_scopes[i], &n, &hash);
		stale = stale || hash != x->filled[exchange_scopes[i]];
	}
	x->outgrown = stale; /* then once more */
	x->fills = false;
	return stale;
}

void
exchange_on_dump(struct exchange *x, const uint8_t *p, size_t len)
{
	const struct commit_info info = {
		.who = "lbd-ha", .origin = "pair", .why = "configuration of the other node"
	};
	struct err err = { 0 };

	if (is_stale(x))
		return;
	(void)exchange_trial_give_way(x);
	if (replica_replace(exchange_store(x), p, len, &info, NULL, &err) != 0) {
		log_warn("pair: the other node's configuration is not in force here: %s", err.text);
		exchange_settle(x);
		return;
	}
	log_info(
	    "pair: this node has the other's configuration; its own is kept in backup/replaced-N.db");
	if (x->foreign && replica_set_cluster(exchange_store(x), x->cluster, &err) != 0)
		log_warn("pair: %s", err.text);
	x->foreign = false;
	announce_whole(x);
}

void
exchange_on_secret(struct exchange *x, const uint8_t *p, size_t len)
{
	const struct commit_info info = {
		.who = "lbd-ha", .origin = "pair", .why = "a number that the other node has too"
	};
	struct secrets *s = NULL;
	struct err err = { 0 };
	uint32_t n = 0;
	int rc;

	if (exchange_secrets(x, true, &s) != 0)
		return;
	rc = secret_import(s, p, len, &n, &err);
	if (rc == ERR_CONFLICT && replica_secret_move(exchange_store(x), n, &info, &err) == 0)
		rc = secret_import(s, p, len, &n, &err);
	if (rc != 0)
		log_warn("pair: a secret of the other node is not taken: %s", err.text);
	secrets_close(s);
}

void
exchange_on_conflict(struct exchange *x, const uint8_t *p, size_t len)
{
	struct conflict c;
	struct err err = { 0 };

	if (replica_conflict_decode(p, len, &c) != 0 ||
	    replica_conflict_put(exchange_store(x), &c, &err) != 0)
		log_warn("pair: a conflict that the other node found is not kept: %s", err.text);
}
