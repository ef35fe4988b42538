/* cobs.h - frames on a line that knows only bytes: consistent overhead byte stuffing, with a CRC-32. Pure.
 *
 * Source: S. Cheshire, M. Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM Transactions on Networking 7(2), 1999.
 * CRC: ISO 3309 / ITU-T V.42 (as Ethernet's and zlib's), four bytes big-endian behind the frame and under the stuffing.
 * A zero byte stands before and after each frame and nowhere within, so a reader that joins in the middle, or has read
 * garbage, is right again with the next frame. */
#ifndef HA_COBS_H
#define HA_COBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COBS_MAX 512 /* bytes of a frame, without its CRC */
#define COBS_ROOM(n) ((n) + 4 + ((n) + 4) / 254 + 1 + 2)

/* cobs_crc - of n bytes. */
uint32_t cobs_crc(const void *bytes, size_t n);
/* cobs_encode - one frame (1 to COBS_MAX bytes) with its zeros; out has COBS_ROOM(n). Returns the length. */
size_t cobs_encode(const void *frame, size_t n, uint8_t *out);

/* Reader of a line; { 0 } stands between frames. */
struct cobs {
	uint8_t raw[COBS_MAX + 4];
	size_t len;
	unsigned block; /* bytes until the next code */
	bool zero;	/* a zero belongs before the next block */
	bool broken;	/* until the next zero nothing counts */
	uint64_t frames,
	    garbage; /* garbage: frames that were cut, too long, or whose CRC is wrong */
};
/* cobs_push - one byte from the line.
 *
 * Returns: the length of the frame that it completes, which is then in c->raw until the next push; else 0.
 */
size_t cobs_push(struct cobs *c, uint8_t byte);

#endif
