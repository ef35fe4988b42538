/* The two ends of each connection of a server, asked in each other's name (cut.c says why).
 *
 * A client gets a segment from the virtual address, a server one as IPVS would bring it: to its own address (with mode
 * snat from an address and port of this node, which track.c finds out), to the virtual one behind its hardware address,
 * or in a tunnel. All of them leave as frames (way.c).
 *
 * With direct routing and tunnels the reset that a client sends in answer to its server is caught by a packet socket (the
 * tap) and passed on, because IPVS does not bring it to a server that is out of its table. */
#include "conns/ends.h"
#include "conns/segment.h"
#include "conns/track.h"
#include "conns/way.h"

#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <unistd.h>

#define ENDS_MAGIC 0xe2d50000
#define HASH 16384  /* power of two */
#define TAP_TURN 64 /* packets of one turn */
#define SYN_ROUND 2 /* the client is asked by SYN too: some firewalls let nothing else pass */

struct ends {
	uint32_t magic;
	struct loop *loop;
	const struct entries *list;
	struct ways *ways;
	unsigned forward; /* mode_dr, mode_nat, mode_tun or mode_snat */
	struct segment_outer outer;
	int track;  /* mode snat; -1 */
	int tap[2]; /* IPv4, IPv6; -1 */
	struct loop_fd tapped[2];
	uint32_t *head, *next; /* entries by client: index + 1 */
};

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
find_forward(struct ends *x, const struct service *s, const struct server *srv)
{
	bool own = srv->forward == forward_tun;

	x->outer.kind = SEGMENT_PLAIN;
	switch (srv->forward) {
	case forward_dr: x->forward = mode_dr; break;
	case forward_nat: x->forward = mode_nat; break;
	case forward_tun: x->forward = mode_tun; break;
	default: x->forward = s->mode;
	}
	if (x->forward != mode_tun)
		return;
	x->outer.kind = own ? tunnel_kind(srv->tunnel, srv->tunnel_csum)
			    : tunnel_kind(s->tunnel, s->tunnel_csum);
	x->outer.port = own ? srv->tunnel_port : s->tunnel_port;
}

/* ---- asking ---------------------------------------------------------------------------------------- */

/* What IPVS would bring to the server, brought there past it. */
static void
to_server(struct ends *x, const struct entry *e, uint8_t flags, uint32_t seq, uint32_t ack)
{
	bool direct = x->forward == mode_dr || x->forward == mode_tun;
	struct segment s = { .from = e->client,
		.from_port = e->client_port,
		.to = direct ? e->virtual : e->real,
		.to_port = direct ? e->virtual_port : e->real_port,
		.flags = flags,
		.seq = seq,
		.ack = ack };
	uint8_t packet[SEGMENT_MAX];
	size_t len;

	if (x->forward == mode_snat && track_find(x->track, e, &s.from, &s.from_port) != 0)
		return;
	if (s.from.family != s.to.family)
		return;
	len = segment_put(packet, &s);
	if (x->forward == mode_tun) {
		x->outer.to = e->real;
		if (ways_source(x->ways, &e->real, &x->outer.from) != 0)
			return;
		len = segment_wrap(packet, len, &x->outer);
	}
	(void)ways_send(x->ways, &e->real, packet, len);
}

static void
to_client(struct ends *x, const struct entry *e, uint8_t flags, uint32_t seq, uint32_t ack)
{
	const struct segment s = { .from = e->virtual,
		.from_port = e->virtual_port,
		.to = e->client,
		.to_port = e->client_port,
		.flags = flags,
		.seq = seq,
		.ack = ack };
	uint8_t packet[SEGMENT_MAX];

	(void)ways_send(x->ways, &e->client, packet, segment_put(packet, &s));
}

void
ends_ask(struct ends *x, uint32_t i, unsigned round)
{
	const struct entry *e = &x->list->e[i];
	const uint32_t far = 0x80000000u;
	uint32_t lot[2] = { 0, 0 };

	/* One of two numbers that are half the circle apart is outside of any window. */
	(void)!getrandom(lot, sizeof(lot), 0);
	if (round == SYN_ROUND)
		to_client(x, e, SEGMENT_SYN | SEGMENT_ACK, lot[0], lot[1]);
	to_client(x, e, SEGMENT_ACK, lot[0], lot[1]);
	to_client(x, e, SEGMENT_ACK, lot[0] + far, lot[1]);
	if (round == 0 && (x->forward == mode_dr || x->forward == mode_tun))
		return; /* its client must be gone first */
	to_server(x, e, SEGMENT_ACK, lot[1], lot[0]);
	to_server(x, e, SEGMENT_ACK, lot[1] + far, lot[0]);
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
index_entries(struct ends *x)
{
	x->head = mem_alloc(HASH * sizeof(*x->head));
	x->next = mem_alloc((x->list->n + 1) * sizeof(*x->next));
	for (uint32_t i = 0; i < x->list->n; i++) {
		uint32_t h = hash_of(&x->list->e[i].client, x->list->e[i].client_port);

		x->next[i] = x->head[h];
		x->head[h] = i + 1;
	}
}

static void
pass_on(struct ends *x, const uint8_t *p, size_t len)
{
	struct segment s;

	if (!segment_take(p, len, &s) || (s.flags & SEGMENT_RST) == 0)
		return;
	for (uint32_t i = x->head[hash_of(&s.from, s.from_port)]; i != 0; i = x->next[i - 1]) {
		const struct entry *e = &x->list->e[i - 1];

		if (e->client_port == s.from_port && e->virtual_port == s.to_port &&
		    addr_same_host(&e->client, &s.from) && addr_same_host(&e->virtual, &s.to))
			to_server(x, e, s.flags & (SEGMENT_RST | SEGMENT_ACK), s.seq, s.ack);
	}
}

static void
on_tap(void *arg, unsigned ready)
{
	struct ends *x = arg;
	uint8_t p[128];

	(void)ready;
	must_obj(x, ENDS_MAGIC);
	for (unsigned f = 0; f < 2; f++) {
		for (unsigned i = 0; x->tap[f] != -1 && i < TAP_TURN; i++) {
			ssize_t n = recv(x->tap[f], p, sizeof(p), MSG_DONTWAIT);

			if (n <= 0)
				break;
			pass_on(x, p, (size_t)n);
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
begin_tap(struct ends *x)
{
	bool need[2] = { false, false };

	if (x->forward == mode_nat || x->forward == mode_snat)
		return;
	for (uint32_t i = 0; i < x->list->n; i++)
		need[x->list->e[i].client.family == 6] = true;
	index_entries(x);
	for (unsigned f = 0; f < 2; f++) {
		if (!need[f] || (x->tap[f] = open_tap(f == 1)) == -1)
			continue;
		loop_fd_init(&x->tapped[f], x->loop, x->tap[f], on_tap, x);
		loop_fd_want(&x->tapped[f], LOOP_READ);
	}
}

static void
end_tap(struct ends *x)
{
	for (unsigned f = 0; f < 2; f++) {
		if (x->tap[f] == -1)
			continue;
		loop_fd_fini(&x->tapped[f]);
		(void)close(x->tap[f]);
		x->tap[f] = -1;
	}
	FREE(x->head);
	FREE(x->next);
}

/* ---- the whole ------------------------------------------------------------------------------------- */

void
entries_add(struct entries *l, const struct entry *e)
{
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 64 : l->cap * 2;
		l->e = mem_grow(l->e, l->cap * sizeof(*l->e));
	}
	l->e[l->n++] = *e;
}

void
entries_fini(struct entries *l)
{
	free(l->e);
	*l = (struct entries){ 0 };
}

int
ends_open(struct loop *l, const struct service *s, const struct server *srv,
    const struct entries *list, struct ends **out, struct err *err)
{
	struct ends *x = mem_alloc(sizeof(*x));
	int rc = ways_open(&x->ways, err);

	if (rc != 0) {
		free(x);
		return rc;
	}
	x->magic = ENDS_MAGIC;
	x->loop = l;
	x->list = list;
	x->tap[0] = x->tap[1] = -1;
	find_forward(x, s, srv);
	x->track = x->forward == mode_snat ? track_open() : -1;
	begin_tap(x);
	*out = x;
	return 0;
}

void
ends_again(struct ends *x)
{
	ways_forget(x->ways);
}

void
ends_close(struct ends *x)
{
	if (x == NULL)
		return;
	must_obj(x, ENDS_MAGIC);
	end_tap(x);
	if (x->track >= 0)
		(void)close(x->track);
	ways_close(x->ways);
	x->magic = 0;
	free(x);
}
