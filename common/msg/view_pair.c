/* What is known of the pair's roles: groups, carriers and checks as lbd-ha says, and the words that every surface shows. Pure.
 *
 * The words are those of the field: Master or Slave is what a node is meant to be, Active or Passive what it is, Link
 * whether it hears the other. Where it cannot be told who is active, that is said, with what to do. */
#include "msg/view_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool
view_on_group(struct view *v, const struct msg_ha_group *m)
{
	struct view_group *g, was;

	if (m->group < 1 || m->group > VIEW_GROUPS)
		return false;
	g = &v->groups[m->group - 1];
	memcpy(&was, g, sizeof(was));
	memset(g, 0, sizeof(*g));
	g->group = m->group;
	g->hold = m->hold;
	g->conflict = m->conflict;
	g->answered = m->answered;
	g->peer_whole = m->peer_whole;
	g->addresses = m->addresses;
	g->claim = m->claim;
	g->since = m->since;
	g->generation = m->generation;
	g->changes = m->changes;
	g->lease_us = m->lease;
	span_text(m->role, g->role, sizeof(g->role));
	span_text(m->peer, g->peer, sizeof(g->peer));
	span_text(m->why, g->why, sizeof(g->why));
	span_text(m->missing, g->missing, sizeof(g->missing));
	return was.group == 0 || was.hold != g->hold || was.conflict != g->conflict ||
	       strcmp(was.role, g->role) != 0 || strcmp(was.peer, g->peer) != 0;
}

bool
view_on_carrier(struct view *v, const struct msg_ha_carrier *m)
{
	struct view_carrier *k;
	char was[sizeof(k->state)];

	if (m->number >= VIEW_CARRIERS)
		return false;
	k = &v->carriers[m->number];
	memcpy(was, k->state, sizeof(was));
	memset(k, 0, sizeof(*k));
	span_text(m->state, k->state, sizeof(k->state));
	if (strcmp(k->state, "gone") == 0)
		return was[0] != '\0';
	span_text(m->name, k->name, sizeof(k->name));
	span_text(m->fault, k->fault, sizeof(k->fault));
	k->permille = m->permille;
	k->since = m->since;
	k->heard_us = m->heard;
	k->sent = m->sent;
	k->received = m->received;
	k->lost = m->lost;
	k->rtt_us = m->rtt;
	k->worst_us = m->worst;
	return strcmp(was, k->state) != 0;
}

bool
view_on_check(struct view *v, const struct msg_ha_check *m)
{
	struct view_check *k;
	char was[sizeof(k->state)];

	if (m->number >= VIEW_CHECKS)
		return false;
	k = &v->checks[m->number];
	memcpy(was, k->state, sizeof(was));
	memset(k, 0, sizeof(*k));
	span_text(m->state, k->state, sizeof(k->state));
	if (strcmp(k->state, "gone") == 0) {
		k->state[0] = '\0';
		return was[0] != '\0';
	}
	span_text(m->name, k->name, sizeof(k->name));
	span_text(m->what, k->what, sizeof(k->what));
	span_text(m->text, k->text, sizeof(k->text));
	k->since = m->since;
	return strcmp(was, k->state) != 0;
}

bool
view_on_alarm(struct view *v, const struct msg_ha_alarm *m)
{
	char kind[16];
	struct view_alarm *k;
	bool was;

	span_text(m->kind, kind, sizeof(kind));
	k = &v->alarms[strcmp(kind, "same") == 0 ? VIEW_ALARM_SAME : VIEW_ALARM_OTHER];
	was = k->now;
	memset(k, 0, sizeof(*k));
	k->now = m->now;
	k->cluster = m->cluster;
	k->frames = m->frames;
	k->at = m->at;
	span_text(m->from, k->from, sizeof(k->from));
	return was != k->now;
}

const struct view_alarm *
view_alarms(const struct view *v)
{
	return v->alarms;
}

const char *
view_alarm_words(const struct view *v, enum view_alarm_kind kind)
{
	if (!v->alarms[kind].now)
		return "";
	return kind == VIEW_ALARM_SAME
		   ? "heartbeats with this pair's number and another key: a second pair with the same number, a copy of a "
		     "node, or a forger. They do not count. Find the sender; two pairs of one number are paired anew, which "
		     "gives a new one."
		   : "another pair sends to this pair's port or group. It has a number of its own, so nothing is mixed up; "
		     "a port or group of its own saves both the work.";
}

const struct view_group *
view_groups(const struct view *v)
{
	return v->groups;
}

const struct view_carrier *
view_carriers(const struct view *v)
{
	return v->carriers;
}

const struct view_check *
view_checks(const struct view *v)
{
	return v->checks;
}

const char *
view_link_word(uint8_t link)
{
	static const char *const words[LINKS] = { "none", "up", "degraded", "down", "one-way" };

	return words[link < LINKS ? link : LINK_NONE];
}

static bool
in_conflict(const struct view *v)
{
	for (unsigned i = 0; i < VIEW_GROUPS; i++)
		if (v->groups[i].conflict)
			return true;
	return false;
}

/* With addresses in both groups, which of them are here. */
static const char *
state_word(const struct view *v)
{
	const struct view_group *g = v->groups;

	if (!v->role.addresses)
		return "No addresses: neither is active";
	if (!v->role.active)
		return "Passive";
	if (!v->role.peer || g[0].addresses == 0 || g[1].addresses == 0)
		return "Active";
	return !g[1].hold   ? "Active in group 1"
	       : !g[0].hold ? "Active in group 2"
			    : "Active in both groups";
}

void
view_role_words(const struct view *v, char out[100], char advice[200])
{
	static const char *const links[LINKS] = { "No slave defined", "Link up", "Link degraded",
		"Link down", "Link one-way" };
	const struct view_role *r = &v->role;
	const char *what =
	    r->outside
		? "Another program decides who is active (setting ha_roles); what it has said stands below."
		: "";
	unsigned routers, masters = view_vrrp_masters(v, &routers);

	if (!r->peer && !r->outside && routers > 0)
		(void)snprintf(out, 100, "VRRP | %s | Master of %u of %u virtual routers",
		    state_word(v), masters, routers);
	else
		(void)snprintf(out, 100, "%s | %s | %s", r->master ? "Master" : "Slave",
		    state_word(v), links[r->peer ? r->link : LINK_NONE]);
	if (r->outside)
		; /* the nodes' link is for the configuration alone */
	else if (r->peer && in_conflict(v))
		what =
		    "Both nodes say that they are active; the one with the lower claim leaves at once.";
	else if (r->peer && r->link == LINK_DOWN)
		what =
		    r->active
			? "The other node is silent: it is down, or every carrier is cut; then the addresses may be up "
			  "on both. Look at it, and at the carriers below."
			: "The other node is silent and this one has not taken over: lbctl ha failover does, once you know "
			  "that the other is down.";
	else if (r->peer && r->link == LINK_ONE_WAY)
		what =
		    "Undetermined: the other node is heard and does not hear this one, or the other way round.";
	else if (r->peer && r->link == LINK_DEGRADED)
		what = "One more failure of a carrier, and the nodes do not hear each other.";
	(void)snprintf(advice, 200, "%s", what);
}

static void
put_groups(struct buf *out, const struct view *v)
{
	const char *comma = "";

	buf_puts(out, "[");
	for (unsigned i = 0; i < VIEW_GROUPS; i++) {
		const struct view_group *g = &v->groups[i];

		if (g->group == 0)
			continue;
		buf_printf(out,
		    "%s{\"group\":%u,\"hold\":%s,\"conflict\":%s,\"answered\":%s,\"addresses\":%u,\"claim\":%" PRIu64,
		    comma, g->group, g->hold ? "true" : "false", g->conflict ? "true" : "false",
		    g->answered ? "true" : "false", g->addresses, g->claim);
		view_json_member(out, "role", g->role);
		view_json_member(out, "peer_role", g->peer);
		view_json_member(out, "why", g->why);
		view_json_member(out, "missing", g->missing);
		buf_printf(out,
		    ",\"peer_whole\":%s,\"generation\":%" PRIu64 ",\"changes\":%" PRIu64
		    ",\"since\":",
		    g->peer_whole ? "true" : "false", g->generation, g->changes);
		view_json_time(out, g->since);
		buf_puts(out, "}");
		comma = ",";
	}
	buf_puts(out, "]");
}

static void
put_carriers(struct buf *out, const struct view *v)
{
	const char *comma = "";

	buf_puts(out, "[");
	for (unsigned i = 0; i < VIEW_CARRIERS; i++) {
		const struct view_carrier *k = &v->carriers[i];

		if (k->name[0] == '\0')
			continue;
		buf_printf(out, "%s{\"number\":%u", comma, i);
		view_json_member(out, "name", k->name);
		view_json_member(out, "state", k->state);
		view_json_member(out, "fault", k->fault);
		buf_printf(out,
		    ",\"heard_us\":%" PRIu64 ",\"sent\":%" PRIu64 ",\"received\":%" PRIu64
		    ",\"lost\":%" PRIu64 ",\"lost_permille\":%u,\"rtt_us\":%" PRIu64
		    ",\"worst_us\":%" PRIu64 ",\"since\":",
		    k->heard_us, k->sent, k->received, k->lost, k->permille, k->rtt_us,
		    k->worst_us);
		view_json_time(out, k->since);
		buf_puts(out, "}");
		comma = ",";
	}
	buf_puts(out, "]");
}

static void
put_checks(struct buf *out, const struct view *v)
{
	const char *comma = "";

	buf_puts(out, "[");
	for (unsigned i = 0; i < VIEW_CHECKS; i++) {
		const struct view_check *k = &v->checks[i];

		if (k->name[0] == '\0')
			continue;
		buf_printf(out, "%s{\"number\":%u", comma, i);
		view_json_member(out, "name", k->name);
		view_json_member(out, "what", k->what);
		view_json_member(out, "state", k->state);
		view_json_member(out, "text", k->text);
		buf_puts(out, ",\"since\":");
		view_json_time(out, k->since);
		buf_puts(out, "}");
		comma = ",";
	}
	buf_puts(out, "]");
}

static void
put_alarms(struct buf *out, const struct view *v)
{
	const char *comma = "";

	buf_puts(out, "[");
	for (unsigned i = 0; i < VIEW_ALARMS; i++) {
		const struct view_alarm *k = &v->alarms[i];

		if (k->frames == 0)
			continue;
		buf_printf(out,
		    "%s{\"kind\":\"%s\",\"now\":%s,\"frames\":%" PRIu64 ",\"cluster\":\"%016" PRIx64
		    "\"",
		    comma, i == VIEW_ALARM_SAME ? "same_cluster" : "other_cluster",
		    k->now ? "true" : "false", k->frames, k->cluster);
		view_json_member(out, "from", k->from);
		view_json_member(out, "advice", view_alarm_words(v, (enum view_alarm_kind)i));
		buf_puts(out, ",\"at\":");
		view_json_time(out, k->at);
		buf_puts(out, "}");
		comma = ",";
	}
	buf_puts(out, "]");
}

void
view_json_ha(struct buf *out, const struct view *v)
{
	const struct view_role *r = &v->role;
	char words[100], advice[200];

	view_role_words(v, words, advice);
	buf_printf(out,
	    "\"role\":\"%s\",\"state\":\"%s\",\"link\":", r->master ? "master" : "slave",
	    r->active ? "active" : "passive");
	if (r->peer)
		view_json_text(out, view_link_word(r->link));
	else
		buf_puts(out, "null");
	view_json_member(out, "words", words);
	view_json_member(out, "advice", advice);
	buf_printf(out, ",\"outside\":%s", r->outside ? "true" : "false");
	buf_puts(out, ",\"since\":");
	view_json_time(out, r->since);
	buf_puts(out, ",\"groups\":");
	put_groups(out, v);
	buf_puts(out, ",\"carriers\":");
	put_carriers(out, v);
	buf_puts(out, ",\"checks\":");
	put_checks(out, v);
	buf_puts(out, ",\"vrrps\":");
	view_json_vrrps(out, v);
	buf_puts(out, ",\"alarms\":");
	put_alarms(out, v);
	buf_puts(out, ",\"peer\":");
	view_json_peer(out, &v->peer);
}
