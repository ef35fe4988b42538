/* The kernel's table of layer 4 as it is, services and under each its servers: what lbd made, by its names, and what
 * somebody else made. lbd-ipvs reads it; nothing here knows the kernel. */
#include "watch.h"

#include "base/must.h"
#include "msg/client.h"

#include <string.h>

enum {
	K_SERVICE,
	K_SERVER,
	K_NAME,
	K_SCHEDULER,
	K_PERSIST,
	K_FORWARD,
	K_WEIGHT,
	K_ACTIVE,
	K_INACTIVE,
	K_OF,
	K_OURS
};
static const struct column columns[] = {
	[K_SERVICE] = { "service", NULL, COL_TEXT, COL_SHOW },
	[K_SERVER] = { "server", NULL, COL_TEXT, COL_SHOW },
	[K_NAME] = { "name", NULL, COL_TEXT, COL_SHOW },
	[K_SCHEDULER] = { "scheduler", NULL, COL_TEXT, COL_SHOW },
	[K_PERSIST] = { "persist_s", "persist", COL_ID, COL_SHOW },
	[K_FORWARD] = { "forward", NULL, COL_TEXT, COL_SHOW },
	[K_WEIGHT] = { "weight", NULL, COL_ID, COL_SHOW },
	[K_ACTIVE] = { "active", NULL, COL_NUM, COL_SHOW },
	[K_INACTIVE] = { "inactive", NULL, COL_NUM, COL_SHOW },
	[K_OF] = { "of", NULL, COL_TEXT, COL_HIDE },
	[K_OURS] = { "ours", NULL, COL_BOOL, COL_HIDE },
};
#define KEY_ROOM 100

struct table_ask {
	struct ctl *c;
	struct table *t;
	char of[KEY_ROOM]; /* the service that servers follow */
	bool ours;
};

static void
put_text(struct table *t, unsigned col, struct span s)
{
	char text[KEY_ROOM];

	span_text(s, text, sizeof(text));
	if (text[0] != '\0')
		table_text(t, col, text);
}

static void
put_name(struct table_ask *a, const struct msg_kernel_row *r)
{
	unsigned kind = r->real ? KIND_server : KIND_service;
	uint32_t id = r->real ? r->server : r->service;
	char path[160];

	if (id != 0 && snapshot_find(a->c->snap, kind, id) != NULL)
		table_text(a->t, K_NAME, snapshot_path(a->c->snap, kind, id, path));
	else if (a->ours && r->real)
		table_text(a->t, K_NAME, "(fallback)");
	else if (!a->ours)
		table_text(a->t, K_NAME, "(not lbd's)");
}

static int
on_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct table_ask *a = arg;
	const struct msg_kernel_row *r = &m->kernel_row;

	if (row->number != MSG_KERNEL_ROW)
		return 0;
	if (!r->real) {
		span_text(r->key, a->of, sizeof(a->of));
		a->ours = r->service != 0;
	}
	table_row(a->t);
	put_text(a->t, r->real ? K_SERVER : K_SERVICE, r->key);
	put_name(a, r);
	table_text(a->t, K_OF, a->of);
	table_num(a->t, K_OURS, a->ours);
	if (r->real) {
		put_text(a->t, K_FORWARD, r->forward);
		table_num(a->t, K_WEIGHT, r->weight);
		table_num(a->t, K_ACTIVE, r->active);
		table_num(a->t, K_INACTIVE, r->inactive);
		return 0;
	}
	put_text(a->t, K_SCHEDULER, r->scheduler);
	if (r->persist != 0)
		table_num(a->t, K_PERSIST, r->persist);
	return 0;
}

static int
render(struct ctl *c, void *arg, struct buf *out, struct err *err)
{
	struct table_ask a = { .c = c };
	struct msg_select ask = { 0 };
	struct picked rows;
	struct client *k;
	int rc = 0;

	(void)arg;
	if (c->argc > 0)
		rc = pick_rows(c, object_of(KIND_service), 1, c->argv, &rows, err);
	if (rc == 0 && c->argc > 0 && rows.n != 1)
		return err_set(err, ERR_USAGE, "ipvs: one service at a time");
	if (rc == 0 && c->argc > 0)
		ask.service = ((const struct service *)rows.row[0])->id;
	if (rc == 0)
		rc = client_open(&c->paths, "lbd-ipvs", &k, err);
	if (rc != 0)
		return rc;
	a.t = table_new(columns, ARRAY_LEN(columns));
	rc = client_call(k, MSG_KERNEL_TABLE, &ask, on_row, &a, CTL_ANSWER, err);
	client_close(k);
	if (rc == 0)
		rc = table_print(a.t, &c->style, out, err);
	table_free(a.t);
	return rc;
}

int
cmd_ipvs(struct ctl *c, struct err *err)
{
	const struct watch w = { .render = render, .on = GIVEN(c, watch) };

	return watch_run(c, &w, err);
}
