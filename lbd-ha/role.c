/* role.c - between the configuration and the core.
 *
 * What is wanted is made whole each time that the configuration, the pair, or an interface changes, and is written when
 * the core has room for it. What the core says comes as events (written to the log) and as a state, of which topic HA is
 * told (role_tell.c). An order is given to the core with a number, and is over when the core says so; the node that is
 * active gives, the other one takes, so that "failover" means the same on both. */
#include "role_priv.h"

#include "witness/keyfile.h"

#include "base/mem.h"
#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ORDER_LIMIT DUR_S(5)
#define STRANGE_LASTS DUR_S(60)
#define POINTS (1u << 20) /* of a node whose tracks are good; more than they can all take away */

/* ---- what is wanted ------------------------------------------------------------------------------------------ */

static const struct iface_addr *
port_of(const struct iface_list *l, const char *ifname)
{
	for (unsigned i = 0; i < l->n; i++)
		if (strcmp(l->a[i].name, ifname) == 0)
			return &l->a[i];
	return NULL;
}

/* Where an address goes, by an interface that has some: a macvlan has its parent's place. */
static const struct iface_addr *
port_for(const struct ha_role *r, const struct floating *f)
{
	int place = vmac_is_name(f->ifname) ? role_vrrp_place(r, f->router) : -1;

	if (place == -1)
		return port_of(&r->kernel, f->ifname);
	return r->router[place].vmac.name[0] != '\0' ? port_of(&r->kernel, r->router[place].ifname)
						     : NULL;
}

static void
want_witness(struct ha_role *r, struct shared_want *w, const struct setting *s)
{
	struct keyfile key;
	struct err err = { 0 };
	char path[300];

	if (s->witness.family == 0)
		return;
	(void)snprintf(path, sizeof(path), "%s/ha/witness.key", r->paths.state);
	if (keyfile_load(path, &key, &err) != 0) {
		log_warn("witness: %s; it cannot be asked", err.text);
		return;
	}
	memcpy(w->witness_secret, key.secret[0], sizeof(w->witness_secret));
	explicit_bzero(&key, sizeof(key));
	w->witness = s->witness;
	w->witness_port = s->witness_port;
}

static void
want_link(struct shared_want *w, int32_t index)
{
	for (unsigned i = 0; i < w->links; i++)
		if (w->link[i] == index)
			return;
	if (w->links < SHARED_LINKS)
		w->link[w->links++] = index;
}

static void
want_address(struct ha_role *r, struct shared_want *w, const struct floating *f,
    const struct iface_addr *port)
{
	struct shared_addr *a = &w->a[w->n];
	int len, place = role_vrrp_place(r, f->router);
	const struct vmac *vmac =
	    place >= 0 && vmac_is_name(f->ifname) ? &r->router[place].vmac : NULL;

	*a = (struct shared_addr){
		.addr = f->addr,
		.index = vmac != NULL ? vmac->index : port->index,
		.group = (uint8_t)(r->paired ? f->group - 1 : SHARED_GROUPS + place),
		.tell = !port->loopback,
	};
	memcpy(a->mac, vmac != NULL ? vmac->mac : port->mac, sizeof(a->mac));
	len = snprintf(a->label, sizeof(a->label), "%.15s:lbd", f->ifname);
	if (f->addr.family != 4 || len < 0 || (size_t)len >= sizeof(a->label))
		a->label[0] = '\0';
	if (r->paired && !port->loopback && want_counts(r->now, port->name))
		want_link(w, port->index);
}

static void
want_addresses(struct ha_role *r, struct shared_want *w)
{
	for (uint32_t i = 0; i < r->fips_n && w->n < SHARED_ADDRS; i++) {
		const struct iface_addr *port = port_for(r, &r->fips[i]);

		if (r->fips[i].fault[0] != '\0' || port == NULL ||
		    (!r->paired && role_vrrp_place(r, r->fips[i].router) == -1))
			continue;
		want_address(r, w, &r->fips[i], port);
		r->table[w->n++] = i;
	}
	r->placed = w->n;
}

bool
role_is_outside(const struct ha_role *r)
{
	return r->now != NULL && snapshot_setting(r->now)->ha_roles == ha_roles_outside;
}

static void
want_pair(struct ha_role *r, struct shared_want *w, const struct setting *s)
{
	w->cluster = r->cluster.id;
	w->node = r->cluster.node;
	w->inherit = r->alone && r->cluster.node == 1;
	memcpy(w->secret, r->cluster.secret, sizeof(w->secret));
	want_carriers(w, &r->names, &r->cluster, r->now, &r->kernel);
	want_groups(w, &r->cluster, r->now);
	for (unsigned g = 0; g < SHARED_GROUPS; g++)
		w->group[g].fence = fence_required(r->now);
	want_pings(w, &r->names, r->now);
	want_witness(r, w, s);
}

static void
tell_core(struct ha_role *r)
{
	const struct setting *s;
	struct shared_want *w;

	r->due = true;
	/* Before the addresses are known the core would take away what it holds. */
	if (r->core == NULL || r->now == NULL || r->fips == NULL ||
	    (w = core_link_edit(r->core)) == NULL)
		return;
	s = snapshot_setting(r->now);
	r->due = false;
	r->placed = 0;
	w->paired = r->paired;
	if (r->paired)
		want_pair(r, w, s);
	role_vrrp_want(r, w);
	w->announce = s->announce;
	w->announce_gap = DUR_MS(s->announce_gap);
	w->refresh = DUR_MS(s->ha_refresh);
	memcpy(w->peer_mac, r->mac, sizeof(w->peer_mac));
	w->macs = r->macs;
	if (!role_is_outside(r))
		want_addresses(r, w);
	core_link_commit(r->core);
	r->alone = r->alone && !r->paired;
}

static bool
same_ports(const struct iface_list *a, const struct iface_list *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++)
		if (a->a[i].index != b->a[i].index || strcmp(a->a[i].name, b->a[i].name) != 0 ||
		    memcmp(&a->a[i].addr, &b->a[i].addr, sizeof(a->a[i].addr)) != 0 ||
		    memcmp(a->a[i].mac, b->a[i].mac, sizeof(a->a[i].mac)) != 0)
			return false;
	return true;
}

static bool
same_fips(const struct ha_role *r, const struct address_plan *plan)
{
	if (r->fips_n != plan->n)
		return false;
	for (uint32_t i = 0; i < plan->n; i++)
		if (floating_compare(&r->fips[i], &plan->want[i]) != 0 ||
		    r->fips[i].group != plan->want[i].group ||
		    r->fips[i].router != plan->want[i].router ||
		    r->fips[i].advertised != plan->want[i].advertised ||
		    strcmp(r->fips[i].ifname, plan->want[i].ifname) != 0 ||
		    r->fips[i].addr.len != plan->want[i].addr.len ||
		    (r->fips[i].fault[0] == '\0') != (plan->want[i].fault[0] == '\0'))
			return false;
	return true;
}

/* Faults of the core's tries into the plan. */
static void
take_faults(const struct ha_role *r, struct address_plan *plan)
{
	for (uint32_t i = 0; i < r->placed; i++) {
		int code = core_link_error(r->core, i);
		struct floating *f = &plan->want[r->table[i]];

		if (code != 0 && f->fault[0] == '\0')
			(void)snprintf(f->fault, sizeof(f->fault), "%s: %s", f->ifname,
			    code == EPERM ? "operation not permitted" : strerror(code));
	}
	for (uint32_t i = 0; i < plan->n; i++)
		if (plan->want[i].fault[0] == '\0' && port_for(r, &plan->want[i]) == NULL)
			(void)snprintf(plan->want[i].fault, sizeof(plan->want[i].fault),
			    "%s: no such interface", plan->want[i].ifname);
}

/* Those of virtual routers wait for a core. */
static void
lack_core(struct address_plan *plan)
{
	for (uint32_t i = 0; i < plan->n; i++)
		if (plan->want[i].router != 0 && plan->want[i].fault[0] == '\0')
			(void)snprintf(plan->want[i].fault, sizeof(plan->want[i].fault),
			    "%s: the core process does not run", plan->want[i].ifname);
}

bool
role_place(struct ha_role *r, struct address_plan *plan, const struct iface_list *kernel)
{
	bool same;

	if (r->core == NULL && !role_is_outside(r)) {
		lack_core(plan);
		return false;
	}
	same = same_fips(r, plan) && same_ports(&r->kernel, kernel) && !r->due;
	free(r->fips);
	iface_list_fini(&r->kernel);
	r->fips = mem_alloc((plan->n + 1) * sizeof(*r->fips));
	if (plan->n > 0)
		memcpy(r->fips, plan->want, plan->n * sizeof(*r->fips));
	r->fips_n = plan->n;
	r->kernel.n = kernel->n;
	r->kernel.a = mem_alloc((kernel->n + 1) * sizeof(*kernel->a));
	if (kernel->n > 0)
		memcpy(r->kernel.a, kernel->a, kernel->n * sizeof(*kernel->a));
	if (!same)
		tell_core(r);
	if (!role_is_outside(r))
		take_faults(r, plan);
	return r->paired || role_is_outside(r);
}

/* ---- whether it may take over without loss ------------------------------------------------------------------------ */

static void
say_given_up(const struct ha_role *r, mono_t now)
{
	for (unsigned p = 0; p < WHOLE_PARTS; p++)
		if (whole_is_given_up(&r->whole, (enum whole_part)p, now))
			log_warn("not waited for any longer: %s", r->whole.part[p].why);
}

static void
look_whole(struct ha_role *r)
{
	mono_t at, now = mono_now();
	bool whole = whole_is(&r->whole, now, &at);
	char missing[WHOLE_TEXT];

	if (r->core == NULL)
		return;
	for (unsigned g = 0; g < SHARED_GROUPS; g++)
		atomic_store(&core_link_say(r->core)->whole[g], whole);
	if (at != 0)
		loop_timer_set(&r->patience, at - now);
	whole_why(&r->whole, now, missing);
	if (strcmp(missing, r->missing) == 0)
		return;
	memcpy(r->missing, missing, sizeof(missing));
	core_link_poke(r->core);
	r->ops.changed(r->ops.arg);
}

static void
on_patience(void *arg)
{
	struct ha_role *r = arg;

	say_given_up(r, mono_now());
	look_whole(r);
}

void
role_whole(struct ha_role *r, enum whole_part p, const char *why)
{
	if (whole_set(&r->whole, p, why, mono_now()))
		look_whole(r);
}

/* From the moment that the other node is there, what it has is waited for. */
static void
meet(struct ha_role *r, const struct shared_is *is)
{
	if (is->alive && !r->met) {
		whole_meet(&r->whole, mono_now());
		look_whole(r);
	}
	r->met = is->alive;
}

/* ---- what is ------------------------------------------------------------------------------------------------- */

static void
on_event(void *arg, const struct shared_event *e)
{
	struct ha_role *r = arg;
	const struct role_turn t = {
		.group = (uint8_t)(e->group + 1),
		.was = e->was,
		.now = e->role,
		.generation = e->generation,
		.cause = e->why < FSM_WHYS ? fsm_why_word[e->why] : "?",
		.at_ms = mono_wall_ms() - (mono_now() - e->at) / 1000,
	};

	if (e->vrrp != 0) {
		role_vrrp_event(r, e);
		return;
	}
	if (e->role == FSM_ACTIVE && (e->why == FSM_WHY_PEER_DEAD || e->why == FSM_WHY_LISTENED) &&
	    !fence_required(r->now))
		fence_beside(r->fence);
	r->changes[e->group] += turn_state(t.was) != turn_state(t.now);
	log_info("group %u: %s: %s", t.group, e->role < FSM_ROLES ? fsm_role_word[e->role] : "?",
	    t.cause);
	notify_tell(r->notify, &t);
}

static void
on_missed(void *arg, unsigned n)
{
	struct ha_role *r = arg;

	log_warn("%u changes of the role were not heard of", n);
	notify_lost(r->notify, n);
}

static void
end_order(struct ha_role *r, int code, const char *text)
{
	if (!r->waits)
		return;
	r->waits = false;
	loop_timer_cancel(&r->limit);
	if (bus_request_alive(&r->asked))
		bus_result(&r->asked, code, text);
}

static void
look_at_order(struct ha_role *r, const struct shared_is *is)
{
	if (!r->waits)
		return;
	for (unsigned g = 0; g < SHARED_GROUPS; g++)
		if ((r->ordered >> g & 1) != 0 && is->group[g].order_done != r->order)
			return;
	end_order(r, 0, "");
}

bool
role_is_strange(const struct strange *k)
{
	return k->at != 0 && mono_now() - k->at < STRANGE_LASTS;
}

/* Once for as long as they come, or when somebody else sends them. */
static void
look_at_strange(struct ha_role *r, const struct shared_is *is)
{
	for (unsigned i = 0; i < STRANGES; i++) {
		const struct strange *k = &is->strange[i];
		char from[ADDR_TEXT] = "a serial line";

		if (!role_is_strange(k)) {
			r->strange_told[i] = false;
			continue;
		}
		if (r->strange_told[i] && addr_same_host(&r->strange_from[i], &k->from))
			continue;
		r->strange_told[i] = true;
		r->strange_from[i] = k->from;
		if (k->from.family != 0)
			addr_format(&k->from, ADDR_HOST, from);
		if (i == STRANGE_SAME)
			log_err(
			    "heartbeats with the number of this pair and another key, from %s: another pair with "
			    "the same number, a copy of a node, or a forger; they do not count",
			    from);
		else
			log_warn(
			    "heartbeats of another pair (%016llx) from %s: it is on this pair's port or group; "
			    "they do not count",
			    (unsigned long long)k->cluster, from);
	}
}

/* Routes are where the addresses are. */
static void
look_at_routes(struct ha_role *r)
{
	struct shared_is is;
	unsigned groups = 0;

	role_is(r, &is);
	for (unsigned g = 0; g < SHARED_GROUPS; g++)
		if (role_is_outside(r) ? r->outside.role[g] == FSM_ACTIVE
		    : r->core == NULL  ? true
		    : r->paired	       ? is.group[g].hold
				       : role_vrrp_has(r, &is, g))
			groups |= 1u << g;
	if (r->now != NULL)
		routes_use(r->routes, r->now, groups);
}

static void
on_news(void *arg, const struct shared_is *is)
{
	struct ha_role *r = arg;

	fence_wish(r->fence, is->fence);
	look_at_strange(r, is);
	look_at_routes(r);
	meet(r, is);
	look_at_order(r, is);
	role_vrrp_look(r, is);
	r->ops.changed(r->ops.arg);
	r->ops.places(r->ops.arg);
}

static void
on_room(void *arg)
{
	struct ha_role *r = arg;

	if (r->due)
		tell_core(r);
	else
		role_vrrp_tidy(r, false);
}

static void
on_limit(void *arg)
{
	end_order(arg, -ETIMEDOUT,
	    "the other node has not taken over: it is away, not fit, or cannot be heard; lbctl ha status tells");
}

void
role_is(const struct ha_role *r, struct shared_is *out)
{
	if (r->core != NULL)
		core_link_is(r->core, out);
	else
		memset(out, 0, sizeof(*out));
}

uint32_t
role_addresses(const struct ha_role *r, unsigned g)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->fips_n; i++)
		n += r->fips[i].group == g + 1;
	return n;
}

bool
role_active(const struct ha_role *r)
{
	struct shared_is is;

	if (role_is_outside(r))
		return r->outside.role[0] == FSM_ACTIVE || r->outside.role[1] == FSM_ACTIVE;
	if (r->core == NULL)
		return true;
	core_link_is(r->core, &is);
	for (unsigned i = 0; i < SHARED_VRRPS; i++)
		if (!r->paired && is.vrrp[i].held)
			return true;
	return r->paired && (is.group[0].hold || is.group[1].hold);
}

/* ---- fitness ------------------------------------------------------------------------------------------------- */

/* What lbd-check and the tracks say of this node, to the core. */
static void
say_fitness(struct ha_role *r)
{
	const struct judge_sum s = track_sum(r->track);

	if (r->core == NULL)
		return;
	for (unsigned g = 0; g < SHARED_GROUPS; g++) {
		atomic_store(&core_link_say(r->core)->fault[g], s.fault);
		atomic_store(&core_link_say(r->core)->health[g], POINTS + r->fit[g] - s.lost);
	}
	atomic_store(&core_link_say(r->core)->lost, s.lost);
	core_link_poke(r->core);
}

static void
on_track(void *arg)
{
	struct ha_role *r = arg;

	say_fitness(r);
	r->ops.changed(r->ops.arg);
}

static void
on_fenced(void *arg, uint32_t number)
{
	struct ha_role *r = arg;

	if (r->core == NULL)
		return;
	atomic_store(&core_link_say(r->core)->fenced, number);
	core_link_poke(r->core);
}

static void
on_notified(void *arg)
{
	struct ha_role *r = arg;

	r->ops.changed(r->ops.arg);
}

void
role_health(struct ha_role *r, unsigned group, uint32_t n)
{
	if (group < 1 || group > SHARED_GROUPS)
		return;
	r->fit[group - 1] = n;
	say_fitness(r);
}

/* ---- set ----------------------------------------------------------------------------------------------------- */

static void
begin(struct ha_role *r)
{
	const struct core_link_ops ops = {
		.news = on_news, .event = on_event, .missed = on_missed, .room = on_room, .arg = r
	};
	struct err err = { 0 };

	r->core = core_link_new(r->loop, &r->paths, &ops, &err);
	if (r->core == NULL) {
		log_warn("%s", err.text);
		return;
	}
	for (unsigned g = 0; g < SHARED_GROUPS; g++) {
		unsigned word = atomic_load(&core_link_say(r->core)->order[g]);

		r->order = word >> 4 > r->order ? word >> 4 : r->order;
	}
	/* The rest is told when the other node can be asked. */
	if (r->paired)
		role_whole(r, WHOLE_CHANNEL, "the channel to the other node is down");
	look_whole(r);
	role_vrrp_adopt(r);
	r->ops.places(r->ops.arg);
}

/* The core takes its addresses away, and ends. */
static void
end(struct ha_role *r)
{
	core_link_clear(r->core);
	r->core = NULL;
	free(r->fips);
	r->fips = NULL;
	r->fips_n = r->placed = 0;
	memset(&r->names, 0, sizeof(r->names));
	role_vrrp_tidy(r, true);
	track_use(r->track, NULL);
	r->ops.places(r->ops.arg);
}

/* It was one of a pair and is none any more: what the other had in its groups is here now. */
static void
tell_alone(struct ha_role *r, const struct shared_is *is)
{
	for (unsigned g = 0; g < SHARED_GROUPS; g++) {
		const struct role_turn t = {
			.group = (uint8_t)(g + 1),
			.was = is->group[g].role,
			.now = FSM_ACTIVE,
			.generation = is->group[g].generation,
			.cause = fsm_why_word[FSM_WHY_ALONE],
			.at_ms = mono_wall_ms(),
		};

		if (!is->group[g].hold)
			notify_tell(r->notify, &t);
	}
}

void
role_set(struct ha_role *r, const struct cluster *c, struct snapshot *s)
{
	bool wanted = c != NULL || role_vrrp_rows(s) > 0; /* a core */
	struct snapshot *before = r->now;
	struct shared_is is;

	r->now = snapshot_ref(s);
	snapshot_unref(before);
	r->alone = r->alone || c == NULL;
	if (c == NULL)
		fence_wish(r->fence, 0);
	if (r->core != NULL && (!wanted || r->paired != (c != NULL))) {
		role_is(r, &is);
		end(r);
		if (r->paired && c == NULL)
			tell_alone(r, &is);
	}
	if (!wanted) {
		notify_use(r->notify, s);
		fence_use(r->fence, s, NULL);
		look_at_routes(r);
		return;
	}
	r->paired = c != NULL;
	if (c != NULL)
		r->cluster = *c;
	if (r->core == NULL)
		begin(r);
	track_use(r->track, s);
	notify_use(r->notify, s);
	fence_use(r->fence, s, c);
	tell_core(r);
	look_at_routes(r);
}

bool
role_has_core(const struct ha_role *r)
{
	return r->core != NULL;
}

void
role_heads(struct ha_role *r, uint32_t revision, uint64_t shared, uint64_t oper)
{
	if (r->core == NULL)
		return;
	atomic_store(&core_link_say(r->core)->revision, revision);
	atomic_store(&core_link_say(r->core)->hash_shared, shared);
	atomic_store(&core_link_say(r->core)->hash_oper, oper);
}

void
role_peer_macs(struct ha_role *r, const uint8_t (*mac)[6], unsigned n)
{
	n = n < SHARED_MACS ? n : SHARED_MACS;
	if (n == r->macs && memcmp(r->mac, mac, n * sizeof(*mac)) == 0)
		return;
	memcpy(r->mac, mac, n * sizeof(*mac));
	r->macs = n;
	tell_core(r);
}

/* What is held here goes there; only when nothing is, what is there comes here. */
static unsigned
wanted_order(const struct ha_role *r, const struct shared_is *is, unsigned g, unsigned asked)
{
	if ((asked != 0 && asked != g + 1) || role_addresses(r, g) == 0)
		return FSM_NONE;
	if (is->group[g].hold)
		return FSM_GIVE;
	return asked == 0 && (is->group[0].hold || is->group[1].hold) ? FSM_NONE : FSM_TAKE;
}

void
role_order(struct ha_role *r, const struct bus_request *rq, const struct msg_ha_order *m)
{
	struct shared_is is;
	char why[200];

	if (role_is_outside(r)) {
		bus_result(rq, ERR_CONFLICT,
		    "another program decides who is active (setting ha_roles): let that one do it");
		return;
	}
	if (r->core == NULL || !r->paired) {
		bus_result(rq, ERR_CONFLICT,
		    r->core == NULL
			? "this node is not one of a pair: there is no other to be active"
			: "this node is not one of a pair: virtual routers move by priority (lbctl set vrrp NAME "
			  "priority=...)");
		return;
	}
	if (r->waits) {
		bus_result(rq, ERR_CONFLICT, "another order is under way");
		return;
	}
	core_link_is(r->core, &is);
	if (!is.alive && role_active(r)) {
		bus_result(rq, ERR_CONFLICT, "the other node is silent: it cannot take over");
		return;
	}
	span_text(m->why, why, sizeof(why));
	if (m->group == 0)
		log_info("failover by order%s%s", why[0] != '\0' ? ": " : "", why);
	else
		log_info(
		    "failover of group %u by order%s%s", m->group, why[0] != '\0' ? ": " : "", why);
	r->order++;
	r->ordered = 0;
	for (unsigned g = 0; g < SHARED_GROUPS; g++) {
		unsigned word = wanted_order(r, &is, g, m->group);

		if (word == FSM_NONE)
			continue;
		r->ordered |= 1u << g;
		atomic_store(&core_link_say(r->core)->order[g], r->order << 4 | word);
	}
	if (r->ordered == 0) {
		bus_result(rq, ERR_CONFLICT,
		    m->group == 1   ? "group 1 has no addresses that could change sides"
		    : m->group == 2 ? "group 2 has no addresses that could change sides"
				    : "there are no addresses that could change sides");
		return;
	}
	r->asked = *rq;
	r->waits = true;
	loop_timer_set(&r->limit, ORDER_LIMIT);
	core_link_poke(r->core);
}

static void
say_outside(struct ha_role *r, unsigned g, uint8_t role, const char *why)
{
	const struct role_turn t = {
		.group = (uint8_t)(g + 1),
		.was = r->outside.since[g] != 0 ? r->outside.role[g] : FSM_INIT,
		.now = role,
		.cause = "another program decided it",
		.at_ms = mono_wall_ms(),
	};

	if (!outside_say(&r->outside, g, role) && t.was != FSM_INIT)
		return;
	r->changes[g] += turn_state(t.was) != turn_state(t.now);
	log_info("group %u: %s: %s%s%s", g + 1, fsm_role_word[role], t.cause,
	    why[0] != '\0' ? ": " : "", why);
	notify_tell(r->notify, &t);
}

void
role_told(struct ha_role *r, const struct bus_request *rq, const struct msg_ha_told *m)
{
	char word[20], why[200];
	uint8_t role;

	span_text(m->role, word, sizeof(word));
	span_text(m->why, why, sizeof(why));
	if (!role_is_outside(r)) {
		bus_result(rq, ERR_CONFLICT,
		    "setting ha_roles is own: lbd-ha decides who is active; lbctl ha failover changes it");
		return;
	}
	if (!outside_role(word, &role) || m->group > SHARED_GROUPS) {
		bus_result(
		    rq, ERR_INVALID, "role: allowed are active, passive and fault; group: 1 and 2");
		return;
	}
	for (unsigned g = 0; g < SHARED_GROUPS; g++)
		if (m->group == 0 || m->group == g + 1)
			say_outside(r, g, role, why);
	look_at_routes(r);
	r->ops.changed(r->ops.arg);
	bus_result(rq, 0, "");
}

void
role_leave(struct ha_role *r, void (*done)(void *arg), void *arg)
{
	r->left = r->core != NULL;
	if (r->core == NULL)
		loop_defer(r->loop, done, arg);
	else
		core_link_leave(r->core, done, arg);
}

struct ha_role *
role_new(struct loop *l, const struct paths *p, struct bus *b, const struct role_ops *ops)
{
	struct ha_role *r = mem_alloc(sizeof(*r));

	r->loop = l;
	r->paths = *p;
	r->bus = b;
	r->ops = *ops;
	loop_timer_init(&r->limit, l, on_limit, r);
	loop_timer_init(&r->patience, l, on_patience, r);
	r->track = track_new(l, p, &(struct track_ops){ .changed = on_track, .arg = r });
	r->fence = fence_new(
	    l, p, &(struct fence_ops){ .changed = on_notified, .sure = on_fenced, .arg = r });
	r->routes = routes_new(l, p, &(struct routes_ops){ .changed = on_notified, .arg = r });
	outside_read(&r->outside, p);
	r->notify = notify_new(l, p, &(struct notify_ops){ .changed = on_notified, .arg = r });
	return r;
}

void
role_free(struct ha_role *r)
{
	if (r == NULL)
		return;
	end_order(r, ERR_AWAY, "lbd-ha ends");
	loop_timer_fini(&r->limit);
	loop_timer_fini(&r->patience);
	track_free(r->track);
	notify_free(r->notify);
	fence_free(r->fence);
	routes_free(r->routes);
	core_link_free(r->core);
	if (r->left)
		role_vrrp_tidy(r, true);
	for (unsigned i = 0; i < SHARED_VRRPS; i++)
		preflight_fini(&r->router[i].preflight);
	iface_list_fini(&r->kernel);
	free(r->fips);
	snapshot_unref(r->now);
	free(r);
}
