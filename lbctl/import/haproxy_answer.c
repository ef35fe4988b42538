/* What becomes of answers on their way, and answers of the proxy itself: compression, error pages, strictness. */
#include "import/haproxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- compression --------------------------------------------------------------------------------------------- */

/* "text/html text/css" as a list. */
static const char *
listed(struct hap *h, const struct hap_line *l, unsigned i)
{
	struct buf b = { 0 };
	const char *text;

	for (unsigned from = i; i < l->n; i++)
		buf_printf(&b, "%s%s", i > from ? "," : "", l->w[i]);
	text = arena_text(h->im->a, buf_text(&b), b.len);
	buf_fini(&b);
	return text;
}

void
hap_compression(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	const char *w = l->w[1];

	if (strcmp(w, "algo") == 0 || strcmp(w, "algo-res") == 0) {
		if (import_value(&p->vip, "compress") == NULL)
			(void)import_take(h->im, &p->vip, l->at, l->what, "compress", "plain",
			    "br and gzip, as the client takes them");
		else
			import_say(h->im, l->at, TAKEN, l->what, "vip.compress");
	} else if (strcmp(w, "offload") == 0) {
		(void)import_take(h->im, &p->vip, l->at, l->what, "compress", "own", NULL);
	} else if (strcmp(w, "type") == 0 || strcmp(w, "type-res") == 0) {
		(void)import_take(
		    h->im, &p->vip, l->at, l->what, "compress_types", listed(h, l, 2), NULL);
	} else if (strcmp(w, "minsize-res") == 0) {
		(void)import_take(h->im, &p->vip, l->at, l->what, "compress_min", l->w[2], NULL);
	} else {
		import_say(h->im, l->at, NOT_TAKEN, l->what,
		    "vip.compress: answers are compressed, requests are not");
	}
}

/* ---- error pages ------------------------------------------------------------------------------------------------ */

/* "errorloc 503 https://..." as one more item of error_pages. */
void
hap_errorloc(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	const char *code = strcmp(l->w[0], "errorloc303") == 0 ? "303" : "302";
	struct buf b = { 0 };
	struct err err = { 0 };

	buf_printf(&b, "%s %s", code, l->w[2]);
	if (strpbrk(l->w[2], ",= ") != NULL || l->n < 3)
		import_say(h->im, l->at, NOT_TAKEN, l->what,
		    "vip.error_pages: a status, and an address without comma and equals sign");
	else if (hap_error_answer(h, p, l->w[1], buf_text(&b), &err) != 0)
		import_say(h->im, l->at, NOT_TAKEN, l->what, "vip.%s", err.text);
	else
		import_say(h->im, l->at, TAKEN, l->what, "vip.error_pages");
	buf_fini(&b);
}

/* ---- strictness ---------------------------------------------------------------------------------------------------- */

bool
hap_strict_option(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	if (strcmp(l->w[1], "http-restrict-req-hdr-names") == 0)
		(void)import_take(h->im, &p->vip, l->at, l->what, "header_names",
		    strcmp(l->w[2], "reject") == 0   ? "refuse"
		    : strcmp(l->w[2], "delete") == 0 ? "drop"
						     : "any",
		    NULL);
	else if (strcmp(l->w[1], "http-buffer-request") == 0)
		(void)import_take(h->im, &p->vip, l->at, l->what, "wait_body", "16K",
		    "the first 16 KiB of a body");
	else
		return false;
	return true;
}
