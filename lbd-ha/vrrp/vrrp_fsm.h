/* vrrp_fsm.h - the state machine of one virtual router. Pure: time is an argument, effects are orders to the caller.
 * Source: RFC 9568 section 6 (version 3), RFC 3768 section 6 (version 2); the rows are in vrrp_fsm.def. */
#ifndef VRRP_FSM_H
#define VRRP_FSM_H

#include "vrrp/vrrp_conf.h"

#define VRRP_NEVER INT64_MAX
#define VRRP_ANSWER_GAP \
	DUR_MS(10) /* a master answers others at most so often: the shortest interval there is */

enum vrrp_state { VRRP_INIT, VRRP_FAULT, VRRP_BACKUP, VRRP_MASTER, VRRP_LEAVING, VRRP_STATES };

enum vrrp_event_kind {
	VRRP_EV_START,
	VRRP_EV_STOP,
	VRRP_EV_TIMER, /* now is not before the deadline */
	VRRP_EV_DOWN,  /* the interface or something tracked is at fault */
	VRRP_EV_UP,    /* no fault any more */
	VRRP_EV_HOLD,  /* the next four are for vrrp_group.c alone */
	VRRP_EV_RELEASE,
	VRRP_EV_TAKE,
	VRRP_EV_YIELD,
	VRRP_EV_WEIGHT, /* sum of the weights of what is tracked */
	VRRP_EV_ZERO,	/* advertisements; vrrp_received makes these of a packet */
	VRRP_EV_LESS,
	VRRP_EV_TIE_LESS,
	VRRP_EV_TIE_MORE,
	VRRP_EV_MORE,
	VRRP_EVENTS,
};

struct vrrp_event {
	enum vrrp_event_kind kind;
	int weight;			  /* of WEIGHT */
	const struct vrrp_packet *packet; /* of advertisements, borrowed during the step */
	const struct addr *from;
};

struct vrrp_counts {
	uint64_t sent, received; /* advertisements; received are good ones of this virtual router */
	uint64_t zero_sent, zero_received;
	uint64_t masters;  /* how often it became one */
	uint64_t answers;  /* to others who thought that they were master */
	uint64_t equal;	   /* advertisements of others with our own priority: configured twice? */
	uint64_t stalls;   /* we slept through a deadline */
	uint64_t adapted;  /* changes of the checksum's form */
	uint64_t mismatch; /* version 3: other interval than ours, learned */
	uint64_t bad[VRRP_BADS];
};

/* One virtual router on one interface. Everything but deadline, state and counts is the machine's own. */
struct vrrp {
	const struct vrrp_conf *conf; /* borrowed; may be exchanged between steps */
	struct addr self;	      /* our primary address: source of what we send */
	enum vrrp_state state;
	mono_t deadline; /* the caller sends TIMER when it has come; VRRP_NEVER */
	struct vrrp_counts counts;
	bool grouped;	 /* vrrp_group.c decides when it becomes master */
	bool wants;	 /* grouped: would be master now if it were alone */
	bool down, held; /* own fault; a fault in the group */
	int weight;
	enum vrrp_sum sum; /* form of the checksum that we send */
	struct addr master;
	uint8_t master_priority; /* as last heard; 0 nobody */
	dur_t master_interval;
	mono_t advert_at, down_at, announce_at, leave_at;
	mono_t preempt_at; /* 0: no lower master heard so far */
	mono_t not_before; /* end of the startup delay */
	mono_t answered_at;
	unsigned announced; /* how often since it became master or met another */
};

/* What the caller does after a step: with take, the virtual MAC up; the advertisements in order; with drop, the virtual
 * MAC down and then the addresses away; with take, the addresses on; announce. */
struct vrrp_out {
	unsigned n; /* advertisements to send, in order (vrrp_advert) */
	struct {
		uint8_t priority;
		bool
		    plain_mac; /* with the interface's own MAC: it must not move the virtual one here */
	} advert[2];
	bool take, drop; /* put the addresses on the interface; take them away */
	bool announce;	 /* gratuitous ARP and neighbour advertisements, all addresses once */
	bool changed;	 /* the state is another one */
};

/* vrrp_init - in INIT, waiting for START. c is borrowed, checked before. self: the address that we send from. */
void vrrp_init(struct vrrp *v, const struct vrrp_conf *c, const struct addr *self);
/* vrrp_resume - instead of START: an earlier process was master and ended so short a time ago that nobody can have taken
 * over. Master at once, and says so; out is filled anew. */
void vrrp_resume(struct vrrp *v, mono_t now, struct vrrp_out *out);
/* vrrp_conf_set - other settings for one that goes on. Not for another number, family, version or way: that is another
 * virtual router. */
void vrrp_conf_set(struct vrrp *v, const struct vrrp_conf *c, const struct addr *self);
/* vrrp_step - one event. out is filled anew. */
void vrrp_step(struct vrrp *v, struct vrrp_event e, mono_t now, struct vrrp_out *out);
/* vrrp_admit - may this packet, which vrrp_packet_parse found good, move this virtual router? Counts. */
enum vrrp_bad vrrp_admit(struct vrrp *v, const struct vrrp_packet *p, const struct vrrp_ip *ip);
/* vrrp_received - what kind of event an admitted packet is; learns its checksum's form. p and ip are borrowed. */
struct vrrp_event vrrp_received(
    struct vrrp *v, const struct vrrp_packet *p, const struct vrrp_ip *ip);
/* vrrp_advert - what we say with that priority, ready for vrrp_packet_format. */
void vrrp_advert(const struct vrrp *v, uint8_t priority, struct vrrp_packet *out);
/* vrrp_priority - ours with the weights: 1 to 254, and 255 stays 255. */
uint8_t vrrp_priority(const struct vrrp *v);
dur_t vrrp_skew(const struct vrrp *v);
dur_t vrrp_down_interval(const struct vrrp *v);
const char *vrrp_state_name(enum vrrp_state s);
/* vrrp_rule - the source of a row of the machine, for tests and the manual. */
const char *vrrp_rule(enum vrrp_state s, enum vrrp_event_kind k);

#endif
