/* Packets of strangers, and a neighbour who says anything in any order. The first byte chooses the TTL; then come records:
 * one byte of time, and a packet of 24 bytes or what is left. What is taken is read a second time, plainly, and goes to a
 * session, its discriminator put right when the byte of time is even. Whatever it hears, a session sends only what its
 * neighbour would take, one packet a step at most, and has something to wait for. */
#include "bfd/bfd_session.h"

#include <stdlib.h>
#include <string.h>

#define MINE 0xb0f0b0f0

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must_be(bool ok)
{
	if (!ok)
		abort();
}

static uint32_t
word(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool
is_good(const uint8_t *p, size_t n, unsigned ttl)
{
	return ttl == 255 && n >= 24 && p[0] >> 5 == 1 && p[3] >= 24 && p[3] <= n && p[2] != 0 &&
	       (p[1] & 5) == 0 && word(p + 4) != 0 && (word(p + 8) != 0 || p[1] >> 6 < 2);
}

static void
look_sent(const struct bfd_out *out)
{
	uint8_t b[BFD_BYTES];
	struct bfd_packet p;

	if (!out->send)
		return;
	bfd_packet_format(&out->packet, b);
	must_be(bfd_packet_parse(b, sizeof(b), BFD_TTL, &p) == BFD_GOOD);
	must_be(p.mine == MINE && !(p.poll && p.final) && !p.demand);
	must_be(p.state == BFD_UP || p.desired_tx >= BFD_SLOW);
}

static void
wait_until(struct bfd *b, mono_t *now, mono_t end)
{
	struct bfd_out out;

	while (b->deadline <= end) {
		*now = b->deadline > *now ? b->deadline : *now;
		bfd_timer(b, *now, (uint32_t)*now * 2654435761u, &out);
		look_sent(&out);
		must_be(b->deadline > *now);
	}
	*now = end > *now ? end : *now;
}

/* One packet to the session. */
static void
hear(struct bfd *b, struct bfd_packet *p, bool right, mono_t now)
{
	char text[BFD_TEXT];
	struct bfd_out out;
	enum bfd_bad bad;

	if (right && p->yours != 0)
		p->yours = MINE;
	bad = bfd_receive(b, p, now, 0, &out);
	must_be(bad == (p->yours == 0 || p->yours == MINE ? BFD_GOOD : BFD_BAD_YOURS));
	must_be(out.send || !(out.changed || (p->poll && bad == BFD_GOOD)));
	must_be(b->state == BFD_DOWN || b->state == BFD_INIT || b->state == BFD_UP);
	must_be((b->state == BFD_UP) == (bfd_verdict(b) == BFD_VERDICT_GOOD));
	look_sent(&out);
	bfd_format(b, text);
	must_be(strlen(text) < sizeof(text) - 1);
}

static void
take(struct bfd *b, const uint8_t *data, size_t n, unsigned ttl, bool right, mono_t now)
{
	uint8_t *exact = malloc(n + 1), back[BFD_BYTES];
	struct bfd_packet p;
	bool good;

	memcpy(exact, data, n);
	good = bfd_packet_parse(exact, n, ttl, &p) == BFD_GOOD;
	must_be(good == is_good(exact, n, ttl));
	if (good) {
		bfd_packet_format(&p, back);
		back[3] = exact[3];
		must_be(memcmp(back, exact, sizeof(back)) == 0);
		hear(b, &p, right, now);
	}
	free(exact);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mono_t now = DUR_S(1);
	struct bfd b;
	unsigned ttl;

	if (size == 0)
		return 0;
	ttl = data[0] & 1 ? data[0] : BFD_TTL;
	bfd_init(&b, DUR_MS(50) + DUR_MS(100) * (data[0] >> 4), MINE, now);
	for (data++, size--; size > 0;) {
		size_t n = size - 1 < BFD_BYTES ? size - 1 : BFD_BYTES;

		wait_until(&b, &now, now + DUR_MS(data[0] * 4));
		/* The last one may be longer than a packet. */
		take(&b, data + 1, size - 1 < 2 * BFD_BYTES ? size - 1 : n, ttl, data[0] % 2 == 0,
		    now);
		data += 1 + n;
		size -= 1 + n;
	}
	return 0;
}
