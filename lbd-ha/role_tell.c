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
	if (r->core == NULL || !r->paired)
		return;
	m->link = link_word(r, &is);
	m->since = wall(is.group[0].since);
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
	struct msg_ha_group m = {
		.group = (uint8_t)(g + 1),
		.role = SPAN(fsm_role_word[k->role < FSM_ROLES ? k->role : 0]),
		.hold = k->hold,
		.why = SPAN(fsm_why_word[k->why < FSM_WHYS ? k->why : 0]),
		.since = wall(k->since),
		.claim = k->claim,
		.conflict = k->conflict,
		.answered = k->answered,
	};

	m.given = is->known && is->alive && given(k->why);
	if (is->known && is->alive)
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

/* Places that were told of and are not in use any more. */
static void
tell_gone(const struct ha_role *r)
{
	for (unsigned i = 0; i < CARRIER_SET; i++) {
		const struct msg_ha_carrier m = { .number = (uint8_t)i, .state = SPAN("gone") };

		if (r->names.carrier[i][0] == '\0' && r->told.carrier[i][0] != '\0')
			role_say(r, NULL, MSG_HA_CARRIER, &m);
	}
	for (unsigned i = 0; i < PING_TARGETS + TRACK_MOST; i++) {
		const struct msg_ha_check m = { .number = (uint8_t)i, .state = SPAN("gone") };
		struct track_row row;
		bool was = i < PING_TARGETS ? r->told.ping[i][0] != '\0'
					    : i - PING_TARGETS < r->tracks_told;
		bool is = i < PING_TARGETS ? r->names.ping[i][0] != '\0'
					   : track_row(r->track, i - PING_TARGETS, &row);

		if (was && !is)
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

void
role_tell(struct ha_role *r, const struct bus_request *rq)
{
	struct shared_is is;
	uint32_t tracks;

	if (r->core == NULL)
		memset(&is, 0, sizeof(is));
	else
		core_link_is(r->core, &is);
	if (rq == NULL)
		tell_gone(r);
	for (unsigned g = 0; r->core != NULL && r->paired && g < SHARED_GROUPS; g++)
		tell_group(r, rq, &is, g);
	for (unsigned i = 0; i < CARRIER_SET; i++)
		if (r->names.carrier[i][0] != '\0')
			tell_line(r, rq, &is, i);
	for (unsigned i = 0; i < PING_TARGETS; i++)
		if (r->names.ping[i][0] != '\0')
			tell_ping(r, rq, &is, i);
	tracks = tell_tracks(r, rq);
	role_vrrp_tell(r, rq, &is);
	if (rq != NULL)
		return; /* the others do not know more than before */
	r->told = r->names;
	r->tracks_told = tracks;
}
