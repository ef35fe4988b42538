/* courier.c - what is missing on this node of what the configuration names.
 *
 * lbd-proxy keeps it. It is asked what it has when the configuration changes, the channel comes up, or it is there anew, and
 * while something is missing every two seconds; how the other node is asked for the rest is for keys.c and lists.c. One
 * direction needs nothing of the other, so it does not matter on which node something was brought, nor which of them was away. */
#include "courier.h"

#include "store/x509.h"
#include "sys/log.h"

#include <string.h>

void
courier_look(struct courier *c, dur_t after)
{
	c->due = true;
	loop_timer_set(&c->timer, after);
}

static bool
has(const struct courier *c, const char *name)
{
	return c->have.len > 0 && memmem(c->have.p, c->have.len, name, X509_HEX - 1) != NULL;
}

unsigned
courier_missing(struct courier *c, void (*fn)(void *arg, unsigned nth, const char *name), void *arg)
{
	const struct snapshot *s = daemon_snapshot(c->d);
	unsigned n = 0;

	for (uint32_t i = 0; s != NULL && i < snapshot_count(s, c->ops->kind); i++) {
		const char *name = c->ops->named(snapshot_at(s, c->ops->kind, i));

		if (x509_key_is_name(name) && !has(c, name))
			fn(arg, n++, name);
	}
	if (n > c->missing)
		log_info(
		    "%s: %u that the configuration names are not on this node: the other node is asked",
		    c->ops->what, n);
	c->missing = n;
	return n;
}

bool
courier_is_named(const struct courier *c, const char *name)
{
	const struct snapshot *s = daemon_snapshot(c->d);

	for (uint32_t i = 0; s != NULL && i < snapshot_count(s, c->ops->kind); i++)
		if (strcmp(c->ops->named(snapshot_at(s, c->ops->kind, i)), name) == 0)
			return true;
	return false;
}

static void
on_listed(void *arg, int code, const char *text)
{
	struct courier *c = arg;

	(void)text;
	c->listing = false;
	c->ops->listed(c, code == 0);
}

static void
on_listed_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct courier *c = arg;
	struct span name;

	if (row->number != c->ops->is)
		return;
	name = c->ops->name(m);
	if (name.len != X509_HEX - 1)
		return;
	buf_put(&c->have, name.p, name.len);
	buf_put(&c->have, " ", 1);
}

static void
on_timer(void *arg)
{
	struct courier *c = arg;
	const struct snapshot *s = daemon_snapshot(c->d);

	c->due = false;
	if (!c->ops->idle(c) || c->k == NULL || c->listing || s == NULL ||
	    snapshot_count(s, c->ops->kind) == 0 || !bus_link_is_up(c->proxy))
		return;
	c->have.len = 0;
	c->listing =
	    bus_link_ask(c->proxy, c->ops->ask, c->ops->all, on_listed_row, on_listed, c) == 0;
}

static void
on_proxy_up(void *arg)
{
	struct courier *c = arg;

	courier_look(c, COURIER_SOON);
}

static void
on_proxy_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	(void)arg;
	(void)row;
	(void)m;
}

void
courier_up(struct courier *c, struct peer_channel *k)
{
	c->k = k;
	courier_look(c, COURIER_SOON);
}

void
courier_init(struct courier *c, struct daemon *d, const struct courier_ops *ops)
{
	const struct bus_link_ops link = {
		.daemon = "lbd-proxy", .up = on_proxy_up, .row = on_proxy_row, .arg = c
	};

	c->ops = ops;
	c->d = d;
	loop_timer_init(&c->timer, daemon_loop(d), on_timer, c);
	c->proxy = bus_link_new(daemon_loop(d), daemon_paths(d), "lbd-ha", &link);
}

void
courier_fini(struct courier *c)
{
	bus_link_free(c->proxy);
	loop_timer_fini(&c->timer);
	buf_fini(&c->have);
}
