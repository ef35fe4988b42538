/* Entries are longer than a message, so they travel in pieces; each is answered before the next one goes. */
#include "pieces.h"

#include "base/must.h"
#include "msg/client.h"

#include <string.h>
#include <sys/random.h>

#define PIECE 32768

static int
open_proxy(struct ctl *c, struct client **k, struct err *err)
{
	int rc = client_open(&c->paths, "lbd-proxy", k, err);

	return rc == ERR_AWAY
		   ? err_prefix(err, "entries of lists are with lbd-proxy, which must run: ")
		   : rc;
}

/* What lbd-proxy says of entries is said as our own. */
static int
own(int rc, struct err *err)
{
	static const char from[] = "lbd-proxy: ";

	if ((rc == ERR_INVALID || rc == ERR_UNKNOWN) && err != NULL &&
	    strncmp(err->text, from, sizeof(from) - 1) == 0)
		memmove(err->text, err->text + sizeof(from) - 1,
		    strlen(err->text + sizeof(from) - 1) + 1);
	return rc;
}

static int
on_is(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct pieces_kept *out = arg;

	if (row->number == MSG_LIST_IS) {
		span_text(m->list_is.name, out->name, sizeof(out->name));
		out->entries = m->list_is.entries;
	}
	return 0;
}

int
pieces_put(struct ctl *c, unsigned kind, unsigned change, const char *base, const void *text,
    size_t len, struct pieces_kept *out, struct err *err)
{
	struct msg_list_put m = { .kind = (uint8_t)kind, .change = (uint8_t)change };
	struct client *k = NULL;
	int rc = open_proxy(c, &k, err);

	if (rc != 0)
		return rc;
	must(getrandom(&m.upload, sizeof(m.upload), 0) == sizeof(m.upload));
	if (base[0] != '\0')
		m.base = SPAN(base);
	*out = (struct pieces_kept){ 0 };
	do {
		size_t n = len - m.offset < PIECE ? len - m.offset : PIECE;

		m.text = (struct span){ (const uint8_t *)text + m.offset, n };
		m.more = m.offset + n < len;
		rc = client_call(k, MSG_LIST_PUT, &m, on_is, out, CTL_APPLY, err);
		m.offset += n;
	} while (rc == 0 && m.more);
	client_close(k);
	return own(rc, err);
}

struct getting {
	struct buf *out;
	uint64_t total;
	size_t got; /* with this piece */
};

static int
on_text(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct getting *g = arg;

	if (row->number == MSG_LIST_TEXT && m->list_text.offset == g->out->len) {
		buf_put(g->out, m->list_text.text.p, m->list_text.text.len);
		g->total = m->list_text.total;
		g->got = m->list_text.text.len;
	}
	return 0;
}

int
pieces_get(struct ctl *c, const char *name, struct buf *out, struct err *err)
{
	struct msg_list_get m = { .name = SPAN(name) };
	struct getting g = { .out = out };
	struct client *k = NULL;
	int rc = open_proxy(c, &k, err);

	while (rc == 0) {
		m.offset = out->len;
		g.got = 0;
		rc = client_call(k, MSG_LIST_GET, &m, on_text, &g, CTL_ANSWER, err);
		if (rc == 0 && out->len >= g.total)
			break;
		if (rc == 0 && g.got == 0)
			rc = err_set(err, ERR_PROTO, "lbd-proxy gives the entries in part only");
	}
	client_close(k);
	return own(rc, err);
}
