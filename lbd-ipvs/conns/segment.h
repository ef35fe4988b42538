/* segment.h - TCP segments without data, and tunnels around them, as bytes. Pure.
 * Source: RFC 9293 section 3.1, RFC 791, RFC 8200, RFC 2784, RFC 2003, draft-ietf-intarea-gue. */
#ifndef IPVS_CONNS_SEGMENT_H
#define IPVS_CONNS_SEGMENT_H

#include "base/addr.h"

#define SEGMENT_MAX 160 /* IPv6, UDP and GUE around IPv6 and TCP: 112 */

enum { SEGMENT_SYN = 2, SEGMENT_RST = 4, SEGMENT_ACK = 16 };
struct segment {
	struct addr from, to; /* of one family */
	uint16_t from_port, to_port;
	uint8_t flags;
	uint32_t seq, ack;
};
/* segment_put - the whole packet from the IP header on, checksums included. Returns its length. */
size_t segment_put(uint8_t out[SEGMENT_MAX], const struct segment *s);
/* segment_take - a packet from the IP header on; false: no whole TCP header in it, or a fragment. */
bool segment_take(const uint8_t *p, size_t len, struct segment *out);

enum segment_tunnel { SEGMENT_PLAIN, SEGMENT_IPIP, SEGMENT_GRE, SEGMENT_GRE_CSUM, SEGMENT_GUE };
/* segment_wrap - a tunnel from one host to another around the packet in out. port: of gue. Returns the new length. */
struct segment_outer {
	enum segment_tunnel kind;
	struct addr from, to; /* of one family */
	uint16_t port;
};
size_t segment_wrap(uint8_t out[SEGMENT_MAX], size_t len, const struct segment_outer *o);

#endif
