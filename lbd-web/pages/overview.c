/* System Overview: which services the query selects, in which order, and the page that shows them. Filter, sort,
 * page and unfolding are all members of the query, so every view is a link that can be kept, and works without
 * script. The rows themselves are made in overview_row.c, once for the page and for the live stream. */
#include "overview.h"
#include "base/mem.h"
#include "live/follow.h"
#include "page.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct column {
	const char *key, *title;
	bool num;
};
static const struct column columns[] = {
	[SORT_STATUS] = { "status", "Status", false },
	[SORT_NAME] = { "name", "Virtual service", false },
	[SORT_IP] = { "ip", "IP address", false },
	[SORT_PORTS] = { "ports", "Ports", false },
	[SORT_CONNS] = { "conns", "Conns", true },
	[SORT_PROTO] = { "proto", "Protocol", false },
	[SORT_METHOD] = { "method", "Method", false },
	[SORT_MODE] = { "mode", "Mode", false },
	[SORT_UP] = { "up", "Servers up", true },
	[SORT_TRAFFIC] = { "traffic", "Traffic", true },
};
static const char *const state_words[] = { [ST_OK] = "ok",
	[ST_WARN] = "degraded",
	[ST_DOWN] = "down",
	[ST_OFF] = "offline",
	[ST_UNK] = "unknown" };

/* ---- query ---- */

void
overview_parse(const struct pairs *query, struct overview_query *out)
{
	const char *q = pairs_get(query, "q"), *layer = pairs_get(query, "layer"),
		   *state = pairs_get(query, "state");
	const char *sort = pairs_get(query, "sort"), *page = pairs_get(query, "page"),
		   *open = pairs_get(query, "open");

	*out = (struct overview_query){ .state = -1, .sort = SORT_NAME, .page = 1 };
	(void)snprintf(out->q, sizeof(out->q), "%s", q != NULL ? q : "");
	out->q[utf8_valid(out->q, strlen(out->q)) ? strlen(out->q) : 0] = '\0';
	(void)snprintf(out->open, sizeof(out->open), "%s", open != NULL ? open : "");
	if (layer != NULL && (strcmp(layer, "4") == 0 || strcmp(layer, "7") == 0))
		out->layer = (unsigned)(layer[0] - '0');
	for (int i = 0; state != NULL && i <= ST_UNK; i++)
		if (strcmp(state, state_words[i]) == 0)
			out->state = i;
	if (sort != NULL) {
		out->down = sort[0] == '-';
		for (size_t i = 0; i < SORT_NONE; i++)
			if (strcmp(sort + out->down, columns[i].key) == 0)
				out->sort = (enum overview_sort)i;
	}
	if (page != NULL && atoi(page) > 0)
		out->page = (unsigned)atoi(page);
}

bool
overview_is_open(const struct overview_query *q, const char *name)
{
	size_t len = strlen(name);

	if (strcmp(q->open, "all") == 0)
		return true;
	for (const char *p = q->open; *p != '\0';) {
		size_t n = strcspn(p, ",");

		if (n == len && memcmp(p, name, n) == 0)
			return true;
		p += n + (p[n] == ',');
	}
	return false;
}

static void
put(struct buf *b, const char *key, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return;
	buf_puts(b, ((const char *)b->p)[b->len - 1] == '?' ? "" : "&amp;");
	buf_printf(b, "%s=", key);
	page_url(b, value);
}

void
overview_href(struct buf *b, const struct overview_query *q, const char *key, const char *value)
{
	char layer[12] = "", sort[16] = "", page[16] = "";
	const char *const keys[] = { "q", "layer", "state", "sort", "page", "open" };
	const char *values[] = { q->q, layer, q->state >= 0 ? state_words[q->state] : "", sort,
		page, q->open };

	if (q->layer != 0)
		(void)snprintf(layer, sizeof(layer), "%u", q->layer);
	if (q->sort != SORT_NAME || q->down)
		(void)snprintf(
		    sort, sizeof(sort), "%s%s", q->down ? "-" : "", columns[q->sort].key);
	if (q->page > 1)
		(void)snprintf(page, sizeof(page), "%u", q->page);
	buf_puts(b, "?");
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		bool same = key != NULL && strcmp(key, keys[i]) == 0;

		/* Another filter or order begins at its first page. */
		if (key != NULL && strcmp(keys[i], "page") == 0 && strcmp(key, "open") != 0 &&
		    !same)
			continue;
		put(b, keys[i], same ? value : values[i]);
	}
}

void
overview_toggle(struct buf *b, const struct overview_query *q, const char *name)
{
	struct buf open = { 0 };
	size_t len = strlen(name);
	bool was = false, all = strcmp(q->open, "all") == 0;

	for (const char *p = all ? "" : q->open; *p != '\0';) {
		size_t n = strcspn(p, ",");

		if (n == len && memcmp(p, name, n) == 0)
			was = true;
		else if (n > 0)
			buf_printf(&open, "%s%.*s", open.len > 0 ? "," : "", (int)n, p);
		p += n + (p[n] == ',');
	}
	if (!was && !all)
		buf_printf(&open, "%s%s", open.len > 0 ? "," : "", name);
	overview_href(b, q, "open", buf_text(&open));
	buf_fini(&open);
}

/* ---- selection ---- */

struct key {
	const struct service *s;
	uint64_t n;
};

static bool
has(const char *text, const char *q)
{
	return strcasestr(text, q) != NULL;
}

static bool
found(const struct view *v, const struct service *s, const char *q)
{
	const void *const *rips;
	char text[ADDR_TEXT];
	struct addr at;
	uint32_t n;

	if (q[0] == '\0' || has(s->name, q))
		return true;
	addr_format(&s->address, ADDR_HOST, text);
	if (has(text, q))
		return true;
	if (addr_parse(q, ADDR_HOST, &at) == 0 && addrs_contain(s->more_addresses, &at))
		return true;
	rips = snapshot_children(view_snapshot(v), KIND_server, s->id, &n);
	for (uint32_t i = 0; i < n; i++) {
		const struct server *r = rips[i];

		if (has(r->name, q) || has(r->address.text, q))
			return true;
	}
	return false;
}

static uint64_t
sort_key(const struct view *v, const struct service *s, enum overview_sort by)
{
	static const uint8_t worst_first[] = {
		[ST_DOWN] = 0, [ST_WARN] = 1, [ST_UNK] = 2, [ST_OFF] = 3, [ST_OK] = 4
	};
	const struct view_service *now = view_service(v, s->id);
	struct service_view t;

	switch (by) {
	case SORT_STATUS: return worst_first[view_service_status(v, s, NULL)];
	case SORT_PORTS: return s->ports != NULL && s->ports->n > 0 ? s->ports->r[0].lo : 0;
	case SORT_CONNS: return now != NULL ? now->counts.conns : 0;
	case SORT_PROTO: return s->mode == mode_http ? 0 : 1 + (unsigned)s->protocol;
	case SORT_METHOD: return service_layer(s);
	case SORT_MODE: return service_layer(s) == 7 ? 0 : s->mode;
	case SORT_UP: (void)view_service_status(v, s, &t); return t.up + t.warn;
	case SORT_TRAFFIC: return now != NULL ? (uint64_t)now->rate.bytes_out : 0;
	default: return 0;
	}
}

static int
compare(const void *a, const void *b, void *arg)
{
	const struct overview_query *q = arg;
	const struct key *x = a, *y = b;
	int d = x->n < y->n ? -1 : x->n > y->n;

	if (q->sort == SORT_IP) {
		d = (int)x->s->address.family - (int)y->s->address.family;
		d = d != 0 ? d : memcmp(x->s->address.b, y->s->address.b, sizeof(x->s->address.b));
	}
	d = d != 0			       ? d
	    : q->sort == SORT_NAME || !q->down ? strcmp(x->s->name, y->s->name)
					       : strcmp(y->s->name, x->s->name);
	return q->down ? -d : d;
}

void
overview_select(const struct view *v, const struct overview_query *q, struct overview_rows *out)
{
	const void *const *all;
	struct key *k;
	uint32_t n, m = 0;
	unsigned first;

	*out = (struct overview_rows){ 0 };
	all = snapshot_by_name(view_snapshot(v), KIND_service, &n);
	k = mem_alloc((n + 1) * sizeof(*k));
	for (uint32_t i = 0; i < n; i++) {
		const struct service *s = all[i];

		*(service_layer(s) == 4 ? &out->layer4 : &out->layer7) += 1;
		if ((q->layer != 0 && q->layer != service_layer(s)) || !found(v, s, q->q))
			continue;
		if (q->state >= 0 && (int)view_service_status(v, s, NULL) != q->state)
			continue;
		k[m].s = s;
		k[m++].n = sort_key(v, s, q->sort);
	}
	if (q->sort != SORT_NAME || q->down)
		qsort_r(k, m, sizeof(*k), compare, (void *)(uintptr_t)q);
	out->all = n;
	out->matched = m;
	out->pages = m == 0 ? 1 : (m + OVERVIEW_PAGE - 1) / OVERVIEW_PAGE;
	first = (q->page <= out->pages ? q->page - 1 : out->pages - 1) * OVERVIEW_PAGE;
	for (uint32_t i = first; i < m && out->n < OVERVIEW_PAGE; i++)
		out->v[out->n++] = k[i].s;
	free(k);
}

/* ---- page ---- */

static void
table_head(struct buf *b, const struct overview_query *q)
{
	page_add(b, "  <thead><tr>");
	for (size_t i = 0; i < SORT_NONE; i++) {
		char value[16];
		bool on = q->sort == i;

		(void)snprintf(
		    value, sizeof(value), "%s%s", on && !q->down ? "-" : "", columns[i].key);
		buf_printf(b, "<th scope=\"col\"%s%s><a href=\"",
		    columns[i].num ? " class=\"num\"" : "",
		    !on	      ? ""
		    : q->down ? " aria-sort=\"descending\""
			      : " aria-sort=\"ascending\"");
		overview_href(b, q, "sort", value);
		page_add(b, "\">%s</a></th>", columns[i].title);
	}
	page_add(b, "<th scope=\"col\">Last hour</th></tr></thead>\n");
}

static void
hidden(struct buf *b, const char *name, const char *value)
{
	if (value[0] != '\0')
		page_add(b, "<input type=\"hidden\" name=\"%s\" value=\"%s\">", name, value);
}

static void
layer_link(
    struct buf *b, const struct overview_query *q, unsigned layer, const char *word, unsigned n)
{
	char value[12] = "";

	if (layer != 0)
		(void)snprintf(value, sizeof(value), "%u", layer);
	page_add(b, "<a href=\"");
	overview_href(b, q, "layer", value);
	buf_printf(b, "\"%s>", q->layer == layer ? " aria-current=\"true\"" : "");
	page_add(b, "%s %u</a>", word, n);
}

static void
box_head(struct buf *b, const struct overview_query *q, const struct overview_rows *r)
{
	page_add(b,
	    " <div class=\"boxhead\"><h2 id=\"vips\">Virtual services</h2>\n"
	    "  <form class=\"row\" role=\"search\" method=\"get\" action=\"/\"><label class=\"vh\" for=\"q\">Filter "
	    "services</label><input id=\"q\" name=\"q\" type=\"search\" placeholder=\"Name, address or server\" "
	    "size=\"22\" maxlength=\"63\" value=\"%s\"",
	    q->q);
	page_add(b, r->pages > 1 ? ">" : " data-filter=\"vips-t\">");
	hidden(b, "layer", q->layer == 4 ? "4" : q->layer == 7 ? "7" : "");
	hidden(b, "state", q->state >= 0 ? state_words[q->state] : "");
	page_add(b, " <input type=\"submit\" class=\"btn%s\" value=\"Filter\"></form>\n",
	    r->pages > 1 ? "" : " nojs");
	page_add(b, "  <div class=\"seg\" role=\"group\" aria-label=\"Layer\">");
	layer_link(b, q, 0, "All", r->all);
	layer_link(b, q, 4, "Layer 4:", r->layer4);
	layer_link(b, q, 7, "Layer 7:", r->layer7);
	page_add(b, "</div>\n  <a class=\"btn quiet\" href=\"");
	overview_href(b, q, "open", q->open[0] != '\0' ? "" : "all");
	page_add(b, "\">%s</a>\n", q->open[0] != '\0' ? "Fold all" : "Expand all");
	if (q->q[0] != '\0' || q->state >= 0)
		page_add(b, "  <a class=\"btn quiet\" href=\"/\">Show all</a>\n");
	page_add(b, " </div>\n");
}

static void
pager(struct buf *b, const struct overview_query *q, const struct overview_rows *r)
{
	unsigned page = q->page <= r->pages ? q->page : r->pages;
	char value[16];

	if (r->pages < 2)
		return;
	page_add(b, " <nav class=\"row pad\" aria-label=\"Pages\">");
	if (page > 1) {
		(void)snprintf(value, sizeof(value), "%u", page - 1);
		page_add(b, "<a class=\"btn sm\" rel=\"prev\" href=\"");
		overview_href(b, q, "page", value);
		page_add(b, "\">Previous</a> ");
	}
	page_add(b, "<span>Page %u of %u, %u services</span>", page, r->pages, r->matched);
	if (page < r->pages) {
		(void)snprintf(value, sizeof(value), "%u", page + 1);
		page_add(b, " <a class=\"btn sm\" rel=\"next\" href=\"");
		overview_href(b, q, "page", value);
		page_add(b, "\">Next</a>");
	}
	page_add(b, "</nav>\n");
}

static void
table(struct call *c, struct buf *b, const struct overview_query *q, const struct overview_rows *r)
{
	page_add(b,
	    " <table class=\"vips stackable\" id=\"vips-t\">\n  <caption class=\"vh\">Virtual services, sorted by %s. "
	    "Select a name to show its real servers.</caption>\n",
	    columns[q->sort].title);
	table_head(b, q);
	for (unsigned i = 0; i < r->n; i++)
		overview_tbody(c, b, q, r->v[i]);
	if (r->n == 0 && r->all == 0)
		page_add(b,
		    "  <tbody><tr><td colspan=\"11\">No virtual services yet. Add one as root with "
		    "<code>lbctl create vip web address=192.0.2.10 ports=80</code>, then "
		    "<code>lbctl create rip web/web1 address=192.0.2.21 port=8080</code>.</td></tr></tbody>\n");
	else if (r->n == 0)
		page_add(b,
		    "  <tbody><tr><td colspan=\"11\">No virtual service fits. <a href=\"/\">Show "
		    "all</a></td></tr></tbody>\n");
	page_add(b, " </table>\n");
}

void
overview_get(struct call *c)
{
	struct frame f = { .title = "System Overview", .refresh_s = frame_refresh(c) };
	struct overview_query q;
	struct overview_rows *r = mem_alloc(sizeof(*r));
	struct buf b = { 0 };

	follow_looked(c->w->follow);
	overview_parse(&c->query, &q);
	overview_select(web_view(c), &q, r);
	frame_begin(c, &b, &f);
	page_add(&b, "<div class=\"head\">\n <div><h1>System Overview</h1><p>Server time ");
	page_time(&b, (int64_t)time(NULL));
	page_add(&b, "</p></div>\n</div>\n");
	overview_notes(c, &b);
	overview_tiles(c, &b);
	page_add(&b, "<section class=\"box\" aria-labelledby=\"vips\">\n");
	box_head(&b, &q, r);
	table(c, &b, &q, r);
	pager(&b, &q, r);
	page_add(&b, "</section>\n");
	overview_charts(c, &b);
	frame_end(c, &b, &f);
	reply_page(c, 200, &b);
	free(r);
}
