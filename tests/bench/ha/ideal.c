/* ideal - not a product: the shortest pair of daemons that shows what this machine allows, as a mark for the real daemon.
 * Heartbeat over two links, takeover when both are silent for 3 intervals, real-time, prebuilt netlink and ARP messages,
 * clean stop = "take it" / "I have it" before the address goes (make before break), carrier loss = told over the other link.
 * usage: ideal USEC PRIO PREEMPT IF IP PEER IF2 IP2 PEER2 VIP PLEN      (IPv4)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { HELLO, TAKE, HAVE }; /* kind of message */
struct hb {
	uint32_t magic;
	uint8_t kind, prio, owner, ok;
	uint32_t gen;
};

static int64_t
now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}
static void
die(const char *s)
{
	perror(s);
	exit(1);
}
static int sk[2], nl, evt, raw, ifi, plen, prio, preempt;
static struct sockaddr_in peer[2];
static struct in_addr vip;
static unsigned char mac[6];
static bool own, carrier = true, leaving;
static uint32_t gen;

static void
tell(int kind)
{
	struct hb h = { 0x1bd0a11e, (uint8_t)kind, (uint8_t)prio, own, carrier, gen };
	for (int i = 0; i < 2; i++)
		sendto(sk[i], &h, sizeof h, MSG_DONTWAIT, (void *)&peer[i], sizeof peer[i]);
}
static void
addr(int type)
{
	struct {
		struct nlmsghdr n;
		struct ifaddrmsg a;
		char b[64];
	} q = { .n = { NLMSG_LENGTH(sizeof q.a), (uint16_t)type,
		    NLM_F_REQUEST | (type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_REPLACE : 0), 0,
		    0 },
		.a = { AF_INET, (uint8_t)plen, 0, RT_SCOPE_UNIVERSE, (uint32_t)ifi } };
	int t[2] = { IFA_LOCAL, IFA_ADDRESS };
	for (int i = 0; i < 2; i++) {
		struct rtattr *r = (void *)((char *)&q + NLMSG_ALIGN(q.n.nlmsg_len));
		r->rta_type = (unsigned short)t[i];
		r->rta_len = RTA_LENGTH(4);
		memcpy(RTA_DATA(r), &vip, 4);
		q.n.nlmsg_len = NLMSG_ALIGN(q.n.nlmsg_len) + RTA_LENGTH(4);
	}
	send(nl, &q, q.n.nlmsg_len, 0);
}
static void
garp(void)
{
	unsigned char f[42] = { 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 8, 6, 0, 1, 8, 0, 6,
		4, 0, 1 };
	struct sockaddr_ll l = { .sll_family = AF_PACKET, .sll_ifindex = ifi, .sll_halen = 6 };
	memcpy(f + 6, mac, 6);
	memcpy(f + 22, mac, 6);
	memcpy(f + 28, &vip, 4);
	memcpy(f + 38, &vip, 4);
	memset(l.sll_addr, 255, 6);
	sendto(raw, f, sizeof f, MSG_DONTWAIT, (void *)&l, sizeof l);
}
static void
take(void)
{
	if (own) {
		garp();
		return;
	}
	own = true;
	gen++;
	addr(RTM_NEWADDR);
	garp();
	garp();
	tell(HAVE);
}
static void
drop(void)
{
	if (own) {
		own = false;
		addr(RTM_DELADDR);
	}
}

int
main(int c, char **v)
{
	if (c != 12) {
		fprintf(stderr, "see the head of ideal.c\n");
		return 2;
	}
	int64_t iv = atoll(v[1]) * 1000, last, mine = now(), left = 0;
	prio = atoi(v[2]);
	preempt = atoi(v[3]);
	plen = atoi(v[11]);
	inet_pton(AF_INET, v[10], &vip);
	ifi = (int)if_nametoindex(v[4]);
	for (int i = 0; i < 2; i++) {
		struct sockaddr_in me = { .sin_family = AF_INET, .sin_port = htons(5405) };
		inet_pton(AF_INET, v[5 + 3 * i], &me.sin_addr);
		peer[i] = me;
		inet_pton(AF_INET, v[6 + 3 * i], &peer[i].sin_addr);
		sk[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		if (bind(sk[i], (void *)&me, sizeof me))
			die("bind");
		setsockopt(sk[i], SOL_SOCKET, SO_BINDTODEVICE, v[4 + 3 * i],
		    (socklen_t)strlen(v[4 + 3 * i]) + 1);
		int tos = 6;
		setsockopt(sk[i], SOL_SOCKET, SO_PRIORITY, &tos, sizeof tos);
	}
	raw = socket(AF_PACKET, SOCK_RAW, 0);
	nl = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	evt = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE);
	struct sockaddr_nl g = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	if (bind(evt, (void *)&g, sizeof g))
		die("netlink");
	struct ifreq r;
	memset(&r, 0, sizeof r);
	snprintf(r.ifr_name, sizeof r.ifr_name, "%s", v[4]);
	if (ioctl(sk[0], SIOCGIFHWADDR, &r))
		die("hwaddr");
	memcpy(mac, r.ifr_hwaddr.sa_data, 6);
	sigset_t ss;
	sigemptyset(&ss);
	sigaddset(&ss, SIGTERM);
	sigprocmask(SIG_BLOCK, &ss, NULL);
	int sf = signalfd(-1, &ss, SFD_NONBLOCK),
	    tf = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct itimerspec ts = { { iv / 1000000000, iv % 1000000000 },
		{ iv / 1000000000, iv % 1000000000 } };
	timerfd_settime(tf, 0, &ts, NULL);
	struct sched_param p = { .sched_priority = 60 };
	sched_setscheduler(0, SCHED_FIFO, &p);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	addr(RTM_DELADDR);	/* what a killed predecessor may have left */
	last = now() + 20 * iv; /* listen first */
	for (;;) {
		struct pollfd f[5] = { { sk[0], POLLIN, 0 }, { sk[1], POLLIN, 0 },
			{ evt, POLLIN, 0 }, { sf, POLLIN, 0 }, { tf, POLLIN, 0 } };
		poll(f, 5, -1);
		int64_t n = now();
		if (n - mine > 3 * iv + 2000000 && own)
			drop(); /* we were stopped: the lease is over, look before we answer */
		mine = n;
		for (int i = 0; i < 2; i++)
			if (f[i].revents) {
				struct hb x, h = { 0 };
				bool
				    take_it = false,
				    have_it =
					false; /* act on the newest only: the rest of the queue is the past */
				while (recv(sk[i], &x, sizeof x, 0) == (ssize_t)sizeof x)
					if (x.magic == 0x1bd0a11e) {
						h = x;
						take_it |= x.kind == TAKE;
						have_it |= x.kind == HAVE;
					}
				if (!h.magic)
					continue;
				last = n;
				if (have_it) {
					gen = h.gen;
					if (leaving) {
						drop();
						return 0;
					}
					if (own)
						drop();
				} else if (take_it && carrier)
					take();
				else if (h.owner && own &&
					 (h.gen > gen || (h.gen == gen && h.prio > prio))) {
					gen = h.gen;
					drop();
				} else if (h.owner && own) {
					gen = (h.gen > gen ? h.gen : gen) + 1;
					garp();
					tell(HAVE);
				} /* we stay: tell the switches too */
				else if (h.owner && preempt && prio > h.prio && carrier &&
					 !leaving) {
					gen = h.gen;
					take();
				} else if (!h.owner && !own && prio > h.prio && carrier && !leaving)
					take();
				else if (h.owner)
					gen = h.gen;
			}
		if (f[2].revents) {
			static char b[16384];
			ssize_t l;
			while ((l = recv(evt, b, sizeof b, 0)) > 0)
				for (struct nlmsghdr *h = (void *)b; NLMSG_OK(h, l);
				     h = NLMSG_NEXT(h, l)) {
					struct ifinfomsg *m = NLMSG_DATA(h);
					if (h->nlmsg_type != RTM_NEWLINK || m->ifi_index != ifi)
						continue;
					carrier =
					    (m->ifi_flags & IFF_UP) && (m->ifi_flags & IFF_RUNNING);
					if (!carrier && own) {
						tell(TAKE);
						drop();
					}
				}
		}
		if (f[3].revents && !leaving) {
			leaving = true;
			left = n;
			if (!own)
				return 0;
			tell(TAKE);
		}
		if (f[4].revents) {
			uint64_t x;
			(void)!read(tf, &x, sizeof x);
			if (leaving && n - left > 20 * iv) {
				drop();
				return 0;
			}
			tell(HELLO);
			if (n - last > 3 * iv && !own && carrier && !leaving)
				take();
		}
	}
}
