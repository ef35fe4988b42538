/* keys.c - both nodes have the private keys of their certificates.
 *
 * Keys are no part of the configuration: lbd-proxy keeps them, and nobody else reads them. So when the configuration
 * names a key that the lbd-proxy here does not have, this process asks the other node over the channel of the pair,
 * which is encrypted and whose ends are proved; the lbd-ha there gets it from its lbd-proxy, and it is put here. What is
 * missing is looked at when the configuration changes, the channel comes up, or lbd-proxy is there anew, and while
 * something is missing every two seconds. One direction needs nothing of the other, so it does not matter on which node
 * a certificate was imported, nor which of them was away then. */
#include "keys.h"

#include "base/mem.h"
#include "store/x509.h"
#include "sys/log.h"

#include <string.h>

#define AGAIN DUR_S(2)
#define SOON DUR_MS(50) /* several reasons to look are one */
#define ASKED_MOST 64	/* keys that are asked for at once */

struct key_courier {
	struct daemon *d;
	struct bus_link *proxy;
	struct peer_channel *k; /* NULL: it is down */
	struct loop_timer timer;
	bool due;	  /* the timer is set */
	bool listing;	  /* KEYS is under way */
	struct buf have;  /* names, one behind the other */
	unsigned missing; /* last time */
};

static void
look_in(struct key_courier *c, dur_t after)
{
	if (c->due && after >= AGAIN)
		return;
	c->due = true;
	loop_timer_set(&c->timer, after);
}

/* ---- what is missing ------------------------------------------------------------------------------------------- */

static bool
has(const struct key_courier *c, const char *name)
{
	return c->have.len > 0 && memmem(c->have.p, c->have.len, name, X509_HEX - 1) != NULL;
}

static void
on_listed(void *arg, int code, const char *text)
{
	struct key_courier *c = arg;
	const struct snapshot *s = daemon_snapshot(c->d);
	unsigned missing = 0;

	(void)text;
	c->listing = false;
	for (uint32_t i = 0; code == 0 && s != NULL && i < snapshot_count(s, KIND_cert); i++) {
		const struct cert *row = snapshot_at(s, KIND_cert, i);
		const struct msg_key_name ask = { .name = SPAN(row->key) };

		if (!x509_key_is_name(row->key) || has(c, row->key))
			continue;
		if (missing++ < ASKED_MOST && c->k != NULL)
			(void)peer_channel_send(c->k, MSG_PEER_KEY_ASK, &ask);
	}
	if (missing > c->missing)
		log_info(
		    "keys: %u of this node's certificates lack theirs: the other node is asked",
		    missing);
	c->missing = missing;
	if (c->k != NULL && (code != 0 || missing > 0))
		look_in(c, AGAIN);
}

static void
on_listed_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct key_courier *c = arg;

	if (row->number == MSG_KEY_IS && m->key_is.name.len == X509_HEX - 1) {
		buf_put(&c->have, m->key_is.name.p, m->key_is.name.len);
		buf_put(&c->have, " ", 1);
	}
}

static bool
needs_any(const struct key_courier *c)
{
	const struct snapshot *s = daemon_snapshot(c->d);

	return s != NULL && snapshot_count(s, KIND_cert) > 0;
}

static void
on_look(void *arg)
{
	struct key_courier *c = arg;
	const struct msg_keys_ask all = { .name = { .len = 0 } };

	c->due = false;
	if (c->k == NULL || c->listing || !needs_any(c) || !bus_link_is_up(c->proxy))
		return;
	c->have.len = 0;
	c->listing = bus_link_ask(c->proxy, MSG_KEYS, &all, on_listed_row, on_listed, c) == 0;
}

void
key_courier_look(struct key_courier *c)
{
	if (c != NULL)
		look_in(c, SOON);
}

/* ---- the other node asks ----------------------------------------------------------------------------------------- */

static void
on_got(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct key_courier *c = arg;

	if (row->number == MSG_KEY_BYTES && c->k != NULL)
		(void)peer_channel_send(c->k, MSG_PEER_KEY, &m->key_bytes);
}

/* Only what the configuration names: whoever has the channel is not given more than that. */
static bool
is_named(const struct key_courier *c, const char *name)
{
	const struct snapshot *s = daemon_snapshot(c->d);

	for (uint32_t i = 0; s != NULL && i < snapshot_count(s, KIND_cert); i++)
		if (strcmp(((const struct cert *)snapshot_at(s, KIND_cert, i))->key, name) == 0)
			return true;
	return false;
}

void
key_courier_on_ask(struct key_courier *c, const struct msg_key_name *m)
{
	char name[X509_HEX + 1];
	struct msg_key_name ask = { 0 };

	span_text(m->name, name, sizeof(name));
	ask.name = SPAN(name);
	if (x509_key_is_name(name) && is_named(c, name))
		(void)bus_link_ask(c->proxy, MSG_KEY_GET, &ask, on_got, NULL, c);
}

/* ---- a key comes --------------------------------------------------------------------------------------------------- */

static void
on_put(void *arg, int code, const char *text)
{
	(void)arg;
	if (code != 0 && code != ERR_AWAY)
		log_warn("keys: lbd-proxy does not take a key of the other node: %s", text);
}

void
key_courier_on_key(struct key_courier *c, const struct msg_key_bytes *m)
{
	const struct msg_key_put put = { .key = m->key };
	char name[X509_HEX + 1];

	span_text(m->name, name, sizeof(name));
	if (!is_named(c, name))
		return;
	log_info("keys: %s comes from the other node", name);
	(void)bus_link_ask(c->proxy, MSG_KEY_PUT, &put, NULL, on_put, c);
	look_in(c, SOON);
}

/* ---- the ends ------------------------------------------------------------------------------------------------------ */

static void
on_proxy_up(void *arg)
{
	key_courier_look(arg);
}

static void
on_proxy_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	(void)arg;
	(void)row;
	(void)m;
}

void
key_courier_up(struct key_courier *c, struct peer_channel *k)
{
	c->k = k;
	look_in(c, SOON);
}

void
key_courier_down(struct key_courier *c)
{
	c->k = NULL;
}

struct key_courier *
key_courier_new(struct daemon *d)
{
	struct key_courier *c = mem_alloc(sizeof(*c));
	const struct bus_link_ops ops = {
		.daemon = "lbd-proxy", .up = on_proxy_up, .row = on_proxy_row, .arg = c
	};

	c->d = d;
	loop_timer_init(&c->timer, daemon_loop(d), on_look, c);
	c->proxy = bus_link_new(daemon_loop(d), daemon_paths(d), "lbd-ha", &ops);
	return c;
}

void
key_courier_free(struct key_courier *c)
{
	if (c == NULL)
		return;
	bus_link_free(c->proxy);
	loop_timer_fini(&c->timer);
	buf_fini(&c->have);
	free(c);
}
