/* packet.h - the few packets that the doctor sends and understands, as bytes. Pure.
 *
 * Built without a link-layer header: the kernel puts that in front. Lengths never exceed PACKET_MAX.
 * Source: RFC 826 (ARP), RFC 791, RFC 8200, RFC 9293 (TCP), RFC 768, RFC 792, RFC 4443, RFC 4861 (neighbours),
 * RFC 2003 (ipip), RFC 2784 (GRE), draft-ietf-intarea-gue (GUE version 0). */
#ifndef DOCTOR_PACKET_H
#define DOCTOR_PACKET_H

#include "base/addr.h"

#define PACKET_MAX 256
#define MAC_LEN 6

struct packet_out {
	size_t len;
	uint8_t b[PACKET_MAX];
};

/* From where to where; ports in host order. Both addresses are of one family. */
struct flow {
	struct addr from, to;
	uint16_t from_port, to_port;
};
enum { TCP_SYN = 0x02, TCP_RST = 0x04, TCP_ACK = 0x10 };

/* packet_arp - who has target? from has family 0: nobody in particular asks (RFC 5227 probe). */
void packet_arp(struct packet_out *out, const uint8_t mac[MAC_LEN], const struct addr *from,
    const struct addr *target);
/* packet_solicit - the same for IPv6. packet_solicit_mac - the link-layer address it goes to. */
void packet_solicit(struct packet_out *out, const uint8_t mac[MAC_LEN], const struct addr *from,
    const struct addr *target);
void packet_solicit_mac(const struct addr *target, uint8_t out[MAC_LEN]);
void packet_tcp(
    struct packet_out *out, const struct flow *f, unsigned flags, uint32_t seq, uint32_t ack);
void packet_udp(struct packet_out *out, const struct flow *f); /* without data */
/* packet_wrap - into a tunnel from one host to another. kind: enum tunnel; port: of gue; csum: a checksum over the
 * packet (gre, gue). inner and out are different objects. */
struct wrap {
	struct addr from, to;
	uint8_t kind;
	uint16_t port;
	bool csum;
};
void packet_wrap(struct packet_out *out, const struct wrap *w, const struct packet_out *inner);
/* packet_overhead - bytes that the tunnel adds to a packet. */
unsigned packet_overhead(const struct wrap *w);

enum packet_kind {
	PACKET_OTHER,
	PACKET_ARP,	  /* either kind: sender says where it is */
	PACKET_NEIGHBOUR, /* neighbour advertisement */
	PACKET_TCP,
	PACKET_UDP,
	PACKET_ERROR, /* ICMP: about a packet of ours */
};
struct packet_in {
	uint8_t kind;
	/* ARP and advertisements: who (sender, target) is at which link-layer address; has_mac: it said. */
	struct addr who;
	bool has_mac, request; /* request: ARP that asks */
	uint8_t mac[MAC_LEN];
	/* IP: errors carry the flow that they are about in flow, and who sent them in from. */
	struct flow flow;
	struct addr from;
	uint8_t tcp_flags;
	uint32_t seq, ack;
	uint16_t mss;	    /* option of a SYN; 0: none */
	uint8_t type, code; /* of an error */
	uint8_t protocol;   /* of the packet that an error is about */
};
/* packet_parse - type: of Ethernet, host order (0x0806, 0x0800, 0x86dd). Anything not understood is PACKET_OTHER. */
void packet_parse(uint16_t type, const void *p, size_t len, struct packet_in *out);

#endif
