/* be.h - numbers in network order into memory whose size the caller knows; buf.h for all else. */
#ifndef BASE_BE_H
#define BASE_BE_H

#include <stdint.h>

/* be_put16 - the low 16 bits of v; returns what follows them. */
static inline uint8_t *
be_put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

/* be_put32 - all of v; returns what follows it. */
static inline uint8_t *
be_put32(uint8_t *p, uint32_t v)
{
	return be_put16(be_put16(p, v >> 16), v);
}

#endif
