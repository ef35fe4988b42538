/* fsm.h - which node of a pair is active in a group: the decision. Pure: time and everything that is known are arguments.
 *
 * Authority is a claim: (generation, merit, node). A node that takes over claims one generation more than it ever heard
 * of; the merit (ping nodes and fit services at that moment) is frozen with it, so both nodes compare the same numbers
 * when they meet after a separation. The higher claim is right, whatever priorities say; those only decide who should
 * take over while both can talk.
 *
 * The active node holds the addresses by a lease, which is shorter than the time after which the other takes over. It is
 * renewed by what proves that nobody else can have taken over: the other's echo of a frame of ours, counted from when
 * that frame was sent; or the witness's grant; or, without a witness, a ping node that answers; or, without those, the
 * link of the service network.
 *
 * With fencing required a node that hears nothing takes over only after the other was switched off: in.fenced, which the
 * caller makes false again when the other is heard, and some seconds after the switching off. An order needs none. */
#ifndef HA_FSM_H
#define HA_FSM_H

#include "base/mono.h"

#include <stdbool.h>

enum fsm_role {
	FSM_INIT,    /* listens: somebody may be active */
	FSM_PASSIVE, /* ready to take over */
	FSM_SUSPECT, /* the other is late, or silent and not to be replaced yet */
	FSM_ACTIVE,
	FSM_LEAVING, /* active, and asks the other to take over */
	FSM_FAULT,   /* not fit to be active */
	FSM_ROLES
};
extern const char *const fsm_role_word[FSM_ROLES];

enum fsm_mode {
	FSM_AVAILABILITY, /* the other is silent: take over */
	FSM_CONSISTENCY,  /* only when it asks for it, or the witness grants it */
};

/* How fit a node is. Of two faulty ones one serves all the same. */
enum fsm_fit { FSM_UNFIT, FSM_FAULTY, FSM_FIT };

/* What an operator or the end of the process asks for; ends when done says so. */
enum fsm_order { FSM_NONE, FSM_TAKE, FSM_GIVE, FSM_STOP };

struct fsm_config {
	uint8_t node;	   /* 1 or 2 */
	bool peered;	   /* false: alone, always active */
	bool witness;	   /* its grant is needed while the other is silent */
	bool pings;	   /* there are ping nodes */
	bool fence;	   /* the other is made sure to be off before it is replaced unheard */
	bool preferred;	   /* this node is the master of the group */
	bool preempt;	   /* the preferred one takes the role back by itself */
	uint8_t mode;	   /* enum fsm_mode */
	uint16_t priority; /* of equally fit ones the higher; then the lower node */
	dur_t dead, lease; /* lease < dead */
	dur_t listen;	   /* after the start */
	dur_t left;	   /* longest time that addresses answer on a node whose core is gone */
	dur_t ask;	   /* so long the network is asked before its silence counts */
	dur_t preempt_delay, merit_delay; /* the other must be worse for so long */
	dur_t leave; /* longest wait for the other to take over, and for the state to be whole */
};

/* The other node, as its newest frame says. */
struct fsm_peer {
	bool late;  /* a frame is overdue on every carrier */
	bool alive; /* not silent for the dead time */
	bool known; /* a frame of it was ever heard: the rest means something */
	uint8_t role;
	bool leaving, whole; /* it asks us to take over; its state is complete */
	uint8_t fit;	     /* enum fsm_fit */
	uint64_t generation; /* highest it knows of; when active, that of its claim */
	uint32_t merit;	     /* of its claim */
	uint32_t health;     /* now, comparable to ours */
	uint16_t priority;
	mono_t echoed; /* when we sent the newest frame that it has heard; 0: none */
	bool hears;    /* that echo is not older than the dead time */
};

struct fsm_in {
	mono_t now;
	bool vips;	    /* there are addresses to hold */
	bool link;	    /* the service network's interfaces have a carrier */
	bool fault;	    /* a track says that this node must not be active */
	bool whole;	    /* connections, persistence and verdicts of the other are here */
	bool stalled;	    /* this process was not run for longer than the lease */
	bool answered;	    /* somebody else answers for an address of the group */
	bool fenced;	    /* the other was switched off a moment ago, since it fell silent */
	unsigned pings;	    /* ping nodes that answer */
	mono_t ping_at;	    /* when the newest ping that was answered was sent; 0: none */
	mono_t grant_until; /* of the witness; 0: none */
	uint32_t health;
	uint8_t order; /* enum fsm_order */
	struct fsm_peer peer;
};

struct fsm {
	uint8_t role;
	uint64_t generation; /* highest heard of or claimed */
	uint64_t claim;	     /* while active */
	uint32_t merit;
	mono_t since; /* of the role */
	mono_t lease_until;
	mono_t wait_until; /* INIT: of listening; LEAVING: of waiting */
	mono_t linked;	   /* the service network has a carrier since; 0: it has none */
	mono_t together;   /* the other is alive since */
	mono_t worse;	   /* the other is worse than we since; 0: it is not */
	mono_t order_at;   /* the present order was first seen; 0: none */
	mono_t apart;	   /* neither was active since; 0: one is */
	mono_t
	    asked; /* the other is late or silent, and the network is asked, since; 0: it is not */
	bool conflict; /* the other claims to be active too */
	bool alone;    /* active while the other was silent: it may have been active as well */
	bool given;    /* the role was given away by order: it is not taken back by itself */
	bool isolated; /* it gave up because nothing renewed its lease */
	uint8_t why;   /* enum fsm_why: of the last change */
};

/* Why the role changed; words for the log. */
enum fsm_why {
	FSM_WHY_START,
	FSM_WHY_ALONE,	   /* no peer is configured */
	FSM_WHY_LISTENED,  /* nobody is active */
	FSM_WHY_PEER_DEAD, /* the other is silent */
	FSM_WHY_PEER_GIVES,
	FSM_WHY_ELECTED, /* neither was active */
	FSM_WHY_PREEMPT,
	FSM_WHY_MERIT, /* this node sees more of the network */
	FSM_WHY_ORDER,
	FSM_WHY_PEER_HAS, /* the other took over, as asked or by a higher claim */
	FSM_WHY_LOST,	  /* both were active, its claim is higher */
	FSM_WHY_ISOLATED,
	FSM_WHY_STALLED,
	FSM_WHY_LINK,
	FSM_WHY_FAULT,
	FSM_WHY_MENDED,
	FSM_WHY_NO_VIPS,
	FSM_WHY_SUSPECT,
	FSM_WHY_HEARD, /* the other is there after all */
	FSM_WHYS
};
extern const char *const fsm_why_word[FSM_WHYS];

struct fsm_out {
	bool hold;     /* the addresses are to be here */
	bool announce; /* now, all of them */
	bool
	    yield; /* the addresses are the other's: tell the neighbours its hardware address, once */
	bool
	    probe; /* ask the network whether somebody answers for the addresses; ask the ping nodes now */
	bool ask;	 /* the witness for this group, for `wish` */
	bool fence;	 /* make sure that the other is off: nothing else is missing to take over */
	uint64_t wish;	 /* generation that would be claimed, or is */
	bool leaving;	 /* for the frame: take over, please */
	uint8_t fit;	 /* for the frame: enum fsm_fit */
	bool done;	 /* the order is carried out, or cannot be: FSM_STOP may end now */
	bool changed;	 /* role; since and why tell more */
	mono_t deadline; /* call again then, if nothing happens before */
};

void fsm_init(struct fsm *f, const struct fsm_config *c, mono_t now);
/* fsm_resume - a restart that came so soon that the lease still stands: active at once, under the same claim. */
void fsm_resume(struct fsm *f, uint64_t claim, uint32_t merit, mono_t lease_until, mono_t now);
void fsm_step(
    struct fsm *f, const struct fsm_config *c, const struct fsm_in *in, struct fsm_out *out);
/* fsm_is_higher - whether claim a stands above b. Total: never both, equal only for the same node. */
bool fsm_is_higher(uint64_t ga, uint32_t ma, uint8_t na, uint64_t gb, uint32_t mb, uint8_t nb);

#endif
