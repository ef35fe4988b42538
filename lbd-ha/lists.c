/* lists.c - both nodes have the entries of their lists.
 *
 * As with private keys (keys.c): entries are with lbd-proxy, the configuration only names them, and whichever node lacks some
 * asks the other over the channel. They are long, so they come in pieces, one list at a time: a piece is put here before
 * the next one is asked for, and lbd-proxy takes the whole only when it has the digest that names it. A list that does not
 * come on, because the other node lacks it too or goes away, makes room for the next one after some seconds. */
#include "lists.h"

#include "base/list.h"
#include "base/mem.h"
#include "store/x509.h"
#include "sys/log.h"

#include "courier.h"

#include <stdio.h>
#include <string.h>

#define PATIENCE DUR_S(5) /* for a piece */
#define KIND_INSIDE 255	  /* lbd-proxy reads the kind from the text */

struct list_courier {
	struct courier c;
	unsigned turn;		/* which of those that are missing is next */
	char name[X509_HEX];	/* that comes now; "" none */
	uint64_t offset, total; /* of it */
	uint64_t upload;
	bool putting; /* a piece is with lbd-proxy */
};

/* ---- what is missing --------------------------------------------------------------------------------------------- */

static struct list_courier *
of(struct courier *c)
{
	return container_of(c, struct list_courier, c);
}

static void
ask(struct list_courier *l)
{
	const struct msg_list_get m = { .name = SPAN(l->name), .offset = l->offset };

	if (l->c.k != NULL)
		(void)peer_channel_send(l->c.k, MSG_PEER_LIST_ASK, &m);
	courier_look(&l->c, PATIENCE);
}

static void
skip(void *arg, unsigned nth, const char *name)
{
	(void)arg;
	(void)nth;
	(void)name;
}

/* The one whose turn it is. */
static void
choose(void *arg, unsigned nth, const char *name)
{
	struct list_courier *l = arg;

	if (nth == l->turn)
		(void)snprintf(l->name, sizeof(l->name), "%s", name);
}

static void
listed(struct courier *c, bool good)
{
	struct list_courier *l = of(c);
	unsigned n;

	if (c->k == NULL)
		return;
	if (!good) {
		courier_look(c, COURIER_AGAIN);
		return;
	}
	n = courier_missing(c, skip, NULL);
	if (n == 0)
		return;
	l->turn = (l->turn + 1) % n;
	(void)courier_missing(c, choose, l);
	l->offset = 0;
	l->upload = (uint64_t)mono_now();
	ask(l);
}

/* What came until now is given up: either it is complete, or it did not come on. */
static bool
idle(struct courier *c)
{
	struct list_courier *l = of(c);

	if (l->putting)
		courier_look(c, PATIENCE);
	else
		l->name[0] = '\0';
	return !l->putting;
}

static const char *
named(const void *row)
{
	return ((const struct itemlist *)row)->content;
}

static struct span
name_in(const union msg_any *m)
{
	return m->list_is.name;
}

void
list_courier_look(struct list_courier *l)
{
	if (l != NULL && l->name[0] == '\0')
		courier_look(&l->c, COURIER_SOON);
}

/* ---- the other node asks ----------------------------------------------------------------------------------------- */

static void
on_got(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct courier *c = arg;

	if (row->number == MSG_LIST_TEXT && c->k != NULL)
		(void)peer_channel_send(c->k, MSG_PEER_LIST, &m->list_text);
}

void
list_courier_on_ask(struct list_courier *l, const struct msg_list_get *m)
{
	(void)bus_link_ask(l->c.proxy, MSG_LIST_GET, m, on_got, NULL, &l->c);
}

/* ---- a piece comes ----------------------------------------------------------------------------------------------- */

static void
on_put(void *arg, int code, const char *text)
{
	struct list_courier *l = arg;

	l->putting = false;
	if (code != 0 && code != ERR_AWAY)
		log_warn("lists: lbd-proxy does not take what the other node has as %s: %s",
		    l->name, text);
	if (code == 0 && l->offset < l->total)
		ask(l);
	else
		courier_look(&l->c, code == 0 ? COURIER_SOON : COURIER_AGAIN);
}

void
list_courier_on_text(struct list_courier *l, const struct msg_list_text *m)
{
	struct msg_list_put put = {
		.upload = l->upload, .offset = l->offset, .kind = KIND_INSIDE, .text = m->text
	};
	char name[X509_HEX + 1];

	span_text(m->name, name, sizeof(name));
	if (l->putting || l->name[0] == '\0' || strcmp(name, l->name) != 0 ||
	    m->offset != l->offset || m->text.len == 0)
		return;
	l->offset += m->text.len;
	l->total = m->total;
	put.more = l->offset < l->total;
	l->putting = bus_link_ask(l->c.proxy, MSG_LIST_PUT, &put, NULL, on_put, l) == 0;
	if (l->putting && !put.more)
		log_info("lists: %s comes from the other node", name);
}

/* ---- the ends ------------------------------------------------------------------------------------------------------ */

void
list_courier_up(struct list_courier *l, struct peer_channel *k)
{
	courier_up(&l->c, k);
}

void
list_courier_down(struct list_courier *l)
{
	l->c.k = NULL;
	l->name[0] = '\0';
}

struct list_courier *
list_courier_new(struct daemon *d)
{
	static const struct msg_empty all;
	static const struct courier_ops ops = { .what = "lists",
		.ask = MSG_LISTS,
		.is = MSG_LIST_IS,
		.all = &all,
		.kind = KIND_itemlist,
		.named = named,
		.name = name_in,
		.idle = idle,
		.listed = listed };
	struct list_courier *l = mem_alloc(sizeof(*l));

	courier_init(&l->c, d, &ops);
	return l;
}

void
list_courier_free(struct list_courier *l)
{
	if (l == NULL)
		return;
	courier_fini(&l->c);
	free(l);
}
