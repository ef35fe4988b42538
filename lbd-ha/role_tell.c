/* role_tell.c - what topic HA is told of the pair: the role, groups, carriers, ping nodes and tracks, as the core and the
 * tracks have them now. Whoever subscribes gets every row; afterwards all get every row again when one of them changed,
 * and "gone" for a place that is not in use any more. Nothing is decided here. */
#include "role_priv.h"

#include <stdio.h>
#include <string.h>

/* 1 up, 2 degraded, 3 down, 4 one-way. */
static uint8_t
link_word(const struct ha_role *r, const struct shared_is *is)
{
	unsigned n = 0, up = 0, one = 0;

	for (unsigned i = 0; i < CARRIER_SET; i++) {
		if (r->names.carrier[i][0] == '\0')
			continue;
		n++;
		up += is->line[i].state == CARRIER_UP;
		one += is->line[i].state == CARRIER_ONE_WAY;
	}
	return up == n && n > 0 ? 1 : up > 0 ? 2 : one > 0 ? 4 : 3;
}

/* An instant of the monotonic clock as seconds since 1970. */
static int64_t
wall(mono_t at)
{
	return at == 0 ? 0 : (mono_wall_ms() - (mono_now() - at) / 1000) / 1000;
}

void
role_fill(const struct ha_role *r, struct msg_role *m)
{
	struct shared_is is;

	role_is(r, &is);
	m->active = role_active(r);
	m->addresses = r->core == NULL || r->placed > 0;
	if (r->core != NULL && r->paired) {
		m->link = link_word(r, &is);
		m->since = wall(is.group[0].since);
		m->in_sync =
		    is.alive &&
		    atomic_load(&core_link_say(r->core)->hash_shared) == is.peer_hash_shared &&
		    atomic_load(&core_link_say(r->core)->hash_oper) == is.peer_hash_oper;
	}
	if (role_is_outside(r)) {
		m->outside = true;
		m->addresses = r->fips_n > 0;
		m->since = r->outside.since[0];
	}
}

void
role_say(const struct ha_role *r, const struct bus_request *rq, unsigned number, const void *m)
{
	if (rq != NULL)
		(void)bus_reply(rq, number, m);
	else if (r->bus != NULL)
		bus_publish(r->bus, TOPIC_HA, number, m);
}

/* Whether the node that was active before goes on with the connections that it has. */
static bool
given(uint8_t why)
{
	return why == FSM_WHY_PEER_GIVES || why == FSM_WHY_PREEMPT || why == FSM_WHY_MERIT ||
	       why == FSM_WHY_ORDER;
}

static void
tell_group(
    const struct ha_role *r, const struct bus_request *rq, const struct shared_is *is, unsigned g)
{
	const struct shared_group *k = &is->group[g];
	mono_t now = mono_now();
	struct msg_ha_group m = {
		.group = (uint8_t)(g + 1),
		.role = SPAN(fsm_role_word[k->role < FSM_ROLES ? k->role : 0]),
		.hold = k->hold,
		.why = SPAN(fsm_why_word[k->why < FSM_WHYS ? k->why : 0]),
		.since = wall(k->since),
		.claim = k->claim,
		.conflict = k->conflict,
		.answered = k->answered,
		.generation = k->generation,
		.changes = r->changes[g],
		.lease = k->hold && k->lease_until > now ? (uint64_t)(k->lease_until - now) : 0,
	};

	m.given = is->known && is->alive && given(k->why);
	if (role_is_outside(r)) {
		m.role = SPAN(fsm_role_word[r->outside.role[g]]);
		m.hold = r->outside.role[g] == FSM_ACTIVE;
		m.why = SPAN(r->outside.since[g] != 0 ? "another program decided it"
						      : "nobody has said who is active");
		m.since = r->outside.since[g];
	} else if (is->known && is->alive)
		m.peer = SPAN(fsm_role_word[k->peer_role < FSM_ROLES ? k->peer_role : 0]);
	m.addresses = role_addresses(r, g);
	/* Who holds the addresses has what there is. */
	if (!k->hold && r->missing[0] != '\0' && is->alive)
		m.missing = SPAN(r->missing);
	m.peer_whole = is->known && is->alive && k->peer_whole;
	role_say(r, rq, MSG_HA_GROUP, &m);
}

static void
tell_line(
    const struct ha_role *r, const struct bus_request *rq, const struct shared_is *is, unsigned i)
{
	const struct shared_line *k = &is->line[i];
	mono_t now = mono_now();
	struct msg_ha_carrier m = {
		.number = (uint8_t)i,
		.name = SPAN(r->names.carrier[i]),
		.state = SPAN(carrier_state_word(k->state)),
		.fault = SPAN(k->fault != 0 ? strerror(-k->fault) : ""),
		.since = wall(k->since),
		.heard = k->heard_at != 0 ? (uint64_t)(now - k->heard_at) + 1 : 0,
		.sent = k->sent,
		.received = k->received,
		.lost = k->lost,
		.rtt = (uint64_t)k->rtt,
		.worst = (uint64_t)k->worst,
		.permille = (uint16_t)(k->recent > 0 ? 1000 * k->lost_recent / k->recent : 0),
	};

	role_say(r, rq, MSG_HA_CARRIER, &m);
}

/* Rows of HA_CHECK: ping nodes, tracks, notify scripts, fencing, routes. */
#define NOTICES_AT (PING_TARGETS + TRACK_MOST)
#define FENCE_AT (NOTICES_AT + NOTIFY_MOST)
#define ROUTES_AT (FENCE_AT + 1)
#define CHECK_ROWS (ROUTES_AT + ROUTES_MOST)

static bool
check_was(const struct ha_role *r, unsigned i)
{
	return i < PING_TARGETS ? r->told.ping[i][0] != '\0'
	       : i < NOTICES_AT ? i - PING_TARGETS < r->tracks_told
	       : i < FENCE_AT	? i - NOTICES_AT < r->notices_told
	       : i < ROUTES_AT	? r->fence_told
				: i - ROUTES_AT < r->routes_told;
}

static bool
check_is(const struct ha_role *r, unsigned i)
{
	struct track_row track;
	struct notify_row notice;
	struct fence_row fence;
	struct routes_row route;

	return i < PING_TARGETS ? r->names.ping[i][0] != '\0'
	       : i < NOTICES_AT ? track_row(r->track, i - PING_TARGETS, &track)
	       : i < FENCE_AT	? notify_row(r->notify, i - NOTICES_AT, &notice)
	       : i < ROUTES_AT	? fence_row(r->fence, &fence)
				: routes_row(r->routes, i - ROUTES_AT, &route);
}

/* Places that were told of and are not in use any more. */
static void
tell_gone(const struct ha_role *r)
{
	for (unsigned i = 0; i < CARRIER_SET; i++) {
		const struct msg_ha_carrier m = { .number = (uint8_t)i, .state = SPAN("gone") };

		if (r->names.carrier[i][0] == '\0' && r->told.carrier[i][0] != '\0')
			role_say(r, NULL, MSG_HA_CARRIER, &m);
	}
	for (unsigned i = 0; i < CHECK_ROWS; i++) {
		const struct msg_ha_check m = { .number = (uint8_t)i, .state = SPAN("gone") };

		if (check_was(r, i) && !check_is(r, i))
			role_say(r, NULL, MSG_HA_CHECK, &m);
	}
}

static void
tell_ping(
    const struct ha_role *r, const struct bus_request *rq, const struct shared_is *is, unsigned i)
{
	const struct shared_ping *k = &is->ping[i];
	struct msg_ha_check m = {
		.number = (uint8_t)i,
		.name = SPAN(r->names.ping[i]),
		.what = SPAN("ping"),
		.state = SPAN(k->reachable ? "good" : "bad"),
		.since = wall(k->since),
	};
	char text[100];

	if (k->fault != 0)
		(void)snprintf(text, sizeof(text), "%s", strerror(-k->fault));
	else if (k->reachable)
		(void)snprintf(text, sizeof(text), "answers after %.2f ms", (double)k->rtt / 1000);
	else
		(void)snprintf(text, sizeof(text), "no answer");
	m.text = SPAN(text);
	role_say(r, rq, MSG_HA_CHECK, &m);
}

static uint32_t
tell_tracks(const struct ha_role *r, const struct bus_request *rq)
{
	struct track_row k;
	uint32_t i = 0;

	for (; track_row(r->track, i, &k); i++) {
		char name[340];
		struct msg_ha_check m = {
			.number = (uint8_t)(PING_TARGETS + i),
			.what = SPAN(k.kind),
			.state = SPAN(k.state),
			.text = SPAN(k.text),
			.since = wall(k.since),
		};

		(void)snprintf(name, sizeof(name), "%s %s", k.name, k.target);
		m.name = SPAN(name);
		role_say(r, rq, MSG_HA_CHECK, &m);
	}
	return i;
}

static void
tell_strange(const struct ha_role *r, const struct bus_request *rq, const struct shared_is *is)
{
	for (unsigned i = 0; i < STRANGES; i++) {
		const struct strange *k = &is->strange[i];
		char from[ADDR_TEXT] = "";
		struct msg_ha_alarm m = {
			.kind = SPAN(i == STRANGE_SAME ? "same" : "other"),
			.now = role_is_strange(k),
			.cluster = k->cluster,
			.frames = k->frames,
			.at = wall(k->at),
		};

		if (k->frames == 0)
			continue;
		if (k->from.family != 0)
			addr_format(&k->from, ADDR_HOST, from);
		m.from = SPAN(from);
		role_say(r, rq, MSG_HA_ALARM, &m);
	}
}

static uint32_t
tell_notices(const struct ha_role *r, const struct bus_request *rq)
{
	struct notify_row k;
	uint32_t i = 0;

	for (; notify_row(r->notify, i, &k); i++) {
		char name[340];
		struct msg_ha_check m = {
			.number = (uint8_t)(NOTICES_AT + i),
			.what = SPAN("notify"),
			.state = SPAN(k.state),
			.text = SPAN(k.text),
			.since = k.since,
		};

		(void)snprintf(name, sizeof(name), "%s %s", k.name, k.target);
		m.name = SPAN(name);
		role_say(r, rq, MSG_HA_CHECK, &m);
	}
	return i;
}

static bool
tell_fence(const struct ha_role *r, const struct bus_request *rq)
{
	struct fence_row k;

	if (!fence_row(r->fence, &k))
		return false;
	role_say(r, rq, MSG_HA_CHECK,
	    &(struct msg_ha_check){ .number = FENCE_AT,
		.what = SPAN("fence"),
		.name = SPAN(k.target),
		.state = SPAN(k.state),
		.text = SPAN(k.text),
		.since = k.since });
	return true;
}

static uint32_t
tell_routes(const struct ha_role *r, const struct bus_request *rq)
{
	struct routes_row k;
	uint32_t i = 0;

	for (; routes_row(r->routes, i, &k); i++)
		role_say(r, rq, MSG_HA_CHECK,
		    &(struct msg_ha_check){ .number = (uint8_t)(ROUTES_AT + i),
			.what = SPAN("route"),
			.name = SPAN(k.name),
			.state = SPAN(k.state),
			.text = SPAN(k.text),
			.since = k.since });
	return i;
}

void
role_tell(struct ha_role *r, const struct bus_request *rq)
{
	struct shared_is is;
	uint32_t tracks, notices, routes;
	bool fence;

	if (r->core == NULL)
		memset(&is, 0, sizeof(is));
	else
		core_link_is(r->core, &is);
	if (rq == NULL)
		tell_gone(r);
	for (unsigned g = 0;
	     ((r->core != NULL && r->paired) || role_is_outside(r)) && g < SHARED_GROUPS; g++)
		tell_group(r, rq, &is, g);
	for (unsigned i = 0; i < CARRIER_SET; i++)
		if (r->names.carrier[i][0] != '\0')
			tell_line(r, rq, &is, i);
	for (unsigned i = 0; i < PING_TARGETS; i++)
		if (r->names.ping[i][0] != '\0')
			tell_ping(r, rq, &is, i);
	tell_strange(r, rq, &is);
	tracks = tell_tracks(r, rq);
	role_vrrp_tell(r, rq, &is);
	notices = tell_notices(r, rq);
	fence = tell_fence(r, rq);
	routes = tell_routes(r, rq);
	if (rq != NULL)
		return; /* the others do not know more than before */
	r->told = r->names;
	r->tracks_told = tracks;
	r->notices_told = notices;
	r->fence_told = fence;
	r->routes_told = routes;
}
