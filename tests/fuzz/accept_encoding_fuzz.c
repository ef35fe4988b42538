/* Accept-Encoding: weights are in their range, a coding is chosen only when it was named or a star stands for it, and a second
 * reading of the list, split at its commas, knows the same weights. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lbd-proxy/coding/accept.h"

#define UNSAID                                                             \
	{                                                                  \
		ACCEPT_UNSAID, ACCEPT_UNSAID, ACCEPT_UNSAID, ACCEPT_UNSAID \
	}

static void
want(bool ok)
{
	if (!ok)
		abort();
}

static void
in_range(int q)
{
	want(q >= ACCEPT_UNSAID && q <= 1000);
}

/* Element by element; false: one of them cannot be read. */
static bool
split(const char *p, size_t n, struct accept *a)
{
	while (true) {
		const char *comma = memchr(p, ',', n);
		size_t len = comma == NULL ? n : (size_t)(comma - p);

		if (accept_read(p, len, a) != 0)
			return false;
		if (comma == NULL)
			return true;
		p += len + 1;
		n -= len + 1;
	}
}

static bool
has(const char *p, size_t n, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i + len <= n; i++)
		if (strncasecmp(p + i, word, len) == 0)
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char before[] = "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: ";
	struct accept a = UNSAID, b = UNSAID;
	size_t head = sizeof(before) - 1;
	const char *text = (const char *)data;
	enum coding chosen;
	struct h1_head h;
	char *buf;
	bool good;

	if (size > 4096)
		return 0;
	good = accept_read(text, size, &a) == 0;
	in_range(a.br);
	in_range(a.gzip);
	in_range(a.plain);
	in_range(a.any);
	want(split(text, size, &b) == good);
	if (good)
		want(a.br == b.br && a.gzip == b.gzip && a.plain == b.plain && a.any == b.any);
	buf = malloc(head + size + 4);
	memcpy(buf, before, head);
	memcpy(buf + head, data, size);
	memcpy(buf + head + size, "\r\n\r\n", 4);
	h1_head_init(&h, false, H1_HEAD_MAX);
	if (h1_head_parse(&h, buf, head + size + 4) == H1_DONE && h.length == head + size + 4) {
		chosen = accept_choose(&h, buf);
		want(chosen == CODING_NONE || has(text, size, "*") ||
		     has(text, size, chosen == CODING_BR ? "br" : "gzip"));
	}
	free(buf);
	return 0;
}
