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
#include "exchange.h"

#include "daemon/announce.h"
#include "store/replica.h"
#include "sys/log.h"
#include "sys/netlink.h"

#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <string.h>

#define CHAIN_MOST 512 /* revisions of a scope that are compared; further apart: the whole */
#define ALL_SCOPES 255
#define SETTLE DUR_S(1)
#define TELL_WAIT DUR_S(10)
#define STICK_PACE DUR_MS(5)
#define STICK_BATCH 70000u /* bytes of the bulk stream that a batch may take */
#define STICK_MOST 32

static const enum scope both[] = { SCOPE_SHARED, SCOPE_OPER };

struct exchange {
	struct daemon *d;
	struct ha_role *role;
	struct stick_mirror *stick;
	struct peer_channel *k; /* NULL: not one of a pair */
	unsigned node;
	bool up;
	uint32_t peer_n[SCOPES]; /* heads of the other, as far as known */
	uint64_t peer_hash[SCOPES];
	bool joining[SCOPES], forked[SCOPES];
	uint32_t common[SCOPES], until[SCOPES];
	bool warned;
	unsigned telling; /* revisions that are not in force in every daemon yet */
	struct loop_timer settle, pace;
	unsigned credit; /* batches that the mirror may still hand over */
};

static struct store *
store_of(const struct exchange *x)
{
	return daemon_store(x->d);
}

/* Whether this node's values stand. */
static bool
orders(const struct exchange *x)
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

static void
head(const struct exchange *x, enum scope scope, uint32_t *n, uint64_t *hash)
{
	*n = 0;
	*hash = 0;
	if (store_of(x) != NULL)
		(void)replica_head(store_of(x), scope, n, hash);
}

static bool
in_step(const struct exchange *x)
{
	for (unsigned i = 0; i < ARRAY_LEN(both); i++) {
		uint32_t n;
		uint64_t hash;

		head(x, both[i], &n, &hash);
		if (n != x->peer_n[both[i]] || hash != x->peer_hash[both[i]])
			return false;
	}
	return true;
}

static void
look_whole(struct exchange *x)
{
	bool config = in_step(x) && x->telling == 0,
	     stick = x->stick == NULL || !stick_mirror_peer_due(x->stick);

	if (!x->up)
		return;
	role_whole(x->role, WHOLE_CONFIG, config ? NULL : "revisions of the configuration");
	role_whole(x->role, WHOLE_PERSIST, stick ? NULL : "persistence of layer 7");
	role_whole(x->role, WHOLE_CHANNEL, NULL);
	if (!config || !stick)
		loop_timer_set(&x->settle, SETTLE);
}

static void
tell_heads(struct exchange *x)
{
	struct msg_peer_heads m = { 0 };

	head(x, SCOPE_SHARED, &m.shared, &m.shared_hash);
	head(x, SCOPE_OPER, &m.oper, &m.oper_hash);
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
	look_whole(x);
}

/* ---- sending ------------------------------------------------------------------------------------------------- */

static int
open_secrets(const struct exchange *x, bool write, struct secrets **out)
{
	struct err err = { 0 };
	int rc = secrets_open(daemon_paths(x->d)->state, write, out, &err);

	if (rc != 0)
		log_warn("pair: %s", err.text);
	return rc;
}

/* The secrets that a delta or a copy names, before it. */
static void
send_secrets(struct exchange *x, const uint32_t *number, uint32_t n)
{
	struct secrets *s = NULL;
	struct buf b = { 0 };

	if (n == 0 || open_secrets(x, false, &s) != 0)
		return;
	for (uint32_t i = 0; i < n; i++) {
		b.len = 0;
		if (secret_export(s, number[i], &b, NULL) == 0)
			(void)peer_channel_send_blob(x->k, MSG_PEER_SECRET, b.p, b.len);
		if (b.p != NULL)
			explicit_bzero(b.p, b.cap);
	}
	buf_fini(&b);
	secrets_close(s);
}

static bool
send_one(struct exchange *x, enum scope scope, uint32_t n)
{
	struct replica_revision r;
	struct buf b = { 0 };
	uint32_t *secret, secrets_n;
	bool good;

	if (replica_read(store_of(x), scope, n, &r) != 0)
		return false;
	secret = replica_secrets_of(r.delta, r.len, &secrets_n);
	send_secrets(x, secret, secrets_n);
	free(secret);
	replica_encode(&r, &b);
	good = r.delta != NULL && peer_channel_send_blob(x->k, MSG_PEER_REVISION, b.p, b.len) == 0;
	buf_fini(&b);
	replica_revision_fini(&r);
	return good;
}

static void
send_whole(struct exchange *x)
{
	struct buf b = { 0 };
	struct err err = { 0 };
	uint32_t *secret, n;

	if (replica_dump(store_of(x), &b, &err) != 0) {
		log_warn("pair: the configuration cannot be sent: %s", err.text);
		return;
	}
	secret = replica_dump_secrets(b.p, b.len, &n);
	send_secrets(x, secret, n);
	free(secret);
	(void)peer_channel_send_blob(x->k, MSG_PEER_DUMP, b.p, b.len);
	buf_fini(&b);
}

/* Revisions above n; what is not kept as one any more goes as a whole. */
static void
send_above(struct exchange *x, enum scope scope, uint32_t n)
{
	uint32_t last;
	uint64_t hash;

	head(x, scope, &last, &hash);
	while (n < last) {
		if (!send_one(x, scope, ++n)) {
			send_whole(x);
			return;
		}
	}
	x->peer_n[scope] = last; /* when it has them all; it says so by its heads */
	x->peer_hash[scope] = hash;
}

static void
send_chain(struct exchange *x)
{
	struct buf b = { 0 };

	for (unsigned i = 0; i < ARRAY_LEN(both); i++) {
		uint32_t n, first, count = 0;
		uint64_t hash;
		size_t at;

		head(x, both[i], &n, &hash);
		first = n > CHAIN_MOST ? n - CHAIN_MOST : 0;
		buf_put_be(&b, both[i], 1);
		at = b.len;
		buf_put_be(&b, 0, 4);
		for (uint32_t k = first; k <= n; k++) {
			if (replica_hash_at(store_of(x), both[i], k, &hash) != 0)
				continue;
			buf_put_be(&b, k, 4);
			buf_put_be(&b, hash, 8);
			count++;
		}
		buf_patch_be(&b, at, count, 4);
	}
	(void)peer_channel_send_blob(x->k, MSG_PEER_CHAIN, b.p, b.len);
	buf_fini(&b);
}

static int
send_conflict(void *arg, const struct conflict *c)
{
	struct exchange *x = arg;
	struct buf b = { 0 };

	replica_conflict_encode(c, &b);
	(void)peer_channel_send_blob(x->k, MSG_PEER_CONFLICT, b.p, b.len);
	buf_fini(&b);
	return 0;
}

/* ---- joining: on the node that orders --------------------------------------------------------------------------- */

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
	if (r->bad || count > CHAIN_MOST + 1 || (*scope != SCOPE_SHARED && *scope != SCOPE_OPER))
		return false;
	while (count-- > 0 && !r->bad) {
		uint32_t n = (uint32_t)rd_be(r, 4);
		uint64_t hash = rd_be(r, 8), mine;

		if (!r->bad && replica_hash_at(store_of(x), *scope, n, &mine) == 0 &&
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

	head(x, scope, &n, &hash);
	x->peer_n[scope] = c->last;
	x->peer_hash[scope] = c->any ? c->hash : 0;
	if (c->common == c->last) {
		send_above(x, scope, c->common);
		return;
	}
	x->joining[scope] = true;
	x->forked[scope] = n != c->common;
	x->common[scope] = c->common;
	x->until[scope] = c->last;
	(void)peer_channel_send(x->k, MSG_PEER_ASK, &ask);
}

static void
on_chain(struct exchange *x, const uint8_t *p, size_t len)
{
	struct rd r = { .p = p, .left = len };
	struct chain c[SCOPES];
	enum scope scope;

	if (!orders(x))
		return;
	for (unsigned i = 0; i < ARRAY_LEN(both); i++) {
		if (!read_chain(x, &r, &scope, &c[i]) || scope != both[i])
			return;
	}
	if (!c[0].met || (!c[1].met && c[1].any)) {
		const struct msg_peer_ask all = { .scope = ALL_SCOPES, .all = true };

		log_info(
		    "pair: the nodes have no revision in common; node 2 takes the configuration of node 1");
		if (x->node == 1)
			send_whole(x);
		else
			(void)peer_channel_send(x->k, MSG_PEER_ASK, &all);
		return;
	}
	for (unsigned i = 0; i < ARRAY_LEN(both); i++)
		compare(x, both[i], &c[i]);
}

/* What is refused is shown by the daemon; it is not waited for. */
static void
on_in_force(void *arg, const char *refused)
{
	struct exchange *x = arg;

	(void)refused;
	x->telling--;
	look_whole(x);
}

static void
announce(struct exchange *x, struct commit_result *r)
{
	x->telling++;
	announce_commit(x->d, r, TELL_WAIT, on_in_force, x);
	commit_result_fini(r);
}

/* The last of the other's revisions is in: it goes back to the common one and takes ours. */
static void
end_join(struct exchange *x, enum scope scope)
{
	struct msg_peer_ask m = { .scope = (uint8_t)scope, .above = x->common[scope] };

	x->joining[scope] = false;
	if (!x->forked[scope] || replica_hash_at(store_of(x), scope, m.above, &m.hash) != 0)
		return;
	(void)replica_conflicts(store_of(x), send_conflict, x);
	(void)peer_channel_send(x->k, MSG_PEER_REWIND, &m);
	send_above(x, scope, m.above);
	log_info(
	    "pair: revisions of both nodes since %u are joined; lbctl ha conflicts shows what did not fit",
	    m.above);
}

static void
join_one(struct exchange *x, const struct replica_revision *r)
{
	struct commit_result result = { 0 };
	struct err err = { 0 };
	int rc;

	rc = x->forked[r->scope]
		 ? replica_join(store_of(x), x->common[r->scope], r, &result, NULL, &err)
		 : replica_follow(store_of(x), r, &result, &err);
	if (rc != 0) {
		log_warn("pair: revision %u of the other node cannot be taken: %s", r->n, err.text);
		x->joining[r->scope] = false; /* once more from the chain, a little later */
		loop_timer_set(&x->settle, SETTLE);
		return;
	}
	announce(x, &result);
	if (r->n >= x->until[r->scope])
		end_join(x, r->scope);
}

/* ---- taking ---------------------------------------------------------------------------------------------------- */

static void
ask_again(struct exchange *x)
{
	const struct msg_peer_ask ask = { .scope = ALL_SCOPES };

	if (!orders(x))
		send_chain(x);
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

	if (replica_hash_at(store_of(x), r->scope, r->n, &mine) == 0 && mine == r->hash)
		return; /* here already */
	rc = replica_follow(store_of(x), r, &result, &err);
	if (rc == 0) {
		x->peer_n[r->scope] = r->n;
		x->peer_hash[r->scope] = r->hash;
		x->warned = false;
		announce(x, &result);
		return;
	}
	if (rc != ERR_CONFLICT && !x->warned)
		log_warn(
		    "pair: revision %u of the other node is not in force here: %s", r->n, err.text);
	x->warned = true;
	if (rc == ERR_CONFLICT)
		ask_again(x);
	else
		loop_timer_set(&x->settle, SETTLE);
}

static void
on_revision(struct exchange *x, const uint8_t *p, size_t len)
{
	struct replica_revision r;

	if (replica_decode(p, len, &r) != 0) {
		log_warn("pair: a revision that cannot be read");
		return;
	}
	if (x->joining[r.scope])
		join_one(x, &r);
	else
		follow_one(x, &r);
	tell_heads(x);
	look_whole(x);
}

/* Daemons load the whole when the history is another. */
static void
announce_whole(struct exchange *x)
{
	struct commit_result r = { 0 };
	uint64_t hash;

	for (unsigned i = 0; i < ARRAY_LEN(both); i++)
		head(x, both[i], &r.revision[both[i]], &hash);
	announce(x, &r);
	tell_heads(x);
	look_whole(x);
}

static void
on_rewind(struct exchange *x, const struct msg_peer_ask *m)
{
	const struct msg_peer_ask all = { .scope = ALL_SCOPES, .all = true };
	struct err err = { 0 };
	int rc;

	if (m->scope != SCOPE_SHARED && m->scope != SCOPE_OPER)
		return;
	rc = replica_rewind(store_of(x), (enum scope)m->scope, m->above, m->hash, &err);
	if (rc == 0) {
		announce_whole(x);
	} else {
		log_warn(
		    "pair: the way back to revision %u is not there: %s; the whole is asked for",
		    m->above, err.text);
		(void)peer_channel_send(x->k, MSG_PEER_ASK, &all);
	}
}

static void
on_dump(struct exchange *x, const uint8_t *p, size_t len)
{
	const struct commit_info info = {
		.who = "lbd-ha", .origin = "pair", .why = "configuration of the other node"
	};
	struct err err = { 0 };

	if (replica_replace(store_of(x), p, len, &info, NULL, &err) != 0) {
		log_warn("pair: the other node's configuration is not in force here: %s", err.text);
		loop_timer_set(&x->settle, SETTLE);
		return;
	}
	log_info(
	    "pair: this node has the other's configuration; its own is kept in backup/replaced-N.db");
	announce_whole(x);
}

static void
on_secret(struct exchange *x, const uint8_t *p, size_t len)
{
	const struct commit_info info = {
		.who = "lbd-ha", .origin = "pair", .why = "a number that the other node has too"
	};
	struct secrets *s = NULL;
	struct err err = { 0 };
	uint32_t n = 0;
	int rc;

	if (open_secrets(x, true, &s) != 0)
		return;
	rc = secret_import(s, p, len, &n, &err);
	if (rc == ERR_CONFLICT && replica_secret_move(store_of(x), n, &info, &err) == 0)
		rc = secret_import(s, p, len, &n, &err);
	if (rc != 0)
		log_warn("pair: a secret of the other node is not taken: %s", err.text);
	secrets_close(s);
}

static void
on_conflict(struct exchange *x, const uint8_t *p, size_t len)
{
	struct conflict c;
	struct err err = { 0 };

	if (replica_conflict_decode(p, len, &c) != 0 ||
	    replica_conflict_put(store_of(x), &c, &err) != 0)
		log_warn("pair: a conflict that the other node found is not kept: %s", err.text);
}

static void
on_faces(struct exchange *x, const uint8_t *p, size_t len)
{
	uint8_t mac[SHARED_MACS][6];
	unsigned n = (unsigned)(len / 6 < SHARED_MACS ? len / 6 : SHARED_MACS);

	memcpy(mac, p, n * sizeof(mac[0]));
	role_peer_macs(x->role, mac, n);
}

static void
on_batch(struct exchange *x, const uint8_t *p, size_t len)
{
	struct rd r = { .p = p, .left = len };
	uint64_t boot = rd_be(&r, 8), seq = rd_be(&r, 8);

	if (r.bad || x->stick == NULL ||
	    stick_mirror_from_peer(x->stick, boot, seq, r.p, r.left) < 0)
		log_warn("pair: persistence entries that cannot be read");
}

void
exchange_blob(struct exchange *x, unsigned number, const uint8_t *p, size_t len)
{
	if (store_of(x) == NULL)
		return;
	switch (number) {
	case MSG_PEER_REVISION: on_revision(x, p, len); break;
	case MSG_PEER_CHAIN: on_chain(x, p, len); break;
	case MSG_PEER_DUMP: on_dump(x, p, len); break;
	case MSG_PEER_SECRET: on_secret(x, p, len); break;
	case MSG_PEER_CONFLICT: on_conflict(x, p, len); break;
	case MSG_PEER_FACES: on_faces(x, p, len); break;
	case MSG_PEER_STICK: on_batch(x, p, len); break;
	default: break;
	}
}

static void
on_ask(struct exchange *x, const struct msg_peer_ask *m)
{
	if (m->all)
		send_whole(x);
	else if (m->scope == ALL_SCOPES)
		send_chain(x);
	else if (m->scope == SCOPE_SHARED || m->scope == SCOPE_OPER)
		send_above(x, (enum scope)m->scope, m->above);
}

void
exchange_row(struct exchange *x, const struct msg_row *row, const union msg_any *m)
{
	if (store_of(x) == NULL)
		return;
	switch (row->number) {
	case MSG_PEER_ASK: on_ask(x, &m->peer_ask); break;
	case MSG_PEER_REWIND: on_rewind(x, &m->peer_ask); break;
	case MSG_PEER_HEADS: take_heads(x, &m->peer_heads); break;
	default: break;
	}
}

/* ---- the channel ------------------------------------------------------------------------------------------------ */

static void
send_faces(struct exchange *x)
{
	struct iface_list l = { 0 };
	struct buf b = { 0 };

	if (netlink_addresses(&l, NULL) != 0)
		return;
	for (unsigned i = 0; i < l.n; i++)
		if (!l.a[i].loopback &&
		    (i == 0 || memcmp(l.a[i].mac, l.a[i - 1].mac, sizeof(l.a[i].mac)) != 0))
			buf_put(&b, l.a[i].mac, sizeof(l.a[i].mac));
	(void)peer_channel_send_blob(x->k, MSG_PEER_FACES, b.p, b.len);
	buf_fini(&b);
	iface_list_fini(&l);
}

static void
on_settle(void *arg)
{
	struct exchange *x = arg;

	if (!x->up)
		return;
	memset(x->joining, 0, sizeof(x->joining));
	if (store_of(x) != NULL && !in_step(x))
		ask_again(x);
	look_whole(x);
}

void
exchange_hello(struct exchange *x, struct msg_peer_hello *m)
{
	head(x, SCOPE_SHARED, &m->shared, &m->shared_hash);
	head(x, SCOPE_OPER, &m->oper, &m->oper_hash);
}

void
exchange_up(struct exchange *x, const struct msg_peer_hello *m)
{
	const struct msg_peer_heads heads = { .shared = m->shared,
		.shared_hash = m->shared_hash,
		.oper = m->oper,
		.oper_hash = m->oper_hash };

	x->up = true;
	memset(x->joining, 0, sizeof(x->joining));
	send_faces(x);
	if (x->stick != NULL) {
		x->credit = STICK_MOST;
		stick_mirror_peer_up(x->stick, 0, 0, x->credit);
		loop_timer_set(&x->pace, STICK_PACE);
	}
	take_heads(x, &heads);
	if (!in_step(x) && !orders(x))
		send_chain(x);
}

void
exchange_down(struct exchange *x)
{
	x->up = false;
	loop_timer_cancel(&x->pace);
	if (x->stick != NULL)
		stick_mirror_peer_down(x->stick);
	/* What it has now cannot be known; what was missing is missing no more than the rest. */
	role_whole(x->role, WHOLE_CHANNEL, "the channel to the other node is down");
	role_whole(x->role, WHOLE_CONFIG, NULL);
	role_whole(x->role, WHOLE_PERSIST, NULL);
}

void
exchange_moved(struct exchange *x)
{
	if (store_of(x) == NULL)
		return;
	for (unsigned i = 0; x->up && i < ARRAY_LEN(both); i++) {
		enum scope s = both[i];
		uint32_t n;
		uint64_t hash, there;

		head(x, s, &n, &hash);
		if (x->joining[s] || (n == x->peer_n[s] && hash == x->peer_hash[s]))
			continue;
		if (n > x->peer_n[s] &&
		    replica_hash_at(store_of(x), s, x->peer_n[s], &there) == 0 &&
		    there == x->peer_hash[s])
			send_above(x, s, x->peer_n[s]);
	}
	tell_heads(x);
}

/* ---- persistence -------------------------------------------------------------------------------------------------- */

void
exchange_to_peer(void *arg, uint64_t seq, const void *batch, size_t len)
{
	struct exchange *x = arg;
	struct buf b = { 0 };

	if (!x->up)
		return;
	buf_put_be(&b, stick_mirror_boot(x->stick), 8);
	buf_put_be(&b, seq, 8);
	buf_put(&b, batch, len);
	x->credit -= x->credit > 0;
	(void)peer_channel_send_blob(x->k, MSG_PEER_STICK, b.p, b.len);
	buf_fini(&b);
}

/* As many batches as the stream has room for. */
static void
on_pace(void *arg)
{
	struct exchange *x = arg;
	size_t room = x->up ? peer_channel_room(x->k, PEER_BULK) / STICK_BATCH : 0;
	unsigned want = room < STICK_MOST ? (unsigned)room : STICK_MOST;

	if (!x->up)
		return;
	if (want > x->credit) {
		stick_mirror_peer_more(x->stick, want - x->credit);
		x->credit = want;
	}
	loop_timer_set(&x->pace, x->credit == STICK_MOST ? DUR_MS(100) : STICK_PACE);
	if (!stick_mirror_peer_due(x->stick))
		look_whole(x);
}

/* ---- ----------------------------------------------------------------------------------------------------------------- */

/* Both nodes hash cookies with one key; it is made of the pair's secret. */
static uint64_t
seed_of(const struct cluster *c)
{
	static const char label[] = "lbd stick";
	uint8_t key[32];
	uint64_t seed;

	seal_derive((struct seal_bytes){ &c->id, sizeof(c->id) },
	    (struct seal_bytes){ c->secret, sizeof(c->secret) },
	    (struct seal_bytes){ label, sizeof(label) - 1 }, key);
	memcpy(&seed, key, sizeof(seed));
	explicit_bzero(key, sizeof(key));
	return seed != 0 ? seed : 1;
}

void
exchange_pair(struct exchange *x, const struct cluster *c, struct peer_channel *k)
{
	struct err err = { 0 };

	if (k == NULL && x->up)
		exchange_down(x);
	x->k = k;
	if (c == NULL || c->node == x->node)
		return;
	x->node = c->node;
	announce_links(x->d);
	if (x->stick != NULL)
		(void)stick_mirror_set_seed(x->stick, seed_of(c));
	if (store_of(x) != NULL && replica_node(store_of(x)) != c->node &&
	    replica_set_node(store_of(x), c->node, &err) != 0)
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
	loop_timer_init(&x->pace, daemon_loop(d), on_pace, x);
	return x;
}

void
exchange_free(struct exchange *x)
{
	if (x == NULL)
		return;
	loop_timer_fini(&x->settle);
	loop_timer_fini(&x->pace);
	free(x);
}
