/* Persistence entries are forgotten: one by a click; all that a server, a service or a layer has after a page that says what that
 * means. The daemon that has them does it. */
#include "live/follow.h"
#include "page.h"
#include "persistence.h"

#include "base/mem.h"
#include "sys/log.h"

#include <stdlib.h>
#include <string.h>

static void
confirm_page(struct call *c, const struct persistence_wish *w)
{
	struct frame f = { .title = "Forget clients" };
	struct buf b = { 0 };

	frame_begin(c, &b, &f);
	page_add(&b,
	    "<div class=\"mid stack\">\n<div class=\"head\"><div><p class=\"small\"><a href=\"/persistence\">Persistence</a>"
	    "</p><h1>Forget ");
	persistence_all_of(&b, w);
	page_add(&b,
	    "?</h1></div></div>\n<section class=\"box\" aria-labelledby=\"wh\"><div class=\"boxhead\"><h2 id=\"wh\">What "
	    "happens</h2></div>\n <dl class=\"dl pad\">\n  <dt>Next connection</dt><dd>is balanced anew, and may reach "
	    "another server: what that one does not know of a client is lost to him</dd>\n  <dt>Open connections</dt><dd>go "
	    "on</dd>\n  <dt>Way back</dt><dd>None</dd>\n </dl></section>\n"
	    "<form class=\"box pad row\" method=\"post\" action=\"/persistence\">");
	persistence_hidden(c, &b, w);
	page_add(&b,
	    "<input type=\"hidden\" name=\"sure\" value=\"yes\"><input type=\"submit\" class=\"btn red\" name=\"all\" "
	    "value=\"Forget ");
	persistence_all_of(&b, w);
	buf_puts(&b, "\"> <a class=\"btn\" href=\"");
	persistence_href(&b, "/persistence", w, 0);
	buf_puts(&b, "\">Cancel</a></form>\n</div>\n");
	frame_end(c, &b, &f);
	reply_page(c, 200, &b);
}

struct forgetting {
	struct call *c;
	struct persistence_wish w;
};

static void
on_forgotten(void *arg, int code, const char *text)
{
	struct forgetting *g = arg;
	struct call *c = g->c;
	struct buf url = { 0 };

	if (code != 0)
		reply_fail(c,
		    code == ERR_INVALID	   ? 422
		    : code == ERR_CONFLICT ? 409
					   : 503,
		    "%s: %s", persistence_daemon_of(&g->w), text != NULL ? text : "");
	else {
		log_at(LOG_P_INFO, "LBD_EVENT=audit\n", "user %s from %s: forget %s of %s", c->user,
		    c->origin, g->w.client[0] != '\0' ? g->w.client : "every client",
		    g->w.rip[0] != '\0'	  ? g->w.rip
		    : g->w.vip[0] != '\0' ? g->w.vip
		    : g->w.layer == 4	  ? "layer 4"
					  : "layer 7");
		buf_printf(&url, "/persistence?layer=%u", g->w.layer);
		if (g->w.rip[0] != '\0' || g->w.vip[0] != '\0') {
			buf_puts(&url, g->w.rip[0] != '\0' ? "&rip=" : "&vip=");
			page_url(&url, g->w.rip[0] != '\0' ? g->w.rip : g->w.vip);
		}
		reply_redirect(c, buf_text(&url));
	}
	buf_fini(&url);
	call_free(c);
	free(g);
}

void
persistence_post(struct call *c)
{
	bool all = pairs_get(&c->form, "all") != NULL;
	struct msg_persist_clear m = { 0 };
	struct forgetting *g;
	struct persistence_wish w;

	if (!persistence_take(c, &c->form, &w))
		return;
	if (!all && w.client[0] == '\0') {
		reply_fail(c, 422, "the form names neither a client nor all of them");
		return;
	}
	if (all && call_form(c, "sure")[0] == '\0') {
		confirm_page(c, &w);
		return;
	}
	g = mem_alloc(sizeof(*g));
	*g = (struct forgetting){ .c = c, .w = w };
	m.service = w.service != NULL ? w.service->id : 0;
	m.server = w.server != NULL ? w.server->id : 0;
	if (all)
		g->w.client[0] = '\0';
	else
		m.key = SPAN(g->w.client);
	if (follow_ask(c->w->follow, persistence_daemon_of(&w), MSG_PERSIST_CLEAR, &m, NULL,
		on_forgotten, g) != 0) {
		reply_fail(c, 503, "%s does not run", persistence_daemon_of(&w));
		free(g);
		return;
	}
	c->later = true;
	http_later(c->rq);
}
