/* cmd_drill.c - ha test: is the pair fit for a hand-over, does it do one and the way back without a client noticing, and what is
 * left to be tried by hand.
 *
 * Nothing moves unless every precondition is met. Each group is moved to the other node and back, one after the other, while
 * services are probed from here (drill.c). Each line is printed when it is known; JSON comes at the end. */
#include "drill.h"

#include "msg/client.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TURN_MS 50
#define ORDER_WAIT DUR_S(8)   /* longer than lbd-ha waits for the other node */
#define SETTLE_WAIT DUR_S(60) /* until both nodes have everything; --timeout */
#define QUIET DUR_MS(300)     /* probes before and after a move */

struct report {
	struct ctl *c;
	bool json, passed;
	struct buf pre, moves;
	struct drill drill;
	const char *peer, *node; /* names */
	char peer_room[64];
};

static const char *const by_hand[] = {
	"Planned moves do not show what a crash does. Before going live, with clients connected:",
	"1. Pull the power of the active node (no shutdown). The other one must be active within the dead time, and "
	"\"lbctl ha status\" on it says \"Link down\".",
	"2. New connections work; those of layer 4 go on; clients with persistence are at the server they had.",
	"3. Switch it on again. It comes back as passive, \"lbctl ha status\" lists nothing that it waits for, and nothing "
	"moves unless ha_failback is yes.",
	"4. Pull one network cable of the active node, then every cable of a carrier: it gives up what it cannot serve, and never "
	"are both active.",
	"5. Do the same with the other node as the active one.",
};

/* ---- what is printed ------------------------------------------------------------------------------------------- */

static void say(const struct report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void
say(const struct report *r, const char *fmt, ...)
{
	va_list ap;

	if (r->json)
		return;
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)fflush(stdout); /* whoever watches sees where it stands */
}

static bool condition(struct report *r, const char *name, bool good, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static bool
condition(struct report *r, const char *name, bool good, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say(r, "%-6s %-14s %s\n", good ? "ok" : "FAIL", name, text);
	buf_printf(&r->pre, "%s{\"name\":\"%s\",\"ok\":%s,\"text\":", r->pre.len > 0 ? "," : "",
	    name, good ? "true" : "false");
	view_json_text(&r->pre, text);
	buf_puts(&r->pre, "}");
	r->passed = r->passed && good;
	return good;
}

/* ---- preconditions --------------------------------------------------------------------------------------------- */

static bool
is_active_there(const struct view_group *g)
{
	return strcmp(g->peer, "active") == 0;
}

/* Exactly one has the addresses. */
static bool
is_settled(const struct view_group *g)
{
	return !g->conflict && g->hold != is_active_there(g) &&
	       strcmp(g->role, g->hold ? "active" : "passive") == 0;
}

static bool
check_pair(struct report *r)
{
	const struct view_peer *p = view_peer(r->c->view);

	(void)snprintf(r->peer_room, sizeof(r->peer_room), "%s", p->name);
	r->peer = r->peer_room[0] != '\0' ? r->peer_room : "the other node";
	if (!p->paired)
		return condition(
		    r, "pair", false, "this node is not one of a pair; lbctl ha pair makes one");
	return condition(r, "pair", p->up, "%s at %s: channel %s%s%s", p->name, p->addresses,
	    p->up ? "up" : "down", p->fault[0] != '\0' ? ": " : "", p->fault);
}

static void
check_carriers(struct report *r)
{
	const struct view_carrier *k = view_carriers(r->c->view);
	unsigned n = 0;

	for (unsigned i = 0; i < VIEW_CARRIERS; i++, k++) {
		if (k->name[0] == '\0')
			continue;
		n++;
		(void)condition(r, "carrier", strcmp(k->state, "up") == 0, "%s: %s%s%s", k->name,
		    k->state, k->fault[0] != '\0' ? ": " : "", k->fault);
	}
	if (n == 0)
		(void)condition(r, "carrier", false, "none");
}

static void
check_checks(struct report *r)
{
	const struct view_check *k = view_checks(r->c->view);

	/* One whose state is not known yet takes nothing from the node. */
	for (unsigned i = 0; i < VIEW_CHECKS; i++, k++)
		if (k->name[0] != '\0' && strcmp(k->state, "unknown") != 0)
			(void)condition(r, "check", strcmp(k->state, "good") == 0, "%s %s: %s%s%s",
			    k->what, k->name, k->state, k->text[0] != '\0' ? ": " : "", k->text);
}

static void
check_groups(struct report *r)
{
	const struct view_group *g = view_groups(r->c->view);
	unsigned n = 0;

	for (unsigned i = 0; i < VIEW_GROUPS; i++, g++) {
		if (g->group == 0 || g->addresses == 0)
			continue;
		n++;
		(void)condition(r, "roles", is_settled(g),
		    "group %u: %s is %s, %s is %s; %u addresses", g->group, r->node, g->role,
		    r->peer, g->peer[0] != '\0' ? g->peer : "not heard", g->addresses);
		(void)condition(r, "state", g->missing[0] == '\0' && g->peer_whole,
		    "group %u: %s%s", g->group,
		    g->missing[0] != '\0' ? "this node lacks "
		    : g->peer_whole
			? "configuration, persistence and connections are on both nodes"
			: "the other node does not have everything; see lbctl ha status there",
		    g->missing);
	}
	if (n == 0)
		(void)condition(r, "roles", false, "there are no addresses that could move");
}

static void
check_addresses(struct report *r)
{
	const struct view_floating *f = view_floating(r->c->view);

	for (; f != NULL; f = f->next)
		if (f->fault != NULL)
			(void)condition(r, "address", false, "%s: %s", f->address, f->fault);
}

/* What cannot be probed from here is said, and no fault: the way there may not be from here. */
static void
show_targets(struct report *r)
{
	char text[ADDR_TEXT];

	for (unsigned i = 0; i < r->drill.n; i++) {
		const struct drill_target *t = &r->drill.t[i];

		addr_format(&t->addr, ADDR_HOST, text);
		if (t->probed)
			say(r, "%-6s %-14s %s port %u\n", "probe", t->name, text, t->port);
		else
			say(r, "%-6s %-14s %s port %u: not from here: %s\n", "-", t->name, text,
			    t->port, t->why);
	}
	if (r->drill.left_out > 0)
		say(r, "%-6s %u services more are not probed\n", "-", r->drill.left_out);
}

static int
look(struct report *r, struct err *err)
{
	int rc = ctl_look(r->c, VIEW_HA, err);

	if (rc == 0 && !view_role(r->c->view)->heard)
		rc = err_set(err, ERR_AWAY, "lbd-ha does not run, so there is nothing to test");
	return rc;
}

static int
check_all(struct report *r, struct err *err)
{
	int rc = ctl_load(r->c, err);

	if (rc == 0)
		rc = look(r, err);
	if (rc != 0)
		return rc;
	r->passed = true;
	r->node = snapshot_node(r->c->snap)->hostname[0] != '\0'
		      ? snapshot_node(r->c->snap)->hostname
		      : "this node";
	if (!check_pair(r))
		return 0;
	check_carriers(r);
	check_groups(r);
	check_checks(r);
	check_addresses(r);
	return 0;
}

/* ---- moves ----------------------------------------------------------------------------------------------------- */

struct move {
	unsigned group;
	bool here;	   /* where it goes */
	dur_t took, whole; /* until the order was answered; until both had everything again */
	struct drill_sum sum;
	char fault[600];
};

/* Until the group is where it should be, and both nodes have everything. */
static int
settle(struct report *r, const struct move *m, struct err *err)
{
	mono_t end =
	    mono_now() + (GIVEN(r->c, timeout) ? DUR_MS(r->c->num[OPT_timeout]) : SETTLE_WAIT);

	for (;;) {
		const struct view_group *g;
		int rc = look(r, err);

		if (rc != 0)
			return rc;
		g = &view_groups(r->c->view)[m->group - 1];
		if (is_settled(g) && g->hold == m->here && g->missing[0] == '\0' && g->peer_whole)
			return 0;
		if (mono_now() >= end)
			return err_set(err, -ETIMEDOUT, "not settled in time: %s, the other %s; %s",
			    g->role, g->peer,
			    g->missing[0] != '\0' ? g->missing
			    : g->peer_whole	  ? "nothing is missing"
						  : "the other node does not have everything");
		(void)poll(NULL, 0, TURN_MS);
	}
}

static int
order(struct report *r, const struct move *m, struct err *err)
{
	const struct msg_ha_order ask = { .group = (uint8_t)m->group, .why = SPAN("ha test") };
	struct client *k;
	int rc = client_open(&r->c->paths, "lbd-ha", &k, err);

	if (rc != 0)
		return rc;
	rc = client_call(k, MSG_HA_FAILOVER, &ask, NULL, NULL, ORDER_WAIT, err);
	client_close(k);
	return rc;
}

static void
show_move(struct report *r, const struct move *m)
{
	const char *to = m->here ? r->node : r->peer;

	if (m->fault[0] != '\0')
		say(r, "%s\n", m->fault);
	else
		say(r, "%.0f ms, everything on both after %.0f ms; %u of %u probes lost\n",
		    (double)m->took / 1000, (double)m->whole / 1000, m->sum.lost, m->sum.probes);
	if (m->sum.lost > 0)
		say(r, "       longest without an answer: %.0f ms\n", (double)m->sum.gap / 1000);
	buf_printf(&r->moves, "%s{\"group\":%u,\"to\":", r->moves.len > 0 ? "," : "", m->group);
	view_json_text(&r->moves, to);
	buf_printf(&r->moves,
	    ",\"ms\":%.1f,\"settled_ms\":%.1f,\"probes\":%u,\"lost\":%u,\"gap_ms\":%.1f,\"fault\":",
	    (double)m->took / 1000, (double)m->whole / 1000, m->sum.probes, m->sum.lost,
	    (double)m->sum.gap / 1000);
	view_json_text(&r->moves, m->fault);
	buf_puts(&r->moves, "}");
}

/* False: it is not known where the addresses are, so nothing more is ordered. */
static bool
move(struct report *r, unsigned group, bool here)
{
	struct move m = { .group = group, .here = here };
	struct err err = { .text = "" };
	mono_t begin;
	int rc;

	say(r, "move   group %u to %s: ", group, here ? r->node : r->peer);
	drill_start(&r->drill);
	(void)poll(NULL, 0, QUIET / 1000);
	begin = mono_now();
	rc = order(r, &m, &err);
	m.took = mono_now() - begin;
	if (rc == 0)
		rc = settle(r, &m, &err);
	m.whole = mono_now() - begin;
	(void)poll(NULL, 0, QUIET / 1000);
	drill_stop(&r->drill);
	drill_sum(&r->drill, &m.sum);
	if (rc != 0)
		(void)snprintf(m.fault, sizeof(m.fault), "%s", err.text);
	r->passed = r->passed && rc == 0 && m.sum.lost == 0;
	show_move(r, &m);
	return rc == 0;
}

static void
move_all(struct report *r)
{
	struct view_group was[VIEW_GROUPS];

	memcpy(was, view_groups(r->c->view), sizeof(was));
	drill_targets(&r->drill, r->c->snap);
	show_targets(r);
	for (unsigned i = 0; i < VIEW_GROUPS; i++) {
		if (was[i].group == 0 || was[i].addresses == 0)
			continue;
		if (!move(r, was[i].group, !was[i].hold) || !move(r, was[i].group, was[i].hold))
			return;
	}
}

/* ---- the end --------------------------------------------------------------------------------------------------- */

static void
put_targets(struct buf *out, const struct drill *d)
{
	char text[ADDR_TEXT];

	for (unsigned i = 0; i < d->n; i++) {
		const struct drill_target *t = &d->t[i];

		addr_format(&t->addr, ADDR_HOST, text);
		buf_puts(out, i > 0 ? ",{\"name\":" : "{\"name\":");
		view_json_text(out, t->name);
		buf_printf(out, ",\"address\":\"%s\",\"port\":%u,\"probed\":%s,\"why\":", text,
		    t->port, t->probed ? "true" : "false");
		view_json_text(out, t->probed ? "" : t->why);
		buf_puts(out, "}");
	}
}

static void
put_json(struct report *r)
{
	struct buf out = { 0 };

	buf_printf(&out, "{\"passed\":%s,\"preconditions\":[%s],\"targets\":[",
	    r->passed ? "true" : "false", buf_text(&r->pre));
	put_targets(&out, &r->drill);
	buf_printf(&out, "],\"moves\":[%s],\"by_hand\":[", buf_text(&r->moves));
	for (unsigned i = 0; i < sizeof(by_hand) / sizeof(by_hand[0]); i++) {
		buf_puts(&out, i > 0 ? "," : "");
		view_json_text(&out, by_hand[i]);
	}
	buf_puts(&out, "]}\n");
	ctl_print(&out);
	buf_fini(&out);
}

static void
put_end(struct report *r)
{
	if (r->json) {
		put_json(r);
		return;
	}
	say(r, "\n");
	for (unsigned i = 0; i < sizeof(by_hand) / sizeof(by_hand[0]); i++)
		say(r, "%s\n", by_hand[i]);
	say(r, "\n%s\n",
	    r->passed	       ? "passed"
	    : r->moves.len > 0 ? "FAILED"
			       : "FAILED: nothing was moved");
}

int
cmd_ha_test(struct ctl *c, struct err *err)
{
	struct report r = { .c = c, .json = c->style.form == FORM_JSON };
	int rc = check_all(&r, err);

	if (rc == 0 && r.passed) {
		rc = ctl_ask(c, err, "Move the addresses to %s and back", r.peer);
		if (rc == 0)
			move_all(&r);
	}
	if (rc == 0) {
		put_end(&r);
		rc = r.passed ? 0 : EXIT_FAULT;
	}
	drill_fini(&r.drill);
	buf_fini(&r.pre);
	buf_fini(&r.moves);
	return rc;
}
