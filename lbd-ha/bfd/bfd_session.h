/* bfd_session.h - one session of BFD with one neighbour: asynchronous mode, active role. Pure: time and chance are
 * arguments, effects are orders to the caller. Source: RFC 5880 section 6, RFC 5882 sections 3.2 and 4.1. */
#ifndef BFD_SESSION_H
#define BFD_SESSION_H

#include "bfd/bfd_packet.h"

#define BFD_NEVER INT64_MAX
#define BFD_MULTIPLIER 3  /* ours: the neighbour misses so many packets before it is down there */
#define BFD_SLOW DUR_S(1) /* nobody sends faster while not up (section 6.8.3) */
#define BFD_TEXT 200

struct bfd {
	enum bfd_state state;
	uint8_t diag;	      /* why it is so */
	uint32_t mine, yours; /* discriminators; yours 0: not known */
	mono_t deadline;      /* the caller calls bfd_timer when it has come */
	uint64_t bad
	    [BFD_BADS]; /* packets that were not taken, since it was up last; the caller counts */
	/* The rest is the machine's own. */
	dur_t interval;	   /* wanted, both ways */
	dur_t tx, rx;	   /* in force: between two packets of ours; what detection counts with */
	bool poll;	   /* until the neighbour has confirmed what we tell */
	bool known, heard; /* something was heard of the neighbour; within the detection time */
	uint8_t remote_state, remote_diag, remote_multiplier;
	dur_t remote_tx, remote_rx;
	bool tried; /* it was up, or had the time to come up: down is a result */
	mono_t sent_at, heard_at, tx_at, try_until;
};

/* What the caller does after a step. */
struct bfd_out {
	bool send;
	struct bfd_packet packet;
	bool changed; /* the state is another one */
};

/* bfd_init - Down; the first packet is due now. interval: wanted between packets, both ways, up to an hour. mine: random,
 * not 0, no other session's. */
void bfd_init(struct bfd *b, dur_t interval, uint32_t mine, mono_t now);
/* bfd_interval_set - another interval for a session that goes on; the neighbour is asked to confirm it. */
void bfd_interval_set(
    struct bfd *b, dur_t interval, mono_t now, uint32_t random, struct bfd_out *out);
/* bfd_timer - the deadline has come, or has not. random: any number, for the jitter. */
void bfd_timer(struct bfd *b, mono_t now, uint32_t random, struct bfd_out *out);
/* bfd_receive - a packet that bfd_packet_parse found good, from the neighbour. BFD_GOOD, or why it was not taken. */
enum bfd_bad bfd_receive(
    struct bfd *b, const struct bfd_packet *p, mono_t now, uint32_t random, struct bfd_out *out);
/* bfd_end - AdminDown, and the packet that says so. */
void bfd_end(struct bfd *b, struct bfd_out *out);

/* Whether the path is well. NONE: there was no time to come up, or the neighbour is administratively down, which says
 * nothing of the path (RFC 5882 section 3.2). */
enum bfd_verdict { BFD_VERDICT_NONE, BFD_VERDICT_GOOD, BFD_VERDICT_BAD };
enum bfd_verdict bfd_verdict(const struct bfd *b);
dur_t bfd_detection(const struct bfd *b); /* silence that is down; 0: nothing was heard */
/* bfd_format - "up, detection time 150 ms; neighbour up, no diagnostic". */
void bfd_format(const struct bfd *b, char out[BFD_TEXT]);

#endif
