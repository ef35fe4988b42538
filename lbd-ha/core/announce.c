/* announce.c - rounds over the addresses of a group.
 *
 * The first round of an order is the take-over itself: every client waits for it, so it goes out as fast as the port
 * takes it, TURN_FIRST addresses a turn of the core so that heartbeats are never kept waiting. The rounds after it make
 * good for losses and are paced (TURN_PACED each PAUSE: at most 2,000 a second), as switches and neighbours drop what
 * comes in a burst. Then one round each `refresh`, for neighbours that were away.
 *
 * An IPv4 address is told by a request and by a reply: some neighbours learn from one kind, some from the other. */
#include "core/announce.h"

#include "frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURN_FIRST 256
#define TURN_PACED 20
#define PAUSE DUR_MS(10)
#define BATCH 32
#define SECOND_ROUND DUR_MS(50)

int
announce_open(struct announce *a)
{
	memset(a, 0, sizeof(*a));
	a->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return a->fd == -1 ? -errno : 0;
}

void
announce_close(struct announce *a)
{
	if (a->fd != -1)
		(void)close(a->fd);
	a->fd = -1;
}

void
announce_order(struct announce *a, const struct shared_want *w, unsigned group, mono_t now)
{
	a->g[group] = (struct announce_group){
		.on = w->announce > 0,
		.left = w->announce > 0 ? w->announce - 1 : 0,
		.first = true,
		.next = now,
	};
}

void
announce_once(struct announce *a, unsigned group, mono_t now)
{
	a->g[group] = (struct announce_group){
		.on = true,
		.first = true,
		.once = true,
		.next = now,
	};
}

void
announce_cancel(struct announce *a, unsigned group)
{
	a->g[group].on = false;
}

struct burst {
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_ll to[BATCH];
	uint8_t bytes[BATCH][FRAME_MAX];
	unsigned n;
};

static void
send_burst(struct announce *a, struct burst *b)
{
	unsigned at = 0;

	while (at < b->n) {
		int n = sendmmsg(a->fd, b->msg + at, b->n - at, MSG_DONTWAIT);

		if (n <= 0) {
			a->failed++;
			at++; /* this one cannot be told; the others can */
			continue;
		}
		a->sent += (unsigned)n;
		at += (unsigned)n;
	}
	b->n = 0;
}

static void
add_frame(struct burst *b, const struct shared_addr *s, size_t len)
{
	unsigned i = b->n++;

	b->iov[i] = (struct iovec){ b->bytes[i], len };
	b->to[i] = (struct sockaddr_ll){
		.sll_family = AF_PACKET,
		.sll_protocol = htons(s->addr.family == 4 ? ETH_P_ARP : ETH_P_IPV6),
		.sll_ifindex = s->index,
		.sll_halen = 6,
	};
	memcpy(b->to[i].sll_addr, b->bytes[i], 6);
	b->msg[i] = (struct mmsghdr){ .msg_hdr = {
					  .msg_name = &b->to[i],
					  .msg_namelen = sizeof(b->to[i]),
					  .msg_iov = &b->iov[i],
					  .msg_iovlen = 1,
				      } };
}

static void
tell(struct announce *a, struct burst *b, const struct shared_addr *s)
{
	if (b->n + 2 > BATCH)
		send_burst(a, b);
	if (s->addr.family == 6) {
		add_frame(b, s, frame_na(b->bytes[b->n], s->mac, &s->addr, true));
		return;
	}
	add_frame(b, s, frame_arp(b->bytes[b->n], s->mac, &s->addr, false));
	add_frame(b, s, frame_arp(b->bytes[b->n], s->mac, &s->addr, true));
}

/* A round is over: is there another one, and when? */
static void
end_round(struct announce_group *g, const struct shared_want *w, mono_t now)
{
	g->at = 0;
	if (g->left > 0) {
		g->left--;
		g->next = now + (g->first && w->announce_gap > SECOND_ROUND ? SECOND_ROUND
									    : w->announce_gap);
	} else if (w->refresh > 0 && !g->once) {
		g->next = now + w->refresh;
	} else {
		g->on = false;
	}
	g->first = false;
}

static void
turn(struct announce *a, const struct shared_want *w, unsigned group, mono_t now)
{
	struct announce_group *g = &a->g[group];
	unsigned most = g->first ? TURN_FIRST : TURN_PACED, n = 0;
	struct burst b;

	b.n = 0;
	while (g->at < w->n && n < most) {
		const struct shared_addr *s = &w->a[g->at++];

		if (s->group != group || !s->tell)
			continue;
		tell(a, &b, s);
		n++;
	}
	send_burst(a, &b);
	if (g->at >= w->n)
		end_round(g, w, now);
	else
		g->next = g->first ? now : now + PAUSE;
}

void
announce_turn(struct announce *a, const struct shared_want *w, mono_t now)
{
	for (unsigned i = 0; a->fd != -1 && i < SHARED_SETS; i++)
		if (a->g[i].on && a->g[i].next <= now)
			turn(a, w, i, now);
}

mono_t
announce_deadline(const struct announce *a)
{
	mono_t at = ANNOUNCE_NEVER;

	for (unsigned i = 0; a->fd != -1 && i < SHARED_SETS; i++)
		if (a->g[i].on && a->g[i].next < at)
			at = a->g[i].next;
	return at;
}
