/* Routes and neighbours, asked of the kernel one by one (rtnetlink), and packets sent by their hardware address.
 *
 * A packet in the name of somebody else would be changed or dropped on the ordinary way out: IPVS takes what goes to a
 * virtual address, connection tracking gives it another source. So it leaves by a packet socket, as a frame.
 *
 * The last answers are remembered for a while, by host: the owner says when to forget. When a neighbour is not known yet,
 * an empty datagram to its discard port makes the kernel ask for it. */
#include "conns/way.h"

#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#define KNOWN 256 /* hosts; power of two */
#define DISCARD_PORT 9
#define ANSWER 4096

struct way {
	struct addr to, next, source;
	int index,
	    code; /* code: what ways_send returns before anything is sent; 1: not asked yet */
	uint8_t mac_len, mac[8];
};
struct ways {
	int packet, route, v4; /* v4: any socket, for questions about interfaces */
	uint32_t seq;
	struct way known[KNOWN];
};

struct question {
	struct nlmsghdr h;
	union {
		struct rtmsg route;
		struct ndmsg neighbour;
	} u;
	uint8_t attributes[64];
};

static void
put_address(struct question *q, size_t fixed, unsigned type, const struct addr *a)
{
	size_t n = a->family == 6 ? 16 : 4;
	struct rtattr *at;

	q->h.nlmsg_len = NLMSG_ALIGN(NLMSG_LENGTH(fixed));
	at = (struct rtattr *)(void *)((char *)q + q->h.nlmsg_len);
	at->rta_type = (unsigned short)type;
	at->rta_len = (unsigned short)RTA_LENGTH(n);
	memcpy(RTA_DATA(at), a->b, n);
	q->h.nlmsg_len += (uint32_t)RTA_ALIGN(at->rta_len);
}

/* The one message that answers; its length, or -errno. */
static ssize_t
ask(struct ways *w, struct question *q, char answer[ANSWER])
{
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)answer;
	ssize_t n;

	q->h.nlmsg_flags = NLM_F_REQUEST;
	q->h.nlmsg_seq = ++w->seq;
	if (send(w->route, q, q->h.nlmsg_len, 0) == -1)
		return -errno;
	do {
		n = recv(w->route, answer, ANSWER, 0);
	} while (n >= (ssize_t)sizeof(*h) && h->nlmsg_seq != w->seq);
	if (n == -1)
		return -errno;
	if (n < (ssize_t)sizeof(*h) || !NLMSG_OK(h, (size_t)n))
		return -EBADMSG;
	if (h->nlmsg_type == NLMSG_ERROR) {
		struct nlmsgerr *e = NLMSG_DATA(h);

		if (n < (ssize_t)NLMSG_LENGTH(sizeof(*e)) || e->error == 0)
			return -EBADMSG;
		return e->error;
	}
	return n;
}

static void
take_address(struct rtattr *at, struct addr *out)
{
	size_t n = RTA_PAYLOAD(at);

	if (n != 4 && n != 16)
		return;
	*out = (struct addr){ .family = n == 16 ? 6 : 4, .len = n == 16 ? 128 : 32 };
	memcpy(out->b, RTA_DATA(at), n);
}

static int
find_route(struct ways *w, struct way *y)
{
	struct question q = { .h = { .nlmsg_type = RTM_GETROUTE } };
	char answer[ANSWER] __attribute__((aligned(8)));
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)answer;
	struct rtmsg *m = NLMSG_DATA(h);
	struct rtattr *at = RTM_RTA(m);
	ssize_t n;
	int left;

	q.u.route.rtm_family = y->to.family == 6 ? AF_INET6 : AF_INET;
	q.u.route.rtm_dst_len = y->to.family == 6 ? 128 : 32;
	put_address(&q, sizeof(q.u.route), RTA_DST, &y->to);
	n = ask(w, &q, answer);
	if (n < 0)
		return -EHOSTUNREACH;
	if (h->nlmsg_type != RTM_NEWROUTE || h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return -EBADMSG;
	if (m->rtm_type == RTN_LOCAL)
		return -ELOOP;
	if (m->rtm_type != RTN_UNICAST)
		return -EHOSTUNREACH;
	y->next = y->to;
	for (left = (int)RTM_PAYLOAD(h); RTA_OK(at, left); at = RTA_NEXT(at, left)) {
		if (at->rta_type == RTA_OIF && RTA_PAYLOAD(at) == sizeof(int))
			memcpy(&y->index, RTA_DATA(at), sizeof(int));
		else if (at->rta_type == RTA_GATEWAY)
			take_address(at, &y->next);
		else if (at->rta_type == RTA_PREFSRC)
			take_address(at, &y->source);
		else if (at->rta_type == RTA_VIA && RTA_PAYLOAD(at) == 2 + 16) {
			y->next = (struct addr){ .family = 6, .len = 128 }; /* RFC 8950 */
			memcpy(y->next.b, (char *)RTA_DATA(at) + 2, 16);
		}
	}
	return y->index != 0 ? 0 : -EHOSTUNREACH;
}

/* Point-to-point links and tunnels have no neighbours. */
static bool
has_neighbours(struct ways *w, int index)
{
	struct ifreq rq = { 0 };

	return if_indextoname((unsigned)index, rq.ifr_name) == NULL ||
	       ioctl(w->v4, SIOCGIFFLAGS, &rq) == -1 ||
	       (rq.ifr_flags & (IFF_NOARP | IFF_LOOPBACK)) == 0;
}

static void
wake_neighbour(const struct addr *next, int index)
{
	struct sockaddr_storage to;
	socklen_t len = addr_sockaddr(next, DISCARD_PORT, &to);
	int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd == -1)
		return;
	if (to.ss_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)&to)->sin6_scope_id = (uint32_t)index;
	(void)sendto(fd, "", 0, 0, (struct sockaddr *)&to, len);
	(void)close(fd);
}

static int
find_neighbour(struct ways *w, struct way *y)
{
	struct question q = { .h = { .nlmsg_type = RTM_GETNEIGH } };
	char answer[ANSWER] __attribute__((aligned(8))) = { 0 };
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)answer;
	struct ndmsg *m = NLMSG_DATA(h);
	struct rtattr *at = (struct rtattr *)(void *)((char *)m + NLMSG_ALIGN(sizeof(*m)));
	ssize_t n;
	int left;

	if (!has_neighbours(w, y->index))
		return 0;
	q.u.neighbour.ndm_family = y->next.family == 6 ? AF_INET6 : AF_INET;
	q.u.neighbour.ndm_ifindex = y->index;
	put_address(&q, sizeof(q.u.neighbour), NDA_DST, &y->next);
	n = ask(w, &q, answer);
	if (n >= 0 && h->nlmsg_type == RTM_NEWNEIGH && h->nlmsg_len >= NLMSG_LENGTH(sizeof(*m)) &&
	    (m->ndm_state & (NUD_INCOMPLETE | NUD_FAILED)) == 0) {
		left = (int)NLMSG_PAYLOAD(h, sizeof(*m));
		for (; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
			if (at->rta_type != NDA_LLADDR || RTA_PAYLOAD(at) > sizeof(y->mac))
				continue;
			y->mac_len = (uint8_t)RTA_PAYLOAD(at);
			memcpy(y->mac, RTA_DATA(at), y->mac_len);
			return 0;
		}
	}
	wake_neighbour(&y->next, y->index);
	return -EAGAIN;
}

static struct way *
find(struct ways *w, const struct addr *to)
{
	uint32_t h = 2166136261u;
	struct way *y;

	for (unsigned i = 0; i < 16; i++)
		h = (h ^ to->b[i]) * 16777619u;
	y = &w->known[(h ^ h >> 16) & (KNOWN - 1)];
	if (y->code != 1 && y->code != -EAGAIN && addr_same_host(&y->to, to))
		return y;
	*y = (struct way){ .to = *to };
	y->code = find_route(w, y);
	if (y->code == 0)
		y->code = find_neighbour(w, y);
	return y;
}

int
ways_send(struct ways *w, const struct addr *to, const void *packet, size_t len)
{
	const struct way *y = find(w, to);
	struct sockaddr_ll ll = { .sll_family = AF_PACKET };
	bool v6 = *(const uint8_t *)packet >> 4 == 6;

	if (y->code != 0)
		return y->code;
	ll.sll_protocol = htons(v6 ? 0x86dd : 0x0800);
	ll.sll_ifindex = y->index;
	ll.sll_halen = y->mac_len;
	memcpy(ll.sll_addr, y->mac, y->mac_len);
	if (sendto(w->packet, packet, len, MSG_DONTWAIT, (struct sockaddr *)&ll, sizeof(ll)) == -1)
		return -errno;
	return 0;
}

int
ways_source(struct ways *w, const struct addr *to, struct addr *out)
{
	const struct way *y = find(w, to);

	if (y->source.family != to->family)
		return -EHOSTUNREACH;
	*out = y->source;
	return 0;
}

void
ways_forget(struct ways *w)
{
	for (unsigned i = 0; i < KNOWN; i++)
		w->known[i].code = 1;
}

int
ways_open(struct ways **out, struct err *err)
{
	const struct timeval wait = { .tv_sec = 1 }; /* the kernel answers at once */
	struct ways *w = mem_alloc(sizeof(*w));

	w->packet = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	w->route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	w->v4 = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ways_forget(w);
	if (w->route != -1)
		(void)setsockopt(w->route, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (w->packet == -1 || w->route == -1 || w->v4 == -1) {
		int code = -errno;

		ways_close(w);
		return err_set(err, code, "packets cannot be sent: %s", strerror(-code));
	}
	*out = w;
	return 0;
}

void
ways_close(struct ways *w)
{
	if (w == NULL)
		return;
	if (w->packet != -1)
		(void)close(w->packet);
	if (w->route != -1)
		(void)close(w->route);
	if (w->v4 != -1)
		(void)close(w->v4);
	free(w);
}
