/* peer_line.c - a connection to the other node until it counts: opened by us or taken from the listener, proved by TLS,
 * greeted by PEER_HELLO of both, and then put in the place of the one that counted before, or dropped, by the rule of
 * peer_channel_wins. Also why a line did not come to count, in words that say what a person can do. */
#include "peer_priv.h"

#include "base/must.h"
#include "sys/log.h"
#include "sys/sock.h"

#include <stdio.h>
#include <string.h>

bool
peer_channel_wins(unsigned old_by, unsigned new_by)
{
	return new_by <= old_by;
}

static void
come_up(struct peer_channel *k, const struct msg_peer_hello *m)
{
	loop_timer_cancel(&k->dial);
	k->retry = RETRY_FIRST;
	k->heard = mono_now();
	peer_queue_reset(&k->q);
	k->state.up = true;
	k->state.since = mono_wall_ms() / 1000;
	k->state.fault[0] = '\0';
	span_text(m->release, k->state.release, sizeof(k->state.release));
	loop_timer_set(&k->tick, PING);
	log_info("peer %s: channel up, opened by node %u", k->cluster.peer_name, k->now.by);
	k->ops.up(k->ops.arg, m);
	if (!k->freed)
		peer_tell_changed(k);
}

/* Where the other node is and how it calls itself now. */
static void
learn(struct line *x, const struct msg_peer_hello *m)
{
	struct peer_channel *k = x->k;
	struct addr from = { 0 };
	char name[CLUSTER_NAME];

	span_text(m->name, name, sizeof(name));
	if (x == &k->in && !tls_channel_peer(x->t, &from))
		return;
	if (cluster_learn(&k->cluster, &from, m->port, name) && k->ops.moved != NULL)
		k->ops.moved(k->ops.arg, &k->cluster);
}

/* The line is proved and greeted: does it replace the one that counts? */
static void
settle(struct line *x, const struct msg_peer_hello *m)
{
	struct peer_channel *k = x->k;

	if (k->now.t != NULL && !peer_channel_wins(k->now.by, x->by)) {
		peer_line_drop(x);
		return;
	}
	if (k->now.t != NULL) {
		peer_line_drop(&k->now);
		peer_went_down(k, "another connection takes its place");
		if (k->freed)
			return;
	}
	learn(x, m);
	k->now.t = x->t;
	k->now.by = x->by;
	x->t = NULL;
	tls_channel_own(k->now.t, &peer_now_ops, &k->now);
	/* Node 2 need not go on trying; an attempt of node 1 takes the place, by the rule. */
	if (k->out.t != NULL && k->out.by > k->now.by)
		peer_line_drop(&k->out);
	come_up(k, m);
}

void
peer_line_failed(struct line *x, const char *why)
{
	struct peer_channel *k = x->k;
	bool own = x == &k->out;

	peer_line_drop(x);
	if (k->now.t == NULL)
		peer_set_fault(k, why);
	if (own && k->now.t == NULL && !k->freed)
		peer_retry_later(k);
}

static void
first_packet(void *arg, const uint8_t *p, size_t len)
{
	struct line *x = arg;
	struct peer_channel *k = x->k;
	const struct msg_row *row;
	union msg_any m;
	struct err err;
	uint32_t seq;

	must_obj(k, PEER_MAGIC);
	if (msg_decode(p, len, &row, &seq, &m, &err) != 0 || row->number != MSG_PEER_HELLO)
		peer_line_failed(x, "what the other node says first is not understood");
	else if (m.peer_hello.cluster != k->cluster.id || m.peer_hello.node != 3 - k->cluster.node)
		peer_line_failed(x,
		    "the other node belongs to another pair; \"lbctl ha unpair --local\" ends this one here");
	else if (m.peer_hello.version != MSG_VERSION)
		peer_line_failed(x, "the other node speaks another version of the protocol");
	else
		settle(x, &m.peer_hello);
}

static void
first_up(void *arg, bool by_code)
{
	struct line *x = arg;
	struct peer_channel *k = x->k;
	struct msg_peer_hello m = {
		.cluster = k->cluster.id,
		.node = k->cluster.node,
		.version = MSG_VERSION,
		.schema = k->c.schema,
		.boot = k->boot,
		.name = SPAN(k->name),
		.release = SPAN(LBD_VERSION),
		.port = k->c.port,
	};

	must_obj(k, PEER_MAGIC);
	must(!by_code);
	if (k->ops.hello != NULL)
		k->ops.hello(k->ops.arg, &m);
	tls_channel_send(x->t, MSG_PEER_HELLO, &m);
}

static void
first_closed(void *arg, enum tls_end end, const char *text)
{
	struct line *x = arg;
	struct peer_channel *k = x->k;
	char why[200];

	must_obj(k, PEER_MAGIC);
	if (end == TLS_END_REFUSED)
		(void)snprintf(why, sizeof(why),
		    "the other node does not accept this one: it was unpaired or paired with another (\"lbctl ha "
		    "unpair --local\" ends the pair here too)");
	else if (end == TLS_END_STRANGER)
		(void)snprintf(why, sizeof(why),
		    "the node that answers has another certificate than the one that was paired");
	else
		(void)snprintf(why, sizeof(why), "cannot be reached: %s", text);
	peer_line_failed(x, why);
}

static const struct tls_channel_ops first_ops = {
	.up = first_up,
	.packet = first_packet,
	.closed = first_closed,
};

void
peer_on_dial(void *arg)
{
	struct peer_channel *k = arg;
	struct tls_proof proof = { .me = k->c.me, .pin = k->cert.p, .pin_len = k->cert.len };
	const struct addr *a = &k->cluster.addrs[k->turn++ % k->cluster.addrs_n];
	char why[200];
	int fd;

	must_obj(k, PEER_MAGIC);
	if (k->now.t != NULL || k->out.t != NULL)
		return;
	fd = sock_connect_tcp(a, k->cluster.peer_port);
	if (fd < 0) {
		(void)snprintf(why, sizeof(why), "cannot be reached: %s", strerror(-fd));
		peer_set_fault(k, why);
		peer_retry_later(k);
		return;
	}
	k->out.opened = mono_now();
	k->out.t = tls_channel_start(k->loop, fd, false, &proof, &first_ops, &k->out);
}

void
peer_channel_take(struct peer_channel *k, struct tls_channel *t)
{
	must_obj(k, PEER_MAGIC);
	peer_line_drop(&k->in); /* an older one that never said hello */
	k->in.t = t;
	k->in.opened = mono_now();
	tls_channel_own(t, &first_ops, &k->in);
	first_up(&k->in, false);
}
