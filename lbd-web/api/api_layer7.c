/* The status of layer 7 as HAProxy's statistics in CSV: programs that read its ";csv" or "show stat" read this. Some services are
 * written at a time, as the receiver takes them. */
#include "api.h"
#include "live/follow.h"
#include "report/layer7.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define SERVICES_AT_ONCE 50

struct report {
	struct web *w;
	struct snapshot *s;
	uint32_t at;
	bool begun, hide_down;
};

/* RFC 4180: in quotes where it has to be. */
static void
put_text(struct buf *b, const char *text)
{
	bool quoted = strpbrk(text, ",\"\r\n") != NULL;

	if (quoted)
		buf_puts(b, "\"");
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '"')
			buf_puts(b, "\"");
		buf_put(b, p, 1);
	}
	buf_puts(b, quoted ? "\"," : ",");
}

static void
put_row(void *arg, const struct layer7_row *r)
{
	struct buf *b = arg;

	for (unsigned i = 0; i < LAYER7_COLS; i++) {
		if (r->text[i] != NULL)
			put_text(b, r->text[i]);
		else if (r->n[i] >= 0)
			buf_printf(b, "%lld,", (long long)r->n[i]);
		else
			buf_puts(b, ",");
	}
	buf_puts(b, "\n");
}

static enum http_more
more(void *state, struct buf *out)
{
	struct report *x = state;
	uint32_t all = snapshot_count(x->s, KIND_service), end = x->at + SERVICES_AT_ONCE;

	if (!x->begun) {
		buf_puts(out, "# ");
		for (unsigned i = 0; i < LAYER7_COLS; i++)
			buf_printf(out, "%s,", layer7_name(i));
		buf_puts(out, "\n");
		x->begun = true;
	}
	while (x->at < all && (x->at < end || out->len == 0)) {
		const struct service *s = snapshot_at(x->s, KIND_service, x->at++);

		if (service_layer(s) == 7)
			layer7_service(follow_view(x->w->follow), s, x->hide_down, put_row, out);
	}
	return out->len > 0 ? HTTP_MORE : HTTP_END;
}

static void
fini(void *state)
{
	struct report *x = state;

	snapshot_unref(x->s);
	free(x);
}

void
api_layer7_csv(struct call *c)
{
	static const struct http_pull pull = { more, fini };
	const char *hide = call_query(c, "hide");
	struct report *x;

	if (hide != NULL && strcmp(hide, "down") != 0) {
		reply_fail(c, 400, "hide: %.60s: allowed is down", hide);
		return;
	}
	x = mem_alloc(sizeof(*x));
	x->w = c->w;
	x->s = snapshot_ref(daemon_snapshot(c->w->d));
	x->hide_down = hide != NULL;
	follow_looked(c->w->follow);
	reply_headers(c);
	http_set(c->rq, "Content-Type", "text/csv; charset=utf-8");
	http_set(c->rq, "Cache-Control", "no-store");
	http_send_pull(c->rq, 200, &pull, x);
}
