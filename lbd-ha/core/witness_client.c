/* witness_client.c - asking the witness until it answers.
 *
 * Each sending of a question has a sequence number of its own, so that an answer tells which of them it is to, and the
 * lease is counted from that one. An answer is taken once, and only to a question that is open: a recorded one is a
 * stray.
 *
 * The witness demands its newest stamp from who has none, or an old one; then the question goes out again at once. That
 * costs one round trip after a start of either side, and none else, since every answer brings a stamp along. More than a
 * few demands in one question are waited for as for no answer: somebody plays with both. */
#include "core/witness_client.h"

#include "base/must.h"

#include <string.h>

#define PROVES 3
#define DRIFT 256 /* part of the lease that is given away for clocks that differ */

void
witness_client_init(struct witness_client *c, uint64_t cluster, uint8_t node, uint64_t boot,
    uint8_t group, dur_t retry, dur_t limit)
{
	must((node == 1 || node == 2) && boot != 0 && group < NOTE_GROUPS && retry > 0);
	memset(c, 0, sizeof(*c));
	c->cluster = cluster;
	c->node = node;
	c->boot = boot;
	c->group = group;
	c->retry = retry;
	c->limit = limit;
	c->next = WITNESS_CLIENT_NEVER;
}

void
witness_client_ask(struct witness_client *c, enum note_word ask, uint64_t generation,
    uint32_t lease_ms, mono_t now)
{
	must(ask == NOTE_LOOK || ask == NOTE_TAKE || ask == NOTE_GIVE);
	c->ask = ask;
	c->generation = generation;
	c->lease_ms = lease_ms;
	c->asked_at = c->next = now;
	c->proves = 0;
	c->state = WITNESS_ASKING;
	memset(c->open, 0, sizeof(c->open));
	if (ask == NOTE_GIVE)
		c->until = 0;
}

void
witness_client_make(struct witness_client *c, mono_t now, struct note *out)
{
	unsigned i = (unsigned)(++c->seq % WITNESS_CLIENT_OPEN);

	c->open[i].seq = c->seq;
	c->open[i].at = now;
	c->next = now + c->retry;
	c->sent++;
	*out = (struct note){
		.kind = NOTE_ASK,
		.node = c->node,
		.group = c->group,
		.word = (uint8_t)c->ask,
		.cluster = c->cluster,
		.boot = c->boot,
		.seq = c->seq,
		.witness = c->witness,
		.stamp = c->stamp,
		.generation = c->generation,
		.lease_ms = c->lease_ms,
	};
}

/* When the question was sent to which this is the answer; false: to none that is open. Closes it. */
static bool
match(struct witness_client *c, const struct note *n, mono_t *sent_out)
{
	unsigned i = (unsigned)(n->seq % WITNESS_CLIENT_OPEN);

	if (c->state != WITNESS_ASKING || n->boot != c->boot || n->cluster != c->cluster ||
	    n->node != c->node || n->group != c->group || n->seq == 0 || c->open[i].seq != n->seq)
		return false;
	c->open[i].seq = 0;
	*sent_out = c->open[i].at;
	return true;
}

static void
granted(struct witness_client *c, const struct note *n, mono_t sent)
{
	dur_t lease = DUR_MS(n->lease_ms);
	mono_t until = sent + lease - lease / DRIFT;

	if (n->generation != c->held_generation || until > c->until)
		c->until = until;
	c->held_generation = n->generation;
}

/* True: the question goes on, sooner or later. */
static bool
again(struct witness_client *c, const struct note *n, mono_t now)
{
	if (n->word == NOTE_PROVE && c->proves++ < PROVES)
		c->next = now;
	return n->word == NOTE_PROVE || n->word == NOTE_WAIT;
}

bool
witness_client_heard(struct witness_client *c, const struct note *n, mono_t now)
{
	mono_t sent;

	if (!match(c, n, &sent)) {
		c->strays++;
		return false;
	}
	c->answers++;
	c->rtt = now - sent;
	c->answered_at = now;
	if (n->witness != c->witness || n->stamp > c->stamp) {
		c->witness = n->witness;
		c->stamp = n->stamp;
	}
	c->word = (enum note_word)n->word;
	c->holder = n->holder;
	c->holder_generation = n->generation;
	c->left_ms = n->lease_ms;
	if (again(c, n, now))
		return false;
	if (n->word == NOTE_GRANTED && c->ask == NOTE_TAKE && n->generation == c->generation)
		granted(c, n, sent);
	c->state = WITNESS_ANSWERED;
	c->next = WITNESS_CLIENT_NEVER;
	return true;
}

bool
witness_client_tick(struct witness_client *c, mono_t now)
{
	if (c->state != WITNESS_ASKING || now < c->asked_at + c->limit)
		return false;
	c->state = WITNESS_SILENT;
	c->next = WITNESS_CLIENT_NEVER;
	return true;
}

mono_t
witness_client_deadline(const struct witness_client *c)
{
	mono_t give_up = c->asked_at + c->limit;

	if (c->state != WITNESS_ASKING)
		return WITNESS_CLIENT_NEVER;
	return c->next < give_up ? c->next : give_up;
}

bool
witness_client_holds(const struct witness_client *c, uint64_t generation, mono_t now)
{
	return c->held_generation == generation && now < c->until;
}
