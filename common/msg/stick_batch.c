/* Batches of what was learned: the bytes that go from lbd-proxy to lbd-ha, to the peer, and into the file.
 *
 * A batch is read twice: once as a whole, to see that every record can be, and then record by record. So whoever merges
 * one never stops in the middle. Of kinds that are not known only the frame is looked at: a newer version may share
 * what this one does not understand, through this one.
 *
 * Nothing here knows what becomes of a record, or who sent it. */
#include "msg/stick_batch.h"

#include "base/err.h"

#include <string.h>

#define VERSION 1

bool
stick_later(const struct stick_record *a, const struct stick_record *b)
{
	if (a->generation != b->generation)
		return a->generation > b->generation;
	if (a->stamp != b->stamp)
		return a->stamp > b->stamp;
	/* Two nodes counted to the same: it only matters that both decide alike. */
	if (((a->flags ^ b->flags) & STICK_GONE) != 0)
		return (a->flags & STICK_GONE) != 0;
	return a->value > b->value;
}

void
stick_batch_begin(struct buf *b)
{
	b->len = 0;
	buf_put_be(b, VERSION, 1);
	buf_put_be(b, 0, 3);
}

unsigned
stick_batch_count(const struct buf *b)
{
	return b->len < STICK_BATCH_HEAD ? 0
					 : (unsigned)((b->len - STICK_BATCH_HEAD) / STICK_RECORD);
}

/* Big-endian, into a record's own bytes. */
static uint8_t *
put(uint8_t *p, uint64_t v, unsigned bytes)
{
	for (unsigned i = bytes; i-- > 0; v >>= 8)
		p[i] = (uint8_t)v;
	return p + bytes;
}

bool
stick_batch_put(struct buf *b, const struct stick_record *r)
{
	unsigned n = stick_batch_count(b);
	uint8_t wire[STICK_RECORD] = { r->kind, r->key_kind, r->flags }, *p = wire + 4;

	if (n >= STICK_BATCH_MOST)
		return false;
	p = put(p, r->service, 4);
	memcpy(p, r->key, sizeof(r->key));
	p = put(p + sizeof(r->key), r->value, 4);
	p = put(p, r->left_ms, 4);
	p = put(p, r->generation, 4);
	(void)put(p, r->stamp, 8);
	buf_put(b, wire, sizeof(wire));
	buf_patch_be(b, 2, n + 1, 2);
	return true;
}

static void
take(struct rd *r, struct stick_record *out)
{
	const void *key;

	out->kind = (uint8_t)rd_be(r, 1);
	out->key_kind = (uint8_t)rd_be(r, 1);
	out->flags = (uint8_t)rd_be(r, 1);
	(void)rd_be(r, 1);
	out->service = (uint32_t)rd_be(r, 4);
	key = rd_bytes(r, sizeof(out->key));
	if (key != NULL)
		memcpy(out->key, key, sizeof(out->key));
	out->value = (uint32_t)rd_be(r, 4);
	out->left_ms = (uint32_t)rd_be(r, 4);
	out->generation = (uint32_t)rd_be(r, 4);
	out->stamp = rd_be(r, 8);
}

static bool
can_be(const struct stick_record *r)
{
	if (r->kind == 0 || r->stamp > STICK_STAMP_MAX)
		return false;
	if (r->kind != STICK_PERSIST)
		return true;
	return r->service != 0 && r->key_kind < STICK_KINDS &&
	       (r->value == 0) == ((r->flags & STICK_GONE) != 0);
}

int
stick_batch_open(const void *p, size_t len, struct stick_batch *out)
{
	struct rd rd = { .p = p, .left = len };
	unsigned version = (unsigned)rd_be(&rd, 1), n;
	struct stick_record r;

	(void)rd_be(&rd, 1);
	n = (unsigned)rd_be(&rd, 2);
	if (rd.bad || version != VERSION || n > STICK_BATCH_MOST ||
	    rd.left != (size_t)n * STICK_RECORD)
		return ERR_PROTO;
	*out = (struct stick_batch){ .rd = rd, .left = n };
	for (unsigned i = 0; i < n; i++) {
		take(&rd, &r);
		if (!can_be(&r))
			return ERR_PROTO;
	}
	return 0;
}

bool
stick_batch_next(struct stick_batch *in, struct stick_record *out)
{
	if (in->left == 0)
		return false;
	in->left--;
	take(&in->rd, out);
	return true;
}
