/* What content rules count by key: listed, and let begin anew. lbd-proxy knows it; it filters and sorts. */
#include "ctl.h"

#include "base/must.h"
#include "msg/client.h"

#include <inttypes.h>
#include <string.h>

enum { R_VIP, R_METER, R_KEY, R_VALUE, R_AGE };
static const struct column columns[] = {
	[R_VIP] = { "vip", NULL, COL_TEXT, COL_SHOW },
	[R_METER] = { "meter", NULL, COL_TEXT, COL_SHOW },
	[R_KEY] = { "client", "key", COL_TEXT, COL_SHOW },
	[R_VALUE] = { "value", NULL, COL_NUM, COL_SHOW },
	[R_AGE] = { "age", NULL, COL_DUR_US, COL_SHOW },
};

struct listing {
	struct ctl *c;
	struct table *t;
	uint32_t cleared;
};

/* The service that the optional argument names; 0 is all. */
static int
chosen(struct ctl *c, uint32_t *service, struct err *err)
{
	const struct service *s;
	struct picked rows;
	int rc = ctl_load(c, err);

	if (rc != 0 || c->argc == 0)
		return rc;
	rc = pick_rows(c, object_of(KIND_service), 1, c->argv, &rows, err);
	if (rc != 0)
		return rc;
	if (rows.n != 1)
		return err_set(err, ERR_USAGE, "%s: one service at a time", c->cmd->name);
	s = rows.row[0];
	if (service_layer(s) != 7)
		return err_set(
		    err, ERR_USAGE, "%s is of layer 4, which has no content rules", s->name);
	*service = s->id;
	return 0;
}

static void
put_span(struct table *t, unsigned col, struct span s)
{
	char text[200];

	span_text(s, text, sizeof(text));
	table_text(t, col, text);
}

static int
on_rate(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct listing *l = arg;
	const struct msg_rate *k = &m->rate;
	char path[160];

	if (row->number != MSG_RATE)
		return 0;
	l->cleared += k->cleared;
	if (l->t == NULL)
		return 0;
	table_row(l->t);
	if (snapshot_find(l->c->snap, KIND_service, k->service) != NULL)
		table_text(l->t, R_VIP, snapshot_path(l->c->snap, KIND_service, k->service, path));
	put_span(l->t, R_METER, k->meter);
	put_span(l->t, R_KEY, k->key);
	table_num(l->t, R_VALUE, (double)k->value);
	table_num(l->t, R_AGE, (double)k->age);
	return 0;
}

static int
ask(struct ctl *c, const struct msg_rates *m, struct listing *l, struct err *err)
{
	struct client *k;
	int rc = client_open(&c->paths, "lbd-proxy", &k, err);

	if (rc != 0)
		return rc;
	rc = client_call(k, MSG_RATES, m, on_rate, l,
	    GIVEN(c, timeout) ? DUR_MS(c->num[OPT_timeout]) : CTL_ANSWER, err);
	client_close(k);
	return rc;
}

int
cmd_rates_list(struct ctl *c, struct err *err)
{
	struct listing l = { .c = c };
	struct msg_rates m = { 0 };
	int rc = chosen(c, &m.service, err);

	if (rc != 0)
		return rc;
	if (GIVEN(c, client))
		m.key = SPAN(c->opt[OPT_client]);
	if (GIVEN(c, number))
		m.most = (uint32_t)c->num[OPT_number];
	l.t = table_new(columns, ARRAY_LEN(columns));
	rc = ask(c, &m, &l, err);
	if (rc == 0)
		return ctl_table(c, l.t, err);
	table_free(l.t);
	return rc;
}

int
cmd_rates_clear(struct ctl *c, struct err *err)
{
	struct listing l = { .c = c };
	struct msg_rates m = { .clear = true };
	int rc = chosen(c, &m.service, err);

	if (GIVEN(c, client))
		m.key = SPAN(c->opt[OPT_client]);
	if (rc == 0 && !GIVEN(c, client))
		rc = ctl_ask(
		    c, err, "Forget every count of %s", c->argc > 0 ? c->argv[0] : "every service");
	if (rc == 0)
		rc = ask(c, &m, &l, err);
	if (rc == 0)
		ctl_note(c, "%" PRIu32 " key%s forgotten", l.cleared, l.cleared == 1 ? "" : "s");
	return rc;
}
