/* Answers under way. Every request gets an answer: rows, then RESULT. An answer begins with
 * BUS_CREDIT rows; more go out as the receiver grants them. Rows without credit are held back, at
 * most BUS_QUEUE of them, RESULT behind them.
 *
 * Long answers are pumped: their step writes some rows whenever there is credit and the peer's
 * queue is short, one step a turn, so that ten thousand rows disturb neither the loop nor memory.
 *
 * A request that outlives its peer (a handler kept a copy) is known by its life, and its rows go
 * nowhere. */
#include "base/mem.h"
#include "base/must.h"
#include "msg/bus_priv.h"

#include <string.h>

#define PUMP_BACKLOG 65536 /* bytes that still wait: the pump rests */
#define CREDIT_MAX 1000000

bool
bus_request_alive(const struct bus_request *rq)
{
	must_obj(rq->peer, PEER_MAGIC);
	return rq->peer->used && rq->peer->life == rq->life && !rq->peer->w.cut;
}

struct answer *
answer_find(struct bus_peer *p, uint32_t seq)
{
	struct list *it;

	list_each(it, &p->answers)
	{
		struct answer *a = container_of(it, struct answer, link);

		if (a->rq.seq == seq)
			return a;
	}
	return NULL;
}

struct answer *
answer_new(const struct bus_request *rq)
{
	struct answer *a = mem_alloc(sizeof(*a));

	*a = (struct answer){ .rq = *rq, .credit = BUS_CREDIT };
	list_push(&rq->peer->answers, &a->link);
	rq->peer->answers_n++;
	return a;
}

static void
answer_free(struct answer *a)
{
	list_del(&a->link);
	a->rq.peer->answers_n--;
	if (a->fini != NULL)
		a->fini(a->state);
	buf_fini(&a->held);
	free(a->text);
	free(a);
}

void
answers_drop(struct bus_peer *p)
{
	while (!list_empty(&p->answers))
		answer_free(container_of(p->answers.next, struct answer, link));
}

void
bus_check_backlog(struct bus_peer *p)
{
	if (p->w.cut || wire_backlog(&p->w) <= BUS_BACKLOG + p->snapshot)
		return;
	p->bus->stats.cut++;
	wire_cut(&p->w);
}

void
bus_send_result(struct bus_peer *p, uint32_t seq, int code, const char *text, uint32_t rows)
{
	struct msg_result m = { .code = code, .rows = rows };

	if (text != NULL && text[0] != '\0')
		m.text = SPAN(text);
	wire_send(&p->w, MSG_RESULT, seq, &m);
	bus_check_backlog(p);
}

static void
finish(struct answer *a)
{
	if (!a->ended || a->stepping || a->held_n > 0)
		return;
	bus_send_result(a->rq.peer, a->rq.seq, a->code, a->text, a->rows);
	answer_free(a);
}

static void pump_later(struct bus *b);

void
answer_credit(struct answer *a, uint32_t rows)
{
	struct bus_peer *p = a->rq.peer;
	struct rd r = { .p = a->held.p, .left = a->held.len };
	size_t used;

	a->credit = rows < CREDIT_MAX - a->credit ? a->credit + rows : CREDIT_MAX;
	while (a->held_n > 0 && a->credit > 0) {
		struct rd head = r;
		size_t len;

		(void)rd_be(&head, 8);
		len = MSG_HEADER + (size_t)rd_be(&head, 4);
		wire_send_packet(&p->w, rd_bytes(&r, len), len);
		a->held_n--;
		a->credit--;
	}
	used = a->held.len - r.left;
	if (used > 0)
		memmove(a->held.p, a->held.p + used, r.left);
	a->held.len = r.left;
	bus_check_backlog(p);
	finish(a);
	pump_later(p->bus);
}

bool
bus_reply(const struct bus_request *rq, unsigned number, const void *payload)
{
	struct answer *a = bus_request_alive(rq) ? answer_find(rq->peer, rq->seq) : NULL;

	if (a == NULL || a->ended)
		return false;
	a->rows++;
	if (a->unlimited) {
		wire_send(&rq->peer->w, number, rq->seq, payload);
		return true;
	}
	if (a->credit > 0) {
		a->credit--;
		wire_send(&rq->peer->w, number, rq->seq, payload);
		bus_check_backlog(rq->peer);
		return a->credit > 0;
	}
	if (a->held_n == BUS_QUEUE) {
		rq->peer->bus->stats.cut++;
		wire_cut(&rq->peer->w);
		return false;
	}
	msg_encode(number, rq->seq, payload, &a->held);
	a->held_n++;
	return false;
}

void
bus_result(const struct bus_request *rq, int code, const char *text)
{
	struct answer *a = bus_request_alive(rq) ? answer_find(rq->peer, rq->seq) : NULL;

	if (a == NULL || a->ended)
		return;
	a->ended = true;
	a->code = code;
	a->text = text != NULL ? mem_text(text) : NULL;
	finish(a);
}

/* One step; true when it should be asked again without being told. */
static bool
pump_one(struct answer *a)
{
	uint32_t rows = a->rows;
	bool complete;

	if (a->step == NULL || a->ended || a->credit == 0 || a->rq.peer->w.cut ||
	    wire_backlog(&a->rq.peer->w) > PUMP_BACKLOG)
		return false;
	a->stepping = true;
	complete = a->step(a->state, &a->rq);
	a->stepping = false;
	if (complete)
		a->ended = true;
	if (a->ended) {
		finish(a);
		return false;
	}
	return a->rows != rows && a->credit > 0;
}

/* The next answer of this round. Looked for anew each time: a step may end any answer of any
 * peer. */
static struct answer *
pump_next(struct bus *b)
{
	struct list *it;

	for (unsigned i = 0; i < BUS_SLOTS && !b->closed; i++) {
		struct bus_peer *p = b->slots[i];

		if (p == NULL || !p->used)
			continue;
		list_each(it, &p->answers)
		{
			struct answer *a = container_of(it, struct answer, link);

			if (a->step != NULL && a->round != b->round)
				return a;
		}
	}
	return NULL;
}

static void
run_pumps(void *arg)
{
	struct bus *b = arg;
	struct answer *a;
	bool again = false;

	must_obj(b, BUS_MAGIC);
	b->pumping = false;
	b->round++;
	while ((a = pump_next(b)) != NULL) {
		a->round = b->round;
		again |= pump_one(a);
	}
	if (again)
		pump_later(b);
}

static void
pump_later(struct bus *b)
{
	if (b->pumping || b->closed)
		return;
	b->pumping = true;
	loop_defer(b->loop, run_pumps, b);
}

void
bus_pump_again(struct bus *b)
{
	must_obj(b, BUS_MAGIC);
	pump_later(b);
}

void
bus_pump(const struct bus_request *rq, bool (*step)(void *state, const struct bus_request *rq),
    void (*fini)(void *state), void *state)
{
	struct answer *a = bus_request_alive(rq) ? answer_find(rq->peer, rq->seq) : NULL;

	if (a == NULL || a->ended || a->step != NULL) {
		if (fini != NULL)
			fini(state);
		return;
	}
	a->step = step;
	a->fini = fini;
	a->state = state;
	pump_later(rq->peer->bus);
}
