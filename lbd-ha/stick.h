/* stick.h - persistence that outlives lbd-proxy, this node and its peer: the mirror (mirror.h) between lbd-proxy, the peer
 * and the file, and the seed that both nodes hash cookies with. Everything belongs to the loop's thread.
 *
 * How records reach the peer is not decided here: whoever has the channel hands on what to_peer is given, says what came
 * from the other side, and how much it can take. */
#ifndef HA_STICK_H
#define HA_STICK_H

#include "msg/bus.h"
#include "sys/loop.h"
#include "sys/paths.h"

struct stick_mirror;
struct stick_mirror_ops {
	/* A batch (stick_batch.h) for the peer; borrowed while the call lasts. Once it has it, it has all changes up to
	 * seq. Called from the loop while the peer is up and has credit, 1 ms after the first change. */
	void (*to_peer)(void *arg, uint64_t seq, const void *batch, size_t len);
	void *arg;
};

/* stick_mirror_new - loads the file and the seed, or makes the seed. ops may be NULL: no peer. bus: whose followers are
 * woken; NULL in tests. Faults of the files are logged, and it begins empty. */
struct stick_mirror *stick_mirror_new(
    struct loop *l, struct bus *bus, const struct paths *p, const struct stick_mirror_ops *ops);
/* stick_mirror_free - writes the file when something changed since; waits for the disk. The followers' answers may still
 * be there: they end empty. */
void stick_mirror_free(struct stick_mirror *s);

/* lbd-proxy's side: STICK_FOLLOW and STICK_LEARNED. */
void stick_mirror_on_follow(
    struct stick_mirror *s, const struct bus_request *rq, const struct msg_stick_follow *m);
void stick_mirror_on_learned(
    struct stick_mirror *s, const struct bus_request *rq, const struct msg_stick_learned *m);

/* The peer's side. boot names one life of a mirror: numbers of changes mean nothing to the next.
 *
 * stick_mirror_peer_up   - it is there, and has what this node told under boot up to seq (0, 0: nothing yet): the rest
 *                          follows, or everything when boot is not ours. credit: batches that it takes.
 * stick_mirror_peer_more - it takes that many more. stick_mirror_peer_down - it went away.
 * stick_mirror_peer_due  - something was not handed to to_peer yet (a hand-over waits until it is).
 * stick_mirror_from_peer - a batch that it sent, with its boot and seq: how many records were new, or ERR_PROTO: none of
 *                          it counts. stick_mirror_peer_seen - the last of these, to be told to it after a break. */
uint64_t stick_mirror_boot(const struct stick_mirror *s);
void stick_mirror_peer_up(struct stick_mirror *s, uint64_t boot, uint64_t seq, unsigned credit);
void stick_mirror_peer_more(struct stick_mirror *s, unsigned credit);
void stick_mirror_peer_down(struct stick_mirror *s);
bool stick_mirror_peer_due(const struct stick_mirror *s);
int stick_mirror_from_peer(
    struct stick_mirror *s, uint64_t boot, uint64_t seq, const void *batch, size_t len);
void stick_mirror_peer_seen(const struct stick_mirror *s, uint64_t *boot, uint64_t *seq);

/* stick_mirror_seed - the key of cookies' hashes. stick_mirror_set_seed - the pair's, once and for all: kept in the file;
 * entries of cookies that were hashed with another are dropped. 0 or -errno: in force, but not on disk. */
uint64_t stick_mirror_seed(const struct stick_mirror *s);
int stick_mirror_set_seed(struct stick_mirror *s, uint64_t seed);
/* stick_mirror_set_tickets - what lbd-proxy makes its keys of session tickets of: the pair's. */
#define STICK_TICKETS 32
void stick_mirror_set_tickets(struct stick_mirror *s, const uint8_t secret[STICK_TICKETS]);
/* stick_mirror_set_generation - the active node's term: records that lbd-proxy makes from now on bear it. Never falls. */
void stick_mirror_set_generation(struct stick_mirror *s, uint32_t generation);

uint32_t stick_mirror_count(const struct stick_mirror *s);

#endif
