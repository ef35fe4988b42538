/* A TCP connection through the proxy.
 *
 * The server is chosen and connected to at once: it may be the one that speaks first. Who waits for the client's first
 * packet is in tcp_first.c. Else nothing is read from the client
 * but one first look until the connect has succeeded, so that another server can be tried with nothing lost. Each
 * direction then ends by itself: the end of a stream is passed on when all before it was sent, and the connection is over
 * when both have ended, one side broke, or both were silent for the tunnel timeout. */
#include "tcp_priv.h"
#include "tcp_ftp.h"

#include "base/must.h"
#include "store/state.h"
#include "sys/sock.h"

#include "pool/persist.h"
#include "net/worker.h"
#include "rules/rules_tcp.h"
#include "tls/tls.h"

#include <errno.h>
#include <stdlib.h>

/* Both sides go; the client last, because the service may go with it. */
void
tcp_over(struct tcp *t, bool reset)
{
	struct conn *c = t->c, *s = t->s;

	story_end(&t->story, c);
	flow_fini(&t->up);
	flow_fini(&t->down);
	ftp_leave(t->ftp, t);
	c->task = NULL;
	if (s != NULL) {
		s->task = NULL;
		if (reset)
			conn_reset(s);
		else
			conn_close(s);
	}
	seat_leave(&t->seat);
	seat_quit(&t->seat);
	t->magic = 0;
	free(t);
	if (reset)
		conn_reset(c);
	else
		conn_close(c);
}

/* Why it ends before its time. */
static void
ended(struct tcp *t, char cause)
{
	story_ended(&t->story, cause, t->s == NULL ? 'Q' : t->s->up ? 'D' : 'C');
}

static void
server_broke(struct tcp *t)
{
	COUNT(t->seat.srv->n->aborts);
	COUNT(t->c->svc->n->server_aborts);
	ended(t, 'S');
	tcp_over(t, true);
}

void
tcp_client_broke(struct tcp *t)
{
	COUNT(t->c->svc->n->client_aborts);
	if (t->seat.srv != NULL)
		COUNT(t->seat.srv->n->client_aborts);
	ended(t, 'C');
	tcp_over(t, true);
}

/* One turn of a direction. False: the stream is over. */
static bool
turn(struct tcp *t, struct flow *f, bool *ended, bool *again)
{
	bool up = f == &t->up;

	if (*ended)
		return true;
	switch (t->ftp != NULL && !t->data ? ftp_run(t->ftp, f) : flow_run(f)) {
	case FLOW_TURN: *again = true; break;
	case FLOW_DONE:
	case FLOW_END:
		if (!(up ? t->down_over : t->up_over)) /* else both are closed now */
			conn_shutdown(f->to);
		*ended = true;
		break;
	case FLOW_FROM:
		if (up)
			tcp_client_broke(t);
		else
			server_broke(t);
		return false;
	case FLOW_TO:
		if (!up) {
			tcp_client_broke(t);
			return false;
		}
		/* What the server said before it stopped listening is still to be delivered. */
		*ended = true;
		t->s->can_read = true;
		break;
	case FLOW_EMPTY:
	case FLOW_FULL: break;
	}
	return true;
}

static void
run(struct tcp *t)
{
	bool again = false, moved;

	if (!turn(t, &t->up, &t->up_over, &again))
		return;
	moved = t->up.moved;
	if (!turn(t, &t->down, &t->down_over, &again))
		return;
	if (t->up_over && t->down_over) {
		tcp_over(t, false);
		return;
	}
	if (t->down.moved)
		seat_heard(&t->seat);
	else if (moved && t->seat.asked != 0)
		t->seat.asked =
		    t->c->w->now; /* how long a client thinks is not the server's time */
	if (moved || t->down.moved)
		conn_timer(t->c, t->c->svc->view->tunnel);
	if (again)
		conn_again(t->c);
}

/* The connect has succeeded. */
static void
connected(struct tcp *t)
{
	struct conn *c = t->c;

	t->s->up = true;
	seat_settled(&t->seat);
	story_phase(&t->story, PHASE_CONNECT, c->w->now);
	conn_timer_off(t->s);
	conn_timer(c, c->svc->view->tunnel);
	persist_keep_conn(&t->persist, t->seat.svc, c, t->seat.srv->srv);
	if (!conn_watch(c) || !conn_watch(t->s)) {
		tcp_over(t, true);
		return;
	}
	run(t);
}

static void
connect_failed(struct tcp *t)
{
	struct conn *s = t->s;

	COUNT(t->seat.srv->n->connect_errors);
	backend_observed(t->seat.srv, OBSERVED_REFUSED);
	t->s = NULL;
	if (s != NULL) {
		s->task = NULL;
		conn_close(s);
	}
	flow_fini(&t->up);
	flow_fini(&t->down);
	if (t->data || !seat_tried(&t->seat)) {
		COUNT(t->c->svc->n->no_server);
		story_ended(&t->story, t->slow ? 's' : 'S', 'C');
		tcp_over(t, true);
		return;
	}
	COUNT(t->c->svc->n->retries);
	t->story.tries++;
	tcp_connect(t, seat_take(&t->seat, 0));
}

/* Often the client has spoken already and the connect has succeeded: then no further turn is needed.
 * 1: connected; 0: not known yet; -1: it failed; -2: bytes are lost, this cannot go on. */
static int
first_look(struct tcp *t)
{
	uint8_t *p = t->c->w->in;
	ssize_t n = t->ftp != NULL && !t->data ? 0 : conn_recv(t->c, p, FLOW_COPY), sent;
	size_t gone;

	if (n <= 0)
		return 0;
	sent = conn_write(t->s, p, (size_t)n);
	gone = sent > 0 ? (size_t)sent : 0;
	if (conn_keep(t->c, p + gone, (size_t)n - gone) != 0)
		return -2;
	if (sent < 0 && sent != -EAGAIN)
		return -1; /* the error was told by this call, and will not be again */
	return gone > 0 ? 1 : 0;
}

static void
start_connect(struct tcp *t)
{
	struct conn *c = t->c, *s;
	int code;

	story_phase(&t->story, PHASE_QUEUE, c->w->now);
	if (t->data && t->seat.srv->srv->id != ftp_server(t->ftp)) {
		tcp_connect(t, SEAT_NONE);
		return;
	}
	story_server(&t->story, &t->seat);
	t->slow = false;
	code = backend_connect(&t->seat, c, &tcp_ops, &s);

	if (code == -EMFILE || code == -ENOMEM) {
		COUNT(c->svc->n->refused_total);
		story_ended(&t->story, 'R', 'C');
		tcp_over(t, true);
		return;
	}
	if (code != 0) {
		connect_failed(t);
		return;
	}
	COUNT(t->seat.srv->n->conns_total);
	t->s = s;
	s->task = t;
	if (t->rate_up != 0)
		conn_pace(s, t->rate_up);
	flow_init(&t->up, c, s, FLOW_ENDLESS);
	flow_init(&t->down, s, c, FLOW_ENDLESS);
	switch (first_look(t)) {
	case 1: connected(t); return;
	case -1: connect_failed(t); return;
	case -2: tcp_over(t, true); return;
	default: break;
	}
	if (!conn_watch(s)) {
		tcp_over(t, true);
		return;
	}
	conn_timer_off(c);
	conn_timer(s, t->seat.svc->view->connect);
}

void
tcp_connect(struct tcp *t, enum seat_result r)
{
	switch (r) {
	case SEAT_OK: start_connect(t); break;
	case SEAT_WAIT:
		t->story.queue =
		    atomic_load_explicit(&t->seat.svc->svc->waiting, memory_order_relaxed) - 1;
		conn_timer(t->c, t->seat.svc->view->queue);
		if (!conn_watch(t->c))
			tcp_over(t, true);
		break;
	case SEAT_NONE:
		COUNT(t->c->svc->n->no_server);
		story_ended(&t->story, t->slow ? 's' : 'S', 'C');
		tcp_over(t, true);
		break;
	case SEAT_REFUSED:
		COUNT(t->c->svc->n->refused_total);
		story_ended(&t->story, 'P', 'Q');
		tcp_over(t, true);
		break;
	}
}

static void
ready(struct seat *s)
{
	start_connect(container_of(s, struct tcp, seat));
}

static void
failed(struct seat *s)
{
	tcp_connect(container_of(s, struct tcp, seat), SEAT_NONE);
}

static struct tcp *
tcp_new(struct conn *c)
{
	struct tcp *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->magic = TCP_MAGIC;
	t->c = c;
	t->story.began = c->w->now;
	t->story.ended[PHASE_REQUEST] = c->w->now;
	seat_init(&t->seat, c->svc, ready, failed);
	flow_init(&t->up, c, NULL, 0);
	flow_init(&t->down, NULL, c, 0);
	c->task = t;
	return t;
}

/* NULL: no memory, and c is gone. */
static struct tcp *
begin(struct conn *c)
{
	struct tcp *t = tcp_new(c);

	if (t == NULL) {
		COUNT(c->svc->n->refused_total);
		conn_reset(c);
		return NULL;
	}
	c->requests = 1;
	COUNT(c->svc->n->requests_total);
	if (c->svc->view->log != NULL)
		story_notes(&t->story, c);
	return t;
}

void
tcp_begin_data(struct conn *c, struct ftp *f, const struct tcp *control, uint16_t port)
{
	uint32_t server = ftp_server(f);
	struct tcp *t;

	c->ops = &tcp_ops;
	t = begin(c);
	if (t == NULL) {
		ftp_leave(f, NULL);
		return;
	}
	t->ftp = f;
	t->data = true;
	t->rate_up = control->rate_up;
	if (control->rate_down != 0)
		conn_pace(c, control->rate_down);
	if (control->seat.pooled)
		seat_enter(&t->seat, control->seat.svc);
	t->seat.port = port;
	t->seat.forced = control->seat.forced;
	tcp_connect(t, seat_take(&t->seat, server));
}

void
tcp_begin(struct conn *c)
{
	struct tcp *t = begin(c);

	if (t == NULL)
		return;
	t->ftp = c->svc->view->ftp ? ftp_new(t) : NULL;
	if (c->svc->view->ftp && t->ftp == NULL) {
		COUNT(c->svc->n->refused_total);
		tcp_over(t, true);
		return;
	}
	if (c->svc->view->rules == NULL)
		tcp_choose(t);
	else if (rules_want_hello(c))
		tcp_read_hello(t);
	else
		tcp_decide(t, NULL);
}

void
tcp_upgrade(struct conn *c, struct conn *s, struct seat *seat, const struct story *story)
{
	struct tcp *t = tcp_new(c);

	if (t == NULL) {
		COUNT(c->svc->n->refused_total);
		logs_notes_free(c->w, story->notes);
		conn_reset(s);
		seat_leave(seat);
		seat_quit(seat);
		conn_reset(c);
		return;
	}
	t->story = *story;
	t->seat.svc = seat->svc;
	t->seat.pooled = seat->pooled;
	t->seat.srv = seat->srv;
	seat->srv = NULL;
	t->s = s;
	s->task = t;
	c->ops = s->ops = &tcp_ops;
	c->can_read = s->can_read = true;
	flow_init(&t->up, c, s, FLOW_ENDLESS);
	flow_init(&t->down, s, c, FLOW_ENDLESS);
	conn_timer_off(s);
	conn_timer(c, c->svc->view->tunnel);
	if (!conn_watch(c) || !conn_watch(s)) {
		tcp_over(t, true);
		return;
	}
	run(t);
}

static void
on_event(struct conn *c, unsigned edges)
{
	struct tcp *t = c->task;
	int code;

	must_obj(t, TCP_MAGIC);
	if (t->s != NULL && t->s->up) {
		run(t);
		return;
	}
	if (c->client) {
		if (t->peeks)
			tcp_read_hello(t);
		else if (t->reads)
			tcp_read_user(t);
		else if (t->s == NULL && conn_gone(c))
			tcp_client_broke(t); /* it did not want to wait any longer */
		return;
	}
	must(t->s == c); /* it was let go with its task */
	code = sock_error(io_fd(&c->io));
	if (code == 0)
		code = c->tls != NULL ? tls_step(c) : (edges & IO_WRITE) != 0;
	if (code > 0)
		connected(t);
	else if (code < 0)
		connect_failed(t);
}

static void
on_timeout(struct conn *c)
{
	struct tcp *t = c->task;

	must_obj(t, TCP_MAGIC);
	if (!c->client) {
		t->slow = true;
		connect_failed(t);
	} else if (t->peeks) {
		tcp_decide(t, NULL); /* it may be the server that speaks first */
	} else if (t->reads) {
		tcp_client_broke(t);
	} else if (t->held) {
		tcp_over(t, true);
	} else if (t->ftp != NULL && !t->data && ftp_busy(t->ftp)) {
		conn_timer(
		    c, c->svc->view->tunnel); /* it is silent while data goes the other way */
	} else if (t->s == NULL) {
		COUNT(c->svc->n->refused_total);
		ended(t, 's');
		tcp_over(t, true);
	} else {
		ended(t, 'c');
		tcp_over(t, false);
	}
}

static void
on_cut(struct conn *c)
{
	struct tcp *t = c->task;

	must_obj(t, TCP_MAGIC);
	if (c->client || atomic_load(&c->srv->srv->verdict) != VERDICT_DOWN)
		ended(t, 'K');
	else
		ended(t, 'D');
	tcp_over(t, true);
}

static void
show(const struct conn *c, struct conn_view *out)
{
	const struct tcp *t = c->task;

	*out = (struct conn_view){ .state = t->reads || t->peeks ? "request" : "queue" };
	if (t->s != NULL)
		*out =
		    (struct conn_view){ .state = t->s->up ? "tunnel" : "connect", .server = t->s };
}

const struct conn_ops tcp_ops = {
	.show = show,
	.event = on_event,
	.timeout = on_timeout,
	.cut = on_cut,
};
