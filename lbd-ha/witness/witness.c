/* witness.c - the table of leases and the one decision about it.
 *
 * A compare-and-swap on (generation, holder, until): who holds it prolongs it with the same or a later generation; who
 * does not gets it when the lease is over and his generation is later than the last. A node whose lease ran out may take
 * it up again with its generation, since nobody else has had it meanwhile. A lease is never made shorter by a question
 * that came later: the node may still believe in the longer one.
 *
 * Places are for 256 clusters; each of them has shown the secret. A place is given to another cluster when nobody has
 * asked for an hour; then all stamps in it are too old to count again. */
#include "witness/witness.h"

#include "base/must.h"

#include <string.h>

void
witness_init(struct witness *w, uint64_t boot, mono_t now)
{
	must(boot != 0 && now > 0);
	memset(w, 0, sizeof(*w));
	w->boot = boot;
	w->start = now;
}

/* NULL: no place is free or idle. */
static struct witness_row *
find_row(struct witness *w, uint64_t cluster, mono_t now)
{
	struct witness_row *place = NULL;

	for (unsigned i = 0; i < WITNESS_CLUSTERS; i++) {
		struct witness_row *r = &w->row[i];

		if (r->used && r->cluster == cluster)
			return r;
		if (place == NULL && (!r->used || now - r->heard_at > WITNESS_IDLE))
			place = r;
	}
	if (place == NULL)
		return NULL;
	w->clusters += !place->used;
	*place = (struct witness_row){ .used = true, .cluster = cluster };
	return place;
}

static bool
fresh(const struct witness *w, const struct witness_hold *h, const struct note *ask, mono_t now)
{
	const struct witness_turn *last = &h->turn[ask->node - 1];

	if (ask->witness != w->boot || ask->stamp > (uint64_t)now ||
	    (uint64_t)now - ask->stamp > (uint64_t)WITNESS_FRESH)
		return false;
	return ask->stamp > last->stamp || (ask->stamp == last->stamp && ask->seq > last->seq);
}

static uint32_t
left_ms(mono_t until, mono_t now)
{
	return until > now ? (uint32_t)((until - now + 999) / 1000) : 0;
}

static enum note_word
look(const struct witness_hold *h, mono_t now)
{
	return now < h->until ? NOTE_HELD : NOTE_FREE;
}

static enum note_word
take(struct witness_hold *h, const struct note *ask, mono_t now, uint32_t *lease_ms)
{
	bool own = h->holder == ask->node;
	mono_t until;

	if (!own && now < h->until)
		return NOTE_HELD;
	if (ask->generation < h->generation ||
	    (ask->generation == h->generation && !own && h->holder != 0))
		return NOTE_STALE;
	if (*lease_ms > WITNESS_LEASE / 1000)
		*lease_ms = WITNESS_LEASE / 1000;
	until = now + DUR_MS(*lease_ms);
	h->until = own && h->until > until ? h->until : until;
	h->holder = ask->node;
	h->generation = ask->generation;
	return NOTE_GRANTED;
}

/* What a question that is new does. *lease_ms: asked for; granted, or left, afterwards. */
static enum note_word
decide(const struct witness *w, struct witness_hold *h, const struct note *ask, mono_t now,
    uint32_t *lease_ms)
{
	if (ask->word == NOTE_LOOK)
		return look(h, now);
	if (!fresh(w, h, ask, now))
		return NOTE_PROVE;
	h->turn[ask->node - 1] = (struct witness_turn){ ask->stamp, ask->seq };
	if (now < w->start + WITNESS_LEASE) {
		*lease_ms = left_ms(w->start + WITNESS_LEASE, now);
		return NOTE_WAIT;
	}
	if (ask->word == NOTE_TAKE)
		return take(h, ask, now, lease_ms);
	if (h->holder == ask->node && ask->generation >= h->generation && now < h->until)
		h->until = now;
	return look(h, now);
}

bool
witness_answer(struct witness *w, const struct note *ask, mono_t now, struct note *answer_out)
{
	struct witness_row *row = find_row(w, ask->cluster, now);
	struct note a = *ask;
	struct witness_hold *h, before;

	a.kind = NOTE_ANSWER;
	a.witness = w->boot;
	a.stamp = (uint64_t)now;
	if (row == NULL) {
		a.word = NOTE_FULL;
		a.holder = 0;
		w->counter[NOTE_FULL]++;
		*answer_out = a;
		return false;
	}
	row->heard_at = now;
	h = &row->hold[ask->group];
	before = *h;
	a.word = (uint8_t)decide(w, h, ask, now, &a.lease_ms);
	w->counter[a.word]++;
	a.holder = h->holder;
	if (a.word != NOTE_GRANTED && a.word != NOTE_WAIT) {
		a.generation = h->generation;
		a.lease_ms = left_ms(h->until, now);
	}
	*answer_out = a;
	return h->holder != before.holder || h->generation != before.generation;
}
