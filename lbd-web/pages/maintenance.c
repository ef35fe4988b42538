/* The maintenance page of a service, switched from the overview: the field of the service, by the same way to the store as any other
 * change. Who reaches the servers nevertheless (maintenance_bypass) and what the page says (error_pages) is configuration. */
#include "overview.h"
#include "page.h"
#include "web.h"

#include <string.h>

static void
bypass_words(struct buf *b, const struct service *s)
{
	char first[ADDR_TEXT], last[ADDR_TEXT];

	if (s->maintenance_bypass == NULL || s->maintenance_bypass->n == 0) {
		page_add(b, "nobody reaches the servers");
		return;
	}
	for (unsigned i = 0; i < s->maintenance_bypass->n; i++) {
		const struct addr_range *r = &s->maintenance_bypass->r[i];

		addr_format(&r->lo, ADDR_HOST, first);
		addr_format(&r->hi, ADDR_HOST, last);
		page_add(b, i == 0 ? "%s" : ", %s", first);
		if (strcmp(first, last) != 0)
			page_add(b, "–%s", last);
	}
	page_add(
	    b, s->maintenance_bypass->total == 1 ? " reaches the servers" : " reach the servers");
}

void
overview_maintenance(
    struct call *c, struct buf *b, const struct overview_query *q, const struct service *s)
{
	const char *to = s->maintenance ? "off" : "on";

	if (s->mode != mode_http || (!s->maintenance && c->may < ACCESS_R_ADMIN))
		return;
	page_add(b, "     <form class=\"facts\" method=\"post\" action=\"/maintenance\"><span>");
	if (s->maintenance) {
		page_add(b,
		    "<span class=\"st off\">Maintenance</span> Requests are answered with the maintenance page; ");
		bypass_words(b, s);
		page_add(b, ".");
	} else {
		page_add(b, "Maintenance page: off");
	}
	page_add(b, "</span>");
	if (c->may >= ACCESS_R_ADMIN) {
		frame_csrf(c, b);
		page_add(b,
		    "<input type=\"hidden\" name=\"vip\" value=\"%s\"><input type=\"hidden\" name=\"view\" value=\"",
		    s->name);
		overview_href(b, q, NULL, NULL);
		page_add(b,
		    "\"><input class=\"btn sm\" type=\"submit\" name=\"%s\" value=\"Maintenance %s\" aria-label=\"Maintenance %s "
		    "for %s\">",
		    to, to, to, s->name);
	}
	page_add(b, "</form>\n");
}

void
maintenance_post(struct call *c)
{
	const char *vip = call_form(c, "vip"), *view = call_form(c, "view");
	bool on = pairs_get(&c->form, "on") != NULL;
	struct commit_result r = { 0 };
	struct doc_item *it;
	struct err err = { 0 };
	struct doc d;
	int rc;

	if (!on && pairs_get(&c->form, "off") == NULL) {
		reply_fail(c, 422, "the form names no action: on or off");
		return;
	}
	doc_init(&d);
	rc = doc_add(&d, DOC_MERGE, object_of(KIND_service), vip, 0, &it, &err);
	if (rc == 0)
		rc = doc_set(&d, it, "maintenance", on ? "yes" : "no", &err);
	if (rc == 0)
		rc = commit_doc(c, &d, NULL, &r, &err);
	if (rc != 0)
		reply_error(c, 0, &err);
	else
		reply_overview(c, view, vip);
	commit_result_fini(&r);
	doc_fini(&d);
}
