/* story.h - what becomes of one request, or one TCP connection: times, who ended it, and notes for its line. Kept by its stream,
 * also while nothing is logged: times cost a store each, as worker->now is there. */
#ifndef LBD_PROXY_STORY_H
#define LBD_PROXY_STORY_H

#include "logs.h"

struct conn;
struct seat;
struct story {
	mono_t began, ended[PHASE_TOTAL]; /* first byte, or accept; end of each phase, 0 not yet */
	uint64_t in_before, out_before;	  /* bytes of the client's connection before it */
	uint32_t heads_len, own_len;	  /* bytes of answers' heads, and of an answer of our own */
	uint32_t queue;			  /* requests that waited before it */
	uint16_t status;		  /* of the answer; 0 none */
	uint8_t tries;			  /* further ones */
	bool http;
	char cause, where; /* who ended it before its time, and in which phase; 0 nobody */
	char cookie[2];	   /* what the client's was, what the server's became; 0: none of ours */
	struct log_notes *notes; /* NULL: none, or its head cannot be read */
};

/* story_ended - C client, S server, P this proxy, L it too and as it should, R something is used up, D the server went down, K by order; small c and s: too
 * slow. where: R request, T tarpit, Q queue, C connect, H head of the answer, D data. The first cause stays. */
static inline void
story_ended(struct story *s, char cause, char where)
{
	if (s->cause != 0)
		return;
	s->cause = cause;
	s->where = where;
}
static inline void
story_phase(struct story *s, unsigned phase, mono_t now)
{
	if (s->ended[phase] == 0)
		s->ended[phase] = now;
}

struct h1_head;
/* story_head - a request's head is complete, at buf. story_server - it goes to the seat's server; both without effect
 * when there is no memory, story_server without notes. story_notes - of a TCP connection: there is no head. */
void story_head(struct story *s, struct conn *client, const char *buf, const struct h1_head *h);
void story_id(struct story *s, const char *id, size_t len);
void story_notes(struct story *s, struct conn *client);
void story_server(struct story *s, const struct seat *seat);
/* story_end - write the line when the service logs, and let go of the notes. */
void story_end(struct story *s, struct conn *client);

#endif
