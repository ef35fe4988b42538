/* Requests of anybody: forms, paths, cookies and JSON members. Never a crash; what is taken is UTF-8 without NUL, and
 * what is refused says why. Escaped into a page, nothing of it is markup. */
#include "base/must.h"
#include "lbd-web/server/decode.h"
#include "schema/json.h"
#include "lbd-web/pages/page.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
page(const char *text)
{
	struct buf b = { 0 };

	page_add(&b, "%s", text);
	must(b.len == 0 || strpbrk(buf_text(&b), "<>\"'") == NULL);
	b.len = 0;
	page_url(&b, text);
	must(b.len == 0 || strpbrk(buf_text(&b), "<>\"'& =#") == NULL);
	buf_fini(&b);
}

static int
member(void *arg, const struct json_member *m)
{
	char out[32];

	(void)arg;
	must(utf8_valid(m->name, strlen(m->name)));
	if (json_text(m, out, sizeof(out)) == 0)
		must(utf8_valid(out, strlen(out)));
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), out[64];
	struct err err = { 0 };
	struct pairs p;
	struct segs s;

	must(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	if (pairs_parse(text, size, &p, &err) != 0)
		must(err.text[0] != '\0');
	for (unsigned i = 0; i < p.n; i++) {
		must(utf8_valid(p.v[i].value, strlen(p.v[i].value)));
		page(p.v[i].value);
	}
	pairs_fini(&p);
	(void)segs_parse(text, &s, NULL);
	for (unsigned i = 0; i < s.n; i++)
		must(strcmp(s.v[i], "..") != 0);
	segs_fini(&s);
	(void)cookie_get(text, "lbd", out, sizeof(out));
	page(text);
	err.text[0] = '\0';
	if (json_scan(text, size, member, NULL, &err) != 0)
		must(err.text[0] != '\0');
	free(text);
	return 0;
}
