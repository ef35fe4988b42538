/* want.c - from rows to what the core works with.
 *
 * The times of a carrier give way to safety. The active node keeps the addresses by a lease that is shorter than the time
 * after which the other may take over, and that time is the other node's to judge, by rows of its own. So a dead time
 * counts as setting ha_dead at least, which both nodes have, and an interval as a quarter of that at most, or the lease
 * would run out between two frames. A serial line cannot carry as much: there four frames of its speed are the dead time
 * that both reckon with (`agreed`), and the lease lasts longer while that line is heard. */
#include "want.h"

#include "core/carrier_serial.h"
#include "core/lease.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTEN_TIMES 4 /* dead times, before a node that hears nobody acts */
#define LEAVE DUR_S(2)
#define MERIT_DELAY DUR_S(1)
#define PRIORITY_MASTER 150
#define PRIORITY_SLAVE 100

static dur_t
longer(dur_t a, dur_t b)
{
	return a > b ? a : b;
}

static void
set_times(struct shared_carrier *k, const struct setting *s, uint32_t interval, uint32_t dead)
{
	dur_t line = k->kind == SHARED_SERIAL ? carrier_serial_interval(k->speed) : 0;
	dur_t wish = DUR_MS(interval != 0 ? interval : s->ha_interval);

	k->agreed = longer(DUR_MS(s->ha_dead), 4 * line);
	k->conf.dead = longer(DUR_MS(dead), k->agreed);
	k->conf.interval = longer(wish < k->agreed / 4 ? wish : k->agreed / 4, line);
}

/* ---- carriers -------------------------------------------------------------------------------------------------- */

static void
take_carrier(struct shared_carrier *k, char name[WANT_NAME], const struct ha_carrier *row,
    const struct setting *s)
{
	const struct addr *to = row->kind == carrier_kind_multicast ? &row->group : &row->peer;
	char text[ADDR_TEXT] = "";

	k->kind = row->kind == carrier_kind_serial	? SHARED_SERIAL
		  : row->kind == carrier_kind_multicast ? SHARED_MULTICAST
							: SHARED_UDP;
	k->local = row->address;
	k->peer = row->peer;
	k->group = row->group;
	k->port = row->port;
	k->speed = row->speed;
	(void)snprintf(k->device, sizeof(k->device), "%s",
	    row->kind == carrier_kind_serial ? row->device : row->interface);
	set_times(k, s, row->interval, row->dead);
	if (row->kind != carrier_kind_serial)
		addr_format(to, ADDR_HOST, text);
	(void)snprintf(name, WANT_NAME, "%.30s: %s %s", row->name,
	    word_text(&carrier_kind_list, row->kind),
	    row->kind == carrier_kind_serial ? row->device : text);
}

/* Two sockets cannot have one port of one address, so each gets the address of ours that its peer is near to. */
static void
set_local(struct shared_carrier *k, const struct iface_list *kernel)
{
	const struct iface_addr *own = iface_list_subnet(kernel, &k->peer);

	if (k->kind != SHARED_UDP || k->local.family != 0 || k->device[0] != '\0' || own == NULL)
		return;
	k->local = own->addr;
	k->local.len = own->addr.family == 4 ? 32 : 128;
}

/* Whether another carrier is at the place of this one already. From which address one is sent that only the routes lead to
 * is known when it is opened (carrier_udp.c); should it be taken, that one has a fault. */
static bool
is_taken(const struct shared_want *w, const struct shared_carrier *k)
{
	for (unsigned i = 0; i < CARRIER_SET; i++) {
		const struct shared_carrier *o = &w->carrier[i];

		if (o->kind == SHARED_UDP && o->port == k->port && o->device[0] == '\0' &&
		    o->local.family != 0 && addr_same_host(&o->local, &k->local))
			return true;
	}
	return false;
}

static bool
take_known(struct shared_carrier *k, const struct shared_want *w, char name[WANT_NAME],
    const struct addr *peer, uint16_t port, const struct iface_list *kernel)
{
	struct shared_carrier is = { .kind = SHARED_UDP, .peer = *peer, .port = port };
	char text[ADDR_TEXT];

	set_local(&is, kernel);
	if (is_taken(w, &is))
		return false;
	*k = is;
	addr_format(peer, ADDR_HOST, text);
	(void)snprintf(name, WANT_NAME, "udp %s", text);
	return true;
}

static int
by_address(const void *a, const void *b)
{
	const struct addr *x = a, *y = b;

	return x->family != y->family ? (int)x->family - (int)y->family
				      : memcmp(x->b, y->b, sizeof(x->b));
}

static int
by_name(const void *a, const void *b)
{
	const struct ha_carrier *x = *(const void *const *)a, *y = *(const void *const *)b;

	return strcmp(x->name, y->name);
}

/* The known addresses, and the rows: `place` is the known address that one stands for, enabled or not; -1: none. */
struct ways {
	unsigned known_n, rows_n;
	struct addr known[CLUSTER_ADDRS];
	bool named[CLUSTER_ADDRS];
	const struct ha_carrier *row[CARRIER_SET];
	int place[CARRIER_SET];
};

static int
place_of(struct ways *w, const struct ha_carrier *row)
{
	for (unsigned i = 0; row->kind == carrier_kind_udp && i < w->known_n; i++) {
		if (w->named[i] || !addr_same_host(&w->known[i], &row->peer))
			continue;
		w->named[i] = true;
		return i < CARRIER_SET ? (int)i : -1;
	}
	return -1;
}

static void
find_ways(struct ways *w, const struct cluster *c, const struct snapshot *s)
{
	memset(w, 0, sizeof(*w));
	w->known_n = c->addrs_n;
	memcpy(w->known, c->addrs, sizeof(w->known));
	qsort(w->known, w->known_n, sizeof(w->known[0]), by_address);
	for (uint32_t i = 0; i < snapshot_count(s, KIND_ha_carrier); i++) {
		const struct ha_carrier *row = snapshot_at(s, KIND_ha_carrier, i);

		if (!row->enabled)
			(void)place_of(w, row);
		else if (w->rows_n < CARRIER_SET)
			w->row[w->rows_n++] = row;
	}
	qsort(w->row, w->rows_n, sizeof(w->row[0]), by_name);
	for (unsigned i = 0; i < w->rows_n; i++)
		w->place[i] = place_of(w, w->row[i]);
}

/* The highest free number that no known address has, or, with too many rows, any. */
static unsigned
free_number(const struct shared_want *w, unsigned reserved)
{
	for (unsigned turn = 0; turn < 2; turn++)
		for (unsigned i = CARRIER_SET; i-- > (turn == 0 ? reserved : 0);)
			if (w->carrier[i].kind == SHARED_UNUSED)
				return i;
	return 0; /* not reached: as many rows as numbers at most */
}

/* A row that is new must not move what carries meanwhile: another number is another carrier to the core. A known address
 * has its place in their order, whichever was learned last; a row that names it has the same. The other rows follow from
 * the end, in order of their names. The other node learns the numbers from the frames (core/pulse.c). */
void
want_carriers(struct shared_want *w, struct want_names *names, const struct cluster *c,
    const struct snapshot *s, const struct iface_list *kernel)
{
	const struct setting *g = snapshot_setting(s);
	struct ways is;

	find_ways(&is, c, s);
	memset(names->carrier, 0, sizeof(names->carrier));
	for (unsigned turn = 0; turn < 2; turn++)
		for (unsigned i = 0; i < is.rows_n; i++) {
			unsigned n;

			if ((is.place[i] >= 0) != (turn == 0))
				continue;
			n = turn == 0 ? (unsigned)is.place[i] : free_number(w, is.known_n);
			take_carrier(&w->carrier[n], names->carrier[n], is.row[i], g);
			set_local(&w->carrier[n], kernel);
		}
	for (unsigned i = 0; i < is.known_n && i < CARRIER_SET; i++)
		if (!is.named[i] && w->carrier[i].kind == SHARED_UNUSED &&
		    take_known(
			&w->carrier[i], w, names->carrier[i], &is.known[i], c->peer_port, kernel))
			set_times(&w->carrier[i], g, 0, 0);
}

/* ---- the rest -------------------------------------------------------------------------------------------------- */

void
want_pings(struct shared_want *w, struct want_names *names, const struct snapshot *s)
{
	unsigned n = 0;

	memset(names->ping, 0, sizeof(names->ping));
	for (uint32_t i = 0; i < snapshot_count(s, KIND_pingnode) && n < PING_TARGETS; i++) {
		const struct pingnode *row = snapshot_at(s, KIND_pingnode, i);
		char text[ADDR_TEXT];

		if (!row->enabled)
			continue;
		w->ping[n] = (struct ping_conf){
			.addr = row->address,
			.interval = DUR_MS(row->interval),
			.rise = row->rise,
			.fall = row->fall,
		};
		addr_format(&row->address, ADDR_HOST, text);
		(void)snprintf(names->ping[n], WANT_NAME, "%.30s %s", row->name, text);
		n++;
	}
	for (unsigned g = 0; g < SHARED_GROUPS; g++)
		w->group[g].pings = n > 0;
}

void
want_groups(struct shared_want *w, const struct cluster *c, const struct snapshot *snap)
{
	const struct setting *s = snapshot_setting(snap);

	for (unsigned g = 0; g < SHARED_GROUPS; g++) {
		bool preferred = (c->node == 1) == (g == 0);

		w->group[g] = (struct fsm_config){
			.node = c->node,
			.peered = true,
			.witness = s->witness.family != 0,
			.preferred = preferred,
			.preempt = s->ha_failback,
			.mode =
			    s->ha_mode == ha_mode_consistency ? FSM_CONSISTENCY : FSM_AVAILABILITY,
			.priority = preferred ? PRIORITY_MASTER : PRIORITY_SLAVE,
			.dead = DUR_MS(s->ha_dead),
			/* Shorter than the dead time by more than what a frame may be late. */
			.lease = DUR_MS(s->ha_dead) - DUR_MS(s->ha_interval),
			.ask = DUR_MS(s->ha_dead) / 4,
			.left = DUR_S(LEASE_VALID_S + 1),
			.listen = LISTEN_TIMES * DUR_MS(s->ha_dead),
			.preempt_delay = DUR_MS(s->ha_failback_delay),
			.merit_delay = MERIT_DELAY,
			.leave = LEAVE,
		};
	}
}

bool
want_counts(const struct snapshot *s, const char *ifname)
{
	const char *p = snapshot_node(s)->ha_ignore;
	size_t len = strlen(ifname);

	while (*p != '\0') {
		size_t n = strcspn(p, ",");

		if (n == len && strncmp(p, ifname, len) == 0)
			return false;
		p += n;
		p += *p == ',';
	}
	return true;
}
