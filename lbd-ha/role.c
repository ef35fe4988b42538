/* role.c - between the configuration and the core.
 *
 * What is wanted is put together in role_want.c. What the core says comes as events (written to the log) and as a state, of
 * which topic HA is told (role_tell.c). Orders are in role_order.c, virtual routers in role_vrrp.c. */
#include "role_priv.h"

#include "base/mem.h"
#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define STRANGE_LASTS DUR_S(60)
#define POINTS (1u << 20) /* of a node whose tracks are good; more than they can all take away */

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

void
role_look_at_routes(struct ha_role *r)
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
	role_look_at_routes(r);
	meet(r, is);
	role_look_at_order(r, is);
	role_vrrp_look(r, is);
	r->ops.changed(r->ops.arg);
	r->ops.places(r->ops.arg);
}

static void
on_room(void *arg)
{
	struct ha_role *r = arg;

	if (r->due)
		role_tell_core(r);
	else
		role_vrrp_tidy(r, false);
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

struct notifier *
role_notifier(const struct ha_role *r)
{
	return r->notify;
}

bool
role_unfit(const struct ha_role *r)
{
	return r->core == NULL && track_sum(r->track).fault;
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
		role_vrrp_tidy(r, true);
		notify_use(r->notify, s);
		/* Nobody takes over, but routers may be told of this node. */
		track_use(r->track, notify_has_routes(r->notify) ? s : NULL);
		fence_use(r->fence, s, NULL);
		role_look_at_routes(r);
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
	role_tell_core(r);
	role_look_at_routes(r);
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
	role_tell_core(r);
}

struct ha_role *
role_new(struct loop *l, const struct paths *p, struct bus *b, const struct role_ops *ops)
{
	struct ha_role *r = mem_alloc(sizeof(*r));

	r->loop = l;
	r->paths = *p;
	r->bus = b;
	r->ops = *ops;
	role_vrrp_recall(r);
	loop_timer_init(&r->limit, l, role_order_is_late, r);
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
	role_end_order(r, ERR_AWAY, "lbd-ha ends");
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
	places_fini(&r->before);
	free(r->fips);
	snapshot_unref(r->now);
	free(r);
}
