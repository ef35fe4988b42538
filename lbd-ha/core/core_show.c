/* core_show.c - what the core says of itself in the shared memory, and the word to the side that it is worth a look.
 *
 * Roles and what is known of the peer are written each turn, so that a core that is started again finds them as they
 * were. The statistics of carriers are written less often. The side is told when something changed that somebody waits
 * for; everything else it reads when it likes. */
#include "core/core_priv.h"

#include <string.h>
#include <sys/socket.h>

#define LINES_EVERY DUR_MS(100) /* statistics of carriers are shown */

static void
show_group(const struct core *c, unsigned i, mono_t now, struct shared_group *out)
{
	const struct core_group *g = &c->g[i];

	*out = (struct shared_group){
		.role = g->fsm.role,
		.why = g->fsm.why,
		.peer_role = c->pulse.peer.group[i].role,
		.peer_whole = (c->pulse.peer.group[i].flags & BEAT_WHOLE) != 0,
		.hold = g->held,
		.conflict = g->fsm.conflict,
		.isolated = g->fsm.isolated,
		.answered = probe_is_answered(&c->probe, i, now),
		.claim = g->fsm.claim,
		.generation = g->fsm.generation,
		.merit = g->fsm.merit,
		.since = g->fsm.since,
		.lease_until = g->fsm.lease_until,
		.order_done = g->order_done,
	};
}

static void
show_line(const struct core *c, unsigned i, mono_t now, struct shared_line *out)
{
	const struct carrier *k = &c->pulse.set.c[i];

	if (!k->used)
		return;
	*out = (struct shared_line){
		.state = (uint8_t)k->state,
		.fault = c->way[i].fault != 0 ? c->way[i].fault : k->fault,
		.since = k->since,
		.heard_at = k->heard_at,
		.sent = k->sent,
		.received = k->received,
		.lost = carrier_lost(k),
		.rtt = k->rtt,
		.worst = carrier_worst_of(&k->worst, now),
	};
	out->lost_recent = carrier_lost_recent(k, &out->recent);
}

/* They cost more to count than a turn has time for. */
static void
show_lines(struct core *c, mono_t now)
{
	memset(c->line, 0, sizeof(c->line));
	for (unsigned i = 0; i < CARRIER_SET; i++)
		show_line(c, i, now, &c->line[i]);
	c->lines_at = now;
}

static void
show_pings(const struct core *c, struct shared_is *out)
{
	for (unsigned i = 0; i < PING_TARGETS; i++) {
		const struct ping_target *t = &c->ping.target[i];

		out->ping[i] = (struct shared_ping){ .reachable = t->reachable,
			.fault = t->fault,
			.since = t->since,
			.rtt = t->rtt };
	}
}

static bool
show_router(const struct core *c, unsigned i, struct shared_vrrp_is *out)
{
	const struct core_router *r = &c->router[i];
	const struct shared_vrrp_is *told = &c->told.vrrp[i];

	if (r->used) {
		out->id = c->want->vrrp[i].id;
		out->state = (uint8_t)r->v.state;
		out->priority = vrrp_priority(&r->v);
		out->master_priority = r->v.master_priority;
		out->held = r->held;
		out->fault = r->port != NULL && r->port->fault != 0 ? r->port->fault : r->fault;
		out->master = r->v.master;
		out->master_interval = r->v.master_interval;
		out->since = r->since;
		out->safe_until = r->sent_at + 2 * r->v.conf->interval;
		out->counts = r->v.counts;
		for (unsigned k = 0; r->port != NULL && k < VRRP_BADS; k++)
			out->counts.bad[k] += r->port->bad[k];
	}
	return out->id != told->id || out->state != told->state || out->held != told->held ||
	       out->priority != told->priority || out->fault != told->fault ||
	       !addr_same_host(&out->master, &told->master);
}

void
core_show(struct core *c, mono_t now, bool changed)
{
	struct shared_is is = {
		.want = c->number,
		.cluster = c->want->cluster,
		.node = c->want->node,
		.known = c->pulse.peer_at != 0,
		.alive = carriers_alive(&c->pulse.set, now, c->damp),
		.late = carriers_late(&c->pulse.set, now, c->damp),
		.peer_schema = c->pulse.peer.schema,
		.peer_suite = c->pulse.peer.suite,
		.peer_revision = c->pulse.peer.revision,
		.peer_hash_shared = c->pulse.peer.hash_shared,
		.peer_hash_oper = c->pulse.peer.hash_own,
		.peer_at = c->pulse.peer_at,
		.at = now,
		.pings_reachable = ping_reachable(&c->ping),
		.pings = ping_count(&c->ping),
		.stalls = c->pulse.set.stalls,
		.late_worst = carrier_worst_of(&c->pulse.set.late, now),
		.link = core_links_up(c),
		.fence = c->fence,
	};
	char word = CORE_NEWS;

	_Static_assert(BEAT_FAULTS <= sizeof(is.fault) / sizeof(is.fault[0]), "a counter for each");
	memcpy(is.fault, c->pulse.replay.counter, sizeof(c->pulse.replay.counter));
	memcpy(is.strange, c->strange, sizeof(is.strange));
	for (unsigned i = 0; i < SHARED_GROUPS; i++) {
		show_group(c, i, now, &is.group[i]);
		is.granted[i] = c->g[i].witness.until > now;
	}
	if (changed || now - c->lines_at >= LINES_EVERY)
		show_lines(c, now);
	memcpy(is.line, c->line, sizeof(is.line));
	show_pings(c, &is);
	changed = changed || is.alive != c->told.alive || is.link != c->told.link ||
		  is.fence != c->told.fence || is.peer_hash_shared != c->told.peer_hash_shared ||
		  is.peer_hash_oper != c->told.peer_hash_oper ||
		  is.pings_reachable != c->told.pings_reachable;
	for (unsigned i = 0; i < SHARED_GROUPS; i++)
		changed = changed || is.group[i].role != c->told.group[i].role ||
			  is.group[i].hold != c->told.group[i].hold ||
			  is.group[i].peer_role != c->told.group[i].peer_role ||
			  is.group[i].peer_whole != c->told.group[i].peer_whole ||
			  is.group[i].order_done != c->told.group[i].order_done;
	for (unsigned i = 0; i < SHARED_VRRPS; i++)
		changed |= show_router(c, i, &is.vrrp[i]);
	c->told = is;
	shared_write(c->sh, &is);
	if (changed && c->side != -1)
		(void)send(c->side, &word, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}
