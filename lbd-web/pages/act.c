/* What operators do with a real server from the overview: drain, halt, online, check. Halting a server that still has
 * connections cuts them, so a page says so first, and offers to halt the server in every service that uses the same
 * address. Orders are rows of the store (commit.c); this file only understands the forms.
 *
 * A check is run by lbd-check while the request waits; its steps come back as rows. */
#include "base/mem.h"
#include "live/follow.h"
#include "page.h"
#include "web.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct target {
	char vip[64], rip[64];
	const struct server *srv;
};

static bool
find(struct call *c, const char *path, struct target *t)
{
	const char *slash = strchr(path, '/');

	*t = (struct target){ .srv =
				  snapshot_find_path(daemon_snapshot(c->w->d), KIND_server, path) };
	if (t->srv == NULL || slash == NULL) {
		reply_fail(c, 404, "rip %s does not exist", path);
		return false;
	}
	(void)snprintf(t->vip, sizeof(t->vip), "%.*s", (int)(slash - path), path);
	(void)snprintf(t->rip, sizeof(t->rip), "%s", slash + 1);
	return true;
}

/* Back to the view the button stood in, or at least to the service. */
static void
back(struct call *c, const struct target *t)
{
	const char *view = call_form(c, "view");
	char other[80];

	(void)snprintf(other, sizeof(other), "?open=%s", t->vip);
	reply_overview(c, view[0] == '?' ? view : other, t->vip);
}

static uint64_t
connections(struct call *c, const struct server *s)
{
	const struct view_server *now = view_server(web_view(c), s->id);

	return now != NULL && now->counted ? now->counts.conns : 0;
}

/* Real servers of other services at the same address. */
static unsigned
others(struct call *c, const struct server *s, struct order *out, unsigned max)
{
	struct snapshot *snap = daemon_snapshot(c->w->d);
	uint32_t n = snapshot_count(snap, KIND_server);
	unsigned found = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct server *r = snapshot_at(snap, KIND_server, i);

		if (r->id == s->id || strcmp(r->address.text, s->address.text) != 0)
			continue;
		if (out != NULL && found < max)
			out[found].server = r->id;
		found++;
	}
	return found;
}

static void
confirm_page(struct call *c, const struct target *t)
{
	struct frame f = { .title = "Halt" };
	uint64_t conns = connections(c, t->srv);
	unsigned more = others(c, t->srv, NULL, 0);
	struct buf b = { 0 };

	frame_begin(c, &b, &f);
	page_add(&b,
	    "<div class=\"mid stack\">\n<div class=\"head\"><div><p class=\"small\"><a href=\"/\">System Overview</a>"
	    "</p><h1>Halt %s/%s?</h1><p>",
	    t->vip, t->rip);
	page_count(&b, conns);
	page_add(&b, conns == 1 ? " connection is open there." : " connections are open there.");
	page_add(&b,
	    "</p></div></div>\n<section class=\"box\" aria-labelledby=\"wh\"><div class=\"boxhead\"><h2 id=\"wh\">"
	    "What happens</h2></div>\n <dl class=\"dl pad\">\n  <dt>New clients</dt><dd>go to the other servers of "
	    "%s at once</dd>\n  <dt>Open connections</dt><dd>are cut at once; their clients connect again and reach "
	    "another server</dd>\n  <dt>Gentler</dt><dd>Drain lets them finish first</dd>\n  <dt>Way back</dt><dd>"
	    "Online</dd>\n </dl></section>\n",
	    t->vip);
	page_add(&b, "<form class=\"box pad stack\" method=\"post\" action=\"/act\">\n");
	frame_csrf(c, &b);
	page_add(&b,
	    "<input type=\"hidden\" name=\"rip\" value=\"%s/%s\"><input type=\"hidden\" name=\"sure\" value=\"yes\">\n",
	    t->vip, t->rip);
	if (more > 0)
		page_add(&b,
		    "<div class=\"pick\"><input type=\"checkbox\" id=\"every\" name=\"everywhere\" value=\"yes\"><label "
		    "for=\"every\">Also in %u other %s with the address %s</label></div>\n",
		    more, more == 1 ? "place" : "places", t->srv->address.text);
	page_add(&b,
	    "<div class=\"f\"><label for=\"why\">Reason</label><input id=\"why\" name=\"why\" maxlength=\"200\" "
	    "aria-describedby=\"why-h\" autocomplete=\"off\"><p class=\"help\" id=\"why-h\">Is shown beside the server and "
	    "goes into the log.</p></div>\n<div class=\"row\"><input type=\"submit\" class=\"btn pri\" name=\"drain\" "
	    "value=\"Drain instead\"> <input type=\"submit\" class=\"btn red\" name=\"halt\" value=\"Halt %s/%s\"> <a "
	    "class=\"btn\" href=\"/\">Cancel</a></div>\n</form>\n</div>\n",
	    t->vip, t->rip);
	frame_end(c, &b, &f);
	reply_page(c, 200, &b);
}

void
act_get(struct call *c)
{
	const char *path = call_query(c, "rip");
	struct target t;

	if (find(c, path != NULL ? path : "", &t))
		confirm_page(c, &t);
}

/* ---- check ---- */

struct probing {
	struct call *c;
	struct target t;
	struct buf steps;
};

static void
probe_step(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct probing *p = arg;
	char text[300];

	if (row->number != MSG_CHECK_STEP)
		return;
	span_text(m->check_step.text, text, sizeof(text));
	page_add(&p->steps, "<li><span class=\"mute\">%.1f ms</span> %s</li>\n",
	    (double)m->check_step.at / 1000, text);
}

/* A probe that ends badly has a code too: with steps it is an answer all the same. */
static void
probe_end(void *arg, int code, const char *text)
{
	struct probing *p = arg;
	struct call *c = p->c;
	struct frame f = { .title = "Check" };
	struct buf b = { 0 };

	if (p->steps.len == 0) {
		reply_fail(c, 503, "lbd-check: %s", text);
	} else {
		frame_begin(c, &b, &f);
		page_add(&b,
		    "<div class=\"mid stack\">\n<div class=\"head\"><div><h1>Check of %s/%s</h1></div></div>\n<section "
		    "class=\"box pad\"><ol class=\"stack\">\n",
		    p->t.vip, p->t.rip);
		buf_put(&b, p->steps.p, p->steps.len);
		page_add(&b, "</ol></section>\n<p><span class=\"st %s\">%s</span> %s</p>\n",
		    code == 0 ? "ok" : "down", code == 0 ? "Healthy" : "Down",
		    text != NULL ? text : "");
		page_add(&b,
		    "<p><a class=\"btn\" href=\"/?open=%s#%s\">System Overview</a></p>\n</div>\n",
		    p->t.vip, p->t.vip);
		frame_end(c, &b, &f);
		reply_page(c, 200, &b);
	}
	call_free(c);
	buf_fini(&p->steps);
	free(p);
}

static void
probe_run(struct call *c, const struct target *t)
{
	struct probing *p = mem_alloc(sizeof(*p));
	struct msg_server m = { .server = t->srv->id };

	*p = (struct probing){ .c = c, .t = *t };
	if (follow_ask(c->w->follow, "lbd-check", MSG_CHECK_RUN, &m, probe_step, probe_end, p) !=
	    0) {
		free(p);
		reply_fail(c, 503, "lbd-check does not run");
		return;
	}
	c->later = true;
	http_later(c->rq);
}

/* ---- forms ---- */

static int64_t
end_of_drain(struct call *c, uint32_t server_id)
{
	const struct snapshot *s = daemon_snapshot(c->w->d);
	const struct server *r = snapshot_find(s, KIND_server, server_id);
	const struct service *v = r != NULL ? snapshot_find(s, KIND_service, r->vip) : NULL;

	return v == NULL || v->drain_timeout == 0
		   ? 0
		   : (int64_t)time(NULL) + (v->drain_timeout + 999) / 1000;
}

static void
order(struct call *c, const struct target *t, int state)
{
	unsigned more = call_form(c, "everywhere")[0] != '\0' ? others(c, t->srv, NULL, 0) : 0;
	struct order *o = mem_alloc((more + 1) * sizeof(*o));
	struct commit_result r = { 0 };
	struct err err = { 0 };
	int rc;

	if (more > 0)
		(void)others(c, t->srv, o, more);
	o[more].server = t->srv->id;
	for (unsigned i = 0; i <= more; i++) {
		o[i].state = state;
		o[i].weight = -1;
		o[i].until = state == admin_state_drain ? end_of_drain(c, o[i].server) : 0;
	}
	rc = commit_orders(c, o, more + 1, call_form(c, "why"), &r, &err);
	if (rc != 0)
		reply_error(c, 0, &err);
	else
		back(c, t);
	commit_result_fini(&r);
	free(o);
}

void
act_post(struct call *c)
{
	struct target t;

	if (!find(c, call_form(c, "rip"), &t))
		return;
	if (pairs_get(&c->form, "drain") != NULL)
		order(c, &t, admin_state_drain);
	else if (pairs_get(&c->form, "online") != NULL)
		order(c, &t, admin_state_online);
	else if (pairs_get(&c->form, "check") != NULL)
		probe_run(c, &t);
	else if (pairs_get(&c->form, "halt") == NULL)
		reply_fail(c, 422, "the form names no action: drain, halt, online or check");
	else if (connections(c, t.srv) > 0 && call_form(c, "sure")[0] == '\0')
		confirm_page(c, &t);
	else
		order(c, &t, admin_state_halt);
}

static void
trial_ended(struct call *c, int rc, const struct err *err)
{
	if (rc != 0)
		reply_error(c, 0, err);
	else
		reply_redirect(c, "/");
}

void
trial_post(struct call *c)
{
	struct err err = { 0 };
	int rc;

	if (pairs_get(&c->form, "keep") != NULL) {
		commit_confirm(c, trial_ended);
		return;
	}
	if (pairs_get(&c->form, "revert") != NULL)
		rc = commit_revert(c, &err);
	else
		rc = err_set(&err, ERR_USAGE, "the form names no action: keep or revert");
	trial_ended(c, rc, &err);
}
