/* session.c - does what the rows of pair.c say, for one pairing.
 *
 * The connection was opened by the one-time code and by nothing else: whoever is at its other end knows the code. Over
 * it the nodes exchange their certificates, which are what counts afterwards; a person sees both fingerprints on both
 * sides. The secret of the pair and its number are made by the node that asks.
 *
 * What is written is written by cluster_file.c, and each state knows what its end leaves (pair_leaves): a prepared
 * file is dropped at once when it is known to mean nothing, and kept when only the other node knows. The configuration
 * is dumped and replaced by the owner. Does not listen, does not count wrong codes (pairing.c). */
#include "session_priv.h"

#include "base/mem.h"
#include "base/must.h"
#include "sys/sock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
session_step(struct session *s, const char *word, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->ops.step(s->ops.arg, word, text, strcmp(word, PAIR_STEP_CONFIRM) == 0 && !s->yes);
}

/* ---- the end ---------------------------------------------------------------------------------------------------- */

void
session_end(struct session *s, int code, const char *text)
{
	if (s->over || s->freed)
		return;
	s->over = true;
	s->at = PAIR_AT_END;
	loop_timer_cancel(&s->timer);
	tls_channel_finish(s->t);
	s->t = NULL;
	s->ops.ended(s->ops.arg, code, text);
}

/* Ends with the reason and what is left on this node. A pair that counts on both is no failure. */
void
session_end_left(struct session *s, enum pair_left left, int code, const char *why)
{
	char rest[200], text[600];

	if (s->over || s->freed)
		return;
	if (left == PAIR_LEFT_NOTHING)
		cluster_drop_prepared(s->self.dir);
	pair_left_text(left, s->cluster.peer_name, rest, sizeof(rest));
	(void)snprintf(text, sizeof(text), "%s; %s", why, rest);
	session_end(s, left == PAIR_LEFT_PAIR ? 0 : code, text);
}

/* Ends in a state. tell: the other node is there to be told. */
void
session_fail(struct session *s, enum pair_state was, int code, const char *why, bool tell)
{
	struct msg_result m = { .code = code, .text = SPAN(why) };

	if (tell && s->t != NULL && !s->over)
		tls_channel_send(s->t, MSG_PAIR_ABORT, &m);
	session_end_left(s, pair_leaves(s->side, was), code, why);
}

/* The other node says that it does not come about: then it does not, unless it counts on both already. */
static void
stop(struct session *s, const struct msg_result *m)
{
	char why[300];

	span_text(m->text, why, sizeof(why));
	if (s->at == PAIR_AT_REPLACE) {
		session_end_left(s, PAIR_LEFT_PAIR, m->code, why);
		return;
	}
	(void)cluster_forget(s->self.dir, NULL);
	session_end_left(s, PAIR_LEFT_NOTHING, m->code < 0 ? m->code : ERR_PROTO, why);
}

void
session_fail_err(struct session *s, enum pair_state was, const struct err *err)
{
	session_fail(s, was, err->code != 0 ? err->code : ERR_STORE, err->text, true);
}

/* ---- events ------------------------------------------------------------------------------------------------------- */

void
session_event(struct session *s, enum pair_event ev, const union msg_any *m)
{
	enum pair_state was = s->at;
	struct pair_move move;

	if (s->over || s->freed)
		return;
	if (!pair_next(s->side, s->at, ev, &move)) {
		session_fail(s, was, ERR_PROTO,
		    "the other node does not keep to the steps of a pairing", true);
		return;
	}
	if (move.action == PAIR_DO_STOP) {
		must(m != NULL); /* PAIR_ABORT */
		stop(s, &m->result);
		return;
	}
	s->at = move.next;
	if (move.next != PAIR_AT_END)
		loop_timer_set(&s->timer, pair_wait(move.next));
	session_act(s, move.action, was, m);
}

/* A RESULT that is not 0 is an end. */
static void
on_result(struct session *s, enum pair_event ev, const union msg_any *m)
{
	if (m->result.code == 0)
		session_event(s, ev, m);
	else
		stop(s, &m->result);
}

static void
on_dump(struct session *s, const struct msg_peer_piece *m)
{
	struct buf whole = { 0 };
	int got;

	if (s->side != PAIR_SHOWS || s->at != PAIR_AT_REPLACE)
		got = -1;
	else
		got = pieces_add(&s->dump, MSG_PAIR_DUMP, m->data.p, m->data.len, m->more,
		    SESSION_DUMP_MOST, &whole);
	if (got == 0) {
		loop_timer_set(&s->timer, pair_wait(s->at));
		return;
	}
	s->dump.b = whole; /* where do_replace finds it */
	if (got == -1)
		session_fail(
		    s, s->at, ERR_PROTO, "the configuration that was sent is damaged", true);
	else
		session_event(s, PAIR_EV_DUMP, NULL);
}

static void
on_packet(void *arg, const uint8_t *p, size_t len)
{
	struct session *s = arg;
	const struct msg_row *row;
	union msg_any m;
	struct err err;
	uint32_t seq;

	must_obj(s, SESSION_MAGIC);
	if (msg_decode(p, len, &row, &seq, &m, &err) != 0) {
		session_fail(s, s->at, ERR_PROTO, err.text, true);
		return;
	}
	switch (row->number) {
	case MSG_PAIR_OFFER: session_event(s, PAIR_EV_OFFERED, &m); break;
	case MSG_PAIR_ANSWER: session_event(s, PAIR_EV_ANSWERED, &m); break;
	case MSG_PAIR_PREPARE: session_event(s, PAIR_EV_PREPARE, &m); break;
	case MSG_PAIR_PREPARED: on_result(s, PAIR_EV_PREPARED, &m); break;
	case MSG_PAIR_COMMIT: session_event(s, PAIR_EV_COMMIT, &m); break;
	case MSG_PAIR_COMMITTED: on_result(s, PAIR_EV_COMMITTED, &m); break;
	case MSG_PAIR_DUMP: on_dump(s, &m.peer_piece); break;
	case MSG_PAIR_REPLACED: on_result(s, PAIR_EV_REPLACED, &m); break;
	case MSG_PAIR_ABORT: session_event(s, PAIR_EV_ABORT, &m); break;
	default:
		session_fail(
		    s, s->at, ERR_PROTO, "the other node sends what is no step of a pairing", true);
	}
}

static void
on_reached(void *arg)
{
	struct session *s = arg;
	char text[ADDR_TEXT];

	must_obj(s, SESSION_MAGIC);
	addr_format(&s->where, ADDR_HOST, text);
	session_step(s, PAIR_STEP_CONNECT, "connected to %s port %u", text, s->port);
}

static void
on_up(void *arg, bool by_code)
{
	struct session *s = arg;

	must_obj(s, SESSION_MAGIC);
	must(by_code); /* there is no pin */
	session_event(s, PAIR_EV_UP, NULL);
}

/* Before the code was proved: why the other node is not there, or does not take it. */
static void
not_reached(struct session *s, enum tls_end why, const char *text)
{
	char where[ADDR_TEXT], line[400];

	addr_format(&s->where, ADDR_HOST, where);
	if (why == TLS_END_LOST) {
		(void)snprintf(line, sizeof(line),
		    "%s port %u: %s; \"lbctl ha code\" on the other node makes it wait there",
		    where, s->port, text);
		session_fail(s, s->at, ERR_AWAY, line, false);
	} else {
		session_fail(s, s->at, ERR_DENIED,
		    "the code is wrong or no longer valid; \"lbctl ha code\" on the other node shows a new one",
		    false);
	}
}

static void
on_closed(void *arg, enum tls_end why, const char *text)
{
	struct session *s = arg;
	struct pair_move move;
	char line[300];

	must_obj(s, SESSION_MAGIC);
	if (s->side == PAIR_ASKS && s->at == PAIR_AT_SHAKE) {
		not_reached(s, why, text);
		return;
	}
	if (pair_next(s->side, s->at, PAIR_EV_LOST, &move) && move.action == PAIR_DO_FINISH) {
		session_event(s, PAIR_EV_LOST, NULL);
		return;
	}
	(void)snprintf(line, sizeof(line), "the connection to the other node was lost (%s)", text);
	session_fail(s, s->at, ERR_AWAY, line, false);
}

static const struct tls_channel_ops channel_ops = {
	.reached = on_reached,
	.up = on_up,
	.packet = on_packet,
	.closed = on_closed,
};

static void
on_late(void *arg)
{
	struct session *s = arg;

	must_obj(s, SESSION_MAGIC);
	if (s->no_socket != 0) {
		not_reached(s, TLS_END_LOST, strerror(-s->no_socket));
		return;
	}
	session_fail(s, s->at, -ETIMEDOUT,
	    s->at == PAIR_AT_CONFIRM ? "nobody confirmed in time"
				     : "the other node does not answer",
	    true);
}

/* ---- beginning and end ---------------------------------------------------------------------------------------------- */

static struct session *
make(struct loop *l, enum pair_side side, const struct session_self *self,
    const struct session_ops *ops)
{
	struct session *s = mem_alloc(sizeof(*s));

	*s = (struct session){ .magic = SESSION_MAGIC, .loop = l, .side = side, .self = *self };
	s->ops = *ops;
	(void)snprintf(s->cluster.peer_name, sizeof(s->cluster.peer_name), "the other node");
	loop_timer_init(&s->timer, l, on_late, s);
	loop_timer_set(&s->timer, pair_wait(PAIR_AT_SHAKE));
	return s;
}

struct session *
session_ask(struct loop *l, const struct session_self *self, const struct addr *a, uint16_t port,
    const uint8_t code[PAIR_CODE_BYTES], bool yes, const struct session_ops *ops)
{
	struct session *s = make(l, PAIR_ASKS, self, ops);
	struct tls_proof proof = { .me = self->me, .code_key = s->key };
	int fd = sock_connect_tcp(a, port);

	s->where = *a;
	s->port = port;
	s->yes = yes;
	tls_code_key(code, s->key);
	if (fd >= 0) {
		s->t = tls_channel_start(l, fd, false, &proof, &channel_ops, s);
		return s;
	}
	s->no_socket = fd;
	loop_timer_set(&s->timer, 0);
	return s;
}

struct session *
session_show(struct loop *l, const struct session_self *self, struct tls_channel *t,
    const struct session_ops *ops)
{
	struct session *s = make(l, PAIR_SHOWS, self, ops);

	s->t = t;
	tls_channel_own(t, &channel_ops, s);
	session_event(s, PAIR_EV_UP, NULL);
	return s;
}

bool
session_confirm(struct session *s, bool yes)
{
	must_obj(s, SESSION_MAGIC);
	if (s->over || s->side != PAIR_ASKS || s->at != PAIR_AT_CONFIRM)
		return false;
	session_event(s, yes ? PAIR_EV_YES : PAIR_EV_NO, NULL);
	return true;
}

void
session_stop(struct session *s, const char *why)
{
	must_obj(s, SESSION_MAGIC);
	session_fail(s, s->at, ERR_CONFLICT, why, true);
}

static void
free_later(void *arg)
{
	struct session *s = arg;

	buf_fini(&s->cert);
	pieces_fini(&s->dump);
	explicit_bzero(s->key, sizeof(s->key));
	explicit_bzero(&s->cluster, sizeof(s->cluster));
	s->magic = 0;
	free(s);
}

void
session_free(struct session *s)
{
	if (s == NULL || s->freed)
		return;
	must_obj(s, SESSION_MAGIC);
	s->freed = true;
	tls_channel_finish(s->t);
	s->t = NULL;
	loop_timer_fini(&s->timer);
	loop_defer(s->loop, free_later, s);
}
