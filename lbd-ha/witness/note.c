/* note.c - questions to the witness and its answers as bytes.
 *
 * One form for both, so that a witness never sends more than it was sent, and cannot be used to multiply traffic. The
 * witness answers nobody without a right seal: a scan of its port finds nothing. */
#include "witness/note.h"

#include "base/buf.h"
#include "base/must.h"

#include <errno.h>

#define MAGIC 0x6c626477 /* "lbdw" */

static uint8_t *
put(uint8_t *p, uint64_t v, unsigned bytes)
{
	for (unsigned i = bytes; i-- > 0;)
		*p++ = (uint8_t)(v >> 8 * i);
	return p;
}

void
note_encode(const struct note *n, const struct seal *seal, uint8_t out[NOTE_LEN])
{
	uint8_t *p = put(out, MAGIC, 4);

	p = put(p, NOTE_VERSION, 1);
	p = put(p, n->kind, 1);
	p = put(p, seal_id(seal), 1);
	p = put(p, n->node, 1);
	p = put(p, n->cluster, 8);
	p = put(p, n->boot, 8);
	p = put(p, n->seq, 8);
	p = put(p, n->witness, 8);
	p = put(p, n->stamp, 8);
	p = put(p, n->generation, 8);
	p = put(p, n->lease_ms, 4);
	p = put(p, n->group, 1);
	p = put(p, n->word, 1);
	p = put(p, n->holder, 1);
	p = put(p, 0, 1);
	must(p == out + NOTE_BODY);
	seal_put(seal, out, NOTE_BODY, p);
}

static void
read_body(struct rd *r, struct note *n)
{
	n->cluster = rd_be(r, 8);
	n->boot = rd_be(r, 8);
	n->seq = rd_be(r, 8);
	n->witness = rd_be(r, 8);
	n->stamp = rd_be(r, 8);
	n->generation = rd_be(r, 8);
	n->lease_ms = (uint32_t)rd_be(r, 4);
	n->group = (uint8_t)rd_be(r, 1);
	n->word = (uint8_t)rd_be(r, 1);
	n->holder = (uint8_t)rd_be(r, 1);
	(void)rd_be(r, 1);
}

static bool
possible(const struct note *n)
{
	bool word = n->kind == NOTE_ASK ? n->word >= NOTE_LOOK && n->word <= NOTE_GIVE
					: n->word >= NOTE_GRANTED && n->word <= NOTE_FULL;

	return word && (n->node == 1 || n->node == 2) && n->group < NOTE_GROUPS && n->holder <= 2 &&
	       n->boot != 0 && n->seq != 0;
}

int
note_decode(
    const void *bytes, size_t len, enum note_kind kind, const struct seal *seal, struct note *out)
{
	struct rd r = { .p = bytes, .left = len };
	const uint8_t *p = bytes;
	struct note n = { 0 };
	uint8_t version, key;

	if (rd_be(&r, 4) != MAGIC)
		return -EBADMSG;
	version = (uint8_t)rd_be(&r, 1);
	n.kind = (uint8_t)rd_be(&r, 1);
	key = (uint8_t)rd_be(&r, 1);
	n.node = (uint8_t)rd_be(&r, 1);
	if (r.bad || len < NOTE_LEN || len > NOTE_MAX || n.kind != kind)
		return -EBADMSG;
	if (version < NOTE_VERSION)
		return -EPROTONOSUPPORT;
	if (version == NOTE_VERSION && len != NOTE_LEN)
		return -EBADMSG;
	if (!seal_known(seal, key))
		return -ENOKEY;
	if (!seal_check(seal, key, p, len - SEAL_TAG, p + len - SEAL_TAG))
		return -EACCES;
	read_body(&r, &n);
	if (r.bad || !possible(&n))
		return -EBADMSG;
	*out = n;
	return 0;
}
