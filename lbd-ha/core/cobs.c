/* cobs.c - byte stuffing for serial lines.
 *
 * The writer replaces each zero by the distance to the next: a code byte n stands for n - 1 bytes that are not zero and
 * then one zero, or, when n is 255, for 254 bytes and none. The reader is a machine of one byte at a time that keeps no
 * more than one frame. Whatever comes, it is between frames after the next zero.
 *
 * Noise between two frames is a frame of noise: it is counted, and costs none of ours, since each of ours begins with a
 * zero of its own. */
#include "core/cobs.h"

#include "base/must.h"

#include <string.h>

uint32_t
cobs_crc(const void *bytes, size_t n)
{
	/* Four bits at a time: the reflected polynomial 0xedb88320. */
	static const uint32_t part[16] = { 0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
		0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8,
		0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c };
	const uint8_t *p = bytes;
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		crc = crc >> 4 ^ part[crc & 15];
		crc = crc >> 4 ^ part[crc & 15];
	}
	return ~crc;
}

struct stuff {
	uint8_t *code, *p; /* code: where the running block's length goes */
};

static void
stuff_byte(struct stuff *s, uint8_t byte)
{
	if (byte != 0)
		*s->p++ = byte;
	if (byte != 0 && s->p - s->code < 255)
		return;
	*s->code = (uint8_t)(s->p - s->code);
	s->code = s->p++;
}

size_t
cobs_encode(const void *frame, size_t n, uint8_t *out)
{
	const uint8_t *p = frame;
	uint32_t crc = cobs_crc(frame, n);
	struct stuff s = { .code = out + 1, .p = out + 2 };

	must(n > 0 && n <= COBS_MAX);
	out[0] = 0;
	for (size_t i = 0; i < n; i++)
		stuff_byte(&s, p[i]);
	for (unsigned i = 4; i-- > 0;)
		stuff_byte(&s, (uint8_t)(crc >> 8 * i));
	*s.code = (uint8_t)(s.p - s.code);
	*s.p++ = 0;
	return (size_t)(s.p - out);
}

static void
put(struct cobs *c, uint8_t byte)
{
	if (c->len == sizeof(c->raw))
		c->broken = true;
	else
		c->raw[c->len++] = byte;
}

static uint32_t
tail(const struct cobs *c)
{
	const uint8_t *p = c->raw + c->len - 4;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A zero: is what stands before it a frame? */
static size_t
close_frame(struct cobs *c)
{
	bool begun = c->len > 0 || c->zero || c->block > 0 || c->broken;
	bool good = !c->broken && c->block == 0 && c->len > 4;
	size_t n = c->len;

	if (good)
		good = cobs_crc(c->raw, n - 4) == tail(c);
	if (begun && good)
		c->frames++;
	else if (begun)
		c->garbage++;
	c->len = 0;
	c->block = 0;
	c->zero = c->broken = false;
	return good ? n - 4 : 0;
}

size_t
cobs_push(struct cobs *c, uint8_t byte)
{
	if (byte == 0)
		return close_frame(c);
	if (c->broken)
		return 0;
	if (c->block > 0) {
		put(c, byte);
		c->block--;
		return 0;
	}
	if (c->zero)
		put(c, 0);
	c->block = byte - 1U;
	c->zero = byte < 255;
	return 0;
}
