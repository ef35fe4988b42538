/* What a daemon says of itself: to lbctl and the panel (STATUS, answered by DAEMON), to systemd
 * (its status line and the watchdog), and how much it logs (LOG_LEVEL, or log_level of the
 * settings, whichever came last). */
#include "base/must.h"
#include "daemon/daemon_priv.h"
#include "sys/log.h"
#include "sys/notify.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *
status_fault(const struct daemon *d)
{
	if (d->store_fault[0] != '\0')
		return d->store_fault;
	return d->apply_fault[0] != '\0' ? d->apply_fault : d->own_fault;
}

void
daemon_fault(struct daemon *d, const char *text)
{
	must_obj(d, DAEMON_MAGIC);
	(void)snprintf(d->own_fault, sizeof(d->own_fault), "%s", text != NULL ? text : "");
}

/* Resident bytes; 0 when /proc cannot say. */
static uint64_t
resident_bytes(void)
{
	unsigned long long pages, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f == NULL)
		return 0;
	if (fscanf(f, "%llu %llu", &pages, &resident) != 2)
		resident = 0;
	(void)fclose(f);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* One line: what the daemon has to say, or why it cannot. */
static void
head_line(struct daemon *d, char *out, size_t room)
{
	const char *fault = status_fault(d);

	out[0] = '\0';
	if (d->stopping)
		(void)snprintf(out, room, "stopping");
	else if (fault[0] != '\0')
		(void)snprintf(out, room, "%.250s", fault);
	else if (d->ops->status != NULL && d->inited)
		d->ops->status(d, out, room);
}

void
status_on_status(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	struct daemon *d = arg;
	char head[300];
	struct msg_daemon s = {
		.program = SPAN(d->ops->name),
		.release = SPAN(LBD_VERSION),
		.pid = (uint32_t)getpid(),
		.started = d->started,
		.rss = resident_bytes(),
		.cpu = (uint64_t)mono_cpu_us(),
	};

	(void)m;
	must_obj(d, DAEMON_MAGIC);
	if (d->snap != NULL) {
		s.revision = snapshot_revision(d->snap, SCOPE_SHARED);
		s.local = snapshot_revision(d->snap, SCOPE_LOCAL);
		s.oper = snapshot_revision(d->snap, SCOPE_OPER);
	}
	head_line(d, head, sizeof(head));
	s.head = SPAN(head);
	if (d->ops->tell != NULL && d->inited)
		d->ops->tell(d, &s);
	if (status_fault(d)[0] != '\0')
		s.fault = SPAN(status_fault(d));
	(void)bus_reply(rq, MSG_DAEMON, &s);
	bus_result(rq, 0, NULL);
}

void
status_level(struct daemon *d, unsigned word)
{
	static const enum log_priority most[] = {
		[log_level_error] = LOG_P_ERR,
		[log_level_warning] = LOG_P_WARN,
		[log_level_info] = LOG_P_INFO,
		[log_level_debug] = LOG_P_DEBUG,
	};

	/* Who started it with -v wants to see everything. */
	if (!d->verbose && word < ARRAY_LEN(most))
		log_set_level(most[word]);
}

void
status_on_level(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	struct daemon *d = arg;
	char text[120];

	must_obj(d, DAEMON_MAGIC);
	if (m->level.level > log_level_debug) {
		(void)snprintf(text, sizeof(text), "LOG_LEVEL: level: %u: allowed are %d to %d",
		    m->level.level, log_level_error, log_level_debug);
		bus_result(rq, ERR_INVALID, text);
		return;
	}
	d->verbose = false;
	status_level(d, m->level.level);
	bus_result(rq, 0, NULL);
}

void
status_tell(struct daemon *d)
{
	char head[sizeof(d->told)];

	head_line(d, head, sizeof(head));
	if (strcmp(head, d->told) == 0)
		return;
	(void)snprintf(d->told, sizeof(d->told), "%s", head);
	notify_status("%s", head);
}

static void
on_watchdog(void *arg)
{
	struct daemon *d = arg;

	must_obj(d, DAEMON_MAGIC);
	if (!d->inited || d->ops->alive == NULL || d->ops->alive(d))
		notify_watchdog();
	loop_timer_set(&d->watchdog, d->watchdog_every);
}

void
status_watchdog_start(struct daemon *d)
{
	d->watchdog_every = notify_watchdog_interval();
	loop_timer_init(&d->watchdog, d->loop, on_watchdog, d);
	if (d->watchdog_every > 0)
		loop_timer_set(&d->watchdog, d->watchdog_every);
}
