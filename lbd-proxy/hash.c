/* xxHash behind two names. Compiled into this file as a whole, so that short keys cost no call through the library.
 * These hashes spread keys over tables and make tokens that look like nothing; they keep no secret. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "hash.h"

uint64_t
hash64(const void *p, size_t len, uint64_t seed)
{
	return XXH3_64bits_withSeed(p, len, seed);
}

void
hash128(const void *p, size_t len, uint64_t seed, uint8_t out[16])
{
	XXH128_canonical_t c;

	XXH128_canonicalFromHash(&c, XXH3_128bits_withSeed(p, len, seed));
	__builtin_memcpy(out, c.digest, 16);
}
