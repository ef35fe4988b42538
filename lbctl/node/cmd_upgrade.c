/* lbctl upgrade: one lbd-proxy after the other. The one that runs starts the installed one and hands over to it; it answers when
 * that is done, or with what went wrong. What the daemons do beside that is their own business (lbd-proxy/upgrade). */
#include "ctl.h"

#include "msg/client.h"

#define WAIT DUR_S(90) /* longer than lbd-proxy waits for its successor */

struct who {
	int pid;
	char release[40];
};

static int
on_daemon(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct who *w = arg;

	if (row->number != MSG_DAEMON)
		return 0;
	w->pid = (int)m->daemon.pid;
	span_text(m->daemon.release, w->release, sizeof(w->release));
	return 0;
}

static int
ask(struct ctl *c, unsigned number, struct who *w, struct err *err)
{
	const struct msg_empty none = { 0 };
	struct client *k;
	int rc = client_open(&c->paths, "lbd-proxy", &k, err);

	if (rc != 0)
		return rc;
	rc = client_call(k, number, &none, on_daemon, w, WAIT, err);
	client_close(k);
	return rc;
}

int
cmd_upgrade(struct ctl *c, struct err *err)
{
	struct who old = { 0 }, now = { 0 };
	int rc = ask(c, MSG_STATUS, &old, err);

	if (rc == 0)
		rc = ask(c, MSG_UPGRADE, &old, err);
	if (rc == 0)
		rc = ask(c, MSG_STATUS, &now, err);
	if (rc == 0)
		ctl_note(c,
		    "lbd-proxy: process %d (version %s) has taken over from process %d (version %s)",
		    now.pid, now.release, old.pid, old.release);
	return rc;
}
