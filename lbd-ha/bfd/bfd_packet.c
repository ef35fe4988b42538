/* bfd_packet.c - a control packet to bytes and back.
 *
 *   byte  0 version (3 bits), diagnostic (5)   1 state (2), then the bits poll, final, independent, authentication, demand,
 *         multipoint   2 multiplier   3 length   4 my discriminator   8 your discriminator   12 desired transmission
 *         16 required reception   20 required reception of echo, each in microseconds
 *
 * The checks come in the order of RFC 5880 section 6.8.6, and each has an answer of its own, so that an operator sees in
 * the counters what is wrong on his network. Bytes after the length that a packet says are no part of it. */
#include "bfd/bfd_packet.h"

#include "base/be.h"
#include "base/buf.h"
#include "base/must.h"

#define VERSION 1
#define BIT_POLL 0x20
#define BIT_FINAL 0x10
#define BIT_INDEPENDENT 0x08
#define BIT_AUTH 0x04
#define BIT_DEMAND 0x02
#define BIT_MULTIPOINT 0x01

const char *
bfd_state_name(enum bfd_state s)
{
	static const char *const names[BFD_STATES] = {
		[BFD_ADMIN_DOWN] = "admin down",
		[BFD_DOWN] = "down",
		[BFD_INIT] = "init",
		[BFD_UP] = "up",
	};

	return s >= 0 && s < BFD_STATES ? names[s] : "?";
}

const char *
bfd_diag_name(unsigned diag)
{
	static const char *const names[BFD_DIAGS] = {
		[BFD_DIAG_NONE] = "no diagnostic",
		[BFD_DIAG_EXPIRED] = "control detection time expired",
		[BFD_DIAG_ECHO] = "echo function failed",
		[BFD_DIAG_SIGNALED] = "neighbour signaled session down",
		[BFD_DIAG_RESET] = "forwarding plane reset",
		[BFD_DIAG_PATH] = "path down",
		[BFD_DIAG_CONCATENATED] = "concatenated path down",
		[BFD_DIAG_ADMIN] = "administratively down",
		[BFD_DIAG_REVERSE] = "reverse concatenated path down",
	};

	return diag < BFD_DIAGS ? names[diag] : "reserved diagnostic";
}

const char *
bfd_bad_name(enum bfd_bad b)
{
	static const char *const names[BFD_BADS] = {
		[BFD_GOOD] = "good",
		[BFD_BAD_TTL] = "ttl",
		[BFD_BAD_SHORT] = "short",
		[BFD_BAD_VERSION] = "version",
		[BFD_BAD_LENGTH] = "length",
		[BFD_BAD_MULTIPLIER] = "multiplier 0",
		[BFD_BAD_MULTIPOINT] = "multipoint",
		[BFD_BAD_MINE] = "my discriminator 0",
		[BFD_BAD_NO_YOURS] = "your discriminator 0",
		[BFD_BAD_AUTH] = "authentication",
		[BFD_BAD_YOURS] = "your discriminator",
		[BFD_BAD_ADMIN_DOWN] = "admin down",
	};

	return b >= 0 && b < BFD_BADS ? names[b] : "?";
}

static enum bfd_bad
check(const struct bfd_packet *p, unsigned flags)
{
	if (p->multiplier == 0)
		return BFD_BAD_MULTIPLIER;
	if ((flags & BIT_MULTIPOINT) != 0)
		return BFD_BAD_MULTIPOINT;
	if (p->mine == 0)
		return BFD_BAD_MINE;
	if (p->yours == 0 && p->state != BFD_DOWN && p->state != BFD_ADMIN_DOWN)
		return BFD_BAD_NO_YOURS;
	return (flags & BIT_AUTH) != 0 ? BFD_BAD_AUTH : BFD_GOOD;
}

enum bfd_bad
bfd_packet_parse(const void *bytes, size_t n, unsigned ttl, struct bfd_packet *out)
{
	struct rd r = { .p = bytes, .left = n };
	struct bfd_packet p;
	unsigned first, flags, length;
	enum bfd_bad bad;

	if (ttl != BFD_TTL)
		return BFD_BAD_TTL;
	if (n < BFD_BYTES)
		return BFD_BAD_SHORT;
	first = (unsigned)rd_be(&r, 1);
	flags = (unsigned)rd_be(&r, 1);
	p.multiplier = (uint8_t)rd_be(&r, 1);
	length = (unsigned)rd_be(&r, 1);
	if (first >> 5 != VERSION)
		return BFD_BAD_VERSION;
	if (length < BFD_BYTES || length > n)
		return BFD_BAD_LENGTH;
	p.state = (uint8_t)(flags >> 6);
	p.diag = (uint8_t)(first & 31);
	p.poll = (flags & BIT_POLL) != 0;
	p.final = (flags & BIT_FINAL) != 0;
	p.independent = (flags & BIT_INDEPENDENT) != 0;
	p.demand = (flags & BIT_DEMAND) != 0;
	p.mine = (uint32_t)rd_be(&r, 4);
	p.yours = (uint32_t)rd_be(&r, 4);
	p.desired_tx = (dur_t)rd_be(&r, 4);
	p.required_rx = (dur_t)rd_be(&r, 4);
	p.required_echo_rx = (dur_t)rd_be(&r, 4);
	must(!r.bad);
	bad = check(&p, flags);
	if (bad == BFD_GOOD)
		*out = p;
	return bad;
}

void
bfd_packet_format(const struct bfd_packet *p, uint8_t out[BFD_BYTES])
{
	uint8_t *at = out;

	must(p->state < BFD_STATES && p->diag < 32);
	*at++ = (uint8_t)(VERSION << 5 | p->diag);
	*at++ = (uint8_t)(p->state << 6 | (p->poll ? BIT_POLL : 0) | (p->final ? BIT_FINAL : 0) |
			  (p->independent ? BIT_INDEPENDENT : 0) | (p->demand ? BIT_DEMAND : 0));
	*at++ = p->multiplier;
	*at++ = BFD_BYTES;
	at = be_put32(at, p->mine);
	at = be_put32(at, p->yours);
	at = be_put32(at, (uint32_t)p->desired_tx);
	at = be_put32(at, (uint32_t)p->required_rx);
	(void)be_put32(at, (uint32_t)p->required_echo_rx);
}
