/* h1_priv.h - shared by the files of the HTTP/1.1 parser. */
#ifndef H1_PRIV_H
#define H1_PRIV_H

#include <string.h>

#include "h1_parse.h"

/* What a byte may be part of. */
enum {
	H1_C_TOKEN = 1,	 /* method, field name (RFC 9110 section 5.6.2) */
	H1_C_TARGET = 2, /* request target: visible, but no '#' (RFC 9112 section 3.2) */
	H1_C_HOST = 4,	 /* registered name without ',' (RFC 3986 section 3.2.2) */
};
extern const uint8_t h1_class[256];

static inline bool
h1_is(char c, unsigned classes)
{
	return (h1_class[(uint8_t)c] & classes) != 0;
}

/* A byte of a field value: VCHAR, obs-text, SP or HTAB (RFC 9110 section 5.5). */
static inline bool
h1_is_text(char c)
{
	uint8_t b = (uint8_t)c;
	return (b >= 0x20 && b != 0x7f) || b == '\t';
}

/* Equal but for the case of letters; lower holds no capitals, and s only bytes of a token, for which setting one bit
 * is the lower case. n > 0. Two overlapping words cover all lengths that matter. */
static inline bool
h1_same(const char *s, const char *lower, size_t n)
{
	const uint64_t fold = 0x2020202020202020u;
	uint64_t a, b, c, d;

	for (; n > 16; n--, s++, lower++)
		if ((*s | 0x20) != *lower)
			return false;
	if (n >= 8) {
		memcpy(&a, s, 8);
		memcpy(&b, lower, 8);
		memcpy(&c, s + n - 8, 8);
		memcpy(&d, lower + n - 8, 8);
		return (((a | fold) ^ b) | ((c | fold) ^ d)) == 0;
	}
	if (n >= 4) {
		uint32_t e, f, g, i;

		memcpy(&e, s, 4);
		memcpy(&f, lower, 4);
		memcpy(&g, s + n - 4, 4);
		memcpy(&i, lower + n - 4, 4);
		return (((e | (uint32_t)fold) ^ f) | ((g | (uint32_t)fold) ^ i)) == 0;
	}
	for (; n > 0; n--, s++, lower++)
		if ((*s | 0x20) != *lower)
			return false;
	return true;
}

/* Whether a name of that length and first letter is known at all: most are not, and are told here. len > 0. */
#define H1_KNOWN_MAX 17
extern const uint32_t h1_initials[H1_KNOWN_MAX + 1]; /* by length: a bit for each first letter */
static inline bool
h1_may_know(const char *name, size_t len)
{
	return len <= H1_KNOWN_MAX && (h1_initials[len] >> (name[0] & 31) & 1) != 0;
}
enum h1_id h1_lookup(const char *name, size_t len);

/* The meaning of one field for the message's framing and persistence; false with h->error. */
bool h1_field_apply(struct h1_head *h, const char *buf, const struct h1_header *f);
/* host ":" port of a CONNECT (RFC 9112 section 3.2.3): both demanded, nothing encoded. */
bool h1_authority_ok(const char *s, size_t len);
/* What can be judged only when all fields are known; false with h->error. */
bool h1_head_finish(struct h1_head *h, const char *buf);

#define H1_ERROR(name, code, words) static const struct h1_error name = { code, words }

#endif
