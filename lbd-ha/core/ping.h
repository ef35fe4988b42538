/* ping.h - ping nodes: neighbours that both nodes should reach, to tell which of them is cut off. Pure.
 *
 * Up to eight targets, each asked in its own interval by an ICMP or ICMPv6 echo. An answer counts until the next question
 * is due; what comes later is a miss. `rise` answers in a row make a target reachable, `fall` misses in a row make it
 * not. Nothing is reachable before it was shown.
 * Source: RFC 792 page 14, RFC 4443 sections 4.1, 4.2. */
#ifndef HA_PING_H
#define HA_PING_H

#include "base/addr.h"
#include "base/mono.h"

#define PING_TARGETS 8
#define PING_LEN 40 /* of a packet: header of 8, and what we know it by */
#define PING_NEVER INT64_MAX

struct ping_conf {
	struct addr addr;
	char ifname[16];     /* "": by the routes */
	dur_t interval;	     /* at least 10 ms */
	unsigned rise, fall; /* at least 1 */
};

struct ping_target {
	struct ping_conf conf; /* addr.family 0: unused */
	bool reachable, waiting;
	unsigned streak; /* answers in a row when not reachable, misses when reachable */
	uint32_t seq;	 /* of the question that waits */
	mono_t sent_at, next;
	mono_t answered_at; /* 0 never */
	mono_t since;
	dur_t rtt;
	int fault; /* of the last sending: 0 or -errno */
	uint64_t sent, answers, late;
};

struct ping {
	uint64_t cookie; /* random: nobody guesses what an answer must carry */
	uint16_t id;
	struct ping_target target[PING_TARGETS];
};

void ping_init(struct ping *p, uint64_t cookie);
/* ping_set - conf NULL clears the place. The same address goes on with what is known of it. */
void ping_set(struct ping *p, unsigned i, const struct ping_conf *conf, mono_t now);
/* ping_hurry - while the lease hangs on answers: no target's question is further from the last one than every, but for those
 * whose answers take longer than half of that. */
void ping_hurry(struct ping *p, dur_t every);
/* ping_due - the target whose question is due, or -1. Call until -1; each is followed by ping_packet, sending, and
 * ping_sent. A question that got no answer is a miss at that moment. */
int ping_due(struct ping *p, mono_t now);
/* ping_packet - the question: PING_LEN bytes, with its checksum for IPv4 (the kernel makes that of ICMPv6). */
void ping_packet(struct ping *p, unsigned i, uint8_t out[PING_LEN]);
/* ping_sent - rc: 0 or -errno; one that could not be sent will be a miss. */
void ping_sent(struct ping *p, unsigned i, mono_t now, int rc);
/* ping_answer - an ICMP message (from its header on) that came from an address.
 *
 * Returns: the target that it answers, or -1: it is no answer to an open question of ours.
 */
int ping_answer(struct ping *p, const void *bytes, size_t len, const struct addr *from, mono_t at);

uint32_t ping_reachable(const struct ping *p); /* bit i: target i */
unsigned ping_count(const struct ping *p);     /* targets in use */
mono_t ping_deadline(const struct ping *p);    /* PING_NEVER without targets */

#endif
