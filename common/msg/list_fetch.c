/* Pieces, each asked for when the one before is there. */
#include "msg/list_fetch.h"

#include <string.h>

struct getting {
	struct buf *out;
	size_t begin; /* of it, before the first piece */
	uint64_t total;
	size_t got; /* with this piece */
};

static int
on_text(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct getting *g = arg;

	if (row->number == MSG_LIST_TEXT && m->list_text.offset == g->out->len - g->begin) {
		buf_put(g->out, m->list_text.text.p, m->list_text.text.len);
		g->total = m->list_text.total;
		g->got = m->list_text.text.len;
	}
	return 0;
}

int
list_fetch(const struct paths *p, unsigned number, const char *content, dur_t wait, struct buf *out,
    struct err *err)
{
	struct msg_list_get m = { .name = SPAN(content) };
	struct getting g = { .out = out, .begin = out->len };
	struct client *k = NULL;
	int rc = client_open(p, "lbd-proxy", &k, err);

	while (rc == 0) {
		m.offset = out->len - g.begin;
		g.got = 0;
		rc = client_call(k, number, &m, on_text, &g, wait, err);
		if (rc == 0 && out->len - g.begin >= g.total)
			break;
		if (rc == 0 && g.got == 0)
			rc = err_set(err, ERR_PROTO, "lbd-proxy gives the entries in part only");
	}
	client_close(k);
	return rc;
}
