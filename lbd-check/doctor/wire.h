/* wire.h - the sockets of the doctor: packets go out as they are and come in before the kernel judges them, so that
 * answers are seen which it would drop (their source is an address of this node). One set of sockets for each run. */
#ifndef DOCTOR_WIRE_H
#define DOCTOR_WIRE_H

#include "doctor/packet.h"

#include "base/err.h"
#include "sys/loop.h"
#include "sys/netlink.h"

/* A place on the local network: an interface and a neighbour there. */
struct hop {
	int index;
	uint8_t mac[MAC_LEN];
};
/* A packet came: from which neighbour, on which interface. */
typedef void (*wire_fn)(void *arg, const struct packet_in *p, const struct hop *from);

struct wire;
/* wire_open - -EPERM without CAP_NET_RAW: err says so. */
int wire_open(struct loop *l, wire_fn fn, void *arg, struct wire **out, struct err *err);
void wire_close(struct wire *w); /* NULL is fine */
/* The port that probes come from: no other socket of this node has it while the wire is open. */
uint16_t wire_port(const struct wire *w);
/* What cannot be sent now is a silence like any other: -errno is for the log. */
int wire_send_hop(struct wire *w, const struct hop *to, uint16_t type, const struct packet_out *p);
/* wire_send_routed - a whole IP packet, by the kernel's routes, whatever its source is. */
int wire_send_routed(struct wire *w, const struct packet_out *p);
/* wire_source - the address of this node that packets to `to` leave with; -errno: there is no way. Sends nothing. */
int wire_source(const struct addr *to, struct addr *out);
/* wire_mtu - of the interface that has this address; 0: not known. */
unsigned wire_mtu(const struct iface_list *l, const struct addr *local);

#endif
