/* What has to be known of an unfolded service before its real servers: how clients are shared out, kept and checked; what is
 * wrong with it. */
#include "live/history.h"
#include "overview.h"
#include "page.h"

#include <string.h>

void
page_ms(struct buf *b, uint64_t ms)
{
	if (ms % 1000 != 0)
		buf_printf(b, "%llu ms", (unsigned long long)ms);
	else if (ms > 0 && ms % 3600000 == 0)
		buf_printf(b, "%llu h", (unsigned long long)ms / 3600000);
	else if (ms > 0 && ms % 60000 == 0)
		buf_printf(b, "%llu min", (unsigned long long)ms / 60000);
	else
		buf_printf(b, "%llu s", (unsigned long long)ms / 1000);
}

/* Help texts of words are sentences: without the final stop, and beginning small. */
static void
phrase(struct buf *b, const struct words *w, int number)
{
	const char *help = "";
	char text[120];
	size_t n;

	for (unsigned i = 0; i < w->n; i++)
		if (w->w[i].number == number)
			help = w->w[i].help;
	n = strcspn(help, ".;:");
	n = n < sizeof(text) ? n : sizeof(text) - 1;
	memcpy(text, help, n);
	text[n] = '\0';
	if (text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a')
		text[0] = (char)(text[0] | 0x20);
	page_text(b, text);
}

static void
check_facts(struct buf *b, const struct check *k)
{
	if (k->kind == probe_none) {
		page_add(b, "none, servers count as fit");
		return;
	}
	if (k->kind == probe_http)
		page_add(b, "HTTP %s %s every ", word_text(&method_list, k->method), k->path);
	else
		page_add(b, "TCP connection every ");
	page_ms(b, k->interval);
}

/* Everything that has to be known of a service of layer 4, and of who takes its clients. */
static void
layer4_facts(struct buf *b, const struct view *v, const struct service *s)
{
	const struct view_service *l4 = view_l4(v, s->id);
	char first[ADDR_TEXT], last[ADDR_TEXT];

	for (unsigned i = 0; s->more_addresses != NULL && i < s->more_addresses->n; i++) {
		const struct addr_range *r = &s->more_addresses->r[i];

		addr_format(&r->lo, ADDR_HOST, first);
		addr_format(&r->hi, ADDR_HOST, last);
		page_add(b, i == 0 ? "<i class=\"vh\"> | </i><span>Also at: %s" : ", %s", first);
		if (strcmp(first, last) != 0)
			page_add(b, "–%s", last);
	}
	if (s->more_addresses != NULL && s->more_addresses->n > 0)
		page_add(b, "</span>");
	if (s->mode == mode_tun)
		page_add(b, "<i class=\"vh\"> | </i><span>Tunnel: %s</span>",
		    word_text(&tunnel_list, s->tunnel));
	if (l4 != NULL && l4->mark != 0)
		page_add(
		    b, "<i class=\"vh\"> | </i><span>Firewall mark: %u</span>", (unsigned)l4->mark);
}

static void
note(struct buf *b, const struct view *v, const struct service *s)
{
	char text[VIEW_NOTE];

	if (view_note(v, s, text))
		page_add(
		    b, "     <div class=\"facts\"><span class=\"st warn\">%s</span></div>\n", text);
}

/* What names a client, how long it is remembered, and whose table that is. */
static void
persistence_facts(struct buf *b, const struct service *s)
{
	switch (s->persistence) {
	case persistence_cookie:
	case persistence_app_cookie:
	case persistence_rewrite:
	case persistence_prefix:
	case persistence_route: page_add(b, " %s", s->cookie); break;
	case persistence_url_param:
	case persistence_header: page_add(b, " %s", s->persist_key); break;
	default: break;
	}
	if (s->persist_or_source)
		page_add(b, " or source");
	switch (s->persistence) {
	case persistence_none: break;
	case persistence_cookie:
	case persistence_rewrite:
	case persistence_prefix:
	case persistence_route:
		if (!s->persist_or_source)
			break;
		__attribute__((fallthrough));
	default: page_add(b, ", "); page_ms(b, s->persist_timeout);
	}
	if (s->persist_with[0] != '\0')
		page_add(b, ", with %s", s->persist_with);
}

void
overview_facts(struct call *c, struct buf *b, const struct service *s)
{
	const struct snapshot *snap = daemon_snapshot(c->w->d);
	const struct check *k = s->check != 0 ? snapshot_find(snap, KIND_check, s->check) : NULL;
	float points[HISTORY_POINTS], most = 0;

	note(b, web_view(c), s);
	page_add(b, "     <div class=\"facts\"><span>Scheduler: ");
	phrase(b, &scheduler_list, s->scheduler);
	page_add(b, "</span><i class=\"vh\"> | </i><span>Persistence: ");
	page_add(b, "%s", word_text(&persistence_list, s->persistence));
	persistence_facts(b, s);
	if (s->persistence != persistence_none)
		page_add(b,
		    " <a href=\"/persistence?vip=%s\">Clients <span class=\"vh\">of %s</span></a>",
		    s->name, s->name);
	page_add(b, "</span><i class=\"vh\"> | </i><span>Check: ");
	if (k != NULL)
		check_facts(b, k);
	else
		page_add(b, "TCP connection");
	page_add(b, "</span>");
	if (service_layer(s) == 4)
		layer4_facts(b, web_view(c), s);
	if (s->fallback.text[0] != '\0' || s->fallback_page)
		page_add(b, "<i class=\"vh\"> | </i><span>Fallback: %s</span>",
		    s->fallback.text[0] != '\0' ? s->fallback.text : "page of this node");
	if (history_points(c->w->history, s->id, points)) {
		for (int i = 0; i < HISTORY_POINTS; i++)
			most = points[i] > most ? points[i] : most;
		page_add(b, "<i class=\"vh\"> | </i><span>Peak of the last hour: ");
		page_bits(b, (double)most);
		page_add(b, " out</span>");
	}
	page_add(b, "</div>\n");
}
