/* Questions and requests to the data plane and to lbd-check about one thing: connections, persistence entries, counters at
 * zero, a probe now. Each asks the daemon that knows; when it does not run the exit code is 6.
 *
 * Filters go along with the question. The kernel's side (lbd-ipvs) does them all; what the proxy leaves over is done
 * here. Connections of layer 4 that stay half open say what is wrong with a server, so "conns" says it too. */
#include "ctl.h"

#include "base/mem.h"
#include "base/must.h"
#include "msg/client.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PROXY, KERNEL };
static const char *const data_plane[] = { [PROXY] = "lbd-proxy", [KERNEL] = "lbd-ipvs" };
#define LONG_ANSWER DUR_S(120) /* the kernel's list may be long, and all of it filtered out */

struct half { /* connections of a server */
	uint32_t server, half, all;
};
struct ask {
	struct ctl *c;
	struct table *t;
	unsigned most, daemon; /* daemon: who answers */
	unsigned layer;	       /* of what was named; 0: both */
	uint32_t cleared;      /* entries that were forgotten */
	uint32_t half_n;
	struct half *half; /* in order of server */
};

/* The service or the server that an optional first argument names; 0 is all. */
static int
chosen(struct ctl *c, struct ask *a, uint32_t *service, uint32_t *server, struct err *err)
{
	const struct service *s;
	bool one = c->argc > 0 && server != NULL && strchr(c->argv[0], '/') != NULL;
	struct picked rows;
	int rc = ctl_load(c, err);

	a->c = c;
	*service = 0;
	if (rc != 0 || c->argc == 0)
		return rc;
	rc = pick_rows(c, object_of(one ? KIND_server : KIND_service), 1, c->argv, &rows, err);
	if (rc == 0 && rows.n != 1)
		return err_set(err, ERR_USAGE, "%s: one %s at a time", c->cmd->name,
		    one ? "server" : "service");
	if (rc != 0)
		return rc;
	if (one)
		*server = ((const struct server *)rows.row[0])->id;
	s = one ? snapshot_find(c->snap, KIND_service, ((const struct server *)rows.row[0])->vip)
		: rows.row[0];
	if (!one)
		*service = s->id;
	a->layer = service_layer(s);
	return 0;
}

/* --client, --state, -n and the argument, as the daemons take them. */
static int
selected(struct ctl *c, struct ask *a, struct msg_select *ask, struct err *err)
{
	a->most = GIVEN(c, number) ? (unsigned)c->num[OPT_number] : 0;
	ask->most = a->most;
	if (GIVEN(c, client))
		ask->client = SPAN(c->opt[OPT_client]);
	if (GIVEN(c, state))
		ask->state = SPAN(c->opt[OPT_state]);
	return chosen(c, a, &ask->service, &ask->server, err);
}

/* The same request to every daemon of the data plane that runs, or to the one that carries what was named; all away is
 * ERR_AWAY. */
static int
ask_data_plane(struct ctl *c, unsigned number, const void *payload, client_row_fn fn, struct ask *a,
    struct err *err)
{
	unsigned i, answered = 0;
	int rc = 0, last = ERR_AWAY;

	for (i = 0; i < 2 && rc == 0; i++) {
		struct err why;
		struct client *k;
		int one;

		if (a->layer != 0 && a->layer != (i == KERNEL ? 4 : 7))
			continue;
		one = client_open(&c->paths, data_plane[i], &k, &why);
		if (one != 0) {
			if (i == 0 || a->layer != 0 ||
			    one != ERR_AWAY) { /* the proxy's absence is the one to name */
				last = one;
				if (err != NULL)
					*err = why;
			}
			continue;
		}
		answered++;
		a->daemon = i;
		rc = client_call(k, number, payload, fn, a,
		    GIVEN(c, timeout) ? DUR_MS(c->num[OPT_timeout])
				      : (i == KERNEL ? LONG_ANSWER : CTL_ANSWER),
		    err);
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

/* The address of "10.0.0.1:80", "[fd00::1]:80", "10.0.0.1" or "10.0.0.0/8". */
static bool
address_of(struct span s, struct addr *out)
{
	char text[ADDR_TEXT + 8], *p = text, *end;

	if (s.len >= sizeof(text))
		return false;
	span_text(s, text, sizeof(text));
	if (*p == '[') {
		p++;
		p[strcspn(p, "]")] = '\0';
	} else if ((end = strchr(p, ':')) != NULL && strchr(end + 1, ':') == NULL) {
		*end = '\0';
	}
	return addr_parse(p, ADDR_NET, out) == 0 && out->family != 0;
}

static bool
client_wanted(const struct ask *a, struct span s)
{
	const char *want = a->c->opt[OPT_client];
	struct addr net, is;
	size_t n;

	if (want == NULL || a->daemon == KERNEL)
		return true;
	if (addr_parse(want, ADDR_NET, &net) == 0 && address_of(s, &is))
		return addr_contains(&net, &is);
	/* with its port, or a whole cookie */
	n = strlen(want);
	return s.len == n && memcmp(s.p, want, n) == 0;
}

/* ---- conns ----------------------------------------------------------------------------------------------------------- */

enum {
	C_ID,
	C_VIP,
	C_RIP,
	C_PROTOCOL,
	C_CLIENT,
	C_STATE,
	C_LEFT,
	C_AGE,
	C_IDLE,
	C_IN,
	C_OUT,
	C_REQUESTS,
	C_VIRTUAL,
	C_REAL,
	C_SOURCE
};
static const struct column conn_columns[] = {
	[C_ID] = { "id", NULL, COL_TEXT, COL_SHOW },
	[C_VIP] = { "vip", NULL, COL_TEXT, COL_SHOW },
	[C_RIP] = { "rip", NULL, COL_TEXT, COL_SHOW },
	[C_PROTOCOL] = { "protocol", "proto", COL_TEXT, COL_SHOW },
	[C_CLIENT] = { "client", NULL, COL_TEXT, COL_SHOW },
	[C_STATE] = { "state", NULL, COL_TEXT, COL_SHOW },
	[C_LEFT] = { "left", NULL, COL_DUR_US, COL_SHOW },
	[C_AGE] = { "age", NULL, COL_DUR_US, COL_SHOW },
	[C_IDLE] = { "idle", NULL, COL_DUR_US, COL_SHOW },
	[C_IN] = { "bytes_in", "in", COL_BYTES, COL_SHOW },
	[C_OUT] = { "bytes_out", "out", COL_BYTES, COL_SHOW },
	[C_REQUESTS] = { "requests", NULL, COL_NUM, COL_WIDE },
	[C_VIRTUAL] = { "virtual", NULL, COL_TEXT, COL_WIDE },
	[C_REAL] = { "real", NULL, COL_TEXT, COL_WIDE },
	[C_SOURCE] = { "source", NULL, COL_TEXT, COL_WIDE },
};

/* What only one of the two knows stays absent with the other. */
static void
put_kernel_or_proxy(struct ask *a, const struct msg_conn *k)
{
	struct table *t = a->t;

	if (a->daemon == KERNEL) {
		put_span(t, C_PROTOCOL, k->protocol);
		table_num(t, C_LEFT, (double)k->left);
		return;
	}
	if (k->protocol.len > 0)
		put_span(t, C_PROTOCOL, k->protocol);
	if (k->id.len > 0)
		put_span(t, C_ID, k->id);
	table_num(t, C_AGE, (double)k->age);
	table_num(t, C_IDLE, (double)k->idle);
	table_num(t, C_IN, (double)k->bytes_in);
	table_num(t, C_OUT, (double)k->bytes_out);
	table_num(t, C_REQUESTS, (double)k->requests);
}

#define SYN_RECV_S 60 /* the kernel forgets a half-open connection so long after its last packet */
#define HALF_OPEN_S 4 /* a handshake that takes longer is in trouble */

static void
count_half(struct ask *a, const struct msg_conn *k, const char *state)
{
	uint32_t i;

	if (a->daemon != KERNEL || k->server == 0 || k->protocol.len != 3 ||
	    memcmp(k->protocol.p, "TCP", 3) != 0)
		return;
	for (i = a->half_n; i > 0 && a->half[i - 1].server > k->server; i--)
		;
	if (i == 0 || a->half[i - 1].server != k->server) {
		a->half = mem_grow(a->half, (a->half_n + 1) * sizeof(*a->half));
		memmove(a->half + i + 1, a->half + i, (a->half_n - i) * sizeof(*a->half));
		a->half[i] = (struct half){ .server = k->server };
		a->half_n++;
		i++;
	}
	a->half[i - 1].all++;
	a->half[i - 1].half +=
	    strcmp(state, "SYN_RECV") == 0 && k->left <= (uint64_t)DUR_S(SYN_RECV_S - HALF_OPEN_S);
}

/* S203, S204: what it means depends on the way to the server. */
static void
warn_half(struct ctl *c, const struct half *h)
{
	const struct server *srv = snapshot_find(c->snap, KIND_server, h->server);
	const struct service *s =
	    srv != NULL ? snapshot_find(c->snap, KIND_service, srv->vip) : NULL;
	bool nat = s != NULL && (srv->forward == forward_nat ||
				    (srv->forward == forward_service && s->mode == mode_nat));
	bool snat = s != NULL && srv->forward == forward_service && s->mode == mode_snat;
	char path[160];

	if (s == NULL || h->half * 2 < h->all || h->half == 0)
		return;
	(void)snapshot_path(c->snap, KIND_server, h->server, path);
	ctl_note(c,
	    "%s: %u of %u connections stay in SYN_RECV. Likely: %s%s%s. See: lbctl diagnose %s",
	    path, h->half, h->all,
	    finding_text[nat	? FINDING_gateway
			 : snat ? FINDING_unreachable
				: FINDING_arp_answers],
	    nat || snat ? "" : "; or ", nat || snat ? "" : finding_text[FINDING_no_vip], s->name);
}

static int
on_conn(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct ask *a = arg;
	const struct msg_conn *k = &m->conn;
	char state[40];

	if (row->number != MSG_CONN || !client_wanted(a, k->client) ||
	    (a->most != 0 && table_rows(a->t) >= a->most))
		return 0;
	span_text(k->state, state, sizeof(state));
	if (GIVEN(a->c, state) && strcasecmp(state, a->c->opt[OPT_state]) != 0)
		return 0;
	count_half(a, k, state);
	table_row(a->t);
	put_name(a->c, a->t, C_VIP, KIND_service, k->service);
	put_name(a->c, a->t, C_RIP, KIND_server, k->server);
	put_span(a->t, C_CLIENT, k->client);
	table_text(a->t, C_STATE, state);
	put_span(a->t, C_VIRTUAL, k->virtual);
	put_span(a->t, C_REAL, k->real);
	if (k->source.len > 0)
		put_span(a->t, C_SOURCE, k->source);
	put_kernel_or_proxy(a, k);
	return 0;
}

int
cmd_conns(struct ctl *c, struct err *err)
{
	struct msg_select ask = { 0 };
	struct ask a = { 0 };
	uint32_t i;
	int rc = selected(c, &a, &ask, err);

	if (rc != 0)
		return rc;
	a.t = table_new(conn_columns, ARRAY_LEN(conn_columns));
	rc = ask_data_plane(c, MSG_CONNS, &ask, on_conn, &a, err);
	for (i = 0; rc == 0 && i < a.half_n; i++)
		warn_half(c, &a.half[i]);
	free(a.half);
	if (rc == 0)
		return ctl_table(c, a.t, err);
	table_free(a.t);
	return rc;
}

static int
on_killed(void *arg, const struct msg_row *row, const union msg_any *m)
{
	uint32_t *n = arg;

	if (row->number == MSG_CONNS_KILLED)
		*n += m->conns_killed.conns;
	return 0;
}

/* "2:1234", or "2:1234@5678" of a process before this one: no name of a service has a colon. */
static bool
is_id(const char *word)
{
	static const char digits[] = "0123456789";
	size_t n = strspn(word, digits), m;

	if (n == 0 || word[n] != ':')
		return false;
	word += n + 1;
	n = strspn(word, digits);
	m = word[n] == '@' ? 1 + strspn(word + n + 1, digits) : 0;
	return n > 0 && m != 1 && word[n + m] == '\0';
}

int
cmd_conns_kill(struct ctl *c, struct err *err)
{
	bool one = c->argc > 0 && is_id(c->argv[0]);
	struct msg_conns_kill ask = { 0 };
	struct ask a = { 0 };
	struct client *k;
	uint32_t n = 0;
	int rc = one ? 0 : chosen(c, &a, &ask.service, &ask.server, err);

	if (rc == 0 && a.layer == 4)
		rc = err_set(err, ERR_USAGE,
		    "%s is of layer 4, whose connections are the kernel's: they cannot be reset; lbctl halt takes a "
		    "server out",
		    c->argv[0]);
	if (one)
		ask.id = SPAN(c->argv[0]);
	if (GIVEN(c, client))
		ask.client = SPAN(c->opt[OPT_client]);
	if (rc == 0 && !one && !GIVEN(c, client))
		rc = ctl_ask(c, err, "Reset every connection of %s",
		    c->argc > 0 ? c->argv[0] : "every service");
	if (rc == 0)
		rc = client_open(&c->paths, data_plane[PROXY], &k, err);
	if (rc != 0)
		return rc;
	rc = client_call(k, MSG_CONNS_KILL, &ask, on_killed, &n, CTL_ANSWER, err);
	client_close(k);
	if (rc == 0 && n == 0 && one)
		return err_set(err, ERR_UNKNOWN, "connection %s does not exist", c->argv[0]);
	if (rc == 0)
		ctl_note(c, "%" PRIu32 " connection%s reset", n, n == 1 ? "" : "s");
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

	if (row->number != MSG_PERSIST || !client_wanted(a, m->persist.key) ||
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
	struct msg_select ask = { 0 };
	struct ask a = { 0 };
	int rc = selected(c, &a, &ask, err);

	if (rc != 0)
		return rc;
	a.t = table_new(persist_columns, 4);
	rc = ask_data_plane(c, MSG_PERSISTS, &ask, on_persist, &a, err);
	if (rc == 0)
		return ctl_table(c, a.t, err);
	table_free(a.t);
	return rc;
}

static int
on_cleared(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct ask *a = arg;

	if (row->number == MSG_PERSIST_CLEARED)
		a->cleared += m->persist_cleared.entries;
	return 0;
}

int
cmd_persist_clear(struct ctl *c, struct err *err)
{
	struct msg_persist_clear ask = { 0 };
	struct ask a = { 0 };
	int rc = chosen(c, &a, &ask.service, &ask.server, err);

	if (GIVEN(c, client))
		ask.key = SPAN(c->opt[OPT_client]);
	if (rc == 0 && !GIVEN(c, client))
		rc = ctl_ask(c, err, "Forget every client of %s",
		    c->argc > 0 ? c->argv[0] : "every service");
	if (rc == 0)
		rc = ask_data_plane(c, MSG_PERSIST_CLEAR, &ask, on_cleared, &a, err);
	if (rc == 0 && a.cleared == 0 && GIVEN(c, client))
		return err_set(err, ERR_UNKNOWN, "client %s is kept at no server%s%s",
		    c->opt[OPT_client], c->argc > 0 ? " of " : "", c->argc > 0 ? c->argv[0] : "");
	if (rc == 0)
		ctl_note(c, "%" PRIu32 " client%s forgotten", a.cleared, a.cleared == 1 ? "" : "s");
	return rc;
}

int
cmd_flush_stats(struct ctl *c, struct err *err)
{
	struct msg_select ask = { 0 };
	struct ask a = { 0 };
	int rc = chosen(c, &a, &ask.service, NULL, err);

	if (rc == 0)
		rc = ask_data_plane(c, MSG_FLUSH_COUNTERS, &ask, NULL, &a, err);
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
