/* Cutting: the reset of a connection must carry the very next sequence number, and nobody here knows it. So each end is
 * made to say it.
 *
 *   1 walk     the TCP connections of the server, as the kernel lists them
 *   2 rules    both directions into the sets of packet/: from now on a segment of theirs is answered by a reset, whose
 *              number is right because it is taken from the segment's acknowledgement, and goes no further
 *   3 ask      each end gets segments in the name of the other that it must answer (RFC 9293 section 3.10.7.4: one that
 *              lies outside the window, with an acknowledgement; RFC 5961 section 4: SYN in a connection, likewise).
 *              Its answer passes here: see 2
 *   4 forget   the kernel's entries go too (forget.c), so a client may use its port again
 *
 * A client's packets always pass here. A server's do with address translation. With direct routing and tunnels a
 * server's answer goes straight to the client, whose socket is gone by then: it says so with a reset, of the right number
 * again, to the virtual address, that is to here, and ends.c passes it on.
 *
 * Asking is done in ROUNDS, because an end may be slow, a neighbour unknown, a segment lost; the client is always first.
 * An end that is dead needs nothing. UDP has nothing to reset. */
#include "conns/cut.h"
#include "conns/ends.h"
#include "conns/forget.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/must.h"
#include "sys/log.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CUT_MAGIC 0xc07c0700
#define CUT_MOST 32768 /* connections at a time; the others follow */
#define TURN 256       /* connections asked in one turn */
#define TURN_REST DUR_MS(1)
#define END_REST DUR_MS(700) /* from the last question until the entries go */

static const dur_t rounds[] = { 0, DUR_MS(250), DUR_MS(750), DUR_MS(2000) };
#define ROUNDS ARRAY_LEN(rounds)

struct cut {
	uint32_t magic;
	struct list link;
	struct cuts *all;
	struct index *index;
	uint32_t server;
	char why[120];
	struct walk *walk;
	struct entries entries;
	bool more;	     /* there were too many for one time */
	bool ruling, orphan; /* packet/ will call back; it is all that this one still waits for */
	struct loop_timer timer;
	unsigned round;
	uint32_t at;
	struct ends *ends;
};
struct count {
	uint32_t server;
	uint64_t n;
};
struct cuts {
	struct loop *loop;
	struct walks *walks;
	struct forget *forget;
	struct packet *packet;
	struct list all;
	uint32_t n; /* of count, in order of server */
	struct count *count;
};

/* ---- counts ------------------------------------------------------------------------------------ */

static uint32_t
count_at(const struct cuts *c, uint32_t server)
{
	uint32_t lo = 0, hi = c->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (c->count[mid].server < server)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint64_t
cuts_total(const struct cuts *c, uint32_t server)
{
	uint32_t at = count_at(c, server);

	return at < c->n && c->count[at].server == server ? c->count[at].n : 0;
}

static void
count_add(struct cuts *c, uint32_t server, uint64_t n)
{
	uint32_t at = count_at(c, server);

	if (at == c->n || c->count[at].server != server) {
		c->count = mem_grow(c->count, (c->n + 1) * sizeof(*c->count));
		memmove(c->count + at + 1, c->count + at, (c->n - at) * sizeof(*c->count));
		c->count[at] = (struct count){ .server = server };
		c->n++;
	}
	c->count[at].n += n;
}

void
cuts_apply(struct cuts *c, const struct snapshot *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n; i++)
		if (snapshot_find(s, KIND_server, c->count[i].server) != NULL)
			c->count[n++] = c->count[i];
	c->n = n;
}

/* ---- one cut, step by step -------------------------------------------------------------------------------- */

static void
cut_free(struct cut *k)
{
	list_del(&k->link);
	loop_timer_fini(&k->timer);
	ends_close(k->ends);
	walk_free(k->walk);
	entries_fini(&k->entries);
	index_unref(k->index);
	k->magic = 0;
	free(k);
}

static void begin_walk(struct cut *k);

static void
on_forgotten(void *arg, const struct err *err)
{
	struct cut *k = arg;

	must_obj(k, CUT_MAGIC);
	if (err->code != 0)
		log_warn(
		    "server %u: entries of its cut connections stay until their time is over: %s",
		    k->server, err->text);
	if (k->more && err->code == 0)
		begin_walk(k);
	else
		cut_free(k);
}

static void
forget_entries(struct cut *k)
{
	struct sync_list l = { 0 };

	for (uint32_t i = 0; i < k->entries.n; i++)
		(void)sync_add(
		    &l, &k->entries.e[i], FORGET_LEFT_S); /* between families: time does it */
	entries_fini(&k->entries);
	forget_these(k->all->forget, &l, on_forgotten, k);
}

static void
on_turn(void *arg)
{
	struct cut *k = arg;

	must_obj(k, CUT_MAGIC);
	if (k->round == ROUNDS) {
		ends_close(k->ends);
		k->ends = NULL;
		forget_entries(k);
		return;
	}
	if (k->at == 0)
		ends_again(k->ends);
	for (unsigned i = 0; i < TURN && k->at < k->entries.n; i++)
		ends_ask(k->ends, k->at++, k->round);
	if (k->at < k->entries.n) {
		loop_timer_set(&k->timer, TURN_REST);
		return;
	}
	k->at = 0;
	k->round++;
	loop_timer_set(&k->timer, k->round == ROUNDS ? END_REST : rounds[k->round]);
}

static void
on_rules(void *arg, int code)
{
	struct cut *k = arg;
	struct snapshot *snap;
	const struct server *srv;
	struct err err = { 0 };
	char path[160];

	must_obj(k, CUT_MAGIC);
	k->ruling = false;
	if (k->orphan) {
		cut_free(k);
		return;
	}
	snap = index_snapshot(k->index);
	srv = snapshot_find(snap, KIND_server, k->server);
	(void)snapshot_path(snap, KIND_server, k->server, path);
	if (code != 0)
		(void)err_set(&err, code, "the packet rules are not in force: %s", strerror(-code));
	else
		code = ends_open(k->all->loop, snapshot_find(snap, KIND_service, srv->vip), srv,
		    &k->entries, &k->ends, &err);
	if (code != 0) {
		log_warn("server %s: %u connections are not cut: %s", path, k->entries.n, err.text);
		cut_free(k);
		return;
	}
	log_info("server %s: %u connections cut: %s", path, k->entries.n, k->why);
	count_add(k->all, k->server, k->entries.n);
	k->round = 0;
	k->at = 0;
	loop_timer_set(&k->timer, 0);
}

static void
put_rules(struct cut *k)
{
	struct packet_flow *flows = mem_alloc(2 * (size_t)k->entries.n * sizeof(*flows));

	for (uint32_t i = 0; i < k->entries.n; i++) {
		const struct entry *e = &k->entries.e[i];

		flows[2 * i] = (struct packet_flow){ .from = e->client,
			.to = e->virtual,
			.from_port = e->client_port,
			.to_port = e->virtual_port };
		flows[2 * i + 1] = (struct packet_flow){ .from = e->real,
			.to = e->client,
			.from_port = e->real_port,
			.to_port = e->client_port };
	}
	k->ruling = true;
	packet_cut(k->all->packet, flows, 2 * k->entries.n, on_rules, k);
	free(flows);
}

/* Connections that an end still has. */
static bool
worth_it(const struct entry *e)
{
	static const char *const over[] = { "NONE", "TIME_WAIT", "CLOSE", "LISTEN" };

	if (e->protocol != IPPROTO_TCP || e->client.family != e->real.family)
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(over); i++)
		if (strcasecmp(e->state, over[i]) == 0)
			return false;
	return true;
}

static void
on_walk(void *arg)
{
	struct cut *k = arg;
	const struct walk_row *r;
	int code = 0;

	must_obj(k, CUT_MAGIC);
	while (k->entries.n < CUT_MOST && (r = walk_next(k->walk)) != NULL)
		if (worth_it(&r->e))
			entries_add(&k->entries, &r->e);
	k->more = k->entries.n == CUT_MOST;
	if (!k->more && !walk_ended(k->walk, &code))
		return;
	walk_free(k->walk);
	k->walk = NULL;
	if (code != 0)
		log_warn("server %u: its connections cannot be read and are not cut: %s", k->server,
		    strerror(-code));
	if (k->entries.n == 0)
		cut_free(k);
	else
		put_rules(k);
}

static void
begin_walk(struct cut *k)
{
	const struct walk_want want = { .kinds = WALK_CONNECTIONS, .server = k->server };
	const struct walk_ops ops = { .more = on_walk, .arg = k };

	k->walk = walk_new(k->all->walks, k->index, &want, &ops);
}

void
cuts_begin(struct cuts *c, struct index *ix, uint32_t server, const char *why)
{
	struct list *it;
	struct cut *k;

	if (snapshot_find(index_snapshot(ix), KIND_server, server) == NULL)
		return;
	list_each(it, &c->all)
	{
		k = container_of(it, struct cut, link);
		if (k->server == server)
			return;
	}
	k = mem_alloc(sizeof(*k));
	k->magic = CUT_MAGIC;
	k->all = c;
	k->index = index_ref(ix);
	k->server = server;
	(void)snprintf(k->why, sizeof(k->why), "%s", why);
	loop_timer_init(&k->timer, c->loop, on_turn, k);
	list_push(&c->all, &k->link);
	begin_walk(k);
}

struct cuts *
cuts_new(struct loop *l, struct walks *ws, struct forget *f, struct packet *p)
{
	struct cuts *c = mem_alloc(sizeof(*c));

	*c = (struct cuts){ .loop = l, .walks = ws, .forget = f, .packet = p };
	list_init(&c->all);
	return c;
}

void
cuts_free(struct cuts *c)
{
	if (c == NULL)
		return;
	while (!list_empty(&c->all)) {
		struct cut *k = container_of(c->all.next, struct cut, link);

		k->orphan = k->ruling;
		if (k->orphan)
			list_del(&k->link);
		else
			cut_free(k);
	}
	free(c->count);
	free(c);
}
