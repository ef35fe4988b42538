/* Where a kind, a name and a field may stand in a document, whichever format it is written in.
 *
 * The shape is: kind, name, field: value; the children of an object stand within it under their plural, and an
 * object of which there is exactly one has no level for its name. A document says each object once: objects are
 * remembered by kind and path, since neither YAML's library nor two names of one kind ("vip", "vips") would tell.
 * Adapters of formats call this as they meet keys and values; it fills the doc, and knows no syntax. */
#include "schema/tree.h"
#include "schema/value.h"
#include "base/mem.h"

#include <string.h>

void
tree_init(struct tree *t, struct doc *d, enum doc_op op, struct err *err)
{
	*t = (struct tree){ .d = d, .op = op, .err = err };
}

void
tree_fini(struct tree *t)
{
	FREE(t->seen);
	t->n = t->cap = 0;
}

int
tree_size(size_t len, struct err *err)
{
	if (len <= TREE_BYTES_MAX)
		return 0;
	return err_set(err, ERR_INVALID, "the text has %zu bytes; at most %u are allowed", len,
	    TREE_BYTES_MAX);
}

int
tree_shape(struct tree *t, const struct object *o, const struct doc_item *it, const char *key,
    const char *why)
{
	struct buf shown = { 0 };

	if (key != NULL)
		value_show(key, &shown);
	(void)err_field(t->err, ERR_INVALID, it == NULL && o != NULL ? o->name : NULL,
	    key != NULL ? buf_text(&shown) : NULL, "%s", why);
	if (it != NULL)
		(void)doc_item_err(it, 0, t->err);
	buf_fini(&shown);
	return ERR_INVALID;
}

int
tree_kind(struct tree *t, const char *word, const struct object **out)
{
	uint32_t bit;

	if (doc_kind(word, out, t->err) != 0 || doc_check_op(t->op, *out, t->err) != 0)
		return ERR_INVALID;
	bit = 1U << (*out)->kind;
	if ((t->kinds & bit) != 0)
		return tree_shape(t, *out, NULL, NULL, "is there twice");
	t->kinds |= bit;
	return 0;
}

/* FNV-1a; a document comes from somebody who may write the configuration. */
static uint64_t
hash(const struct doc_item *it)
{
	uint64_t h = 0xcbf29ce484222325 ^ it->o->kind;

	for (const char *p = it->path; *p != '\0'; p++)
		h = (h ^ (uint8_t)*p) * 0x100000001b3;
	return h ^ h >> 32;
}

static struct doc_item **
place(struct doc_item **seen, size_t cap, const struct doc_item *it)
{
	size_t at = hash(it) & (cap - 1);

	while (seen[at] != NULL && (seen[at]->o != it->o || strcmp(seen[at]->path, it->path) != 0))
		at = (at + 1) & (cap - 1);
	return &seen[at];
}

/* False when it was there. */
static bool
remember(struct tree *t, struct doc_item *it)
{
	struct doc_item **at;

	if (t->n * 2 >= t->cap) {
		size_t cap = t->cap > 0 ? t->cap * 2 : 64;
		struct doc_item **seen = mem_alloc(cap * sizeof(struct doc_item *));

		for (size_t i = 0; i < t->cap; i++)
			if (t->seen[i] != NULL)
				*place(seen, cap, t->seen[i]) = t->seen[i];
		free(t->seen);
		t->seen = seen;
		t->cap = cap;
	}
	at = place(t->seen, t->cap, it);
	if (*at != NULL)
		return false;
	*at = it;
	t->n++;
	return true;
}

int
tree_item(struct tree *t, const struct object *o, const struct doc_item *parent, const char *name,
    unsigned line, struct doc_item **out)
{
	struct buf path = { 0 };
	int rc;

	if (parent != NULL) {
		buf_printf(&path, "%s/%s", parent->path, name);
		name = buf_text(&path);
	}
	rc = doc_add(t->d, t->op, o, name, line, out, t->err);
	buf_fini(&path);
	if (rc == 0 && !remember(t, *out))
		rc = tree_shape(t, o, *out, NULL, "is there twice");
	return rc;
}

int
tree_key(struct tree *t, const struct doc_item *it, const char *key, const struct field **out,
    const struct object **child_out)
{
	const struct object *child;

	*child_out = NULL;
	*out = field_find(it->o, key);
	if (*out != NULL)
		return 0;
	child = object_child(it->o);
	if (child != NULL && object_find(key) == child) {
		*child_out = child;
		return 0;
	}
	(void)doc_no_field(it->o, key, t->err);
	(void)doc_item_err(it, 0, t->err);
	return ERR_INVALID;
}

int
tree_set(struct tree *t, struct doc_item *it, const struct field *f, const char *text)
{
	return doc_set(t->d, it, f->name, text, t->err);
}

int
tree_list(struct tree *t, const struct doc_item *it, const struct field *f)
{
	if (f->type == VT_RANGES || f->type == VT_LABELS)
		return 0;
	return tree_shape(t, it->o, it, f->name, "a list has no place here");
}
