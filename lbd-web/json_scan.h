/* json_scan.h - the members of a JSON object one by one, strictly (RFC 8259), without building a tree. Pure.
 * Values stay as they were written; what belongs to the schema is handed on to schema/json.c. */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include "base/buf.h"
#include "base/err.h"

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
	char name[64]; /* decoded; longer names are an error */
	enum json_type type;
	const char *value; /* as written, borrowed; with its quotes */
	size_t len;
};
/* json_scan - calls fn for each member of the one object that text is; not 0 stops and is returned.
 * ERR_USAGE: no object, broken syntax, a name twice, too deep, no UTF-8, bytes after it. */
int json_scan(const char *text, size_t len, int (*fn)(void *arg, const struct json_member *m),
    void *arg, struct err *err);
/* json_text - a string member without quotes and escapes; -EINVAL when it is another type, holds a NUL or does
 * not fit. Numbers and booleans are given as written. */
int json_text(const struct json_member *m, char *out, size_t room);

#endif
