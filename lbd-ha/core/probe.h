/* probe.h - does the other node still answer for a floating address, though no carrier brings its heartbeats?
 *
 * Questions that nobody learns from: ARP with sender address 0 (RFC 5227 section 2.1.1), a neighbour solicitation from
 * the unspecified address (RFC 4862 section 5.4.2). Only an answer with one of the other node's hardware addresses counts:
 * a real server whose ARP is not silent answers too, and must not keep this node from taking over. */
#ifndef HA_PROBE_H
#define HA_PROBE_H

#include "core/shared.h"

#define PROBE_KEEP 3  /* for the time of so many questions an answer counts */
#define PROBE_ASKED 8 /* addresses of a group that are asked for */

struct probe {
	int fd; /* open while it is asked; -1 */
	mono_t next;
	dur_t every;		      /* between questions, as they were asked last */
	mono_t answered[SHARED_SETS]; /* 0 never */
};

void probe_init(struct probe *p);
/* probe_close - the last close of a packet socket waits in the kernel for all processors, 10 to 40 ms, in which no
 * heartbeat goes out. So the socket goes to the side (-1: there is none) along with the word, which closes it a moment after
 * this process has. */
void probe_close(struct probe *p, int side, char word);
/* probe_ask - for the groups of the mask, at most once each `every`. Opens the socket when needed. 0 or -errno. */
int probe_ask(
    struct probe *p, const struct shared_want *w, unsigned groups, dur_t every, mono_t now);
void probe_read(struct probe *p, const struct shared_want *w, mono_t now);
bool probe_is_answered(const struct probe *p, unsigned group, mono_t now);

/* Frames as bytes; pure. probe_arp, probe_ns: the questions, FRAME_MAX bytes of room; return the length. */
size_t probe_arp(uint8_t *out, const uint8_t mac[6], const struct addr *a);
size_t probe_ns(uint8_t *out, const uint8_t mac[6], const struct addr *a);
/* probe_parse - a frame to who answers for which address; false: it is no such answer. */
bool probe_parse(const void *frame, size_t len, struct addr *a_out, uint8_t mac_out[6]);

#endif
