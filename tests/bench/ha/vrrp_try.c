/* vrrp_try.c - virtual routers of lbd-ha/vrrp alone in a process, for tests with other implementations.
 *
 * vrrp_try [--sync] INSTANCE...; an INSTANCE is words with commas: if=eth0,vrid=51,vip=10.0.0.100/24 and more (words[]
 * below). Lines on standard output: microseconds and what happened. Commands on standard input: [N] and down, up, stop,
 * weight W, show, probe ADDRESS. SIGTERM stops as a daemon does. One ppoll loop; packets before timers; interfaces that
 * lose their carrier are at fault. */
#include "frame.h"
#include "vrrp/vmac.h"
#include "vrrp/vrrp_group.h"
#include "vrrp/vrrp_sock.h"

#include "base/must.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MOST 256

struct instance {
	struct vrrp_conf conf;
	struct vrrp v;
	char ifname[IFNAME_MAX];
	int ifindex, group; /* -1: alone */
	struct vrrp_sock *sock;
	struct vmac vmac;
	bool has_vmac, on_base; /* on_base: a virtual MAC that advertisements do not use */
	bool link_down;
	uint8_t mac[6];
	unsigned more;
	struct addr vip[VRRP_ADDRS], excluded[VRRP_ADDRS]; /* with their prefixes */
};

struct port { /* an interface with a family */
	char ifname[IFNAME_MAX];
	struct vrrp_sock sock;
	uint64_t bad[VRRP_BADS];
};

static struct instance instance[MOST];
static struct port port[MOST];
static unsigned instances, ports;
static struct vrrp_group group;
static int packet_fd = -1;
static volatile sig_atomic_t stopping;

static void
on_signal(int sig)
{
	(void)sig;
	stopping = 1;
}

static void __attribute__((noreturn)) die(const char *what)
{
	(void)fprintf(stderr, "vrrp_try: %s\n", what);
	exit(64);
}

static void __attribute__((format(printf, 1, 2))) say(const char *fmt, ...)
{
	va_list ap;

	(void)printf("%" PRId64 " ", mono_now());
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)printf("\n");
	(void)fflush(stdout);
}

/* ---- words of an instance ---- */

static struct addr
address(const char *text)
{
	struct addr a;

	if (addr_parse(text, ADDR_CIDR, &a) != 0)
		die(text);
	return a;
}

static struct addr
host(struct addr a)
{
	a.len = a.family == 4 ? 32 : 128;
	return a;
}

static bool
set_number(struct instance *i, const char *word, const char *value)
{
	struct vrrp_conf *c = &i->conf;
	const struct {
		const char *word;
		uint8_t *byte;
		dur_t *ms;
	} numbers[] = {
		{ "vrid", &c->vrid, NULL },
		{ "prio", &c->priority, NULL },
		{ "version", &c->version, NULL },
		{ "down", &c->down_adverts, NULL },
		{ "minttl", &c->min_ttl, NULL },
		{ "ms", NULL, &c->interval },
		{ "preempt_delay", NULL, &c->preempt_delay },
		{ "startup_delay", NULL, &c->startup_delay },
	};

	for (size_t k = 0; k < ARRAY_LEN(numbers); k++) {
		if (strcmp(word, numbers[k].word) != 0)
			continue;
		if (numbers[k].byte != NULL)
			*numbers[k].byte = (uint8_t)atoi(value);
		else
			*numbers[k].ms = DUR_MS(atoi(value));
		return true;
	}
	return false;
}

static bool
set_flag(struct instance *i, const char *word)
{
	struct vrrp_conf *c = &i->conf;

	if (strcmp(word, "nopreempt") == 0)
		c->preempt = false;
	else if (strcmp(word, "nolinger") == 0)
		c->linger = false;
	else if (strcmp(word, "broadcast") == 0)
		c->way = VRRP_BROADCAST;
	else if (strcmp(word, "plain") == 0)
		c->sum = VRRP_SUM_USE_PLAIN;
	else if (strcmp(word, "pseudo") == 0)
		c->sum = VRRP_SUM_USE_PSEUDO;
	else if (strcmp(word, "vmac") == 0)
		i->has_vmac = true;
	else if (strcmp(word, "vmac_base") == 0)
		i->has_vmac = i->on_base = true;
	else
		return false;
	return true;
}

static void
set_word(struct instance *i, const char *word, const char *value)
{
	struct vrrp_conf *c = &i->conf;

	if (set_flag(i, word) || set_number(i, word, value))
		return;
	if (strcmp(word, "if") == 0)
		(void)snprintf(i->ifname, sizeof(i->ifname), "%s", value);
	else if (strcmp(word, "vip") == 0 && c->n < VRRP_ADDRS) {
		i->vip[c->n] = address(value);
		c->family = i->vip[0].family;
		c->addr[c->n] = host(i->vip[c->n]);
		c->n++;
	} else if (strcmp(word, "extra") == 0 && i->more < VRRP_ADDRS)
		i->excluded[i->more++] = address(value);
	else if (strcmp(word, "src") == 0)
		i->v.self = host(address(value));
	else if (strcmp(word, "peer") == 0 && c->peers < VRRP_PEERS) {
		c->way = VRRP_UNICAST;
		c->peer[c->peers++] = host(address(value));
	} else if (strcmp(word, "auth") == 0) {
		c->auth_type = VRRP_AUTH_PASS;
		memcpy(c->auth, value, strnlen(value, sizeof(c->auth)));
	} else
		die(word);
}

/* Our address on the interface, and its MAC: IPv6 the link-local one. */
static void
find_self(struct instance *i)
{
	struct iface_list l;
	struct err err;
	struct addr self = i->v.self;

	if (netlink_addresses(&l, &err) != 0)
		die(err.text);
	for (unsigned k = 0; k < l.n; k++) {
		const struct iface_addr *e = &l.a[k];

		if (strcmp(e->name, i->ifname) != 0 || e->ours)
			continue;
		memcpy(i->mac, e->mac, sizeof(i->mac));
		if (self.family == 0 && e->addr.family == i->conf.family &&
		    (e->addr.family == 4 ||
			(e->addr.b[0] == 0xfe && (e->addr.b[1] & 0xc0) == 0x80)))
			self = host(e->addr);
	}
	iface_list_fini(&l);
	if (self.family == 0)
		die("the interface has no address to send from");
	i->v.self = self;
}

static struct port *
find_port(const char *ifname, uint8_t family)
{
	struct err err;

	for (unsigned k = 0; k < ports; k++)
		if (port[k].sock.family == family && strcmp(port[k].ifname, ifname) == 0)
			return &port[k];
	(void)snprintf(port[ports].ifname, sizeof(port[ports].ifname), "%s", ifname);
	if (vrrp_sock_open(&port[ports].sock, ifname, family, &err) != 0)
		die(err.text);
	return &port[ports++];
}

static void
make_instance(char *words, bool sync)
{
	struct instance *i = &instance[instances];
	struct addr self;
	struct err err;
	char *save = NULL;

	if (instances == MOST)
		die("too many");
	vrrp_conf_default(&i->conf);
	for (char *w = strtok_r(words, ",", &save); w != NULL; w = strtok_r(NULL, ",", &save)) {
		char *value = strchr(w, '=');

		if (value != NULL)
			*value++ = '\0';
		set_word(i, w, value != NULL ? value : "");
	}
	if (vrrp_conf_check(&i->conf, &err) != 0)
		die(err.text);
	find_self(i);
	i->sock = &find_port(i->ifname, i->conf.family)->sock;
	i->ifindex = i->sock->ifindex;
	if (i->has_vmac &&
	    vmac_open(&i->vmac, VMAC_MACVLAN, i->ifname, i->conf.family, i->conf.vrid, &err) != 0)
		die(err.text);
	if (i->has_vmac && i->vmac.adopted)
		say("adopted %u", instances);
	if (i->has_vmac && i->vmac.up)
		(void)vmac_set(&i->vmac, false);
	self = i->v.self;
	vrrp_init(&i->v, &i->conf, &self);
	i->group = -1;
	if (sync) {
		i->group = (int)group.n;
		(void)vrrp_group_add(&group, &i->v);
	}
	instances++;
}

/* ---- effects ---- */

static void
send_advert(struct instance *i, uint8_t priority, bool plain_mac)
{
	static struct vrrp_packet p;
	static uint8_t bytes[VRRP_BYTES_MAX];
	static const struct addr everyone = { .family = 4, .len = 32, .b = { 255, 255, 255, 255 } };
	const struct vrrp_conf *c = &i->conf;
	struct vrrp_ip ip = { .src = i->v.self, .ttl = VRRP_TTL };
	int out = i->has_vmac && !plain_mac && !i->on_base && c->way != VRRP_UNICAST ? i->vmac.index
										     : i->ifindex;
	unsigned n = c->way == VRRP_UNICAST ? c->peers : 1;

	vrrp_advert(&i->v, priority, &p);
	for (unsigned k = 0; k < n; k++) {
		int code;

		ip.dst = c->way == VRRP_UNICAST	    ? c->peer[k]
			 : c->way == VRRP_BROADCAST ? everyone
			 : c->family == 4	    ? vrrp_group4
						    : vrrp_group6;
		code = vrrp_sock_send(i->sock, out, &ip, bytes, vrrp_packet_format(&p, &ip, bytes));
		if (code != 0)
			say("error send %s", strerror(-code));
	}
}

static void
send_frame(const struct instance *i, const uint8_t *frame, size_t n)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_halen = 6 };

	to.sll_ifindex = i->has_vmac ? i->vmac.index : i->ifindex;
	to.sll_protocol = (uint16_t)((unsigned)frame[13] << 8 | frame[12]);
	memcpy(to.sll_addr, frame, 6);
	(void)sendto(packet_fd, frame, n, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
}

static void
announce(const struct instance *i, const struct addr *a)
{
	const uint8_t *mac = i->has_vmac ? i->vmac.mac : i->mac;
	uint8_t frame[FRAME_MAX];

	if (a->family == 6) {
		send_frame(i, frame, frame_na(frame, mac, a, true));
		return;
	}
	send_frame(i, frame, frame_arp(frame, mac, a, false));
	send_frame(i, frame, frame_arp(frame, mac, a, true));
}

static void
each_address(struct instance *i, int (*change)(const char *ifname, const struct addr *a))
{
	const char *ifname = i->has_vmac ? i->vmac.name : i->ifname;
	int code = 0;

	for (unsigned k = 0; k < i->conf.n + i->more; k++) {
		struct addr a = k < i->conf.n ? i->vip[k] : i->excluded[k - i->conf.n];

		if (i->has_vmac)
			a = host(a); /* the subnet's route is the parent's */
		code = change(ifname, &a);
		if (code != 0)
			say("error address %s", strerror(-code));
	}
}

static void
obey(struct instance *i, const struct vrrp_out *out)
{
	if (out->take && i->has_vmac && vmac_set(&i->vmac, true) != 0)
		say("error vmac");
	for (unsigned k = 0; k < out->n; k++)
		send_advert(i, out->advert[k].priority, out->advert[k].plain_mac);
	if (out->drop && i->has_vmac && vmac_set(&i->vmac, false) != 0)
		say("error vmac");
	if (out->drop)
		each_address(i, netlink_address_del);
	if (out->take)
		each_address(i, netlink_address_add);
	for (unsigned k = 0; out->announce && k < i->conf.n; k++)
		announce(i, &i->conf.addr[k]);
	for (unsigned k = 0; out->announce && k < i->more; k++)
		announce(i, &i->excluded[k]);
	if (out->changed)
		say("state %u %s", (unsigned)(i - instance), vrrp_state_name(i->v.state));
}

static void
event(struct instance *i, struct vrrp_event e)
{
	static struct vrrp_out outs[VRRP_GROUP];
	struct vrrp_out out;

	if (i->group == -1) {
		vrrp_step(&i->v, e, mono_now(), &out);
		obey(i, &out);
		return;
	}
	vrrp_group_step(&group, (unsigned)i->group, e, mono_now(), outs);
	for (unsigned k = 0; k < instances; k++)
		obey(&instance[k], &outs[k]);
}

/* ---- input ---- */

static struct instance *
find_instance(const struct vrrp_sock *s, uint8_t vrid)
{
	for (unsigned k = 0; k < instances; k++)
		if (instance[k].sock == s && instance[k].conf.vrid == vrid)
			return &instance[k];
	return NULL;
}

static void
take_frame(struct port *p, const struct vrrp_frame *f)
{
	static struct vrrp_packet packet;
	enum vrrp_bad bad = vrrp_packet_parse(f->p, f->n, &f->ip, 1, &packet);
	struct instance *i;
	enum vrrp_sum before;

	i = bad == VRRP_GOOD ? find_instance(&p->sock, packet.vrid) : NULL;
	if (bad == VRRP_GOOD && i == NULL)
		bad = VRRP_BAD_VRID;
	if (bad != VRRP_GOOD) {
		p->bad[bad]++;
		return;
	}
	if (vrrp_admit(&i->v, &packet, &f->ip) != VRRP_GOOD)
		return;
	before = i->v.sum;
	event(i, vrrp_received(&i->v, &packet, &f->ip));
	if (i->v.sum != before)
		say("sum %u %s", (unsigned)(i - instance),
		    i->v.sum == VRRP_SUM_PLAIN ? "plain" : "pseudo");
}

static void
receive_all(struct port *p)
{
	static struct vrrp_frame f;

	for (unsigned k = 0; k < 1000 && vrrp_sock_receive(&p->sock, &f) == 1; k++)
		take_frame(p, &f);
}

static void
show(unsigned k)
{
	const struct instance *i = &instance[k];
	const struct vrrp_counts *c = &i->v.counts;

	(void)printf("%" PRId64 " show %u state=%s priority=%u interval=%" PRId64 " sent=%" PRIu64
		     " received=%" PRIu64 " zero=%" PRIu64 " answers=%" PRIu64 " equal=%" PRIu64
		     " mismatch=%" PRIu64 " stalls=%" PRIu64,
	    mono_now(), k, vrrp_state_name(i->v.state), vrrp_priority(&i->v), i->v.master_interval,
	    c->sent, c->received, c->zero_received, c->answers, c->equal, c->mismatch, c->stalls);
	for (enum vrrp_bad b = 0; b < VRRP_BADS; b++) {
		uint64_t n = c->bad[b];

		for (unsigned p = 0; p < ports; p++)
			n += &port[p].sock == i->sock ? port[p].bad[b] : 0;
		if (n > 0)
			(void)printf(" \"%s\"=%" PRIu64, vrrp_bad_name(b), n);
	}
	(void)printf("\n");
	(void)fflush(stdout);
}

static void
probe(const struct instance *i, const char *target)
{
	static const char *const names[] = { "unknown", "passes", "blocked" };
	struct addr a = address(target);
	enum vmac_way way = VMAC_UNKNOWN;
	int code = vmac_probe(i->ifname, &a, DUR_MS(300), &way);

	say("probe %s", code != 0 ? strerror(-code) : names[way]);
}

static void
command(char *line)
{
	char *end;
	unsigned long k = strtoul(line, &end, 10);
	struct instance *i = &instance[k < instances ? k : 0];

	end += strspn(end, " ");
	end[strcspn(end, "\n")] = '\0';
	if (strcmp(end, "down") == 0)
		event(i, (struct vrrp_event){ .kind = VRRP_EV_DOWN });
	else if (strcmp(end, "up") == 0)
		event(i, (struct vrrp_event){ .kind = VRRP_EV_UP });
	else if (strcmp(end, "stop") == 0)
		event(i, (struct vrrp_event){ .kind = VRRP_EV_STOP });
	else if (strncmp(end, "weight ", 7) == 0)
		event(i, (struct vrrp_event){ .kind = VRRP_EV_WEIGHT, .weight = atoi(end + 7) });
	else if (strncmp(end, "probe ", 6) == 0)
		probe(i, end + 6);
	else
		show((unsigned)(i - instance));
}

static void
look_at_links(void)
{
	for (unsigned k = 0; k < instances; k++) {
		struct instance *i = &instance[k];
		struct ifreq rq = { 0 };
		bool ok;

		memcpy(rq.ifr_name, i->ifname, sizeof(rq.ifr_name));
		ok = ioctl(packet_fd, SIOCGIFFLAGS, &rq) == 0 && (rq.ifr_flags & IFF_UP) &&
		     (rq.ifr_flags & IFF_RUNNING);
		if (ok == i->link_down)
			event(i, (struct vrrp_event){ .kind = ok ? VRRP_EV_UP : VRRP_EV_DOWN });
		i->link_down = !ok;
	}
}

/* ---- loop ---- */

static bool
run_timers(void)
{
	bool any = false;

	for (unsigned k = 0; k < instances; k++) {
		if (instance[k].v.deadline <= mono_now())
			event(&instance[k], (struct vrrp_event){ .kind = VRRP_EV_TIMER });
		any |= instance[k].v.state != VRRP_INIT;
	}
	return any;
}

static struct timespec
time_left(void)
{
	mono_t first = VRRP_NEVER;
	dur_t left = DUR_S(3600);

	for (unsigned k = 0; k < instances; k++)
		if (instance[k].v.deadline < first)
			first = instance[k].v.deadline;
	if (first != VRRP_NEVER)
		left = first - mono_now() > 0 ? first - mono_now() : 0;
	return (struct timespec){ .tv_sec = left / DUR_S(1), .tv_nsec = left % DUR_S(1) * 1000 };
}

static void
wait_and_take(int watch, bool *input, const sigset_t *mask)
{
	struct pollfd p[MOST + 2];
	struct timespec left = time_left();
	char line[256];

	for (unsigned k = 0; k < ports; k++)
		p[k] = (struct pollfd){ .fd = port[k].sock.rx, .events = POLLIN };
	p[ports] = (struct pollfd){ .fd = watch, .events = POLLIN };
	p[ports + 1] = (struct pollfd){ .fd = *input ? 0 : -1, .events = POLLIN };
	(void)ppoll(p, ports + 2, &left, mask);
	for (unsigned k = 0; k < ports; k++)
		receive_all(&port[k]);
	if (p[ports].revents != 0) {
		netlink_watch_drain(watch);
		look_at_links();
	}
	if (p[ports + 1].revents != 0) {
		*input = fgets(line, sizeof(line), stdin) != NULL;
		if (*input)
			command(line);
	}
}

static void
loop(const sigset_t *mask)
{
	int watch = netlink_watch();
	bool input = true, stopped = false;

	look_at_links();
	for (unsigned k = 0; k < instances; k++)
		event(&instance[k], (struct vrrp_event){ .kind = VRRP_EV_START });
	say("ready");
	while (run_timers()) {
		wait_and_take(watch, &input, mask);
		for (unsigned k = 0; stopping && !stopped && k < instances; k++)
			event(&instance[k], (struct vrrp_event){ .kind = VRRP_EV_STOP });
		stopped = stopping;
	}
}

int
main(int argc, char **argv)
{
	struct sigaction on = { .sa_handler = on_signal };
	sigset_t block, before;
	bool sync = argc > 1 && strcmp(argv[1], "--sync") == 0;

	(void)sigemptyset(&block);
	(void)sigaddset(&block, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &block, &before);
	(void)sigaction(SIGTERM, &on, NULL);
	(void)setvbuf(stdin, NULL, _IONBF, 0);
	packet_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	for (int i = sync ? 2 : 1; i < argc; i++)
		make_instance(argv[i], sync);
	loop(&before);
	for (unsigned k = 0; k < instances; k++) {
		show(k);
		if (instance[k].has_vmac)
			(void)vmac_remove(&instance[k].vmac);
	}
	return 0;
}
