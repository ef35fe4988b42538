/* lbd-web: panel, REST API and metrics. Puts the parts together; what it decides itself is only which ports are
 * listened on: those of the settings, and those that systemd handed over. */
#include "base/mem.h"
#include "daemon/daemon.h"
#include "live/events.h"
#include "live/follow.h"
#include "live/history.h"
#include "live/stream.h"
#include "sys/log.h"
#include "sys/notify.h"
#include "server/tls_cert.h"
#include "web.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct web web;

static void
on_moved(void *arg)
{
	struct web *w = arg;

	w->version++;
	streams_moved(w->streams);
}

static void
on_counted(void *arg)
{
	struct web *w = arg;

	w->version++;
	streams_counted(w->streams);
}

static void
on_event(void *arg)
{
	struct web *w = arg;

	bus_pump_again(daemon_bus(w->d));
	streams_moved(w->streams);
}

/* The name of this node, as it is shown and written into the certificate. */
static void
take_hostname(struct web *w, const struct snapshot *s)
{
	const struct node *n = snapshot_node(s);

	(void)snprintf(w->hostname, sizeof(w->hostname), "%s", n->hostname);
	if (w->hostname[0] == '\0' && gethostname(w->hostname, sizeof(w->hostname)) != 0)
		(void)snprintf(w->hostname, sizeof(w->hostname), "localhost");
	w->hostname[sizeof(w->hostname) - 1] = '\0';
}

static int
adopt(struct web *w, bool tls, struct err *err)
{
	int fds[8], n = notify_listen_fds(tls ? "https" : "http", fds, 8), rc = 0;

	for (int i = 0; i < n && rc == 0; i++)
		rc = http_srv_adopt(w->http, tls, fds[i], err);
	return rc;
}

static int
init(struct daemon *d, struct err *err)
{
	struct web *w = &web;
	const struct http_ops http = { web_request, web_body_max, w };
	const struct follow_ops follow = { on_moved, on_counted, w };
	uint8_t boot[4];
	int rc;

	w->d = d;
	tls_random(boot, sizeof(boot));
	(void)snprintf(
	    w->boot, sizeof(w->boot), "%02x%02x%02x%02x", boot[0], boot[1], boot[2], boot[3]);
	assets_init();
	take_hostname(w, daemon_snapshot(d));
	rc = secrets_open(daemon_paths(d)->state, true, &w->secrets, err);
	if (rc != 0)
		return rc;
	w->sessions = sessions_new();
	w->events = events_new(on_event, w);
	w->history = history_new();
	w->streams = streams_new(w);
	w->http = http_srv_new(daemon_loop(d), &http);
	w->follow = follow_new(d, w->events, w->history, &follow);
	rc = panel_cert_start(w, err);
	if (rc == 0)
		rc = setup_first_user(w, err);
	if (rc == 0)
		rc = adopt(w, true, err);
	if (rc == 0)
		rc = adopt(w, false, err);
	return rc;
}

/* Both ports are tried: one that cannot be had must not take the other away. */
static int
listen_ports(struct web *w, const struct setting *s, struct err *err)
{
	struct err second = { 0 };
	int rc = http_srv_listen(w->http, true, s->https_port, err);
	int rc2 = http_srv_listen(w->http, false, s->http_port, &second);

	if (rc != 0)
		(void)err_prefix(err, "setting main: https_port: ");
	if (rc2 != 0)
		(void)err_prefix(&second, "setting main: http_port: ");
	if (rc == 0 && rc2 != 0)
		*err = second;
	else if (rc2 != 0)
		log_err("%s", second.text);
	return rc != 0 ? rc : rc2;
}

static int
apply(struct daemon *d, struct snapshot *old, struct snapshot *now, struct err *err)
{
	struct web *w = &web;
	const struct user *was = old == NULL ? NULL : snapshot_find_path(old, KIND_user, "admin");
	const struct user *is = snapshot_find_path(now, KIND_user, "admin");

	(void)d;
	take_hostname(w, now);
	w->version++;
	w->trial_at = 0;
	if (old == NULL || (was == NULL) != (is == NULL) ||
	    (was != NULL && was->password != is->password))
		setup_password_seen(w, now);
	follow_apply(w->follow, old, now);
	panel_cert_look(w);
	return listen_ports(w, snapshot_setting(now), err);
}

static void
reload(struct daemon *d)
{
	(void)d;
	panel_cert_look(&web);
}

static void
status(struct daemon *d, char *line, size_t room)
{
	const struct view_totals *t = web_totals(&web);
	unsigned all = 0;

	(void)d;
	for (int i = 0; i <= ST_UNK; i++)
		all += t->services[i];
	(void)snprintf(line, room,
	    "%u VIPs: %u healthy, %u degraded, %u down, %u offline, %u unknown", all,
	    t->services[ST_OK], t->services[ST_WARN], t->services[ST_DOWN], t->services[ST_OFF],
	    t->services[ST_UNK]);
}

static void
fini(struct daemon *d)
{
	struct web *w = &web;

	(void)d;
	follow_free(w->follow); /* ends the requests that wait for another daemon */
	http_srv_free(w->http);
	panel_cert_stop(w);
	streams_free(w->streams);
	history_free(w->history);
	events_free(w->events);
	sessions_free(w->sessions);
	secrets_close(w->secrets);
	map_values_fini();
}

static void
on_events(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	events_answer(web.events, rq, &m->events);
}

static void
on_history(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	history_answer(web.history, follow_view(web.follow), rq, &m->select);
}

static const struct bus_handler messages[] = {
	{ MSG_EVENTS, on_events },
	{ MSG_HISTORY, on_history },
	{ 0, NULL },
};

static const struct daemon_ops ops = {
	.name = "lbd-web",
	.synopsis = "panel, REST API and metrics",
	.messages = messages,
	.init = init,
	.apply = apply,
	.reload = reload,
	.status = status,
	.fini = fini,
	.writes = true,
};

int
main(int argc, char **argv)
{
	return daemon_main(argc, argv, &ops);
}
