/* session.c - does what the rows of pair.c say, for one pairing.
 *
 * The connection was opened by the one-time code and by nothing else: whoever is at its other end knows the code. Over
 * it the nodes exchange their certificates, which are what counts afterwards; a person sees both fingerprints on both
 * sides. The secret of the pair and its number are made by the node that asks.
 *
 * What is written is written by cluster_file.c, and each state knows what its end leaves (pair_leaves): a prepared
 * file is dropped at once when it is known to mean nothing, and kept when only the other node knows. The configuration
 * is dumped and replaced by the owner. Does not listen, does not count wrong codes (pairing.c). */
#include "session.h"

#include "pieces.h"

#include "base/mem.h"
#include "base/must.h"
#include "sys/sock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SESSION_MAGIC 0x5e5510a1
#define PAIR_VERSION 1
#define PIECE (32u << 10)

struct session {
	uint32_t magic;
	struct loop *loop;
	struct session_self self;
	struct session_ops ops;
	enum pair_side side;
	enum pair_state at;
	struct tls_channel *t;
	struct loop_timer timer;
	struct addr where; /* of the other node, and of who asks the port it was told */
	uint16_t port;
	bool yes, freed, over;
	int no_socket; /* why there is no connection at all; 0 */
	uint8_t key[TLS_CODE_KEY];
	struct cluster cluster;
	struct buf cert;
	struct pieces dump;
	struct msg_pair_offer peer; /* numbers only */
};

static void event(struct session *s, enum pair_event ev, const union msg_any *m);

static void __attribute__((format(printf, 3, 4)))
step(struct session *s, const char *word, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->ops.step(s->ops.arg, word, text, strcmp(word, PAIR_STEP_CONFIRM) == 0 && !s->yes);
}

/* ---- the end ---------------------------------------------------------------------------------------------------- */

static void
end(struct session *s, int code, const char *text)
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
static void
end_left(struct session *s, enum pair_left left, int code, const char *why)
{
	char rest[200], text[600];

	if (left == PAIR_LEFT_NOTHING)
		cluster_drop_prepared(s->self.dir);
	pair_left_text(left, s->cluster.peer_name, rest, sizeof(rest));
	(void)snprintf(text, sizeof(text), "%s; %s", why, rest);
	end(s, left == PAIR_LEFT_PAIR ? 0 : code, text);
}

/* Ends in a state. tell: the other node is there to be told. */
static void
fail(struct session *s, enum pair_state was, int code, const char *why, bool tell)
{
	struct msg_result m = { .code = code, .text = SPAN(why) };

	if (tell && s->t != NULL && !s->over)
		tls_channel_send(s->t, MSG_PAIR_ABORT, &m);
	end_left(s, pair_leaves(s->side, was), code, why);
}

/* The other node says that it does not come about: then it does not, unless it counts on both already. */
static void
stop(struct session *s, const struct msg_result *m)
{
	char why[300];

	span_text(m->text, why, sizeof(why));
	if (s->at == PAIR_AT_REPLACE) {
		end_left(s, PAIR_LEFT_PAIR, m->code, why);
		return;
	}
	(void)cluster_forget(s->self.dir, NULL);
	end_left(s, PAIR_LEFT_NOTHING, m->code < 0 ? m->code : ERR_PROTO, why);
}

static void
fail_err(struct session *s, enum pair_state was, const struct err *err)
{
	fail(s, was, err->code != 0 ? err->code : ERR_STORE, err->text, true);
}

/* ---- what is done ------------------------------------------------------------------------------------------------ */

static void
send_offer(struct session *s, unsigned number)
{
	struct msg_pair_offer m = {
		.version = PAIR_VERSION,
		.name = SPAN(s->self.name),
		.port = s->self.port,
		.schema = s->self.schema,
		.release = SPAN(LBD_VERSION),
		.services = s->self.services,
		.servers = s->self.servers,
		.revision = s->self.revision,
	};

	m.certificate.p = tls_identity_cert(s->self.me, &m.certificate.len);
	tls_channel_send(s->t, number, &m);
}

static void
take_name(struct session *s, struct span name)
{
	char *p = s->cluster.peer_name;

	span_text(name, p, sizeof(s->cluster.peer_name));
	if (*p == '\0')
		(void)snprintf(p, sizeof(s->cluster.peer_name), "peer");
	for (; *p != '\0'; p++)
		if (*p < '!' || *p > '~')
			*p = '?';
}

/* Who is there: name, certificate, where it listens. false: it ended here. */
static bool
take_offer(struct session *s, enum pair_state was, const struct msg_pair_offer *m)
{
	const uint8_t *mine = tls_identity_print(s->self.me);
	struct err err = { 0 };

	take_name(s, m->name);
	if (m->version != PAIR_VERSION)
		(void)err_set(&err, ERR_PROTO,
		    "the other node pairs by version %u, this one by version %u: bring both to the same release",
		    m->version, PAIR_VERSION);
	else if (!tls_cert_print(m->certificate.p, m->certificate.len, s->cluster.peer_key))
		(void)err_set(&err, ERR_PROTO, "the other node's certificate cannot be read");
	else if (tls_equal(mine, s->cluster.peer_key, FINGERPRINT_BYTES))
		(void)err_set(&err, ERR_INVALID, "that is this node itself");
	else if (m->port == 0 || (s->where.family == 0 && !tls_channel_peer(s->t, &s->where)))
		(void)err_set(&err, ERR_PROTO, "it is not known where the other node listens");
	if (err.code != 0) {
		fail_err(s, was, &err);
		return false;
	}
	s->cert.len = 0;
	buf_put(&s->cert, m->certificate.p, m->certificate.len);
	s->cluster.addrs[0] = s->where;
	s->cluster.addrs_n = 1;
	/* Who asks has reached it at this port; that may be another one than it listens on. */
	s->cluster.peer_port = s->side == PAIR_ASKS ? s->port : m->port;
	s->peer = *m;
	return true;
}

static void
show_prints(struct session *s)
{
	char mine[FINGERPRINT_TEXT], theirs[FINGERPRINT_TEXT];

	fingerprint_format(tls_identity_print(s->self.me), mine);
	fingerprint_format(s->cluster.peer_key, theirs);
	step(s, PAIR_STEP_EXCHANGE, "certificates exchanged with %s", s->cluster.peer_name);
	step(s, PAIR_STEP_FINGERPRINT, "this node: %s", mine);
	step(s, PAIR_STEP_FINGERPRINT, "%s: %s", s->cluster.peer_name, theirs);
}

static void
do_ask(struct session *s, enum pair_state was, const union msg_any *m)
{
	if (!take_offer(s, was, &m->pair_offer))
		return;
	show_prints(s);
	if (s->freed || s->over)
		return;
	step(s, PAIR_STEP_CONFIRM,
	    "%s's cluster configuration (services %u, servers %u, revision %u) will be replaced by this node's (services "
	    "%u, servers %u, revision %u)",
	    s->cluster.peer_name, s->peer.services, s->peer.servers, s->peer.revision,
	    s->self.services, s->self.servers, s->self.revision);
	if (s->yes && !s->freed && !s->over)
		event(s, PAIR_EV_YES, NULL);
}

static void
do_answer(struct session *s, enum pair_state was, const union msg_any *m)
{
	if (!take_offer(s, was, &m->pair_offer))
		return;
	show_prints(s);
	if (!s->freed && !s->over)
		send_offer(s, MSG_PAIR_ANSWER);
}

static void
say_cluster(struct session *s)
{
	bool master = s->cluster.node == 1;

	step(s, PAIR_STEP_CLUSTER, "cluster %016llx: this node is node %u (%s), %s is node %u (%s)",
	    (unsigned long long)s->cluster.id, s->cluster.node, master ? "master" : "slave",
	    s->cluster.peer_name, 3u - s->cluster.node, master ? "slave" : "master");
}

static int
write_down(struct session *s, struct err *err)
{
	return cluster_prepare(s->self.dir, &s->cluster, s->cert.p, s->cert.len, err);
}

static void
do_prepare(struct session *s, enum pair_state was)
{
	struct msg_pair_prepare m = { .node = 2 };
	struct err err = { 0 };

	do
		tls_random_bytes(&s->cluster.id, sizeof(s->cluster.id));
	while (s->cluster.id == 0);
	tls_random_bytes(s->cluster.secret, sizeof(s->cluster.secret));
	s->cluster.node = 1;
	if (write_down(s, &err) != 0) {
		fail_err(s, was, &err);
		return;
	}
	say_cluster(s);
	m.cluster = s->cluster.id;
	m.secret = (struct span){ s->cluster.secret, sizeof(s->cluster.secret) };
	if (!s->freed && !s->over)
		tls_channel_send(s->t, MSG_PAIR_PREPARE, &m);
}

static void
do_write(struct session *s, enum pair_state was, const struct msg_pair_prepare *m)
{
	struct msg_result done = { 0 };
	struct err err = { 0 };

	if (m->node != 2 || m->cluster == 0 || m->secret.len != sizeof(s->cluster.secret)) {
		fail(s, was, ERR_PROTO, "what the other node wants written down is not understood",
		    true);
		return;
	}
	s->cluster.id = m->cluster;
	s->cluster.node = m->node;
	memcpy(s->cluster.secret, m->secret.p, sizeof(s->cluster.secret));
	if (write_down(s, &err) != 0) {
		fail_err(s, was, &err);
		return;
	}
	say_cluster(s);
	if (s->freed || s->over)
		return;
	tls_channel_send(s->t, MSG_PAIR_PREPARED, &done);
	step(s, PAIR_STEP_PREPARE, "written down here; %s decides", s->cluster.peer_name);
}

/* The moment from which on it counts here. false: it ended here. */
static bool
commit_here(struct session *s, enum pair_state was)
{
	struct err err = { 0 };

	if (cluster_commit(s->self.dir, &err) != 0) {
		(void)cluster_forget(s->self.dir, NULL);
		fail_err(s, was, &err);
		return false;
	}
	s->ops.committed(s->ops.arg);
	return !s->freed && !s->over;
}

static void
do_commit(struct session *s, enum pair_state was)
{
	struct msg_empty none = { 0 };

	step(s, PAIR_STEP_PREPARE, "written down on both nodes");
	if (s->freed || s->over || !commit_here(s, was))
		return;
	tls_channel_send(s->t, MSG_PAIR_COMMIT, &none);
}

static void
do_count(struct session *s, enum pair_state was)
{
	struct msg_result done = { 0 };

	if (!commit_here(s, was))
		return;
	tls_channel_send(s->t, MSG_PAIR_COMMITTED, &done);
	step(s, PAIR_STEP_COMMIT, "the pair counts on both nodes");
}

static void
do_dump(struct session *s)
{
	struct buf all = { 0 };
	struct err err = { 0 };
	size_t n;

	step(s, PAIR_STEP_COMMIT, "the pair counts on both nodes");
	if (s->freed || s->over)
		return;
	if (s->ops.dump == NULL) {
		step(s, PAIR_STEP_REPLACE,
		    "the configuration follows over the channel once it is up");
		event(s, PAIR_EV_REPLACED, NULL);
		return;
	}
	if (s->ops.dump(s->ops.arg, &all, &err) != 0 || all.len > SESSION_DUMP_MOST) {
		fail(s, PAIR_AT_REPLACE, ERR_AWAY,
		    err.text[0] != '\0' ? err.text : "the configuration is too large for one piece",
		    false);
		buf_fini(&all);
		return;
	}
	for (size_t at = 0; at == 0 || at < all.len; at += n) {
		struct msg_peer_piece m = { .data = { .p = all.p + at } };

		n = all.len - at < PIECE ? all.len - at : PIECE;
		m.data.len = n;
		m.more = at + n < all.len;
		tls_channel_send(s->t, MSG_PAIR_DUMP, &m);
		if (n == 0)
			break;
	}
	step(s, PAIR_STEP_REPLACE, "configuration sent, %zu bytes", all.len);
	buf_fini(&all);
}

static void
do_replace(struct session *s)
{
	struct msg_result done = { 0 };
	struct err err = { 0 };
	int code = 0;

	if (s->ops.replace != NULL)
		code = s->ops.replace(s->ops.arg, s->dump.b.p, s->dump.b.len, &err);
	done.code = code;
	done.text = SPAN(err.text);
	tls_channel_send(s->t, MSG_PAIR_REPLACED, &done);
	if (code != 0) {
		fail(s, PAIR_AT_REPLACE, code, err.text, false);
		return;
	}
	step(s, PAIR_STEP_REPLACE, "the configuration was replaced by %s's", s->cluster.peer_name);
	end(s, 0, "paired");
}

static void
do_finish(struct session *s)
{
	char text[120];

	(void)snprintf(text, sizeof(text), "paired with %s", s->cluster.peer_name);
	step(s, PAIR_STEP_DONE, "%s", text);
	end(s, 0, text);
}

/* ---- events ------------------------------------------------------------------------------------------------------- */

static void
act(struct session *s, enum pair_action action, enum pair_state was, const union msg_any *m)
{
	switch (action) {
	case PAIR_DO_NOTHING: break;
	case PAIR_DO_OFFER:
		step(s, PAIR_STEP_CODE, "the code was accepted; the connection is encrypted");
		if (!s->freed && !s->over)
			send_offer(s, MSG_PAIR_OFFER);
		break;
	case PAIR_DO_ANSWER: do_answer(s, was, m); break;
	case PAIR_DO_ASK: do_ask(s, was, m); break;
	case PAIR_DO_PREPARE: do_prepare(s, was); break;
	case PAIR_DO_WRITE: do_write(s, was, &m->pair_prepare); break;
	case PAIR_DO_COMMIT: do_commit(s, was); break;
	case PAIR_DO_COUNT: do_count(s, was); break;
	case PAIR_DO_DUMP: do_dump(s); break;
	case PAIR_DO_REPLACE: do_replace(s); break;
	case PAIR_DO_FINISH: do_finish(s); break;
	case PAIR_DO_REFUSE: fail(s, was, ERR_USAGE, "not confirmed", true); break;
	case PAIR_DO_STOP:
	case PAIR_DO_FAIL: break; /* by the caller, who knows why */
	}
}

static void
event(struct session *s, enum pair_event ev, const union msg_any *m)
{
	enum pair_state was = s->at;
	struct pair_move move;

	if (s->over || s->freed)
		return;
	if (!pair_next(s->side, s->at, ev, &move)) {
		fail(s, was, ERR_PROTO, "the other node does not keep to the steps of a pairing",
		    true);
		return;
	}
	if (move.action == PAIR_DO_STOP) {
		stop(s, &m->result);
		return;
	}
	s->at = move.next;
	if (move.next != PAIR_AT_END)
		loop_timer_set(&s->timer, pair_wait(move.next));
	act(s, move.action, was, m);
}

/* A RESULT that is not 0 is an end. */
static void
on_result(struct session *s, enum pair_event ev, const union msg_any *m)
{
	if (m->result.code == 0)
		event(s, ev, m);
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
		fail(s, s->at, ERR_PROTO, "the configuration that was sent is damaged", true);
	else
		event(s, PAIR_EV_DUMP, NULL);
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
		fail(s, s->at, ERR_PROTO, err.text, true);
		return;
	}
	switch (row->number) {
	case MSG_PAIR_OFFER: event(s, PAIR_EV_OFFERED, &m); break;
	case MSG_PAIR_ANSWER: event(s, PAIR_EV_ANSWERED, &m); break;
	case MSG_PAIR_PREPARE: event(s, PAIR_EV_PREPARE, &m); break;
	case MSG_PAIR_PREPARED: on_result(s, PAIR_EV_PREPARED, &m); break;
	case MSG_PAIR_COMMIT: event(s, PAIR_EV_COMMIT, &m); break;
	case MSG_PAIR_COMMITTED: on_result(s, PAIR_EV_COMMITTED, &m); break;
	case MSG_PAIR_DUMP: on_dump(s, &m.peer_piece); break;
	case MSG_PAIR_REPLACED: on_result(s, PAIR_EV_REPLACED, &m); break;
	case MSG_PAIR_ABORT: event(s, PAIR_EV_ABORT, &m); break;
	default:
		fail(
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
	step(s, PAIR_STEP_CONNECT, "connected to %s port %u", text, s->port);
}

static void
on_up(void *arg, bool by_code)
{
	struct session *s = arg;

	must_obj(s, SESSION_MAGIC);
	must(by_code); /* there is no pin */
	event(s, PAIR_EV_UP, NULL);
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
		fail(s, s->at, ERR_AWAY, line, false);
	} else {
		fail(s, s->at, ERR_DENIED,
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
		event(s, PAIR_EV_LOST, NULL);
		return;
	}
	(void)snprintf(line, sizeof(line), "the connection to the other node was lost (%s)", text);
	fail(s, s->at, ERR_AWAY, line, false);
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
	fail(s, s->at, -ETIMEDOUT,
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
	event(s, PAIR_EV_UP, NULL);
	return s;
}

bool
session_confirm(struct session *s, bool yes)
{
	must_obj(s, SESSION_MAGIC);
	if (s->over || s->side != PAIR_ASKS || s->at != PAIR_AT_CONFIRM)
		return false;
	event(s, yes ? PAIR_EV_YES : PAIR_EV_NO, NULL);
	return true;
}

void
session_stop(struct session *s, const char *why)
{
	must_obj(s, SESSION_MAGIC);
	fail(s, s->at, ERR_CONFLICT, why, true);
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
