/* pairing_bus.c - what a person asks of the pair through lbctl or the panel: a code, a pairing, an unpairing.
 *
 * Each is a request that stays open while it lasts: its rows are the steps, as they happen, and its RESULT the end. On
 * the node that shows the code the same steps go to whoever waits for it (HA_CODE with wait) and to the log. Who asked
 * for a pairing and then leaves ends it, as long as nothing counts; who showed a code may leave.
 *
 * One code, one pairing and one unpairing at a time. A new code takes the place of the one before, and with a new code
 * or pairing a node that is in doubt about an earlier one forgets it: that is what the person wants who asks. */
#include "pairing_priv.h"

#include "base/mem.h"
#include "base/must.h"
#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LOOK DUR_MS(500) /* whether who asked is still there */

/* ---- requests that stay open ---------------------------------------------------------------------------------------- */

static void
waiter_open(struct waiter *w, const struct bus_request *rq)
{
	*w = (struct waiter){ .rq = *rq, .open = true, .began = mono_now() };
}

static void
waiter_end(struct waiter *w, int code, const char *text)
{
	if (w->open)
		bus_result(&w->rq, code, text);
	w->open = false;
}

static void
waiter_step(struct waiter *w, const char *word, const char *text, bool ask)
{
	const struct msg_ha_step m = {
		.step = SPAN(word),
		.text = SPAN(text),
		.at = (uint64_t)(mono_now() - w->began),
		.ask = ask,
	};

	if (w->open)
		(void)bus_reply(&w->rq, MSG_HA_STEP, &m);
}

/* ---- the pairing under way ------------------------------------------------------------------------------------------- */

static struct waiter *
waiter_of(struct pairing *p)
{
	return p->side == PAIR_ASKS ? &p->asks : &p->shows;
}

static void
on_step(void *arg, const char *word, const char *text, bool ask)
{
	struct pairing *p = arg;

	must_obj(p, PAIRING_MAGIC);
	log_info("pair: %s: %s", word, text);
	waiter_step(waiter_of(p), word, text, ask);
}

static void
on_committed(void *arg)
{
	struct pairing *p = arg;

	must_obj(p, PAIRING_MAGIC);
	/* Who asks begins when the pairing is over: the other node may not be ready to be reached. */
	if (p->side == PAIR_SHOWS)
		pairing_load(p);
}

static void
on_ended(void *arg, int code, const char *text)
{
	struct pairing *p = arg;
	struct waiter *w = waiter_of(p);

	must_obj(p, PAIRING_MAGIC);
	session_free(p->session);
	p->session = NULL;
	if (code == 0)
		log_info("pair: %s", text);
	else
		log_warn("pair: %s", text);
	/* A code that was proved is spent, whatever came of it. */
	if (p->side == PAIR_ASKS || !p->paired)
		pairing_load(p);
	else
		pairing_listen(p);
	waiter_end(w, code, text);
}

static void
fill_self(struct pairing *p)
{
	p->self = (struct session_self){
		.me = p->me,
		.dir = p->dir,
		.name = p->name,
		.port = p->port,
		.schema = p->schema,
		.services = p->services,
		.servers = p->servers,
		.revision = p->revision,
	};
}

static void
fill_ops(struct pairing *p, struct session_ops *out)
{
	*out = (struct session_ops){
		.step = on_step,
		.committed = on_committed,
		.ended = on_ended,
		.arg = p,
	};
}

static int
on_dump(void *arg, struct buf *out, struct err *err)
{
	struct pairing *p = arg;

	return p->ops.dump(p->ops.arg, out, err);
}

static int
on_replace(void *arg, const void *data, size_t len, struct err *err)
{
	struct pairing *p = arg;

	return p->ops.replace(p->ops.arg, data, len, err);
}

void
pairing_begin(struct pairing *p, struct tls_channel *t)
{
	struct session_ops ops;

	pairing_code_over(p);
	p->side = PAIR_SHOWS;
	fill_self(p);
	fill_ops(p, &ops);
	ops.replace = p->ops.replace != NULL ? on_replace : NULL;
	log_info("pair: a node has proved the code");
	waiter_step(&p->shows, PAIR_STEP_CODE, "a node has proved the code", false);
	p->session = session_show(p->loop, &p->self, t, &ops);
}

/* ---- HA_CODE ---------------------------------------------------------------------------------------------------------- */

/* Whether a new pairing may begin; what was in doubt is forgotten. */
static int
need_single(struct pairing *p, struct err *err)
{
	if (p->paired)
		return err_set(err, ERR_CONFLICT,
		    "this node is paired with %s already; \"lbctl ha unpair\" ends that",
		    p->cluster.peer_name);
	if (p->session != NULL)
		return err_set(err, ERR_CONFLICT, "a pairing is under way");
	if (p->fault[0] != '\0')
		return err_set(err, ERR_STORE, "%s", p->fault);
	if (p->doubt)
		log_info("pair: the unfinished pairing with %s is forgotten", p->cluster.peer_name);
	return p->doubt ? pairing_forget(p, err) : 0;
}

void
pairing_code_spent(struct pairing *p, int code, const char *why)
{
	pairing_code_over(p);
	log_warn("pair: %s", why);
	waiter_end(&p->shows, code, why);
}

static void
on_code_end(void *arg)
{
	struct pairing *p = arg;

	must_obj(p, PAIRING_MAGIC);
	pairing_code_spent(
	    p, -ETIMEDOUT, "nobody used the code in time; \"lbctl ha code\" shows a new one");
}

/* false: the port cannot be had; nothing is shown. */
static bool
show_code(struct pairing *p, const struct bus_request *rq, dur_t life)
{
	uint8_t bits[PAIR_CODE_BYTES];
	char text[PAIR_CODE_TEXT], print[FINGERPRINT_TEXT];
	struct msg_ha_code_is m = {
		.until = mono_wall_ms() / 1000 + life / DUR_S(1),
		.port = p->port,
	};

	tls_random_bytes(bits, sizeof(bits));
	tls_code_key(bits, p->key);
	pair_code_format(bits, text);
	fingerprint_format(tls_identity_print(p->me), print);
	m.code = SPAN(text);
	m.fingerprint = SPAN(print);
	p->coded = true;
	p->tries = 0;
	loop_timer_set(&p->code_end, life);
	pairing_listen(p);
	if (p->listening == 0) {
		pairing_code_over(p);
	} else {
		log_info("pair: a one-time code is shown; fingerprint of this node: %s", print);
		(void)bus_reply(rq, MSG_HA_CODE_IS, &m);
	}
	explicit_bzero(bits, sizeof(bits));
	explicit_bzero(text, sizeof(text));
	return p->coded;
}

void
pairing_on_code(struct pairing *p, const struct bus_request *rq, const struct msg_ha_code *m)
{
	struct err err = { 0 };
	dur_t life =
	    m->life > 0 && m->life < PAIR_CODE_LIFE / DUR_S(1) ? DUR_S(m->life) : PAIR_CODE_LIFE;
	int code = need_single(p, &err);

	if (code == 0)
		code = pairing_identity(p, &err);
	if (code != 0) {
		bus_result(rq, code, err.text);
		return;
	}
	waiter_end(&p->shows, ERR_CONFLICT, "another code took the place of this one");
	if (!show_code(p, rq, life))
		bus_result(rq, ERR_CONFLICT,
		    "the pair port cannot be opened: lbd-ha's log says why; \"lbctl set node ha_port=PORT\" takes "
		    "another");
	else if (m->wait)
		waiter_open(&p->shows, rq);
	else
		bus_result(rq, 0, "");
}

/* ---- HA_PAIR, HA_CONFIRM --------------------------------------------------------------------------------------------------- */

static int
take_target(
    const struct msg_ha_pair *m, struct addr *a, uint8_t bits[PAIR_CODE_BYTES], struct err *err)
{
	char text[ADDR_TEXT];

	span_text(m->address, text, sizeof(text));
	if (addr_parse(text, ADDR_HOST, a) != 0 || a->family == 0)
		return err_set(err, ERR_USAGE, "\"%s\" is not an address", text);
	if (!pair_code_parse((const char *)m->code.p, m->code.len, bits))
		return err_set(err, ERR_INVALID,
		    "the code is not four groups of four letters and digits, as 7K2M-0QXD-3VB9-T1ZC");
	return 0;
}

void
pairing_on_pair(struct pairing *p, const struct bus_request *rq, const struct msg_ha_pair *m)
{
	uint8_t bits[PAIR_CODE_BYTES];
	struct session_ops ops;
	struct err err = { 0 };
	struct addr a;
	int code = take_target(m, &a, bits, &err);

	if (code == 0)
		code = need_single(p, &err);
	if (code == 0)
		code = pairing_identity(p, &err);
	if (code != 0) {
		bus_result(rq, code, err.text);
		return;
	}
	if (p->coded)
		pairing_code_spent(p, ERR_CONFLICT, "this node pairs by another's code");
	waiter_open(&p->asks, rq);
	loop_timer_set(&p->watch, LOOK);
	p->side = PAIR_ASKS;
	fill_self(p);
	fill_ops(p, &ops);
	ops.dump = p->ops.dump != NULL ? on_dump : NULL;
	p->session = session_ask(
	    p->loop, &p->self, &a, m->port != 0 ? m->port : PAIR_PORT, bits, m->yes, &ops);
	explicit_bzero(bits, sizeof(bits));
}

void
pairing_on_confirm(struct pairing *p, const struct bus_request *rq, const struct msg_ha_confirm *m)
{
	if (p->session != NULL && p->side == PAIR_ASKS && session_confirm(p->session, m->yes))
		bus_result(rq, 0, "");
	else
		bus_result(rq, ERR_CONFLICT, "no pairing waits to be confirmed");
}

/* ---- HA_UNPAIR ------------------------------------------------------------------------------------------------------------ */

void
pairing_unpaired(struct pairing *p, int code, const char *text)
{
	waiter_end(&p->unpairs, code, text);
}

static void
unpair_here(struct pairing *p, const struct bus_request *rq)
{
	struct err err = { 0 };
	char name[CLUSTER_NAME], text[160];

	(void)snprintf(name, sizeof(name), "%s", p->cluster.peer_name);
	if (pairing_forget(p, &err) != 0) {
		bus_result(rq, err.code, err.text);
		return;
	}
	(void)snprintf(text, sizeof(text),
	    "this node is single again and keeps its configuration%s%s%s",
	    name[0] != '\0' ? "; " : "", name, name[0] != '\0' ? " was not told" : "");
	log_info("pair: %s", text);
	bus_result(rq, 0, text);
}

void
pairing_on_unpair(struct pairing *p, const struct bus_request *rq, const struct msg_ha_unpair *m)
{
	struct msg_peer_unpair ask = { .done = false };
	struct peer_state st = { 0 };
	char text[500];

	if (p->session != NULL) {
		session_stop(p->session, "the node was told to unpair");
	} else if (!p->paired && !p->doubt && p->fault[0] == '\0') {
		bus_result(rq, ERR_UNKNOWN, "this node is not one of a pair");
		return;
	}
	if (m->local) {
		unpair_here(p, rq);
		return;
	}
	if (p->channel != NULL)
		peer_channel_state(p->channel, &st);
	if (!p->paired || !st.up || p->unpairs.open ||
	    peer_channel_send(p->channel, MSG_PEER_UNPAIR, &ask) != 0) {
		(void)snprintf(text, sizeof(text),
		    "%s is not there to be told%s%s; \"lbctl ha unpair --local\" ends the pair on this node only",
		    p->channel != NULL ? p->cluster.peer_name : "the other node",
		    st.fault[0] != '\0' ? ": " : "", st.fault);
		bus_result(rq, ERR_AWAY, text);
		return;
	}
	waiter_open(&p->unpairs, rq);
	p->unpair_end = mono_now() + UNPAIR_WAIT;
	loop_timer_set(&p->watch, LOOK);
}

/* ---- who is still there ------------------------------------------------------------------------------------------------------ */

static void
on_watch(void *arg)
{
	struct pairing *p = arg;

	must_obj(p, PAIRING_MAGIC);
	if (p->asks.open && !bus_request_alive(&p->asks.rq)) {
		p->asks.open = false;
		if (p->session != NULL && p->side == PAIR_ASKS)
			session_stop(p->session, "who asked for the pairing has left");
	}
	if (p->unpairs.open && mono_now() >= p->unpair_end)
		pairing_unpaired(p, -ETIMEDOUT,
		    "the other node does not answer; \"lbctl ha unpair --local\" ends the pair on this node only");
	if (p->asks.open || p->unpairs.open)
		loop_timer_set(&p->watch, LOOK);
}

void
pairing_bus_init(struct pairing *p)
{
	loop_timer_init(&p->code_end, p->loop, on_code_end, p);
	loop_timer_init(&p->watch, p->loop, on_watch, p);
}

void
pairing_bus_fini(struct pairing *p)
{
	if (p->session != NULL)
		session_stop(p->session, "lbd-ha stops");
	waiter_end(&p->shows, ERR_AWAY, "lbd-ha stops");
	waiter_end(&p->unpairs, ERR_AWAY, "lbd-ha stops");
	loop_timer_fini(&p->code_end);
	loop_timer_fini(&p->watch);
}
