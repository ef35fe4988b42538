/* decode.h - what browsers and programs send beside the body: percent signs, forms, queries, cookies, paths. Pure. */
#ifndef DECODE_H
#define DECODE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define PAIRS_MAX 64 /* fields of one form or query */
struct pair {
	const char *name, *value;
};
struct pairs {
	unsigned n;
	struct pair v[PAIRS_MAX];
	char *text; /* what names and values point into */
};
/* pairs_parse - application/x-www-form-urlencoded ("a=1&b=two+words"). ERR_USAGE: a broken escape, a NUL or
 * another control character but tab and line ends, no UTF-8, too many fields. pairs_fini in any case. */
int pairs_parse(const char *text, size_t len, struct pairs *out, struct err *err);
void pairs_fini(struct pairs *p);
const char *pairs_get(const struct pairs *p, const char *name); /* the first of that name; NULL */

#define SEGS_MAX 12 /* parts of a path */
struct segs {
	unsigned n;
	const char *v[SEGS_MAX];
	char *text;
};
/* segs_parse - "/a/b%20c" to its parts, each decoded; "/" has none. Faults as for pairs_parse, and an empty part
 * or one that is "." or "..". */
int segs_parse(const char *path, struct segs *out, struct err *err);
void segs_fini(struct segs *s);

/* cookie_get - value of one cookie of a Cookie header (RFC 6265 section 4.2); false: absent or longer than room. */
bool cookie_get(const char *header, const char *name, char *out, size_t room);

bool utf8_valid(const char *text, size_t len);

/* base64_parse - RFC 4648 section 4, with or without its padding, behind what out has; -EINVAL. */
int base64_parse(const char *text, struct buf *out);

#endif
