/* utf8.h - one character of UTF-8 (RFC 3629), checked: no overlong form, no surrogate, nothing past U+10FFFF. */
#ifndef SCHEMA_UTF8_H
#define SCHEMA_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* utf8_next - length in bytes of the character at p, 1 to 4; 0 when the n bytes there do not begin with one.
 * n is at least 1. */
static inline unsigned
utf8_next(const char *text, size_t n, uint32_t *out)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)text;
	unsigned len;
	uint32_t v;

	*out = p[0];
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] < 0xe0)
		len = 2;
	else if (p[0] >= 0xe0 && p[0] < 0xf0)
		len = 3;
	else if (p[0] >= 0xf0 && p[0] < 0xf5)
		len = 4;
	else
		return 0;
	if (n < len)
		return 0;
	v = p[0] & (0x7fU >> len);
	for (unsigned i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	if (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return 0;
	*out = v;
	return len;
}

#endif
