/* Entries are longer than a message, so they travel in pieces; each is answered before the next one goes. */
#include "pieces.h"

#include "base/must.h"
#include "msg/list_fetch.h"

#include <string.h>
#include <sys/random.h>

#define PIECE 32768

static int
no_proxy(struct err *err)
{
	return err_prefix(err, "entries of lists are with lbd-proxy, which must run: ");
}

static int
open_proxy(struct ctl *c, struct client **k, struct err *err)
{
	int rc = client_open(&c->paths, "lbd-proxy", k, err);

	return rc == ERR_AWAY ? no_proxy(err) : rc;
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

int
pieces_get(struct ctl *c, const char *name, struct buf *out, struct err *err)
{
	int rc = list_fetch(&c->paths, MSG_LIST_GET, name, CTL_ANSWER, out, err);

	if (rc == ERR_AWAY)
		rc = no_proxy(err);
	return own(rc, err);
}
