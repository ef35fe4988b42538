/* core_want.c - another want is in force: what differs is opened, closed, put or taken away; what stays goes on.
 *
 * A carrier that goes on keeps its socket, its statistics and its sequence. Addresses that are wanted no more are taken
 * away here, when they were held; those that are new are put by the next decision, which puts all of a group. Another
 * cluster, node or secret means another peer: everything known of it is forgotten. */
#include "core/core_priv.h"

#include "base/must.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAY_RETRY DUR_S(1)

static void
close_way(struct core *c, unsigned i)
{
	if (c->want == NULL || c->way[i].fault != 0)
		return;
	if (c->want->carrier[i].kind == SHARED_SERIAL)
		carrier_serial_close(&c->way[i].serial);
	else if (c->want->carrier[i].kind != SHARED_UNUSED)
		carrier_udp_close(&c->way[i].udp);
}

static int
open_way(struct core_way *w, const struct shared_carrier *k)
{
	struct carrier_udp_conf u = {
		.local = k->local, .peer = k->peer, .group = k->group, .port = k->port
	};
	struct err err;

	if (k->kind == SHARED_SERIAL)
		return carrier_serial_open(&w->serial, k->device, k->speed, &err);
	_Static_assert(sizeof(u.ifname) <= sizeof(k->device), "an interface is a device");
	memcpy(u.ifname, k->device, sizeof(u.ifname));
	u.ifname[sizeof(u.ifname) - 1] = '\0';
	return carrier_udp_open(&w->udp, &u, &err);
}

void
core_open_ways(struct core *c, mono_t now)
{
	for (unsigned i = 0; i < CARRIER_SET; i++) {
		struct core_way *w = &c->way[i];

		if (c->want->carrier[i].kind == SHARED_UNUSED || w->fault == 0 || now < w->retry)
			continue;
		w->fault = open_way(w, &c->want->carrier[i]);
		w->retry = now + WAY_RETRY;
	}
}

static bool
same_way(const struct shared_carrier *a, const struct shared_carrier *b)
{
	return a->kind == b->kind && memcmp(&a->local, &b->local, sizeof(a->local)) == 0 &&
	       memcmp(&a->peer, &b->peer, sizeof(a->peer)) == 0 &&
	       memcmp(&a->group, &b->group, sizeof(a->group)) == 0 && a->port == b->port &&
	       strcmp(a->device, b->device) == 0 && a->speed == b->speed;
}

/* Another way to one who is alive is no silence: it has its dead time to be heard there. */
static void
meet_on(struct carrier *k, const struct carrier_conf *conf, bool alive, mono_t now)
{
	carrier_init(k, conf, now);
	k->heard = alive;
	k->heard_at = alive ? now : 0;
}

static void
take_ways(struct core *c, const struct shared_want *next, bool other_peer, mono_t now)
{
	bool alive = c->want != NULL && !other_peer && carriers_alive(&c->pulse.set, now, c->damp);

	for (unsigned i = 0; i < CARRIER_SET; i++) {
		const struct shared_carrier *k = &next->carrier[i];

		if (c->want != NULL && !other_peer && same_way(&c->want->carrier[i], k)) {
			if (k->kind != SHARED_UNUSED)
				carrier_conf_set(&c->pulse.set.c[i], &k->conf, now);
			continue;
		}
		close_way(c, i);
		c->pulse.number[i] = 0;
		c->way[i].fault = -EAGAIN; /* opened by core_open_ways */
		c->way[i].retry = now;
		if (k->kind != SHARED_UNUSED)
			meet_on(&c->pulse.set.c[i], &k->conf, alive, now);
		else
			memset(&c->pulse.set.c[i], 0, sizeof(c->pulse.set.c[i]));
	}
}

static uint64_t
random_id(void)
{
	uint64_t id = 0;

	while (id == 0)
		must(getrandom(&id, sizeof(id), 0) == sizeof(id));
	return id;
}

static void
meet_peer(struct core *c, const struct shared_want *next, mono_t now)
{
	const struct beat_self self = { .cluster = next->cluster, .node = next->node };
	uint64_t boot = random_id();
	struct shared_is is;
	bool first;

	shared_read(c->sh, &is);
	first = is.at == 0; /* a core that is started again is what it was: resume in core.c */
	pulse_init(&c->pulse, &self, boot);
	seal_set(&c->pulse.seal, 0, next->secret);
	for (unsigned g = 0; g < SHARED_GROUPS; g++) {
		fsm_init(&c->g[g].fsm, &next->group[g], now);
		if (next->inherit && first)
			fsm_resume(&c->g[g].fsm, 1, 0, now + next->group[g].lease, now);
		witness_client_init(&c->g[g].witness, next->cluster, next->node, boot, (uint8_t)g,
		    next->group[g].lease / 3, next->group[g].lease * 4);
	}
}

static bool
has_addr(const struct shared_want *w, const struct shared_addr *a)
{
	for (uint32_t i = 0; i < w->n; i++)
		if (w->a[i].index == a->index &&
		    memcmp(&w->a[i].addr, &a->addr, sizeof(a->addr)) == 0 &&
		    w->a[i].group == a->group)
			return true;
	return false;
}

/* Addresses that were held and are not wanted (there) any more. Few commits take any away: each is looked for. */
static void
drop_addrs(struct core *c, const struct shared_want *next)
{
	for (uint32_t i = 0; i < c->want->n; i++) {
		const struct shared_addr *a = &c->want->a[i];

		if (core_holds(c, a->group) &&
		    (i >= next->n || memcmp(a, &next->a[i], sizeof(*a)) != 0) && !has_addr(next, a))
			(void)lease_drop(&c->lease, a, SHARED_ADDRS);
	}
	(void)lease_flush(&c->lease);
}

static void
open_witness(struct core *c, const struct shared_want *next)
{
	struct sockaddr_storage sa;
	socklen_t len;

	if (c->want != NULL &&
	    memcmp(&c->want->witness, &next->witness, sizeof(next->witness)) == 0 &&
	    c->want->witness_port == next->witness_port &&
	    memcmp(c->want->witness_secret, next->witness_secret, SEAL_SECRET) == 0)
		return;
	if (c->witness_fd != -1)
		(void)close(c->witness_fd);
	c->witness_fd = -1;
	if (next->witness.family == 0)
		return;
	seal_init(&c->witness_seal, SEAL_WITNESS);
	seal_set(&c->witness_seal, 0, next->witness_secret);
	len = addr_sockaddr(&next->witness, next->witness_port, &sa);
	c->witness_fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->witness_fd != -1 && connect(c->witness_fd, (struct sockaddr *)&sa, len) == -1) {
		(void)close(c->witness_fd);
		c->witness_fd = -1;
	}
}

void
core_take_want(struct core *c, mono_t now)
{
	unsigned number = atomic_load(&c->sh->wanted);
	const struct shared_want *next = &c->sh->want[number & 1];
	bool other;

	if (number == c->number)
		return;
	core_sched_long(now);
	other = c->want == NULL || c->want->cluster != next->cluster ||
		c->want->node != next->node ||
		memcmp(c->want->secret, next->secret, sizeof(next->secret)) != 0;
	if (c->want != NULL)
		drop_addrs(c, next);
	core_vrrp_leave(c, next, now);
	if (other && next->paired)
		meet_peer(c, next, now);
	take_ways(c, next, other, now);
	open_witness(c, next);
	for (unsigned i = 0; i < PING_TARGETS; i++)
		ping_set(&c->ping, i, next->ping[i].addr.family != 0 ? &next->ping[i] : NULL, now);
	c->want = next;
	c->number = number;
	c->urgent = true;
	core_vrrp_take(c, now);
	for (unsigned g = 0; g < SHARED_GROUPS; g++) {
		c->g[g].renew = now; /* put what is new */
		c->g[g].at = 0;
	}
	atomic_store(&c->sh->taken, number);
	core_open_ways(c, now);
}
