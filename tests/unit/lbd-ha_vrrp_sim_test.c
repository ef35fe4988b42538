/* Two and three nodes on a network in virtual time: loss, cuts in any direction, paused machines, restarts, drifting
 * weights. After all is healed there is exactly one master within the time that the standard gives, it stays, and when
 * there were several it has announced itself. Then the rules of groups, on two networks. SIM_SEED repeats one run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vrrp/vrrp_group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES 3
#define QUEUE 4096
#define RUNS 4000 /* one of them is 3750, where a put-off answer was lost */

struct node {
	struct vrrp_conf conf;
	struct vrrp v;
	mono_t frozen_until;
	bool holds;	    /* the addresses, by the orders it got */
	unsigned announced; /* since the count was set to 0 */
};

struct wire {
	mono_t at;
	unsigned to;
	uint8_t bytes[64];
	size_t n;
	struct addr src;
};

static struct {
	uint64_t seed, random;
	unsigned n;
	struct node node[NODES];
	struct wire queue[QUEUE];
	unsigned queued;
	bool cut[NODES][NODES]; /* from, to */
	unsigned loss_pct;
	mono_t now;
} sim;

static unsigned
dice(unsigned n)
{
	sim.random ^= sim.random << 13;
	sim.random ^= sim.random >> 7;
	sim.random ^= sim.random << 17;
	return (unsigned)(sim.random >> 16) % n;
}

static void
send_all(unsigned who, uint8_t priority)
{
	struct node *from = &sim.node[who];
	static struct vrrp_packet p;
	struct vrrp_ip ip = { .src = from->v.self, .dst = vrrp_group4, .ttl = 255 };
	static uint8_t bytes[VRRP_BYTES_MAX];
	size_t n;

	vrrp_advert(&from->v, priority, &p);
	n = vrrp_packet_format(&p, &ip, bytes);
	for (unsigned to = 0; to < sim.n; to++) {
		struct wire *w = &sim.queue[sim.queued];

		if (to == who || sim.cut[who][to] || dice(100) < sim.loss_pct ||
		    sim.queued == QUEUE)
			continue;
		*w = (struct wire){ .to = to, .n = n, .src = ip.src };
		w->at = sim.now + 20 + dice(1000);
		memcpy(w->bytes, bytes, n);
		sim.queued++;
	}
}

static void
obey(unsigned who, const struct vrrp_out *out)
{
	struct node *n = &sim.node[who];

	for (unsigned i = 0; i < out->n; i++)
		send_all(who, out->advert[i].priority);
	if (out->take)
		n->holds = true;
	if (out->drop)
		n->holds = false;
	n->announced += out->announce;
	if (n->holds != (n->v.state == VRRP_MASTER || n->v.state == VRRP_LEAVING))
		fail_msg("seed %llu: addresses and state differ", (unsigned long long)sim.seed);
}

static void
event(unsigned who, struct vrrp_event e)
{
	struct vrrp_out out;

	vrrp_step(&sim.node[who].v, e, sim.now, &out);
	obey(who, &out);
}

static void
deliver(const struct wire *w)
{
	struct vrrp *v = &sim.node[w->to].v;
	struct vrrp_ip ip = { .src = w->src, .dst = vrrp_group4, .ttl = 255 };
	static struct vrrp_packet p;

	if (vrrp_packet_parse(w->bytes, w->n, &ip, 255, &p) == VRRP_GOOD &&
	    vrrp_admit(v, &p, &ip) == VRRP_GOOD)
		event(w->to, vrrp_received(v, &p, &ip));
}

/* The index of the next packet that a node can take; -1. What waits at a frozen node waits. */
static int
next_packet(mono_t *at_out)
{
	int best = -1;

	for (unsigned i = 0; i < sim.queued; i++) {
		mono_t thaw = sim.node[sim.queue[i].to].frozen_until;
		mono_t at = sim.queue[i].at > thaw ? sim.queue[i].at : thaw;

		if (best == -1 || at < *at_out) {
			best = (int)i;
			*at_out = at;
		}
	}
	return best;
}

static int
next_timer(mono_t *at_out)
{
	int best = -1;

	for (unsigned i = 0; i < sim.n; i++) {
		const struct node *n = &sim.node[i];
		mono_t at = n->v.deadline > n->frozen_until ? n->v.deadline : n->frozen_until;

		if (n->v.deadline != VRRP_NEVER && (best == -1 || at < *at_out)) {
			best = (int)i;
			*at_out = at;
		}
	}
	return best;
}

/* Packets before timers: that is what vrrp_fsm.h asks of its caller. */
static void
run_until(mono_t end)
{
	for (;;) {
		mono_t packet_at = end, timer_at = end;
		int packet = next_packet(&packet_at), timer = next_timer(&timer_at);

		if ((packet == -1 || packet_at >= end) && (timer == -1 || timer_at >= end))
			break;
		if (packet != -1 && (timer == -1 || packet_at <= timer_at)) {
			struct wire w = sim.queue[packet];

			sim.queue[packet] = sim.queue[--sim.queued];
			sim.now = packet_at > sim.now ? packet_at : sim.now;
			deliver(&w);
		} else {
			sim.now = timer_at > sim.now ? timer_at : sim.now;
			event((unsigned)timer, (struct vrrp_event){ .kind = VRRP_EV_TIMER });
		}
	}
	sim.now = end;
}

static void
setup(uint64_t seed)
{
	static const unsigned intervals_ms[] = { 10, 50, 100, 1000, 2000 };
	unsigned version;

	memset(&sim, 0, sizeof(sim));
	sim.seed = seed;
	sim.random = seed * 2654435761u + 88172645463325252u;
	sim.now = DUR_S(100);
	sim.n = 2 + dice(2);
	version = 2 + dice(2);
	for (unsigned i = 0; i < sim.n; i++) {
		struct vrrp_conf *c = &sim.node[i].conf;
		struct addr self = { .family = 4, .len = 32, .b = { 10, 0, 0, (uint8_t)(i + 1) } };

		vrrp_conf_default(c);
		c->version = (uint8_t)version;
		c->vrid = 51;
		c->n = 1;
		c->addr[0] = (struct addr){ .family = 4, .len = 32, .b = { 10, 0, 0, 100 } };
		c->priority = (uint8_t)(dice(4) == 0 ? 100 : 1 + dice(255));
		c->interval = version == 2 ? DUR_S(1) : DUR_MS(intervals_ms[dice(5)]);
		c->preempt = dice(2);
		c->linger = dice(2);
		vrrp_init(&sim.node[i].v, c, &self);
	}
}

static void
disturb(void)
{
	unsigned who = dice(sim.n), other = dice(sim.n);

	switch (dice(8)) {
	case 0: sim.cut[who][other] = true; break;
	case 1: sim.cut[who][other] = sim.cut[other][who] = true; break;
	case 2: memset(sim.cut, 0, sizeof(sim.cut)); break;
	case 3: sim.loss_pct = dice(80); break;
	case 4: sim.node[who].frozen_until = sim.now + DUR_MS(dice(20000)); break;
	case 5: event(who, (struct vrrp_event){ .kind = VRRP_EV_STOP }); break;
	case 6:
		event(who, (struct vrrp_event){ .kind = dice(2) ? VRRP_EV_DOWN : VRRP_EV_UP });
		break;
	default:
		event(who,
		    (struct vrrp_event){ .kind = VRRP_EV_WEIGHT, .weight = (int)dice(60) - 30 });
	}
}

static void
heal(void)
{
	memset(sim.cut, 0, sizeof(sim.cut));
	sim.loss_pct = 0;
	for (unsigned i = 0; i < sim.n; i++) {
		sim.node[i].frozen_until = sim.now;
		event(i, (struct vrrp_event){ .kind = VRRP_EV_UP });
		if (sim.node[i].v.state == VRRP_LEAVING)
			event(i, (struct vrrp_event){ .kind = VRRP_EV_STOP });
		event(i, (struct vrrp_event){ .kind = VRRP_EV_START });
		sim.node[i].announced = 0;
	}
}

static unsigned
masters(int *one_out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < sim.n; i++)
		if (sim.node[i].v.state == VRRP_MASTER) {
			n++;
			*one_out = (int)i;
		}
	return n;
}

/* Silence is noticed after 3 intervals and the skew, all of them in the longest interval that was learned; one more for
 * a node that slept; and one until the new master is heard by all. A preempting node may then do the same once more. */
static dur_t
bound(void)
{
	dur_t longest = 0;

	for (unsigned i = 0; i < sim.n; i++)
		if (sim.node[i].conf.interval > longest)
			longest = sim.node[i].conf.interval;
	return 2 * (6 * longest) + DUR_MS(10);
}

static void
one_run(uint64_t seed)
{
	unsigned long long s = seed;
	int one = -1, later = -1;
	unsigned before;

	setup(seed);
	for (unsigned i = 0; i < sim.n; i++)
		event(i, (struct vrrp_event){ .kind = VRRP_EV_START });
	for (unsigned i = 0; i < 12; i++) {
		run_until(sim.now + DUR_MS(1 + dice(5000)));
		disturb();
		if (dice(3) == 0)
			event(dice(sim.n), (struct vrrp_event){ .kind = VRRP_EV_START });
	}
	heal();
	before = masters(&one);
	run_until(sim.now + bound());
	if (masters(&one) != 1)
		fail_msg("seed %llu: %u masters of %u", s, masters(&one), sim.n);
	if (before > 1 && sim.node[one].announced == 0)
		fail_msg("seed %llu: the winner did not announce itself", s);
	for (unsigned i = 0; i < sim.n; i++) {
		const struct vrrp *v = &sim.node[i].v, *m = &sim.node[one].v;

		if ((v->conf->preempt || v->conf->priority == VRRP_OWNER) &&
		    vrrp_priority(v) > vrrp_priority(m))
			fail_msg("seed %llu: %u does not preempt", s, i);
	}
	for (unsigned i = 0; i < 20; i++) {
		run_until(sim.now + bound() / 10);
		if (masters(&later) != 1 || later != one)
			fail_msg("seed %llu: does not stay", s);
	}
}

static void
test_exactly_one_after_healing(void **state)
{
	const char *one = getenv("SIM_SEED");

	(void)state;
	if (one != NULL) {
		one_run(strtoull(one, NULL, 10));
		return;
	}
	for (uint64_t seed = 1; seed <= RUNS; seed++)
		one_run(seed);
}

/* ---- groups: node 0 and 1, networks 0 and 1; member k of node i is g[i][k] ---- */

static struct vrrp_conf group_conf[2][2];
static struct vrrp member[2][2];
static struct vrrp_group group[2];
static bool network_cut[2];
static mono_t clock_now;

static void group_event(unsigned node, unsigned k, struct vrrp_event e);

static void
group_send(unsigned node, unsigned k, uint8_t priority)
{
	static struct vrrp_packet p[4];
	static unsigned depth;
	struct vrrp *peer = &member[!node][k];
	struct vrrp_ip ip = { .src = member[node][k].self, .dst = vrrp_group4, .ttl = 255 };

	if (network_cut[k] || depth == 4)
		return;
	vrrp_advert(&member[node][k], priority, &p[depth]);
	depth++;
	if (vrrp_admit(peer, &p[depth - 1], &ip) == VRRP_GOOD)
		group_event(!node, k, vrrp_received(peer, &p[depth - 1], &ip));
	depth--;
}

static void
group_event(unsigned node, unsigned k, struct vrrp_event e)
{
	struct vrrp_out outs[VRRP_GROUP];

	vrrp_group_step(&group[node], k, e, clock_now, outs);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned a = 0; a < outs[i].n; a++)
			group_send(node, i, outs[i].advert[a].priority);
}

static void
group_run(dur_t t)
{
	mono_t end = clock_now + t;

	for (;;) {
		unsigned at = 4;

		for (unsigned i = 0; i < 4; i++)
			if (member[i / 2][i % 2].deadline <= end &&
			    (at == 4 ||
				member[i / 2][i % 2].deadline < member[at / 2][at % 2].deadline))
				at = i;
		if (at == 4)
			break;
		clock_now = member[at / 2][at % 2].deadline;
		group_event(at / 2, at % 2, (struct vrrp_event){ .kind = VRRP_EV_TIMER });
	}
	clock_now = end;
}

static void
group_start(void)
{
	memset(group, 0, sizeof(group));
	memset(network_cut, 0, sizeof(network_cut));
	clock_now = DUR_S(50);
	for (unsigned i = 0; i < 4; i++) {
		struct vrrp_conf *c = &group_conf[i / 2][i % 2];
		struct addr self = { .family = 4,
			.len = 32,
			.b = { 10, (uint8_t)(i % 2), 0, (uint8_t)(i / 2 + 1) } };

		vrrp_conf_default(c);
		c->vrid = (uint8_t)(i % 2 + 1);
		c->priority = i / 2 ? 100 : 101;
		c->linger = false;
		c->n = 1;
		c->addr[0] = self;
		c->addr[0].b[3] = 100;
		vrrp_init(&member[i / 2][i % 2], c, &self);
		assert_true(vrrp_group_add(&group[i / 2], &member[i / 2][i % 2]));
	}
	for (unsigned i = 0; i < 4; i++)
		group_event(i / 2, i % 2, (struct vrrp_event){ .kind = VRRP_EV_START });
	group_run(DUR_S(10));
}

static void
want_states(const char *letters)
{
	char got[5] = "";

	for (unsigned i = 0; i < 4; i++)
		got[i] = "ifbml"[member[i / 2][i % 2].state];
	assert_string_equal(got, letters);
}

static void
test_group_moves_together(void **state)
{
	(void)state;
	group_start();
	want_states("mmbb");
	/* A fault on one network: node 1 has both. */
	group_event(0, 1, (struct vrrp_event){ .kind = VRRP_EV_DOWN });
	group_run(DUR_S(2));
	want_states("ffmm");
	group_event(0, 1, (struct vrrp_event){ .kind = VRRP_EV_UP });
	want_states("bbmm");
	group_run(DUR_S(10));
	want_states("mmbb");
	for (unsigned k = 0; k < 2; k++)
		group_event(0, k, (struct vrrp_event){ .kind = VRRP_EV_STOP });
	want_states("iibb");
	group_run(DUR_S(1));
	want_states("iimm");
}

static void
test_group_does_not_split(void **state)
{
	(void)state;
	group_start();
	network_cut[0] = true;
	for (unsigned i = 0; i < 30; i++) {
		group_run(DUR_S(1));
		want_states("mmbb");
	}
	assert_true(member[1][0].wants);
	network_cut[1] = true;
	group_run(DUR_S(5));
	want_states("mmmm");
	network_cut[0] = network_cut[1] = false;
	group_run(DUR_S(3));
	want_states("mmbb");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exactly_one_after_healing),
		cmocka_unit_test(test_group_moves_together),
		cmocka_unit_test(test_group_does_not_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
