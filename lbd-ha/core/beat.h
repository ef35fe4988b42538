/* beat.h - one heartbeat: what a node says of itself to the other, on each carrier, some times a second. Pure.
 *
 * A frame of fixed places, big-endian, BEAT_LEN bytes with the seal:
 *
 *      0  magic u32     4 version u8   5 node u8   6 carrier u8   7 key id u8   8 flags u16   10 length u16
 *     12  cluster u64  20 boot u64    28 sequence u64   36 sent u64
 *     44  echo: boot u64   52 sequence u64   60 sent u64   68 age u32
 *     72  ping nodes: reachable u32   76 count u8   77 zero   78 schema version u16   80 suite version u32
 *     84  configuration: revision u32   88 hash u64   96 hash of the node's own part u64   104 sync lag ms u32
 *    108  two groups of 32 bytes: role u8, flags u8, priority u16, lease ms u32, generation u64, score u32,
 *         merit u32, connections u32, active for ms u32
 *    172  seal of all before it, SEAL_TAG bytes
 *
 * A later version may put more between the groups and the seal, and says so by length; this one reads the part it
 * knows. An earlier one does not exist. What the bytes mean for a role is decided elsewhere (ha.md section 4.3). */
#ifndef HA_BEAT_H
#define HA_BEAT_H

#include "core/seal.h"

#include "base/mono.h"

#define BEAT_VERSION 1
#define BEAT_GROUPS 2
#define BEAT_CARRIERS 8 /* carrier numbers are 0..7 */
#define BEAT_BODY 172
#define BEAT_LEN (BEAT_BODY + SEAL_TAG)
#define BEAT_MAX 512 /* what a later version's frame may have; room for a receiver */

enum beat_group_flag {
	BEAT_TAKE = 1,	  /* other node: become active, now */
	BEAT_HAVE = 2,	  /* I am active, the addresses are here and announced */
	BEAT_LEAVING = 4, /* I give it up, planned */
	BEAT_FAULT = 8,	  /* something is the matter with me: rather the other one */
	BEAT_WANT = 16,	  /* I should be active, by priority or by an order */
	BEAT_FIT =
	    32, /* I could be active, and nothing is the matter; with neither this nor FAULT I cannot */
	BEAT_WHOLE = 64, /* connections, persistence and verdicts of the other node are here */
};
enum beat_flag {
	BEAT_STALLED = 1,  /* the sender did not run for a while and judges nothing yet */
	BEAT_HEADLESS = 2, /* its second process is away: no store, no synchronisation */
};

struct beat_group {
	uint8_t role; /* number of the state machine's state */
	uint8_t flags;
	uint16_t priority;
	uint32_t lease_ms; /* left */
	uint64_t generation;
	uint32_t score; /* health */
	uint32_t merit; /* of the claim by which it is active; frozen when it was made */
	uint32_t connections;
	uint32_t active_ms; /* for how long it has been active; UINT32_MAX and more are the same */
};

/* The newest frame that the sender has from us on this carrier; boot 0: none. */
struct beat_echo {
	uint64_t boot, seq;
	uint64_t sent_us; /* as we wrote it there: our own clock */
	uint32_t
	    age_us; /* from its arrival to the sending of this one; the largest means that or more */
};

struct beat {
	uint8_t version; /* beat_encode writes BEAT_VERSION whatever it is */
	uint8_t node;	 /* 1 or 2 */
	uint8_t carrier;
	uint16_t flags;
	uint64_t cluster;
	uint64_t boot; /* random, made anew with each start of the process; not 0 */
	uint64_t seq;  /* of this boot on this carrier, from 1 */
	uint64_t sent_us;
	struct beat_echo echo;
	uint32_t ping_reachable;
	uint8_t ping_count;
	uint16_t schema;
	uint32_t suite; /* 0x00MMmmpp */
	uint32_t revision;
	uint64_t hash_shared, hash_own;
	uint32_t lag_ms;
	struct beat_group group[BEAT_GROUPS];
};

/* Why a frame does not count. The number is also that of its counter. */
enum beat_fault {
	BEAT_GOOD,
	BEAT_SHORT,    /* shorter than it says, or than version 1 */
	BEAT_LONG,     /* bytes after its end, or more than BEAT_MAX */
	BEAT_MAGIC,    /* something else */
	BEAT_OLD,      /* version 0 */
	BEAT_CLUSTER,  /* another pair's */
	BEAT_OWN,      /* of our own node: a mirror, a loop, or two nodes of one number */
	BEAT_NODE,     /* of no node */
	BEAT_KEY,      /* by a secret that we do not have */
	BEAT_SEAL,     /* changed on its way, or made without the secret */
	BEAT_VALUE,    /* sealed, with a boot, sequence or carrier that cannot be */
	BEAT_CROSSED,  /* sealed, and sent on another carrier than the one it came on (pulse.h) */
	BEAT_REPLAYED, /* heard before, or too far behind (replay.h) */
	BEAT_STRANGER, /* of a start of the peer that has not proved to be the present one (replay.h) */
	BEAT_FAULTS
};
const char *beat_fault_word(enum beat_fault f); /* "good", "short", ... */

/* Who we are: frames of another pair and of ourselves do not count. */
struct beat_self {
	uint64_t cluster;
	uint8_t node;
};

/* beat_encode - BEAT_LEN bytes. seal must be ready (seal_ready). */
void beat_encode(const struct beat *b, const struct seal *seal, uint8_t out[BEAT_LEN]);

/* beat_decode - bytes from a carrier to a heartbeat; the cheap reasons come before the seal.
 *
 * out:      written only when good.
 * Returns:  BEAT_GOOD, or BEAT_SHORT to BEAT_VALUE. Whether it is new is replay_judge's to say.
 */
enum beat_fault beat_decode(const void *bytes, size_t len, const struct beat_self *self,
    const struct seal *seal, struct beat *out);

#endif
