/* yaml.h - canonical YAML written as a stream into a buf: block mappings, two spaces a level, scalars plain
 * where every reader of YAML takes them for the same text, else in double quotes on one line. What is written is
 * what yaml_parse (doc.h) reads, and reading and writing again gives the same bytes.
 *
 * key is the name of the member; NULL for the mapping at the top. Misuse is a programmer's error: must(). */
#ifndef SCHEMA_YAML_H
#define SCHEMA_YAML_H

#include "base/buf.h"
#include "schema/schema.h"

#define YAML_DEPTH 8

struct yaml_writer {
	struct buf *out;
	unsigned depth;
	bool members[YAML_DEPTH]; /* something was written on this level */
};

/* yaml_writer_init - the mapping at the top is open; yaml_writer_finish ends it. An empty one is "{}". */
void yaml_writer_init(struct yaml_writer *w, struct buf *out);
void yaml_map_begin(struct yaml_writer *w, const char *key);
void yaml_map_end(struct yaml_writer *w);
/* yaml_scalar - text as value_format gave it. f says whether it is free text, which is quoted when it looks like
 * a number, a boolean, a null or a date; f NULL: as for free text. */
void yaml_scalar(struct yaml_writer *w, const char *key, const struct field *f, const char *text);
void yaml_comment(
    struct yaml_writer *w, const char *line); /* "# line" on this level; without line ends */
void yaml_writer_finish(struct yaml_writer *w);

/* yaml_quote - text as a scalar, quoted when it must be. free: as for free text. */
void yaml_quote(struct buf *out, const char *text, bool free);

#endif
