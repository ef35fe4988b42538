/* The decision of the pair, with every way in which the world can behave.
 *
 * Two nodes run fsm_step in turn, tick by tick. An adversary decides for each tick which direction of the link carries a
 * frame, which node reaches the witness, and whether one of them stands still. All states that can be reached are visited
 * (breadth first; states in which the generations lie further apart than GAP are not followed). In each of them:
 * - with a witness, two nodes never hold the addresses because one believed the other dead; what is handed over overlaps
 *   for at most the lease;
 * - when the world is well from then on, after SETTLE ticks exactly one node holds them, and it stays so.
 * Without a witness the second holds too; the first cannot. With fencing required and no witness, no node believes the
 * other dead while that one holds the addresses: it is switched off first, and starts again at once, which is the worst. */
#include "core/fsm.h"

#include "base/mem.h"
#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define NOW 100 /* always: what is older moves back instead */
#define DEAD 5
#define LATE 2
#define LEASE 4
#define LISTEN 6
#define LEAVE 3
#define ASK 1
#define SETTLE 24
#define FENCED 3 /* so long the other counts as off */
#if defined(__SANITIZE_ADDRESS__)
#define GAP 1 /* the same states again would take minutes */
#else
#define GAP 3
#endif

struct half {
	struct fsm f;
	struct fsm_peer
	    p;	       /* as last heard; echoed, late, alive and hears are made anew each tick */
	int64_t heard; /* when; 0: never */
	int64_t got;   /* newest frame of the other that was heard: when it was sent */
	int64_t grant;
	int64_t fenced; /* the other was switched off; 0: no */
	bool hold, ran;
	uint8_t fit, leaving;
};
struct world {
	struct half n[2];
	int64_t until;	      /* of the witness's grant */
	uint8_t holder, dual; /* who has it; ticks in which both held */
};
struct weather {
	bool link[2];	 /* a frame of node i arrives */
	bool witness[2]; /* node i reaches it */
	bool frozen[2];
	bool fence; /* the script works */
};
struct law {
	bool witness, fence;
};

static struct fsm_config
config(const struct law *law, int i)
{
	return (struct fsm_config){ .node = (uint8_t)(i + 1),
		.peered = true,
		.witness = law->witness,
		.fence = law->fence,
		.preferred = i == 0,
		.mode = FSM_AVAILABILITY,
		.priority = 100,
		.dead = DEAD,
		.lease = LEASE,
		.listen = LISTEN,
		.ask = ASK,
		.preempt_delay = 1000,
		.merit_delay = 1000,
		.leave = LEAVE };
}

/* Whether the addresses answer: the kernel takes them away when the lease is over, whatever the process does. */
static bool
holds(const struct half *h)
{
	return h->hold && h->f.lease_until > NOW;
}

/* It forgets everything and listens. */
static void
switch_off(struct half *h, const struct law *law, int i)
{
	struct fsm_config c = config(law, i);

	memset(h, 0, sizeof(*h));
	fsm_init(&h->f, &c, NOW);
	h->ran = true;
}

static void
step(struct world *w, const struct law *law, const struct weather *sky, int i)
{
	struct half *h = &w->n[i];
	struct fsm_config c = config(law, i);
	struct fsm_in in = { .now = NOW, .vips = true, .link = true, .whole = true, .health = 1 };
	struct fsm_out out;

	h->p.known = h->heard != 0;
	h->p.alive = h->p.known && NOW - h->heard < DEAD;
	h->p.late = h->p.known && NOW - h->heard >= LATE;
	h->p.hears = h->p.echoed != 0 && NOW - h->p.echoed <= DEAD;
	in.peer = h->p;
	/* One that stood still asks the time first; a lease that is over meanwhile is a stall. */
	in.stalled = !h->ran;
	in.grant_until = h->grant;
	in.fenced = h->fenced != 0 && !h->p.alive;
	fsm_step(&h->f, &c, &in, &out);
	h->ran = true;
	h->hold = out.hold;
	h->fit = out.fit;
	h->leaving = out.leaving;
	if (out.fence && sky->fence) {
		switch_off(&w->n[1 - i], law, 1 - i);
		h->fenced = NOW;
	}
	if (law->witness && out.ask && sky->witness[i] &&
	    (w->holder == 0 || w->holder == i + 1 || w->until <= NOW)) {
		w->holder = (uint8_t)(i + 1);
		w->until = NOW + LEASE + 1; /* its clock may run a little otherwise */
		h->grant = NOW + LEASE;
	}
}

/* The frame of node i reaches the other. */
static void
deliver(struct world *w, int i)
{
	const struct half *h = &w->n[i];
	struct half *o = &w->n[1 - i];
	bool active = h->f.role == FSM_ACTIVE || h->f.role == FSM_LEAVING;

	o->p.role = h->f.role;
	o->p.leaving = h->leaving;
	o->p.whole = true;
	o->p.fit = h->fit;
	o->p.generation = active ? h->f.claim : h->f.generation;
	o->p.merit = h->f.merit;
	o->p.health = 1;
	o->p.priority = 100;
	o->p.echoed = h->got;
	o->heard = o->got = NOW;
}

/* One tick older; what lies further back than `most` is as good as that. 0 is never. */
static void
back(int64_t *at, int64_t most)
{
	if (*at != 0)
		*at = *at - 1 < NOW - most ? NOW - most : *at - 1;
}

/* What has no effect any more is the same everywhere, so that states that behave alike are one. */
static void
forget(struct half *h)
{
	bool active = h->f.role == FSM_ACTIVE || h->f.role == FSM_LEAVING;

	if (!active)
		h->f.lease_until = 0;
	if (h->f.role != FSM_INIT && h->f.role != FSM_LEAVING)
		h->f.wait_until = 0;
	if (active)
		h->f.apart = h->f.asked = 0;
	if (h->grant <= NOW)
		h->grant = 0;
	if (h->fenced <= NOW - FENCED || (h->heard != 0 && NOW - h->heard < DEAD))
		h->fenced = 0;
	if (h->heard != 0 && NOW - h->heard >= DEAD)
		h->p = (struct fsm_peer){ .generation = h->p.generation, .echoed = h->p.echoed };
	h->p.late = h->p.alive = h->p.known = h->p.hears = false;
	h->f.since = h->f.worse = h->f.order_at = 0;
	h->f.together = h->f.together != 0;
	h->f.isolated = h->f.given = false;
}

static void
age(struct world *w)
{
	for (int i = 0; i < 2; i++) {
		struct half *h = &w->n[i];

		back(&h->f.lease_until, 0);
		back(&h->f.wait_until, 0);
		back(&h->f.apart, LEAVE);
		back(&h->f.asked, ASK);
		back(&h->f.linked, LISTEN);
		back(&h->heard, DEAD);
		back(&h->got, DEAD + 1);
		back(&h->p.echoed, DEAD + 1);
		back(&h->grant, 0);
		back(&h->fenced, FENCED);
		forget(h);
	}
	back(&w->until, 0);
	if (w->until <= NOW)
		w->until = w->holder = 0;
}

static void
tick(struct world *w, const struct law *law, const struct weather *sky)
{
	for (int i = 0; i < 2; i++) {
		if (sky->frozen[i])
			w->n[i].ran = false;
		else
			step(w, law, sky, i);
		if (!sky->frozen[i] && sky->link[i] && !sky->frozen[1 - i])
			deliver(w, i);
	}
	w->dual = holds(&w->n[0]) && holds(&w->n[1]) ? (uint8_t)(w->dual + 1) : 0;
}

/* ---- the set of states ------------------------------------------------------------------------------------ */

struct set {
	struct world *w;
	uint32_t *slot; /* number + 1 */
	uint32_t n, room, mask;
};

static uint64_t
hash(const struct world *w)
{
	const uint8_t *p = (const uint8_t *)w;
	uint64_t h = 1469598103934665603u;

	for (size_t i = 0; i < sizeof(*w); i++)
		h = (h ^ p[i]) * 1099511628211u;
	return h ^ h >> 29;
}

/* Generations count from the lowest one; false: they lie too far apart. Padding is zero since all begins as zero. */
static bool
normal(struct world *w)
{
	uint64_t low = UINT64_MAX, high = 0;
	uint64_t *g[] = { &w->n[0].f.generation, &w->n[0].f.claim, &w->n[0].p.generation,
		&w->n[1].f.generation, &w->n[1].f.claim, &w->n[1].p.generation };

	for (int i = 0; i < 2; i++)
		if (w->n[i].f.role != FSM_ACTIVE && w->n[i].f.role != FSM_LEAVING)
			w->n[i].f.claim = w->n[i].f.generation;
	for (size_t i = 0; i < ARRAY_LEN(g); i++) {
		low = *g[i] < low ? *g[i] : low;
		high = *g[i] > high ? *g[i] : high;
	}
	for (size_t i = 0; i < ARRAY_LEN(g); i++)
		*g[i] -= low;
	for (int i = 0; i < 2; i++) {
		w->n[i].f.why = 0;
		w->n[i].f.merit = 0;
		w->n[i].p.merit = 0;
	}
	return high - low <= GAP;
}

static bool
add(struct set *s, const struct world *w)
{
	uint64_t at = hash(w) & s->mask;

	while (s->slot[at] != 0) {
		if (memcmp(&s->w[s->slot[at] - 1], w, sizeof(*w)) == 0)
			return false;
		at = (at + 1) & s->mask;
	}
	must(s->n < s->room);
	s->w[s->n] = *w;
	s->slot[at] = ++s->n;
	return true;
}

/* ---- what must be true ------------------------------------------------------------------------------------ */

static void
show(const struct world *w, const char *what)
{
	(void)fprintf(stderr, "%s\n", what);
	for (int i = 0; i < 2; i++)
		(void)fprintf(stderr,
		    "  node %d: %s why %s claim %u gen %u lease %+d heard %+d echoed %+d grant %+d peer %s gen %u hold %d\n",
		    i + 1, fsm_role_word[w->n[i].f.role], fsm_why_word[w->n[i].f.why],
		    (unsigned)w->n[i].f.claim, (unsigned)w->n[i].f.generation,
		    (int)(w->n[i].f.lease_until - NOW), (int)(w->n[i].heard - NOW),
		    (int)(w->n[i].p.echoed - NOW), (int)(w->n[i].grant - NOW),
		    fsm_role_word[w->n[i].p.role], (unsigned)w->n[i].p.generation, w->n[i].hold);
}

static bool
believed_dead(const struct half *h, const struct half *before)
{
	return h->f.role == FSM_ACTIVE && before->f.role != FSM_ACTIVE &&
	       before->f.role != FSM_LEAVING &&
	       (h->f.why == FSM_WHY_PEER_DEAD || h->f.why == FSM_WHY_LISTENED);
}

static void
check_safe(const struct world *before, const struct world *w, const struct law *law)
{
	if ((!law->witness && !law->fence) || w->dual == 0)
		return;
	for (int i = 0; i < 2; i++) {
		if (!believed_dead(&w->n[i], &before->n[i]))
			continue;
		show(before, "before");
		show(w, "two hold, since one believed the other dead");
		fail();
	}
	if (law->witness && w->dual > LEASE) {
		show(w, "two hold for longer than the lease");
		fail();
	}
}

static void
check_settles(struct world w, const struct law *law)
{
	static const struct weather fine = { { true, true }, { true, true }, { false, false },
		true };
	struct world begin = w;
	unsigned holders;

	for (int i = 0; i < SETTLE + 3; i++) {
		tick(&w, law, &fine);
		holders = (unsigned)holds(&w.n[0]) + holds(&w.n[1]);
		if (i >= SETTLE && holders != 1) {
			show(&begin, "from here");
			show(&w, "it does not settle");
			fail();
		}
		age(&w);
	}
}

static const struct weather *
weathers(const struct law *law, unsigned *n_out)
{
	static struct weather all[64];
	unsigned n = 0, most = law->witness ? 16 : law->fence ? 8 : 4;

	for (unsigned bits = 0; bits < most; bits++)
		for (unsigned frozen = 0; frozen < 3; frozen++)
			all[n++] = (struct weather){ { bits & 1, bits & 2 }, { bits & 4, bits & 8 },
				{ frozen == 1, frozen == 2 }, (bits & 4) != 0 };
	*n_out = n;
	return all;
}

static void
explore(const struct law *law)
{
	struct set s = { .room = 6000000, .mask = (1u << 24) - 1 };
	struct world first;
	const struct weather *sky;
	unsigned n, skipped = 0;

	s.w = mem_alloc(s.room * sizeof(*s.w));
	s.slot = mem_alloc((s.mask + 1ul) * sizeof(*s.slot));
	sky = weathers(law, &n);
	memset(&first, 0, sizeof(first));
	for (int i = 0; i < 2; i++) {
		struct fsm_config c = config(law, i);

		fsm_init(&first.n[i].f, &c, NOW);
		first.n[i].f.generation = 1;
		first.n[i].ran = true;
		first.n[i].p.generation = 1;
	}
	(void)normal(&first);
	(void)add(&s, &first);
	for (uint32_t at = 0; at < s.n; at++) {
		for (unsigned k = 0; k < n; k++) {
			struct world w = s.w[at];

			tick(&w, law, &sky[k]);
			check_safe(&s.w[at], &w, law);
			age(&w);
			if (!normal(&w))
				skipped++;
			else if (add(&s, &w))
				check_settles(w, law);
		}
	}
	print_message("%s: %u states, %u steps not followed\n",
	    law->witness ? "witness"
	    : law->fence ? "fencing"
			 : "no witness",
	    s.n, skipped);
	free(s.w);
	free(s.slot);
}

static void
test_with_a_witness(void **state)
{
	(void)state;
	explore(&(struct law){ .witness = true });
}

static void
test_without_a_witness(void **state)
{
	(void)state;
	explore(&(struct law){ .witness = false });
}

static void
test_with_fencing(void **state)
{
	(void)state;
	explore(&(struct law){ .fence = true });
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_witness),
		cmocka_unit_test(test_with_a_witness),
		cmocka_unit_test(test_with_fencing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
