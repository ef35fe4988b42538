/* How the whole stands, over REST: status, daemons, revisions and what may be done with them, history of counters. */
#include "api.h"
#include "live/follow.h"
#include "live/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
put_role(struct buf *b, const struct view_role *r)
{
	buf_puts(b, "\"role\":");
	if (r == NULL || !r->heard) {
		buf_puts(b, "null");
		return;
	}
	buf_printf(b,
	    "{\"active\":%s,\"master\":%s,\"peer\":%s,\"since\":", r->active ? "true" : "false",
	    r->master ? "true" : "false", r->peer ? "true" : "false");
	view_json_time(b, r->since);
	buf_puts(b, "}");
}

static void
put_trial(struct buf *b, const struct trial *t)
{
	buf_puts(b, "\"trial\":");
	if (!t->pending) {
		buf_puts(b, "null");
		return;
	}
	buf_printf(b,
	    "{\"revision\":%u,\"base\":%u,\"left_ms\":%lld,\"who\":", t->revision[SCOPE_SHARED],
	    t->base[SCOPE_SHARED], (long long)t->left_ms);
	view_json_text(b, t->who);
	buf_printf(b, ",\"both\":%s}", t->both ? "true" : "false");
}

static void
put_floating(struct buf *b, const struct view_floating *f)
{
	buf_puts(b, "\"floating\":[");
	for (bool first = true; f != NULL; f = f->next, first = false) {
		buf_puts(b, first ? "{\"address\":" : ",{\"address\":");
		view_json_text(b, f->address);
		buf_puts(b, ",\"interface\":");
		view_json_text(b, f->interface);
		buf_printf(b, ",\"held\":%s,\"manual\":%s,\"services\":%u,\"fault\":",
		    f->held ? "true" : "false", f->manual ? "true" : "false", f->services);
		view_json_text(b, f->fault != NULL ? f->fault : "");
		buf_printf(b, ",\"route\":\"%s\",\"route_cause\":", f->route);
		view_json_text(b, f->cause != NULL ? f->cause : "");
		buf_puts(b, "}");
	}
	buf_puts(b, "]");
}

void
api_status_get(struct call *c)
{
	const struct snapshot *s = daemon_snapshot(c->w->d);
	const struct view_totals *t = web_totals(c->w);
	struct buf b = { 0 };

	follow_looked(c->w->follow);
	buf_puts(&b, "{\"node\":");
	view_json_text(&b, c->w->hostname);
	buf_printf(&b,
	    ",\"release\":\"%s\",\"revision\":{\"shared\":%u,\"local\":%u,\"orders\":%u},",
	    LBD_VERSION, snapshot_revision(s, SCOPE_SHARED), snapshot_revision(s, SCOPE_LOCAL),
	    snapshot_revision(s, SCOPE_OPER));
	buf_printf(&b,
	    "\"vips\":{\"healthy\":%u,\"degraded\":%u,\"down\":%u,\"offline\":%u,\"unknown\":%u},"
	    "\"rips\":{\"up\":%u,\"warning\":%u,\"down\":%u,\"drain\":%u,\"halt\":%u,\"unknown\":%u},\"connections\":%llu,",
	    t->services[ST_OK], t->services[ST_WARN], t->services[ST_DOWN], t->services[ST_OFF],
	    t->services[ST_UNK], t->servers[SRV_UP], t->servers[SRV_WARN], t->servers[SRV_DOWN],
	    t->servers[SRV_DRAIN], t->servers[SRV_HALT], t->servers[SRV_UNKNOWN],
	    (unsigned long long)t->conns);
	put_role(&b, view_role(web_view(c)));
	buf_puts(&b, ",");
	put_trial(&b, web_trial(c->w));
	buf_puts(&b, ",");
	put_floating(&b, view_floating(web_view(c)));
	buf_puts(&b, "}\n");
	reply_json(c, 200, &b);
}

void
api_daemons_get(struct call *c)
{
	unsigned n;
	const struct view_daemon *d = view_daemons(web_view(c), &n);
	struct buf b = { 0 };

	buf_puts(&b, "{\"items\":[");
	for (unsigned i = 0; i < n; i++) {
		buf_printf(&b,
		    "%s{\"name\":\"%s\",\"running\":%s,\"release\":", i > 0 ? ",\n" : "\n",
		    d[i].name, d[i].running ? "true" : "false");
		view_json_text(&b, d[i].release);
		buf_printf(&b,
		    ",\"pid\":%u,\"revision\":{\"shared\":%u,\"local\":%u,\"orders\":%u},\"started\":",
		    d[i].pid, d[i].revision, d[i].local, d[i].oper);
		view_json_time(&b, d[i].started);
		buf_printf(&b,
		    ",\"rss_bytes\":%llu,\"log_lines\":%llu,\"log_dropped\":%llu,\"cpu_us\":%llu,\"fault\":",
		    (unsigned long long)d[i].rss, (unsigned long long)d[i].log_lines,
		    (unsigned long long)d[i].log_dropped, (unsigned long long)d[i].cpu);
		view_json_text(&b, d[i].fault);
		buf_puts(&b, ",\"head\":");
		view_json_text(&b, d[i].head);
		buf_puts(&b, "}");
	}
	buf_puts(&b, "]}\n");
	reply_json(c, 200, &b);
}

/* ---- revisions ---- */

struct history_list {
	struct buf *b;
	unsigned n;
};

static const char *const scope_words[] = { "shared", "local", "orders" };

static int
put_revision(void *arg, const struct revision *r)
{
	struct history_list *l = arg;

	buf_printf(l->b, "%s{\"scope\":\"%s\",\"revision\":%u,\"at\":", l->n++ > 0 ? ",\n" : "\n",
	    scope_words[r->scope < SCOPES ? r->scope : 0], r->n);
	view_json_time(l->b, r->at);
	buf_puts(l->b, ",\"who\":");
	view_json_text(l->b, r->who != NULL ? r->who : "");
	buf_puts(l->b, ",\"from\":");
	view_json_text(l->b, r->origin != NULL ? r->origin : "");
	buf_puts(l->b, ",\"message\":");
	view_json_text(l->b, r->why != NULL ? r->why : "");
	buf_printf(l->b, ",\"changes\":%u}", r->changes);
	return 0;
}

void
api_revisions(struct call *c)
{
	const char *limit = call_query(c, "limit"), *scope = call_query(c, "scope");
	enum scope which = SCOPE_SHARED;
	uint64_t n = 100;
	struct buf b = { 0 };
	struct history_list l = { &b, 0 };

	if (limit != NULL && !api_number(c, "limit", limit, 1, API_LIMIT_MAX, &n))
		return;
	for (int i = 0; scope != NULL && i < SCOPES; i++)
		if (strcmp(scope, scope_words[i]) == 0)
			which = (enum scope)i;
	if (scope != NULL && strcmp(scope, scope_words[which]) != 0) {
		if (strcmp(scope, "all") != 0) {
			reply_fail(
			    c, 400, "scope: %s: allowed is shared, local, orders or all", scope);
			return;
		}
		which = SCOPE_OBSERVED;
	}
	buf_puts(&b, "{\"items\":[");
	(void)store_history(daemon_store(c->w->d), which, (unsigned)n, put_revision, &l);
	buf_puts(&b, "]}\n");
	reply_json(c, 200, &b);
}

/* The revision that the path names; NULL: answered. */
static struct snapshot *
at(struct call *c, const char *text, uint32_t *n)
{
	struct snapshot *s;
	struct err err = { 0 };
	uint64_t v;

	if (!api_number(c, "revision", text, 0, UINT32_MAX, &v))
		return NULL;
	*n = (uint32_t)v;
	if (store_at(daemon_store(c->w->d), SCOPE_SHARED, *n, &s, &err) == 0)
		return s;
	reply_fail(c, 404, "%s", err.text);
	return NULL;
}

void
api_revision(struct call *c)
{
	uint32_t n;
	struct snapshot *s = at(c, call_param(c, "n"), &n);
	struct buf b = { 0 };
	struct err err = { 0 };

	if (s == NULL)
		return;
	if (snapshot_export(s, EXPORT_JSON, 0, NULL, false, &b, &err) == 0)
		reply_json(c, 200, &b);
	else
		reply_error(c, 0, &err);
	buf_fini(&b);
	snapshot_unref(s);
}

void
api_revision_diff(struct call *c)
{
	const char *from = call_query(c, "from");
	uint32_t n, m;
	struct snapshot *now = at(c, call_param(c, "n"), &n), *old;
	struct buf b = { 0 }, text = { 0 };
	char before[24];

	if (now == NULL)
		return;
	(void)snprintf(before, sizeof(before), "%u", n > 0 ? n - 1 : 0);
	old = at(c, from != NULL ? from : before, &m);
	if (old != NULL) {
		(void)snapshot_diff_text(old, now, &text);
		buf_printf(&b, "{\"from\":%u,\"to\":%u,\"diff\":", m, n);
		view_json_text(&b, buf_text(&text));
		buf_puts(&b, "}\n");
		reply_json(c, 200, &b);
	}
	buf_fini(&text);
	snapshot_unref(old);
	snapshot_unref(now);
}

void
api_rollback(struct call *c)
{
	struct commit_how how;
	struct commit_result r = { 0 };
	struct err err = { 0 };
	struct buf b = { 0 };
	uint64_t n;

	if (!api_how(c, &how) || !api_number(c, "revision", call_param(c, "n"), 0, UINT32_MAX, &n))
		return;
	if (commit_rollback(c, (uint32_t)n, &how, &r, &err) != 0) {
		reply_error(c, 0, &err);
		return;
	}
	api_committed(c, &how, &r);
	if (how.dry_run) {
		api_dry(c, &r);
	} else {
		buf_printf(&b, "{\"revision\":%u}\n",
		    snapshot_revision(
			r.now != NULL ? r.now : daemon_snapshot(c->w->d), SCOPE_SHARED));
		reply_json(c, 200, &b);
	}
	commit_result_fini(&r);
}

static void
done(struct call *c, int rc, const struct err *err)
{
	struct buf none = { 0 };

	if (rc != 0)
		reply_error(c, rc == ERR_UNKNOWN ? 409 : 0, err);
	else
		reply_text(c, 204, NULL, &none);
}

void
api_confirm(struct call *c)
{
	commit_confirm(c, done);
}

void
api_revert(struct call *c)
{
	struct err err = { 0 };

	done(c, commit_revert(c, &err), &err);
}

void
api_history_get(struct call *c)
{
	const struct service *s =
	    snapshot_find_path(daemon_snapshot(c->w->d), KIND_service, call_param(c, "vip"));
	int64_t newest = history_newest(c->w->history);
	struct buf b = { 0 };
	unsigned n = history_depth(c->w->history);

	if (s == NULL) {
		reply_fail(c, 404, "vip %s does not exist", call_param(c, "vip"));
		return;
	}
	follow_looked(c->w->follow);
	buf_printf(&b, "{\"step_s\":%d,\"items\":[", HISTORY_STEP_S);
	for (unsigned ago = n; ago-- > 0;) {
		const struct sample *p = history_get(c->w->history, s->id, ago);

		if (p == NULL)
			continue;
		buf_puts(&b, ((const char *)b.p)[b.len - 1] == '[' ? "\n{\"at\":" : ",\n{\"at\":");
		view_json_time(&b, newest - (int64_t)ago * HISTORY_STEP_S);
		buf_printf(&b,
		    ",\"connections\":%u,\"new_connections\":%u,\"requests\":%u,\"receive_bytes\":%llu,"
		    "\"transmit_bytes\":%llu}",
		    p->conns, p->new_conns, p->requests, (unsigned long long)p->bytes_in,
		    (unsigned long long)p->bytes_out);
	}
	buf_puts(&b, "]}\n");
	reply_json(c, 200, &b);
}
