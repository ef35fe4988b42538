/* give_priv.h - the old process's side, for give.c and linger.c. */
#ifndef GIVE_PRIV_H
#define GIVE_PRIV_H

#include "control.h"
#include "parcel.h"
#include "tally.h"

enum give_state {
	GIVE_IDLE,
	GIVE_FAILED,  /* until this turn is over */
	GIVE_GREET,   /* the new process was started */
	GIVE_SOCKETS, /* and gets what it needs to start */
	GIVE_SEED,
	GIVE_START,
	GIVE_WAIT,  /* until it is ready */
	GIVE_STICK, /* from here on nobody answers the bus until it does */
	GIVE_COUNT,
	GIVE_ELDERS,
	GIVE_GONE,   /* until it has taken over */
	GIVE_LINGER, /* it is the daemon */
	GIVE_ALONE,  /* and went away */
};
struct give_socket {
	struct addr addr;
	uint16_t port;
	int fd; /* the listener's */
};
struct give {
	struct control *k;
	enum give_state state;
	int fd, pidfd, pid;
	struct loop_fd io;
	struct loop_timer late, tick;
	struct bus_request rq;
	bool asked;
	struct give_socket *sockets;
	unsigned n_sockets, at;
	struct buf out; /* one parcel that could not be sent yet */
	int fds[PARCEL_FDS];
	unsigned n_fds;
	struct tally tally;
	struct stick_record rec[STICK_BATCH_MOST];
	mono_t since, until; /* lingering */
	bool cut;
	struct buf answers; /* parcels that wait, each with its length in front (elder_ask.h) */
	size_t answered;    /* bytes of them that were sent */
	atomic_uint quiet;  /* workers that have no listening socket any more */
};

/* give_stick - the first n of g->rec as a parcel in g->out. */
void give_stick(struct give *g, unsigned n);
void linger_start(struct give *g);
void linger_last(struct give *g); /* what was counted is told, waiting for it a moment */

#endif
