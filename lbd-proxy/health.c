/* The link to lbd-check: every verdict it has, then every change. While it is away, what is known stays. In the other
 * direction goes what traffic shows of the servers: who refused, broke off or answered badly is probed sooner. */
#include "health.h"

#include "store/state.h"
#include "sys/log.h"

#include "control.h"
#include "net/letters.h"
#include "upgrade/upgrade.h"

#define OBSERVE DUR_MS(250) /* how often failures that traffic showed are passed on */

/* lbd-check has found out something about a server. */
static void
take_verdict(struct control *k, uint32_t id, unsigned verdict, const char *why)
{
	struct ctl_server *s = idmap_get(&k->servers, id);
	unsigned was;

	idmap_put(&k->verdicts, id, (void *)((uintptr_t)verdict + 1));
	if (s == NULL)
		return;
	was = atomic_load(&s->srv->verdict);
	if (was == verdict)
		return;
	if (was == VERDICT_DOWN) /* first, so that nobody sees it with all of its weight */
		atomic_store(&s->srv->up, mono_now());
	atomic_store(&s->srv->verdict, verdict);
	log_info("rip %s/%s: %s, %s", s->of->name, s->name,
	    verdict == VERDICT_UP     ? "up"
	    : verdict == VERDICT_DOWN ? "down"
				      : "unknown",
	    why);
	if (verdict == VERDICT_DOWN)
		letter_to_srv(k, s->of,
		    s->of->view != NULL && s->of->view->drop_on_failure ? letter_cut : letter_down,
		    s->srv);
	/* Who waits may go there now, or need not wait for this one any more. */
	if (atomic_load(&s->of->svc->waiting) > 0)
		letter_to_svc(k, s->of, letter_kick, s->of->svc);
}

/* lbd-check has counted whether enough servers of a service are fit; only a fallback server makes a difference here. */
static void
take_quorum(struct control *k, uint32_t id, bool met)
{
	const struct ctl_service *c = idmap_get(&k->services, id);

	idmap_put(&k->no_quorum, id, met ? NULL : k);
	if (c == NULL || atomic_exchange(&c->svc->no_quorum, !met) == !met)
		return;
	if (c->fallback != NULL)
		log_info("vip %s: %s", c->name,
		    met ? "enough servers are fit again, the fallback server rests"
			: "too few servers are fit, the fallback server takes new clients");
	if (atomic_load(&c->svc->waiting) > 0)
		letter_to_svc(k, c, letter_kick, c->svc);
}

static void
on_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	char text[200];

	if (row->number == MSG_QUORUM)
		take_quorum(arg, m->quorum.service, m->quorum.met);
	if (row->number != MSG_HEALTH)
		return;
	span_text(m->health.text, text, sizeof(text));
	if (text[0] == '\0' && m->health.reason < REASONS)
		take_verdict(
		    arg, m->health.server, m->health.verdict, reason_text[m->health.reason]);
	else
		take_verdict(arg, m->health.server, m->health.verdict, text);
}

/* What the workers saw, summed up. */
static void
on_observe(void *arg)
{
	struct control *k = arg;
	const struct ctl_server *s;
	uint32_t at = 0;
	unsigned i;

	loop_timer_set(&k->observe, OBSERVE);
	if (!atomic_exchange(&k->px.observed, false))
		return;
	while ((s = idmap_next(&k->servers, &at, NULL)) != NULL) {
		for (i = 0; i < OBSERVED_KINDS; i++) {
			struct msg_observed m = { .server = s->id, .what = (uint8_t)(i + 1) };

			m.count = atomic_exchange(&s->srv->observed[i], 0);
			if (m.count > 0 && bus_link_is_up(k->check))
				(void)bus_link_ask(k->check, MSG_OBSERVED, &m, NULL, NULL, NULL);
		}
	}
}

/* All verdicts are here. */
static void
on_synced(void *arg)
{
	take_known(arg);
}

void
health_start(struct control *k)
{
	struct bus_link_ops ops = {
		.daemon = "lbd-check",
		.topics = TOPIC_HEALTH,
		.row = on_row,
		.synced = on_synced,
		.arg = k,
	};

	loop_timer_init(&k->observe, daemon_loop(k->d), on_observe, k);
	loop_timer_set(&k->observe, OBSERVE);
	k->check = bus_link_new(daemon_loop(k->d), daemon_paths(k->d), "lbd-proxy", &ops);
}

void
health_stop(struct control *k)
{
	loop_timer_fini(&k->observe);
	bus_link_free(k->check);
	k->check = NULL;
}
