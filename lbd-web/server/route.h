/* route.h - which handler answers a request; the rows of routes.def. */
#ifndef ROUTE_H
#define ROUTE_H

#include "base/buf.h"
#include "decode.h"

struct call;
enum route_access {
	ACCESS_R_PUBLIC,
	ACCESS_R_METRICS,
	ACCESS_R_VIEWER,
	ACCESS_R_OPERATOR,
	ACCESS_R_ADMIN
};
struct route {
	const char *method, *pattern;
	enum route_access access;
	void (*fn)(struct call *c);
	const char *help;
};
extern const struct route routes[];
extern const unsigned routes_n;

/* route_find - the row for a method and path; HEAD is GET. NULL: allow tells the methods that the path has,
 * comma separated, and is empty when there is no such path. */
const struct route *route_find(const char *method, const struct segs *path, struct buf *allow);
/* route_param - the part of the path that stands for {word} in the row's pattern; NULL. */
const char *route_param(const struct route *r, const struct segs *path, const char *word);
const char *route_access_word(enum route_access a);

#define ROUTE(method, pattern, access, fn, help) void fn(struct call *c);
#include "routes.def"
#undef ROUTE

#endif
