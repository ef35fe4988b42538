/* A copy of a request on its way: collected, sent, its answer read and thrown away.
 *
 * It takes a place at a server as requests do, but waits for none. On an idle connection that the server has ended meanwhile it
 * is lost, and sent anew on a fresh one, whatever its method: nobody saw an answer. Everything is bounded: how many there are
 * in a worker, what they hold, how long one takes, and how much of an answer is read before its connection is given up. */
#include "mirror.h"

#include "base/must.h"

#include "http_priv.h"
#include "mirror_choose.h"
#include "pool/spread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MIRROR_MAGIC 0x3c1a55e7
#define MIRROR_MOST 256			      /* copies of one worker at once */
#define MIRROR_BYTES (16u * 1024 * 1024)      /* that they hold together */
#define MIRROR_TIME DUR_S(60)		      /* from the first try to the end of the answer */
#define MIRROR_ANSWER ((uint64_t)1024 * 1024) /* bytes of an answer; the rest is not waited for */
#define GROW 4096			      /* bytes of memory, at least, when a body grows */

struct mirror {
	uint32_t magic;
	struct worker *w;
	struct list link; /* in w->mirrors */
	struct svc *of;	  /* reference: whose request it is */
	struct service_counters *n;
	struct seat seat;
	struct conn *s; /* NULL: it was not sent yet */
	char *out;	/* the request; len bytes, off of them sent, in room */
	size_t len, off, room, most;
	mono_t until;
	uint16_t port; /* that the client came to */
	uint8_t method, minor;
	bool fresh, counted,
	    body;	    /* tried again; counted as sent; the head of the answer was read */
	uint64_t got, left; /* bytes of the answer: read, and of its body still to come */
	struct h1_chunk chunk;
	struct h1_head answer;
};

static const struct conn_ops mirror_ops;
static void lost(struct mirror *m);

/* No memory for it any more. */
static void
end(struct mirror *m)
{
	struct conn *s = m->s;

	m->s = NULL;
	if (s != NULL) {
		s->task = NULL;
		conn_close(s);
	}
	seat_leave(&m->seat);
	seat_quit(&m->seat);
	list_del(&m->link);
	m->w->mirrors_n--;
	m->w->mirrors_bytes -= m->room;
	svc_unref(m->of);
	m->magic = 0;
	free(m->out);
	free(m);
}

void
mirror_drop(struct mirror *m)
{
	COUNT(m->n->mirror_lost);
	end(m);
}

void
mirror_cut_all(struct worker *w)
{
	while (!list_empty(&w->mirrors))
		mirror_drop(container_of(w->mirrors.next, struct mirror, link));
}

static bool
grow(struct mirror *m, size_t room)
{
	size_t more = room - m->room;
	char *out;

	if (m->w->mirrors_bytes + more > MIRROR_BYTES)
		return false;
	out = realloc(m->out, room);
	if (out == NULL)
		return false;
	m->out = out;
	m->room = room;
	m->w->mirrors_bytes += more;
	return true;
}

/* The pool, where it takes copies. */
static struct wsvc *
pool_of(const struct worker *w, const struct view *v)
{
	struct wsvc *to = local_find(w, v->mirror);

	if (to == NULL || to->gone || to->view == NULL || to->view->mode != mode_http ||
	    view_bound(to->view) || to->view->server_http != server_http_1)
		return NULL;
	return to;
}

static struct mirror *
mirror_new(struct http *h, struct wsvc *to)
{
	struct conn *c = h->c;
	struct mirror *m;

	if (c->w->mirrors_n >= MIRROR_MOST)
		return NULL;
	m = malloc(sizeof(*m));
	if (m == NULL)
		return NULL;
	memset(m, 0, offsetof(struct mirror, chunk));
	m->magic = MIRROR_MAGIC;
	m->w = c->w;
	m->of = svc_ref(c->svc->svc);
	m->n = c->svc->n;
	m->port = c->port;
	m->method = h->head.method;
	m->minor = h->head.minor;
	list_push(&c->w->mirrors, &m->link);
	c->w->mirrors_n++;
	seat_init(&m->seat, to, NULL, NULL);
	seat_enter(&m->seat, to);
	return m;
}

struct mirror *
mirror_begin(struct http *h, const char *buf, size_t head_len)
{
	struct conn *c = h->c;
	const struct view *v = c->svc->view;
	struct mirror *m = NULL;
	struct wsvc *to;
	size_t room = h->out_len;

	c->svc->random += UINT64_C(0x9e3779b97f4a7c15);
	if (!mirror_chosen(v->mirror_share, (uint32_t)spread_mix(c->svc->random)))
		return NULL;
	to = pool_of(c->w, v);
	if (to != NULL && mirror_fits(&h->head, v->mirror_body) &&
	    h->out_len - head_len <= v->mirror_body)
		m = mirror_new(h, to);
	if (m == NULL) {
		COUNT(c->svc->n->mirror_lost);
		return NULL;
	}
	m->most = head_len + v->mirror_body;
	if (!h->up_over && h->head.framing == H1_LENGTH)
		room += (size_t)h->up.left;
	if (!grow(m, room)) {
		mirror_drop(m);
		return NULL;
	}
	memcpy(m->out, h->out, h->out_len);
	m->len = h->out_len;
	seat_key(&m->seat, c, buf, &h->head);
	if (h->up_over)
		return m;
	h->mirror = m;
	return NULL;
}

void
mirror_more(struct mirror **at, const void *p, size_t n)
{
	struct mirror *m = *at;
	size_t need = m->len + n;

	if (need > m->most ||
	    (need > m->room && !grow(m, need + (need / 2 > GROW ? need / 2 : GROW)))) {
		*at = NULL;
		mirror_drop(m);
		return;
	}
	memcpy(m->out + m->len, p, n);
	m->len = need;
}

/* A step may take so long, all of it until m->until. */
static void
arm(struct mirror *m, dur_t step)
{
	mono_t now = m->w->now;
	dur_t rest = m->until > now ? m->until - now : 1;

	conn_timer(m->s, step < rest ? step : rest);
}

/* What can be sent now. */
static void
write_out(struct mirror *m)
{
	struct conn *s = m->s;
	const struct view *v = m->seat.svc->view;
	ssize_t n;

	while (m->off < m->len) {
		n = conn_write(s, m->out + m->off, m->len - m->off);
		if (n == -EAGAIN && conn_watch(s)) {
			arm(m, s->up || s->reused ? v->server : v->connect);
			return;
		}
		if (n < 0) {
			lost(m);
			return;
		}
		s->up = true;
		m->off += (size_t)n;
	}
	if (!m->counted)
		COUNT(m->n->mirrored);
	m->counted = true;
	h1_head_init(&m->answer, true, v->head_max);
	if (!conn_watch(s)) {
		mirror_drop(m);
		return;
	}
	arm(m, v->server);
}

/* A connection of the pool, or a new one. */
static void
attach(struct mirror *m)
{
	const struct conn nobody = { .port = m->port }; /* no client: the pool binds none */
	struct conn *s = NULL;

	if (seat_take(&m->seat, 0) != SEAT_OK || view_bound(m->seat.svc->view)) {
		mirror_drop(m);
		return;
	}
	if (!m->fresh)
		s = backend_idle(&m->seat, &nobody, false, &mirror_ops);
	if (s == NULL) {
		if (backend_connect(&m->seat, &nobody, &mirror_ops, &s) != 0) {
			COUNT(m->seat.srv->n->connect_errors);
			mirror_drop(m);
			return;
		}
		COUNT(m->seat.srv->n->conns_total);
	}
	m->s = s;
	s->task = m;
	s->requests++;
	write_out(m);
}

void
mirror_send(struct mirror *m)
{
	must_obj(m, MIRROR_MAGIC);
	m->until = m->w->now + MIRROR_TIME;
	attach(m);
}

/* Its connection has ended, before all of an answer was there. */
static void
lost(struct mirror *m)
{
	struct conn *s = m->s;
	struct server_counters *n = m->seat.srv->n;

	if (s->reused && !m->fresh && m->got == 0) { /* it was closed meanwhile, nobody's fault */
		m->fresh = true;
		m->off = 0;
		m->s = NULL;
		s->task = NULL;
		conn_close(s);
		seat_leave(&m->seat);
		attach(m);
		return;
	}
	if (s->up || s->reused)
		COUNT(n->aborts);
	else
		COUNT(n->connect_errors);
	mirror_drop(m);
}

/* The answer is complete, or as much of it as is read. */
static void
done(struct mirror *m, bool reusable)
{
	struct conn *s = m->s;

	m->s = NULL;
	backend_done(s, reusable);
	end(m);
}

/* n bytes at p follow the head, or what was read before. False: it is over. */
static bool
body(struct mirror *m, const char *p, size_t n)
{
	bool reuse = m->answer.keep_alive;
	size_t used = 0;

	switch (m->answer.framing) {
	case H1_LENGTH:
		used = n < m->left ? n : (size_t)m->left;
		m->left -= used;
		if (m->left > 0)
			return true;
		break;
	case H1_CHUNKED:
		switch (h1_chunk_scan(&m->chunk, p, n, &used)) {
		case H1_MORE: return true;
		case H1_BAD: lost(m); return false;
		case H1_DONE: break;
		}
		break;
	case H1_UNTIL_CLOSE:
	case H1_TUNNEL: return true;
	default: break;
	}
	done(m, reuse && used == n);
	return false;
}

/* Heads: any number of interim ones, then the final one. False: it is over. */
static bool
head(struct mirror *m, const char *p, size_t n)
{
	while (n > 0) {
		switch (h1_head_parse(&m->answer, p, n)) {
		case H1_MORE:
			if (conn_keep(m->s, p, n) == 0)
				return true;
			__attribute__((fallthrough));
		case H1_BAD: lost(m); return false;
		case H1_DONE: break;
		}
		if (h1_frame_answer(&m->answer, m->method, false, m->minor) != 0) {
			lost(m);
			return false;
		}
		p += m->answer.length;
		n -= m->answer.length;
		if (m->answer.status >= 200)
			break;
		h1_head_init(&m->answer, true, m->seat.svc->view->head_max);
	}
	if (m->answer.status < 200)
		return true;
	seat_heard(&m->seat);
	http_count_server(m->seat.srv->n, m->answer.status);
	http_count_service(m->seat.svc->n, m->answer.status);
	m->body = true;
	m->left = m->answer.body_length;
	m->chunk = (struct h1_chunk){ 0 };
	return body(m, p, n);
}

static void
read_answer(struct mirror *m)
{
	struct conn *s = m->s;
	char *p = (char *)m->w->in;
	size_t had = conn_kept(s);
	ssize_t n = conn_recv(s, p, had + HTTP_READ);

	if (n < 0 || (s->eof && (size_t)n == had)) {
		if (m->body && m->answer.framing == H1_UNTIL_CLOSE && n == -ENODATA)
			done(m, false);
		else
			lost(m);
		return;
	}
	m->got += (size_t)n - had;
	if (m->got > MIRROR_ANSWER) {
		done(m, false);
		return;
	}
	if ((size_t)n > had && !(m->body ? body(m, p, (size_t)n) : head(m, p, (size_t)n)))
		return;
	if ((size_t)n == had && n > 0 && conn_keep(s, p, (size_t)n) != 0) {
		lost(m);
		return;
	}
	if (s->can_read)
		conn_again(s);
	else if (!conn_watch(s))
		lost(m);
}

static void
on_event(struct conn *s, unsigned ready)
{
	struct mirror *m = s->task;

	(void)ready;
	must_obj(m, MIRROR_MAGIC);
	if (m->off < m->len)
		write_out(m);
	else if (s->can_read || conn_kept(s) > 0)
		read_answer(m);
}

static void
on_timeout(struct conn *s)
{
	struct mirror *m = s->task;

	must_obj(m, MIRROR_MAGIC);
	m->fresh = true;
	lost(m);
}

/* Its server is halted, or down. */
static void
on_cut(struct conn *s)
{
	struct mirror *m = s->task;

	must_obj(m, MIRROR_MAGIC);
	m->fresh = true;
	lost(m);
}

static const struct conn_ops mirror_ops = {
	.event = on_event,
	.timeout = on_timeout,
	.cut = on_cut,
};
