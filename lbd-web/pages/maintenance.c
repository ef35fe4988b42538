/* Maintenance of a service of mode http: one click, and the addresses that come through to the servers meanwhile. It is a
 * field of the configuration, so it needs the role that the API asks for a change of a service, and the store's check says
 * what cannot be. */
#include "overview.h"
#include "page.h"

#include "schema/value.h"

#include <stdio.h>
#include <string.h>

#define BYPASS_SHOWN 32 /* ranges that are edited here; more of them belong into lbctl set */

static bool
may_switch(const struct call *c)
{
	return c->may >= ACCESS_R_ADMIN;
}

static void
bypass_text(const struct service *s, struct buf *out)
{
	const struct field *f = field_find(object_of(KIND_service), "maintenance_bypass");
	struct arena *a = arena_new(256);
	struct cell cell;

	value_save(f, s, a, &cell);
	value_format(f, &cell, NULL, out);
	arena_unref(a);
}

void
overview_maintenance_word(struct buf *b, const struct service *s)
{
	if (s->maintenance)
		page_add(b, " <span class=\"st off\">Maintenance</span>");
}

static void
bypass_field(struct buf *b, const struct service *s, const char *now)
{
	page_add(b,
	    "<label for=\"mb-%s\">Addresses that come through</label> <input id=\"mb-%s\" name=\"bypass\" "
	    "value=\"%s\" placeholder=\"none\" maxlength=\"2000\" autocomplete=\"off\"> ",
	    s->name, s->name, now);
}

static void
form(struct call *c, struct buf *b, const struct overview_query *q, const struct service *s,
    const char *bypass, bool editable)
{
	page_add(b, "<form class=\"row\" method=\"post\" action=\"/maintenance\">");
	frame_csrf(c, b);
	page_add(b, "<input type=\"hidden\" name=\"vip\" value=\"%s\">", s->name);
	page_add(b, "<input type=\"hidden\" name=\"view\" value=\"");
	overview_href(b, q, NULL, NULL);
	page_add(b, "\">");
	if (editable)
		bypass_field(b, s, bypass);
	if (s->maintenance)
		page_add(b,
		    "<input class=\"btn sm pri\" type=\"submit\" name=\"off\" value=\"End maintenance\" "
		    "aria-label=\"End maintenance of %s\">",
		    s->name);
	else
		page_add(b,
		    "<input class=\"btn sm\" type=\"submit\" name=\"on\" value=\"Begin maintenance\" "
		    "aria-label=\"Begin maintenance of %s\">",
		    s->name);
	if (s->maintenance && editable)
		page_add(b,
		    " <input class=\"btn sm\" type=\"submit\" name=\"keep\" value=\"Save addresses\" "
		    "aria-label=\"Save addresses that come through to %s\">",
		    s->name);
	page_add(b, "</form>");
}

void
overview_maintenance(
    struct call *c, struct buf *b, const struct overview_query *q, const struct service *s)
{
	bool editable = s->maintenance_bypass == NULL || s->maintenance_bypass->n <= BYPASS_SHOWN;
	struct buf text = { 0 };

	if (s->mode != mode_http || s->address.family == 0 || (!s->maintenance && !may_switch(c)))
		return;
	if (editable)
		bypass_text(s, &text);
	page_add(b, "     <div class=\"facts\"><span>");
	if (s->maintenance)
		page_add(b, "<b class=\"st off\">Maintenance</b> every request gets the page");
	else
		page_add(b, "Maintenance: off");
	if (s->maintenance && !editable)
		page_add(b, ", but for %u ranges of addresses", s->maintenance_bypass->n);
	else if (s->maintenance && text.len > 0)
		page_add(b, ", but for %s", buf_text(&text));
	page_add(b, "</span>");
	if (may_switch(c)) {
		page_add(b, "<i class=\"vh\"> | </i>");
		form(c, b, q, s, buf_text(&text), editable);
	}
	page_add(b, "</div>\n");
	buf_fini(&text);
}

/* ---- the form ------------------------------------------------------------------------------------------------ */

static int
fill(struct call *c, struct doc *d, const char *vip, struct err *err)
{
	struct doc_item *it;
	int rc = doc_add(d, DOC_MERGE, object_of(KIND_service), vip, 0, &it, err);

	if (rc == 0 && pairs_get(&c->form, "keep") == NULL)
		rc = doc_set(
		    d, it, "maintenance", pairs_get(&c->form, "on") != NULL ? "yes" : "no", err);
	if (rc == 0 && pairs_get(&c->form, "bypass") != NULL)
		rc = doc_set(d, it, "maintenance_bypass", call_form(c, "bypass"), err);
	return rc;
}

void
maintenance_post(struct call *c)
{
	const char *vip = call_form(c, "vip"), *view = call_form(c, "view");
	struct commit_how how = { 0 };
	struct commit_result r = { 0 };
	struct err err = { 0 };
	char other[80];
	struct doc d;
	int rc;

	if (snapshot_find_path(daemon_snapshot(c->w->d), KIND_service, vip) == NULL) {
		reply_fail(c, 404, "vip %s does not exist", vip);
		return;
	}
	if (pairs_get(&c->form, "on") == NULL && pairs_get(&c->form, "off") == NULL &&
	    pairs_get(&c->form, "keep") == NULL) {
		reply_fail(c, 422, "the form names no action: on, off or keep");
		return;
	}
	(void)snprintf(other, sizeof(other), "?open=%.64s", vip);
	doc_init(&d);
	rc = fill(c, &d, vip, &err);
	if (rc == 0)
		rc = commit_doc(c, &d, &how, &r, &err);
	if (rc != 0)
		reply_error(c, 0, &err);
	else
		reply_overview(c, view[0] == '?' ? view : other, vip);
	doc_fini(&d);
	commit_result_fini(&r);
}
