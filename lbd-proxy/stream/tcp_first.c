/* What a connection waits for before a server is chosen: the user or the routing token of RDP, the call of SIP, and the names at the beginning of TLS
 * that rules look at; as long as for the head of a request. What was read stays to be sent. */
#include "tcp_priv.h"
#include "tcp_ftp.h"

#include "pool/rdp.h"
#include "pool/sip.h"
#include "rules/rules_tcp.h"

#include <stdlib.h>

/* A place at the server that the client belongs to; first: the n bytes that were read already; named: whom they name, 0 nobody. */
static void
take(struct tcp *t, const uint8_t *first, size_t n, uint32_t named)
{
	uint32_t known = persist_by_conn(&t->persist, t->seat.svc, t->c, first, n);

	t->seat.forced = t->persist.forced;
	tcp_connect(t, seat_take(&t->seat, named != 0 ? named : known));
}

/* What the first packet of RDP, or the first message of SIP, says of the server. */
static enum h1_result
look_at_first(struct tcp *t, const uint8_t *p, size_t n, uint32_t *id_out)
{
	const struct view *v = t->seat.svc->view;
	enum h1_result r = H1_BAD;
	struct key_span call;

	*id_out = 0;
	if (v->rdp_token)
		r = rdp_server(v, t->c->port, p, n, id_out);
	if (v->persistence == persistence_sip)
		r = sip_call(p, n, &call);
	else if (v->scheduler == scheduler_rdp_cookie || persist_reads(v))
		r = seat_key_user(&t->seat, p, n);
	if (v->scheduler != scheduler_rdp_cookie)
		seat_key(&t->seat, t->c, NULL, NULL);
	return r;
}

/* The user, the token or the call decides: what came first is looked at, and stays to be sent. */
void
tcp_read_user(struct tcp *t)
{
	struct conn *c = t->c;
	const uint8_t *p = c->w->in;
	ssize_t n = conn_recv(c, c->w->in, KEY_RDP_MAX);
	enum h1_result r = H1_MORE;
	uint32_t named = 0;

	if (n > 0) {
		r = look_at_first(t, p, (size_t)n, &named);
		if (conn_keep(c, p, (size_t)n) != 0) {
			tcp_over(t, true);
			return;
		}
	}
	if (n < 0 || (r == H1_MORE && c->eof)) {
		tcp_client_broke(t);
		return;
	}
	if (r != H1_MORE) {
		t->reads = false;
		conn_timer_off(c);
		take(t, p, n > 0 ? (size_t)n : 0, named);
		return;
	}
	if (!conn_watch(c)) {
		tcp_over(t, true);
		return;
	}
	if (!t->reads)
		conn_timer(c, c->svc->view->request);
	t->reads = true;
	if (c->can_read)
		conn_again(c);
}

/* Its rules are done with: a server is chosen. */
void
tcp_choose(struct tcp *t)
{
	const struct view *v = t->seat.svc->view;
	struct conn *c = t->c;

	if (v->scheduler == scheduler_rdp_cookie || v->rdp_token || persist_reads(v)) {
		tcp_read_user(t);
		return;
	}
	seat_key(&t->seat, c, NULL, NULL);
	take(t, NULL, 0, 0);
}

/* Nobody is told. */
static void
drop(struct tcp *t)
{
	struct conn *c = t->c;

	story_end(&t->story, c);
	ftp_leave(t->ftp, t);
	c->task = NULL;
	t->magic = 0;
	free(t);
	conn_vanish(c);
}

/* As long as a rule says nothing happens; then it is reset. */
static void
hold(struct tcp *t, const struct rule *r)
{
	t->held = true;
	conn_timer(t->c, r->time);
	if (!conn_watch(t->c))
		tcp_over(t, true);
}

static void
use(struct tcp *t, const struct svc *to)
{
	struct wsvc *pool = to == NULL ? NULL : local_find(t->c->w, to);

	if (pool == NULL || pool->gone || pool->view == NULL) {
		tcp_connect(t, SEAT_NONE);
		return;
	}
	seat_enter(&t->seat, pool);
	tcp_choose(t);
}

/* What rules say beside who takes it. */
static void
shape(struct tcp *t, const struct conn_rules *d)
{
	t->seat.priority = d->priority;
	t->rate_up = d->up;
	t->rate_down = d->down;
	if (d->down != 0)
		conn_pace(t->c, d->down);
}

void
tcp_decide(struct tcp *t, const struct hello *hello)
{
	struct conn_rules d;
	bool known = rules_conn(t->c, hello, &d);
	unsigned action = !known	  ? rule_action_deny
			  : d.end == NULL ? rule_action_allow
					  : d.end->action;

	t->peeks = false;
	conn_timer_off(t->c);
	if (known && d.end != NULL && t->story.notes != NULL)
		logs_rule(t->story.notes, d.end->name, d.pool.name);
	if (known)
		shape(t, &d);
	switch (action) {
	case rule_action_use: use(t, d.pool.svc); return;
	case rule_action_deny:
	case rule_action_tarpit:
	case rule_action_drop: break;
	default: tcp_choose(t); return;
	}
	COUNT(t->c->svc->n->refused_total);
	story_ended(&t->story, known ? 'P' : 'R', action == rule_action_tarpit ? 'T' : 'R');
	if (action == rule_action_tarpit)
		hold(t, d.end);
	else if (action == rule_action_drop)
		drop(t);
	else
		tcp_over(t, true);
}

/* The beginning of TLS is looked at, and stays to be sent. */
void
tcp_read_hello(struct tcp *t)
{
	struct conn *c = t->c;
	uint8_t *p = c->w->in;
	ssize_t n = conn_recv(c, p, HELLO_MAX);
	enum h1_result r = H1_MORE;
	struct hello hello;

	if (n > 0) {
		r = hello_parse(p, (size_t)n, c->w->out, &hello);
		if (conn_keep(c, p, (size_t)n) != 0) {
			tcp_over(t, true);
			return;
		}
	}
	if (n < 0) {
		tcp_client_broke(t);
		return;
	}
	if (r == H1_MORE && !c->eof && n < HELLO_MAX) {
		if (!conn_watch(c)) {
			tcp_over(t, true);
			return;
		}
		if (!t->peeks)
			conn_timer(c, c->svc->view->request);
		t->peeks = true;
		if (c->can_read)
			conn_again(c);
		return;
	}
	tcp_decide(t, r == H1_DONE ? &hello : NULL);
}
