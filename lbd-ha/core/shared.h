/* shared.h - the memory that the two processes of lbd-ha share: the side writes what is wanted, the core what is.
 *
 * A region made by the side (memfd) and kept by whichever of both lives on; it has a fixed form, so that the core
 * allocates nothing. `want` is written whole into the half that is not in force, then made current; the side writes
 * again only after the core has taken it (shared_may_want). `say` are single words that change at any time. `is` is
 * written by the core alone and read with a sequence lock. Both processes are of one build: the side ends a core of
 * another (magic, size) before it starts its own. */
#ifndef HA_SHARED_H
#define HA_SHARED_H

#include "core/carrier.h"
#include "core/fsm.h"
#include "core/ping.h"
#include "core/seal.h"
#include "core/strange.h"
#include "vrrp/vrrp_fsm.h"

#include "base/addr.h"
#include "sys/netlink.h"

#include <stdatomic.h>

#define SHARED_MAGIC 0x6c626468u
#define SHARED_ADDRS 10000
#define SHARED_GROUPS 2
#define SHARED_LINKS 16
#define SHARED_EVENTS 64
#define SHARED_MACS 16
#define SHARED_VRRPS 16
/* What addresses belong to: the groups of a pair, and behind them, on a single node, virtual routers. */
#define SHARED_SETS (SHARED_GROUPS + SHARED_VRRPS)

enum shared_carrier_kind { SHARED_UNUSED, SHARED_UDP, SHARED_MULTICAST, SHARED_SERIAL };
struct shared_carrier {
	uint8_t kind;
	struct addr local, peer, group;
	uint16_t port;
	char device[32]; /* interface, or the path of a serial line */
	unsigned speed;
	struct carrier_conf conf;
	dur_t
	    agreed; /* the dead time that the other node reckons with at least, however it is configured */
};

/* A floating address and where it goes. */
struct shared_addr {
	struct addr addr;
	int32_t index; /* of the interface */
	uint8_t mac[6];
	uint8_t group;	/* 0 or 1; on a single node SHARED_GROUPS + its virtual router */
	bool tell;	/* there are neighbours to tell */
	char label[16]; /* IPv4; "": none */
};

/* A virtual router. Its place in the table is the same as long as its row is there. */
struct shared_vrrp {
	uint32_t id; /* of the row; 0: not in use */
	struct vrrp_conf conf;
	struct addr self;			   /* from which is sent; family 0: there is none */
	char ifname[IFNAME_MAX], vmac[IFNAME_MAX]; /* vmac: its device; "": none */
	int32_t index, vmac_index;
	uint8_t mac[6]; /* of the interface itself */
	bool on_base;	/* advertisements leave by the interface itself */
	uint8_t sync;	/* those of one number move together; 0: alone */
	uint8_t group;	/* 0 or 1 */
	bool ipvlan;	/* what vmac is: its hardware address is the interface's own */
};

struct shared_want {
	bool paired; /* false: virtual routers decide, and no group holds an address */
	uint64_t cluster;
	uint8_t node;
	bool
	    inherit; /* this node served alone until now and is the first of the pair: it goes on */
	uint8_t secret[SEAL_SECRET];
	struct shared_carrier carrier[CARRIER_SET];
	struct fsm_config group[SHARED_GROUPS];
	struct ping_conf ping[PING_TARGETS];
	struct addr witness; /* family 0: none */
	uint16_t witness_port;
	uint8_t witness_secret[SEAL_SECRET];
	unsigned announce;	     /* times */
	dur_t announce_gap, refresh; /* refresh 0: never */
	int32_t link[SHARED_LINKS]; /* interfaces of the service network that must have a carrier */
	unsigned links;
	uint8_t peer_mac[SHARED_MACS][6]; /* who may answer for an address because it is active */
	unsigned macs;
	struct shared_vrrp vrrp[SHARED_VRRPS];
	uint32_t n;
	struct shared_addr a[SHARED_ADDRS]; /* in order of group */
};

struct shared_say {
	atomic_uint order[SHARED_GROUPS]; /* number << 4 | enum fsm_order */
	atomic_bool fault[SHARED_GROUPS], whole[SHARED_GROUPS];
	atomic_uint health[SHARED_GROUPS];
	atomic_uint lost;     /* points that tracks have taken away */
	atomic_uint announce; /* another number: announce all that is held */
	atomic_uint revision, schema;
	atomic_ullong hash_shared, hash_oper;
	atomic_uint fenced; /* number of the last shared_is.fence that was carried out */
	atomic_bool stop;   /* hand over what can be, and end */
};

struct shared_group {
	uint8_t role, why, peer_role;
	bool hold, conflict, isolated, answered, peer_whole;
	uint64_t claim, generation;
	uint32_t merit;
	mono_t since, lease_until;
	unsigned order_done; /* number of the last order that ended */
};
struct shared_line {   /* a carrier as it stands */
	uint8_t state; /* enum carrier_state */
	int fault;
	mono_t since, heard_at;
	uint64_t sent, received, lost;
	unsigned lost_recent, recent;
	dur_t rtt, worst;
};
struct shared_ping { /* a ping node as it stands */
	bool reachable;
	int fault; /* of the last sending */
	mono_t since;
	dur_t rtt; /* 0: never answered */
};
struct shared_vrrp_is { /* a virtual router as it stands */
	uint32_t id;
	uint8_t state; /* enum vrrp_state */
	uint8_t priority, master_priority;
	bool held;
	int fault; /* of its socket or its last sending: 0 or -errno */
	struct addr master;
	dur_t master_interval;
	mono_t since;
	mono_t safe_until; /* as master: until then nobody can have taken over */
	struct vrrp_counts counts;
};
struct shared_is {
	uint32_t want;	  /* number of the want in force */
	uint64_t cluster; /* of that want */
	uint8_t node;
	bool alive, late; /* the peer */
	bool known;
	uint16_t peer_schema;
	uint32_t peer_suite, peer_revision;
	uint64_t peer_hash_shared, peer_hash_oper;
	mono_t peer_at, at;
	struct shared_group group[SHARED_GROUPS];
	struct shared_line line[CARRIER_SET];
	uint32_t pings_reachable, pings;
	struct shared_ping ping[PING_TARGETS];
	uint64_t fault[16]; /* frames that did not count, by enum beat_fault */
	struct strange strange[STRANGES];
	uint64_t stalls;
	dur_t late_worst;
	bool link, granted[SHARED_GROUPS];
	struct shared_vrrp_is vrrp[SHARED_VRRPS];
	uint32_t fence; /* switch the other node off, please: a number of this wish; 0: none */
};

struct shared_event {
	uint8_t group, was, role, why; /* was: enum fsm_role, as role */
	uint8_t vrrp; /* 1 + its virtual router: role is an enum vrrp_state; 0: of a group */
	uint64_t generation;
	mono_t at;
};

struct shared {
	uint32_t magic, size;
	atomic_uint wanted, taken; /* numbers of wants; want[n & 1] is the one with number n */
	struct shared_want want[2];
	struct shared_say say;
	atomic_uint is_seq; /* odd while it is written */
	struct shared_is is;
	atomic_short error[2][SHARED_ADDRS]; /* of the want n & 1: 0, or errno of the last try */
	atomic_uint events;		     /* written so far */
	atomic_uint heard; /* of them by a side; one that is started anew goes on there */
	struct shared_event event[SHARED_EVENTS];
};

/* shared_want_spare - the half to fill; NULL while the core has not taken the last one. */
struct shared_want *shared_want_spare(struct shared *s);
void shared_want_commit(struct shared *s);
/* shared_read - a consistent copy of what is. */
void shared_read(const struct shared *s, struct shared_is *out);
void shared_write(struct shared *s, const struct shared_is *is);
/* shared_note - an event; the oldest gives way. */
void shared_note(struct shared *s, const struct shared_event *e);

#endif
