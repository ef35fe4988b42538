/* core.c - the loop of the process that decides: sleep until something comes or is due, read all of it, decide, act, send.
 *
 * The order of a turn is carrier.h's: after a sleep the clock is asked first, so that an own stall is known before
 * anything is judged; then every socket is read empty; then carriers are brought to now; only then are the groups decided,
 * carried out, and heartbeats sent. What a frame says can be urgent (a role changed): then all carriers send at once.
 *
 * It allocates nothing after its start, opens no file, asks no name, and does not log: what happened goes into the
 * shared memory, and the side process tells people. When the side is gone the core goes on, for CORE_ORPHAN. */
#include "core/core_priv.h"

#include "base/must.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SUITE_VERSION 0x000100
#define STRANGER_LOOK DUR_MS(5)

/* What is slept on; bits of core.ready. */
enum core_fd {
	DOOR,
	SIDE,
	LINK,
	LEASE,
	PROBE,
	PING4,
	PING6,
	WITNESS,
	WAYS,
	PORTS = WAYS + CARRIER_SET,
	POLLS = PORTS + SHARED_VRRPS
};

static bool
is_ready(const struct core *c, unsigned fd)
{
	return (c->ready >> fd & 1) != 0;
}

/* ---- the door ---------------------------------------------------------------------------------------------- */

static void
let_in(struct core *c, int region)
{
	char word = CORE_HERE;
	struct iovec iov = { &word, 1 };
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *h;
	int fd =
	    is_ready(c, DOOR) ? accept4(c->door, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;

	if (fd == -1)
		return;
	c->ready |= UINT64_C(1) << SIDE;
	memset(&control, 0, sizeof(control));
	h = CMSG_FIRSTHDR(&m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &region, sizeof(int));
	(void)sendmsg(fd, &m, MSG_NOSIGNAL); /* one that has left may have left a word */
	if (c->side != -1)
		(void)close(c->side); /* the newest counts */
	c->side = fd;
	c->alone_since = 0;
}

static void
hear_side(struct core *c, mono_t now)
{
	char word[16];
	ssize_t n;

	while (is_ready(c, SIDE) && c->side != -1 &&
	       (n = recv(c->side, word, sizeof(word), MSG_DONTWAIT)) != -1) {
		if (n == 0) {
			(void)close(c->side);
			c->side = -1;
			c->alone_since = now;
		}
		for (ssize_t i = 0; i < n; i++)
			c->clear = c->clear || word[i] == CORE_CLEAR;
	}
}

/* ---- in ---------------------------------------------------------------------------------------------------- */

struct arrival {
	struct core *c;
	unsigned carrier;
};

static void
on_frame(void *arg, const struct carrier_in *in)
{
	const struct arrival *a = arg;
	struct core *c = a->c;
	enum beat_fault f;
	struct beat b;

	if (!in->stranger) {
		f = pulse_in(&c->pulse, a->carrier, in);
	} else if (in->at - c->looked_at < STRANGER_LOOK) {
		return; /* whoever floods us is not looked at each time */
	} else {
		c->looked_at = in->at;
		f = beat_decode(in->bytes, in->len, &c->pulse.self, &c->pulse.seal, &b);
	}
	if (f != BEAT_GOOD)
		strange_note(c->strange, f, &c->pulse.seal, in);
}

static void
read_carriers(struct core *c)
{
	for (unsigned i = 0; i < CARRIER_SET; i++) {
		struct arrival a = { c, i };
		struct core_way *w = &c->way[i];

		if (!is_ready(c, WAYS + i) || c->want->carrier[i].kind == SHARED_UNUSED ||
		    w->fault != 0)
			continue;
		if (c->want->carrier[i].kind == SHARED_SERIAL)
			while (carrier_serial_read(&w->serial, on_frame, &a) > 0)
				;
		else
			while (carrier_udp_read(&w->udp, on_frame, &a) == CARRIER_BATCH)
				;
	}
}

static void
on_refused(void *arg, uint32_t tag, int code)
{
	struct core *c = arg;

	if (tag < SHARED_ADDRS)
		atomic_store_explicit(
		    &c->sh->error[c->number & 1][tag], (short)-code, memory_order_relaxed);
}

static void
read_all(struct core *c, mono_t now)
{
	read_carriers(c);
	if (is_ready(c, LINK))
		(void)link_read(&c->link);
	if (is_ready(c, LEASE))
		lease_errors(&c->lease, on_refused, c);
	if (is_ready(c, PING4) || is_ready(c, PING6))
		(void)ping_socket_read(&c->ping_socket, &c->ping, now);
	if (is_ready(c, WITNESS))
		core_witness_read(c, now);
	if (is_ready(c, PROBE))
		probe_read(&c->probe, c->want, now);
	for (unsigned i = 0; i < SHARED_VRRPS; i++)
		if (is_ready(c, PORTS + i))
			core_vrrp_read(c, i, now);
}

/* ---- out --------------------------------------------------------------------------------------------------- */

static void
say(const struct core *c, struct beat *b)
{
	const struct shared_say *s = &c->sh->say;

	*b = (struct beat){
		.flags = (uint16_t)((c->side == -1 ? BEAT_HEADLESS : 0)),
		.ping_reachable = ping_reachable(&c->ping),
		.ping_count = (uint8_t)ping_count(&c->ping),
		.schema = (uint16_t)atomic_load(&s->schema),
		.suite = SUITE_VERSION,
		.revision = atomic_load(&s->revision),
		.hash_shared = atomic_load(&s->hash_shared),
		.hash_own = atomic_load(&s->hash_oper),
	};
	for (unsigned i = 0; i < BEAT_GROUPS; i++) {
		const struct core_group *g = &c->g[i];

		b->group[i] = (struct beat_group){
			.role = g->fsm.role,
			.flags = (uint8_t)((g->out.leaving ? BEAT_LEAVING : 0) |
					   (g->out.hold ? BEAT_HAVE : 0) |
					   (g->out.fit == FSM_FIT ? BEAT_FIT : 0) |
					   (g->out.fit == FSM_FAULTY ? BEAT_FAULT : 0) |
					   (atomic_load(&s->whole[i]) ? BEAT_WHOLE : 0)),
			.priority = c->want->group[i].priority,
			.generation = g->out.hold ? g->fsm.claim : g->fsm.generation,
			.merit = g->fsm.merit,
			.score = core_health(c, i),
		};
	}
}

static int
send_on(struct core_way *w, const struct shared_carrier *k, const uint8_t *bytes)
{
	if (w->fault != 0)
		return w->fault;
	return k->kind == SHARED_SERIAL ? carrier_serial_send(&w->serial, bytes, BEAT_LEN)
					: carrier_udp_send(&w->udp, bytes, BEAT_LEN);
}

static void
send_beats(struct core *c, mono_t now)
{
	struct beat b;
	uint8_t bytes[BEAT_LEN];

	say(c, &b);
	for (unsigned i = 0; i < CARRIER_SET; i++) {
		const struct shared_carrier *k = &c->want->carrier[i];

		if (k->kind == SHARED_UNUSED ||
		    !(c->urgent || carrier_due(&c->pulse.set.c[i], now)))
			continue;
		pulse_out(&c->pulse, i, &b, now, bytes);
		carrier_sent(&c->pulse.set.c[i], now, send_on(&c->way[i], k, bytes));
	}
	c->urgent = false;
}

/* ---- the loop ---------------------------------------------------------------------------------------------- */

static void
earlier(mono_t *at, mono_t other)
{
	if (other < *at)
		*at = other;
}

static mono_t
deadline(struct core *c, mono_t now)
{
	mono_t at = now + DUR_S(1);

	if (c->want == NULL)
		return at;
	earlier(&at, carriers_deadline(&c->pulse.set, now, c->damp));
	earlier(&at, announce_deadline(&c->announce));
	earlier(&at, ping_deadline(&c->ping));
	earlier(&at, core_witness_deadline(c));
	earlier(&at, core_vrrp_deadline(c));
	for (unsigned i = 0; i < SHARED_GROUPS; i++) {
		if (c->g[i].out.deadline != 0)
			earlier(&at, c->g[i].out.deadline);
		if (c->g[i].held)
			earlier(&at, c->g[i].renew);
		if (c->g[i].linger != 0)
			earlier(&at, c->g[i].linger);
		if (c->g[i].out.probe)
			earlier(&at, c->probe.next > now ? c->probe.next : now + DUR_MS(1));
	}
	return at;
}

static int
way_fd(const struct core *c, unsigned i)
{
	if (c->want == NULL || c->want->carrier[i].kind == SHARED_UNUSED || c->way[i].fault != 0)
		return -1;
	return c->want->carrier[i].kind == SHARED_SERIAL ? c->way[i].serial.fd : c->way[i].udp.fd;
}

static void
sleep_until(struct core *c, mono_t at)
{
	struct pollfd p[POLLS];
	mono_t now = mono_now();
	dur_t left = at > now ? at - now : 0;
	const struct timespec ts = { left / 1000000, left % 1000000 * 1000 };
	const int others[WAYS] = { c->door, c->side, c->link.fd, c->lease.fd, c->probe.fd,
		c->ping_socket.fd[0], c->ping_socket.fd[1], c->witness_fd };

	for (unsigned i = 0; i < POLLS; i++)
		p[i] = (struct pollfd){ .fd = i < WAYS	  ? others[i]
					      : i < PORTS ? way_fd(c, i - WAYS)
							  : c->port[i - PORTS].sock.rx,
			.events = POLLIN };
	c->ready = 0;
	if (ppoll(p, POLLS, &ts, NULL) <= 0)
		return;
	for (unsigned i = 0; i < POLLS; i++)
		if (p[i].revents != 0)
			c->ready |= UINT64_C(1) << i;
}

/* One turn after a sleep. */
static void
turn(struct core *c, mono_t now)
{
	dur_t late = carriers_wake(&c->pulse.set, now), lease = c->want->group[0].lease;
	unsigned events = atomic_load(&c->sh->events), moved;

	read_all(c, now);
	now = mono_now(); /* what came is not later than now */
	core_damp(c, now);
	moved = carriers_tick(&c->pulse.set, now, c->damp);
	if (c->want->paired)
		core_decide(c, now, late > lease); /* before virtual routers, which show it */
	core_vrrp_turn(c, now);
	core_open_ways(c, now);
	send_beats(c, now);
	ping_socket_send(&c->ping_socket, &c->ping, now);
	announce_turn(&c->announce, c->want, now);
	core_show(c, now, moved != 0 || events != atomic_load(&c->sh->events));
}

/* A core that ended a moment ago has left what it was; while its lease stands we are that. */
static void
resume(struct core *c, mono_t now)
{
	struct shared_is is;

	shared_read(c->sh, &is);
	if (is.cluster != c->want->cluster || is.node != c->want->node)
		return;
	for (unsigned i = 0; i < SHARED_GROUPS; i++) {
		const struct shared_group *g = &is.group[i];

		c->g[i].order_done = g->order_done;
		if ((g->role == FSM_ACTIVE || g->role == FSM_LEAVING) && g->lease_until > now)
			fsm_resume(&c->g[i].fsm, g->claim, g->merit, g->lease_until, now);
		else if (g->generation > c->g[i].fsm.generation)
			c->g[i].fsm.generation = g->generation;
	}
	core_vrrp_resume(c, &is, now);
}

static bool
is_over(const struct core *c, mono_t now)
{
	bool done = true;

	if (c->clear)
		return true;
	if (c->alone_since != 0 && now - c->alone_since > CORE_ORPHAN)
		atomic_store(&c->sh->say.stop, true);
	if (!atomic_load(&c->sh->say.stop))
		return false;
	if (c->want == NULL)
		return true;
	for (unsigned i = 0; c->want->paired && i < SHARED_GROUPS; i++)
		done = done && c->g[i].out.done && c->g[i].linger == 0;
	return done && core_vrrp_done(c);
}

static void
set_up(struct core *c, int region, int door)
{
	memset(c, 0, sizeof(*c));
	c->sh = mmap(NULL, sizeof(*c->sh), PROT_READ | PROT_WRITE, MAP_SHARED, region, 0);
	must(c->sh != MAP_FAILED && c->sh->magic == SHARED_MAGIC && c->sh->size == sizeof(*c->sh));
	c->door = door;
	c->side = c->witness_fd = -1;
	for (unsigned i = 0; i < SHARED_VRRPS; i++)
		c->port[i].sock.rx = c->port[i].sock.tx = -1;
	c->vmac_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	c->damp = 1;
	c->alone_since = mono_now();
	c->number = atomic_load(&c->sh->wanted) -
		    1; /* what is wanted is taken, though the core before had it */
	if (lease_open(&c->lease) != 0)
		c->lease.fd = -1;
	if (link_open(&c->link) != 0)
		c->link.fd = -1;
	(void)announce_open(&c->announce);
	probe_init(&c->probe);
	ping_init(&c->ping, (uint64_t)mono_now() << 20 ^ (uint64_t)getpid());
	if (ping_socket_open(&c->ping_socket, &(struct err){ 0 }) != 0)
		c->ping_socket.fd[0] = c->ping_socket.fd[1] = -1;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN); /* the side says when to end */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)prctl(PR_SET_NAME, "lbd-ha-core");
	core_sched_start();
	(void)mlockall(MCL_CURRENT | MCL_FUTURE); /* as far as the limit goes */
}

int
core_main(int region, int door)
{
	static struct core core;
	struct core *c = &core;
	mono_t now;

	set_up(c, region, door);
	for (;;) {
		sleep_until(c, deadline(c, mono_now()));
		now = mono_now();
		core_sched_turn(now);
		let_in(c, region);
		hear_side(c, now);
		if (atomic_load(&c->sh->wanted) != 0) {
			bool first = c->want == NULL;

			core_take_want(c, now);
			if (first)
				resume(c, now);
			turn(c, now);
		} else {
			(void)link_read(&c->link); /* what was asked for at the start */
		}
		if (is_over(c, now))
			break;
	}
	if (c->clear) {
		core_vrrp_end(c, mono_now());
		core_drop_all(c);
	}
	return 0;
}
