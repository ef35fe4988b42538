/* One service of the overview as a <tbody>: the row itself, and when it is unfolded its facts and real servers with
 * their buttons. This is the unit that the live stream replaces, so the same function serves the first page, the
 * update, the text browser and the tests.
 *
 * Numbers that nobody counted (yet) are shown as a dash, never as zero. */
#include "overview.h"
#include "live/follow.h"
#include "live/history.h"
#include "page.h"

#include <stdio.h>
#include <string.h>

static void
ports(struct buf *b, const struct ranges *r)
{
	for (unsigned i = 0; r != NULL && i < r->n; i++) {
		buf_puts(b, i > 0 ? ", " : "");
		if (r->r[i].lo == r->r[i].hi)
			buf_printf(b, "%u", r->r[i].lo);
		else
			buf_printf(b, "%u–%u", r->r[i].lo, r->r[i].hi);
	}
}

static void
dash(struct buf *b)
{
	buf_puts(b, "<span title=\"not counted\">–</span>");
}

static const char *
protocol(const struct service *s)
{
	if (s->mode == mode_http)
		return "HTTP";
	switch (s->protocol) {
	case protocol_udp: return "UDP";
	case protocol_sctp: return "SCTP";
	case protocol_tcp_udp: return "TCP+UDP";
	default: return "TCP";
	}
}

static const char *
mode(const struct service *s)
{
	switch (s->mode) {
	case mode_dr: return "DR";
	case mode_nat: return "NAT";
	case mode_tun: return "TUN";
	case mode_snat: return "SNAT";
	default: return "Proxy";
	}
}

static void
service_cells(struct call *c, struct buf *b, const struct overview_query *q,
    const struct service *s, bool open)
{
	struct view *v = web_view(c);
	const struct view_service *now = view_service(v, s->id);
	struct service_view t;
	enum status st = view_service_status(v, s, &t);
	char address[ADDR_TEXT];
	bool counted = now != NULL && now->counted;

	addr_format(&s->address, ADDR_HOST, address);
	page_add(b, "   <tr class=\"vip hv %s%s\"><td><span class=\"st %s\">%s</span></td>",
	    status_class(st), open ? " open" : "", status_class(st),
	    s->enabled ? status_word(st, &t) : "Disabled");
	page_add(b, "<th class=\"full\" scope=\"row\"><a class=\"exp\" href=\"");
	overview_toggle(b, q, s->name);
	page_add(b, "#%s\" aria-expanded=\"%s\">%s</a>", s->name, open ? "true" : "false", s->name);
	overview_maintenance_word(b, s);
	page_add(b, "</th><td>%s", address[0] != '\0' ? address : "pool");
	if (s->more_addresses != NULL && s->more_addresses->n > 0)
		buf_printf(b, " <small>+%u</small>", (unsigned)s->more_addresses->total);
	page_add(b, "</td><td class=\"r\">");
	ports(b, s->ports);
	page_add(b, "</td><td class=\"num\" data-l=\"Conns\">");
	if (counted)
		page_count(b, now->counts.conns);
	else
		dash(b);
	page_add(b, "</td><td class=\"r\">%s</td><td>Layer&nbsp;%u</td><td class=\"r\">%s</td>",
	    protocol(s), service_layer(s), mode(s));
	page_add(b, "<td class=\"num\" data-l=\"Up\">%u of %u</td><td class=\"num nw r\">",
	    t.up + t.warn, service_servers(&t));
	if (counted)
		page_bits(b, (double)now->rate.bytes_out);
	else
		dash(b);
	page_add(b, "</td><td class=\"full\">");
	overview_spark(c, b, s->id);
	page_add(b, "</td></tr>\n");
}

static void
button(struct buf *b, const char *name, const char *label, const char *path)
{
	page_add(b,
	    "<input class=\"btn sm\" type=\"submit\" name=\"%s\" value=\"%s\" aria-label=\"%s %s\"> ",
	    name, label, label, path);
}

static void
buttons(struct call *c, struct buf *b, const struct overview_query *q, const char *path,
    enum server_state st)
{
	if (c->may < ACCESS_R_OPERATOR)
		return;
	page_add(b, "<form method=\"post\" action=\"/act\">");
	frame_csrf(c, b);
	page_add(b, "<input type=\"hidden\" name=\"rip\" value=\"%s\">", path);
	page_add(b, "<input type=\"hidden\" name=\"view\" value=\"");
	overview_href(b, q, NULL, NULL);
	page_add(b, "\">");
	if (st == SRV_UP || st == SRV_WARN || st == SRV_UNKNOWN)
		button(b, "drain", "Drain", path);
	if (st == SRV_DOWN)
		button(b, "check", "Check", path);
	if (st != SRV_HALT)
		button(b, "halt", "Halt", path);
	if (st == SRV_DRAIN || st == SRV_HALT)
		button(b, "online", "Online", path);
	page_add(b, "</form>");
}

static void
order_words(struct buf *b, const struct view *v, const struct server *r, const struct admin *a)
{
	const struct view_server *now = view_server(v, r->id);

	if (view_safe_to_power_off(v, r))
		page_add(b, "<span class=\"safe\">Safe to power off</span> ");
	else if (now != NULL && now->counted && now->counts.conns > 0) {
		page_count(b, now->counts.conns);
		page_add(
		    b, now->counts.conns == 1 ? " connection finishing" : " connections finishing");
		if (a->until != 0) {
			page_add(b, ", until ");
			page_clock(b, a->until);
			page_add(b, " at most");
		}
		page_add(b, ". ");
	}
	page_add(b, a->state == admin_state_halt ? "Halted " : "Drained ");
	if (a->since != 0)
		page_clock(b, a->since);
	if (a->who[0] != '\0')
		page_add(b, " by %s", a->who);
	if (a->why[0] != '\0')
		page_add(b, ": %s", a->why);
}

static void
hint_words(struct buf *b, const struct view_server *h)
{
	if (h == NULL)
		return;
	if (h->hint < FINDINGS && finding_text[h->hint] != NULL)
		page_add(b, "%s", finding_text[h->hint]);
	if (h->hint_text != NULL)
		page_add(b, ": %s", h->hint_text);
	if (h->hint_since != 0) {
		page_add(b, ", since ");
		page_clock(b, h->hint_since);
	}
}

static void
last_check(struct buf *b, const struct view *v, const struct server *r, enum server_state st)
{
	const struct view_server *now = view_server(v, r->id);
	const struct admin *a = snapshot_admin(view_snapshot(v), r->id);

	if (st == SRV_DRAIN || st == SRV_HALT) {
		order_words(b, v, r, a);
		return;
	}
	if (st == SRV_WARN) {
		hint_words(b, view_hint(v, r->id));
		return;
	}
	if (st == SRV_UNKNOWN || now == NULL || !now->heard) {
		page_add(b, now != NULL && now->heard && now->verdict != VERDICT_UNKNOWN
				? "lbd-check does not answer"
				: "No check result yet");
		return;
	}
	if (now->text != NULL)
		page_add(b, "%s", now->text);
	else
		page_add(b, "%s",
		    now->reason < REASONS && reason_text[now->reason] != NULL
			? reason_text[now->reason]
			: "");
	if (st == SRV_DOWN && now->since != 0) {
		page_add(b, ", down since ");
		page_clock(b, now->since);
	}
}

static void
server_address(struct buf *b, const struct server *r)
{
	bool six = r->address.addr.family == 6;

	page_add(b, six && r->port != 0 ? "[%s]" : "%s", r->address.text);
	if (r->port != 0)
		buf_printf(b, ":%u", r->port);
}

static void
server_row(struct call *c, struct buf *b, const struct overview_query *q, const struct service *s,
    const struct server *r)
{
	struct view *v = web_view(c);
	const struct view_server *now = view_server(v, r->id);
	enum server_state st = view_server_state(v, r);
	bool counted = now != NULL && now->counted;
	char path[160];

	(void)snapshot_path(view_snapshot(v), KIND_server, r->id, path);
	page_add(b,
	    "      <tr class=\"rip\"><td><span class=\"st %s\">%s</span></td><th scope=\"row\">%s</th><td>",
	    status_class(server_status(st)), server_word(st), r->name);
	server_address(b, r);
	page_add(b,
	    "</td><td class=\"num\" data-l=\"Weight\">%u</td><td class=\"num r\" data-l=\"Conns\">",
	    snapshot_weight(view_snapshot(v), r));
	if (counted)
		page_count(b, now->counts.conns);
	else
		dash(b);
	page_add(b, "</td><td class=\"num\" data-l=\"New/s\">");
	if (counted)
		page_add(b, "%.0f",
		    (double)(service_layer(s) == 4 ? now->rate.conns : now->rate.requests));
	else
		dash(b);
	page_add(b, "</td><td class=\"mute full\">");
	last_check(b, v, r, st);
	page_add(b, "</td><td class=\"full\">");
	buttons(c, b, q, path, st);
	page_add(b, "</td></tr>\n");
}

void
overview_tbody(
    struct call *c, struct buf *b, const struct overview_query *q, const struct service *s)
{
	bool open = overview_is_open(q, s->name);
	const void *const *rips;
	uint32_t n;

	page_add(b, "  <tbody id=\"%s\">\n", s->name);
	service_cells(c, b, q, s, open);
	if (open) {
		rips = snapshot_children(daemon_snapshot(c->w->d), KIND_server, s->id, &n);
		page_add(b, "   <tr class=\"sub\"><td colspan=\"11\"><div class=\"box\">\n");
		overview_facts(c, b, s);
		overview_maintenance(c, b, q, s);
		page_add(b,
		    "     <table class=\"stackable\"><caption class=\"vh\">Real servers of %s</caption>\n"
		    "      <thead><tr><th scope=\"col\">Status</th><th scope=\"col\">Real server</th><th "
		    "scope=\"col\">Address</th><th class=\"num\" scope=\"col\">Weight</th><th class=\"num\" "
		    "scope=\"col\">Conns</th><th class=\"num\" scope=\"col\">New/s</th><th scope=\"col\">Last check</th>"
		    "<th class=\"num\" scope=\"col\">Actions</th></tr></thead>\n      <tbody>\n",
		    s->name);
		for (uint32_t i = 0; i < n; i++)
			server_row(c, b, q, s, rips[i]);
		if (n == 0)
			page_add(b,
			    "      <tr><td colspan=\"8\">No real servers yet. Add one with <code>lbctl create "
			    "rip %s/NAME address=ADDRESS</code>.</td></tr>\n",
			    s->name);
		page_add(b, "      </tbody></table>\n    </div></td></tr>\n");
	}
	page_add(b, "  </tbody>\n");
}
