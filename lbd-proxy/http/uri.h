/* uri.h - paths in normal form (RFC 3986 section 6.2.2), so that a rule and a server mean the same place. Pure. */
#ifndef LBD_PROXY_URI_H
#define LBD_PROXY_URI_H

#include <stddef.h>

enum uri_result {
	URI_SAME,    /* it was in normal form */
	URI_CHANGED, /* out has it */
	URI_BAD,     /* it has none, or what it means depends on who reads it */
};

/* uri_normalise - a path that begins with a slash; a query is no part of it.
 * Unreserved characters are written as they are, other percent-encoding in capitals; dot segments and empty segments go.
 * Refused: percent signs that are none, an encoded NUL, paths that lead above the root, and dot segments with parameters (/..;a/),
 * which some servers take for dot segments and others do not. An encoded slash stays encoded.
 * out: len bytes; never longer than the path. */
enum uri_result uri_normalise(const char *path, size_t len, char *out, size_t *len_out);

#endif
