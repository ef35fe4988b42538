/* vrrp_packet.h - one advertisement of VRRP as bytes, versions 2 and 3, over IPv4 and IPv6. Pure, no memory of its own.
 * Source: RFC 3768 sections 5.3 and 7.1 (version 2; the password of RFC 2338 section 5.3.6); RFC 5798 and RFC 9568
 * sections 5.2 and 7.1 with errata 8299, 8301 (version 3). */
#ifndef VRRP_PACKET_H
#define VRRP_PACKET_H

#include "base/addr.h"
#include "base/mono.h"

#define VRRP_PROTO 112	    /* IANA */
#define VRRP_TTL 255	    /* RFC 9568 sections 5.1.1.3 and 5.1.2.3 */
#define VRRP_ADDRS 255	    /* the count is one byte */
#define VRRP_BYTES_MAX 4096 /* 8, 255 addresses of 16, 8 of authentication */
#define VRRP_OWNER 255	    /* priority of the node that has the addresses as its own */
#define VRRP_LEAVING_PRIORITY 0
#define VRRP_AUTH_NONE 0
#define VRRP_AUTH_PASS 1 /* plain text; RFC 3768 took it away, keepalived's examples have it */

/* Over what the checksum of version 3 over IPv4 is made, the implementations differ. */
enum vrrp_sum {
	VRRP_SUM_PSEUDO, /* pseudo header (RFC 5798 section 5.2.8 read so by keepalived and FRR 8); IPv6 always */
	VRRP_SUM_PLAIN, /* the message alone (RFC 9568 section 5.2.8); version 2 always */
	VRRP_SUM_GROUP, /* unicast, but the pseudo header has the multicast address: older keepalived */
	VRRP_SUMS,
};

/* Why an advertisement was not taken. From VRRP_BAD_VRID on only the instance (vrrp_fsm.h) can tell. */
enum vrrp_bad {
	VRRP_GOOD,
	VRRP_BAD_TTL,	    /* it was routed, or comes from somewhere else altogether */
	VRRP_BAD_SHORT,	    /* less than a header */
	VRRP_BAD_VERSION,   /* neither 2 nor 3, or 2 over IPv6 */
	VRRP_BAD_TYPE,	    /* not an advertisement */
	VRRP_BAD_CARP,	    /* the other protocol of this number */
	VRRP_BAD_COUNT,	    /* no address at all (erratum 8299) */
	VRRP_BAD_LENGTH,    /* the addresses end after the packet */
	VRRP_BAD_LONG,	    /* bytes after the end */
	VRRP_BAD_CHECKSUM,  /* wrong in every form */
	VRRP_BAD_ID,	    /* virtual router 0 */
	VRRP_BAD_INTERVAL,  /* interval 0 (erratum 8301) */
	VRRP_BAD_LINKLOCAL, /* IPv6: the first address must be link-local (RFC 9568 section 5.2.9) */
	VRRP_BAD_VRID,	    /* no instance of that number on this interface */
	VRRP_BAD_OTHER_VERSION, /* the instance speaks the other one */
	VRRP_BAD_OWN,		/* our own address as source */
	VRRP_BAD_SOURCE, /* unicast from somebody who is no peer, multicast to an instance of unicast or reverse */
	VRRP_BAD_AUTH,		 /* another kind of authentication, or another password */
	VRRP_BAD_OTHER_INTERVAL, /* version 2: both sides must have the same (RFC 3768 section 7.1) */
	VRRP_BAD_ADDRS,		 /* other addresses than ours */
	VRRP_BADS,
};
const char *vrrp_bad_name(enum vrrp_bad b); /* one word or two, for logs and counters */

struct vrrp_packet {
	uint8_t version, family; /* 2, 3; 4, 6 */
	uint8_t vrid, priority, auth_type;
	uint8_t auth[8];
	enum vrrp_sum sum; /* the form that was right; of more than one the first above */
	dur_t interval;	   /* wire: seconds (version 2) or hundredths (version 3) */
	unsigned n;
	struct addr addr[VRRP_ADDRS]; /* hosts; only n of them are filled */
};

/* What the IP layer knows of a packet. */
struct vrrp_ip {
	struct addr src, dst; /* hosts */
	uint8_t ttl;
};

extern const struct addr vrrp_group4, vrrp_group6; /* 224.0.0.18, ff02::12 */

/* vrrp_packet_parse - read one advertisement from the wire.
 *
 * bytes:   from the VRRP header to the end of the IP payload; borrowed. They may hold anything.
 * ip:      addresses and TTL it arrived with.
 * min_ttl: least TTL of a unicast packet, 255 unless the peer is behind routers; multicast needs 255 always.
 * out:     filled only on success.
 * Returns: VRRP_GOOD or why not; never one from VRRP_BAD_VRID on.
 */
enum vrrp_bad vrrp_packet_parse(const void *bytes, size_t n, const struct vrrp_ip *ip,
    uint8_t min_ttl, struct vrrp_packet *out);
/* vrrp_packet_format - the bytes of p with the checksum of form p->sum (IPv6: never plain; version 2: always plain),
 * for the source and destination of ip. Returns their number. */
size_t vrrp_packet_format(
    const struct vrrp_packet *p, const struct vrrp_ip *ip, uint8_t out[VRRP_BYTES_MAX]);

#endif
