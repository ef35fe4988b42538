/* One walk: each segment is decoded to where it goes, then looked at. So an encoded dot is a dot, and "/a/%2e%2e/b" is "/b". */
#include "uri.h"

#include <stdbool.h>
#include <string.h>

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool
is_unreserved(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

/* A segment from path to out; how many bytes of the path, 0: bad. */
static size_t
take_segment(const char *path, size_t len, char *out, size_t *n_out)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t i = 0, n = 0;

	while (i < len && path[i] != '/') {
		int hi, lo;

		if (path[i] != '%') {
			out[n++] = path[i++];
			continue;
		}
		hi = len - i > 2 ? hex(path[i + 1]) : -1;
		lo = hi >= 0 ? hex(path[i + 2]) : -1;
		if (lo < 0 || (hi == 0 && lo == 0))
			return 0;
		if (is_unreserved(hi << 4 | lo)) {
			out[n++] = (char)(hi << 4 | lo);
		} else {
			out[n++] = '%';
			out[n++] = digits[hi];
			out[n++] = digits[lo];
		}
		i += 3;
	}
	*n_out = n;
	return i;
}

/* Dots at the beginning of a segment that is nothing else: 1, 2; 0: an ordinary segment; -1: with parameters. */
static int
dots(const char *s, size_t n)
{
	size_t d = n > 0 && s[0] == '.' ? (n > 1 && s[1] == '.' ? 2 : 1) : 0;

	if (d > 0 && n > d && s[d] == ';')
		return -1;
	return n == d ? (int)d : 0;
}

enum uri_result
uri_normalise(const char *path, size_t len, char *out, size_t *len_out)
{
	size_t at = 0, o = 0, n, used;

	while (at < len) { /* at a slash; out ends before the one that is to come */
		bool end;
		int d;

		out[o] = '/';
		at++;
		n = 0;
		used = at < len && path[at] != '/'
			   ? take_segment(path + at, len - at, out + o + 1, &n)
			   : 0;
		if (n == 0 && at < len && path[at] != '/')
			return URI_BAD;
		at += used;
		end = at == len;
		d = dots(out + o + 1, n);
		if (d < 0)
			return URI_BAD;
		if (d == 2) {
			if (o == 0)
				return URI_BAD;
			while (out[--o] != '/')
				;
		}
		if (d > 0 || n == 0) { /* it goes; at the end its slash stays */
			if (end)
				o++;
			continue;
		}
		o += 1 + n;
	}
	*len_out = o;
	return o == len && memcmp(path, out, len) == 0 ? URI_SAME : URI_CHANGED;
}
