/* peer_channel.c - the one channel between two nodes, whoever of them could open it.
 *
 * Both nodes listen. Node 1 connects at once and again after 0.2 to 2 s; node 2 does so only when nothing came for some
 * seconds, which is of use when something between them lets connections pass in one direction only. A connection is a
 * line; when TLS has proved the other end each says PEER_HELLO, and from then on the line counts. Of two lines that
 * count, the one that node 1 opened stays, and of two by the same node the newer, because the older is one that its
 * opener has given up. Both nodes follow the same rule, so they never each close the other's.
 *
 * While it is up there is a ping each second; when nothing came for PEER_SILENT the line is closed, whatever the kernel
 * thinks of it. What is sent goes through peer_queue.c. What the messages mean is the owner's business; nothing is
 * resent: after a loss both say again where they stand. */
#include "peer_priv.h"

#include "base/mem.h"
#include "base/must.h"
#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PEER_SILENT DUR_S(5)
#define PIECE (32u << 10) /* of a blob */
#define HAND (64u << 10)  /* bytes that are given to TLS before it is done with them */
#define BULK_BLOB (1u << 20)

/* ---- state, as others see it ------------------------------------------------------------------------------------ */

void
peer_tell_changed(struct peer_channel *k)
{
	if (k->ops.changed != NULL)
		k->ops.changed(k->ops.arg);
}

/* A new reason is said in the log once. */
void
peer_set_fault(struct peer_channel *k, const char *text)
{
	if (strcmp(k->state.fault, text) == 0)
		return;
	(void)snprintf(k->state.fault, sizeof(k->state.fault), "%s", text);
	if (text[0] != '\0')
		log_warn("peer %s: %s", k->cluster.peer_name, text);
	peer_tell_changed(k);
}

void
peer_line_drop(struct line *x)
{
	tls_channel_free(x->t);
	x->t = NULL;
}

void
peer_retry_later(struct peer_channel *k)
{
	if (k->freed)
		return;
	loop_timer_set(&k->dial, k->cluster.node == 1 ? k->retry : RELUCTANT);
	k->retry = k->retry * 2 < RETRY_MOST ? k->retry * 2 : RETRY_MOST;
}

void
peer_went_down(struct peer_channel *k, const char *why)
{
	if (!k->state.up)
		return;
	k->state.up = false;
	k->state.since = mono_wall_ms() / 1000;
	k->state.rtt = 0;
	peer_queue_reset(&k->q);
	for (unsigned s = 0; s < PEER_STREAMS; s++) {
		pieces_fini(&k->join[s]);
		k->refused[s] = false;
	}
	k->retry = RETRY_FIRST;
	if (k->ops.down != NULL)
		k->ops.down(k->ops.arg, why);
}

/* The line that counts is gone. */
static void
lose(struct peer_channel *k, const char *why)
{
	char text[200];

	peer_line_drop(&k->now);
	peer_went_down(k, why);
	if (k->freed)
		return;
	(void)snprintf(text, sizeof(text), "channel lost: %s", why);
	peer_set_fault(k, text);
	if (k->out.t == NULL)
		peer_retry_later(k);
}

/* ---- sending ---------------------------------------------------------------------------------------------------- */

/* The smallest room that counts as some. */
static void
tell_room(struct peer_channel *k)
{
	for (unsigned s = 0; s < PEER_STREAMS && !k->freed; s++) {
		if (!k->refused[s] || peer_queue_room(&k->q, s) < BULK_BLOB * 2)
			continue;
		k->refused[s] = false;
		if (k->ops.room != NULL)
			k->ops.room(k->ops.arg, s);
	}
}

static void
pump(struct peer_channel *k)
{
	const uint8_t *p;
	size_t len;

	while (k->now.t != NULL && tls_channel_backlog(k->now.t) < HAND &&
	       peer_queue_next(&k->q, &p, &len))
		tls_channel_put(k->now.t, p, len);
}

static void
put(struct peer_channel *k, unsigned number, const void *payload)
{
	struct buf b = { 0 };

	packet_put(number, payload, &b);
	peer_queue_add(&k->q, peer_stream_of(number), b.p, b.len);
	explicit_bzero(b.p, b.len);
	buf_fini(&b);
}

static int
need_room(struct peer_channel *k, unsigned number, size_t len)
{
	enum peer_stream s = peer_stream_of(number);

	must_obj(k, PEER_MAGIC);
	if (!k->state.up || k->now.t == NULL)
		return ERR_AWAY;
	if (peer_queue_room(&k->q, s) >= len)
		return 0;
	k->refused[s] = true;
	return -ENOBUFS;
}

int
peer_channel_send(struct peer_channel *k, unsigned number, const void *payload)
{
	int code = need_room(k, number, PACKET_MAX + 4);

	if (code != 0)
		return code;
	put(k, number, payload);
	pump(k);
	return 0;
}

int
peer_channel_send_blob(struct peer_channel *k, unsigned number, const void *p, size_t len)
{
	const uint8_t *at = p != NULL ? p : (const uint8_t *)"";
	int code = need_room(k, number, len + (len / PIECE + 1) * 64);

	must(len <= (peer_stream_of(number) == PEER_BULK ? BULK_BLOB : PEER_BLOB_MOST));
	if (code != 0)
		return code;
	for (size_t done = 0, n; done == 0 || done < len; done += n) {
		struct msg_peer_piece m = { .data = { .p = at + done } };

		n = len - done < PIECE ? len - done : PIECE;
		m.data.len = n;
		m.more = done + n < len;
		put(k, number, &m);
		if (n == 0)
			break;
	}
	pump(k);
	return 0;
}

size_t
peer_channel_room(const struct peer_channel *k, enum peer_stream s)
{
	return k->state.up ? peer_queue_room(&k->q, s) : 0;
}

/* ---- receiving --------------------------------------------------------------------------------------------------- */

/* false: pieces that do not fit together. */
static bool
on_piece(struct peer_channel *k, const struct msg_row *row, const struct msg_peer_piece *m)
{
	enum peer_stream s = peer_stream_of(row->number);
	size_t most = s == PEER_BULK ? BULK_BLOB : PEER_BLOB_MOST;
	struct buf whole = { 0 };
	int got =
	    pieces_add(&k->join[s], row->number, m->data.p, m->data.len, m->more, most, &whole);

	if (got == 1) {
		k->ops.blob(k->ops.arg, row->number, whole.p, whole.len);
		if (whole.p != NULL)
			explicit_bzero(whole.p, whole.len);
	}
	buf_fini(&whole);
	return got >= 0;
}

static void
on_ping(struct peer_channel *k, const struct msg_peer_ping *m)
{
	struct msg_peer_ping answer = { .at = m->at, .answer = true };
	dur_t took = mono_now() - (mono_t)m->at;

	if (!m->answer)
		(void)peer_channel_send(k, MSG_PEER_PING, &answer);
	else if (took >= 0 && took < PEER_SILENT)
		k->state.rtt = took > 0 ? took : 1;
}

static bool
is_piece(const struct msg_row *row)
{
	return strcmp(row->payload, "peer_piece") == 0;
}

/* false: the other end does not keep to what was agreed. */
static bool
handle(struct peer_channel *k, const struct msg_row *row, const union msg_any *m)
{
	switch (row->number) {
	case MSG_PEER_PING: on_ping(k, &m->peer_ping); return true;
	case MSG_PEER_CREDIT:
		if (!peer_queue_grant(&k->q, m->peer_credit.stream, m->peer_credit.bytes))
			return false;
		pump(k);
		tell_room(k);
		return true;
	case MSG_PEER_UNPAIR: k->ops.unpair(k->ops.arg, m->peer_unpair.done); return true;
	case MSG_PEER_HELLO: return false;
	default: break;
	}
	if (is_piece(row))
		return on_piece(k, row, &m->peer_piece);
	if (k->ops.row != NULL)
		k->ops.row(k->ops.arg, row, m);
	return true;
}

static void
on_packet(void *arg, const uint8_t *p, size_t len)
{
	struct line *x = arg;
	struct peer_channel *k = x->k;
	const struct msg_row *row;
	struct msg_peer_credit grant;
	union msg_any m;
	struct err err;
	unsigned number;
	uint32_t seq;

	must_obj(k, PEER_MAGIC);
	k->heard = mono_now();
	if (msg_peek(p, len, &number, &seq) && msg_row(number) == NULL)
		return; /* a newer node */
	if (msg_decode(p, len, &row, &seq, &m, &err) != 0) {
		lose(k, err.text);
		return;
	}
	if ((row->from & PROG_HA) == 0 || (row->to & PROG_HA) == 0 ||
	    row->access != ACCESS_INTERNAL || !handle(k, row, &m)) {
		if (!k->freed)
			lose(k, "what the other node sends is not understood");
		return;
	}
	if (k->freed || !k->state.up)
		return;
	grant.stream = (uint8_t)peer_stream_of(row->number);
	grant.bytes = peer_queue_handled(&k->q, grant.stream, len + 4);
	if (grant.bytes > 0)
		(void)peer_channel_send(k, MSG_PEER_CREDIT, &grant);
}

static void
on_drained(void *arg)
{
	struct line *x = arg;

	must_obj(x->k, PEER_MAGIC);
	pump(x->k);
	tell_room(x->k);
}

static void
on_lost(void *arg, enum tls_end end, const char *text)
{
	struct line *x = arg;

	(void)end;
	must_obj(x->k, PEER_MAGIC);
	lose(x->k, text);
}

const struct tls_channel_ops peer_now_ops = {
	.packet = on_packet,
	.drained = on_drained,
	.closed = on_lost,
};

/* ---- each second --------------------------------------------------------------------------------------------------- */

static void
on_tick(void *arg)
{
	struct peer_channel *k = arg;
	mono_t now = mono_now();
	struct msg_peer_ping m = { .at = (uint64_t)now };

	must_obj(k, PEER_MAGIC);
	loop_timer_set(&k->tick, PING);
	if (k->in.t != NULL && now - k->in.opened > HELLO_WAIT)
		peer_line_failed(&k->in, "says nothing");
	if (k->out.t != NULL && now - k->out.opened > TLS_SHAKE + HELLO_WAIT)
		peer_line_failed(&k->out, "says nothing");
	if (k->now.t == NULL)
		return;
	if (now - k->heard > PEER_SILENT)
		lose(k, "nothing was heard for 5 s");
	else
		(void)peer_channel_send(k, MSG_PEER_PING, &m);
}

/* ---- beginning and end ------------------------------------------------------------------------------------------- */

struct peer_channel *
peer_channel_new(struct loop *l, const struct peer_config *c, const struct peer_channel_ops *ops)
{
	struct peer_channel *k = mem_alloc(sizeof(*k));

	*k = (struct peer_channel){ .magic = PEER_MAGIC, .loop = l, .c = *c, .ops = *ops };
	k->cluster = *c->cluster;
	must(k->cluster.addrs_n > 0 && (k->cluster.node == 1 || k->cluster.node == 2));
	buf_put(&k->cert, c->cert, c->cert_len);
	(void)snprintf(k->name, sizeof(k->name), "%s", c->name);
	k->out = (struct line){ .k = k, .by = k->cluster.node };
	k->in = (struct line){ .k = k, .by = 3u - k->cluster.node };
	k->now = (struct line){ .k = k };
	k->retry = RETRY_FIRST;
	k->state.since = mono_wall_ms() / 1000;
	tls_random_bytes(&k->boot, sizeof(k->boot));
	peer_queue_reset(&k->q);
	loop_timer_init(&k->dial, l, peer_on_dial, k);
	loop_timer_init(&k->tick, l, on_tick, k);
	loop_timer_set(&k->dial, k->cluster.node == 1 ? 0 : RELUCTANT);
	loop_timer_set(&k->tick, PING);
	return k;
}

static void
free_later(void *arg)
{
	struct peer_channel *k = arg;

	peer_queue_fini(&k->q);
	for (unsigned s = 0; s < PEER_STREAMS; s++)
		pieces_fini(&k->join[s]);
	buf_fini(&k->cert);
	explicit_bzero(&k->cluster, sizeof(k->cluster));
	k->magic = 0;
	free(k);
}

void
peer_channel_free(struct peer_channel *k)
{
	if (k == NULL || k->freed)
		return;
	must_obj(k, PEER_MAGIC);
	k->freed = true;
	k->state.up = false;
	/* What was sent last (PEER_UNPAIR) still goes out. */
	pump(k);
	tls_channel_finish(k->now.t);
	k->now.t = NULL;
	peer_line_drop(&k->in);
	peer_line_drop(&k->out);
	loop_timer_fini(&k->dial);
	loop_timer_fini(&k->tick);
	loop_defer(k->loop, free_later, k);
}

void
peer_channel_state(const struct peer_channel *k, struct peer_state *out)
{
	*out = k->state;
}
