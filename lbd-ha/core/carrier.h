/* carrier.h - what is known of each way to the peer: is it heard there, does it hear us, how much is lost. Pure.
 *
 * A carrier has an interval and a dead time of its own. The peer is dead only when it is silent on every carrier for
 * that carrier's dead time times the damping factor (1 to 8, given by who decides). Whether the peer lives is told by
 * the last frame alone; the shown state of a carrier has hysteresis, so that a bad cable does not make it flicker.
 *
 * An own stall is not the peer's silence. After each sleep the loop calls, in this order:
 *     carriers_wake(set, now), then reads all sockets empty (carrier_heard for each frame), then carriers_tick(set, now).
 * Between a late wake-up and the tick nothing is decided: carriers_alive answers as before the stall. */
#ifndef HA_CARRIER_H
#define HA_CARRIER_H

#include "base/addr.h"
#include "base/mono.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CARRIER_SET 8
#define CARRIER_RECENT 1000 /* frames of the recent loss */
#define CARRIER_RISE 3	    /* frames in a row before it is shown as better */
#define CARRIER_DAMP 8
#define CARRIER_NEVER INT64_MAX

enum carrier_state {
	CARRIER_DOWN,	 /* silent for ten dead times, never heard, or silent and sending fails */
	CARRIER_SILENT,	 /* silent for the dead time */
	CARRIER_ONE_WAY, /* we hear the peer, and it does not hear us, or sending fails */
	CARRIER_UP,
};
const char *carrier_state_word(enum carrier_state s);

struct carrier_conf {
	dur_t interval; /* 1 ms to 60 s; others are taken as the nearer of both */
	dur_t dead;	/* at least two intervals */
};

/* What one good heartbeat says of the carrier it came on. */
struct carrier_frame {
	mono_t at; /* arrival, by the kernel's stamp */
	uint64_t boot, seq;
	mono_t echo_sent; /* our own send time that it echoes; 0: it echoes nothing of ours */
	dur_t echo_age;
};

/* A datagram or a frame of a line as it arrived; bytes are borrowed for the call. */
struct carrier_in {
	const uint8_t *bytes;
	size_t len;
	mono_t at;
	struct addr from; /* family 0: of a serial line */
	bool stranger;	  /* not from the address of the other node */
};
typedef void carrier_in_fn(void *arg, const struct carrier_in *in);

struct carrier_worst {
	mono_t bucket[6]; /* numbers of spans of ten seconds */
	dur_t value[6];
};

struct carrier {
	bool used;
	struct carrier_conf conf;
	enum carrier_state state;
	mono_t since; /* the state */
	mono_t next;  /* sending is due */
	int fault;    /* of the last sending: 0 or -errno */
	bool heard;   /* ever */
	mono_t heard_at;
	mono_t proof_at; /* the latest send time of ours that the peer has echoed here; 0 none */
	unsigned streak, proofs;
	bool live, graced; /* live: at the last tick */
	mono_t grace;	   /* live until then in any case, after an own stall */
	uint64_t sent, send_faults;
	uint64_t received, expected; /* over all starts of the peer */
	uint64_t boot, top;
	uint64_t ring[16]; /* bit (seq % 1024): it came */
	unsigned recent;   /* of the last CARRIER_RECENT, how many belong to this start */
	dur_t rtt;	   /* smoothed as in RFC 6298 section 2; 0 not known */
	struct carrier_worst worst;
};

struct carrier_set {
	struct carrier c[CARRIER_SET];
	mono_t due; /* promised by carriers_deadline */
	bool blind; /* a stall is over, and the sockets are not empty yet */
	bool live;  /* some carrier was, at the last tick */
	uint64_t stalls;
	struct carrier_worst late; /* own wake-ups */
};

/* carrier_init - starts counting anew; the first frame is due at once. */
void carrier_init(struct carrier *c, const struct carrier_conf *conf, mono_t now);
/* carrier_conf_set - other times for a carrier that goes on. */
void carrier_conf_set(struct carrier *c, const struct carrier_conf *conf, mono_t now);
bool carrier_due(const struct carrier *c, mono_t now);
/* carrier_sent - a frame was given to the kernel, or not (rc: 0 or -errno). -EAGAIN and -ENOBUFS are counted and say
 * nothing of the carrier; any other error shows at once, until a sending goes well. Sets the next sending: on a grid
 * of the interval, which a frame that was sent before its time does not move, and never two at once to make good for
 * late ones. */
void carrier_sent(struct carrier *c, mono_t now, int rc);
/* carrier_heard - a frame that is good (replay.h). Late ones of this start count as received, for the loss. */
void carrier_heard(struct carrier *c, const struct carrier_frame *f);
/* The peer is alive as far as this carrier can tell. */
bool carrier_alive(const struct carrier *c, mono_t now, unsigned damp);
/* Lost of the last CARRIER_RECENT expected (or as many as there were: expected_out). */
unsigned carrier_lost_recent(const struct carrier *c, unsigned *expected_out);
uint64_t carrier_lost(const struct carrier *c);
/* The greatest value of the last minute; 0 none. */
dur_t carrier_worst_of(const struct carrier_worst *w, mono_t now);

void carriers_init(struct carrier_set *s);
/* carriers_wake - how late we are against the last carriers_deadline; 0 in time or earlier. Late by more than half the
 * shortest dead time is an own stall (carriers_stalled is called). */
dur_t carriers_wake(struct carrier_set *s, mono_t now);
/* carriers_stalled - this process did not run until now. Who was alive stays so until the sockets were emptied, and for
 * two intervals more (once, until it is heard again): a machine that stood still has lost what came meanwhile. */
void carriers_stalled(struct carrier_set *s, mono_t now);
/* carriers_tick - the sockets are empty: bring states to now. Returns a mask of carriers whose state has changed. */
unsigned carriers_tick(struct carrier_set *s, mono_t now, unsigned damp);
bool carriers_alive(const struct carrier_set *s, mono_t now, unsigned damp);
/* carriers_late - alive, and on each carrier where it is alive the next frame is missing (1.5 intervals): time to ask
 * the witness and to probe. */
bool carriers_late(const struct carrier_set *s, mono_t now, unsigned damp);
/* carriers_deadline - the next instant at which a frame is due or an answer of the functions above changes;
 * CARRIER_NEVER without carriers. It is kept, for carriers_wake. */
mono_t carriers_deadline(struct carrier_set *s, mono_t now, unsigned damp);

#endif
