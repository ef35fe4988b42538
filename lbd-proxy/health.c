/* The link to lbd-check: every verdict it has, then every change. While it is away, what is known stays. */
#include "health.h"

#include "control.h"

static void
on_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	char text[200];

	if (row->number != MSG_HEALTH)
		return;
	span_text(m->health.text, text, sizeof(text));
	if (text[0] == '\0' && m->health.reason < REASONS)
		control_verdict(
		    arg, m->health.server, m->health.verdict, reason_text[m->health.reason]);
	else
		control_verdict(arg, m->health.server, m->health.verdict, text);
}

void
health_start(struct control *k)
{
	struct bus_link_ops ops = {
		.daemon = "lbd-check",
		.topics = TOPIC_HEALTH,
		.row = on_row,
		.arg = k,
	};

	k->check = bus_link_new(daemon_loop(k->d), daemon_paths(k->d), "lbd-proxy", &ops);
}

void
health_stop(struct control *k)
{
	bus_link_free(k->check);
	k->check = NULL;
}
