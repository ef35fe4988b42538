/* exchange_send.c - what goes to the other node: revisions with the secrets that they name, the whole, the chain,
 * conflicts, hardware addresses. */
#include "exchange_priv.h"

#include "sys/log.h"
#include "sys/netlink.h"

#include "base/must.h"

#include <stdlib.h>
#include <string.h>

int
exchange_secrets(const struct exchange *x, bool write, struct secrets **out)
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

	if (n == 0 || exchange_secrets(x, false, &s) != 0)
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

	if (replica_read(exchange_store(x), scope, n, &r) != 0)
		return false;
	if (r.trial == TRIAL_WAITS && x->trials &&
	    replica_trial_leaves(exchange_store(x), NULL) != 0) {
		replica_revision_fini(&r);
		return false;
	}
	secret = replica_secrets_of(r.delta, r.len, &secrets_n);
	send_secrets(x, secret, secrets_n);
	free(secret);
	replica_encode(&r, &b);
	good = r.delta != NULL && peer_channel_send_blob(x->k, MSG_PEER_REVISION, b.p, b.len) == 0;
	buf_fini(&b);
	replica_revision_fini(&r);
	return good;
}

void
exchange_send_whole(struct exchange *x)
{
	struct buf b = { 0 };
	struct err err = { 0 };
	uint32_t *secret, n;

	(void)exchange_trial_give_way(x); /* there would be no way back there */
	if (replica_dump(exchange_store(x), &b, &err) != 0) {
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
void
exchange_send_above(struct exchange *x, enum scope scope, uint32_t n)
{
	uint32_t last;
	uint64_t hash;

	exchange_head(x, scope, &last, &hash);
	while (n < last) {
		if (!send_one(x, scope, ++n)) {
			exchange_send_whole(x);
			return;
		}
	}
	x->peer_n[scope] = last; /* when it has them all; it says so by its heads */
	x->peer_hash[scope] = hash;
}

void
exchange_send_chain(struct exchange *x)
{
	struct buf b = { 0 };

	for (unsigned i = 0; i < ARRAY_LEN(exchange_scopes); i++) {
		uint32_t n, first, count = 0;
		uint64_t hash;
		size_t at;

		exchange_head(x, exchange_scopes[i], &n, &hash);
		first = n > EXCHANGE_CHAIN_MOST ? n - EXCHANGE_CHAIN_MOST : 0;
		buf_put_be(&b, exchange_scopes[i], 1);
		at = b.len;
		buf_put_be(&b, 0, 4);
		for (uint32_t k = first; k <= n; k++) {
			if (replica_hash_at(exchange_store(x), exchange_scopes[i], k, &hash) != 0)
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

int
exchange_send_conflict(void *arg, const struct conflict *c)
{
	struct exchange *x = arg;
	struct buf b = { 0 };

	replica_conflict_encode(c, &b);
	(void)peer_channel_send_blob(x->k, MSG_PEER_CONFLICT, b.p, b.len);
	buf_fini(&b);
	return 0;
}

void
exchange_send_faces(struct exchange *x)
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
