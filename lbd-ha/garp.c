/* garp.c - announcements, paced.
 *
 * One order per address; it stands in `first` until its first announcement is out, then in `again`, in order of
 * time. A thousand addresses that come up together are all announced once before any is announced twice, and
 * never faster than GARP_TURN per GARP_PAUSE: switches and neighbours drop what comes in a burst.
 *
 * Index, hardware address and kind of an interface are asked of the kernel for each announcement: interfaces come
 * and go. What cannot be sent (link down, interface gone) counts as sent; whoever sees the link come back orders
 * anew. The socket is of protocol 0, so it never receives anything. */
#include "garp.h"

#include "frame.h"

#include "base/list.h"
#include "base/mem.h"
#include "sys/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct order {
	struct list in;
	struct addr addr;
	char ifname[IFNAME_MAX];
	unsigned left;
	dur_t gap;
	mono_t due; /* of a first one: at once */
};

struct garp {
	int fd; /* -1: not allowed */
	struct loop_timer timer;
	struct list first, again, done;
	bool paused; /* the timer runs after a turn: nothing goes out before */
};

struct port {
	int index;
	uint8_t mac[6];
};

/* False: there is nobody to tell on it, or it is gone. */
static bool
find_port(int fd, const char *ifname, struct port *out)
{
	struct ifreq rq = { 0 };

	(void)snprintf(rq.ifr_name, sizeof(rq.ifr_name), "%s", ifname);
	if (ioctl(fd, SIOCGIFFLAGS, &rq) == -1 || (rq.ifr_flags & (IFF_LOOPBACK | IFF_NOARP)) ||
	    !(rq.ifr_flags & IFF_UP))
		return false;
	if (ioctl(fd, SIOCGIFHWADDR, &rq) == -1 || rq.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return false;
	memcpy(out->mac, rq.ifr_hwaddr.sa_data, sizeof(out->mac));
	if (ioctl(fd, SIOCGIFINDEX, &rq) == -1)
		return false;
	out->index = rq.ifr_ifindex;
	return true;
}

/* RFC 4861 section 4.4: the R flag says whether the sender is a router; a wrong one makes hosts drop a route. */
static bool
is_router(const char *ifname)
{
	char path[80], c = '0';
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/forwarding", ifname);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (fread(&c, 1, 1, f) != 1)
		c = '0';
	(void)fclose(f);
	return c != '0';
}

static void
send_frame(const struct garp *g, const struct port *port, const uint8_t *frame, size_t len)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_ifindex = port->index, .sll_halen = 6
	};

	to.sll_protocol = (uint16_t)((unsigned)frame[13] << 8 | frame[12]); /* as on the wire */
	memcpy(to.sll_addr, frame, 6);
	/* Lost ones are made good by the next. */
	(void)sendto(g->fd, frame, len, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
}

static void
announce(const struct garp *g, const struct order *o)
{
	uint8_t frame[FRAME_MAX];
	struct port port;

	if (!find_port(g->fd, o->ifname, &port))
		return;
	if (o->addr.family == 6) {
		send_frame(
		    g, &port, frame, frame_na(frame, port.mac, &o->addr, is_router(o->ifname)));
		return;
	}
	send_frame(g, &port, frame, frame_arp(frame, port.mac, &o->addr, false));
	send_frame(g, &port, frame, frame_arp(frame, port.mac, &o->addr, true));
}

/* Announcements of those in the list that are due, at most room; returns what is left of it. */
static unsigned
send_due(struct garp *g, struct list *head, mono_t now, unsigned room)
{
	struct list *it, *next;

	list_each_safe(it, next, head)
	{
		struct order *o = container_of(it, struct order, in);

		if (room == 0 || o->due > now)
			break;
		room--;
		announce(g, o);
		list_del(it);
		o->due = now + o->gap;
		list_push(--o->left ? &g->again : &g->done, it);
	}
	return room;
}

/* After a turn: when does the next begin? */
static void
rest(struct garp *g, mono_t now)
{
	dur_t wait = GARP_PAUSE;
	const struct order *o;

	g->paused = !list_empty(&g->first);
	if (!g->paused && list_empty(&g->again))
		return;
	if (!g->paused) {
		o = container_of(g->again.next, struct order, in);
		wait = o->due - now > GARP_PAUSE ? o->due - now : GARP_PAUSE;
	}
	loop_timer_set(&g->timer, wait);
}

/* Orders for that address; NULL: all. */
static void
drop(struct list *head, const struct addr *a)
{
	struct list *it, *next;

	list_each_safe(it, next, head)
	{
		struct order *o = container_of(it, struct order, in);

		if (a && !addr_same_host(&o->addr, a))
			continue;
		list_del(it);
		free(o);
	}
}

static void
on_timer(void *arg)
{
	struct garp *g = arg;
	mono_t now = mono_now();

	(void)send_due(g, &g->again, now, send_due(g, &g->first, now, GARP_TURN));
	rest(g, now);
	drop(&g->done, NULL);
}

struct garp *
garp_new(struct loop *l, struct err *err)
{
	struct garp *g = mem_alloc(sizeof(*g));

	list_init(&g->first);
	list_init(&g->again);
	list_init(&g->done);
	loop_timer_init(&g->timer, l, on_timer, g);
	g->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (g->fd == -1)
		(void)err_set(err, -errno, "addresses cannot be announced (packet socket): %s",
		    strerror(errno));
	return g;
}

void
garp_free(struct garp *g)
{
	if (!g)
		return;
	drop(&g->first, NULL);
	drop(&g->again, NULL);
	loop_timer_fini(&g->timer);
	if (g->fd != -1)
		(void)close(g->fd);
	free(g);
}

void
garp_cancel(struct garp *g, const struct addr *a)
{
	drop(&g->first, a);
	drop(&g->again, a);
}

void
garp_announce(struct garp *g, const char *ifname, const struct addr *a, unsigned times, dur_t gap)
{
	struct order *o;

	garp_cancel(g, a);
	if (g->fd == -1 || times == 0)
		return;
	o = mem_alloc(sizeof(*o));
	*o = (struct order){ .addr = *a, .left = times, .gap = gap };
	(void)snprintf(o->ifname, sizeof(o->ifname), "%s", ifname);
	list_push(&g->first, &o->in);
	if (!g->paused)
		loop_timer_set(&g->timer, 0);
}
