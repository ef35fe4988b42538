/* give.c - the kernel's list of connections, as messages of its own sync, in pieces.
 *
 * While the list changes under the reader the kernel leaves entries out: it counts from the first one for each page, and
 * every entry that goes makes it skip another. So a list that is longer than a page is read twice, and of the second
 * reading that is sent which the first had not.
 *
 * What is sent is what lbd configured: without its service nothing tells how packets of a connection go. Groups that the
 * other node holds are left out: there its word counts. */
#include "refill/give.h"

#include "conns/sync.h"
#include "plan/want.h"

#include "base/must.h"
#include "msg/conns_letter.h"
#include "sys/log.h"

#include <string.h>

#define SHORT 20  /* entries that the kernel shows in one page at least */
#define TURN 1000 /* entries of a turn of the loop */
#define NOTHING SIZE_MAX

static void
end_walk(struct give *g)
{
	walk_free(g->walk);
	g->walk = NULL;
	loop_timer_cancel(&g->again);
}

static void
end_job(struct give *g)
{
	end_walk(g);
	seen_fini(&g->seen);
	buf_fini(&g->piece);
	g->message = NOTHING;
	g->job = 0;
}

static void
send_end(struct give *g, int code)
{
	const struct msg_conns_letter m = {
		.what = code == 0 ? LETTER_END : LETTER_CANNOT,
		.job = g->job,
		.count = g->sent,
		.text = SPAN(code == 0 ? "" : "the kernel's list of connections cannot be read"),
	};

	log_info("connections: %llu given to the other node", (unsigned long long)g->sent);
	g->send(g->arg, &m);
	end_job(g);
}

static void
send_piece(struct give *g)
{
	struct msg_conns_letter m = {
		.what = LETTER_GIVE, .job = g->job, .data = { g->piece.p, g->piece.len }
	};

	g->flying++;
	g->send(g->arg, &m);
	g->piece.len = 0;
	g->message = NOTHING;
}

static void
put(struct give *g, const struct walk_row *r)
{
	const struct snapshot *s = daemon_snapshot(g->d);
	const struct service *svc = snapshot_find(s, KIND_service, r->service);
	const struct server *srv = r->server != 0 ? snapshot_find(s, KIND_server, r->server) : NULL;
	uint32_t mark = svc != NULL ? want_mark(svc) : 0;

	if (svc == NULL || (g->held >> (svc->group - 1) & 1) != 0 || !sync_worth(&r->e) ||
	    !seen_add(&g->seen, &r->e))
		return;
	if (g->message == NOTHING ||
	    !sync_keep(&g->piece, g->message, &r->e, mark, want_forward(svc, srv))) {
		g->message = g->piece.len;
		sync_begin(&g->piece, 0); /* the id is the receiver's to say */
		if (!sync_keep(&g->piece, g->message, &r->e, mark, want_forward(svc, srv)))
			return;
	}
	g->sent++;
}

static void on_more(void *arg);

static bool
begin_walk(struct give *g)
{
	const struct walk_want want = { .kinds = WALK_CONNECTIONS | WALK_TEMPLATES };
	const struct walk_ops ops = { .more = on_more, .arg = g };

	g->walk = conns_walk(g->conns, &want, &ops);
	return g->walk != NULL;
}

static void
on_more(void *arg)
{
	struct give *g = arg;
	const struct walk_row *r;
	unsigned n = 0;
	int code;

	while (g->walk != NULL) {
		if (g->piece.len >= CONNS_PIECE) {
			if (g->flying == CONNS_FLYING)
				return; /* give_taken goes on */
			send_piece(g);
		}
		if (n++ == TURN) {
			loop_timer_set(&g->again, 0);
			return;
		}
		r = walk_next(g->walk);
		if (r != NULL) {
			put(g, r);
			continue;
		}
		if (!walk_ended(g->walk, &code))
			return;
		end_walk(g);
		if (code == 0 && g->pass++ == 0 && g->sent > SHORT && begin_walk(g))
			return;
		if (g->piece.len > 0) /* one more than agreed is no harm */
			send_piece(g);
		send_end(g, code);
	}
}

void
give_begin(struct give *g, uint32_t job, unsigned held)
{
	end_job(g);
	g->job = job;
	g->held = held;
	g->pass = g->flying = 0;
	g->sent = 0;
	if (daemon_snapshot(g->d) == NULL || !begin_walk(g))
		send_end(g, 0);
}

void
give_taken(struct give *g, uint32_t job)
{
	if (job != g->job || g->flying == 0)
		return;
	g->flying--;
	if (g->walk != NULL)
		loop_timer_set(&g->again, 0);
}

void
give_stop(struct give *g, uint32_t job)
{
	if (job == g->job || job == 0)
		end_job(g);
}

void
give_init(struct give *g, struct daemon *d, struct conns *c,
    void (*send)(void *arg, const struct msg_conns_letter *m), void *arg)
{
	*g = (struct give){ .d = d, .conns = c, .send = send, .arg = arg, .message = NOTHING };
	loop_timer_init(&g->again, daemon_loop(d), on_more, g);
}

void
give_fini(struct give *g)
{
	end_job(g);
	loop_timer_fini(&g->again);
}
