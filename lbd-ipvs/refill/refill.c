/* refill.c - the link to lbd-ha by which letters come and go (common/msg/conns_letter.h). What to do, and when, is lbd-ha's
 * to say: it knows the other node, and who is active. */
#include "refill/refill.h"

#include "refill/give.h"
#include "refill/take.h"

#include "base/mem.h"
#include "base/must.h"
#include "sys/log.h"

#include <string.h>

#define REFILL_MAGIC 0x4ef11100
#define SOON DUR_MS(100)
#define LATER DUR_S(1)

struct refill {
	uint32_t magic;
	struct bus_link *link;
	struct loop_timer look;
	enum conns_state (*state)(void *arg);
	void *arg;
	enum conns_state told; /* CONNS_AWAY: nothing yet */
	mono_t begun;	       /* of what is taken */
	uint32_t job;
	struct give give;
	struct take take;
};

static void
send_letter(void *arg, const struct msg_conns_letter *m)
{
	struct refill *r = arg;

	if (bus_link_is_up(r->link))
		(void)bus_link_ask(r->link, MSG_CONNS_LETTER, m, NULL, NULL, NULL);
}

static void
on_look(void *arg)
{
	struct refill *r = arg;
	enum conns_state now = r->state(r->arg);
	struct msg_conns_letter m = { .what = LETTER_STATE, .count = now };

	must_obj(r, REFILL_MAGIC);
	if (!bus_link_is_up(r->link))
		return;
	if (now != r->told)
		send_letter(r, &m);
	r->told = now;
	loop_timer_set(&r->look, now == CONNS_WAITS ? SOON : LATER);
}

/* ---- letters ---------------------------------------------------------------------------------- */

static void
on_taken(void *arg, uint32_t job, unsigned entries)
{
	const struct msg_conns_letter m = { .what = LETTER_TAKEN, .job = job, .count = entries };

	send_letter(arg, &m);
}

static void
on_here(void *arg, uint32_t job, uint64_t entries)
{
	struct refill *r = arg;
	const struct msg_conns_letter m = { .what = LETTER_HERE, .job = job, .count = entries };

	log_info("connections: %llu of the other node taken in %.2f s", (unsigned long long)entries,
	    (double)(mono_now() - r->begun) / 1e6);
	send_letter(r, &m);
}

static void
on_failed(void *arg, uint32_t job, const char *why)
{
	const struct msg_conns_letter m = { .what = LETTER_FAILED, .job = job, .text = SPAN(why) };

	send_letter(arg, &m);
}

static void
on_give(struct refill *r, const struct msg_conns_letter *m)
{
	if (m->job != r->job) {
		r->job = m->job;
		r->begun = mono_now();
	}
	if (m->what == LETTER_GIVE)
		take_piece(&r->take, m->job, m->data.p, m->data.len);
	else
		take_end(&r->take, m->job);
}

static void
on_letter(void *arg, const struct msg_row *row, const union msg_any *any)
{
	struct refill *r = arg;
	const struct msg_conns_letter *m = &any->conns_letter;

	must_obj(r, REFILL_MAGIC);
	if (row->number != MSG_CONNS_LETTER)
		return;
	switch (m->what) {
	case LETTER_ASK: give_begin(&r->give, m->job, (unsigned)m->count); break;
	case LETTER_TAKEN: give_taken(&r->give, m->job); break;
	case LETTER_STOP: give_stop(&r->give, m->job); break;
	case LETTER_GIVE:
	case LETTER_END: on_give(r, m); break;
	default: break; /* a word of a newer build */
	}
}

/* ---- the link --------------------------------------------------------------------------------- */

static void
on_up(void *arg)
{
	struct refill *r = arg;
	const struct msg_empty m = { 0 };

	r->told = CONNS_AWAY;
	(void)bus_link_ask(r->link, MSG_CONNS_FOLLOW, &m, on_letter, NULL, r);
	loop_timer_set(&r->look, 0);
}

static void
on_down(void *arg)
{
	struct refill *r = arg;

	give_stop(&r->give, 0);
	take_stop(&r->take);
	loop_timer_cancel(&r->look);
}

struct refill *
refill_new(struct daemon *d, struct conns *c, enum conns_state (*state)(void *arg), void *arg)
{
	struct refill *r = mem_alloc(sizeof(*r));
	const struct bus_link_ops ops = {
		.daemon = "lbd-ha", .up = on_up, .down = on_down, .arg = r
	};
	const struct take_ops take = {
		.taken = on_taken, .here = on_here, .failed = on_failed, .arg = r
	};

	*r = (struct refill){ .magic = REFILL_MAGIC, .state = state, .arg = arg };
	give_init(&r->give, d, c, send_letter, r);
	take_init(&r->take, daemon_loop(d), &take);
	loop_timer_init(&r->look, daemon_loop(d), on_look, r);
	r->link = bus_link_new(daemon_loop(d), daemon_paths(d), "lbd-ipvs", &ops);
	return r;
}

void
refill_free(struct refill *r)
{
	if (r == NULL)
		return;
	must_obj(r, REFILL_MAGIC);
	bus_link_free(r->link);
	loop_timer_fini(&r->look);
	give_fini(&r->give);
	take_fini(&r->take);
	r->magic = 0;
	free(r);
}
