/* hash.h - the one user of xxHash: fast keyed hashes, not cryptographic ones. */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash64(const void *p, size_t len, uint64_t seed);
void hash128(const void *p, size_t len, uint64_t seed, uint8_t out[16]);

#endif
