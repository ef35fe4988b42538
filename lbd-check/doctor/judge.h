/* judge.h - what was seen of a server, and what that means. Pure. */
#ifndef DOCTOR_JUDGE_H
#define DOCTOR_JUDGE_H

#include "base/addr.h"
#include "msg/msg.h"

/* What came back on one question. */
enum heard_what {
	HEARD_NOTHING,
	HEARD_OPEN,   /* SYN-ACK, or a datagram */
	HEARD_CLOSED, /* RST, or port unreachable by the server itself */
	HEARD_ERROR,  /* an ICMP error of another kind, or by another */
};
struct heard {
	bool asked;
	uint8_t what;
	bool straight;	  /* it came from the server's own link-layer address */
	struct addr from; /* of an error: who sent it */
	uint8_t type, code;
	uint16_t mss; /* of a SYN-ACK; 0: it said none */
};
enum place { PLACE_LINK, PLACE_ROUTED, PLACE_HERE }; /* HERE: the server is this node */
enum outside {
	OUTSIDE_NONE,	 /* nothing to ask with */
	OUTSIDE_OWN,	 /* an address of this node in another network: the answer must come back */
	OUTSIDE_FOREIGN, /* an address that nobody has: the answer goes to the server's gateway */
};

struct seen {
	const char *blind; /* nothing could be probed, and why; NULL */
	uint8_t forward;   /* enum forward: dr, nat, tun */
	uint8_t protocol;  /* enum protocol */
	bool snat;	   /* the server sees this node as client: no gateway needed */
	struct addr vip, rip;
	uint16_t vport, rport;
	bool vip_here; /* the virtual address is on this node */
	uint8_t place;
	bool has_mac; /* PLACE_LINK: it answered ARP or neighbour solicitation */
	uint8_t mac[6];
	struct heard own;    /* SYN to the server's own address and port */
	struct heard virt;   /* SYN to the virtual address at the server; tun: inside the tunnel */
	struct heard direct; /* tun: the same without the tunnel */
	struct heard own_udp, virt_udp; /* UDP: a datagram without data */
	struct heard back; /* the same as virt (nat: own), from outside the server's network */
	uint8_t outside;   /* enum outside */
	struct addr local, outside_addr;
	bool
	    router_tells; /* FOREIGN: an error came back for a packet of our own to the same place */
	bool
	    contested; /* others answer for the virtual address too, so errors may have gone to them */
	bool claim_asked, claims; /* it answers ARP or solicitations for the virtual address */
	bool announces;		  /* it asked by ARP with the virtual address as sender */
	unsigned mtu, overhead;	  /* tun: of the way to the server, of the tunnel */
};

typedef void (*judge_fn)(void *arg, enum finding what, enum found status, const char *text);
#define JUDGE_TEXT 240
/* judge - a finding for each thing that was probed, those that are right too. */
void judge(const struct seen *s, judge_fn tell, void *arg);
void judge_mac(const uint8_t mac[6], char out[18]);

#endif
