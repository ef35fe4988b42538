/* long: one tool of many small commands, so that ha-bench compiles one file.
 * haprobe - measuring tool of the HA bench.
 *
 *   haprobe now                                     monotonic clock, ns
 *   haprobe echo  ID PORT                           UDP echo + TCP accept, answers with ID
 *   haprobe probe VIP PORT USEC OUT [IFNAME]        client; stops and writes OUT on SIGTERM
 *   haprobe mon   VIP OUT                           logs when VIP becomes usable / unusable here
 *   haprobe addrs PREFIX COUNT OUT                  logs when COUNT addresses starting with PREFIX are there
 *   haprobe garps PREFIX COUNT OUT IFNAME           logs when COUNT different gratuitous ARP senders were seen
 *   haprobe report LOG MONA MONB T0 T1 NEW          one line of key=value
 *   haprobe chg   MON T0 T1                         number of ownership changes between T0 and T1
 *   haprobe cpu   SECONDS PID...                    CPU use of processes in % of one core, rss in KiB
 *   haprobe stats < numbers                         median min max of numbers
 *
 * Everything runs on one host, so CLOCK_MONOTONIC is common to all nodes.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stop;
static void
on_term(int s)
{
	(void)s;
	stop = 1;
}

static int64_t
now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void
die(const char *m)
{
	perror(m);
	exit(2);
}

static void
go_realtime(void)
{
	struct sched_param p = { .sched_priority = 80 };
	(void)sched_setscheduler(0, SCHED_FIFO, &p); /* best effort */
	(void)mlockall(MCL_CURRENT | MCL_FUTURE);
}

static void
on_signals(void)
{
	struct sigaction a = { .sa_handler = on_term }; /* no SA_RESTART: calls must return */
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGINT, &a, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void
to_sa(const char *ip, int port, struct sockaddr_in6 *s)
{
	char b[64];
	memset(s, 0, sizeof *s);
	s->sin6_family = AF_INET6;
	s->sin6_port = htons((uint16_t)port);
	snprintf(b, sizeof b, strchr(ip, ':') ? "%s" : "::ffff:%s", ip);
	if (inet_pton(AF_INET6, b, &s->sin6_addr) != 1) {
		fprintf(stderr, "bad address %s\n", ip);
		exit(2);
	}
}

/* ------------------------------------------------------------------ echo */
struct msg {
	uint32_t seq;
	uint32_t id;
	int64_t t;
};

static int
cmd_echo(uint32_t id, int port)
{
	int u = socket(AF_INET6, SOCK_DGRAM, 0),
	    t = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1, zero = 0;
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	setsockopt(u, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
	setsockopt(t, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
	setsockopt(u, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof one);
	setsockopt(t, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(u, (void *)&a, sizeof a) || bind(t, (void *)&a, sizeof a) || listen(t, 512))
		die("echo bind");
	go_realtime();
	while (!stop) {
		struct pollfd p[2] = { { u, POLLIN, 0 }, { t, POLLIN, 0 } };
		if (poll(p, 2, 1000) <= 0)
			continue;
		if (p[0].revents) {
			struct msg m;
			struct sockaddr_in6 from;
			char ctl[256];
			struct iovec io = { &m, sizeof m };
			struct msghdr h = { .msg_name = &from,
				.msg_namelen = sizeof from,
				.msg_iov = &io,
				.msg_iovlen = 1,
				.msg_control = ctl,
				.msg_controllen = sizeof ctl };
			if (recvmsg(u, &h, MSG_DONTWAIT) == (ssize_t)sizeof m) {
				struct cmsghdr *c = CMSG_FIRSTHDR(&h);
				m.id = id;
				if (c &&
				    c->cmsg_type ==
					IPV6_PKTINFO) /* answer from the address asked, by routing */
					((struct in6_pktinfo *)CMSG_DATA(c))->ipi6_ifindex = 0;
				sendmsg(u, &h, MSG_DONTWAIT);
			}
		}
		if (p[1].revents) {
			int c = accept4(t, NULL, NULL, SOCK_NONBLOCK);
			if (c >= 0) {
				char b = (char)id;
				(void)!write(c, &b, 1);
				close(c);
			}
		}
	}
	return 0;
}

/* ----------------------------------------------------------------- probe */
#define MAXP 400000
struct up {
	int64_t s, r;
	uint32_t id;
};
static struct up *ups;
static _Atomic uint32_t nup;
struct tp {
	int64_t s, r;
	uint32_t id;
};
static struct tp *tps;
static uint32_t ntp;
static struct {
	int64_t t;
	unsigned char mac[6];
} garp[65536];
static uint32_t ngarp;
static struct sockaddr_in6 vip;
static int usock;

static void *
t_recv(void *x)
{
	(void)x;
	go_realtime();
	while (!stop) {
		struct pollfd p = { usock, POLLIN, 0 };
		struct msg m;
		if (poll(&p, 1, 100) <= 0)
			continue;
		if (recv(usock, &m, sizeof m, MSG_DONTWAIT) != (ssize_t)sizeof m)
			continue;
		if (m.seq < MAXP && !ups[m.seq].r) {
			ups[m.seq].r = now_ns();
			ups[m.seq].id = m.id;
		}
	}
	return NULL;
}

/* a new TCP connection every 5 ms, each given 200 ms */
static void *
t_tcp(void *x)
{
	enum { N = 64 };
	struct {
		int fd;
		uint32_t i;
	} o[N];
	int64_t next = now_ns();
	(void)x;
	for (int i = 0; i < N; i++)
		o[i].fd = -1;
	while (!stop) {
		struct pollfd p[N];
		int64_t n = now_ns(), w;
		if (n >= next) {
			next += 5000000;
			if (next < n)
				next = n + 5000000;
			for (int i = 0; i < N; i++)
				if (o[i].fd < 0 && ntp < MAXP) {
					struct linger lg = { 1, 0 };
					o[i].fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
					setsockopt(o[i].fd, SOL_SOCKET, SO_LINGER, &lg, sizeof lg);
					o[i].i = ntp++;
					tps[o[i].i].s = now_ns();
					connect(o[i].fd, (void *)&vip, sizeof vip);
					break;
				}
		}
		for (int i = 0; i < N; i++) {
			p[i].fd = o[i].fd;
			p[i].events = POLLIN;
			p[i].revents = 0;
		}
		w = (next - now_ns()) / 1000000;
		poll(p, N, w < 0 ? 0 : (int)w + 1);
		n = now_ns();
		for (int i = 0; i < N; i++)
			if (o[i].fd >= 0) {
				char b;
				if (p[i].revents && recv(o[i].fd, &b, 1, MSG_DONTWAIT) == 1) {
					tps[o[i].i].r = now_ns();
					tps[o[i].i].id = (uint32_t)b;
				} else if (!p[i].revents && n - tps[o[i].i].s < 200000000)
					continue;
				close(o[i].fd);
				o[i].fd = -1;
			}
	}
	return NULL;
}

static int
sniff(const char *ifn)
{
	int s = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), big = 8 << 20;
	struct sockaddr_ll l = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(ifn) };
	struct timeval tv = { 0, 100000 };
	if (s < 0 || bind(s, (void *)&l, sizeof l))
		die("packet socket");
	setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big);
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	return s;
}

/* 1: f is a gratuitous ARP or an unsolicited NA; its address goes to ip (v4-mapped for ARP) */
static int
is_garp(const unsigned char *f, ssize_t n, struct in6_addr *ip)
{
	if (n >= 42 && f[12] == 8 && f[13] == 6) {
		if (memcmp(f + 28, f + 38, 4))
			return 0;
		memset(ip, 0, sizeof *ip);
		ip->s6_addr[10] = ip->s6_addr[11] = 0xff;
		memcpy(ip->s6_addr + 12, f + 28, 4);
		return 1;
	}
	if (n >= 78 && f[12] == 0x86 && f[13] == 0xdd && f[20] == 58 && f[54] == 136 &&
	    f[38] == 0xff) {
		memcpy(ip, f + 62, 16);
		return 1;
	}
	return 0;
}

static void *
t_garp(void *x)
{
	int s = sniff(x);
	while (!stop) {
		unsigned char f[256];
		struct sockaddr_ll l;
		socklen_t ll = sizeof l;
		struct in6_addr ip;
		ssize_t n = recvfrom(s, f, sizeof f, 0, (void *)&l, &ll);
		if (n <= 0 || l.sll_pkttype == PACKET_OUTGOING)
			continue;
		if (is_garp(f, n, &ip) && !memcmp(&ip, &vip.sin6_addr, 16) && ngarp < 65536) {
			garp[ngarp].t = now_ns();
			memcpy(garp[ngarp++].mac, f + 6, 6);
		}
	}
	close(s);
	return NULL;
}

static int
cmd_probe(const char *ip, int port, int usec, const char *out, const char *ifn)
{
	pthread_t a, b, c;
	int64_t t;
	FILE *f;
	ups = calloc(MAXP, sizeof *ups);
	tps = calloc(MAXP, sizeof *tps);
	to_sa(ip, port, &vip);
	usock = socket(AF_INET6, SOCK_DGRAM, 0);
	if (usock < 0 || !ups || !tps)
		die("probe");
	go_realtime();
	pthread_create(&a, NULL, t_recv, NULL);
	pthread_create(&b, NULL, t_tcp, NULL);
	if (ifn)
		pthread_create(&c, NULL, t_garp, (void *)(uintptr_t)ifn);
	t = now_ns();
	while (!stop && nup < MAXP) {
		struct timespec ts;
		struct msg m = { .seq = nup, .id = 0 };
		ups[nup].s = m.t = now_ns();
		sendto(usock, &m, sizeof m, MSG_DONTWAIT, (void *)&vip, sizeof vip);
		nup++;
		t += (int64_t)usec * 1000;
		if (t < now_ns() - 20000000)
			t = now_ns(); /* we were stalled: do not burst */
		ts.tv_sec = t / 1000000000;
		ts.tv_nsec = t % 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	}
	stop = 1;
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	if (ifn)
		pthread_join(c, NULL);
	if (!(f = fopen(out, "w")))
		die(out);
	for (uint32_t i = 0; i < nup; i++)
		fprintf(f, "U %lld %lld %u\n", (long long)ups[i].s, (long long)ups[i].r, ups[i].id);
	for (uint32_t i = 0; i < ntp; i++)
		fprintf(f, "T %lld %lld %u\n", (long long)tps[i].s, (long long)tps[i].r, tps[i].id);
	for (uint32_t i = 0; i < ngarp; i++)
		fprintf(f, "G %lld 0 %u\n", (long long)garp[i].t, garp[i].mac[5]);
	fclose(f);
	return 0;
}

/* ------------------------------------------------------------------- mon */
static int
nl_open(unsigned groups)
{
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), big = 8 << 20;
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = groups };
	struct timeval tv = { 0, 200000 };
	if (s < 0 || bind(s, (void *)&a, sizeof a))
		die("netlink");
	setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big);
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	return s;
}

static void
nl_dump(int s, int type)
{
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
	} q = { .h = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg)),
		    .nlmsg_type = (uint16_t)type,
		    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.g = { AF_UNSPEC } };
	send(s, &q, q.h.nlmsg_len, 0);
}

static bool
addr_of(struct nlmsghdr *h, struct in6_addr *ip, int *ifi)
{
	struct ifaddrmsg *m = NLMSG_DATA(h);
	int l = (int)IFA_PAYLOAD(h);
	bool got = false;
	*ifi = (int)m->ifa_index;
	for (struct rtattr *r = IFA_RTA(m); RTA_OK(r, l); r = RTA_NEXT(r, l))
		if (r->rta_type == IFA_LOCAL || (r->rta_type == IFA_ADDRESS && !got)) {
			memset(ip, 0, sizeof *ip);
			if (m->ifa_family == AF_INET6)
				memcpy(ip, RTA_DATA(r), 16);
			else {
				ip->s6_addr[10] = ip->s6_addr[11] = 0xff;
				memcpy(ip->s6_addr + 12, RTA_DATA(r), 4);
			}
			got = true;
		}
	return got;
}

#define MAXIF 4096
static int
cmd_mon(const char *ip, const char *out)
{
	static bool has[MAXIF], run[MAXIF];
	int s = nl_open(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR), own = -1, dumps = 0;
	struct sockaddr_in6 v;
	FILE *f = fopen(out, "w");
	if (!f)
		die(out);
	setvbuf(f, NULL, _IOLBF, 0);
	to_sa(ip, 0, &v);
	go_realtime();
	nl_dump(s, RTM_GETLINK);
	while (!stop) {
		static char b[1 << 16];
		ssize_t n = recv(s, b, sizeof b, 0);
		int is = 0;
		if (n <= 0)
			continue;
		for (struct nlmsghdr *h = (void *)b; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_type == NLMSG_DONE && dumps++ == 0)
				nl_dump(s, RTM_GETADDR);
			if (h->nlmsg_type == RTM_NEWLINK || h->nlmsg_type == RTM_DELLINK) {
				struct ifinfomsg *m = NLMSG_DATA(h);
				if (m->ifi_index < MAXIF)
					run[m->ifi_index] = h->nlmsg_type == RTM_NEWLINK &&
							    (m->ifi_flags & IFF_UP) &&
							    (m->ifi_flags & IFF_RUNNING);
			}
			if (h->nlmsg_type == RTM_NEWADDR || h->nlmsg_type == RTM_DELADDR) {
				struct in6_addr a;
				int i;
				if (addr_of(h, &a, &i) && i < MAXIF &&
				    !memcmp(&a, &v.sin6_addr, 16))
					has[i] = h->nlmsg_type == RTM_NEWADDR;
			}
		}
		if (dumps < 2)
			continue;
		for (int i = 0; i < MAXIF; i++)
			is |= has[i] && run[i];
		if (is != own)
			fprintf(f, "%d %lld\n", own = is, (long long)now_ns());
	}
	return 0;
}

static int
cmd_addrs(const char *pre, int want, const char *out)
{
	int s = nl_open(RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR), n = 0;
	int64_t first = 0;
	FILE *f = fopen(out, "w");
	while (!stop && n < want) {
		static char b[1 << 16];
		ssize_t l = recv(s, b, sizeof b, 0);
		if (l <= 0)
			continue;
		for (struct nlmsghdr *h = (void *)b; NLMSG_OK(h, l); h = NLMSG_NEXT(h, l)) {
			struct in6_addr a;
			int i;
			char t[64];
			if (h->nlmsg_type != RTM_NEWADDR || !addr_of(h, &a, &i))
				continue;
			if (IN6_IS_ADDR_V4MAPPED(&a))
				inet_ntop(AF_INET, a.s6_addr + 12, t, sizeof t);
			else
				inet_ntop(AF_INET6, &a, t, sizeof t);
			if (strncmp(t, pre, strlen(pre)))
				continue;
			if (!n++)
				first = now_ns();
		}
	}
	fprintf(f, "%d %lld %lld\n", n, (long long)first, (long long)now_ns());
	fclose(f);
	return 0;
}

static int
cmd_garps(const char *pre, int want, const char *out, const char *ifn)
{
	static uint8_t seen[1 << 16];
	int s = sniff(ifn), n = 0, all = 0;
	int64_t first = 0, full = 0;
	FILE *f = fopen(out, "w");
	go_realtime();
	while (!stop) {
		unsigned char p[256];
		struct sockaddr_ll l;
		socklen_t ll = sizeof l;
		struct in6_addr ip;
		char t[64];
		unsigned k;
		ssize_t z = recvfrom(s, p, sizeof p, 0, (void *)&l, &ll);
		if (z <= 0 || l.sll_pkttype == PACKET_OUTGOING || !is_garp(p, z, &ip))
			continue;
		if (IN6_IS_ADDR_V4MAPPED(&ip))
			inet_ntop(AF_INET, ip.s6_addr + 12, t, sizeof t);
		else
			inet_ntop(AF_INET6, &ip, t, sizeof t);
		if (strncmp(t, pre, strlen(pre)))
			continue;
		all++;
		if (!first)
			first = now_ns();
		k = (unsigned)ip.s6_addr[14] << 8 | ip.s6_addr[15];
		if (!seen[k]) {
			seen[k] = 1;
			if (++n == want)
				full = now_ns();
		}
	}
	fprintf(f, "%d %lld %lld %d\n", n, (long long)first, (long long)full, all);
	fclose(f);
	return 0;
}

/* ---------------------------------------------------------------- report */
struct iv {
	int64_t a, b;
};
static int
load_mon(const char *fn, struct iv *v, int max)
{
	FILE *f = fopen(fn, "r");
	int n = 0, x;
	long long t;
	if (!f)
		return 0;
	while (fscanf(f, "%d %lld", &x, &t) == 2) {
		if (x && n < max) {
			v[n].a = t;
			v[n++].b = INT64_MAX;
		} else if (!x && n && v[n - 1].b == INT64_MAX)
			v[n - 1].b = t;
	}
	fclose(f);
	return n;
}

static int
cmd_report(char **v)
{
	FILE *f = fopen(v[0], "r");
	int64_t t0 = atoll(v[3]), t1 = atoll(v[4]), gap = 0, run_start = 0, tcp_gap = 0,
		tcp_run = 0, sw = -1, garp1 = -1, mown = -1, dual = 0, last_bad = -1, nobody = 0;
	unsigned neu = (unsigned)atoi(v[5]), last = 0, garps = 0;
	int lost = 0, sent = 0, flips = 0, tl = 0, ts = 0;
	static struct iv A[10000], B[10000];
	int na, nb;
	char k;
	long long s, r;
	unsigned id;
	if (!f)
		die(v[0]);
	while (fscanf(f, " %c %lld %lld %u", &k, &s, &r, &id) == 4) {
		if (s < t0 || s > t1)
			continue;
		if (k == 'U') {
			bool ok = r && r - s < 50000000;
			sent++;
			if (!ok) {
				lost++;
				last_bad = s;
				if (!run_start)
					run_start = s;
			} else {
				if (run_start && s - run_start > gap)
					gap = s - run_start;
				run_start = 0;
				if (last && last != id)
					flips++;
				last = id;
				if (id == neu && sw < 0)
					sw = s - t0;
			}
		} else if (k == 'T') {
			ts++;
			if (!r) {
				tl++;
				if (!tcp_run)
					tcp_run = s;
			} else {
				if (tcp_run && s - tcp_run > tcp_gap)
					tcp_gap = s - tcp_run;
				tcp_run = 0;
			}
		} else {
			garps++;
			if (garp1 < 0)
				garp1 = s - t0;
		}
	}
	fclose(f);
	if (run_start && t1 - run_start > gap)
		gap = t1 - run_start;
	if (tcp_run && t1 - tcp_run > tcp_gap)
		tcp_gap = t1 - tcp_run;
	na = load_mon(v[1], A, 10000);
	nb = load_mon(v[2], B, 10000);
	for (int i = 0; i < na; i++)
		for (int j = 0; j < nb; j++) {
			int64_t a = A[i].a > B[j].a ? A[i].a : B[j].a,
				b = A[i].b < B[j].b ? A[i].b : B[j].b;
			if (a < t0)
				a = t0;
			if (b > t1)
				b = t1;
			if (b > a)
				dual += b - a;
		}
	{ /* time the new owner got the address; total time nobody had it */
		struct iv *N = neu == 1 ? A : B;
		int n = neu == 1 ? na : nb;
		int64_t one = 0;
		for (int i = 0; i < n; i++)
			if (N[i].a >= t0 && N[i].a <= t1 && mown < 0)
				mown = N[i].a - t0;
		for (int w = 0; w < 2; w++)
			for (int i = 0; i < (w ? nb : na); i++) {
				int64_t a = w ? B[i].a : A[i].a, b = w ? B[i].b : A[i].b;
				if (a < t0)
					a = t0;
				if (b > t1)
					b = t1;
				if (b > a)
					one += b - a;
			}
		nobody = (t1 - t0) - (one - dual);
	}
	printf(
	    "outage_ms=%.1f lost_ms=%.1f tcp_outage_ms=%.1f switch_ms=%.1f own_ms=%.1f dual_ms=%.1f nobody_ms=%.1f flips=%d last_bad_ms=%.1f garp1_ms=%.1f garps=%u sent=%d\n",
	    gap / 1e6, sent ? (double)lost * (t1 - t0) / 1e6 / sent : 0, tcp_gap / 1e6,
	    sw < 0 ? -1 : sw / 1e6, mown < 0 ? -1 : mown / 1e6, dual / 1e6, nobody / 1e6, flips,
	    last_bad < 0 ? 0 : (last_bad - t0) / 1e6, garp1 < 0 ? -1 : garp1 / 1e6, garps, sent);
	return 0;
}

static int
cmd_chg(char **v)
{
	FILE *f = fopen(v[0], "r");
	int x, n = 0;
	long long t;
	if (!f)
		die(v[0]);
	while (fscanf(f, "%d %lld", &x, &t) == 2)
		n += t >= atoll(v[1]) && t <= atoll(v[2]);
	printf("%d\n", n);
	return 0;
}

static double
ticks(int pid, long *rss)
{
	char p[64], b[2048], *e;
	unsigned long u, s;
	long r;
	int fd, n;
	snprintf(p, sizeof p, "/proc/%d/stat", pid);
	if ((fd = open(p, O_RDONLY)) < 0)
		return 0;
	n = (int)read(fd, b, sizeof b - 1);
	close(fd);
	if (n <= 0)
		return 0;
	b[n] = 0;
	if (!(e = strrchr(b, ')')))
		return 0;
	if (sscanf(e + 2,
		"%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %*u %*u %ld",
		&u, &s, &r) != 3)
		return 0;
	*rss += r * (sysconf(_SC_PAGESIZE) / 1024);
	return (double)(u + s) / (double)sysconf(_SC_CLK_TCK);
}

/* schedstat has ns resolution where the kernel offers it */
static double
cputime(int pid)
{
	char p[64];
	unsigned long long ns;
	FILE *f;
	snprintf(p, sizeof p, "/proc/%d/schedstat", pid);
	if (!(f = fopen(p, "r")))
		return -1;
	if (fscanf(f, "%llu", &ns) != 1)
		ns = 0;
	fclose(f);
	return ns / 1e9;
}

static int
cmd_cpu(int c, char **v)
{
	double a[256], s0 = 0, s1 = 0;
	long rss = 0, d = 0;
	int64_t t = now_ns();
	if (c > 256)
		c = 256;
	for (int i = 1; i < c; i++) {
		a[i] = cputime(atoi(v[i]));
		s0 += a[i] >= 0 ? a[i] : ticks(atoi(v[i]), &d);
	}
	struct timespec ts = { atoi(v[0]), 0 };
	nanosleep(&ts, NULL);
	t = now_ns() - t;
	for (int i = 1; i < c; i++) {
		double x = cputime(atoi(v[i])), y = ticks(atoi(v[i]), &rss);
		s1 += a[i] >= 0 ? x : y;
	}
	printf("cpu_pct=%.3f rss_kib=%ld\n", (s1 - s0) / (t / 1e9) * 100, rss);
	return 0;
}

static int
cmpd(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}
static int
cmd_stats(void)
{
	static double d[100000];
	int n = 0;
	while (n < 100000 && scanf("%lf", &d[n]) == 1)
		n++;
	if (!n) {
		printf("n=0\n");
		return 0;
	}
	qsort(d, (size_t)n, sizeof *d, cmpd);
	printf("median=%.1f min=%.1f p90=%.1f max=%.1f n=%d\n",
	    n % 2 ? d[n / 2] : (d[n / 2 - 1] + d[n / 2]) / 2, d[0], d[(n * 9 + 9) / 10 - 1],
	    d[n - 1], n);
	return 0;
}

int
main(int c, char **v)
{
	const char *m = c > 1 ? v[1] : "";
	on_signals();
	if (!strcmp(m, "now")) {
		printf("%lld\n", (long long)now_ns());
		return 0;
	}
	if (!strcmp(m, "echo") && c == 4)
		return cmd_echo((uint32_t)atoi(v[2]), atoi(v[3]));
	if (!strcmp(m, "probe") && c >= 6)
		return cmd_probe(v[2], atoi(v[3]), atoi(v[4]), v[5], c > 6 ? v[6] : NULL);
	if (!strcmp(m, "mon") && c == 4)
		return cmd_mon(v[2], v[3]);
	if (!strcmp(m, "addrs") && c == 5)
		return cmd_addrs(v[2], atoi(v[3]), v[4]);
	if (!strcmp(m, "garps") && c == 6)
		return cmd_garps(v[2], atoi(v[3]), v[4], v[5]);
	if (!strcmp(m, "report") && c == 8)
		return cmd_report(v + 2);
	if (!strcmp(m, "chg") && c == 5)
		return cmd_chg(v + 2);
	if (!strcmp(m, "cpu") && c > 3)
		return cmd_cpu(c - 2, v + 2);
	if (!strcmp(m, "stats"))
		return cmd_stats();
	fprintf(stderr, "usage: see the head of haprobe.c\n");
	return 2;
}
