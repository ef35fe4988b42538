/* keys.c - both nodes have the private keys of their certificates.
 *
 * Keys are no part of the configuration: lbd-proxy keeps them, and nobody else reads them. So when the configuration
 * names a key that the lbd-proxy here does not have, this process asks the other node over the channel of the pair,
 * which is encrypted and whose ends are proved; the lbd-ha there gets it from its lbd-proxy, and it is put here. When that is
 * looked at tells courier.c. */
#include "keys.h"

#include "base/mem.h"
#include "store/x509.h"
#include "sys/log.h"

#include "courier.h"

#include <string.h>

#define ASKED_MOST 64 /* keys that are asked for at once */

struct key_courier {
	struct courier c;
};

/* ---- what is missing ------------------------------------------------------------------------------------------- */

static void
ask_for(void *arg, unsigned nth, const char *name)
{
	const struct msg_key_name ask = { .name = SPAN(name) };
	struct courier *c = arg;

	if (nth < ASKED_MOST && c->k != NULL)
		(void)peer_channel_send(c->k, MSG_PEER_KEY_ASK, &ask);
}

static void
listed(struct courier *c, bool good)
{
	bool more = !good || courier_missing(c, ask_for, c) > 0;

	if (c->k != NULL && more && !c->due)
		courier_look(c, COURIER_AGAIN);
}

static bool
idle(struct courier *c)
{
	(void)c;
	return true;
}

static const char *
named(const void *row)
{
	return ((const struct cert *)row)->key;
}

static struct span
name_in(const union msg_any *m)
{
	return m->key_is.name;
}

void
key_courier_look(struct key_courier *c)
{
	if (c != NULL)
		courier_look(&c->c, COURIER_SOON);
}

/* ---- the other node asks ----------------------------------------------------------------------------------------- */

static void
on_got(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct courier *c = arg;

	if (row->number == MSG_KEY_BYTES && c->k != NULL)
		(void)peer_channel_send(c->k, MSG_PEER_KEY, &m->key_bytes);
}

void
key_courier_on_ask(struct key_courier *c, const struct msg_key_name *m)
{
	char name[X509_HEX + 1];
	struct msg_key_name ask = { 0 };

	span_text(m->name, name, sizeof(name));
	ask.name = SPAN(name);
	if (x509_key_is_name(name) && courier_is_named(&c->c, name))
		(void)bus_link_ask(c->c.proxy, MSG_KEY_GET, &ask, on_got, NULL, &c->c);
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
	if (!courier_is_named(&c->c, name))
		return;
	log_info("keys: %s comes from the other node", name);
	(void)bus_link_ask(c->c.proxy, MSG_KEY_PUT, &put, NULL, on_put, c);
	courier_look(&c->c, COURIER_SOON);
}

/* ---- the ends ------------------------------------------------------------------------------------------------------ */

void
key_courier_up(struct key_courier *c, struct peer_channel *k)
{
	courier_up(&c->c, k);
}

void
key_courier_down(struct key_courier *c)
{
	c->c.k = NULL;
}

struct key_courier *
key_courier_new(struct daemon *d)
{
	static const struct msg_keys_ask all;
	static const struct courier_ops ops = { .what = "keys",
		.ask = MSG_KEYS,
		.is = MSG_KEY_IS,
		.all = &all,
		.kind = KIND_cert,
		.named = named,
		.name = name_in,
		.idle = idle,
		.listed = listed };
	struct key_courier *c = mem_alloc(sizeof(*c));

	courier_init(&c->c, d, &ops);
	return c;
}

void
key_courier_free(struct key_courier *c)
{
	if (c == NULL)
		return;
	courier_fini(&c->c);
	free(c);
}
