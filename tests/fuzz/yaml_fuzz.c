/* YAML of anybody: never a crash, an error always says something, and what was taken is written and read back as
 * the same edits. */
#include "base/must.h"
#include "schema/doc.h"
#include "schema/value.h"
#include "schema/yaml.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The item in canonical YAML, as a document of its own, and read again: the same texts. */
static void
again(const struct doc_item *it)
{
	bool single = (it->o->flags & O_SINGLE) != 0;
	struct buf b = { 0 }, one = { 0 }, two = { 0 };
	struct yaml_writer w;
	struct err err = { 0 };
	struct doc d, just = { 0 };
	struct doc_item *copy;

	yaml_writer_init(&w, &b);
	yaml_map_begin(&w, it->o->name);
	if (!single)
		yaml_map_begin(&w, it->path);
	for (unsigned i = 0; i < it->o->n; i++)
		if (it->text[i] != NULL)
			yaml_scalar(&w, it->o->f[i].name, &it->o->f[i], it->text[i]);
	if (!single)
		yaml_map_end(&w);
	yaml_map_end(&w);
	yaml_writer_finish(&w);
	doc_init(&d);
	must(yaml_parse(&d, it->op, buf_text(&b), b.len, &err) == 0 && d.n == 1);
	doc_init(&just);
	must(doc_add(&just, it->op, it->o, it->path, d.first->line, &copy, NULL) == 0);
	memcpy(copy->text, it->text, it->o->n * sizeof(it->text[0]));
	doc_save(&just, &one);
	doc_save(&d, &two);
	must(one.len == two.len && memcmp(one.p, two.p, one.len) == 0);
	doc_fini(&just);
	doc_fini(&d);
	buf_fini(&b);
	buf_fini(&one);
	buf_fini(&two);
}

/* Every text into a value: what is taken is canonical, so its text gives the same cell. */
static void
values(const struct doc_item *it, struct arena *a)
{
	struct cell c, same;
	struct buf b = { 0 };

	for (unsigned i = 0; i < it->o->n; i++) {
		const struct field *f = &it->o->f[i];
		struct err err = { 0 };

		if (it->text[i] == NULL || it->text[i] == DOC_UNSET)
			continue;
		if (value_parse(f, it->text[i], NULL, a, &c, &err) != 0) {
			must(strncmp(err.text, f->name, strlen(f->name)) == 0);
			continue;
		}
		b.len = 0;
		value_format(f, &c, NULL, &b);
		must(value_parse(f, buf_text(&b), NULL, a, &same, NULL) == 0 &&
		     cell_same(&c, &same));
	}
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = { 0 };
	struct doc d;

	doc_init(&d);
	if (yaml_parse(&d, DOC_REPLACE, (const char *)data, size, &err) != 0) {
		must(err.text[0] != '\0' && err.code == ERR_INVALID);
	} else {
		for (const struct doc_item *it = d.first; it != NULL; it = it->next) {
			again(it);
			values(it, d.a);
		}
	}
	doc_fini(&d);
	return 0;
}
