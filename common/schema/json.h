/* json.h - JSON written as a stream into a buf: no tree, fields in the order of the calls, always valid UTF-8.
 * Used by export, lbctl -o json, the REST API and metrics. Reading into edits is in doc.h (json_parse); json_scan
 * looks at the members of any object.
 *
 * key is the name of the member inside an object, and must be NULL inside an array and at the top. Borrowed
 * text only. Misuse (a key missing or too many, an end too many) is a programmer's error: must(). */
#ifndef SCHEMA_JSON_H
#define SCHEMA_JSON_H

#include "base/buf.h"
#include "base/err.h"
#include "schema/value.h"

#define JW_DEPTH 32

struct json_writer {
	struct buf *out;
	unsigned indent; /* spaces for each level; 0 is one line without spaces */
	unsigned depth;
	char close[JW_DEPTH];	/* '}' or ']' */
	bool members[JW_DEPTH]; /* something was written on this level */
};

void jw_init(struct json_writer *w, struct buf *out, unsigned indent);
void jw_object(struct json_writer *w, const char *key);
void jw_array(struct json_writer *w, const char *key);
void jw_end(struct json_writer *w); /* of the innermost object or array */
/* jw_finish - everything was ended; ends the line when indent is not 0. */
void jw_finish(struct json_writer *w);

/* text NULL is null. Bytes that are not UTF-8 become U+FFFD. */
void jw_string(struct json_writer *w, const char *key, const char *text);
void jw_string_n(struct json_writer *w, const char *key, const char *text, size_t len);
void jw_int(struct json_writer *w, const char *key, int64_t v);
void jw_uint(struct json_writer *w, const char *key, uint64_t v);
void jw_real(
    struct json_writer *w, const char *key, double v, unsigned decimals); /* not finite: null */
void jw_bool(struct json_writer *w, const char *key, bool v);
void jw_null(struct json_writer *w, const char *key);
/* jw_raw - a value that is JSON already. */
void jw_raw(struct json_writer *w, const char *key, const char *json, size_t len);
/* jw_cell - a value in the form of the API: numbers without a unit are numbers, BOOL is true or false, all else
 * is the text of value_format. names may be NULL when f is no REF. */
void jw_cell(struct json_writer *w, const char *key, const struct field *f, const struct cell *c,
    const struct names *names);

#define JSON_DEPTH_MAX 32
enum json_type {
	JSON_T_NULL,
	JSON_T_BOOL,
	JSON_T_NUMBER,
	JSON_T_STRING,
	JSON_T_ARRAY,
	JSON_T_OBJECT
};
struct json_member {
	const char *name; /* all borrowed until fn returns */
	enum json_type type;
	const char *value; /* as JSON, compact */
	size_t len;
	const char *text; /* of a string without quotes and escapes; else value */
};
/* json_scan - calls fn for each member of the one object that text is, in its order; not 0 stops and is returned.
 * For bodies of which a part is no field of the schema. ERR_USAGE: no object, broken syntax, a name twice, too deep. */
int json_scan(const char *text, size_t len, int (*fn)(void *arg, const struct json_member *m),
    void *arg, struct err *err);
/* json_text - a plain member as text; -EINVAL: an array or object, or it does not fit. */
int json_text(const struct json_member *m, char *out, size_t room);

/* json_quote - text as a JSON string with its quotes. */
void json_quote(struct buf *out, const char *text, size_t len);

#endif
