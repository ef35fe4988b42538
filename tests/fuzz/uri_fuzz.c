/* Paths in normal form, against the steps of RFC 3986 done one after the other on whole texts; and within a head, where the
 * rest of the head stays as it was. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lbd-proxy/http/http_look.h"
#include "lbd-proxy/http/uri.h"

static void
want(bool ok)
{
	if (!ok)
		abort();
}

static bool
decode(const char *in, size_t n, char *out)
{
	size_t o = 0;

	for (size_t i = 0; i < n; i++) {
		char two[3] = { 0 }, *end;
		long v;

		if (in[i] != '%') {
			out[o++] = in[i];
			continue;
		}
		if (n - i < 3 || strspn((char[]){ in[i + 1], 0 }, "0123456789abcdefABCDEF") == 0 ||
		    strspn((char[]){ in[i + 2], 0 }, "0123456789abcdefABCDEF") == 0)
			return false;
		memcpy(two, in + i + 1, 2);
		v = strtol(two, &end, 16);
		if (v == 0)
			return false;
		if ((v >= '0' && v <= '9') || (v >= 'a' && v <= 'z') || (v >= 'A' && v <= 'Z') ||
		    strchr("-._~", (int)v) != NULL)
			out[o++] = (char)v;
		else
			o += (size_t)sprintf(out + o, "%%%02lX", v);
		i += 2;
	}
	out[o] = '\0';
	return true;
}

/* out: NULL when the path is refused. The text has no NUL. */
static char *
slowly(const char *path, size_t n)
{
	char *text = malloc(n + 1), *out = calloc(1, n + 2), *save = NULL, *seg;
	bool slash = true;

	if (!decode(path, n, text))
		goto bad;
	for (seg = strtok_r(text, "/", &save); seg != NULL; seg = strtok_r(NULL, "/", &save)) {
		if (strncmp(seg, ".;", 2) == 0 || strncmp(seg, "..;", 3) == 0)
			goto bad;
		if (strcmp(seg, "..") == 0) {
			char *last = strrchr(out, '/');

			if (last == NULL)
				goto bad;
			*last = '\0';
		} else if (strcmp(seg, ".") != 0) {
			strcat(strcat(out, "/"), seg);
		}
		slash = strcmp(seg, ".") == 0 || strcmp(seg, "..") == 0;
	}
	if (slash || path[n - 1] == '/')
		strcat(out, "/");
	free(text);
	return out;
bad:
	free(text);
	free(out);
	return NULL;
}

static void
in_a_head(const char *path, size_t n)
{
	static const char after[] = " HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
	size_t len = 4 + n + sizeof(after) - 1;
	char *buf = malloc(len);
	struct h1_head h;
	bool same;

	memcpy(buf, "GET ", 4);
	memcpy(buf + 4, path, n);
	memcpy(buf + 4 + n, after, sizeof(after) - 1);
	h1_head_init(&h, false, H1_HEAD_MAX);
	if (h1_head_parse(&h, buf, len) == H1_DONE && h.length == len &&
	    http_look_path(&h, buf, &same)) {
		struct h1_head again;

		want(memcmp(buf + h.start, "GET ", 4) == 0 && h.target_off == h.start + 4u);
		want(memcmp(buf + h.target_off + h.target_len, after, sizeof(after) - 1) == 0);
		h1_head_init(&again, false, H1_HEAD_MAX);
		want(h1_head_parse(&again, buf + h.start, len - h.start) == H1_DONE);
		want(again.target_len == h.target_len && again.n == h.n);
		want(http_look_path(&again, buf + h.start, &same) && same);
	}
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = (const char *)data;
	char *out, *slow;
	size_t n = 0;
	enum uri_result r;

	if (size == 0 || size > 4096 || path[0] != '/' || memchr(path, '\0', size) != NULL)
		return 0;
	out = malloc(size);
	r = uri_normalise(path, size, out, &n);
	slow = slowly(path, size);
	want((r == URI_BAD) == (slow == NULL));
	if (slow != NULL) {
		want(n == strlen(slow) && memcmp(out, slow, n) == 0);
		want((r == URI_SAME) == (n == size && memcmp(out, path, n) == 0));
	}
	free(slow);
	free(out);
	in_a_head(path, size);
	return 0;
}
