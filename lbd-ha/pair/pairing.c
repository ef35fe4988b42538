/* pairing.c - what this node is: single, in doubt, or one of a pair; and the port on which the other one comes.
 *
 * The files decide (cluster_file.c); this file follows them. With a pair there is a channel (peer_channel.c). In doubt
 * (a pairing was written down and the node that decides is out of reach) there is one too: when the other node comes
 * with its pinned certificate and the number of the pair, it has decided, and what was written down counts. In neither
 * state and without a code nothing listens.
 *
 * Who comes is a guest until he proves something: the code (a pairing begins, and the code is spent) or the pinned
 * certificate (the channel takes him). Guests are few and short-lived; one that offered a code and failed counts as a
 * wrong code. What lbctl asks is in pairing_bus.c, what the channel tells in pairing_channel.c. */
#include "pairing_priv.h"

#include "base/mem.h"
#include "base/must.h"
#include "sys/log.h"
#include "sys/sock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GUEST_MAGIC 0x9a12c0de
#define LISTEN_AGAIN DUR_S(5)
#define BACKLOG 16

struct guest {
	uint32_t magic;
	struct list link;
	struct pairing *p;
	struct tls_channel *t;
	char from[ADDR_TEXT];
};

void
pairing_changed(struct pairing *p)
{
	if (p->ops.changed != NULL)
		p->ops.changed(p->ops.arg);
}

int
pairing_identity(struct pairing *p, struct err *err)
{
	return p->me != NULL ? 0 : tls_identity_load(p->dir, p->name, &p->me, err);
}

/* ---- guests ------------------------------------------------------------------------------------------------------- */

static void
guest_free(void *arg)
{
	struct guest *g = arg;

	g->magic = 0;
	free(g);
}

static void
guest_leave(struct guest *g)
{
	list_del(&g->link);
	g->p->guests_n--;
	loop_defer(g->p->loop, guest_free, g);
}

static void
guest_up(void *arg, bool by_code)
{
	struct guest *g = arg;
	struct pairing *p = g->p;
	struct tls_channel *t = g->t;

	must_obj(g, GUEST_MAGIC);
	guest_leave(g);
	if (by_code && p->coded && p->session == NULL)
		pairing_begin(p, t);
	else if (!by_code && p->channel != NULL)
		peer_channel_take(p->channel, t);
	else
		tls_channel_free(t);
}

static void
guest_packet(void *arg, const uint8_t *data, size_t len)
{
	(void)arg;
	(void)data;
	(void)len; /* cannot be: nothing is read before it is up, and then it is somebody else's */
}

static void
guest_closed(void *arg, enum tls_end end, const char *text)
{
	struct guest *g = arg;
	struct pairing *p = g->p;
	bool tried = tls_channel_tried(g->t);

	must_obj(g, GUEST_MAGIC);
	tls_channel_free(g->t);
	guest_leave(g);
	if (!tried) {
		log_warn("pair: a connection from %s proved nothing: %s", g->from, text);
		return;
	}
	/* Refused is a wrong code. Whoever leaves halfway has used his try too, or guessing would be free. */
	(void)end;
	if (!p->coded)
		return;
	p->tries++;
	log_warn("pair: wrong code from %s (%u of %u)", g->from, p->tries, PAIR_CODE_TRIES);
	if (p->tries >= PAIR_CODE_TRIES)
		pairing_code_spent(p, ERR_DENIED,
		    "five wrong codes: this one is no longer valid; \"lbctl ha code\" shows a new one");
}

static const struct tls_channel_ops guest_ops = {
	.up = guest_up,
	.packet = guest_packet,
	.closed = guest_closed,
};

static void
welcome(struct pairing *p, int fd, const struct addr *from)
{
	struct tls_proof proof = { .me = p->me };
	struct guest *g;

	if (p->channel != NULL) {
		proof.pin = p->cert.p;
		proof.pin_len = p->cert.len;
	}
	if (p->coded && p->session == NULL)
		proof.code_key = p->key;
	g = mem_alloc(sizeof(*g));
	*g = (struct guest){ .magic = GUEST_MAGIC, .p = p };
	addr_format(from, ADDR_HOST, g->from);
	list_push(&p->guests, &g->link);
	p->guests_n++;
	g->t = tls_channel_start(p->loop, fd, true, &proof, &guest_ops, g);
}

/* ---- the listener --------------------------------------------------------------------------------------------------- */

static void
on_guest(void *arg, int listener)
{
	struct pairing *p = arg;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr from = { 0 };
	uint16_t port;
	int fd = accept4(listener, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	must_obj(p, PAIRING_MAGIC);
	if (fd == -1)
		return; /* it has left again */
	if (p->guests_n >= PAIR_GUESTS || p->me == NULL ||
	    addr_from_sockaddr((struct sockaddr *)&ss, &from, &port) != 0)
		(void)close(fd);
	else
		welcome(p, fd, &from);
}

static void
on_v4(void *arg, unsigned ready)
{
	(void)ready;
	on_guest(arg, ((struct pairing *)arg)->fd[LISTEN_V4]);
}

static void
on_v6(void *arg, unsigned ready)
{
	(void)ready;
	on_guest(arg, ((struct pairing *)arg)->fd[LISTEN_V6]);
}

static void
close_listener(struct pairing *p)
{
	for (unsigned i = 0; i < LISTENERS; i++) {
		if (p->fd[i] == -1)
			continue;
		loop_fd_fini(&p->io[i]);
		(void)close(p->fd[i]);
		p->fd[i] = -1;
	}
	p->listening = 0;
}

static int
open_listener(struct pairing *p, struct err *err)
{
	static void (*const fns[])(void *, unsigned) = { on_v4, on_v6 };
	const struct addr any[] = { { .family = 4, .len = 32 }, { .family = 6, .len = 128 } };

	for (unsigned i = 0; i < LISTENERS; i++) {
		int fd = sock_listen_tcp(&any[i], p->port, BACKLOG, 0, err);

		if (fd == -EAFNOSUPPORT)
			continue; /* a kernel without IPv6 */
		if (fd < 0) {
			close_listener(p);
			return fd;
		}
		p->fd[i] = fd;
		loop_fd_init(&p->io[i], p->loop, fd, fns[i], p);
		loop_fd_want(&p->io[i], LOOP_READ);
	}
	p->listening = p->port;
	return 0;
}

void
pairing_listen(struct pairing *p)
{
	bool wanted = (p->channel != NULL || p->coded) && p->port != 0;
	struct err err = { 0 };

	if (p->listening != 0 && (!wanted || p->listening != p->port))
		close_listener(p);
	loop_timer_cancel(&p->again);
	if (!wanted || p->listening != 0)
		return;
	if (open_listener(p, &err) == 0)
		return;
	log_warn("pair: %s", err.text);
	loop_timer_set(&p->again, LISTEN_AGAIN);
}

static void
on_again(void *arg)
{
	struct pairing *p = arg;

	must_obj(p, PAIRING_MAGIC);
	pairing_listen(p);
}

/* ---- what the files say --------------------------------------------------------------------------------------------------- */

static int
read_files(struct pairing *p, struct err *err)
{
	uint8_t print[FINGERPRINT_BYTES];
	int code = cluster_read(p->dir, CLUSTER_COUNTS, &p->cluster, &p->cert, err);

	p->paired = code == 0;
	if (code == -ENOENT) {
		code = cluster_read(p->dir, CLUSTER_PREPARED, &p->cluster, &p->cert, err);
		/* The node that decides had not decided: then it does not count. */
		if (code == 0 && p->cluster.node == 1) {
			cluster_drop_prepared(p->dir);
			code = -ENOENT;
		}
		p->doubt = code == 0;
	}
	if (code == 0 && (!tls_cert_print(p->cert.p, p->cert.len, print) ||
			     memcmp(print, p->cluster.peer_key, sizeof(print)) != 0))
		code = err_set(err, ERR_STORE,
		    "%s/peer.crt: is not the certificate of the pair; \"lbctl ha unpair --local\" ends the pair, then "
		    "pair again",
		    p->dir);
	return code == 0 ? pairing_identity(p, err) : code;
}

static void
drop_state(struct pairing *p)
{
	peer_channel_free(p->channel);
	p->channel = NULL;
	p->paired = p->doubt = false;
	explicit_bzero(&p->cluster, sizeof(p->cluster));
	p->cert.len = 0;
	p->fault[0] = '\0';
}

void
pairing_load(struct pairing *p)
{
	struct err err = { 0 };
	int code;

	drop_state(p);
	code = read_files(p, &err);
	if (code == 0) {
		pairing_begin_channel(p);
	} else {
		if (code != -ENOENT) {
			(void)snprintf(p->fault, sizeof(p->fault), "%s", err.text);
			log_err("pair: %s", err.text);
		}
		p->paired = p->doubt = false;
	}
	pairing_listen(p);
	pairing_changed(p);
}

int
pairing_forget(struct pairing *p, struct err *err)
{
	int code = cluster_forget(p->dir, err);

	if (code != 0)
		return code;
	drop_state(p);
	pairing_listen(p);
	pairing_changed(p);
	return 0;
}

void
pairing_code_over(struct pairing *p)
{
	p->coded = false;
	explicit_bzero(p->key, sizeof(p->key));
	loop_timer_cancel(&p->code_end);
	pairing_listen(p);
}

struct peer_channel *
pairing_channel(struct pairing *p)
{
	return p->paired ? p->channel : NULL;
}

const struct cluster *
pairing_cluster(const struct pairing *p)
{
	return p->paired ? &p->cluster : NULL;
}

/* ---- beginning and end ----------------------------------------------------------------------------------------------------- */

struct pairing *
pairing_new(struct loop *l, const struct paths *paths, const struct pairing_ops *ops)
{
	struct pairing *p = mem_alloc(sizeof(*p));

	*p = (struct pairing){ .magic = PAIRING_MAGIC, .loop = l, .ops = *ops };
	(void)snprintf(p->dir, sizeof(p->dir), "%s/ha", paths->state);
	p->schema = (uint16_t)schema_version();
	for (unsigned i = 0; i < LISTENERS; i++)
		p->fd[i] = -1;
	list_init(&p->guests);
	loop_timer_init(&p->again, l, on_again, p);
	pairing_bus_init(p);
	return p;
}

void
pairing_set(struct pairing *p, const struct snapshot *s)
{
	const struct node *n = snapshot_node(s);
	char host[CLUSTER_NAME] = "";
	bool moved;

	must_obj(p, PAIRING_MAGIC);
	if (n->hostname[0] == '\0' && gethostname(host, sizeof(host) - 1) == -1)
		host[0] = '\0';
	(void)snprintf(p->name, sizeof(p->name), "%.*s", CLUSTER_NAME - 1,
	    n->hostname[0] != '\0' ? n->hostname
	    : host[0] != '\0'	   ? host
				   : "node");
	p->services = snapshot_count(s, KIND_service);
	p->servers = snapshot_count(s, KIND_server);
	p->revision = snapshot_revision(s, SCOPE_SHARED);
	moved = p->port != n->ha_port;
	p->port = n->ha_port;
	/* With another port the channel begins anew, so that the other node is told. */
	if (!p->set || (moved && p->channel != NULL))
		pairing_load(p);
	else
		pairing_listen(p);
	p->set = true;
}

void
pairing_free(struct pairing *p)
{
	struct list *it, *next;

	if (p == NULL)
		return;
	must_obj(p, PAIRING_MAGIC);
	p->ops.changed = NULL;
	pairing_bus_fini(p);
	p->coded = false;
	drop_state(p);
	close_listener(p);
	list_each_safe(it, next, &p->guests)
	{
		struct guest *g = container_of(it, struct guest, link);

		tls_channel_free(g->t);
		guest_leave(g);
	}
	loop_timer_fini(&p->again);
	tls_identity_free(p->me);
	buf_fini(&p->cert);
	explicit_bzero(p->key, sizeof(p->key));
	p->magic = 0;
	free(p);
}

static void
list_addresses(const struct cluster *c, char *out, size_t room)
{
	char text[ADDR_TEXT];
	size_t n = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < c->addrs_n && n < room; i++) {
		addr_format(&c->addrs[i], ADDR_HOST, text);
		n += (size_t)snprintf(out + n, room - n, "%s%s", i > 0 ? "," : "", text);
	}
}

void
pairing_peer(const struct pairing *p, struct pairing_texts *t, struct msg_ha_peer *m)
{
	struct peer_state st = { 0 };

	*m = (struct msg_ha_peer){ .paired = p->paired, .doubt = p->doubt };
	memset(t, 0, sizeof(*t));
	(void)snprintf(t->fault, sizeof(t->fault), "%s", p->fault);
	if (p->me != NULL)
		fingerprint_format(tls_identity_print(p->me), t->own);
	if (p->channel != NULL) {
		peer_channel_state(p->channel, &st);
		memcpy(t->name, p->cluster.peer_name, sizeof(t->name));
		list_addresses(&p->cluster, t->addresses, sizeof(t->addresses));
		fingerprint_format(p->cluster.peer_key, t->theirs);
		memcpy(t->release, st.release, sizeof(t->release));
		(void)snprintf(t->fault, sizeof(t->fault), "%s", st.fault);
		m->up = st.up;
		m->since = st.since;
		m->rtt = (uint64_t)st.rtt;
		m->port = p->cluster.peer_port;
		m->node = p->cluster.node;
		m->cluster = p->cluster.id;
	}
	m->name = SPAN(t->name);
	m->addresses = SPAN(t->addresses);
	m->fingerprint = SPAN(t->theirs);
	m->own = SPAN(t->own);
	m->fault = SPAN(t->fault);
	m->release = SPAN(t->release);
}
