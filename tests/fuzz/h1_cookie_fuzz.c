/* Cookie values: what was cut is gone, what was not cut is untouched; tokens parse only as they are written.
 * The input is a name, a line feed, and a value. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lbd-proxy/http/cookie.h"

static void
want(bool ok)
{
	if (!ok)
		abort();
}

/* Everything but our cookie, as the plan of a request does it. */
static void
check_cut(const char *value, size_t len, const char *name, size_t name_len)
{
	char *rest = malloc(len + 1);
	size_t at = 0, from, to, n = 0;
	struct cookie_span v;
	bool any = false;

	while (cookie_cut(value, len, name, name_len, at, &from, &to)) {
		want(from >= at && from < to && to <= len);
		memcpy(rest + n, value + at, from - at);
		n += from - at;
		at = to;
		any = true;
	}
	memcpy(rest + n, value + at, len - at);
	n += len - at;
	want(any == cookie_find(value, len, name, name_len, &v));
	want(!cookie_find(rest, n, name, name_len, &v));
	free(rest);
}

static void
check_token(const char *value, size_t len)
{
	char text[COOKIE_TOKEN_LEN];
	uint64_t token;

	if (cookie_token_parse(value, len, &token) != 0)
		return;
	cookie_token_format(token, text);
	want(len == COOKIE_TOKEN_LEN && memcmp(text, value, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *lf = size > 0 ? memchr(data, '\n', size) : NULL;
	struct cookie_span v;
	bool removed;

	if (lf == NULL || lf == data || lf - data > COOKIE_NAME_MAX)
		return 0;
	for (const uint8_t *p = data; p < lf; p++)
		if (strchr(" \t;=", *p) != NULL)
			return 0;
	size_t name_len = (size_t)(lf - data), len = size - name_len - 1;
	char *name = malloc(name_len), *value = malloc(len + 1);
	memcpy(name, data, name_len);
	memcpy(value, lf + 1, len);
	value = realloc(value, len > 0 ? len : 1);
	check_cut(value, len, name, name_len);
	check_token(value, len);
	if (cookie_set_find(value, len, name, name_len, &v, &removed))
		want(v.at >= value && v.at + v.len <= value + len);
	free(name);
	free(value);
	return 0;
}
