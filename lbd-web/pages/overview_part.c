/* The parts of the overview above the table: notes that want to be read, and counts. */
#include "live/follow.h"
#include "live/history.h"
#include "overview.h"
#include "page.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void
trial_note(struct call *c, struct buf *b)
{
	const struct trial *t = web_trial(c->w);
	int64_t now = (int64_t)time(NULL);

	if (!t->pending)
		return;
	page_add(b,
	    "<section class=\"note w split\" aria-labelledby=\"trial\">\n <div>\n  <h2 id=\"trial\"><span class=\"st "
	    "warn\">A trial is running</span></h2>\n  <p>Revision %u by %s reverts to %u at ",
	    t->revision[SCOPE_SHARED] != 0 ? t->revision[SCOPE_SHARED] : t->revision[SCOPE_LOCAL],
	    t->who, t->revision[SCOPE_SHARED] != 0 ? t->base[SCOPE_SHARED] : t->base[SCOPE_LOCAL]);
	page_time(b, now + t->left_ms / 1000);
	page_add(b, ", in ");
	page_lasting(b, t->left_ms / 1000);
	page_add(b, ", unless it is kept%s.</p>\n </div>\n",
	    t->both ? "; on both nodes of the pair" : "");
	if (c->may >= ACCESS_R_OPERATOR) {
		page_add(b, " <form class=\"row\" method=\"post\" action=\"/trial\">");
		frame_csrf(c, b);
		page_add(b,
		    "<input type=\"submit\" class=\"btn pri\" name=\"keep\" value=\"Keep\"> "
		    "<input type=\"submit\" class=\"btn\" name=\"revert\" value=\"Revert now\"></form>\n");
	}
	page_add(b, "</section>\n");
}

static void
away_notes(struct call *c, struct buf *b)
{
	static const struct {
		const char *daemon, *what;
	} rows[] = {
		{ "lbd-check", "Nobody tests the real servers: their states are unknown." },
		{ "lbd-proxy", "Layer 7 services take no traffic and are not counted." },
		{ "lbd-ipvs",
		    "Layer 4 services go on as they are: no verdict, order or change reaches the kernel." },
		{ "lbd-ha", "Nobody looks after the floating addresses." },
	};
	unsigned n;
	const struct view_daemon *d = view_daemons(web_view(c), &n);

	for (unsigned i = 0; i < n; i++) {
		const char *what = NULL;

		for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
			if (strcmp(rows[k].daemon, d[i].name) == 0)
				what = rows[k].what;
		if (what == NULL || (d[i].running && d[i].fault[0] == '\0'))
			continue;
		page_add(b,
		    "<section class=\"note w\" aria-labelledby=\"n-%s\"><h2 id=\"n-%s\"><span class=\"st warn\">",
		    d[i].name, d[i].name);
		if (d[i].running)
			page_add(b, "%s has a fault</span></h2><p>%s</p></section>\n", d[i].name,
			    d[i].fault);
		else
			page_add(b,
			    "%s does not run</span></h2><p>%s Start it: <code>systemctl start %s</code></p></section>\n",
			    d[i].name, what, d[i].name);
	}
}

void
overview_notes(struct call *c, struct buf *b)
{
	page_add(b, "<div class=\"stack\" id=\"notes\">\n");
	trial_note(c, b);
	away_notes(c, b);
	page_add(b, "</div>\n");
}

static void
tile(struct buf *b, const struct overview_query *q, const char *state, unsigned n,
    const char *class, const char *word)
{
	page_add(b, " <a href=\"");
	overview_href(b, q, "state", state);
	page_add(b, "\"><b>%u</b> <span class=\"st %s\">%s</span></a>\n", n, class, word);
}

static void
sums(struct call *c, struct buf *b, const struct view_totals *t)
{
	struct buf rate = { 0 };
	const char *text, *space;
	double load = 0;

	page_add(b, " <div class=\"sum\"><b>");
	page_count(b, t->conns);
	page_add(b, "</b> <span class=\"mute\">Connections</span></div>\n <div class=\"sum\"><b>");
	page_count(b, (uint64_t)(t->rate.conns + 0.5f));
	page_add(b,
	    " <small>/s</small></b> <span class=\"mute\">New conns</span></div>\n <div class=\"sum\"><b>");
	page_bits(&rate, (double)t->rate.bytes_out);
	text = buf_text(&rate);
	space = strstr(text, "&nbsp;");
	buf_printf(b, "%.*s <small>%s</small></b> <span class=\"mute\">Traffic out</span></div>\n",
	    (int)(space - text), text, space + strlen("&nbsp;"));
	buf_fini(&rate);
	if (history_node(c->w->history, 0) != NULL)
		load = (double)history_node(c->w->history, 0)->load;
	page_add(b,
	    " <div class=\"sum\"><b>%.2f <small>of %ld</small></b> <span class=\"mute\">Load</span></div>\n",
	    load, sysconf(_SC_NPROCESSORS_ONLN));
}

void
overview_tiles(struct call *c, struct buf *b)
{
	const struct view_totals *t = web_totals(c->w);
	struct overview_query q;
	unsigned all = 0;

	overview_parse(&c->query, &q);
	q.open[0] = '\0';
	page_add(b, "<section class=\"box tiles\" id=\"tiles\" aria-label=\"Counts\">\n");
	tile(b, &q, "ok", t->services[ST_OK], "ok", "Healthy");
	tile(b, &q, "degraded", t->services[ST_WARN], "warn", "Degraded");
	tile(b, &q, "down", t->services[ST_DOWN], "down", "Down");
	tile(b, &q, "offline", t->services[ST_OFF], "off", "Offline");
	tile(b, &q, "unknown", t->services[ST_UNK], "unk", "Unknown");
	sums(c, b, t);
	for (int i = 0; i <= ST_UNK; i++)
		all += t->services[i];
	page_add(b,
	    "</section>\n<p class=\"vh\" role=\"status\" id=\"said\">%u services: %u healthy, %u degraded, %u down, %u "
	    "offline, %u unknown.</p>\n",
	    all, t->services[ST_OK], t->services[ST_WARN], t->services[ST_DOWN],
	    t->services[ST_OFF], t->services[ST_UNK]);
}
