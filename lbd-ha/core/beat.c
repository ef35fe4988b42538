/* beat.c - a heartbeat to bytes and back.
 *
 * The writer fills a frame from its first byte to its last in the order of the picture in the header; the reader takes
 * them in the same order through a bounded reader. What can be refused without reckoning is refused first, since a seal
 * costs more than all of it: junk is dropped for a few nanoseconds.
 *
 * The frame names its own length, because one of a later version is longer than ours and its seal lies behind what we
 * do not know. All of it is under the seal. */
#include "core/beat.h"

#include "base/buf.h"
#include "base/must.h"

#include <string.h>

#define MAGIC 0x6c626462 /* "lbdb" */

struct out {
	uint8_t *p;
};

static void
put(struct out *o, uint64_t v, unsigned bytes)
{
	for (unsigned i = bytes; i-- > 0;)
		*o->p++ = (uint8_t)(v >> 8 * i);
}

static void
put_group(struct out *o, const struct beat_group *g)
{
	put(o, g->role, 1);
	put(o, g->flags, 1);
	put(o, g->priority, 2);
	put(o, g->lease_ms, 4);
	put(o, g->generation, 8);
	put(o, g->score, 4);
	put(o, g->merit, 4);
	put(o, g->connections, 4);
	put(o, g->active_ms, 4);
}

static void
put_head(struct out *o, const struct beat *b, uint8_t key)
{
	put(o, MAGIC, 4);
	put(o, BEAT_VERSION, 1);
	put(o, b->node, 1);
	put(o, b->carrier, 1);
	put(o, key, 1);
	put(o, b->flags, 2);
	put(o, BEAT_LEN, 2);
	put(o, b->cluster, 8);
	put(o, b->boot, 8);
	put(o, b->seq, 8);
	put(o, b->sent_us, 8);
	put(o, b->echo.boot, 8);
	put(o, b->echo.seq, 8);
	put(o, b->echo.sent_us, 8);
	put(o, b->echo.age_us, 4);
}

void
beat_encode(const struct beat *b, const struct seal *seal, uint8_t out[BEAT_LEN])
{
	struct out o = { out };

	put_head(&o, b, seal_id(seal));
	put(&o, b->ping_reachable, 4);
	put(&o, b->ping_count, 1);
	put(&o, 0, 1);
	put(&o, b->schema, 2);
	put(&o, b->suite, 4);
	put(&o, b->revision, 4);
	put(&o, b->hash_shared, 8);
	put(&o, b->hash_own, 8);
	put(&o, b->lag_ms, 4);
	for (unsigned i = 0; i < BEAT_GROUPS; i++)
		put_group(&o, &b->group[i]);
	must(o.p == out + BEAT_BODY);
	seal_put(seal, out, BEAT_BODY, out + BEAT_BODY);
}

static struct beat_group
read_group(struct rd *r)
{
	struct beat_group g;

	g.role = (uint8_t)rd_be(r, 1);
	g.flags = (uint8_t)rd_be(r, 1);
	g.priority = (uint16_t)rd_be(r, 2);
	g.lease_ms = (uint32_t)rd_be(r, 4);
	g.generation = rd_be(r, 8);
	g.score = (uint32_t)rd_be(r, 4);
	g.merit = (uint32_t)rd_be(r, 4);
	g.connections = (uint32_t)rd_be(r, 4);
	g.active_ms = (uint32_t)rd_be(r, 4);
	return g;
}

/* From the magic to the cluster: what tells frames of ours from others. */
static enum beat_fault
read_head(struct rd *r, const struct beat_self *self, struct beat *b, uint8_t *key)
{
	size_t whole = r->left, length;

	if (rd_be(r, 4) != MAGIC)
		return r->bad ? BEAT_SHORT : BEAT_MAGIC;
	b->version = (uint8_t)rd_be(r, 1);
	b->node = (uint8_t)rd_be(r, 1);
	b->carrier = (uint8_t)rd_be(r, 1);
	*key = (uint8_t)rd_be(r, 1);
	b->flags = (uint16_t)rd_be(r, 2);
	length = (size_t)rd_be(r, 2);
	b->cluster = rd_be(r, 8);
	if (r->bad)
		return BEAT_SHORT;
	if (b->version < BEAT_VERSION)
		return BEAT_OLD;
	if (length < BEAT_LEN || length > whole)
		return BEAT_SHORT;
	if (length < whole || length > BEAT_MAX ||
	    (b->version == BEAT_VERSION && length > BEAT_LEN))
		return BEAT_LONG;
	if (b->cluster != self->cluster)
		return BEAT_CLUSTER;
	if (b->node != 1 && b->node != 2)
		return BEAT_NODE;
	return b->node == self->node ? BEAT_OWN : BEAT_GOOD;
}

static void
read_rest(struct rd *r, struct beat *b)
{
	b->boot = rd_be(r, 8);
	b->seq = rd_be(r, 8);
	b->sent_us = rd_be(r, 8);
	b->echo.boot = rd_be(r, 8);
	b->echo.seq = rd_be(r, 8);
	b->echo.sent_us = rd_be(r, 8);
	b->echo.age_us = (uint32_t)rd_be(r, 4);
	b->ping_reachable = (uint32_t)rd_be(r, 4);
	b->ping_count = (uint8_t)rd_be(r, 1);
	(void)rd_be(r, 1);
	b->schema = (uint16_t)rd_be(r, 2);
	b->suite = (uint32_t)rd_be(r, 4);
	b->revision = (uint32_t)rd_be(r, 4);
	b->hash_shared = rd_be(r, 8);
	b->hash_own = rd_be(r, 8);
	b->lag_ms = (uint32_t)rd_be(r, 4);
	for (unsigned i = 0; i < BEAT_GROUPS; i++)
		b->group[i] = read_group(r);
}

enum beat_fault
beat_decode(const void *bytes, size_t len, const struct beat_self *self, const struct seal *seal,
    struct beat *out)
{
	struct rd r = { .p = bytes, .left = len };
	const uint8_t *p = bytes;
	struct beat b = { 0 };
	enum beat_fault fault;
	uint8_t key = 0;

	fault = read_head(&r, self, &b, &key);
	if (fault != BEAT_GOOD)
		return fault;
	if (!seal_known(seal, key))
		return BEAT_KEY;
	if (!seal_check(seal, key, p, len - SEAL_TAG, p + len - SEAL_TAG))
		return BEAT_SEAL;
	read_rest(&r, &b);
	if (r.bad || b.boot == 0 || b.seq == 0 || b.carrier >= BEAT_CARRIERS)
		return BEAT_VALUE;
	*out = b;
	return BEAT_GOOD;
}

const char *
beat_fault_word(enum beat_fault f)
{
	static const char *const words[BEAT_FAULTS] = {
		[BEAT_GOOD] = "good",
		[BEAT_SHORT] = "short",
		[BEAT_LONG] = "long",
		[BEAT_MAGIC] = "foreign",
		[BEAT_OLD] = "old version",
		[BEAT_CLUSTER] = "other cluster",
		[BEAT_OWN] = "own node number",
		[BEAT_NODE] = "no node number",
		[BEAT_KEY] = "unknown key",
		[BEAT_SEAL] = "wrong seal",
		[BEAT_VALUE] = "impossible value",
		[BEAT_CROSSED] = "other carrier",
		[BEAT_REPLAYED] = "replayed",
		[BEAT_STRANGER] = "unproven start",
	};

	return f < BEAT_FAULTS ? words[f] : "unknown";
}
