/* JSON of anybody: never a crash, an error always says something, what was taken survives doc_save and doc_load,
 * and any text whatever is quoted into JSON that is read as the same text. */
#include "base/must.h"
#include "schema/doc.h"
#include "schema/json.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
save_and_load(const struct doc *d)
{
	struct buf one = { 0 }, two = { 0 };
	struct doc e;

	doc_save(d, &one);
	doc_init(&e);
	must(doc_load(&e, buf_text(&one), one.len, NULL) == 0 && e.n == d->n);
	doc_save(&e, &two);
	must(one.len == two.len && memcmp(buf_text(&one), buf_text(&two), one.len) == 0);
	doc_fini(&e);
	buf_fini(&one);
	buf_fini(&two);
}

static void
quote(const char *text, size_t len)
{
	const struct object *vip = object_of(KIND_service);
	const struct field *comment = field_find(vip, "comment");
	struct buf b = { 0 };
	struct json_writer w;
	struct doc_item *it;
	struct doc d;

	jw_init(&w, &b, 0);
	jw_object(&w, NULL);
	jw_string_n(&w, comment->name, text, len);
	jw_end(&w);
	jw_finish(&w);
	doc_init(&d);
	must(doc_add(&d, DOC_MERGE, vip, "web", 0, &it, NULL) == 0);
	must(json_parse_object(&d, it, buf_text(&b), b.len, NULL) == 0);
	doc_fini(&d);
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct err err = { 0 };
	struct doc d;

	doc_init(&d);
	if (json_parse(&d, DOC_MERGE, text, size, &err) != 0)
		must(err.text[0] != '\0' && err.code == ERR_INVALID);
	else
		save_and_load(&d);
	doc_fini(&d);
	doc_init(&d);
	(void)doc_load(&d, text, size, &err);
	doc_fini(&d);
	if (memchr(text, '\0', size) == NULL && size < 4096)
		quote(text, size);
	return 0;
}
