/* What happens: top, events, the journal, counters. */
#include "operate/glob.h"
#include "views.h"
#include "watch.h"

#include "msg/client.h"
#include "msg/phases.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* ---- top ------------------------------------------------------------------------------------------------------------ */

#define TOP_HEAD 3 /* lines above the table, and its headings */

static int
render_top(struct ctl *c, void *arg, struct buf *out, struct err *err)
{
	const struct object *o = arg;
	struct winsize ws = { 0 };
	struct buf all = { 0 };
	struct view_totals tot;
	struct picked rows;
	struct table *t;
	char conns[24], rate[24], at[24];
	size_t i, lines = 0;
	int rc = pick_rows(c, o, 0, NULL, &rows, err);

	if (rc != 0)
		return rc;
	t = views_table(c, o, &rows);
	rc = table_print(t, &c->style, &all, err);
	table_free(t);
	if (rc == 0 && c->style.form == FORM_TABLE) {
		view_totals(c->view, &tot);
		human_count((double)tot.conns, conns);
		human_count(tot.rate.conns, rate);
		human_time(time(NULL), at);
		buf_printf(out, "%s  %s connections, %s new a second\n\n", at, conns, rate);
	}
	if (c->tty_out && !GIVEN(c, batch) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 &&
	    ws.ws_row > TOP_HEAD) {
		for (i = 0; i < all.len && lines + TOP_HEAD < ws.ws_row; i++)
			lines += all.p[i] == '\n';
		all.len = i;
	}
	if (rc == 0)
		buf_put(out, all.p, all.len);
	buf_fini(&all);
	return rc;
}

int
cmd_top(struct ctl *c, struct err *err)
{
	const struct object *o =
	    object_of(c->argc > 0 && strcmp(c->argv[0], "rip") == 0 ? KIND_server : KIND_service);
	struct watch w = {
		.render = render_top, .arg = (void *)(uintptr_t)o, .on = true, .rates = true
	};

	w.what = views_needs(o);
	w.batch = GIVEN(c, batch) || !c->tty_out;
	w.interval = GIVEN(c, interval) ? DUR_MS(c->num[OPT_interval]) : DUR_S(1);
	w.most = GIVEN(c, number) ? (unsigned)c->num[OPT_number] : 0;
	if (c->style.sort == NULL)
		c->style.sort = "-conn_s";
	return watch_run(c, &w, err);
}

/* ---- events ----------------------------------------------------------------------------------------------------------- */

enum { E_SEQ, E_TIME, E_TYPE, E_NAME, E_FROM, E_TO, E_REASON };
static const struct column event_columns[] = {
	[E_SEQ] = { "seq", NULL, COL_ID, COL_WIDE },
	[E_TIME] = { "time", NULL, COL_TIME, COL_SHOW },
	[E_TYPE] = { "type", NULL, COL_TEXT, COL_SHOW },
	[E_NAME] = { "name", NULL, COL_TEXT, COL_SHOW },
	[E_FROM] = { "from", NULL, COL_TEXT, COL_SHOW },
	[E_TO] = { "to", NULL, COL_TEXT, COL_SHOW },
	[E_REASON] = { "reason", NULL, COL_TEXT, COL_SHOW },
};

struct event_want {
	struct ctl *c;
	struct table *t;
	char name[160]; /* "web" with what is in it, or "web/rip1"; "" all */
	bool flow;	/* print each at once */
	unsigned seen;
	struct err *err;
};

/* -l vip=web or rip=web/rip1 */
static int
event_selector(struct ctl *c, char name[160], struct err *err)
{
	const char *sel = c->opt[OPT_selector];

	name[0] = '\0';
	if (sel == NULL)
		return 0;
	if (strncmp(sel, "vip=", 4) != 0 && strncmp(sel, "rip=", 4) != 0)
		return err_set(err, ERR_USAGE, "-l: \"%s\" is not vip=NAME or rip=VIP/RIP", sel);
	(void)snprintf(name, 160, "%s", sel + 4);
	return 0;
}

static int
flush_events(struct event_want *w)
{
	struct table_style s = w->c->style;
	struct buf out = { 0 };
	int rc;

	s.now = 0;
	s.width = 0; /* lines that come one by one cannot share a width */
	s.no_headers = s.no_headers || w->seen > 0;
	rc = table_print(w->t, &s, &out, w->err);
	if (s.form == FORM_JSON && out.len > 4) { /* "[\n{...}\n]\n" to a line */
		(void)fwrite(out.p + 2, 1, out.len - 4, stdout);
	} else {
		ctl_print(&out);
	}
	(void)fflush(stdout);
	w->seen++;
	buf_fini(&out);
	table_free(w->t);
	w->t = table_new(event_columns, 7);
	return rc;
}

static void
event_text(struct table *t, unsigned col, struct span s)
{
	char text[600];

	span_text(s, text, sizeof(text));
	table_text(t, col, text);
}

static int
on_event(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct event_want *w = arg;
	size_t n = strlen(w->name);
	char name[160];

	if (row->number != MSG_EVENT)
		return 0;
	span_text(m->event.name, name, sizeof(name));
	if (n > 0 && (strncmp(name, w->name, n) != 0 || (name[n] != '\0' && name[n] != '/')))
		return 0;
	table_row(w->t);
	table_num(w->t, E_SEQ, (double)m->event.seq);
	table_num(w->t, E_TIME, (double)(m->event.at / 1000));
	event_text(w->t, E_TYPE, m->event.type);
	table_text(w->t, E_NAME, name);
	event_text(w->t, E_FROM, m->event.from);
	event_text(w->t, E_TO, m->event.to);
	event_text(w->t, E_REASON, m->event.reason);
	return w->flow ? flush_events(w) : 0;
}

int
cmd_events(struct ctl *c, struct err *err)
{
	struct msg_events ask = { .follow = GIVEN(c, follow) };
	struct event_want w = { .c = c, .flow = GIVEN(c, follow), .err = err };
	struct client *k;
	int rc = event_selector(c, w.name, err);

	if (GIVEN(c, since))
		ask.since = time(NULL) - c->num[OPT_since] / 1000;
	if (rc == 0)
		rc = client_open(&c->paths, "lbd-web", &k, err);
	if (rc != 0)
		return rc;
	w.t = table_new(event_columns, 7);
	rc = client_call(k, MSG_EVENTS, &ask, on_event, &w, CTL_ANSWER, err);
	if (rc == 0 && w.flow) {
		rc = client_follow(k, on_event, &w,
		    GIVEN(c, timeout) ? DUR_MS(c->num[OPT_timeout]) : DUR_S(365 * 86400LL), err);
		rc = rc == -ETIMEDOUT ? 0 : rc;
	}
	client_close(k);
	c->style.now = 0;
	if (rc == 0 && !w.flow)
		return ctl_table(c, w.t, err);
	table_free(w.t);
	return rc;
}

/* ---- log ---------------------------------------------------------------------------------------------------------------- */

#define LOG_WORDS 40

int
cmd_log(struct ctl *c, struct err *err)
{
	static const char *const tools[] = { "/usr/bin/journalctl", "/bin/journalctl" };
	static const char *const levels[] = { "err", "warning", "info", "debug" };
	char unit[5 + 24 + 8 + 1], lines[24], since[40], priority[16];
	const char *argv[LOG_WORDS] = { "journalctl", "--no-pager" };
	unsigned n = 2, i;

	for (i = 0; client_daemons[i] != NULL; i++) {
		const char *d = client_daemons[i];

		if (c->argc > 0 && strcmp(c->argv[0], d) != 0 && strcmp(c->argv[0], d + 4) != 0)
			continue;
		(void)snprintf(unit, sizeof(unit), "_COMM=%.24s", d);
		argv[n++] = arena_text(c->arena, unit, strlen(unit));
	}
	if (n == 2)
		return err_set(err, ERR_UNKNOWN, "daemon \"%s\" does not exist", c->argv[0]);
	if (GIVEN(c, follow))
		argv[n++] = "-f";
	if (GIVEN(c, number)) {
		(void)snprintf(lines, sizeof(lines), "--lines=%" PRId64, c->num[OPT_number]);
		argv[n++] = lines;
	}
	if (GIVEN(c, since)) {
		(void)snprintf(
		    since, sizeof(since), "--since=-%" PRId64 "s", c->num[OPT_since] / 1000);
		argv[n++] = since;
	}
	if (GIVEN(c, priority)) {
		for (i = 0; i < 4; i++)
			if (strcmp(levels[i], c->opt[OPT_priority]) == 0)
				break;
		if (i == 4)
			return err_set(err, ERR_USAGE,
			    "-p: \"%s\" is not one of err, warning, info, debug",
			    c->opt[OPT_priority]);
		(void)snprintf(priority, sizeof(priority), "--priority=%s", levels[i]);
		argv[n++] = priority;
	}
	if (c->style.form == FORM_JSON)
		argv[n++] = "--output=json";
	argv[n] = NULL;
	(void)fflush(stdout);
	for (i = 0; i < 2; i++)
		(void)execv(tools[i], (char *const *)(uintptr_t)argv);
	return err_set(err, -errno,
	    "journalctl: %s; without systemd the daemons write to the terminal of lbctl run",
	    strerror(errno));
}

/* ---- stats --------------------------------------------------------------------------------------------------------------- */

#define STATS_ROOM 64

struct stats {
	struct ctl *c;
	struct table *t;
	struct column col[STATS_ROOM];
};

static const char *const time_names[2 * PHASES_N] = { "queue_p50", "queue_p99", "connect_p50",
	"connect_p99", "answer_p50", "answer_p99", "total_p50", "total_p99" };

/* name, time, every counter of services, then how long requests took. */
static void
stats_columns(struct stats *s)
{
	unsigned i;

	s->col[0] = (struct column){ "name", NULL, COL_TEXT, COL_SHOW };
	s->col[1] = (struct column){ "time", NULL, COL_TIME, COL_SHOW };
	for (i = 0; i < service_counters_n && i + 2 < STATS_ROOM; i++) {
		const struct counter *k = &service_counters[i];
		bool bytes = strncmp(k->name, "bytes", 5) == 0, shown = i < 7;

		s->col[i + 2] =
		    (struct column){ k->name, NULL, (uint8_t)(bytes ? COL_BYTES : COL_NUM),
			    (uint8_t)(shown ? COL_SHOW : COL_WIDE) };
	}
	for (unsigned k = 0; k < 2 * PHASES_N; k++)
		s->col[service_counters_n + 2 + k] =
		    (struct column){ time_names[k], NULL, COL_DUR_US,
			    (uint8_t)(k >= 2 * PHASES_ANSWER && k % 2 == 1 ? COL_SHOW : COL_WIDE) };
	s->t = table_new(s->col, service_counters_n + 2 + 2 * PHASES_N);
}

/* Half of the requests, and 99 of 100, were at least as fast. */
static void
stats_times(struct stats *s, const struct phases *p)
{
	for (unsigned i = 0; p != NULL && i < PHASES_N; i++) {
		if (phase_total(&p->of[i]) == 0)
			continue;
		table_num(
		    s->t, service_counters_n + 2 + 2 * i, (double)phase_quantile(&p->of[i], 0.5));
		table_num(
		    s->t, service_counters_n + 3 + 2 * i, (double)phase_quantile(&p->of[i], 0.99));
	}
}

static void
stats_row(struct stats *s, const char *name, int64_t at, const struct service_counters *v)
{
	unsigned i;

	table_row(s->t);
	table_text(s->t, 0, name);
	if (at != 0)
		table_num(s->t, 1, (double)at);
	for (i = 0; i < service_counters_n; i++) {
		uint64_t n;

		memcpy(&n, (const char *)v + service_counters[i].offset, sizeof(n));
		table_num(s->t, i + 2, (double)n);
	}
}

static int
on_sample(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct service_counters v = { 0 };
	struct stats *s = arg;
	const struct service *svc;
	int64_t from = time(NULL) - s->c->num[OPT_window] / 1000;

	if (row->number != MSG_SAMPLE || m->sample.at < from)
		return 0;
	svc = snapshot_find(s->c->snap, KIND_service, m->sample.service);
	if (svc == NULL || counters_take(service_counters, service_counters_n, m->sample.values.p,
			       m->sample.values.len, &v) != 0)
		return 0;
	stats_row(s, svc->name, m->sample.at, &v);
	return 0;
}

static int
stats_history(struct stats *s, uint32_t service, struct err *err)
{
	struct ctl *c = s->c;
	struct msg_select ask = { .service = service,
		.most = GIVEN(c, number) ? (uint32_t)c->num[OPT_number] : 0 };
	struct client *k;
	int rc = client_open(&c->paths, "lbd-web", &k, err);

	if (rc != 0)
		return rc;
	rc = client_call(k, MSG_HISTORY, &ask, on_sample, s, CTL_ANSWER, err);
	client_close(k);
	return rc;
}

int
cmd_stats(struct ctl *c, struct err *err)
{
	struct stats s = { .c = c };
	struct picked rows;
	uint32_t i;
	int rc = ctl_look(c, GIVEN(c, window) ? 0 : VIEW_COUNTS, err);

	if (rc == 0)
		rc = pick_rows(c, object_of(KIND_service), c->argc, c->argv, &rows, err);
	if (rc != 0)
		return rc;
	stats_columns(&s);
	if (GIVEN(c, window)) {
		rc = stats_history(&s,
		    c->argc > 0 && rows.n == 1 ? ((const struct service *)rows.row[0])->id : 0,
		    err);
		c->style.now = 0;
	}
	for (i = 0; rc == 0 && !GIVEN(c, window) && i < rows.n; i++) {
		const struct service *svc = rows.row[i];
		const struct view_service *now = view_service(c->view, svc->id);

		if (now != NULL && now->counted) {
			stats_row(&s, svc->name, now->since, &now->counts);
			stats_times(&s, now->phases);
		}
	}
	if (rc == 0 && !GIVEN(c, window) && rows.n > 0 && table_rows(s.t) == 0)
		rc = err_set(err, ERR_AWAY, "nobody counts: lbd-proxy does not run");
	if (rc == 0)
		return ctl_table(c, s.t, err);
	table_free(s.t);
	return rc;
}
