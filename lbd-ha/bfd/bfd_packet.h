/* bfd_packet.h - one control packet of BFD as bytes. Pure, no memory of its own.
 * Source: RFC 5880 sections 4.1 and 6.8.6, RFC 5881 sections 4 and 5. */
#ifndef BFD_PACKET_H
#define BFD_PACKET_H

#include "base/mono.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BFD_BYTES 24 /* without authentication, which is not spoken */
#define BFD_TTL 255  /* sent and required: it has passed no router (RFC 5881 section 5) */

/* The numbers are those of the wire. */
enum bfd_state { BFD_ADMIN_DOWN, BFD_DOWN, BFD_INIT, BFD_UP, BFD_STATES };
enum bfd_diag {
	BFD_DIAG_NONE,
	BFD_DIAG_EXPIRED,
	BFD_DIAG_ECHO,
	BFD_DIAG_SIGNALED,
	BFD_DIAG_RESET,
	BFD_DIAG_PATH,
	BFD_DIAG_CONCATENATED,
	BFD_DIAG_ADMIN,
	BFD_DIAG_REVERSE,
	BFD_DIAGS, /* up to 31 are reserved */
};
const char *bfd_state_name(enum bfd_state s);
const char *bfd_diag_name(unsigned diag); /* "no diagnostic" ... "reserved diagnostic" */

/* Why a packet was not taken, in the order of the checks. */
enum bfd_bad {
	BFD_GOOD,
	BFD_BAD_TTL,	    /* it has passed a router */
	BFD_BAD_SHORT,	    /* less than a packet without authentication */
	BFD_BAD_VERSION,    /* not 1 */
	BFD_BAD_LENGTH,	    /* what it says of itself is less than a packet, or more than came */
	BFD_BAD_MULTIPLIER, /* 0 */
	BFD_BAD_MULTIPOINT, /* its bit must be 0 */
	BFD_BAD_MINE,	    /* the sender's discriminator is 0 */
	BFD_BAD_NO_YOURS,   /* no discriminator of ours, and a state that knows it */
	BFD_BAD_AUTH,	    /* authentication, and none is in use */
	BFD_BAD_YOURS,	    /* another discriminator than ours; the caller can tell */
	BFD_BAD_ADMIN_DOWN, /* we are administratively down; the session can tell */
	BFD_BADS,
};
const char *bfd_bad_name(enum bfd_bad b); /* one word or two, for logs and counters */

struct bfd_packet {
	uint8_t state, diag, multiplier; /* diag: 0 to 31 */
	bool poll, final, demand;
	bool independent; /* its control plane's end is not the path's */
	uint32_t mine,
	    yours;	   /* discriminators, of the sender and of the receiver; 0: not known yet */
	dur_t desired_tx;  /* wire: microseconds, up to 2^32 - 1, as all three */
	dur_t required_rx; /* 0: wants none */
	dur_t required_echo_rx; /* 0: takes no echo */
};

/* bfd_packet_parse - read one packet.
 *
 * bytes:   payload of the datagram; borrowed. They may hold anything.
 * ttl:     TTL or hop limit it arrived with.
 * out:     filled only on success.
 * Returns: BFD_GOOD or why not; never BFD_BAD_YOURS or BFD_BAD_ADMIN_DOWN.
 */
enum bfd_bad bfd_packet_parse(const void *bytes, size_t n, unsigned ttl, struct bfd_packet *out);
void bfd_packet_format(const struct bfd_packet *p, uint8_t out[BFD_BYTES]);

#endif
