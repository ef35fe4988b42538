/* The link to lbd-ha by which persistence outlives this process.
 *
 * lbd-ha sends the seed of the cookies' hash and its mirror of the table, then what the peer learned; this side sends what
 * the workers learned. The first worker with news rings a bell; five milliseconds later the control thread takes all
 * news there are, in batches, of which only a few are on their way at once: the rest waits in the table.
 *
 * At the start the mirror is fetched before any service listens, so that no client is sent elsewhere meanwhile. When
 * lbd-ha is not there then, service begins without it. What clients were given in those first seconds gives way to
 * what the mirror says when it comes: their sessions are where they were before. Later, what was learned here is right.
 *
 * While lbd-ha is away cookies are hashed with a seed of this process; when it brings the right one, what was learned of
 * cookies is lost, once. After a break everything is told again: lbd-ha may be a new one with an old file.
 *
 * Entries of services and servers that the configuration does not have are passed over; the next commit asks for them again. */
#include "share.h"

#include "share_rates.h"

#include "store/snapshot.h"
#include "sys/log.h"

#include "base/mem.h"
#include "control.h"
#include "tls/tls_ctx.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COALESCE DUR_MS(5)
#define AGAIN DUR_MS(100)      /* after lbd-ha could not take or give something */
#define FLYING 4u	       /* batches that lbd-ha has not confirmed */
#define FETCH_EACH DUR_MS(500) /* at the start: so long may nothing come */
#define FETCH_MOST DUR_S(2)
#define RATES_EACH DUR_S(1) /* when keys over a limit are told */
#define YOUNG DUR_S(10)	    /* what was learned without the mirror gives way */

struct share {
	struct control *k;
	struct bus_link *link;
	struct loop_timer drain, ask, rates;
	struct loop *fetch; /* of the start; NULL: it is over */
	struct buf batch;
	struct stick_record rec[STICK_BATCH_MOST];
	unsigned flying;
	bool draining;			    /* the timer is set */
	bool ready;			    /* on this connection: all that lbd-ha has is here */
	bool synced, met, unknown, refused; /* ever; met: lbd-ha was there before */
	unsigned rows;
	uint64_t boot, seq; /* of lbd-ha: what to go on with after a break */
	mono_t born;
};

static void
drain_in(struct share *s, dur_t after)
{
	if (s->draining || s->fetch != NULL)
		return;
	s->draining = true;
	loop_timer_set(&s->drain, after);
}

static void
on_bell(void *arg)
{
	drain_in(arg, COALESCE);
}

/* Any thread. */
static void
bell(void *arg)
{
	struct share *s = arg;

	loop_wake(daemon_loop(s->k->d), on_bell, s);
}

static void
on_confirmed(void *arg, int code, const char *text)
{
	struct share *s = arg;
	bool full = s->flying-- == FLYING;

	if (code != 0 && code != ERR_AWAY && !s->refused)
		log_warn("persistence: lbd-ha refuses it: %s", text);
	s->refused = code != 0 && code != ERR_AWAY;
	if (code == 0 && full)
		drain_in(s, 0);
}

/* One batch of news; false: there is none, or lbd-ha takes none. */
static bool
send_some(struct share *s, bool *more)
{
	struct msg_stick_learned m;
	unsigned n = stick_drain(s->k->px.stick, s->rec, STICK_BATCH_MOST, mono_now(), more);

	if (n == 0)
		return false;
	stick_batch_begin(&s->batch);
	for (unsigned i = 0; i < n; i++)
		(void)stick_batch_put(&s->batch, &s->rec[i]);
	m.batch = (struct span){ s->batch.p, s->batch.len };
	if (bus_link_ask(s->link, MSG_STICK_LEARNED, &m, NULL, on_confirmed, s) == 0) {
		s->flying++;
		return true;
	}
	stick_tell_all(s->k->px.stick); /* what was taken out is not told */
	*more = false;
	drain_in(s, AGAIN);
	return false;
}

static void
on_drain(void *arg)
{
	struct share *s = arg;
	bool more = true;

	s->draining = false;
	if (!s->ready || !bus_link_is_up(s->link))
		return; /* the bell stays rung: the next connection begins with it */
	stick_hear(s->k->px.stick);
	while (more && s->flying < FLYING)
		if (!send_some(s, &more))
			break;
	if (more && s->flying < FLYING)
		drain_in(s, 0); /* a long walk goes on in the next turn */
}

void
share_tell(struct control *k, const struct stick_record *rec, unsigned n)
{
	struct share *s = k->share;
	struct msg_stick_learned m;

	if (n == 0 || s == NULL || !s->ready || !bus_link_is_up(s->link))
		return;
	stick_batch_begin(&s->batch);
	for (unsigned i = 0; i < n; i++)
		(void)stick_batch_put(&s->batch, &rec[i]);
	m.batch = (struct span){ s->batch.p, s->batch.len };
	if (bus_link_ask(s->link, MSG_STICK_LEARNED, &m, NULL, on_confirmed, s) == 0)
		s->flying++;
}

static void
on_rates(void *arg)
{
	struct share *s = arg;

	loop_timer_set(&s->rates, RATES_EACH);
	if (s->ready && s->flying < FLYING)
		share_tell(s->k, s->rec, share_rates_drain(s->k, s->rec));
}

/* ---- what comes from lbd-ha ----------------------------------------------------------------------------- */

/* How long this record may live here; -1: it means nothing here. */
static dur_t
allowed(const struct share *s, const struct stick_record *r)
{
	const struct snapshot *now = daemon_snapshot(s->k->d);
	const struct service *v = snapshot_find(now, KIND_service, r->service);
	const struct server *p = r->value != 0 ? snapshot_find(now, KIND_server, r->value) : NULL;

	if (v == NULL || (r->value != 0 && (p == NULL || p->vip != v->id)))
		return -1;
	return DUR_MS(
	    r->left_ms < v->persist_timeout ? (uint64_t)r->left_ms : (uint64_t)v->persist_timeout);
}

static void
take_batch(struct share *s, struct span bytes)
{
	bool weak = !s->synced && mono_now() - s->born < YOUNG;
	struct stick_record r;
	struct stick_batch in;
	mono_t now = mono_now();

	if (bytes.p == NULL || stick_batch_open(bytes.p, bytes.len, &in) != 0)
		return;
	while (stick_batch_next(&in, &r)) {
		dur_t left = r.kind == STICK_PERSIST ? allowed(s, &r) : 0;

		if (r.kind == STICK_RATE && !share_rates_take(s->k, &r))
			s->unknown = true;
		if (left > 0)
			stick_merge(s->k->px.stick, &r, now, left, weak);
		else if (left < 0 && (r.flags & STICK_GONE) == 0)
			s->unknown = true;
	}
}

static void
on_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct share *s = arg;

	s->rows++;
	if (row->number == MSG_STICK_SEED) {
		stick_agree(s->k->px.stick, m->stick_seed.seed, m->stick_seed.generation,
		    m->stick_seed.stamp);
		share_rates_agree(s->k, m->stick_seed.seed);
		if (s->boot != m->stick_seed.boot)
			s->seq = 0;
		s->boot = m->stick_seed.boot;
		if (m->stick_seed.tickets.len == TLS_TICKET_SECRET)
			tls_ticket_share(m->stick_seed.tickets.p, mono_wall_ms() / 1000);
		return;
	}
	if (row->number != MSG_STICK_SET)
		return;
	take_batch(s, m->stick_set.batch);
	s->seq = m->stick_set.seq;
	if (!m->stick_set.synced)
		return;
	s->ready = s->synced = true;
	if (s->fetch != NULL)
		loop_stop(s->fetch);
	drain_in(s, 0);
}

/* It never ends but when lbd-ha cannot do it, or not yet. */
static void
on_end(void *arg, int code, const char *text)
{
	struct share *s = arg;

	(void)code;
	(void)text;
	s->ready = false;
	if (s->link != NULL)
		loop_timer_set(&s->ask, AGAIN);
}

static void
on_ask(void *arg)
{
	struct share *s = arg;
	const struct msg_stick_follow m = {
		.kinds = 1u << STICK_PERSIST | 1u << STICK_RATE, .boot = s->boot, .seq = s->seq
	};

	if (bus_link_is_up(s->link) &&
	    bus_link_ask(s->link, MSG_STICK_FOLLOW, &m, on_row, on_end, s) != 0)
		loop_timer_set(&s->ask, AGAIN);
}

static void
on_up(void *arg)
{
	struct share *s = arg;

	if (s->met && s->fetch == NULL)
		stick_tell_all(s->k->px.stick);
	s->met = true;
	on_ask(s);
}

static void
on_down(void *arg)
{
	struct share *s = arg;

	s->ready = false;
	loop_timer_cancel(&s->ask);
}

/* Who is active: while lbd-ha is away what it said last counts. */
static void
on_role(void *arg, const struct msg_row *row, const union msg_any *m)
{
	const struct share *s = arg;
	unsigned bit;

	if (row->number != MSG_HA_GROUP || m->ha_group.group > 7)
		return;
	bit = 1u << m->ha_group.group;
	if (m->ha_group.hold)
		atomic_fetch_and(&s->k->px.away, ~bit);
	else
		atomic_fetch_or(&s->k->px.away, bit);
}

static void
connect_in(struct share *s, struct loop *l)
{
	const struct bus_link_ops ops = { .daemon = "lbd-ha",
		.topics = TOPIC_HA,
		.row = on_role,
		.up = on_up,
		.down = on_down,
		.arg = s };

	loop_timer_init(&s->ask, l, on_ask, s);
	s->link = bus_link_new(l, daemon_paths(s->k->d), "lbd-proxy", &ops);
}

static void
disconnect(struct share *s)
{
	struct bus_link *link = s->link;

	s->link = NULL;
	s->ready = false;
	bus_link_free(link);
	loop_timer_fini(&s->ask);
}

/* ---- at the start --------------------------------------------------------------------------------------- */

struct patience {
	struct share *s;
	struct loop_timer timer;
	unsigned rows;
};

static void
on_patience(void *arg)
{
	struct patience *p = arg;

	if (p->s->rows == p->rows || mono_now() - p->s->born > FETCH_MOST) {
		loop_stop(p->s->fetch);
		return;
	}
	p->rows = p->s->rows;
	loop_timer_set(&p->timer, FETCH_EACH);
}

/* Either it runs, or it ran on this node before and may be starting just now, as we are. */
static bool
expected(const struct share *s)
{
	const struct paths *p = daemon_paths(s->k->d);
	char path[300];

	paths_socket(p, "lbd-ha", path);
	if (access(path, F_OK) == 0)
		return true;
	(void)snprintf(path, sizeof(path), "%s/persist.seed", p->state);
	return access(path, F_OK) == 0;
}

/* With a loop of its own: nothing else may happen before. */
static void
fetch(struct share *s)
{
	struct patience p = { .s = s };

	if (!expected(s))
		return;
	s->fetch = loop_new();
	loop_timer_init(&p.timer, s->fetch, on_patience, &p);
	loop_timer_set(&p.timer, FETCH_EACH);
	connect_in(s, s->fetch);
	(void)loop_run(s->fetch);
	disconnect(s);
	loop_timer_fini(&p.timer);
	loop_free(s->fetch);
	s->fetch = NULL;
	if (s->synced && stick_count(s->k->px.stick) > 0)
		log_info("persistence: %u entries from lbd-ha", stick_count(s->k->px.stick));
}

void
share_start(struct control *k)
{
	struct share *s = mem_alloc(sizeof(*s));

	*s = (struct share){ .k = k, .born = mono_now() };
	k->share = s;
	loop_timer_init(&s->drain, daemon_loop(k->d), on_drain, s);
	loop_timer_init(&s->rates, daemon_loop(k->d), on_rates, s);
	loop_timer_set(&s->rates, RATES_EACH);
	fetch(s);
	stick_share(k->px.stick, bell, s);
	s->met = false;
	connect_in(s, daemon_loop(k->d));
}

void
share_again(struct control *k)
{
	struct share *s = mem_alloc(sizeof(*s));

	*s = (struct share){ .k = k, .synced = true, .met = true };
	k->share = s;
	loop_timer_init(&s->drain, daemon_loop(k->d), on_drain, s);
	loop_timer_init(&s->rates, daemon_loop(k->d), on_rates, s);
	loop_timer_set(&s->rates, RATES_EACH);
	stick_share(k->px.stick, bell, s);
	connect_in(s, daemon_loop(k->d)); /* everything is told again then */
}

void
share_all(struct control *k)
{
	if (k->share == NULL)
		return;
	stick_tell_all(k->px.stick);
	drain_in(k->share, COALESCE);
}

/* As if a worker had learned it. */
static void
learn(struct control *k, const struct stick_record *r, dur_t left)
{
	struct stick_key key = { .kind = r->key_kind };

	memcpy(key.b, r->key, sizeof(key.b));
	if ((r->flags & STICK_GONE) != 0)
		(void)stick_clear(k->px.stick, r->service, 0, &key);
	else
		stick_store(k->px.stick, r->service, &key, r->value, mono_now(), left);
}

void
share_bring(struct control *k, const void *p, size_t n, bool news)
{
	struct stick_record r;
	struct stick_batch in;

	if (k->share == NULL || stick_batch_open(p, n, &in) != 0)
		return;
	while (stick_batch_next(&in, &r)) {
		dur_t left = r.kind == STICK_PERSIST ? allowed(k->share, &r) : 0;

		if (left > 0 && news)
			learn(k, &r, left);
		else if (left > 0)
			stick_merge(k->px.stick, &r, mono_now(), left, false);
	}
}

void
share_look(struct control *k)
{
	struct share *s = k->share;

	if (s == NULL || !s->unknown)
		return;
	s->unknown = false;
	s->seq = 0; /* from the beginning */
	disconnect(s);
	connect_in(s, daemon_loop(k->d));
}

void
share_stop(struct control *k)
{
	struct share *s = k->share;
	bool more = true;

	if (s == NULL)
		return;
	stick_hush(k->px.stick);
	for (unsigned i = 0; s->ready && i < FLYING && more; i++)
		(void)send_some(s, &more); /* as much as the socket holds */
	disconnect(s);
	loop_timer_fini(&s->drain);
	loop_timer_fini(&s->rates);
	buf_fini(&s->batch);
	FREE(k->share);
}
