/* take.c - messages into the kernel, no faster than it reads them, and none lost.
 *
 * A burst is sent; then the receiver's queue is looked at until it is empty. When the receiver has lost something
 * meanwhile (whoever sent it), the burst is sent again, in a smaller one: what is there already is only set again. Bursts
 * grow while nothing is lost. The queue's default length holds about 90 messages. */
#include "refill/take.h"

#include "conns/receiver.h"
#include "conns/sync.h"
#include "kernel/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BURST_FIRST 16
#define BURST_LEAST 4
#define BURST_MOST 64
#define LOOK DUR_MS(1)
#define STUCK DUR_S(5) /* so long may the receiver not read */

static void
shut(struct take *t)
{
	for (unsigned i = 0; i < t->n; i++)
		buf_fini(&t->piece[i].b);
	t->n = 0;
	if (t->fd != -1)
		(void)close(t->fd);
	t->fd = -1;
	t->ended = t->looking = false;
	loop_timer_cancel(&t->timer);
}

static void
fail(struct take *t, const char *why)
{
	uint32_t job = t->job;

	shut(t);
	t->job = 0;
	t->ops.failed(t->ops.arg, job, why);
}

/* ---- the receiver --------------------------------------------------------------------------- */

static int
find_receiver(struct take *t, struct err *err)
{
	struct kernel *k = NULL;
	struct ipvs_sync master;
	int rc = kernel_open(&k, err);

	if (rc == 0)
		rc = kernel_sync_get(k, &master, &t->receiver, err);
	kernel_close(k);
	if (rc == 0 && !t->receiver.on)
		rc = err_set(err, -ENOTCONN, "the kernel's receiver of connections does not run");
	return rc == 0 ? receiver_open(&t->receiver, &t->fd, err) : rc;
}

static int
look(const struct take *t, struct receiver_queue *q)
{
	return receiver_look(
	    t->receiver.group.family == 6 ? RECEIVER_UDP6 : RECEIVER_UDP4, &t->receiver, q);
}

/* One burst of the piece; an error of the socket is one of the whole. */
static int
send_burst(struct take *t, struct take_piece *p)
{
	struct rd r = { .p = p->b.p + p->at, .left = p->b.len - p->at };
	const uint8_t *m;
	uint8_t out[SYNC_DATAGRAM];
	size_t len;
	unsigned entries;

	t->from = p->at;
	for (unsigned i = 0; i < t->burst && sync_next(&r, &m, &len, &entries); i++) {
		memcpy(out, m, len);
		out[1] = t->receiver.id; /* else it is not for this receiver */
		if (send(t->fd, out, len, 0) == -1) {
			if (errno != EAGAIN && errno != ENOBUFS)
				return -errno;
			break;
		}
		p->at = p->b.len - r.left;
	}
	t->looking = true;
	t->sent_at = mono_now();
	return 0;
}

/* ---- pieces ---------------------------------------------------------------------------------- */

/* A piece is messages and nothing else. */
static bool
count(const struct buf *b, unsigned *entries_out)
{
	struct rd r = { .p = b->p, .left = b->len };
	const uint8_t *m;
	size_t len;
	unsigned n;

	*entries_out = 0;
	while (r.left > 0) {
		if (!sync_next(&r, &m, &len, &n))
			return false;
		*entries_out += n;
	}
	return true;
}

static void
end_piece(struct take *t)
{
	unsigned entries = t->piece[0].entries;

	buf_fini(&t->piece[0].b);
	t->n--;
	memmove(t->piece, t->piece + 1, t->n * sizeof(t->piece[0]));
	t->entries += entries;
	t->ops.taken(t->ops.arg, t->job, entries);
}

static void
end_job(struct take *t)
{
	uint32_t job = t->job;

	shut(t);
	t->job = 0;
	t->ops.here(t->ops.arg, job, t->entries);
}

/* False: not read yet, or it failed. */
static bool
is_read(struct take *t, const struct receiver_queue *q)
{
	if (q->bytes > 0 && mono_now() - t->sent_at < STUCK) {
		loop_timer_set(&t->timer, LOOK);
		return false;
	}
	if (q->bytes > 0) {
		fail(t, "the kernel's receiver of connections does not read");
		return false;
	}
	t->looking = false;
	if (q->drops != t->drops) {
		t->piece[0].at = t->from;
		t->burst = t->burst / 2 > BURST_LEAST ? t->burst / 2 : BURST_LEAST;
	} else if (t->burst < BURST_MOST) {
		t->burst++;
	}
	t->drops = q->drops;
	return true;
}

static void
on_timer(void *arg)
{
	struct take *t = arg;
	struct receiver_queue q;
	struct err err = { .text = "" };

	if (t->job == 0)
		return;
	if (t->fd == -1 && t->n > 0) {
		if (find_receiver(t, &err) != 0) {
			fail(t, err.text);
			return;
		}
		t->looking = false;
	}
	if (t->n > 0) {
		if (look(t, &q) != 0 || q.sockets == 0) {
			fail(t, "the kernel's receiver of connections is not to be seen");
			return;
		}
		if (t->looking && !is_read(t, &q))
			return;
		t->drops = q.drops;
		if (t->piece[0].at == t->piece[0].b.len)
			end_piece(t);
	}
	if (t->n > 0 && send_burst(t, &t->piece[0]) != 0)
		fail(t, "the kernel's receiver of connections cannot be reached");
	else if (t->n > 0)
		loop_timer_set(&t->timer, 0);
	else if (t->ended)
		end_job(t);
}

/* ---- the interface ---------------------------------------------------------------------------- */

static void
begin(struct take *t, uint32_t job)
{
	if (job == t->job)
		return;
	shut(t);
	t->job = job;
	t->entries = 0;
	t->burst = BURST_FIRST;
}

void
take_piece(struct take *t, uint32_t job, const void *p, size_t len)
{
	struct take_piece *k;

	begin(t, job);
	k = &t->piece[t->n];
	if (t->n == sizeof(t->piece) / sizeof(t->piece[0])) {
		fail(t, "more came than was agreed");
		return;
	}
	*k = (struct take_piece){ .at = 0 };
	buf_put(&k->b, p, len);
	t->n++;
	if (!count(&k->b, &k->entries)) {
		fail(t, "what the other node gives is not understood");
		return;
	}
	if (t->n == 1)
		loop_timer_set(&t->timer, 0);
}

void
take_end(struct take *t, uint32_t job)
{
	begin(t, job);
	t->ended = true;
	if (t->n == 0)
		loop_timer_set(&t->timer, 0);
}

void
take_stop(struct take *t)
{
	shut(t);
	t->job = 0;
}

void
take_init(struct take *t, struct loop *l, const struct take_ops *ops)
{
	*t = (struct take){ .ops = *ops, .fd = -1 };
	loop_timer_init(&t->timer, l, on_timer, t);
}

void
take_fini(struct take *t)
{
	if (t->timer.loop != NULL)
		shut(t);
	loop_timer_fini(&t->timer);
}
