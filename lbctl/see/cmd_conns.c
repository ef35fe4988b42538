/* Questions and requests to the data plane and to lbd-check about one thing: connections, persistence entries, counters at
 * zero, a probe now. Each asks the daemon that knows; when it does not run the exit code is 6. */
#include "ctl.h"

#include "msg/client.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const data_plane[] = { "lbd-proxy", "lbd-ipvs" };

struct ask {
	struct ctl *c;
	struct table *t;
	unsigned most;
};

/* The service that an optional first argument names; 0 is all. */
static int
service_id(struct ctl *c, uint32_t *out, struct err *err)
{
	struct picked rows;
	int rc = ctl_load(c, err);

	*out = 0;
	if (rc != 0 || c->argc == 0)
		return rc;
	rc = pick_rows(c, object_of(KIND_service), 1, c->argv, &rows, err);
	if (rc == 0 && rows.n != 1)
		return err_set(err, ERR_USAGE, "%s: one service at a time", c->cmd->name);
	if (rc == 0)
		*out = ((const struct service *)rows.row[0])->id;
	return rc;
}

/* The same request to every daemon of the data plane that runs; all away is ERR_AWAY. */
static int
ask_data_plane(struct ctl *c, unsigned number, const void *payload, client_row_fn fn, void *arg,
    struct err *err)
{
	unsigned i, answered = 0;
	int rc = 0, last = ERR_AWAY;

	for (i = 0; i < 2 && rc == 0; i++) {
		struct err why;
		struct client *k;
		int one = client_open(&c->paths, data_plane[i], &k, &why);

		if (one != 0) {
			if (i == 0 ||
			    one != ERR_AWAY) { /* the proxy's absence is the one to name */
				last = one;
				if (err != NULL)
					*err = why;
			}
			continue;
		}
		answered++;
		rc = client_call(k, number, payload, fn, arg, CTL_ANSWER, err);
		client_close(k);
	}
	return rc == 0 && answered == 0 ? last : rc;
}

static void
put_name(struct ctl *c, struct table *t, unsigned col, unsigned kind, uint32_t id)
{
	char path[160];

	if (id != 0 && snapshot_find(c->snap, kind, id) != NULL)
		table_text(t, col, snapshot_path(c->snap, kind, id, path));
}

static void
put_span(struct table *t, unsigned col, struct span s)
{
	char text[200];

	span_text(s, text, sizeof(text));
	table_text(t, col, text);
}

static bool
client_wanted(const struct ctl *c, struct span s)
{
	const char *want = c->opt[OPT_client];
	size_t n = want != NULL ? strlen(want) : 0;

	/* an address with or without its port, or a whole cookie */
	return want == NULL ||
	       (s.len >= n && memcmp(s.p, want, n) == 0 && (s.len == n || s.p[n] == ':')) ||
	       (s.len > n + 2 && s.p[0] == '[' && memcmp(s.p + 1, want, n) == 0 &&
		   s.p[n + 1] == ']');
}

/* ---- conns ----------------------------------------------------------------------------------------------------------- */

enum { C_VIP, C_RIP, C_CLIENT, C_STATE, C_AGE, C_IDLE, C_IN, C_OUT, C_REQUESTS, C_VIRTUAL, C_REAL };
static const struct column conn_columns[] = {
	[C_VIP] = { "vip", NULL, COL_TEXT, COL_SHOW },
	[C_RIP] = { "rip", NULL, COL_TEXT, COL_SHOW },
	[C_CLIENT] = { "client", NULL, COL_TEXT, COL_SHOW },
	[C_STATE] = { "state", NULL, COL_TEXT, COL_SHOW },
	[C_AGE] = { "age", NULL, COL_DUR_US, COL_SHOW },
	[C_IDLE] = { "idle", NULL, COL_DUR_US, COL_SHOW },
	[C_IN] = { "bytes_in", "in", COL_BYTES, COL_SHOW },
	[C_OUT] = { "bytes_out", "out", COL_BYTES, COL_SHOW },
	[C_REQUESTS] = { "requests", NULL, COL_NUM, COL_WIDE },
	[C_VIRTUAL] = { "virtual", NULL, COL_TEXT, COL_WIDE },
	[C_REAL] = { "real", NULL, COL_TEXT, COL_WIDE },
};

static int
on_conn(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct ask *a = arg;
	const struct msg_conn *k = &m->conn;
	char state[40];

	if (row->number != MSG_CONN || !client_wanted(a->c, k->client) ||
	    (a->most != 0 && table_rows(a->t) >= a->most))
		return 0;
	span_text(k->state, state, sizeof(state));
	if (GIVEN(a->c, state) && strcasecmp(state, a->c->opt[OPT_state]) != 0)
		return 0;
	table_row(a->t);
	put_name(a->c, a->t, C_VIP, KIND_service, k->service);
	put_name(a->c, a->t, C_RIP, KIND_server, k->server);
	put_span(a->t, C_CLIENT, k->client);
	table_text(a->t, C_STATE, state);
	table_num(a->t, C_AGE, (double)k->age);
	table_num(a->t, C_IDLE, (double)k->idle);
	table_num(a->t, C_IN, (double)k->bytes_in);
	table_num(a->t, C_OUT, (double)k->bytes_out);
	table_num(a->t, C_REQUESTS, (double)k->requests);
	put_span(a->t, C_VIRTUAL, k->virtual);
	put_span(a->t, C_REAL, k->real);
	return 0;
}

int
cmd_conns(struct ctl *c, struct err *err)
{
	struct ask a = { .c = c, .most = GIVEN(c, number) ? (unsigned)c->num[OPT_number] : 0 };
	struct msg_select ask = { 0 };
	int rc = service_id(c, &ask.service, err);

	if (rc != 0)
		return rc;
	a.t = table_new(conn_columns, 11);
	rc = ask_data_plane(c, MSG_CONNS, &ask, on_conn, &a, err);
	if (rc == 0)
		return ctl_table(c, a.t, err);
	table_free(a.t);
	return rc;
}

/* ---- persistence ------------------------------------------------------------------------------------------------------- */

enum { P_VIP, P_KEY, P_RIP, P_LEFT };
static const struct column persist_columns[] = {
	[P_VIP] = { "vip", NULL, COL_TEXT, COL_SHOW },
	[P_KEY] = { "client", NULL, COL_TEXT, COL_SHOW },
	[P_RIP] = { "rip", NULL, COL_TEXT, COL_SHOW },
	[P_LEFT] = { "left", NULL, COL_DUR_US, COL_SHOW },
};

static int
on_persist(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct ask *a = arg;

	if (row->number != MSG_PERSIST || !client_wanted(a->c, m->persist.key) ||
	    (a->most != 0 && table_rows(a->t) >= a->most))
		return 0;
	table_row(a->t);
	put_name(a->c, a->t, P_VIP, KIND_service, m->persist.service);
	put_span(a->t, P_KEY, m->persist.key);
	put_name(a->c, a->t, P_RIP, KIND_server, m->persist.server);
	table_num(a->t, P_LEFT, (double)m->persist.left);
	return 0;
}

int
cmd_persist_list(struct ctl *c, struct err *err)
{
	struct ask a = { .c = c, .most = GIVEN(c, number) ? (unsigned)c->num[OPT_number] : 0 };
	struct msg_select ask = { 0 };
	int rc = service_id(c, &ask.service, err);

	if (rc != 0)
		return rc;
	a.t = table_new(persist_columns, 4);
	rc = ask_data_plane(c, MSG_PERSISTS, &ask, on_persist, &a, err);
	if (rc == 0)
		return ctl_table(c, a.t, err);
	table_free(a.t);
	return rc;
}

int
cmd_persist_clear(struct ctl *c, struct err *err)
{
	struct msg_persist_clear ask = { 0 };
	int rc = service_id(c, &ask.service, err);

	if (GIVEN(c, client))
		ask.key = SPAN(c->opt[OPT_client]);
	if (rc == 0 && !GIVEN(c, client))
		rc = ctl_ask(c, err, "Forget every client of %s",
		    c->argc > 0 ? c->argv[0] : "every service");
	if (rc == 0)
		rc = ask_data_plane(c, MSG_PERSIST_CLEAR, &ask, NULL, NULL, err);
	if (rc == 0)
		ctl_note(c, "forgotten");
	return rc;
}

int
cmd_flush_stats(struct ctl *c, struct err *err)
{
	struct msg_select ask = { 0 };
	int rc = service_id(c, &ask.service, err);

	if (rc == 0)
		rc = ask_data_plane(c, MSG_FLUSH_COUNTERS, &ask, NULL, NULL, err);
	if (rc == 0)
		ctl_note(
		    c, "counters of %s begin at zero", c->argc > 0 ? c->argv[0] : "every service");
	return rc;
}

/* ---- check run ----------------------------------------------------------------------------------------------------------- */

enum { K_AT, K_STEP, K_SENT, K_DATA };
static const struct column step_columns[] = {
	[K_AT] = { "at_us", "at", COL_DUR_US, COL_SHOW },
	[K_STEP] = { "step", NULL, COL_TEXT, COL_SHOW },
	[K_SENT] = { "sent", NULL, COL_BOOL, COL_HIDE },
	[K_DATA] = { "data", NULL, COL_TEXT, COL_HIDE },
};

/* Bytes as text: what cannot be printed as \xNN, line ends as \r\n. */
static void
readable(struct span s, struct buf *out)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		if (s.p[i] == '\r')
			buf_puts(out, "\\r");
		else if (s.p[i] == '\n')
			buf_puts(out, "\\n");
		else if (isprint(s.p[i]))
			buf_put(out, &s.p[i], 1);
		else
			buf_printf(out, "\\x%02x", s.p[i]);
	}
}

static int
on_step(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct ask *a = arg;
	struct buf data = { 0 };

	if (row->number != MSG_CHECK_STEP)
		return 0;
	table_row(a->t);
	table_num(a->t, K_AT, (double)m->check_step.at);
	put_span(a->t, K_STEP, m->check_step.text);
	if (m->check_step.data.len > 0) {
		readable(m->check_step.data, &data);
		table_num(a->t, K_SENT, m->check_step.sent);
		table_text(a->t, K_DATA, buf_text(&data));
	}
	buf_fini(&data);
	return 0;
}

#define PROBE_MAX DUR_S(610) /* the longest timeout of a check, and a little */

int
cmd_check_run(struct ctl *c, struct err *err)
{
	struct msg_server ask = { 0 };
	struct ask a = { .c = c };
	struct picked rows;
	struct client *k;
	struct err why;
	int rc = ctl_load(c, err), verdict;

	if (rc == 0)
		rc = pick_rows(c, object_of(KIND_server), 1, c->argv, &rows, err);
	if (rc == 0 && rows.n != 1)
		return err_set(err, ERR_USAGE, "check run: one server at a time");
	if (rc == 0)
		rc = client_open(&c->paths, "lbd-check", &k, err);
	if (rc != 0)
		return rc;
	ask.server = ((const struct server *)rows.row[0])->id;
	a.t = table_new(step_columns, 4);
	verdict = client_call(k, MSG_CHECK_RUN, &ask, on_step, &a,
	    GIVEN(c, timeout) ? DUR_MS(c->num[OPT_timeout]) : PROBE_MAX, &why);
	client_close(k);
	if (GIVEN(c, verbose) && c->style.columns == NULL)
		c->style.columns = "at_us,sent,step,data";
	rc = ctl_table(c, a.t, err);
	if (rc != 0 || verdict == 0)
		return rc;
	*err = why;
	return verdict;
}
