/* The page around the content: head, top bar with the state of this node, menu, foot. The menu lists what there is.
 * Theme and refresh are plain forms that set a cookie; the script does the same without a round trip. */
#include "page.h"
#include "web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const unsigned refreshes[] = { 1, 3, 10, 30, 0 };

static void
cookie(const struct call *c, const char *name, char *out, size_t room)
{
	const char *header = http_header(c->rq, "Cookie");

	out[0] = '\0';
	if (header != NULL)
		(void)cookie_get(header, name, out, room);
}

static const char *
theme(const struct call *c)
{
	char text[8];

	cookie(c, "lbd-theme", text, sizeof(text));
	return strcmp(text, "dark") == 0 ? "dark" : strcmp(text, "light") == 0 ? "light" : "";
}

unsigned
frame_refresh(const struct call *c)
{
	char text[8];

	cookie(c, "lbd-refresh", text, sizeof(text));
	for (size_t i = 0; i < sizeof(refreshes) / sizeof(refreshes[0]) && text[0] != '\0'; i++)
		if ((unsigned)atoi(text) == refreshes[i])
			return refreshes[i];
	return refreshes[1];
}

static bool
refresh_chosen(const struct call *c)
{
	char text[8];

	cookie(c, "lbd-refresh", text, sizeof(text));
	return text[0] != '\0' && frame_refresh(c) > 0;
}

void
frame_csrf(struct call *c, struct buf *b)
{
	if (c->session != NULL)
		page_add(b, "<input type=\"hidden\" name=\"csrf\" value=\"%s\">", c->session->csrf);
}

static void
head(struct call *c, struct buf *b, const struct frame *f)
{
	const char *t = theme(c);

	page_add(b, "<!doctype html>\n<html lang=\"en\"");
	if (t[0] != '\0')
		page_add(b, " class=\"%s\"", t);
	page_add(b,
	    ">\n<head>\n<meta charset=\"utf-8\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
	    "<meta name=\"color-scheme\" content=\"light dark\">\n<title>%s · %s · lbd</title>\n"
	    "<link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" href=\"%s\">\n"
	    "<script src=\"%s\" defer></script>\n",
	    f->title, c->w->hostname, assets_path("app.css"), assets_path("app.js"));
	if (f->refresh_s > 0 &&
	    refresh_chosen(c)) /* only on demand, and never when the script is there */
		page_add(b, "<noscript><meta http-equiv=\"refresh\" content=\"%u\"></noscript>\n",
		    f->refresh_s);
	page_add(b, "</head>\n");
}

void
frame_bar(struct call *c, struct buf *b)
{
	struct view *v = web_view(c);
	const struct view_role *r = view_role(v);
	bool heard = r != NULL && r->heard,
	     none = snapshot_count(daemon_snapshot(c->w->d), KIND_service) == 0;
	const char *class = !heard || none ? "unk" : "ok";

	page_add(
	    b, "<div class=\"bar\" id=\"bar\" role=\"group\" aria-label=\"State of this node\">\n");
	page_add(b, " <span class=\"kv\"><span>Role </span><b>%s</b></span><i> | </i>\n",
	    !heard	? "Unknown"
	    : r->master ? "Master"
			: "Slave");
	page_add(b,
	    " <span class=\"kv\"><span>State </span><b class=\"st %s\">%s</b></span><i> | </i>\n",
	    class,
	    !heard	? "Unknown"
	    : none	? "No services"
	    : r->active ? "Active"
			: "Passive");
	page_add(b,
	    " <span class=\"kv\"><span>Link </span><b class=\"st unk\">%s</b></span>\n</div>\n",
	    heard && r->peer ? "Unknown" : "No slave defined");
}

static void
tools(struct call *c, struct buf *b, const struct frame *f)
{
	unsigned every = frame_refresh(c);

	page_add(b, " <div class=\"tools\">\n");
	if (f->refresh_s > 0 || every == 0) {
		page_add(b, "  <form method=\"post\" action=\"/refresh\">");
		frame_csrf(c, b);
		page_add(b, "<label for=\"every\">Refresh</label>"
			    "<select id=\"every\" name=\"every\" data-auto>");
		for (size_t i = 0; i < sizeof(refreshes) / sizeof(refreshes[0]); i++) {
			buf_printf(b, "<option value=\"%u\"%s>", refreshes[i],
			    refreshes[i] == every ? " selected" : "");
			buf_printf(b, refreshes[i] > 0 ? "%u s</option>" : "Paused</option>",
			    refreshes[i]);
		}
		page_add(b,
		    "</select> <input type=\"submit\" class=\"btn sm nojs\" value=\"Set\"></form>\n");
	}
	page_add(b, "  <form method=\"post\" action=\"/theme\">");
	frame_csrf(c, b);
	page_add(
	    b, "<input type=\"submit\" class=\"btn sm\" name=\"theme\" value=\"Theme\"></form>\n");
	page_add(b,
	    "  <a class=\"nw\" href=\"/account\">%s <span class=\"vh\">(account)</span></a>\n",
	    c->user);
	page_add(b, " </div>\n");
}

static void
menu(struct call *c, struct buf *b)
{
	static const struct {
		const char *path, *icon, *word;
		bool tab; /* opens in a new one */
	} rows[] = {
		{ "/", "n1", "System Overview", false },
		{ "/persistence", "n7", "Persistence", false },
		{ "/certs", "n5", "Certificates", false },
		{ "/reports/layer7", "n6", "Layer 7 status", true },
		{ "/account", "n2", "Account", false },
	};

	page_add(b,
	    "<nav class=\"nav\" id=\"nav\" aria-label=\"Main menu\" tabindex=\"-1\">\n <div>\n"
	    " <p class=\"close\"><a class=\"btn\" href=\"#main\">Close menu</a></p>\n <ul>\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		page_add(b, "  <li><a class=\"%s\" href=\"%s\"", rows[i].icon, rows[i].path);
		if (rows[i].tab)
			page_add(b, " target=\"_blank\"");
		if (strcmp(c->rq->path, rows[i].path) == 0)
			page_add(b, " aria-current=\"page\"");
		page_add(b, ">%s", rows[i].word);
		if (rows[i].tab)
			page_add(b, " <span class=\"vh\">(in a new tab)</span>");
		page_add(b, "</a></li>\n");
	}
	page_add(b, " </ul>\n </div>\n</nav>\n");
}

void
frame_begin(struct call *c, struct buf *b, const struct frame *f)
{
	head(c, b, f);
	if (f->lone) {
		page_add(b,
		    "<body>\n<main class=\"lone\" id=\"main\">\n <div class=\"head\"><span class=\"brand\"><b>lbd</b> "
		    "<span>%s</span></span></div>\n",
		    c->w->hostname);
		return;
	}
	page_add(b,
	    "<body>\n<a class=\"skip\" href=\"#main\">Skip to content</a>\n<header class=\"top\">\n"
	    " <a class=\"brand\" href=\"/\"><b>lbd</b> <span>%s</span></a>\n"
	    " <a class=\"btn sm menu\" href=\"#nav\">Menu</a>\n",
	    c->w->hostname);
	frame_bar(c, b);
	tools(c, b, f);
	page_add(b, "</header>\n");
	menu(c, b);
	page_add(b, "<main id=\"main\" tabindex=\"-1\">\n");
}

void
frame_end(struct call *c, struct buf *b, const struct frame *f)
{
	if (!f->lone) {
		page_add(b,
		    "<footer class=\"foot\"><span>lbd %s on %s</span><i class=\"vh\"> | </i><span>Revision %u</span>"
		    "<i class=\"vh\"> | </i><span>",
		    LBD_VERSION, c->w->hostname,
		    snapshot_revision(daemon_snapshot(c->w->d), SCOPE_SHARED));
		page_time(b, (int64_t)time(NULL));
		page_add(b, "</span></footer>\n");
	}
	page_add(b, "</main>\n</body>\n</html>\n");
}

static void
keep(struct call *c, const char *name, const char *value)
{
	char line[128];

	(void)snprintf(line, sizeof(line), "%s=%s; Path=/; Max-Age=31536000; SameSite=Strict%s",
	    name, value, c->rq->tls ? "; Secure" : "");
	http_set(c->rq, "Set-Cookie", line);
}

/* Without script the server cannot know what the system prefers: the first press is dark. */
void
theme_post(struct call *c)
{
	keep(c, "lbd-theme", strcmp(theme(c), "dark") == 0 ? "light" : "dark");
	reply_redirect(c, c->session != NULL ? "/" : "/login");
}

void
refresh_post(struct call *c)
{
	unsigned every = (unsigned)atoi(call_form(c, "every"));
	char text[8];

	for (size_t i = 0; i < sizeof(refreshes) / sizeof(refreshes[0]); i++) {
		if (refreshes[i] != every)
			continue;
		(void)snprintf(text, sizeof(text), "%u", every);
		keep(c, "lbd-refresh", text);
		reply_redirect(c, "/");
		return;
	}
	reply_fail(c, 422, "refresh: %s: allowed is 1, 3, 10, 30 or 0", call_form(c, "every"));
}
