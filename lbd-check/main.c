/* main.c - lbd-check: is each real server fit for traffic?
 *
 * The ops table, and what goes in and out: verdicts and quorums as topic HEALTH, probes that people ask for, failures
 * that others saw. A verdict or quorum that changed is also a line of the log. Which targets there are and when they are
 * probed is sched.c, what a result means verdict.c, how a probe goes probe.c and its kinds, what verdicts mean for a
 * service quorum.c.
 *
 * After a start nothing is known until it is proven: subscribers keep what they know, and are told of each verdict as
 * it stands. A server that was deleted is told of no more. */
#include "members.h"
#include "run.h"
#include "sched.h"

#include "doctor/doctor.h"

#include "base/must.h"
#include "daemon/daemon.h"
#include "msg/msg.h"
#include "sys/log.h"
#include "sys/resolve.h"

#include <stdio.h>
#include <string.h>

/* So many targets may say in the log that they are up for the first time. */
#define FIRST_LOGGED 1000
#define HEALTH_TEXT (VERDICT_TEXT + ADDR_TEXT + 16) /* reason, place */

static struct {
	struct daemon *d;
	struct sched *sched;
	struct members *members;
	struct bus_link *ha;
	unsigned away; /* groups that are active at the other node, a bit each */
} app;

/* What its name stands for, as 10.0.0.7 or 10.0.0.7:8080. */
static struct span
place_text(const struct target *t, char out[ADDR_TEXT + 16])
{
	char host[ADDR_TEXT];

	if (t->resolve == NULL || t->addr.family == 0)
		return (struct span){ NULL, 0 };
	addr_format(&t->addr, ADDR_HOST, host);
	(void)snprintf(out, ADDR_TEXT + 16,
	    t->port == 0	  ? "%s"
	    : t->addr.family == 6 ? "[%s]:%u"
				  : "%s:%u",
	    host, t->port);
	return SPAN(out);
}

static void
fill(const struct target *t, char text[HEALTH_TEXT], struct msg_health *m)
{
	const char *fault = t->resolve != NULL ? resolve_fault(t->resolve) : NULL;

	verdict_format(&t->st, text, VERDICT_TEXT);
	*m = (struct msg_health){
		.server = t->id,
		.verdict = t->st.verdict,
		.reason = t->st.last.reason,
		.latency = t->st.last.latency_us,
		.since = t->st.since,
		.at = t->st.at,
		.text = SPAN(text),
		.probes = t->st.probes,
		.failed = t->st.failed,
		.turns = t->st.turns,
		.downs = t->st.downs,
		.downtime = t->st.down_s * (uint64_t)DUR_S(1),
		.status = t->st.last.detail,
		.place = place_text(t, text + VERDICT_TEXT),
		.resolved = t->resolve != NULL ? resolve_good(t->resolve) : 0,
	};
	if (fault != NULL)
		m->resolve_fault = SPAN(fault);
}

static void
log_turn(const struct target *t, const char *text)
{
	struct snapshot *s = daemon_snapshot(app.d);
	const struct server *srv = snapshot_find(s, KIND_server, t->id);
	const struct service *svc = srv ? snapshot_find(s, KIND_service, srv->vip) : NULL;
	char path[160], fields[200];

	if (!svc || (t->st.probes <= 1 && t->st.verdict == VERDICT_UP &&
			sched_counts(app.sched)->targets > FIRST_LOGGED))
		return;
	(void)snprintf(fields, sizeof(fields), "LBD_VIP=%s\nLBD_RIP=%s\n", svc->name, srv->name);
	log_at(LOG_P_INFO, fields, "rip %s: %s, %s", snapshot_path(s, KIND_server, t->id, path),
	    verdict_word(t->st.verdict), text);
}

static void
on_told(void *arg, const struct target *t, bool turned)
{
	char text[HEALTH_TEXT];
	struct msg_health m;

	(void)arg;
	fill(t, text, &m);
	if (turned) {
		log_turn(t, text);
		members_touch(app.members, t->id);
	}
	bus_publish(daemon_bus(app.d), TOPIC_HEALTH, MSG_HEALTH, &m);
}

static enum verdict
verdict_of(void *arg, uint32_t server)
{
	const struct target *t = sched_find(app.sched, server);

	(void)arg;
	return t ? t->st.verdict : VERDICT_UNKNOWN;
}

static struct msg_quorum
quorum_row(uint32_t service, const struct quorum *q)
{
	return (struct msg_quorum){
		.service = service, .met = q->met, .weight = q->weight, .since = q->since
	};
}

/* The quorum of a service is met or not, or its weight is another. */
static void
on_quorum(void *arg, uint32_t service, const struct quorum *q, bool turned)
{
	const struct service *svc = snapshot_find(daemon_snapshot(app.d), KIND_service, service);
	struct msg_quorum m = quorum_row(service, q);
	char fields[120];

	(void)arg;
	if (turned && svc) {
		(void)snprintf(fields, sizeof(fields), "LBD_VIP=%s\n", svc->name);
		log_at(LOG_P_INFO, fields, "vip %s: quorum %s, weight %llu of %u", svc->name,
		    q->met ? "met" : "lost", (unsigned long long)q->weight, (unsigned)svc->quorum);
	}
	bus_publish(daemon_bus(app.d), TOPIC_HEALTH, MSG_QUORUM, &m);
}

static void
on_starved(void *arg, bool now)
{
	(void)arg;
	if (now)
		log_warn(
		    "probes: no descriptor or port left on this node; verdicts stand meanwhile");
	daemon_fault(app.d, now ? "no descriptor or port left for probes" : NULL);
}

static void
snapshot(void *arg, const struct bus_request *rq, unsigned topics)
{
	struct snapshot *s = daemon_snapshot(app.d);
	char text[HEALTH_TEXT];
	struct msg_health m;

	(void)arg;
	if (!(topics & TOPIC_HEALTH))
		return;
	for (uint32_t i = 0; i < snapshot_count(s, KIND_server); i++) {
		const struct server *srv = snapshot_at(s, KIND_server, i);
		const struct target *t = sched_find(app.sched, srv->id);

		/* Not probed since the start: the subscriber may know better. */
		if (!t || !t->st.probes)
			continue;
		fill(t, text, &m);
		(void)bus_reply(rq, MSG_HEALTH, &m);
	}
	for (uint32_t i = 0; i < snapshot_count(s, KIND_service); i++) {
		const struct service *svc = snapshot_at(s, KIND_service, i);
		const struct quorum *q = members_find(app.members, svc->id);
		struct msg_quorum row;

		if (!q || !q->known)
			continue;
		row = quorum_row(svc->id, q);
		(void)bus_reply(rq, MSG_QUORUM, &row);
	}
}

static void
on_check_run(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	run_start(app.sched, m->server.server, rq);
}

static void
on_observed(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	if (app.sched)
		sched_observe(
		    app.sched, m->observed.server, m->observed.count ? m->observed.count : 1);
	bus_result(rq, 0, NULL);
}

static void
on_diagnose(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	doctor_start(
	    daemon_loop(app.d), daemon_bus(app.d), daemon_snapshot(app.d), rq, &m->diagnose);
}

/* Who is active; while lbd-ha is away what it said last counts. */
static void
on_role(void *arg, const struct msg_row *row, const union msg_any *m)
{
	unsigned bit;

	(void)arg;
	if (row->number != MSG_HA_GROUP || m->ha_group.group > 7)
		return;
	bit = 1u << m->ha_group.group;
	app.away = m->ha_group.hold ? app.away & ~bit : app.away | bit;
	sched_away(app.sched, app.away);
}

static int
init(struct daemon *d, struct err *err)
{
	static const struct bus_link_ops of_ha = {
		.daemon = "lbd-ha", .topics = TOPIC_HA, .row = on_role
	};
	static const struct sched_ops ops = { .told = on_told, .starved = on_starved };
	static const struct members_ops of_members = { .verdict = verdict_of, .told = on_quorum };

	char names[300];

	(void)err;
	app.d = d;
	app.sched = sched_new(daemon_loop(d), &ops, NULL);
	(void)snprintf(names, sizeof(names), "%s/lbd-check", daemon_paths(d)->state);
	sched_keep_names(app.sched, names);
	app.members = members_new(daemon_loop(d), &of_members, NULL);
	app.ha = bus_link_new(daemon_loop(d), daemon_paths(d), "lbd-check", &of_ha);
	return 0;
}

static int
apply(struct daemon *d, struct snapshot *old, struct snapshot *now, struct err *err)
{
	(void)d;
	(void)err;
	members_apply(app.members, old, now); /* first: it hears of verdicts on servers of now */
	sched_apply(app.sched, old, now);
	return 0;
}

static void
status(struct daemon *d, char *line, size_t room)
{
	const struct sched_counts *c = sched_counts(app.sched);

	(void)d;
	(void)snprintf(line, room,
	    "%u servers: %u up, %u down, %u unknown; %llu probes, %llu failed, %llu repeated",
	    c->targets, c->verdicts[VERDICT_UP], c->verdicts[VERDICT_DOWN],
	    c->verdicts[VERDICT_UNKNOWN], (unsigned long long)c->probes,
	    (unsigned long long)c->failed, (unsigned long long)c->repeated);
}

static void
fini(struct daemon *d)
{
	(void)d;
	bus_link_free(app.ha);
	app.ha = NULL;
	members_free(app.members);
	sched_free(app.sched);
	app.members = NULL;
	app.sched = NULL;
}

static const struct bus_handler handlers[] = {
	{ MSG_CHECK_RUN, on_check_run },
	{ MSG_OBSERVED, on_observed },
	{ MSG_DIAGNOSE, on_diagnose },
	{ 0, NULL },
};

static const struct daemon_ops ops = {
	.name = "lbd-check",
	.synopsis = "decides whether each real server is fit for traffic",
	.messages = handlers,
	.snapshot = snapshot,
	.init = init,
	.apply = apply,
	.status = status,
	.fini = fini,
};

int
main(int argc, char **argv)
{
	return daemon_main(argc, argv, &ops);
}
