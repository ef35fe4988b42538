/* tree.h - what YAML and JSON have in common: kinds, names and fields as they nest, and that nothing is there
 * twice. For yaml.c and json.c only. Errors name the object; lines are added by the caller. */
#ifndef SCHEMA_TREE_H
#define SCHEMA_TREE_H

#include "schema/doc.h"

#define TREE_BYTES_MAX (64U << 20)

struct tree_seen {
	const struct doc_item *it;
	uint64_t hash; /* beside the item, so that a search touches no other memory */
};
struct tree {
	struct doc *d;
	enum doc_op op;
	struct err *err;
	unsigned line;		/* of the field that is set; 0 is unknown */
	struct tree_seen *seen; /* by kind and path; open addressing */
	size_t n, cap;		/* cap is a power of two, or 0 */
	struct buf path;	/* scratch */
	uint32_t kinds;		/* bits of the kinds that stood at the top */
};

void tree_init(struct tree *t, struct doc *d, enum doc_op op, struct err *err);
void tree_fini(struct tree *t);

/* tree_size - ERR_INVALID for more than TREE_BYTES_MAX. */
int tree_size(size_t len, struct err *err);
/* tree_kind - the kind that a key at the top names. */
int tree_kind(struct tree *t, const char *word, const struct object **out);
/* tree_item - the object of that name; within parent when that is not NULL. name NULL for a SINGLE. */
int tree_item(struct tree *t, const struct object *o, const struct doc_item *parent,
    const char *name, unsigned line, struct doc_item **out);
/* tree_key - a key inside an object: one of its fields, or *child_out for the kind of its children. */
int tree_key(struct tree *t, const struct doc_item *it, const char *key, const struct field **out,
    const struct object **child_out);
int tree_set(struct tree *t, struct doc_item *it, const struct field *f, const char *text);
/* tree_list - whether the field may be given as a list. */
int tree_list(struct tree *t, const struct doc_item *it, const struct field *f);
/* tree_shape - "vip web: ports: WHY", or without the parts that are NULL. Returns ERR_INVALID. */
int tree_shape(struct tree *t, const struct object *o, const struct doc_item *it, const char *key,
    const char *why);

#endif
