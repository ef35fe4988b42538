/* import_fuzz.h - one foreign text through a parser of lbctl/import, and what came out of it read back. */
#ifndef TESTS_IMPORT_FUZZ_H
#define TESTS_IMPORT_FUZZ_H

#include "base/must.h"
#include "import/import.h"
#include "schema/doc.h"

#include <string.h>

static unsigned
count_kids(const struct import_row *r)
{
	unsigned n = 0;

	for (const struct import_extra *e = r->kids; e != NULL; e = e->next)
		n += e->row.name != NULL && !e->row.left_out;
	return n;
}

static unsigned
count_rows(const struct import *im)
{
	unsigned n = 0;

	for (const struct import_check *c = im->checks; c != NULL; c = c->next)
		n += c->used && c->row.name != NULL;
	for (const struct import_service *s = im->out; s != NULL; s = s->next) {
		if (s->row.left_out)
			continue;
		n += 1 + count_kids(&s->row);
		for (const struct import_server *r = s->servers; r != NULL; r = r->next)
			n++;
	}
	for (const struct import_extra *e = im->extras; e != NULL; e = e->next)
		if (e->row.name != NULL && !e->row.left_out &&
		    (e->row.with == NULL || !e->row.with->left_out))
			n += 1 + count_kids(&e->row);
	return n;
}

/* Whatever file is named: it has the text itself. */
static inline int
import_itself(void *arg, const char *pattern, const char *from, import_each_fn each, void *each_arg,
    struct err *err)
{
	struct buf *text = arg;

	(void)from;
	return each(each_arg, pattern, buf_text(text), text->len, err);
}

/* include: NULL, or import_itself. */
static inline void
import_once(int (*parse)(struct import *im, const char *text, size_t len, struct err *err),
    import_include_fn include, const uint8_t *data, size_t size)
{
	struct buf text = { 0 }, yaml = { 0 }, report = { 0 };
	struct err err = { 0 };
	struct import im;
	struct doc d;
	int rc;

	buf_put(&text, data, size);
	import_init(&im);
	im.include = include;
	im.include_arg = &text;
	if (size > 0 && (data[0] & 1) != 0)
		must(addr_parse("10.0.0.1", ADDR_HOST, &im.mark_address) == 0);
	rc = parse(&im, buf_text(&text), text.len, &err);
	if (rc == 0)
		rc = import_finish(&im, &err);
	if (rc != 0) {
		must(rc == ERR_INVALID && err.text[0] != '\0');
	} else {
		import_write(&im, false, "", &yaml);
		import_report(&im, &report);
		must(report.len > 0);
		doc_init(&d);
		must(yaml_parse(&d, DOC_REPLACE, buf_text(&yaml), yaml.len, &err) == 0);
		must(d.n == count_rows(&im));
		doc_fini(&d);
	}
	import_fini(&im);
	buf_fini(&text);
	buf_fini(&yaml);
	buf_fini(&report);
}

#endif
