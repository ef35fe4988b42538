/* role_preflight.h - may the addresses of a virtual router have another hardware address here? */
#ifndef HA_ROLE_PREFLIGHT_H
#define HA_ROLE_PREFLIGHT_H

#include "vrrp/vmac.h"

#include "store/snapshot.h"
#include "sys/loop.h"

#define PREFLIGHT_TEXT 200

/* preflight_target - whom to ask on an interface: an enabled ping node in one of its networks, else the last master that
 * was heard, when it is another and in one of them too. IPv4. False: nobody is known. Pure. */
bool preflight_target(const struct snapshot *s, const struct iface_list *kernel, const char *ifname,
    const struct addr *self, const struct addr *master, struct addr *out);

/* One interface's: it is asked in a process of its own, since that blocks, each minute until something else than unknown
 * comes out, and again while it is blocked. */
struct preflight {
	struct loop *loop; /* set by the owner, with ifname; the rest is zero at first */
	char ifname[IFNAME_MAX];
	enum vmac_way way;
	mono_t next;
	struct child *child;
	char name[IFNAME_MAX], target[ADDR_TEXT]; /* the words of the command */
	const char *argv[5];
};
bool preflight_is_due(const struct preflight *p, mono_t now); /* pure */
void preflight_look(struct preflight *p, const struct addr *target, mono_t now);
void preflight_fini(struct preflight *p);
void preflight_advice(const struct preflight *p, char out[PREFLIGHT_TEXT]); /* "" unless blocked */
/* preflight_way - what the exit code of that process means; UNKNOWN for any that it has not as a result. Pure. */
enum vmac_way preflight_way(int code);
/* preflight_main - that process: lbd-ha --probe-mac INTERFACE ADDRESS; returns its exit code. */
int preflight_main(const char *ifname, const char *target);

#endif
