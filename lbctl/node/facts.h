/* facts.h - what this machine knows of the networks of its services and servers, as advice needs it. */
#ifndef LBCTL_FACTS_H
#define LBCTL_FACTS_H

#include "advice/advice.h"
#include "store/snapshot.h"
#include "sys/netlink.h"

struct facts {
	struct iface_list ifaces;
	struct addr router[2]; /* default gateways, IPv4 and IPv6; family 0: none */
};
int facts_read(struct facts *f, struct err *err);
void facts_fini(struct facts *f);
/* facts_ask - everything of out but system, method and names. srv may be NULL. All is borrowed. */
void facts_ask(const struct facts *f, const struct snapshot *s, const struct service *svc,
    const struct server *srv, struct advice_ask *out);
/* facts_mtu - of an interface; 0: not known. facts_number - the number in a file of /proc or /sys; -1: there is none. */
unsigned facts_mtu(const char *ifname);
long facts_number(const char *path);

#endif
