/* siphash.h - a short keyed hash that nobody makes without the key. */
#ifndef SIPHASH_H
#define SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* siphash - SipHash-2-4 of len bytes. Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", section 2. */
uint64_t siphash(const void *p, size_t len, const uint64_t key[2]);

#endif
