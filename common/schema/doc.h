/* doc.h - a list of edits in text form: what YAML, JSON, command line and form are read into, and the one
 * thing that the store applies. Finding names, nearest known words and defaults are in one place, so errors
 * are the same text on every surface. */
#ifndef SCHEMA_DOC_H
#define SCHEMA_DOC_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "schema/schema.h"

enum doc_op {
	/* Create, or replace: fields that are absent go back to their defaults (apply, PUT). Children that are
	 * given with it ("rips: {...}") are items of their own: exactly those are replaced, others stay as they
	 * are. Whoever wants the others gone adds deletions for them. */
	DOC_REPLACE,
	DOC_CREATE, /* must not exist */
	DOC_MERGE,  /* must exist; absent fields stay (set, PATCH) */
	DOC_DELETE, /* must exist; cascade deletes children too, otherwise they are an error */
	DOC_RENAME, /* must exist; text[0] is the new name (without parent) */
};

#define DOC_UNSET ((const char *)doc_unset_mark) /* "back to the default" in a MERGE */
extern const char doc_unset_mark[];

struct doc_item {
	struct doc_item *next;
	const struct object *o;
	enum doc_op op;
	bool cascade;
	unsigned line;	    /* where it stands in a file; 0 is unknown */
	uint16_t *below;    /* lines that each field stands below it; NULL without a line */
	const char *path;   /* "web", "web/rip1", "main" */
	const char *text[]; /* one per field of o; NULL is absent */
};
struct doc {
	struct arena *a;
	struct doc_item *first, **last;
	unsigned n;
};

void doc_init(struct doc *d);
void doc_fini(struct doc *d);

/* doc_kind - the object that a word names, or ERR_INVALID naming the nearest known one. */
int doc_kind(const char *word, const struct object **out, struct err *err);
/* doc_check_op - whether an object of that kind may be edited so at all: not what is OBSERVED or NAMELESS; a SINGLE
 * is only changed. 0 or ERR_INVALID. doc_add asks it too. */
int doc_check_op(enum doc_op op, const struct object *o, struct err *err);
/* doc_add - append an edit. path is checked for its form ("VIP/RIP" for a CHILD; may be NULL for a SINGLE). */
int doc_add(struct doc *d, enum doc_op op, const struct object *o, const char *path, unsigned line,
    struct doc_item **out, struct err *err);
/* doc_set - one field of an edit; text is copied, or DOC_UNSET. ERR_INVALID, with the object and the field:
 * unknown field, a second value for the same field, another value than that of the path for the PARENT field and
 * for the KEY of an edit that is no RENAME (the same value is fine, and not kept), any other field in a RENAME or
 * DELETE, unsetting what has no default. Values are checked by the store. */
int doc_set(
    struct doc *d, struct doc_item *it, const char *field, const char *text, struct err *err);
/* doc_set_field - the same for a field of it->o that was found already. */
int doc_set_field(
    struct doc *d, struct doc_item *it, const struct field *f, const char *text, struct err *err);
/* doc_item_err - name the object of an error about an item, and the line when it is not 0 (it->line, as a rule):
 * "line 7: vip web: ...". With it->line, the line of the field that err names is told. A SINGLE is called
 * "setting". Returns the code of err; ERR_INVALID when err is NULL. */
int doc_item_err(const struct doc_item *it, unsigned line, struct err *err);
/* doc_no_field - ERR_INVALID "FIELD: unknown field; did you mean ...?", without the object. */
int doc_no_field(const struct object *o, const char *field, struct err *err);
/* doc_args - "field=value" words; with "unset" only "field" words. Errors as doc_set; ERR_USAGE for the form. */
int doc_args(
    struct doc *d, struct doc_item *it, bool unset, int argc, char *const *argv, struct err *err);

/* yaml.c: "kind: {name: {field: value, ..., rips: {name: {...}}}}"; bounded: 64 MiB, depth 8, no aliases, no
 * duplicate keys. Items get op. */
int yaml_parse(struct doc *d, enum doc_op op, const char *text, size_t len, struct err *err);
/* json.c: the same shape. json_parse_object reads one object's body ({"field": value}), null is DOC_UNSET. */
int json_parse(struct doc *d, enum doc_op op, const char *text, size_t len, struct err *err);
int json_parse_object(
    struct doc *d, struct doc_item *it, const char *text, size_t len, struct err *err);

/* doc_save, doc_load - a doc as JSON lines and back: how a transaction is kept between two commands. */
void doc_save(const struct doc *d, struct buf *out);
int doc_load(struct doc *d, const char *text, size_t len, struct err *err);

/* help.c: help made from the rows. */
void help_object(const struct object *o, bool advanced, struct buf *out);
int help_field(const struct object *o, const char *field, struct buf *out, struct err *err);
void help_man(struct buf *out); /* mdoc: option reference of lbd.yaml(5) */

#endif
