/* The client end of the bus inside a daemon: a link to another daemon that is kept up by itself.
 *
 * It connects, says HELLO, subscribes, and hands over rows: first the snapshot (as the answer to
 * SUBSCRIBE), then changes with sequence 0. When the other end goes away, the link tries again
 * after 200 ms, doubling to 2 s; what the owner knows stays with the owner. Requests that were
 * under way end with ERR_AWAY.
 *
 * The owner may free the link inside any of its callbacks: the memory goes after the loop's
 * turn. */
#include "base/list.h"
#include "base/mem.h"
#include "base/must.h"
#include "msg/bus.h"
#include "msg/wire_priv.h"
#include "sys/sock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LINK_MAGIC 0x00b0511e
#define RETRY_FIRST DUR_MS(200)
#define RETRY_MOST DUR_S(2)
#define HELLO_WAIT DUR_S(5)
#define GRANT 64		/* rows: granted when as many have come */
#define LINK_BACKLOG (1u << 20) /* bytes of requests that the other end does not read */

struct ask {
	struct list link;
	uint32_t seq;
	unsigned taken; /* rows since credit was granted */
	void (*on_row)(void *arg, const struct msg_row *row, const union msg_any *m);
	void (*on_end)(void *arg, int code, const char *text);
	void *arg;
};

struct bus_link {
	uint32_t magic;
	struct loop *loop;
	struct bus_link_ops ops;
	char program[32], path[280];
	struct wire w;
	struct loop_timer timer; /* next try, or the end of waiting for HELLO */
	dur_t retry;
	bool freed, up, synced;
	uint32_t seq, subscription;
	struct list asks;
};

static void
retry_later(struct bus_link *k)
{
	if (k->freed)
		return;
	loop_timer_set(&k->timer, k->retry);
	k->retry = k->retry * 2 < RETRY_MOST ? k->retry * 2 : RETRY_MOST;
}

static void
ask_end(struct ask *q, int code, const char *text)
{
	list_del(&q->link);
	if (q->on_end != NULL)
		q->on_end(q->arg, code, text);
	free(q);
}

/* Only what was asked until now: an on_end may ask again, and is refused then. */
static void
asks_end(struct bus_link *k, const char *why)
{
	while (!list_empty(&k->asks))
		ask_end(container_of(k->asks.next, struct ask, link), ERR_AWAY, why);
}

static void
on_closed(void *arg, int code, const char *why)
{
	struct bus_link *k = arg;
	bool was_up = k->up;

	(void)code;
	must_obj(k, LINK_MAGIC);
	k->up = k->synced = false;
	loop_timer_cancel(&k->timer);
	asks_end(k, why);
	if (was_up && !k->freed && k->ops.down != NULL)
		k->ops.down(k->ops.arg);
	retry_later(k);
}

static void
go_up(struct bus_link *k)
{
	struct msg_subscribe m = { .topics = k->ops.topics };

	loop_timer_cancel(&k->timer);
	k->retry = RETRY_FIRST;
	k->up = true;
	k->subscription = 0;
	if (k->ops.topics != 0) {
		k->subscription = ++k->seq;
		wire_send(&k->w, MSG_SUBSCRIBE, k->subscription, &m);
	}
	if (k->ops.up != NULL)
		k->ops.up(k->ops.arg);
}

static struct ask *
ask_find(struct bus_link *k, uint32_t seq)
{
	struct list *it;

	list_each(it, &k->asks)
	{
		struct ask *q = container_of(it, struct ask, link);

		if (q->seq == seq)
			return q;
	}
	return NULL;
}

static void
on_answer(struct bus_link *k, struct ask *q, const struct msg_row *row, const union msg_any *m)
{
	struct msg_credit credit = { .rows = GRANT };
	char text[256];

	if (row->number == MSG_RESULT) {
		span_text(m->result.text, text, sizeof(text));
		ask_end(q, m->result.code, text);
		return;
	}
	if (++q->taken == GRANT) {
		q->taken = 0;
		wire_send(&k->w, MSG_CREDIT, q->seq, &credit);
	}
	if (q->on_row != NULL)
		q->on_row(q->arg, row, m);
}

static void
on_subscribed(struct bus_link *k, const struct msg_row *row, const union msg_any *m)
{
	if (row->number != MSG_RESULT) {
		if (k->ops.row != NULL)
			k->ops.row(k->ops.arg, row, m);
	} else if (m->result.code != 0) {
		wire_cut(&k->w); /* it may let us in later */
	} else {
		k->synced = true;
		if (k->ops.synced != NULL)
			k->ops.synced(k->ops.arg);
	}
}

static void
on_packet(void *arg, const struct msg_row *row, uint32_t seq, const union msg_any *m)
{
	struct bus_link *k = arg;
	struct ask *q = seq != 0 ? ask_find(k, seq) : NULL;

	must_obj(k, LINK_MAGIC);
	if (!k->up) {
		if (row->number == MSG_HELLO && m->hello.version == MSG_VERSION)
			go_up(k);
		else
			wire_cut(&k->w);
	} else if (q != NULL) {
		on_answer(k, q, row, m);
	} else if (seq != 0 && seq == k->subscription) {
		on_subscribed(k, row, m);
	} else if (seq == 0 && row->number == MSG_RESULT) {
		wire_cut(&k->w); /* turned away */
	} else if (seq == 0 && row->number != MSG_HELLO && k->ops.row != NULL) {
		k->ops.row(k->ops.arg, row, m);
	}
}

static void
on_unknown(void *arg, unsigned number, uint32_t seq)
{
	(void)arg;
	(void)number;
	(void)seq; /* a newer daemon tells more than we know of */
}

static const struct wire_ops link_wire = {
	.packet = on_packet,
	.unknown = on_unknown,
	.closed = on_closed,
};

static void
on_timer(void *arg)
{
	struct bus_link *k = arg;
	int fd;

	must_obj(k, LINK_MAGIC);
	if (k->w.fd != -1) {
		wire_cut(&k->w); /* no HELLO in time */
		return;
	}
	fd = sock_connect_unix(k->path);
	if (fd < 0) {
		retry_later(k);
		return;
	}
	wire_start(&k->w, k->loop, fd, &link_wire, k);
	wire_hello(&k->w, k->program);
	loop_timer_set(&k->timer, HELLO_WAIT);
}

struct bus_link *
bus_link_new(
    struct loop *l, const struct paths *p, const char *program, const struct bus_link_ops *ops)
{
	struct bus_link *k = mem_alloc(sizeof(*k));

	*k = (struct bus_link){ .magic = LINK_MAGIC, .loop = l, .ops = *ops, .retry = RETRY_FIRST };
	k->w.fd = -1;
	must(msg_program(program) != 0);
	(void)snprintf(k->program, sizeof(k->program), "%s", program);
	paths_socket(p, ops->daemon, k->path);
	list_init(&k->asks);
	loop_timer_init(&k->timer, l, on_timer, k);
	loop_timer_set(&k->timer, 0);
	return k;
}

static void
free_link(void *arg)
{
	struct bus_link *k = arg;

	k->magic = 0;
	free(k);
}

void
bus_link_free(struct bus_link *k)
{
	if (k == NULL)
		return;
	must_obj(k, LINK_MAGIC);
	if (k->freed)
		return;
	k->freed = true;
	k->up = false;
	memset(&k->ops, 0, sizeof(k->ops));
	wire_stop(&k->w);
	loop_timer_fini(&k->timer);
	asks_end(k, "link closed");
	loop_defer(k->loop, free_link, k);
}

bool
bus_link_is_up(const struct bus_link *k)
{
	must_obj(k, LINK_MAGIC);
	return k->up && !k->w.cut;
}

int
bus_link_ask(struct bus_link *k, unsigned number, const void *payload,
    void (*on_row)(void *arg, const struct msg_row *row, const union msg_any *m),
    void (*on_end)(void *arg, int code, const char *text), void *arg)
{
	struct ask *q;

	must_obj(k, LINK_MAGIC);
	if (!bus_link_is_up(k) || wire_backlog(&k->w) > LINK_BACKLOG)
		return ERR_AWAY;
	q = mem_alloc(sizeof(*q));
	*q = (struct ask){ .seq = ++k->seq, .on_row = on_row, .on_end = on_end, .arg = arg };
	if (k->seq == 0)
		q->seq = ++k->seq; /* 0 wants no answer */
	list_push(&k->asks, &q->link);
	wire_send(&k->w, number, q->seq, payload);
	return 0;
}
