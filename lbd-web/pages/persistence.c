/* Clients that are kept at a server: a page of them at a time, of one layer, service, server or client. One daemon knows the entries of a
 * layer; it leaves out what was on the pages before, so a page costs the same however many there are. */
#include "live/follow.h"
#include "page.h"
#include "persistence.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 100
#define CSV_MOST 100000 /* lines of one file; skip says where the next begins */

struct listing {
	struct call *c;
	struct snapshot *s; /* referenced: names of rows that come later */
	struct persistence_wish w;
	bool csv;
	uint32_t n, most;
	struct buf b;
};

const char *
persistence_daemon_of(const struct persistence_wish *w)
{
	return w->layer == 4 ? "lbd-ipvs" : "lbd-proxy";
}

/* ---- what is asked for ---------------------------------------------------------------------------------------- */

static bool
has_layer(struct snapshot *s, unsigned layer)
{
	uint32_t n = snapshot_count(s, KIND_service);

	for (uint32_t i = 0; i < n; i++)
		if (service_layer(snapshot_at(s, KIND_service, i)) == layer)
			return true;
	return false;
}

/* Of the query or of a form; false: answered. */
bool
persistence_take(struct call *c, const struct pairs *from, struct persistence_wish *w)
{
	struct snapshot *s = daemon_snapshot(c->w->d);
	const char *vip = pairs_get(from, "vip"), *rip = pairs_get(from, "rip"),
		   *client = pairs_get(from, "client"), *layer = pairs_get(from, "layer"),
		   *skip = pairs_get(from, "skip");

	*w = (struct persistence_wish){ .layer = has_layer(s, 7) || !has_layer(s, 4) ? 7 : 4 };
	if (layer != NULL)
		w->layer = strcmp(layer, "4") == 0 ? 4 : 7;
	if (skip != NULL && atoll(skip) > 0)
		w->skip = atoll(skip) < UINT32_MAX ? (uint32_t)atoll(skip) : UINT32_MAX;
	if (client != NULL && strlen(client) >= sizeof(w->client)) {
		reply_fail(c, 400, "client: longer than %zu bytes", sizeof(w->client) - 1);
		return false;
	}
	if (client != NULL)
		(void)snprintf(w->client, sizeof(w->client), "%s", client);
	if (rip != NULL && rip[0] != '\0') {
		w->server = snapshot_find_path(s, KIND_server, rip);
		if (w->server == NULL) {
			reply_fail(c, 404, "rip %.140s does not exist", rip);
			return false;
		}
		(void)snapshot_path(s, KIND_server, w->server->id, w->rip);
		w->service = snapshot_find(s, KIND_service, w->server->vip);
	} else if (vip != NULL && vip[0] != '\0') {
		w->service = snapshot_find_path(s, KIND_service, vip);
	} else {
		return true;
	}
	if (w->service == NULL) {
		reply_fail(c, 404, "vip %.70s does not exist", vip != NULL ? vip : "");
		return false;
	}
	w->layer = service_layer(w->service);
	(void)snprintf(w->vip, sizeof(w->vip), "%s", w->service->name);
	return true;
}

/* The same view from another entry on; safe in an attribute. */
void
persistence_href(struct buf *b, const char *path, const struct persistence_wish *w, uint32_t skip)
{
	buf_printf(b, "%s?layer=%u", path, w->layer);
	if (w->rip[0] != '\0') {
		buf_puts(b, "&amp;rip=");
		page_url(b, w->rip);
	} else if (w->vip[0] != '\0') {
		buf_puts(b, "&amp;vip=");
		page_url(b, w->vip);
	}
	if (w->client[0] != '\0') {
		buf_puts(b, "&amp;client=");
		page_url(b, w->client);
	}
	if (skip > 0)
		buf_printf(b, "&amp;skip=%u", skip);
}

void
persistence_hidden(struct call *c, struct buf *b, const struct persistence_wish *w)
{
	frame_csrf(c, b);
	page_add(b, "<input type=\"hidden\" name=\"layer\" value=\"%u\">", w->layer);
	if (w->rip[0] != '\0')
		page_add(b, "<input type=\"hidden\" name=\"rip\" value=\"%s\">", w->rip);
	else if (w->vip[0] != '\0')
		page_add(b, "<input type=\"hidden\" name=\"vip\" value=\"%s\">", w->vip);
}

/* "every client of web/a" */
void
persistence_all_of(struct buf *b, const struct persistence_wish *w)
{
	if (w->rip[0] != '\0' || w->vip[0] != '\0')
		page_add(b, "every client of %s", w->rip[0] != '\0' ? w->rip : w->vip);
	else
		page_add(b, "every client of layer %u", w->layer);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static void
put_row(struct listing *l, const struct msg_persist *m)
{
	char key[PERSISTENCE_CLIENT], server[160] = "";
	const struct service *s = snapshot_find(l->s, KIND_service, m->service);
	struct persistence_wish one = { .layer = l->w.layer };

	span_text(m->key, key, sizeof(key));
	if (snapshot_find(l->s, KIND_server, m->server) != NULL)
		(void)snapshot_path(l->s, KIND_server, m->server, server);
	if (s != NULL)
		(void)snprintf(one.vip, sizeof(one.vip), "%s", s->name);
	page_add(&l->b,
	    "   <tr class=\"hv\"><td data-l=\"Service\">%s</td><th scope=\"row\">%s</th><td>",
	    one.vip, key);
	if (server[0] != '\0') {
		struct persistence_wish there = { .layer = l->w.layer };

		(void)snprintf(there.rip, sizeof(there.rip), "%s", server);
		buf_puts(&l->b, "<a href=\"");
		persistence_href(&l->b, "/persistence", &there, 0);
		page_add(&l->b, "\">%s</a>", server);
	}
	page_add(&l->b, "</td><td class=\"num\" data-l=\"Left\">");
	page_lasting(&l->b, (int64_t)(m->left / 1000000));
	page_add(&l->b, "</td><td class=\"full\">");
	if (l->c->may >= ACCESS_R_OPERATOR) {
		page_add(&l->b, "<form method=\"post\" action=\"/persistence\">");
		persistence_hidden(l->c, &l->b, &one);
		page_add(&l->b,
		    "<input type=\"hidden\" name=\"client\" value=\"%s\"><input class=\"btn sm\" type=\"submit\" "
		    "name=\"forget\" value=\"Forget\" aria-label=\"Forget %s of %s\"></form>",
		    key, key, one.vip);
	}
	page_add(&l->b, "</td></tr>\n");
}

static void
put_line(struct listing *l, const struct msg_persist *m)
{
	char key[PERSISTENCE_CLIENT], path[160] = "";
	const struct service *s = snapshot_find(l->s, KIND_service, m->service);

	span_text(m->key, key, sizeof(key));
	if (snapshot_find(l->s, KIND_server, m->server) != NULL)
		(void)snapshot_path(l->s, KIND_server, m->server, path);
	buf_printf(&l->b, "%s,\"", s != NULL ? s->name : "");
	for (const char *p = key; *p != '\0'; p++) /* RFC 4180 */
		buf_puts(&l->b, *p == '"' ? "\"\"" : (char[]){ *p, '\0' });
	buf_printf(&l->b, "\",%s,%llu\n", path, (unsigned long long)m->left / 1000000);
}

static void
on_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct listing *l = arg;

	if (row->number != MSG_PERSIST || l->n++ >= l->most)
		return;
	if (l->csv)
		put_line(l, &m->persist);
	else
		put_row(l, &m->persist);
}

/* ---- the page ----------------------------------------------------------------------------------------------------- */

static void
service_choice(struct listing *l, struct buf *b)
{
	uint32_t n;
	const void *const *all = snapshot_by_name(l->s, KIND_service, &n);

	page_add(b,
	    "<label for=\"pv\">Service</label> <select id=\"pv\" name=\"vip\"><option value=\"\">All of layer %u</option>",
	    l->w.layer);
	for (uint32_t i = 0; i < n; i++) {
		const struct service *s = all[i];

		if (s->persistence == persistence_none && s != l->w.service)
			continue;
		page_add(b, "<option%s", s == l->w.service ? " selected" : "");
		page_add(b, " value=\"%s\">%s</option>", s->name, s->name);
	}
	page_add(b, "</select> ");
}

static void
filter(struct listing *l, struct buf *b)
{
	const struct persistence_wish *w = &l->w;
	struct persistence_wish other = { 0 };

	page_add(b,
	    " <div class=\"boxhead\"><h2 id=\"pt\">Entries</h2>\n  <form class=\"row\" role=\"search\" method=\"get\" "
	    "action=\"/persistence\"><input type=\"hidden\" name=\"layer\" value=\"%u\">",
	    w->layer);
	service_choice(l, b);
	page_add(b,
	    "<label for=\"pc\">Client</label> <input id=\"pc\" name=\"client\" size=\"22\" maxlength=\"255\" "
	    "placeholder=\"203.0.113.0/24\" value=\"%s\"> <input type=\"submit\" class=\"btn\" value=\"Filter\"></form>\n"
	    "  <div class=\"seg\" role=\"group\" aria-label=\"Layer\">",
	    w->client);
	for (other.layer = 4; other.layer <= 7; other.layer += 3) {
		buf_puts(b, "<a href=\"");
		persistence_href(b, "/persistence", &other, 0);
		buf_printf(b, "\"%s>Layer %u</a>",
		    other.layer == w->layer ? " aria-current=\"true\"" : "", other.layer);
	}
	page_add(b, "</div>\n </div>\n");
}

static void
table(struct listing *l, struct buf *b)
{
	page_add(b, "<section class=\"box\" aria-labelledby=\"pt\">\n");
	filter(l, b);
	page_add(b,
	    " <table class=\"stackable\"><caption class=\"vh\">Clients that are kept at a server</caption>\n  <thead><tr><th "
	    "scope=\"col\">Service</th><th scope=\"col\">Client</th><th scope=\"col\">Real server</th><th class=\"num\" "
	    "scope=\"col\">Forgotten in</th><th class=\"num\" scope=\"col\">Actions</th></tr></thead>\n  <tbody>\n");
	buf_put(b, l->b.p, l->b.len);
	if (l->n == 0)
		page_add(b, "   <tr><td colspan=\"5\">%s</td></tr>\n",
		    l->w.skip > 0	     ? "No more entries."
		    : l->w.client[0] != '\0' ? "No entry fits."
					     : "No client is kept at a server here.");
	page_add(b, "  </tbody></table>\n</section>\n");
}

static void
pager(struct listing *l, struct buf *b)
{
	uint32_t shown = l->n < l->most ? l->n : l->most, skip = l->w.skip;

	if (skip == 0 && l->n <= l->most)
		return;
	page_add(b, "<nav class=\"row\" aria-label=\"Pages\">");
	if (skip > 0) {
		buf_puts(b, "<a class=\"btn sm\" rel=\"prev\" href=\"");
		persistence_href(b, "/persistence", &l->w, skip > PAGE ? skip - PAGE : 0);
		buf_puts(b, "\">Previous</a> ");
	}
	if (shown > 0) {
		page_add(b, "<span class=\"mute\">");
		page_count(b, (uint64_t)skip + 1);
		page_add(b, " to ");
		page_count(b, (uint64_t)skip + shown);
		page_add(b, "</span>");
	}
	if (l->n > l->most) {
		buf_puts(b, " <a class=\"btn sm\" rel=\"next\" href=\"");
		persistence_href(b, "/persistence", &l->w, skip + PAGE);
		buf_puts(b, "\">Next</a>");
	}
	page_add(b, "</nav>\n");
}

static void
page(struct listing *l)
{
	struct frame f = { .title = "Persistence" };
	struct call *c = l->c;
	struct buf b = { 0 };

	frame_begin(c, &b, &f);
	page_add(&b,
	    "<div class=\"head\">\n <div><h1>Persistence</h1><p>Which client is kept at which server%s%s</p></div>\n "
	    "<div class=\"row\">",
	    l->w.rip[0] != '\0' ? ": " : "", l->w.rip);
	if (c->may >= ACCESS_R_OPERATOR && l->w.client[0] == '\0' && (l->n > 0 || l->w.skip > 0)) {
		page_add(&b, "<form method=\"post\" action=\"/persistence\">");
		persistence_hidden(c, &b, &l->w);
		page_add(&b, "<input class=\"btn\" type=\"submit\" name=\"all\" value=\"Forget ");
		persistence_all_of(&b, &l->w);
		page_add(&b, "\"></form> ");
	}
	buf_puts(&b, "<a class=\"btn\" href=\"");
	persistence_href(&b, "/persistence", &l->w, l->w.skip);
	buf_puts(&b, "\">Read again</a> <a class=\"btn\" href=\"");
	persistence_href(&b, "/persistence.csv", &l->w, l->w.skip);
	buf_puts(&b, "\">Download CSV</a></div>\n</div>\n");
	table(l, &b);
	pager(l, &b);
	frame_end(c, &b, &f);
	reply_page(c, 200, &b);
}

static void
on_end(void *arg, int code, const char *text)
{
	struct listing *l = arg;
	struct call *c = l->c;

	if (code == ERR_AWAY)
		reply_fail(c, 503, "%s does not run", persistence_daemon_of(&l->w));
	else if (code != 0)
		reply_fail(c, code == ERR_INVALID ? 422 : 503, "%s: %s",
		    persistence_daemon_of(&l->w), text != NULL ? text : "");
	else if (l->csv) {
		http_set(c->rq, "Content-Disposition", "attachment; filename=\"persistence.csv\"");
		reply_text(c, 200, "text/csv; charset=utf-8", &l->b);
	} else
		page(l);
	buf_fini(&l->b);
	snapshot_unref(l->s);
	call_free(c);
	free(l);
}

static void
list(struct call *c, bool csv)
{
	struct listing *l = mem_alloc(sizeof(*l));
	struct msg_select m = { 0 };

	*l = (struct listing){ .c = c, .csv = csv, .most = csv ? CSV_MOST : PAGE };
	if (!persistence_take(c, &c->query, &l->w)) {
		free(l);
		return;
	}
	m = (struct msg_select){ .service = l->w.service != NULL ? l->w.service->id : 0,
		.server = l->w.server != NULL ? l->w.server->id : 0,
		.skip = l->w.skip,
		.most = csv ? CSV_MOST : PAGE + 1,
		.client = SPAN(l->w.client) };
	l->s = snapshot_ref(daemon_snapshot(c->w->d));
	if (csv)
		buf_puts(&l->b, "service,client,server,left_s\n");
	if (follow_ask(c->w->follow, persistence_daemon_of(&l->w), MSG_PERSISTS, &m, on_row, on_end,
		l) != 0) {
		reply_fail(c, 503, "%s does not run", persistence_daemon_of(&l->w));
		buf_fini(&l->b);
		snapshot_unref(l->s);
		free(l);
		return;
	}
	c->later = true;
	http_later(c->rq);
}

void
persistence_get(struct call *c)
{
	list(c, false);
}

void
persistence_csv(struct call *c)
{
	list(c, true);
}
