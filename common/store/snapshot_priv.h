/* snapshot_priv.h - how a snapshot is laid out; for the files of this folder.
 *
 * Rows and lists of children live in layers: a large one from the load, small ones from each patch. A layer
 * knows which rows it brought, so small ones are joined at the price of what they hold, not of the whole. */
#ifndef STORE_SNAPSHOT_PRIV_H
#define STORE_SNAPSHOT_PRIV_H

#include "base/arena.h"
#include "store/pages.h"
#include "store/snapshot.h"

#include <stdatomic.h>

#define LAYERS_MAX 16

/* What a layer brought: a row, or the list of children of a row. */
struct mark {
	uint8_t kind; /* of the row, or of the children */
	bool kids;
	uint32_t id; /* of the row, or of the parent */
};
struct layer {
	struct arena *a; /* holds the marks too */
	const struct mark *mark;
	uint32_t n;
};

struct kids {
	uint32_t n;
	const void *row[]; /* in rising order of id */
};

struct table {
	struct pages *rows;  /* in rising order of id */
	struct pages *names; /* in order of name; NULL for a CHILD */
	struct pages
	    *kids; /* of a CHILD: struct kids or NULL, one for each row of the parent kind */
	const void **_Atomic flat; /* snapshot_by_name, made when asked for */
};

struct snapshot {
	atomic_uint refs;
	uint32_t revision[SCOPES];
	int64_t incarnation; /* the line of revisions that it belongs to */
	unsigned layers;
	uint32_t
	    edits; /* rows patched since the whole was built: bound of what lies waste in layer 0 */
	struct layer layer[LAYERS_MAX];
	struct table t[KINDS];
};

static inline uint32_t
row_id(const void *row)
{
	return *(const uint32_t *)row; /* every struct begins with its id */
}

static inline const char *
row_name(const struct object *o, const void *row)
{
	return *(const char *const *)(const void *)((const char *)row + o->f[0].offset);
}

static inline uint32_t
row_parent(const struct object *o, const void *row)
{
	return *(const uint32_t *)(const void *)((const char *)row + o->f[o->parent_ref].offset);
}

/* Place of id in a table, or of the first row after it. */
uint32_t table_position(const struct pages *rows, uint32_t id);
/* Place of name in pages in order of name, or of the first after it. */
uint32_t name_position(const struct object *o, const struct pages *names, const char *name);
const struct kids *snapshot_kids(const struct snapshot *s, const struct object *o, uint32_t parent);
/* A row with all it points to, copied into another arena. */
void *row_copy(const struct object *o, const void *row, struct arena *a);
void rows_sort(const struct object *o, const void **rows, uint32_t n); /* by name, then id */
struct snapshot *snapshot_new(void);

/* Building from nothing: rows in rising order of id, kind after kind; then one end. */
struct builder {
	struct snapshot *s;
	struct arena *a;
	const void **rows;
	uint32_t n, cap;
};
void builder_init(struct builder *b);
/* A zeroed struct with its id, to be filled by the caller. */
void *builder_row(struct builder *b, const struct object *o, uint32_t id);
void builder_copy(struct builder *b, const struct object *o, const void *row);
void builder_kind(struct builder *b, const struct object *o); /* this kind is complete */
struct snapshot *builder_end(struct builder *b);
void builder_fini(struct builder *b); /* instead of builder_end */

#endif
