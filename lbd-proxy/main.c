/* main.c - lbd-proxy: layer 7. The ops table, and which message goes where.
 *
 * The control thread runs the skeleton's loop: configuration, verdicts, questions. Clients are the workers' (worker.c). */
#include "control.h"
#include "net/crew.h"
#include "health.h"
#include "log/logs.h"
#include "share.h"
#include "lists/lists.h"
#include "tls/keys.h"
#include "tls/staples.h"
#include "upgrade/elder.h"
#include "upgrade/spawn.h"
#include "upgrade/upgrade.h"
#include "view/status.h"

static struct control control;

static int
init(struct daemon *d, struct err *err)
{
	int code = control_init(&control, d, err);

	if (code != 0)
		return code;
	take_begin(&control);
	status_init(&control);
	control.keys = keys_start(d);
	keys_came(control.keys, control_again, &control);
	control.lists = lists_start(d);
	lists_came(control.lists, control_again, &control);
	control.staples = staples_start(d, control.resolver);
	share_start(&control);
	health_start(&control);
	return 0;
}

static int
apply(struct daemon *d, struct snapshot *old, struct snapshot *now, struct err *err)
{
	int code = control_apply(&control, now, err);

	(void)old;
	keys_look(control.keys);
	staples_look(control.staples);
	daemon_fault(d, control_fault(&control));
	take_applied(&control);
	return code;
}

static void
on_key_put(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	keys_on_put(control.keys, rq, &m->key_put);
}

static void
on_key_get(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	keys_on_get(control.keys, rq, &m->key_name);
}

static void
on_staples(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	(void)m;
	staples_on_list(control.staples, rq);
}

static void
on_keys(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	keys_on_list(control.keys, rq, &m->keys_ask);
}

static void
on_upgrade(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	(void)m;
	give_start(&control, rq);
}

static void
on_list_put(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	lists_on_put(control.lists, rq, &m->list_put);
}

static void
on_list_get(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	lists_on_get(control.lists, rq, &m->list_get);
}

static void
on_list_values(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	lists_on_values(control.lists, rq, &m->list_get);
}

static void
on_lists(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	(void)m;
	lists_on_list(control.lists, rq);
}

static void
on_rule_try(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	status_on_rule_try(&control, rq, m);
}

static void
reload(struct daemon *d)
{
	(void)d;
	logs_reopen(control.px.logs);
	elders_reopen(&control);
}

static void
tell(struct daemon *d, struct msg_daemon *m)
{
	(void)d;
	status_tell_logs(m);
	staples_counts(control.staples, &m->staples, &m->staples_missing);
}

static bool
alive(struct daemon *d)
{
	(void)d;
	return crew_alive(&control);
}

static void
status(struct daemon *d, char *line, size_t room)
{
	(void)d;
	status_line(line, room);
}

static void
drain(struct daemon *d)
{
	(void)d;
	crew_drain(&control);
}

static void
fini(struct daemon *d)
{
	(void)d;
	give_fini(&control);
	take_fini();
	elders_fini(&control);
	health_stop(&control);
	staples_stop(control.staples);
	control_fini(&control);
	keys_stop(control.keys);
	lists_stop(control.lists);
}

static const struct bus_handler messages[] = {
	{ MSG_COUNTERS, status_on_counters },
	{ MSG_FLUSH_COUNTERS, status_on_flush },
	{ MSG_CONNS, status_on_conns },
	{ MSG_CONNS_KILL, status_on_conns_kill },
	{ MSG_PERSISTS, status_on_persists },
	{ MSG_PERSIST_CLEAR, status_on_persist_clear },
	{ MSG_RATES, status_on_rates },
	{ MSG_KEY_PUT, on_key_put },
	{ MSG_KEY_GET, on_key_get },
	{ MSG_KEYS, on_keys },
	{ MSG_LIST_PUT, on_list_put },
	{ MSG_LIST_GET, on_list_get },
	{ MSG_LIST_VALUES, on_list_values },
	{ MSG_LISTS, on_lists },
	{ MSG_STAPLES, on_staples },
	{ MSG_UPGRADE, on_upgrade },
	{ MSG_RULE_TRY, on_rule_try },
	{ 0, NULL },
};

static const struct daemon_ops ops = {
	.name = "lbd-proxy",
	.synopsis = "balances HTTP and TCP connections over real servers",
	.messages = messages,
	.inherit = take_inherit,
	.init = init,
	.apply = apply,
	.reload = reload,
	.alive = alive,
	.status = status,
	.tell = tell,
	.drain = drain,
	.fini = fini,
};

int
main(int argc, char **argv)
{
	spawn_remember(argv);
	return daemon_main(argc, argv, &ops);
}
