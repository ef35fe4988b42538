/* lists.c - both nodes have the entries of their lists.
 *
 * As with private keys (keys.c): entries are with lbd-proxy, the configuration only names them, and whichever node lacks some
 * asks the other over the channel. They are long, so they come in pieces, one list at a time: a piece is put here before
 * the next one is asked for, and lbd-proxy takes the whole only when it has the digest that names it. A list that does not
 * come on, because the other node lacks it too or goes away, makes room for the next one after some seconds. */
#include "lists.h"

#include "base/mem.h"
#include "store/x509.h"
#include "sys/log.h"

#include <stdio.h>
#include <string.h>

#define AGAIN DUR_S(2)
#define SOON DUR_MS(50)	  /* several reasons to look are one */
#define PATIENCE DUR_S(5) /* for a piece */
#define KIND_INSIDE 255	  /* lbd-proxy reads the kind from the text */

struct list_courier {
	struct daemon *d;
	struct bus_link *proxy;
	struct peer_channel *k; /* NULL: it is down */
	struct loop_timer timer;
	bool listing;		/* LISTS is under way */
	struct buf have;	/* names, one behind the other */
	unsigned turn;		/* which of those that are missing is next */
	unsigned missing;	/* last time */
	char name[X509_HEX];	/* that comes now; "" none */
	uint64_t offset, total; /* of it */
	uint64_t upload;
	bool putting; /* a piece is with lbd-proxy */
};

static void
look_in(struct list_courier *c, dur_t after)
{
	loop_timer_set(&c->timer, after);
}

/* ---- what is missing --------------------------------------------------------------------------------------------- */

static bool
has(const struct list_courier *c, const char *name)
{
	return c->have.len > 0 && memmem(c->have.p, c->have.len, name, X509_HEX - 1) != NULL;
}

/* The nth that is missing, in *out when it is there; how many they are. */
static unsigned
find_missing(const struct list_courier *c, unsigned nth, const char **out)
{
	const struct snapshot *s = daemon_snapshot(c->d);
	unsigned n = 0;

	for (uint32_t i = 0; s != NULL && i < snapshot_count(s, KIND_itemlist); i++) {
		const struct itemlist *row = snapshot_at(s, KIND_itemlist, i);

		if (x509_key_is_name(row->content) && !has(c, row->content) && n++ == nth)
			*out = row->content;
	}
	return n;
}

static void
ask(struct list_courier *c)
{
	const struct msg_list_get m = { .name = SPAN(c->name), .offset = c->offset };

	if (c->k != NULL)
		(void)peer_channel_send(c->k, MSG_PEER_LIST_ASK, &m);
	look_in(c, PATIENCE);
}

static void
on_listed(void *arg, int code, const char *text)
{
	struct list_courier *c = arg;
	const char *name = NULL;
	unsigned n;

	(void)text;
	c->listing = false;
	if (code != 0 || c->k == NULL) {
		if (c->k != NULL)
			look_in(c, AGAIN);
		return;
	}
	n = find_missing(c, UINT32_MAX, &name);
	if (n > c->missing)
		log_info(
		    "lists: the entries of %u are not on this node: the other node is asked", n);
	c->missing = n;
	if (n == 0)
		return;
	(void)find_missing(c, c->turn++ % n, &name);
	(void)snprintf(c->name, sizeof(c->name), "%s", name);
	c->offset = 0;
	c->upload = (uint64_t)mono_now();
	ask(c);
}

static void
on_listed_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct list_courier *c = arg;

	if (row->number == MSG_LIST_IS && m->list_is.name.len == X509_HEX - 1) {
		buf_put(&c->have, m->list_is.name.p, m->list_is.name.len);
		buf_put(&c->have, " ", 1);
	}
}

static bool
needs_any(const struct list_courier *c)
{
	const struct snapshot *s = daemon_snapshot(c->d);

	return s != NULL && snapshot_count(s, KIND_itemlist) > 0;
}

/* What came until now is given up: either it is complete, or it did not come on. */
static void
on_look(void *arg)
{
	struct list_courier *c = arg;
	const struct msg_empty none = { 0 };

	if (c->putting) {
		look_in(c, PATIENCE);
		return;
	}
	c->name[0] = '\0';
	if (c->k == NULL || c->listing || !needs_any(c) || !bus_link_is_up(c->proxy))
		return;
	c->have.len = 0;
	c->listing = bus_link_ask(c->proxy, MSG_LISTS, &none, on_listed_row, on_listed, c) == 0;
}

void
list_courier_look(struct list_courier *c)
{
	if (c != NULL && c->name[0] == '\0')
		look_in(c, SOON);
}

/* ---- the other node asks ----------------------------------------------------------------------------------------- */

static void
on_got(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct list_courier *c = arg;

	if (row->number == MSG_LIST_TEXT && c->k != NULL)
		(void)peer_channel_send(c->k, MSG_PEER_LIST, &m->list_text);
}

void
list_courier_on_ask(struct list_courier *c, const struct msg_list_get *m)
{
	(void)bus_link_ask(c->proxy, MSG_LIST_GET, m, on_got, NULL, c);
}

/* ---- a piece comes ----------------------------------------------------------------------------------------------- */

static void
on_put(void *arg, int code, const char *text)
{
	struct list_courier *c = arg;

	c->putting = false;
	if (code != 0 && code != ERR_AWAY)
		log_warn("lists: lbd-proxy does not take what the other node has as %s: %s",
		    c->name, text);
	if (code == 0 && c->offset < c->total)
		ask(c);
	else
		look_in(c, code == 0 ? SOON : AGAIN);
}

void
list_courier_on_text(struct list_courier *c, const struct msg_list_text *m)
{
	struct msg_list_put put = {
		.upload = c->upload, .offset = c->offset, .kind = KIND_INSIDE, .text = m->text
	};
	char name[X509_HEX + 1];

	span_text(m->name, name, sizeof(name));
	if (c->putting || c->name[0] == '\0' || strcmp(name, c->name) != 0 ||
	    m->offset != c->offset || m->text.len == 0)
		return;
	c->offset += m->text.len;
	c->total = m->total;
	put.more = c->offset < c->total;
	c->putting = bus_link_ask(c->proxy, MSG_LIST_PUT, &put, NULL, on_put, c) == 0;
	if (c->putting && !put.more)
		log_info("lists: %s comes from the other node", name);
}

/* ---- the ends ------------------------------------------------------------------------------------------------------ */

static void
on_proxy_up(void *arg)
{
	list_courier_look(arg);
}

static void
on_proxy_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	(void)arg;
	(void)row;
	(void)m;
}

void
list_courier_up(struct list_courier *c, struct peer_channel *k)
{
	c->k = k;
	look_in(c, SOON);
}

void
list_courier_down(struct list_courier *c)
{
	c->k = NULL;
	c->name[0] = '\0';
}

struct list_courier *
list_courier_new(struct daemon *d)
{
	struct list_courier *c = mem_alloc(sizeof(*c));
	const struct bus_link_ops ops = {
		.daemon = "lbd-proxy", .up = on_proxy_up, .row = on_proxy_row, .arg = c
	};

	c->d = d;
	loop_timer_init(&c->timer, daemon_loop(d), on_look, c);
	c->proxy = bus_link_new(daemon_loop(d), daemon_paths(d), "lbd-ha", &ops);
	return c;
}

void
list_courier_free(struct list_courier *c)
{
	if (c == NULL)
		return;
	bus_link_free(c->proxy);
	loop_timer_fini(&c->timer);
	buf_fini(&c->have);
	free(c);
}
