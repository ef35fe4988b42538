/* value.h - one value in its three forms: text that people write, cell (SQL, wire), member of a struct.
 * A cell is canonical: equal values have equal cells, so diff, delta and round trip never look at the type. */
#ifndef SCHEMA_VALUE_H
#define SCHEMA_VALUE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "schema/schema.h"

struct cell {
	const char *s; /* text, borrowed, ends with NUL; NULL for a number */
	int64_t i;
	uint32_t len;
};

/* Who can turn the name of an object into its id, and back. For a CHILD the name is "parent/name".
 * id gives 0, name gives NULL when there is none. name is borrowed until the next call. */
struct names {
	uint32_t (*id)(void *arg, unsigned kind, const char *name);
	const char *(*name)(void *arg, unsigned kind, uint32_t id);
	void *arg;
};

/* value_parse - text to a checked cell. err: field and text say value and what is allowed; the object is
 * added by the caller with err_object. A SECRET is not parsed here (see store/secret.h) except "" (none) and
 * "@N" (reference to row N). Text of the cell lives in the arena. Returns 0 or ERR_INVALID. */
int value_parse(const struct field *f, const char *text, const struct names *names, struct arena *a,
    struct cell *out, struct err *err);
/* value_format - cell to the text that value_parse takes back. */
void value_format(
    const struct field *f, const struct cell *c, const struct names *names, struct buf *out);
void value_allowed(const struct field *f, struct buf *out); /* "0 to 65535" */
void value_default(const struct field *f, struct arena *a, struct cell *out);
/* value_show - foreign text as an error repeats it: valid UTF-8, control characters as \\xNN, 80 bytes at most. */
void value_show(const char *text, struct buf *out);

/* value_short - the same in so few words that it fits a table: of a PEM how many blocks it has. */
void value_short(
    const struct field *f, const struct cell *c, const struct names *names, struct buf *out);

/* value_load - cell to the member of a struct; pointers live in the arena. -EINVAL: a word, address or range
 * that this build does not know. */
int value_load(const struct field *f, const struct cell *c, struct arena *a, void *object);
/* value_save - member of a struct to a cell; text lives in the arena or in the object. */
void value_save(const struct field *f, const void *object, struct arena *a, struct cell *out);
bool value_same(const struct field *f, const void *a, const void *b);
/* object_defaults - all fields of a zeroed struct to their defaults. */
void object_defaults(const struct object *o, struct arena *a, void *object);

bool cell_same(const struct cell *a, const struct cell *b);
void cell_put(struct buf *b, const struct cell *c);
void cell_take(struct rd *r, struct cell *out); /* borrows from r */

#endif
