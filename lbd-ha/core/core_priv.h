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

#define RENEW_TURN 200 /* addresses prolonged in one turn: heartbeats do not wait for thousands */
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
	unsigned ready; /* descriptors that had something after the sleep: enum core_fd */
};

/* core_want.c: another want */
void core_take_want(struct core *c, mono_t now);
void core_open_ways(struct core *c, mono_t now); /* carriers that could not be opened */
/* core_act.c: what a decision means */
void core_group_act(struct core *c, unsigned group, mono_t now);
void core_drop_all(struct core *c);
/* core_damp - changes that nobody asked for make the next one come later: up to eight times the dead time, for a minute. */
void core_damp(struct core *c, mono_t now);
bool core_links_up(const struct core *c); /* core.c: the service network's */
/* core_show.c - changed: something that somebody waits for */
void core_show(struct core *c, mono_t now, bool changed);
/* core_fence.c: the wish that the other node be off. _turn: wanted by a decision, or not (any more). */
bool core_is_fenced(const struct core *c, mono_t now);
void core_fence_turn(struct core *c, bool wanted, mono_t now);
/* core_witness.c */
void core_witness_read(struct core *c, mono_t now);
void core_witness_turn(struct core *c, mono_t now);
mono_t core_witness_deadline(const struct core *c);

#endif
