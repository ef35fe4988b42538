/* Finds the row of routes.def for a request. Patterns are compared part by part with the decoded path, so that an
 * encoded slash never moves a border. Pure: handlers are called by web.c. */
#include "route.h"
#include "base/must.h"

#include <string.h>

#define ROUTE(method, pattern, access, fn, help) { #method, pattern, ACCESS_R_##access, fn, help },
const struct route routes[] = {
#include "routes.def"
};
#undef ROUTE
const unsigned routes_n = ARRAY_LEN(routes);

/* Calls: pattern part against path part. word: return the part of the path at {word}. */
static bool
fits(const char *pattern, const struct segs *path)
{
	unsigned at = 0;

	for (const char *p = pattern; *p == '/' && p[1] != '\0';) {
		size_t n = strcspn(++p, "/");

		if (at == path->n)
			return false;
		if (*p != '{' && (strlen(path->v[at]) != n || memcmp(path->v[at], p, n) != 0))
			return false;
		at++;
		p += n;
	}
	return at == path->n;
}

const char *
route_param(const struct route *r, const struct segs *path, const char *word)
{
	size_t len = strlen(word);
	unsigned at = 0;

	for (const char *p = r->pattern; *p == '/' && p[1] != '\0'; at++) {
		size_t n = strcspn(++p, "/");

		if (*p == '{' && n == len + 2 && memcmp(p + 1, word, len) == 0)
			return at < path->n ? path->v[at] : NULL;
		p += n;
	}
	return NULL;
}

/* A path that a literal row has does not reach the rows of {kind}: "/api/v1/status" is no kind. */
static bool
same_path(const struct route *a, const struct route *b)
{
	return strcmp(a->pattern, b->pattern) == 0;
}

const struct route *
route_find(const char *method, const struct segs *path, struct buf *allow)
{
	bool head = strcmp(method, "HEAD") == 0;
	const struct route *first = NULL;

	for (unsigned i = 0; i < routes_n; i++) {
		const struct route *r = &routes[i];

		if (!fits(r->pattern, path) || (first != NULL && !same_path(first, r)))
			continue;
		first = first == NULL ? r : first;
		if (strcmp(r->method, head ? "GET" : method) == 0)
			return r;
		if (strcmp(r->method, "GET") == 0)
			buf_puts(allow, "GET, HEAD, ");
		else
			buf_printf(allow, "%s, ", r->method);
	}
	if (first != NULL)
		buf_puts(allow, "OPTIONS");
	return NULL;
}

const char *
route_access_word(enum route_access a)
{
	static const char *const word[] = { "public", "metrics", "viewer", "operator", "admin" };

	must((unsigned)a < ARRAY_LEN(word));
	return word[a];
}
