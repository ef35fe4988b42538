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
 * again, to the virtual address, that is to here. The kernel would not bring it to a server that was taken out of its
 * table, so it is caught by a packet socket (the tap) and passed on. All that is sent in another's name leaves as frames (way.c).
 *
 * Asking is done in ROUNDS, because an end may be slow, a neighbour unknown, a segment lost; the client is always first.
 * An end that is dead needs nothing. The server's end of mode snat cannot be asked here, because only
 * connection tracking knows the port it sees; it is reset when it sends. UDP has nothing to reset. */
#include "conns/cut.h"
#include "conns/segment.h"
#include "conns/way.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/must.h"
#include "sys/log.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#define CUT_MAGIC 0xc07c0700
#define CUT_MOST 32768 /* connections at a time; the others follow */
#define TURN 256       /* connections asked in one turn */
#define TURN_REST DUR_MS(1)
#define END_REST DUR_MS(700) /* from the last question until the entries go */
#define HASH 16384	     /* power of two */
#define TAP_TURN 64	     /* packets of one turn */

static const dur_t rounds[] = { 0, DUR_MS(250), DUR_MS(750), DUR_MS(2000) };
#define ROUNDS ARRAY_LEN(rounds)
#define SYN_ROUND 2 /* the client is asked by SYN too: some firewalls let nothing else pass */

struct cut {
	uint32_t magic;
	struct list link;
	struct cuts *all;
	struct index *index;
	uint32_t server, service;
	char why[120];
	struct walk *walk;
	struct entries entries;
	bool more; /* there were too many for one time */
	struct loop_timer timer;
	unsigned round;
	uint32_t at, told;
	struct ways *ways;
	enum mode forward; /* mode_dr, mode_nat, mode_tun or mode_snat */
	struct segment_outer outer;
	int tap[2]; /* IPv4, IPv6; -1 */
	struct loop_fd tapped[2];
	uint32_t *head, *next; /* entries by client: index + 1 */
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

/* ---- how the server is reached ------------------------------------------------------------------- */

static enum segment_tunnel
tunnel_kind(unsigned tunnel, unsigned csum)
{
	if (tunnel == tunnel_gue)
		return SEGMENT_GUE;
	if (tunnel == tunnel_gre)
		return csum == checksum_none ? SEGMENT_GRE : SEGMENT_GRE_CSUM;
	return SEGMENT_IPIP;
}

static void
find_forward(struct cut *k, const struct service *s, const struct server *srv)
{
	bool own = srv->forward == forward_tun;

	k->outer.kind = SEGMENT_PLAIN;
	switch (srv->forward) {
	case forward_dr: k->forward = mode_dr; break;
	case forward_nat: k->forward = mode_nat; break;
	case forward_tun: k->forward = mode_tun; break;
	default: k->forward = s->mode;
	}
	if (k->forward != mode_tun)
		return;
	k->outer.kind = own ? tunnel_kind(srv->tunnel, srv->tunnel_csum)
			    : tunnel_kind(s->tunnel, s->tunnel_csum);
	k->outer.port = own ? srv->tunnel_port : s->tunnel_port;
}

/* ---- asking ---------------------------------------------------------------------------------------- */

/* What IPVS would bring to the server, brought there past it. */
static void
to_server(struct cut *k, const struct entry *e, uint8_t flags, uint32_t seq, uint32_t ack)
{
	bool nat = k->forward == mode_nat;
	const struct segment s = { .from = e->client,
		.from_port = e->client_port,
		.to = nat ? e->real : e->virtual,
		.to_port = nat ? e->real_port : e->virtual_port,
		.flags = flags,
		.seq = seq,
		.ack = ack };
	uint8_t packet[SEGMENT_MAX];
	size_t len;

	if (k->forward == mode_snat || s.from.family != s.to.family)
		return;
	len = segment_put(packet, &s);
	if (k->forward == mode_tun) {
		k->outer.to = e->real;
		if (ways_source(k->ways, &e->real, &k->outer.from) != 0)
			return;
		len = segment_wrap(packet, len, &k->outer);
	}
	(void)ways_send(k->ways, &e->real, packet, len);
}

static void
to_client(struct cut *k, const struct entry *e, uint8_t flags, uint32_t seq, uint32_t ack)
{
	const struct segment s = { .from = e->virtual,
		.from_port = e->virtual_port,
		.to = e->client,
		.to_port = e->client_port,
		.flags = flags,
		.seq = seq,
		.ack = ack };
	uint8_t packet[SEGMENT_MAX];

	(void)ways_send(k->ways, &e->client, packet, segment_put(packet, &s));
}

/* One of two numbers that are half the circle apart is outside of any window. */
static void
ask_both(struct cut *k, const struct entry *e)
{
	const uint32_t far = 0x80000000u;
	uint32_t lot[2] = { 0, 0 };

	(void)!getrandom(lot, sizeof(lot), 0);
	if (k->round == SYN_ROUND)
		to_client(k, e, SEGMENT_SYN | SEGMENT_ACK, lot[0], lot[1]);
	to_client(k, e, SEGMENT_ACK, lot[0], lot[1]);
	to_client(k, e, SEGMENT_ACK, lot[0] + far, lot[1]);
	if (k->round == 0 && k->forward != mode_nat)
		return; /* its client must be gone first */
	to_server(k, e, SEGMENT_ACK, lot[1], lot[0]);
	to_server(k, e, SEGMENT_ACK, lot[1] + far, lot[0]);
}

/* ---- catching resets of clients ----------------------------------------------------------------------- */

static uint32_t
hash_of(const struct addr *client, uint16_t port)
{
	uint32_t h = 2166136261u;

	for (unsigned i = 0; i < 16; i++)
		h = (h ^ client->b[i]) * 16777619u;
	h = (h ^ port) * 16777619u;
	return (h ^ h >> 15) & (HASH - 1);
}

static void
index_entries(struct cut *k)
{
	k->head = mem_alloc(HASH * sizeof(*k->head));
	k->next = mem_alloc((k->entries.n + 1) * sizeof(*k->next));
	for (uint32_t i = 0; i < k->entries.n; i++) {
		uint32_t h = hash_of(&k->entries.e[i].client, k->entries.e[i].client_port);

		k->next[i] = k->head[h];
		k->head[h] = i + 1;
	}
}

static void
pass_on(struct cut *k, const uint8_t *p, size_t len)
{
	struct segment s;

	if (!segment_take(p, len, &s) || (s.flags & SEGMENT_RST) == 0)
		return;
	for (uint32_t i = k->head[hash_of(&s.from, s.from_port)]; i != 0; i = k->next[i - 1]) {
		const struct entry *e = &k->entries.e[i - 1];

		if (e->client_port == s.from_port && e->virtual_port == s.to_port &&
		    addr_same_host(&e->client, &s.from) && addr_same_host(&e->virtual, &s.to))
			to_server(k, e, s.flags & (SEGMENT_RST | SEGMENT_ACK), s.seq, s.ack);
	}
}

static void
on_tap(void *arg, unsigned ready)
{
	struct cut *k = arg;
	uint8_t p[128];

	(void)ready;
	must_obj(k, CUT_MAGIC);
	for (unsigned f = 0; f < 2; f++) {
		for (unsigned i = 0; k->tap[f] != -1 && i < TAP_TURN; i++) {
			ssize_t n = recv(k->tap[f], p, sizeof(p), MSG_DONTWAIT);

			if (n <= 0)
				break;
			pass_on(k, p, (size_t)n);
		}
	}
}

/* A packet socket for TCP segments with the reset flag; from the IP header on. */
static int
open_tap(bool v6)
{
	/* protocol TCP, no later fragment, flags of TCP behind the options of IP */
	static struct sock_filter four[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 6),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 4, 0),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 13),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, SEGMENT_RST, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 128),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	static struct sock_filter six[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 40 + 13),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, SEGMENT_RST, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 128),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog filter = { .len = (unsigned short)(v6 ? ARRAY_LEN(six)
								      : ARRAY_LEN(four)),
		.filter = v6 ? six : four };
	struct sockaddr_ll ll = { .sll_family = AF_PACKET,
		.sll_protocol = htons(v6 ? ETH_P_IPV6 : ETH_P_IP) };
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd != -1 &&
	    (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == -1 ||
		bind(fd, (struct sockaddr *)&ll, sizeof(ll)) == -1)) {
		(void)close(fd);
		fd = -1;
	}
	return fd;
}

static void
begin_tap(struct cut *k)
{
	bool need[2] = { false, false };

	if (k->forward == mode_nat || k->forward == mode_snat)
		return;
	for (uint32_t i = 0; i < k->entries.n; i++)
		need[k->entries.e[i].client.family == 6] = true;
	index_entries(k);
	for (unsigned f = 0; f < 2; f++) {
		if (!need[f] || (k->tap[f] = open_tap(f == 1)) == -1)
			continue;
		loop_fd_init(&k->tapped[f], k->all->loop, k->tap[f], on_tap, k);
		loop_fd_want(&k->tapped[f], LOOP_READ);
	}
}

static void
end_tap(struct cut *k)
{
	for (unsigned f = 0; f < 2; f++) {
		if (k->tap[f] == -1)
			continue;
		loop_fd_fini(&k->tapped[f]);
		(void)close(k->tap[f]);
		k->tap[f] = -1;
	}
	FREE(k->head);
	FREE(k->next);
}

/* ---- one cut, step by step -------------------------------------------------------------------------------- */

static void
cut_free(struct cut *k)
{
	list_del(&k->link);
	loop_timer_fini(&k->timer);
	end_tap(k);
	walk_free(k->walk);
	ways_close(k->ways);
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
on_turn(void *arg)
{
	struct cut *k = arg;

	must_obj(k, CUT_MAGIC);
	if (k->round == ROUNDS) {
		end_tap(k);
		forget_these(k->all->forget, &k->entries, on_forgotten, k);
		return;
	}
	if (k->at == 0)
		ways_forget(k->ways);
	for (unsigned i = 0; i < TURN && k->at < k->entries.n; i++)
		ask_both(k, &k->entries.e[k->at++]);
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
	struct err err = { 0 };
	char path[160];

	must_obj(k, CUT_MAGIC);
	(void)snapshot_path(index_snapshot(k->index), KIND_server, k->server, path);
	if (code == 0 && k->ways == NULL)
		code = ways_open(&k->ways, &err);
	else if (code != 0)
		(void)err_set(&err, code, "the packet rules are not in force: %s", strerror(-code));
	if (code != 0) {
		log_warn("server %s: %u connections are not cut: %s", path, k->entries.n, err.text);
		cut_free(k);
		return;
	}
	log_info("server %s: %u connections cut: %s", path, k->entries.n, k->why);
	count_add(k->all, k->server, k->entries.n);
	begin_tap(k);
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
	const struct server *srv = snapshot_find(index_snapshot(ix), KIND_server, server);
	const struct service *s =
	    srv != NULL ? snapshot_find(index_snapshot(ix), KIND_service, srv->vip) : NULL;
	struct list *it;
	struct cut *k;

	if (s == NULL)
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
	k->service = s->id;
	k->tap[0] = k->tap[1] = -1;
	(void)snprintf(k->why, sizeof(k->why), "%s", why);
	find_forward(k, s, srv);
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
	while (!list_empty(&c->all))
		cut_free(container_of(c->all.next, struct cut, link));
	free(c->count);
	free(c);
}
