/* Connections of processes before this one, for whoever lists or kills connections here.
 *
 * The new process sends the question to each of them and gathers what comes: rows, then how many were reset. Each question has a
 * number; what comes too late has none any more. The old one asks its workers as it would for the bus, and keeps what it
 * has to say until the other side takes it. */
#include "elder_ask.h"

#include "base/mem.h"
#include "sys/log.h"

#include "elder.h"
#include "give_priv.h"
#include "view/status.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LATE DUR_S(1)
#define ELDERS_MOST 32			/* that are asked at once */
#define ANSWERS_MOST (32 * 1024 * 1024) /* bytes that wait in the old process */

/* ---- new ---------------------------------------------------------------------------------------------------------- */

struct job {
	struct list link;
	struct loop *loop;
	struct loop_timer late;
	uint32_t id, killed;
	int pid[ELDERS_MOST]; /* that have not answered; 0 has */
	struct elder_ask_ops ops;
	void *arg;
};
static struct list jobs = { &jobs, &jobs };

static void
release(void *arg)
{
	struct job *j = arg;

	loop_timer_fini(&j->late);
	free(j);
}

static void
over(struct job *j)
{
	list_del(&j->link);
	list_init(&j->link);
	loop_timer_cancel(&j->late);
	j->ops.end(j->arg, j->killed);
	loop_defer(j->loop, release, j);
}

static void
on_late(void *arg)
{
	struct job *j = arg;

	for (unsigned i = 0; i < ELDERS_MOST; i++)
		if (j->pid[i] != 0)
			log_warn("upgrade: process %d, which was before this one, does not answer",
			    j->pid[i]);
	over(j);
}

static struct job *
job_of(uint32_t id)
{
	struct list *it;

	list_each(it, &jobs)
	{
		struct job *j = container_of(it, struct job, link);

		if (j->id == id)
			return j;
	}
	return NULL;
}

static void
answered(struct job *j, int pid)
{
	unsigned left = 0;

	for (unsigned i = 0; i < ELDERS_MOST; i++) {
		if (j->pid[i] == pid)
			j->pid[i] = 0;
		left += j->pid[i] != 0;
	}
	if (left == 0)
		over(j);
}

bool
elders_ask(struct control *k, unsigned number, const void *payload, int pid,
    const struct elder_ask_ops *ops, void *arg)
{
	static uint32_t last;
	struct job *j = mem_alloc(sizeof(*j));
	struct buf out = { 0 };
	unsigned at = 0, n = 0;
	int fd, who;

	*j = (struct job){ .loop = daemon_loop(k->d), .id = ++last, .ops = *ops, .arg = arg };
	buf_put_be(&out, PARCEL_ASK, 1);
	buf_put_be(&out, j->id, 4);
	msg_encode(number, 0, payload, &out);
	while (n < ELDERS_MOST && elder_next(k, &at, &fd, &who))
		if ((pid == 0 || pid == who) && parcel_send(fd, out.p, out.len, NULL, 0) == 0)
			j->pid[n++] = who;
	buf_fini(&out);
	if (n == 0) {
		free(j);
		return false;
	}
	loop_timer_init(&j->late, j->loop, on_late, j);
	loop_timer_set(&j->late, LATE);
	list_push(&jobs, &j->link);
	return true;
}

static void
take_rows(const struct job *j, struct rd *r)
{
	const struct msg_row *row;
	union msg_any m;
	uint32_t seq;

	while (r->left > 0) {
		struct rd one = rd_sub(r, rd_be(r, 2));

		if (r->bad || msg_decode(one.p, one.left, &row, &seq, &m, NULL) != 0 ||
		    row->number != MSG_CONN)
			return;
		if (j->ops.row != NULL)
			j->ops.row(j->arg, &m.conn);
	}
}

void
elders_answered(int pid, const uint8_t *p, size_t n)
{
	struct rd r = { .p = p, .left = n };
	unsigned type = (unsigned)rd_be(&r, 1);
	struct job *j = job_of((uint32_t)rd_be(&r, 4));

	if (r.bad || j == NULL)
		return;
	if (type == PARCEL_ROWS) {
		take_rows(j, &r);
		return;
	}
	j->killed += (uint32_t)rd_be(&r, 4);
	answered(j, pid);
}

void
elders_lost(int pid)
{
	struct list *it, *next;

	list_each_safe(it, next, &jobs) answered(container_of(it, struct job, link), pid);
}

void
elders_ask_fini(void)
{
	while (!list_empty(&jobs)) {
		struct job *j = container_of(jobs.next, struct job, link);

		list_del(&j->link);
		release(j);
	}
}

/* ---- old ---------------------------------------------------------------------------------------------------------- */

struct given {
	struct give *g;
	uint32_t id;
	struct buf rows; /* a parcel that is being made */
};

/* A parcel behind those that wait, with its length in front. */
static void
put(struct give *g, const struct buf *parcel)
{
	if (g->answers.len + parcel->len > ANSWERS_MOST)
		return;
	buf_put_be(&g->answers, parcel->len, 4);
	buf_put(&g->answers, parcel->p, parcel->len);
}

static void
begin_rows(struct given *q)
{
	q->rows.len = 0;
	buf_put_be(&q->rows, PARCEL_ROWS, 1);
	buf_put_be(&q->rows, q->id, 4);
}

static void
on_row(void *arg, const struct msg_conn *m)
{
	struct given *q = arg;
	struct buf one = { 0 };

	msg_encode(MSG_CONN, 0, m, &one);
	if (q->rows.len + 2 + one.len > PARCEL_MOST) {
		put(q->g, &q->rows);
		begin_rows(q);
	}
	buf_put_be(&q->rows, one.len, 2);
	buf_put(&q->rows, one.p, one.len);
	buf_fini(&one);
}

static void
on_end(void *arg, uint32_t killed)
{
	struct given *q = arg;
	struct buf done = { 0 };

	if (q->rows.len > 5)
		put(q->g, &q->rows);
	buf_put_be(&done, PARCEL_DONE, 1);
	buf_put_be(&done, q->id, 4);
	buf_put_be(&done, killed, 4);
	put(q->g, &done);
	buf_fini(&done);
	buf_fini(&q->rows);
	if (q->g->state == GIVE_LINGER)
		loop_fd_want(&q->g->io, LOOP_READ | LOOP_WRITE);
	free(q);
}

void
give_asked(struct give *g, const uint8_t *p, size_t n)
{
	static const struct elder_ask_ops ops = { .row = on_row, .end = on_end };
	struct rd r = { .p = p, .left = n };
	const struct msg_row *row;
	struct given *q;
	union msg_any m;
	uint32_t seq, id;

	(void)rd_be(&r, 1);
	id = (uint32_t)rd_be(&r, 4);
	if (g->state != GIVE_LINGER || r.bad ||
	    msg_decode(r.p, r.left, &row, &seq, &m, NULL) != 0 ||
	    (row->number != MSG_CONNS && row->number != MSG_CONNS_KILL))
		return;
	q = mem_alloc(sizeof(*q));
	*q = (struct given){ .g = g, .id = id };
	begin_rows(q);
	if (row->number == MSG_CONNS)
		status_conns_for(g->k, &m.select, &ops, q);
	else
		status_kill_for(g->k, &m.conns_kill, &ops, q);
}

int
give_answer(struct give *g)
{
	int code = 0;

	while (code == 0 && g->answered < g->answers.len) {
		struct rd r = { .p = g->answers.p + g->answered,
			.left = g->answers.len - g->answered };
		struct rd one = rd_sub(&r, rd_be(&r, 4));

		code = parcel_send(g->fd, one.p, one.left, NULL, 0);
		if (code == 0)
			g->answered += 4 + one.left;
	}
	if (g->answered == g->answers.len) {
		buf_fini(&g->answers);
		g->answered = 0;
	}
	return code;
}
