/* When a server has room, and over which connection; choose.c says which one. The
 * fallback server takes new clients when no other can, or when lbd-check says that too few are fit. Limits hold for all
 * workers together: a place is one atomic addition. Who finds every fit server full waits in the queue of its worker;
 * a place that becomes free wakes one worker in which somebody waits, each in turn, and that worker goes through
 * its queue from the front. The order of additions and looks makes sure that nobody is forgotten: who waits is
 * counted first and looks again then, who leaves gives the place back first and looks for waiters then.
 *
 * Idle connections are kept by each worker for itself, the last used is the first to be used again. What is
 * said over a connection, and what happens when it breaks, is the streams' business. */
#include "backend.h"

#include "base/must.h"
#include "sys/sock.h"

#include "choose.h"
#include "h2/h2.h"
#include "h2/h2_back.h"
#include "latency.h"
#include "persist_key.h"
#include "net/pp.h"
#include "net/worker.h"
#include "queue.h"
#include "tls/tls.h"

#include <errno.h>
#include <string.h>

#define PICKS 4		  /* places lost to other workers before waiting */
#define FRESH DUR_MS(500) /* idle for so short a time that no server closes it */
#define EVICT 8		  /* idle connections closed when descriptors are used up */

void
seat_init(
    struct seat *s, struct wsvc *svc, void (*ready)(struct seat *), void (*failed)(struct seat *))
{
	s->svc = svc;
	s->srv = NULL;
	s->bound = NULL;
	s->ready = ready;
	s->failed = failed;
	s->tries = 0;
	s->hashed = s->retrying = s->pooled = s->forced = false;
	s->priority = 0;
	s->as.family = 0;
	s->asked = 0;
	list_init(&s->link);
}

void
seat_enter(struct seat *s, struct wsvc *pool)
{
	s->svc = pool;
	s->pooled = true;
	pool->clients++;
	COUNT(pool->n->requests_total);
}

void
seat_quit_pool(struct seat *s)
{
	struct wsvc *pool = s->svc;

	s->pooled = false;
	pool->clients--;
	local_release_svc(pool);
}

/* A place at server i, unless it has so many; 0 is no limit. */
static bool
claim(struct seat *s, uint32_t i, uint32_t limit)
{
	const struct view_server *at = &s->svc->view->at[i];
	unsigned now = atomic_fetch_add(&at->srv->conns, 1);

	if (limit > 0 && now >= limit) {
		atomic_fetch_sub(&at->srv->conns, 1);
		return false;
	}
	s->srv = s->svc->srv[i];
	s->srv->seats++;
	s->index = i;
	if (s->svc->view->timed)
		s->asked = s->svc->w->now;
	COUNT(s->srv->n->requests_total);
	COUNT_PEAK(s->srv->n->conns_peak, now + 1);
	return true;
}

/* Among the first n, its servers. */
static enum seat_result
pick_among(struct seat *s, uint32_t n)
{
	unsigned round;
	int64_t i;

	for (round = 0; round < PICKS; round++) {
		i = choose_server(s, n);
		if (i == BALANCE_NONE)
			return SEAT_NONE;
		if (i == BALANCE_FULL)
			break;
		if (claim(s, (uint32_t)i, s->svc->item[i].limit))
			return SEAT_OK;
	}
	return SEAT_WAIT;
}

/* The fallback server, which has no limit. */
static enum seat_result
pick_fallback(struct seat *s)
{
	const struct view *v = s->svc->view;

	if (!choose_fit(&v->at[v->n - 1]) || choose_tried(s, 0) || !claim(s, v->n - 1, 0))
		return SEAT_NONE;
	return SEAT_OK;
}

static enum seat_result
pick(struct seat *s)
{
	const struct view *v = s->svc->view;
	enum seat_result r;

	if (!v->fallback)
		return pick_among(s, v->n);
	if (atomic_load_explicit(&s->svc->svc->no_quorum, memory_order_relaxed))
		return pick_fallback(s);
	r = pick_among(s, v->n - 1);
	return r == SEAT_NONE ? pick_fallback(s) : r;
}

/* The index of the server that the client belongs to, when it may go there; -1. */
static int64_t
belongs(const struct seat *s, uint32_t known)
{
	const struct view *v = s->svc->view;
	uint32_t i;

	for (i = 0; i < v->n && v->at[i].srv->id != known; i++)
		;
	if (i == v->n || choose_tried(s, known))
		return -1;
	if (s->forced)
		return v->at[i].addr.family != 0 ? (int64_t)i : -1;
	return v->at[i].known && choose_fit(&v->at[i]) ? (int64_t)i : -1;
}

/* Apart: what waits is no hurry. */
static __attribute__((noinline)) void
wait_for(struct seat *s, uint32_t i)
{
	unsigned before;

	s->bound = srv_ref(s->svc->view->at[i].srv);
	before = atomic_fetch_add(&s->bound->waiting, 1);
	COUNT_PEAK(s->svc->srv[i]->n->queue_peak, before + 1);
}

/* One look, without waiting. SEAT_WAIT with bound set: for that server. */
static enum seat_result
look(struct seat *s, uint32_t known)
{
	int64_t i;

	if (!local_servers(s->svc) || s->svc->view->n == 0)
		return SEAT_NONE;
	i = known == 0 ? -1 : belongs(s, known);
	if (i < 0)
		return pick(s);
	if (claim(s, (uint32_t)i, choose_limit(s, (uint32_t)i)))
		return SEAT_OK;
	if (s->bound == NULL)
		wait_for(s, (uint32_t)i);
	return SEAT_WAIT;
}

static void
unbind(struct seat *s)
{
	if (s->bound == NULL)
		return;
	atomic_fetch_sub(&s->bound->waiting, 1);
	srv_unref(s->bound);
	s->bound = NULL;
}

static void
wait_no_more(struct seat *s)
{
	struct wsvc *svc = s->svc;

	unbind(s);
	if (list_empty(&s->link))
		return;
	queue_quit(s);
	atomic_fetch_sub(&svc->svc->waiting, 1);
	if (list_empty(&svc->waiting))
		atomic_fetch_and(&svc->svc->waiters, ~(UINT64_C(1) << svc->w->index));
}

void
seat_find_key(struct seat *s, const struct conn *c, const char *buf, const struct h1_head *h)
{
	const struct view *v = s->svc->view;
	struct key_span key;

	s->hashed = true;
	if (v->scheduler == scheduler_sh)
		s->hash = key_hash_addr(s->svc->svc->id, &c->addr);
	else if (h != NULL &&
		 key_of_request(v->scheduler, v->hash_key, v->hash_key_len, buf, h, &key))
		s->hash = key_hash(s->svc->svc->id, key.at, key.len);
	else
		s->hashed = false;
}

enum h1_result
seat_key_user(struct seat *s, const uint8_t *p, size_t len)
{
	struct key_span user;
	enum h1_result r = key_of_rdp(p, len, &user);

	s->hashed = r == H1_DONE;
	if (s->hashed)
		s->hash = key_hash(s->svc->svc->id, user.at, user.len);
	return r;
}

/* What was learned of a server: that it answered, or that it did not so long. */
static void
learn(struct seat *s, bool answered)
{
	struct srv *srv = s->srv->srv;
	mono_t now = s->svc->w->now;
	dur_t took = now - s->asked;
	uint64_t was = atomic_load_explicit(&srv->latency, memory_order_relaxed);

	s->asked = 0;
	if (answered || took > latency_now(was, now))
		atomic_store_explicit(
		    &srv->latency, latency_after(was, now, took), memory_order_relaxed);
}

void
seat_was_heard(struct seat *s)
{
	seat_settled(s);
	if (s->asked != 0)
		learn(s, true);
}

static void
kick(struct worker *w, void *a, void *b)
{
	struct svc *svc = a;
	struct wsvc *s = local_find(w, svc);

	(void)b;
	if (s != NULL)
		backend_kick(s);
	svc_unref(svc);
}

/* A place is free: tell one worker in which somebody waits. */
static void
wake(struct wsvc *s)
{
	uint64_t mask = atomic_load(&s->svc->waiters);
	unsigned i;

	if (mask == 0)
		return;
	i = queue_next(s->svc, mask);
	svc_ref(s->svc);
	if (worker_post(s->w->px->w[i], kick, s->svc, NULL) != 0)
		svc_unref(s->svc);
}

enum seat_result
seat_take(struct seat *s, uint32_t known)
{
	struct wsvc *svc = s->svc;
	enum seat_result r = look(s, known);
	unsigned wait;

	if (r != SEAT_WAIT) {
		unbind(s);
		return r;
	}
	if (atomic_load(&svc->svc->waiting) >= svc->view->queue_max) {
		unbind(s);
		return SEAT_REFUSED;
	}
	queue_join(s);
	wait = atomic_fetch_add(&svc->svc->waiting, 1) + 1;
	atomic_fetch_or(&svc->svc->waiters, UINT64_C(1) << svc->w->index);
	if (svc->view
		->elastic) { /* limits grow by who waits: the first in the queue has the next place */
		COUNT(svc->n->queued_total);
		COUNT_PEAK(svc->n->queue_peak, wait);
		wake(svc);
		return r;
	}
	r = look(s, known); /* a place given back just now did not see us */
	if (r == SEAT_WAIT) {
		COUNT(svc->n->queued_total);
		COUNT_PEAK(svc->n->queue_peak, wait);
		return r;
	}
	wait_no_more(s);
	return r;
}

void
seat_end_retry(struct seat *s)
{
	s->retrying = false;
	atomic_fetch_sub_explicit(&s->svc->svc->retrying, 1, memory_order_relaxed);
}

static void
leave(struct seat *s)
{
	struct wsrv *srv = s->srv;

	wait_no_more(s);
	if (srv == NULL)
		return;
	if (s->asked != 0)
		learn(s, false);
	atomic_fetch_sub(&srv->srv->conns, 1);
	s->srv = NULL;
	srv->seats--;
	local_release_srv(srv);
	wake(s->svc);
}

void
seat_leave(struct seat *s)
{
	seat_settled(s);
	leave(s);
}

/* One more that is tried again, if that is not too many. */
static bool
may_retry(struct seat *s)
{
	struct wsvc *svc = s->svc;
	uint32_t most = svc->view->retries_max;
	unsigned now = atomic_fetch_add_explicit(&svc->svc->retrying, 1, memory_order_relaxed);

	s->retrying = true;
	if (most == 0 || now < most)
		return true;
	seat_end_retry(s);
	COUNT(svc->n->refused_total);
	return false;
}

bool
seat_tried(struct seat *s)
{
	bool more = s->tries < s->svc->view->retries && s->tries < SEAT_TRIES;

	if (s->tries < SEAT_TRIES)
		s->tried[s->tries++] = s->srv->srv->id;
	seat_leave(s);
	return more && may_retry(s);
}

bool
seat_another(struct seat *s)
{
	if (s->tries >= s->svc->view->retries || s->tries >= SEAT_TRIES || !choose_another(s))
		return false;
	seat_settled(s);
	return may_retry(s);
}

void
seat_pass(struct seat *s)
{
	s->tried[s->tries++] = s->srv->srv->id;
	leave(s);
}

void
backend_kick(struct wsvc *s)
{
	struct list *it, *next;
	bool full = false; /* for those that take any server */

	s->clients++; /* s stays until the walk is over */
	list_each_safe(it, next, &s->waiting)
	{
		struct seat *seat = container_of(it, struct seat, link);
		uint32_t known = seat->bound != NULL ? seat->bound->id : 0;
		enum seat_result r;

		if (known == 0 && full)
			continue;
		r = look(seat, known);
		if (r == SEAT_WAIT) {
			full = full || known == 0;
			continue;
		}
		wait_no_more(seat);
		if (r == SEAT_OK)
			seat->ready(seat);
		else
			seat->failed(seat);
	}
	s->clients--;
	local_release_svc(s);
}

/* Idle connections: whatever happens to one, it is of no use any more. */
static void
leave_pool(struct conn *c)
{
	COUNT_OFF(c->srv->n->pooled);
	conn_close(c);
}

static void
idle_event(struct conn *c, unsigned ready)
{
	if ((ready & IO_CLOSED) != 0 ||
	    ((ready & IO_READ) != 0 && (c->tls == NULL || !conn_is_quiet(c))))
		leave_pool(c);
}

static const struct conn_ops idle_ops = {
	.event = idle_event,
	.timeout = leave_pool,
	.cut = leave_pool,
};

struct conn *
backend_idle(
    const struct seat *s, const struct conn *client, bool fresh, const struct conn_ops *ops)
{
	const struct view_server *at = &s->svc->view->at[s->index];
	uint16_t port = at->port != 0 ? at->port : client->port;
	struct list *it, *next;

	if (view_bound(s->svc->view))
		return NULL;
	list_each_safe(it, next, &s->srv->idle)
	{
		struct conn *c = container_of(it, struct conn, link);

		if (c->port != port || tls_ctx_of(c->tls) != s->svc->view->back ||
		    memcmp(&c->addr, &at->addr, sizeof(c->addr)) != 0)
			continue;
		if (fresh && s->srv->w->now - (mono_t)c->since_s * 1000000 > FRESH + 1000000)
			return NULL;		  /* those behind it are older */
		if (fresh && !conn_is_quiet(c)) { /* closed, and we were not told yet */
			leave_pool(c);
			continue;
		}
		list_del(&c->link);
		list_push(&s->srv->busy, &c->link);
		COUNT_OFF(s->srv->n->pooled);
		c->ops = ops;
		c->reused = true;
		conn_timer_off(c);
		return c;
	}
	return NULL;
}

/* Make room: idle connections of this worker that were not used for longest. */
static void
evict(struct worker *w)
{
	unsigned left = EVICT;
	struct list *it;

	list_each(it, &w->services)
	{
		struct wsvc *s = container_of(it, struct wsvc, link);

		for (uint32_t i = 0; i < s->servers && left > 0; i++) {
			if (list_empty(&s->srv[i]->idle))
				continue;
			leave_pool(container_of(s->srv[i]->idle.prev, struct conn, link));
			left--;
		}
	}
	(void)h2_back_evict(w, left);
}

/* False: the client came without TLS. */
static bool
tells_of_tls(const struct conn *client, char cn[PP_WORD + 1], struct pp_tls *out)
{
	const struct tls_conn *t = client->tls;

	if (t == NULL)
		return false;
	*out = (struct pp_tls){ .version = tls_protocol(t),
		.cipher = tls_cipher(t),
		.name = tls_name(t),
		.cert = tls_client_cn(t, cn, PP_WORD + 1),
		.resumed = tls_was_resumed(t),
		.cn = cn };
	return true;
}

/* The PROXY header of the client, before anything else; while it connects it is kept. */
static int
introduce(struct conn *c, const struct conn *client)
{
	struct pp p = { .known = true, .from = client->addr, .from_port = client->peer_port };
	uint8_t head[PP_ROOM];
	char cn[PP_WORD + 1];
	struct pp_tls t;
	size_t n;

	if (sock_name(client->h2 != NULL ? h2_fd(client) : io_fd(&client->io), &p.to, &p.to_port) !=
	    0)
		p.known = false;
	if (c->srv->svc->view->proxy_to == proxy_to_v1)
		n = pp_write_v1(&p, head);
	else
		n = pp_write_v2(&p, tells_of_tls(client, cn, &t) ? &t : NULL, head);
	return conn_send_raw(c, head, n);
}

/* Nobody could answer these, and a server takes its own for a friend's. */
static bool
is_no_client(const struct addr *a)
{
	static const uint8_t none[sizeof(a->b)];

	return addr_is_loopback(a) || memcmp(a->b, none, sizeof(none)) == 0 ||
	       (a->family == 4 ? a->b[0] >= 224 || a->b[0] == 0 : a->b[0] == 0xff);
}

void
seat_find_source(
    struct seat *s, const struct conn *client, const char *buf, const struct h1_head *h)
{
	const struct view *front = client->svc->view;
	struct addr a;

	if (view_distrusts(front, &client->addr) ||
	    !persist_key_address(buf, h, s->svc->view->source_header, front->forwarded_from, &a) ||
	    is_no_client(&a))
		return;
	s->as = a;
}

int
backend_connect(
    const struct seat *s, const struct conn *client, const struct conn_ops *ops, struct conn **out)
{
	const struct view_server *at = &s->svc->view->at[s->index];
	uint16_t port = s->port != 0 ? s->port : at->port != 0 ? at->port : client->port;
	struct worker *w = s->svc->w;
	struct conn *c;
	int fd;

	if (!proxy_fd_take(w->px, 1)) {
		evict(w);
		if (!proxy_fd_take(w->px, 1))
			return -EMFILE;
	}
	fd = s->svc->view->transparent
		 ? sock_connect_as(
		       &at->addr, port, s->as.family == at->addr.family ? &s->as : &client->addr)
	     : s->svc->view->sources == NULL ? sock_connect_tcp(&at->addr, port)
					     : source_connect(s->svc->view->sources, &at->addr,
						   port, (unsigned)w->serial + w->index);
	if (fd < 0) {
		proxy_fd_give(w->px, 1);
		return fd;
	}
	c = conn_new(w, fd, ops);
	if (c == NULL)
		return -ENOMEM;
	c->srv = s->srv;
	c->addr = at->addr;
	c->port = port;
	list_push(&s->srv->busy, &c->link);
	if (s->svc->view->proxy_to != proxy_to_off && introduce(c, client) < 0) {
		conn_close(c);
		return -ECONNREFUSED;
	}
	if (s->svc->view->back != NULL && tls_begin(c, s->svc->view->back, at->host) != 0) {
		conn_close(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

void
backend_observed(const struct wsrv *s, enum observed what)
{
	atomic_fetch_add_explicit(&s->srv->observed[what], 1, memory_order_relaxed);
	atomic_store_explicit(&s->w->px->observed, true, memory_order_release);
}

void
backend_done(struct conn *c, bool reusable)
{
	struct wsrv *s = c->srv;
	dur_t keep = s->svc->view->pool;

	c->task = NULL;
	if (c->h2 != NULL || !reusable || keep == 0 || view_bound(s->svc->view) || !s->listed ||
	    s->svc->gone || s->w->stopping || conn_gone(c) || c->in != NULL || c->out != NULL ||
	    (c->can_read && !conn_is_quiet(c)) || !conn_watch(c) ||
	    atomic_load_explicit(&s->srv->verdict, memory_order_relaxed) == VERDICT_DOWN) {
		conn_close(c);
		return;
	}
	if (c->paced)
		conn_pace(c, 0);
	c->ops = &idle_ops;
	c->since_s = (uint32_t)(s->w->now / 1000000); /* of its idleness */
	list_del(&c->link);
	list_push_front(&s->idle, &c->link);
	COUNT(s->n->pooled);
	conn_timer(c, keep);
}
