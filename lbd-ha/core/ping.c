/* ping.c - what is known of the ping nodes, and the echo's bytes.
 *
 * A question carries the place of its target, its number and a random cookie in its data; the answer must bring them all
 * back from the target's address. The kernel's ping sockets put their own identifier into the header, so that is not
 * looked at.
 *
 * There is one open question for each target. When the next is due and it is still open, that is a miss: so an interval
 * is also the time in which an answer counts. */
#include "core/ping.h"

#include "base/buf.h"
#include "base/must.h"

#include <string.h>

#define ECHO4 8
#define REPLY4 0
#define ECHO6 128
#define REPLY6 129
#define MAGIC 0x6c626470 /* "lbdp" */

void
ping_init(struct ping *p, uint64_t cookie)
{
	memset(p, 0, sizeof(*p));
	p->cookie = cookie;
	p->id = (uint16_t)cookie;
}

static void
limit(struct ping_conf *c)
{
	if (c->interval < DUR_MS(10))
		c->interval = DUR_MS(10);
	if (c->rise < 1)
		c->rise = 1;
	if (c->fall < 1)
		c->fall = 1;
}

void
ping_set(struct ping *p, unsigned i, const struct ping_conf *conf, mono_t now)
{
	struct ping_target *t = &p->target[i];

	must(i < PING_TARGETS);
	if (conf == NULL || conf->addr.family == 0) {
		memset(t, 0, sizeof(*t));
		return;
	}
	if (t->conf.addr.family == 0 || !addr_same_host(&t->conf.addr, &conf->addr) ||
	    strcmp(t->conf.ifname, conf->ifname) != 0) {
		memset(t, 0, sizeof(*t));
		t->next = t->since = now;
	}
	t->conf = *conf;
	limit(&t->conf);
}

static void
result(struct ping_target *t, bool good, mono_t now)
{
	if (good == t->reachable) {
		t->streak = 0;
		return;
	}
	if (++t->streak < (good ? t->conf.rise : t->conf.fall))
		return;
	t->reachable = good;
	t->streak = 0;
	t->since = now;
}

void
ping_hurry(struct ping *p, dur_t every)
{
	for (unsigned i = 0; i < PING_TARGETS; i++) {
		struct ping_target *t = &p->target[i];

		if (t->conf.addr.family != 0 && t->answered_at != 0 && t->rtt < every / 2 &&
		    t->sent_at + every < t->next)
			t->next = t->sent_at + every;
	}
}

int
ping_due(struct ping *p, mono_t now)
{
	for (unsigned i = 0; i < PING_TARGETS; i++) {
		struct ping_target *t = &p->target[i];

		if (t->conf.addr.family == 0 || now < t->next)
			continue;
		if (t->waiting)
			result(t, false, now);
		t->waiting = false;
		return (int)i;
	}
	return -1;
}

static uint8_t *
put(uint8_t *p, uint64_t v, unsigned bytes)
{
	for (unsigned i = bytes; i-- > 0;)
		*p++ = (uint8_t)(v >> 8 * i);
	return p;
}

/* RFC 1071. */
static uint16_t
checksum(const uint8_t *p, size_t n)
{
	uint32_t s = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		s += (uint32_t)p[i] << 8 | p[i + 1];
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

void
ping_packet(struct ping *p, unsigned i, uint8_t out[PING_LEN])
{
	struct ping_target *t = &p->target[i];
	bool four = t->conf.addr.family == 4;
	uint8_t *at;

	must(i < PING_TARGETS && t->conf.addr.family != 0);
	t->seq++;
	memset(out, 0, PING_LEN);
	at = put(out, four ? ECHO4 : ECHO6, 1);
	at = put(at, 0, 3);
	at = put(at, p->id, 2);
	at = put(at, (uint16_t)t->seq, 2);
	at = put(at, MAGIC, 4);
	at = put(at, p->cookie, 8);
	at = put(at, i, 4);
	(void)put(at, t->seq, 4);
	if (four)
		(void)put(out + 2, checksum(out, PING_LEN), 2);
}

void
ping_sent(struct ping *p, unsigned i, mono_t now, int rc)
{
	struct ping_target *t = &p->target[i];

	t->sent++;
	t->fault = rc;
	t->waiting = true;
	t->sent_at = now;
	t->next += t->conf.interval;
	if (t->next <= now)
		t->next = now + t->conf.interval;
}

int
ping_answer(struct ping *p, const void *bytes, size_t len, const struct addr *from, mono_t at)
{
	struct rd r = { .p = bytes, .left = len };
	uint8_t type = (uint8_t)rd_be(&r, 1), code = (uint8_t)rd_be(&r, 1);
	uint64_t magic, cookie;
	uint32_t i, seq;
	struct ping_target *t;

	(void)rd_bytes(&r, 6);
	magic = rd_be(&r, 4);
	cookie = rd_be(&r, 8);
	i = (uint32_t)rd_be(&r, 4);
	seq = (uint32_t)rd_be(&r, 4);
	if (r.bad || code != 0 || magic != MAGIC || cookie != p->cookie || i >= PING_TARGETS)
		return -1;
	t = &p->target[i];
	if (t->conf.addr.family == 0 || !addr_same_host(&t->conf.addr, from) ||
	    type != (t->conf.addr.family == 4 ? REPLY4 : REPLY6))
		return -1;
	if (!t->waiting || seq != t->seq || at >= t->next) {
		t->late++;
		return -1;
	}
	t->waiting = false;
	t->answers++;
	t->answered_at = at;
	t->rtt = at - t->sent_at;
	result(t, true, at);
	return (int)i;
}

uint32_t
ping_reachable(const struct ping *p)
{
	uint32_t mask = 0;

	for (unsigned i = 0; i < PING_TARGETS; i++)
		mask |= (uint32_t)(p->target[i].conf.addr.family != 0 && p->target[i].reachable)
			<< i;
	return mask;
}

unsigned
ping_count(const struct ping *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PING_TARGETS; i++)
		n += p->target[i].conf.addr.family != 0;
	return n;
}

mono_t
ping_deadline(const struct ping *p)
{
	mono_t best = PING_NEVER;

	for (unsigned i = 0; i < PING_TARGETS; i++)
		if (p->target[i].conf.addr.family != 0 && p->target[i].next < best)
			best = p->target[i].next;
	return best;
}
