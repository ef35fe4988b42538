/* The statuses are those that HAProxy can try again; each has a bit behind those of the words. */
#include "schema/retry_words.h"

#include "base/must.h"

#include <stdlib.h>
#include <string.h>

#define STATUS_SHIFT 4

static const struct {
	const char *text;
	uint32_t bit;
} words[] = {
	{ "connect", RETRY_CONNECT },
	{ "empty", RETRY_EMPTY },
	{ "junk", RETRY_JUNK },
	{ "timeout", RETRY_TIMEOUT },
};
static const uint16_t statuses[] = { 401, 403, 404, 408, 425, 429, 500, 501, 502, 503, 504 };

uint32_t
retry_status_bit(unsigned status)
{
	for (unsigned i = 0; i < ARRAY_LEN(statuses); i++)
		if (statuses[i] == status)
			return 1u << (STATUS_SHIFT + i);
	return 0;
}

static uint32_t
bit_of(const char *p, size_t n)
{
	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		if (strlen(words[i].text) == n && memcmp(words[i].text, p, n) == 0)
			return words[i].bit;
	return n == 3 && strspn(p, "0123456789") == 3 ? retry_status_bit((unsigned)atoi(p)) : 0;
}

int
retry_words_parse(const char *text, uint32_t *out, struct err *err)
{
	*out = 0;
	for (const char *p = text; *p != '\0';) {
		size_t n = strcspn(p, ",");
		uint32_t bit = bit_of(p, n);

		if (bit == 0)
			return err_set(err, ERR_INVALID,
			    "\"%.*s\" is not allowed: connect, empty, junk, timeout, and of statuses 401, 403, 404, 408, 425, "
			    "429, 500 to 504, with commas between them",
			    (int)(n < 60 ? n : 60), p);
		*out |= bit;
		p += n;
		if (*p == ',' && *++p == '\0')
			return err_set(err, ERR_INVALID, "ends with a comma");
	}
	return 0;
}
