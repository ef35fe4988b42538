/* Layer 7 status: services with their servers in the columns of HAProxy's page, for people who know that one. Which page, whether
 * servers that are down are left out, and how often it is read again are members of the query: a view is a link. */
#include "page.h"
#include "web.h"

#include "live/follow.h"
#include "report/layer7.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SERVICES_A_PAGE 50
#define EACH_S 5 /* read again, when that is wanted */

struct query {
	bool hide_down, again;
	unsigned page;
};

static void
parse(const struct call *c, struct query *q)
{
	const char *hide = call_query(c, "hide"), *page = call_query(c, "page");

	*q = (struct query){ .hide_down = hide != NULL && strcmp(hide, "down") == 0,
		.again = call_query(c, "again") != NULL,
		.page = page != NULL && atoi(page) > 0 ? (unsigned)atoi(page) : 1 };
}

static void
href(struct buf *b, const struct query *q)
{
	const char *join = "?";

	buf_puts(b, "/reports/layer7");
	if (q->hide_down) {
		buf_printf(b, "%shide=down", join);
		join = "&amp;";
	}
	if (q->again) {
		buf_printf(b, "%sagain=1", join);
		join = "&amp;";
	}
	if (q->page > 1)
		buf_printf(b, "%spage=%u", join, q->page);
}

static void
button(struct buf *b, struct query q, const char *word)
{
	page_add(b, "<a class=\"btn\" href=\"");
	href(b, &q);
	page_add(b, "\">%s</a> ", word);
}

static void
buttons(struct buf *b, const struct query *q)
{
	struct query hide = *q, again = *q;

	hide.hide_down = !q->hide_down;
	again.again = !q->again;
	page_add(b, " <div class=\"row\">");
	button(b, hide, q->hide_down ? "Show servers that are down" : "Hide servers that are down");
	button(b, again, q->again ? "Do not read again" : "Read again each 5 s");
	button(b, *q, "Read again now");
	page_add(b, "<a class=\"btn\" href=\"/api/v1/layer7.csv%s\">Download CSV</a></div>\n",
	    q->hide_down ? "?hide=down" : "");
}

/* ---- the process ------------------------------------------------------------------------------------------ */

static void
tile(struct buf *b, const char *word)
{
	page_add(b, "</b> <span class=\"mute\">%s</span></div>\n", word);
}

static void
process(const struct call *c, struct buf *b, const struct view *v)
{
	const struct view_daemon *d = layer7_proxy(v);
	const struct view_totals *t = web_totals(c->w);
	uint32_t most = web_setting(c->w)->proxy_conns;

	if (d == NULL)
		page_add(b,
		    "<section class=\"note e\" aria-labelledby=\"away\"><h2 id=\"away\"><span class=\"st "
		    "down\">lbd-proxy does not run</span></h2><p>Layer 7 takes no clients. "
		    "<code>systemctl start lbd-proxy</code> starts it.</p></section>\n");
	else if (view_near_limit(t, most))
		page_add(b,
		    "<section class=\"note w\" aria-labelledby=\"near\"><h2 id=\"near\"><span class=\"st warn\">%llu of "
		    "%u connections</span></h2><p>Above the most, new clients wait until others leave. "
		    "<code>lbctl set setting proxy_conns=N</code> changes it.</p></section>\n",
		    (unsigned long long)t->proxied, most);
	page_add(b, "<section class=\"box tiles\" aria-label=\"lbd-proxy\">\n");
	if (d != NULL) {
		page_add(b, " <div class=\"sum\"><b>%u", d->pid);
		tile(b, "process id");
		page_add(b, " <div class=\"sum\"><b>");
		page_lasting(b, (int64_t)time(NULL) - d->started);
		tile(b, "running");
	}
	page_add(b, " <div class=\"sum\"><b>");
	page_count(b, t->proxied);
	tile(b, "connections");
	page_add(b, " <div class=\"sum\"><b>");
	page_count(b, most);
	tile(b, "at most");
	page_add(b, " <div class=\"sum\"><b>%.1f", t->proxied_rate);
	tile(b, "new a second");
	page_add(b, "</section>\n");
}

/* ---- one service -------------------------------------------------------------------------------------------- */

struct place {
	struct buf *b;
	const struct service *s;
};

static void
number(struct buf *b, const struct layer7_row *r, enum layer7_column at, const char *label)
{
	page_add(b, "<td class=\"num\" data-l=\"%s\">", label);
	if (r->n[at] >= 0)
		page_count(b, (uint64_t)r->n[at]);
	page_add(b, "</td>");
}

static const char *
colour(const char *status)
{
	static const struct {
		const char *word, *class;
	} of[] = { { "OPEN", "ok" }, { "UP", "ok" }, { "DOWN", "down" }, { "STOP", "off" },
		{ "DRAIN", "off" }, { "MAINT", "off" } };

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
		if (strcmp(status, of[i].word) == 0)
			return of[i].class;
	return "unk";
}

static void
status(struct buf *b, const struct layer7_row *r)
{
	page_add(b, "<td data-l=\"Status\"><span class=\"st %s\">%s</span>",
	    colour(r->text[COL_status]), r->text[COL_status]);
	if (r->n[COL_lastchg] >= 0) {
		page_add(b, " <span class=\"mute nw\">");
		page_lasting(b, r->n[COL_lastchg]);
		page_add(b, "</span>");
	}
	page_add(b, "</td>");
}

static void
put(void *arg, const struct layer7_row *r)
{
	static const struct {
		enum layer7_column at;
		const char *label;
	} numbers[] = { { COL_qcur, "Queue" }, { COL_scur, "Sessions now" },
		{ COL_smax, "Sessions at peak" }, { COL_slim, "Sessions at most" },
		{ COL_stot, "Sessions in all" }, { COL_rate, "Sessions a second" },
		{ COL_rate_max, "A second at peak" }, { COL_bin, "Bytes in" },
		{ COL_bout, "Bytes out" }, { COL_dreq, "Refused" }, { COL_ereq, "Bad requests" },
		{ COL_econ, "Connect errors" }, { COL_eresp, "Answer errors" },
		{ COL_wretr, "Retries" } };
	struct place *p = arg;
	struct buf *b = p->b;

	page_add(b, "   <tr class=\"hv\"><th scope=\"row\">%s</th>",
	    r->kind == LAYER7_FRONTEND	? "Frontend"
	    : r->kind == LAYER7_BACKEND ? "Backend"
					: r->text[COL_svname]);
	status(b, r);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		number(b, r, numbers[i].at, numbers[i].label);
	number(b, r, COL_weight, "Weight");
	page_add(b, "<td data-l=\"Takes\">%s</td>",
	    r->srv == NULL   ? ""
	    : r->srv->backup ? "Backup"
			     : "Active");
	number(b, r, COL_chkfail, "Failed checks");
	number(b, r, COL_chkdown, "Times down");
	page_add(b, "<td class=\"num\" data-l=\"Check\">");
	if (r->n[COL_check_duration] >= 0)
		page_add(b, "%lld ms", (long long)r->n[COL_check_duration]);
	page_add(b, "</td></tr>\n");
}

static void
service(struct buf *b, struct view *v, const struct service *s, const struct query *q)
{
	struct place p = { b, s };

	page_add(b,
	    "<section class=\"box\" aria-labelledby=\"s%u\">\n <div class=\"boxhead\"><h2 id=\"s%u\">%s</h2></div>\n"
	    " <div class=\"wrap\" tabindex=\"0\" role=\"region\" aria-label=\"Table of %s\">\n"
	    "  <table class=\"stackable\"><caption class=\"vh\">%s: frontend, servers and backend</caption>\n"
	    "  <thead><tr><th scope=\"col\">Name</th><th scope=\"col\">Status</th><th class=\"num\" "
	    "scope=\"col\">Queue</th><th class=\"num\" scope=\"col\">Sessions</th><th class=\"num\" scope=\"col\">Peak</th>"
	    "<th class=\"num\" scope=\"col\">Most</th><th class=\"num\" scope=\"col\">In all</th><th class=\"num\" scope=\"col\">A second</th>"
	    "<th class=\"num\" scope=\"col\">Peak</th><th class=\"num\" "
	    "scope=\"col\">Bytes in</th><th class=\"num\" scope=\"col\">Bytes out</th><th class=\"num\" "
	    "scope=\"col\">Refused</th><th class=\"num\" scope=\"col\">Bad req.</th><th class=\"num\" "
	    "scope=\"col\">Conn. err.</th><th class=\"num\" scope=\"col\">Resp. err.</th><th class=\"num\" "
	    "scope=\"col\">Retries</th><th class=\"num\" scope=\"col\">Weight</th><th scope=\"col\">Takes</th><th "
	    "class=\"num\" scope=\"col\">Failed</th><th class=\"num\" scope=\"col\">Times down</th><th "
	    "class=\"num\" scope=\"col\">Check</th></tr></thead>\n  <tbody>\n",
	    s->id, s->id, s->name, s->name, s->name);
	layer7_service(v, s, q->hide_down, put, &p);
	page_add(b, "  </tbody></table>\n </div>\n</section>\n");
}

/* ---- the page --------------------------------------------------------------------------------------------- */

static void
services(struct buf *b, struct view *v, const struct query *q)
{
	const void *const *all;
	unsigned n = 0, first = (q->page - 1) * SERVICES_A_PAGE;
	uint32_t rows;
	struct query to = *q;

	all = snapshot_by_name(view_snapshot(v), KIND_service, &rows);
	for (uint32_t i = 0; i < rows; i++) {
		const struct service *s = all[i];

		if (service_layer(s) != 7)
			continue;
		if (n >= first && n - first < SERVICES_A_PAGE)
			service(b, v, s, q);
		n++;
	}
	if (n == 0)
		page_add(b, "<section class=\"box\"><p>No service of layer 7 yet.</p></section>\n");
	if (n <= SERVICES_A_PAGE)
		return;
	page_add(b, "<nav class=\"row\" aria-label=\"Pages\">");
	if (q->page > 1) {
		to.page = q->page - 1;
		button(b, to, "Previous");
	}
	page_add(b, "<span class=\"mute\">Page %u of %u, %u services</span> ", q->page,
	    (n + SERVICES_A_PAGE - 1) / SERVICES_A_PAGE, n);
	if (first + SERVICES_A_PAGE < n) {
		to.page = q->page + 1;
		button(b, to, "Next");
	}
	page_add(b, "</nav>\n");
}

void
layer7_get(struct call *c)
{
	struct frame f = { .title = "Layer 7 status" };
	struct view *v = web_view(c);
	struct query q;
	struct buf b = { 0 };
	char again[12];

	follow_looked(c->w->follow);
	parse(c, &q);
	(void)snprintf(again, sizeof(again), "%u", EACH_S);
	if (q.again)
		http_set(c->rq, "Refresh", again);
	frame_begin(c, &b, &f);
	page_add(
	    &b, "<div class=\"head\">\n <div><h1>Layer 7 status</h1><p>%s, read ", c->w->hostname);
	page_time(&b, (int64_t)time(NULL));
	page_add(&b, "</p></div>\n");
	buttons(&b, &q);
	page_add(&b, "</div>\n");
	process(c, &b, v);
	services(&b, v, &q);
	frame_end(c, &b, &f);
	reply_page(c, 200, &b);
}
