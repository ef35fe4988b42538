/* Certificates: what is in them, when they end, who uses them; the forms that make, ask for and take one are sent to certs_make.c.
 * Private keys are with lbd-proxy and never shown. */
#include "certs.h"
#include "page.h"

#include "store/x509.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- the list -------------------------------------------------------------------------------------------------- */

static void
state(struct buf *b, const struct cert *k, int64_t until, int64_t now)
{
	static const struct {
		const char *class, *word;
	} of[] = { [X509_FAR] = { "ok", "Good" },
		[X509_MONTH] = { "warn", "Ends within a month" },
		[X509_WEEK] = { "down", "Ends within a week" },
		[X509_DAY] = { "down", "Ends within a day" },
		[X509_EXPIRED] = { "down", "Expired" } };
	enum x509_end end = x509_ends(until, now);

	if (k->chain[0] == '\0')
		page_add(b, "<span class=\"st unk\">Requested</span>");
	else
		page_add(b, "<span class=\"st %s\">%s</span>", of[end].class, of[end].word);
}

static bool
uses(const struct snapshot *s, uint32_t tls, uint32_t cert)
{
	const struct tls *t = snapshot_find(s, KIND_tls, tls);

	if (t != NULL && t->cert == cert)
		return true;
	for (uint32_t i = 0; i < snapshot_count(s, KIND_sni); i++) {
		const struct sni *n = snapshot_at(s, KIND_sni, i);

		if (n->tls == tls && n->cert == cert)
			return true;
	}
	return false;
}

static unsigned
users(struct buf *b, struct snapshot *s, uint32_t cert)
{
	unsigned found = 0;

	for (uint32_t i = 0; i < snapshot_count(s, KIND_service); i++) {
		const struct service *v = snapshot_at(s, KIND_service, i);

		if (v->tls == 0 || !uses(s, v->tls, cert))
			continue;
		if (b != NULL)
			page_add(b, "%s<a href=\"/?open=%s#%s\">%s</a>", found > 0 ? ", " : "",
			    v->name, v->name, v->name);
		found++;
	}
	if (b != NULL && found == 0)
		page_add(b, "<span class=\"mute\">none</span>");
	return found;
}

static void
row(struct call *c, struct buf *b, const struct cert *k, int64_t now)
{
	struct snapshot *s = daemon_snapshot(c->w->d);
	struct x509_face f = { 0 };
	int64_t until = x509_until(k->chain);

	(void)x509_face(k->chain, 0, &f);
	page_add(b, "   <tr class=\"hv\"><td>");
	state(b, k, until, now);
	page_add(b,
	    "</td><th scope=\"row\">%s</th><td data-l=\"Hosts\">%s%s</td><td data-l=\"Issuer\">%s</td><td>",
	    k->name, f.names, f.more ? ", and more" : "", f.own ? "itself" : f.issuer);
	if (until != 0)
		page_time(b, until);
	page_add(b, "</td><td class=\"num\" data-l=\"Days left\">");
	if (until != 0)
		page_add(b, "%lld", (long long)((until - now) / 86400));
	page_add(b, "</td><td data-l=\"Used by\">");
	(void)users(b, s, k->id);
	page_add(b, "</td><td class=\"full\">");
	if (c->may >= ACCESS_R_ADMIN) {
		page_add(b, "<form class=\"row\" method=\"post\" action=\"/certs\">");
		frame_csrf(c, b);
		page_add(b,
		    "<input type=\"hidden\" name=\"name\" value=\"%s\"><input class=\"btn sm\" type=\"submit\" name=\"again\" "
		    "value=\"Request\" aria-label=\"Request for %s\"> <input class=\"btn sm\" type=\"submit\" name=\"delete\" "
		    "value=\"Delete\" aria-label=\"Delete %s\"></form>",
		    k->name, k->name, k->name);
	}
	page_add(b, "</td></tr>\n");
}

static void
table(struct call *c, struct buf *b)
{
	int64_t now = (int64_t)time(NULL);
	uint32_t n;
	const void *const *all = snapshot_by_name(daemon_snapshot(c->w->d), KIND_cert, &n);

	page_add(b,
	    "<section class=\"box\" aria-label=\"Certificates\">\n <table class=\"stackable\"><caption "
	    "class=\"vh\">Certificates</caption>\n  <thead><tr><th scope=\"col\">Status</th><th scope=\"col\">Name</th><th "
	    "scope=\"col\">Hosts</th><th scope=\"col\">Issuer</th><th scope=\"col\">Until</th><th class=\"num\" "
	    "scope=\"col\">Days left</th><th scope=\"col\">Used by</th><th scope=\"col\">Actions</th></tr></thead>\n  <tbody>\n");
	for (uint32_t i = 0; i < n; i++)
		row(c, b, all[i], now);
	if (n == 0)
		page_add(b, "   <tr><td colspan=\"8\">No certificates yet.</td></tr>\n");
	page_add(b, "  </tbody></table>\n</section>\n");
}

/* ---- forms -------------------------------------------------------------------------------------------------------- */

static void
field(struct buf *b, const char *form, const char *name, const char *label, const char *help,
    const char *more)
{
	page_add(b,
	    " <div class=\"f\"><label for=\"%s-%s\">%s</label><input id=\"%s-%s\" name=\"%s\" "
	    "aria-describedby=\"%s-%s-h\" autocomplete=\"off\"",
	    form, name, label, form, name, name, form, name);
	buf_puts(b, more);
	page_add(b, "><p class=\"help\" id=\"%s-%s-h\">%s</p></div>\n", form, name, help);
}

static void
area(struct buf *b, const char *name, const char *label, const char *help)
{
	page_add(b,
	    " <div class=\"f wide\"><label for=\"i-%s\">%s</label><textarea id=\"i-%s\" name=\"%s\" rows=\"5\" "
	    "spellcheck=\"false\" aria-describedby=\"i-%s-h\"></textarea><p class=\"help\" id=\"i-%s-h\">%s</p></div>\n",
	    name, label, name, name, name, name, help);
}

static void
begin(struct call *c, struct buf *b, const char *id, const char *title)
{
	page_add(b,
	    "<form class=\"box\" method=\"post\" action=\"/certs\" aria-labelledby=\"%s\"><div class=\"boxhead\"><h2 "
	    "id=\"%s\">%s</h2></div>\n",
	    id, id, title);
	frame_csrf(c, b);
	page_add(b, "<div class=\"grid\">\n");
}

static void
end(struct buf *b, const char *name, const char *label)
{
	page_add(b,
	    "</div>\n<div class=\"acts\"><input type=\"submit\" class=\"btn\" name=\"%s\" value=\"%s\"></div></form>\n",
	    name, label);
}

static void
forms(struct call *c, struct buf *b)
{
	begin(c, b, "imp", "Import");
	field(b, "i", "name", "Name", "A name that exists gets the new certificate.",
	    " required maxlength=\"63\"");
	field(b, "i", "password", "Password", "Of an encrypted key or PKCS#12.",
	    " type=\"password\" maxlength=\"199\"");
	area(b, "file", "Certificate",
	    "PEM with its chain, and its key if you like; or PKCS#12 or DER in base64.");
	area(b, "key", "Key", "PEM. Empty: it is above, or with lbd-proxy since the request.");
	end(b, "import", "Import");
	begin(c, b, "new", "New key");
	field(b, "n", "name", "Name", "Of the certificate here.", " required maxlength=\"63\"");
	field(b, "n", "cn", "Common name", "Empty: the name.", " maxlength=\"64\"");
	field(b, "n", "san", "Hosts",
	    "DNS names and addresses, commas between them; empty: the common name.",
	    " maxlength=\"2000\"");
	field(b, "n", "org", "Organisation", "Empty: none.", " maxlength=\"64\"");
	page_add(b,
	    " <div class=\"f\"><label for=\"n-kind\">Kind</label><select id=\"n-kind\" name=\"kind\" "
	    "aria-describedby=\"n-kind-h\"><option value=\"p256\">EC P-256</option><option value=\"p384\">EC "
	    "P-384</option><option value=\"rsa2048\">RSA 2048</option></select><p class=\"help\" id=\"n-kind-h\">The key "
	    "stays with lbd-proxy.</p></div>\n"
	    "</div>\n<div class=\"acts\"><input type=\"submit\" class=\"btn\" name=\"csr\" value=\"Request to an authority\"> "
	    "<input type=\"submit\" class=\"btn\" name=\"new\" value=\"Self-signed for a year\"></div></form>\n");
}

void
certs_get(struct call *c)
{
	struct frame f = { .title = "Certificates" };
	struct buf b = { 0 };

	frame_begin(c, &b, &f);
	page_add(&b, "<div class=\"head\"><div><h1>Certificates</h1></div></div>\n");
	table(c, &b);
	if (c->may >= ACCESS_R_ADMIN)
		forms(c, &b);
	frame_end(c, &b, &f);
	reply_page(c, 200, &b);
}

/* ---- what was asked for, and what will happen --------------------------------------------------------------------- */

void
certs_request_page(struct call *c, const char *name, const char *pem)
{
	struct frame f = { .title = "Request" };
	struct buf b = { 0 };

	frame_begin(c, &b, &f);
	page_add(&b,
	    "<div class=\"head\"><div><p class=\"small\"><a href=\"/certs\">Certificates</a></p><h1>Request for %s</h1><p>Send "
	    "this to the authority, and import what it answers: the key is found.</p></div></div>\n<section class=\"box "
	    "pad\" aria-label=\"Request\"><pre tabindex=\"0\" role=\"region\" aria-label=\"PEM\">%s</pre></section>\n",
	    name, pem);
	frame_end(c, &b, &f);
	reply_page(c, 200, &b);
}

void
certs_delete_page(struct call *c, const struct cert *k)
{
	struct frame f = { .title = "Delete" };
	struct snapshot *s = daemon_snapshot(c->w->d);
	struct buf b = { 0 };

	frame_begin(c, &b, &f);
	page_add(&b,
	    "<div class=\"mid stack\">\n<div class=\"head\"><div><p class=\"small\"><a href=\"/certs\">Certificates</a></p>"
	    "<h1>Delete %s?</h1><p>Used by: ",
	    k->name);
	(void)users(&b, s, k->id);
	page_add(
	    &b, "</p></div></div>\n<form class=\"box pad row\" method=\"post\" action=\"/certs\">");
	frame_csrf(c, &b);
	page_add(&b,
	    "<input type=\"hidden\" name=\"name\" value=\"%s\"><input type=\"hidden\" name=\"sure\" value=\"yes\"><input "
	    "type=\"submit\" class=\"btn red\" name=\"delete\" value=\"Delete %s\"> <a class=\"btn\" "
	    "href=\"/certs\">Cancel</a></form>\n</div>\n",
	    k->name, k->name);
	frame_end(c, &b, &f);
	reply_page(c, 200, &b);
}
