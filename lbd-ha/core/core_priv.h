/* core_priv.h - the state of the core; for core*.c only. */
#ifndef HA_CORE_PRIV_H
#define HA_CORE_PRIV_H

#include "core/announce.h"
#include "core/carrier_serial.h"
#include "core/carrier_udp.h"
#include "core/core.h"
#include "core/lease.h"
#include "core/link.h"
#include "core/ping_socket.h"
#include "core/probe.h"
#include "core/pulse.h"
#include "core/shared.h"
#include "core/witness_client.h"
#include "vrrp/vmac.h"
#include "vrrp/vrrp_group.h"
#include "vrrp/vrrp_sock.h"

#define LINGER DUR_MS(40) /* less than until the second round of announcements */

struct core_way {
	int fault; /* of opening: -errno; tried again */
	mono_t retry;
	union {
		struct carrier_udp udp;
		struct carrier_serial serial;
	};
};

struct core_group {
	struct fsm fsm;
	struct fsm_out out;
	bool applied; /* hold was carried out once since the start */
	bool held;
	uint8_t told;  /* role of the last event */
	mono_t renew;  /* of the addresses */
	uint32_t at;   /* of the renewal: next row */
	mono_t linger; /* handed over: they go then; 0: they went */
	struct witness_client witness;
	unsigned order, order_done;
};

/* An interface and a family that virtual routers have; a packet is read once. */
struct core_port {
	char ifname[IFNAME_MAX]; /* "": not in use */
	int32_t index;
	uint8_t family;
	struct vrrp_sock sock; /* .rx -1: it could not be opened, fault says why; tried again */
	int fault;
	mono_t retry;
	uint64_t bad[VRRP_BADS]; /* what belongs to no virtual router */
};

/* A virtual router in its place of the table; its row is want->vrrp[i]. */
struct core_router {
	bool used, started, held;
	bool regrouped; /* it may be in another sync group, or beside others than before */
	struct vrrp v;
	struct core_port *port;
	struct vmac vmac; /* its device; name "": none */
	int fault;	  /* of the last sending */
	mono_t since;	  /* of the state */
	mono_t sent_at;	  /* others have heard of us */
	mono_t renew;	  /* as in struct core_group */
	uint32_t at;
};

struct core {
	struct shared *sh;
	const struct shared_want *want; /* in force; NULL before the first */
	unsigned number;		/* of it */
	int door, side;			/* side -1: nobody */
	mono_t alone_since;		/* nobody speaks to us; 0 somebody does */
	bool clear, started;
	mono_t stalled_until;
	struct pulse pulse;
	struct core_way way[CARRIER_SET];
	struct core_group g[SHARED_GROUPS];
	struct lease lease;
	struct link link;
	struct announce announce;
	unsigned announce_seen;
	struct probe probe;
	struct ping ping;
	struct ping_socket ping_socket;
	int witness_fd;
	struct seal witness_seal;
	bool urgent; /* what the next frame says cannot wait for its turn */
	struct strange strange[STRANGES];
	uint32_t fence;	  /* number of the wish that stands; 0: none */
	mono_t fenced_at; /* it was carried out; 0: not yet */
	mono_t looked_at; /* at a frame from an address that is not the other node's */
	unsigned damp;
	mono_t turns[8]; /* unforced changes of role of late, for the damping */
	struct shared_is told;
	struct shared_line line[CARRIER_SET]; /* as last counted, at lines_at */
	mono_t lines_at;
	uint64_t ready; /* descriptors that had something after the sleep: enum core_fd */
	struct core_router router[SHARED_VRRPS];
	struct core_port port[SHARED_VRRPS];
	struct vrrp_group sync[SHARED_VRRPS + 1]; /* by number; 0: none */
	int vmac_fd;
	unsigned vrrp_announce_seen;
};

/* core_sched.c: to run in time. _long: before work that may take milliseconds. _turn: each turn. */
void core_sched_start(void);
void core_sched_long(mono_t now);
void core_sched_turn(mono_t now);
/* core_want.c: another want */
void core_take_want(struct core *c, mono_t now);
void core_open_ways(struct core *c, mono_t now); /* carriers that could not be opened */
/* core_act.c: what a decision means */
void core_group_act(struct core *c, unsigned group, mono_t now);
void core_drop_all(struct core *c);
/* core_put - all addresses of a set. core_renew - some, from *at on, prolonged. *renew: when the next are due.
 * core_drop - all of a set. */
void core_put(struct core *c, unsigned set, uint32_t *at, mono_t *renew, mono_t now);
void core_renew(struct core *c, unsigned set, uint32_t *at, mono_t *renew, mono_t now);
void core_drop(struct core *c, unsigned set);
bool core_holds(const struct core *c, unsigned set);
/* core_damp - changes that nobody asked for make the next one come later: up to eight times the dead time, for a minute. */
void core_damp(struct core *c, mono_t now);
/* core_decide.c: the decision for each group. _health: points that the other node compares. _links_up: the service network's. */
void core_decide(struct core *c, mono_t now, bool stalled);
uint32_t core_health(const struct core *c, unsigned group);
bool core_links_up(const struct core *c);
/* core_show.c - changed: something that somebody waits for */
void core_show(struct core *c, mono_t now, bool changed);
/* core_fence.c: the wish that the other node be off. _turn: wanted by a decision, or not (any more). */
bool core_is_fenced(const struct core *c, mono_t now);
void core_fence_turn(struct core *c, bool wanted, mono_t now);
/* core_witness.c */
void core_witness_read(struct core *c, mono_t now);
void core_witness_turn(struct core *c, mono_t now);
mono_t core_witness_deadline(const struct core *c);
/* core_vrrp.c: virtual routers. _take: before and after another want is in force. _resume: what an earlier core was.
 * _read: the packets that wait; _turn: after that. _end: all of them leave, now. */
void core_vrrp_leave(struct core *c, const struct shared_want *next, mono_t now);
void core_vrrp_take(struct core *c, mono_t now);
void core_vrrp_resume(struct core *c, const struct shared_is *is, mono_t now);
void core_vrrp_read(struct core *c, unsigned port, mono_t now);
void core_vrrp_turn(struct core *c, mono_t now);
void core_vrrp_end(struct core *c, mono_t now);
bool core_vrrp_done(const struct core *c);
mono_t core_vrrp_deadline(const struct core *c);
/* core_vrrp_act.c: what a step orders. */
void core_vrrp_obey(struct core *c, unsigned i, const struct vrrp_out *out, mono_t now);
void core_vrrp_clear(struct core *c, unsigned i); /* addresses that an earlier process has left */
void core_vrrp_advert(struct core *c, unsigned i, uint8_t priority, bool plain_mac, mono_t now);
void core_vrrp_tell(
    struct core *c, unsigned i, mono_t now); /* an event: the state is another one */
/* core_face.c: virtual routers of a pair. _raise: the virtual MACs of a group. */
void core_face_turn(struct core *c, unsigned i, bool faulty, mono_t now);
void core_face_hear(
    struct core *c, unsigned i, const struct vrrp_packet *p, const struct vrrp_ip *ip, mono_t now);
void core_face_end(struct core *c, unsigned i, mono_t now);
bool core_face_has_mac(const struct core *c, unsigned group);
void core_face_raise(struct core *c, unsigned group, bool up);

#endif
