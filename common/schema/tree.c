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
	buf_fini(&t->path);
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

static struct tree_seen *
place(struct tree_seen *seen, size_t cap, const struct doc_item *it, uint64_t h)
{
	size_t at = h & (cap - 1);

	while (seen[at].it != NULL && (seen[at].hash != h || seen[at].it->o != it->o ||
					  strcmp(seen[at].it->path, it->path) != 0))
		at = (at + 1) & (cap - 1);
	return &seen[at];
}

static void
grow(struct tree *t)
{
	size_t cap = t->cap > 0 ? t->cap * 2 : 64;
	struct tree_seen *seen = mem_alloc(cap * sizeof(*seen));

	for (size_t i = 0; i < t->cap; i++) {
		size_t at = t->seen[i].hash & (cap - 1);

		if (t->seen[i].it == NULL)
			continue;
		while (seen[at].it != NULL) /* all differ: no comparing */
			at = (at + 1) & (cap - 1);
		seen[at] = t->seen[i];
	}
	free(t->seen);
	t->seen = seen;
	t->cap = cap;
}

/* False when it was there. */
static bool
remember(struct tree *t, const struct doc_item *it)
{
	uint64_t h = hash(it);
	struct tree_seen *at;

	if (t->n * 2 >= t->cap)
		grow(t);
	at = place(t->seen, t->cap, it, h);
	if (at->it != NULL)
		return false;
	*at = (struct tree_seen){ .it = it, .hash = h };
	t->n++;
	return true;
}

int
tree_item(struct tree *t, const struct object *o, const struct doc_item *parent, const char *name,
    unsigned line, struct doc_item **out)
{
	int rc;

	if (parent != NULL) {
		t->path.len = 0;
		buf_puts(&t->path, parent->path);
		buf_put(&t->path, "/", 1);
		buf_puts(&t->path, name);
		name = buf_text(&t->path);
	}
	rc = doc_add(t->d, t->op, o, name, line, out, t->err);
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
	for (child = NULL; (child = object_child(it->o, child)) != NULL;)
		if (object_find(key) == child) {
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
	unsigned below = t->line > it->line ? t->line - it->line : 0;
	int rc = doc_set_field(t->d, it, f, text, t->err);

	if (rc == 0 && it->below != NULL)
		it->below[f - it->o->f] = (uint16_t)(below < UINT16_MAX ? below : UINT16_MAX);
	return rc;
}

int
tree_list(struct tree *t, const struct doc_item *it, const struct field *f)
{
	if (f->type == VT_RANGES || f->type == VT_ADDRS || f->type == VT_LABELS)
		return 0;
	return tree_shape(t, it->o, it, f->name, "a list has no place here");
}
