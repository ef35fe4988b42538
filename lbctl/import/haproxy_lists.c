/* Values in files (acl ... -f FILE) as lists. The entries are not in the YAML: the report says how they are brought to
 * lbd-proxy, as keys of certificates are. */
#include "import/haproxy.h"

#include <stdio.h>
#include <string.h>

static int
take_nothing(void *arg, const char *file, const char *text, size_t len, struct err *err)
{
	(void)file;
	(void)text;
	(void)len;
	(void)err;
	*(bool *)arg = true;
	return 0;
}

static bool
is_there(struct hap *h, const char *path)
{
	bool there = false;

	return h->im->include != NULL &&
	       h->im->include(h->im->include_arg, path, NULL, take_nothing, &there, NULL) == 0 &&
	       there;
}

const char *
hap_list_of(struct hap *h, struct place at, const char *path, enum list_kind kind)
{
	const char *word = word_text(&list_kind_list, kind);
	struct import_row *row;
	struct buf key = { 0 }, name = { 0 };

	buf_printf(&key, "%s %s", word, path);
	row = textmap_get(&h->lists, buf_text(&key));
	if (row == NULL) {
		row = import_extra_new(h->im, KIND_itemlist, at);
		(void)textmap_put(&h->lists, arena_text(h->im->a, buf_text(&key), key.len), row);
		import_putf(h->im, row, "kind", "%s", word);
		hap_base_name(path, &name);
		import_name(h->im, row, "list ", buf_text(&name));
		if (is_there(h, path))
			import_say(h->im, at, TAKEN_OTHERWISE, path,
			    "list %s: it is in the YAML, its entries are not: lbctl list load %s %s",
			    row->name, row->name, path);
		else
			import_say(h->im, at, NOT_TAKEN, path,
			    "list %s has no entries: bring this file, and lbctl list load %s %s",
			    row->name, row->name, path);
	}
	buf_fini(&key);
	buf_fini(&name);
	return row->name;
}
