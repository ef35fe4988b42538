/* session_do.c - the actions of a pairing, one function for each action of pair.c: say who this node is, look at who the
 * other one is, write down, commit, dump, replace. Each ends in a message, in an event or in a failure; none waits. An
 * owner that is told of a step may end the session, so nothing is touched afterwards without asking (gone). */
#include "session_priv.h"

#include <stdio.h>
#include <string.h>

#define PIECE (32u << 10)

/* It ended while somebody was told of it. */
static bool
gone(const struct session *s)
{
	return s->freed || s->over;
}

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

/* Who is there: name, certificate, where it listens. false: it ended here. */
static bool
take_offer(struct session *s, enum pair_state was, const struct msg_pair_offer *m)
{
	const uint8_t *mine = tls_identity_print(s->self.me);
	struct err err = { 0 };
	char name[CLUSTER_NAME];

	span_text(m->name, name, sizeof(name));
	cluster_name(name, s->cluster.peer_name);
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
		session_fail_err(s, was, &err);
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
	session_step(s, PAIR_STEP_EXCHANGE, "certificates exchanged with %s", s->cluster.peer_name);
	session_step(s, PAIR_STEP_FINGERPRINT, "this node: %s", mine);
	session_step(s, PAIR_STEP_FINGERPRINT, "%s: %s", s->cluster.peer_name, theirs);
}

static void
do_ask(struct session *s, enum pair_state was, const union msg_any *m)
{
	if (!take_offer(s, was, &m->pair_offer))
		return;
	show_prints(s);
	if (gone(s))
		return;
	session_step(s, PAIR_STEP_CONFIRM,
	    "%s's cluster configuration (services %u, servers %u, revision %u) will be replaced by this node's (services "
	    "%u, servers %u, revision %u)",
	    s->cluster.peer_name, s->peer.services, s->peer.servers, s->peer.revision,
	    s->self.services, s->self.servers, s->self.revision);
	if (s->yes && !gone(s))
		session_event(s, PAIR_EV_YES, NULL);
}

static void
do_answer(struct session *s, enum pair_state was, const union msg_any *m)
{
	if (!take_offer(s, was, &m->pair_offer))
		return;
	show_prints(s);
	if (!gone(s))
		send_offer(s, MSG_PAIR_ANSWER);
}

static void
say_cluster(struct session *s)
{
	bool master = s->cluster.node == 1;

	session_step(s, PAIR_STEP_CLUSTER,
	    "cluster %016llx: this node is node %u (%s), %s is node %u (%s)",
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
		session_fail_err(s, was, &err);
		return;
	}
	say_cluster(s);
	m.cluster = s->cluster.id;
	m.secret = (struct span){ s->cluster.secret, sizeof(s->cluster.secret) };
	if (!gone(s))
		tls_channel_send(s->t, MSG_PAIR_PREPARE, &m);
}

static void
do_write(struct session *s, enum pair_state was, const struct msg_pair_prepare *m)
{
	struct msg_result done = { 0 };
	struct err err = { 0 };

	if (m->node != 2 || m->cluster == 0 || m->secret.len != sizeof(s->cluster.secret)) {
		session_fail(s, was, ERR_PROTO,
		    "what the other node wants written down is not understood", true);
		return;
	}
	s->cluster.id = m->cluster;
	s->cluster.node = m->node;
	memcpy(s->cluster.secret, m->secret.p, sizeof(s->cluster.secret));
	if (write_down(s, &err) != 0) {
		session_fail_err(s, was, &err);
		return;
	}
	tls_channel_send(s->t, MSG_PAIR_PREPARED, &done);
	say_cluster(s);
	if (!gone(s))
		session_step(
		    s, PAIR_STEP_PREPARE, "written down here; %s decides", s->cluster.peer_name);
}

/* The moment from which on it counts here. false: it ended here. */
static bool
commit_here(struct session *s, enum pair_state was)
{
	struct err err = { 0 };

	if (cluster_commit(s->self.dir, &err) != 0) {
		(void)cluster_forget(s->self.dir, NULL);
		session_fail_err(s, was, &err);
		return false;
	}
	s->ops.committed(s->ops.arg);
	return !gone(s);
}

/* Told before anybody is: what is said after it, even that this node gives up, finds the other one paired. */
static void
do_commit(struct session *s, enum pair_state was)
{
	struct msg_empty none = { 0 };

	if (!commit_here(s, was))
		return;
	tls_channel_send(s->t, MSG_PAIR_COMMIT, &none);
	session_step(s, PAIR_STEP_PREPARE, "written down on both nodes");
}

static void
do_count(struct session *s, enum pair_state was)
{
	struct msg_result done = { 0 };

	if (!commit_here(s, was))
		return;
	tls_channel_send(s->t, MSG_PAIR_COMMITTED, &done);
	session_step(s, PAIR_STEP_COMMIT, "the pair counts on both nodes");
}

static void
do_dump(struct session *s)
{
	struct buf all = { 0 };
	struct err err = { 0 };
	size_t n;

	session_step(s, PAIR_STEP_COMMIT, "the pair counts on both nodes");
	if (gone(s))
		return;
	if (s->ops.dump == NULL) {
		session_step(s, PAIR_STEP_REPLACE,
		    "the configuration follows over the channel once it is up");
		session_event(s, PAIR_EV_REPLACED, NULL);
		return;
	}
	if (s->ops.dump(s->ops.arg, &all, &err) != 0 || all.len > SESSION_DUMP_MOST) {
		session_fail(s, PAIR_AT_REPLACE, ERR_AWAY,
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
	session_step(s, PAIR_STEP_REPLACE, "configuration sent, %zu bytes", all.len);
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
		session_fail(s, PAIR_AT_REPLACE, code, err.text, false);
		return;
	}
	session_step(
	    s, PAIR_STEP_REPLACE, "the configuration was replaced by %s's", s->cluster.peer_name);
	session_end(s, 0, "paired");
}

static void
do_finish(struct session *s)
{
	char text[120];

	(void)snprintf(text, sizeof(text), "paired with %s", s->cluster.peer_name);
	session_step(s, PAIR_STEP_DONE, "%s", text);
	session_end(s, 0, text);
}

void
session_act(struct session *s, enum pair_action action, enum pair_state was, const union msg_any *m)
{
	switch (action) {
	case PAIR_DO_NOTHING: break;
	case PAIR_DO_OFFER:
		session_step(
		    s, PAIR_STEP_CODE, "the code was accepted; the connection is encrypted");
		if (!gone(s))
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
	case PAIR_DO_REFUSE: session_fail(s, was, ERR_USAGE, "not confirmed", true); break;
	case PAIR_DO_STOP:
	case PAIR_DO_FAIL: break; /* by the caller, who knows why */
	}
}
