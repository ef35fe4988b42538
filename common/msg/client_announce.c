/* Telling every daemon that runs of a commit, all at once: each gets HELLO and one REVISION for
 * every scope that changed, and answers with APPLIED and RESULT. What the slowest takes is what the
 * caller waits.
 *
 * A daemon that does not run is no fault: it reads the store when it starts. One that does not
 * answer in time is; the commit stands all the same, and the daemon will find it by polling. */
#include "base/mem.h"
#include "msg/client_priv.h"
#include "store/store.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define DELTA_INLINE (60 * 1024) /* larger ones are read from the store */
#define DAEMONS_MAX 8

struct told {
	struct client *c; /* NULL: not running, or done with */
	const char *daemon;
	unsigned open; /* answers that are missing */
	bool welcome, away;
	int code;
	char reason[sizeof(((struct err *)NULL)->text)];
};

static void
end(struct told *t, int code, const char *reason)
{
	t->code = code;
	t->away = code == ERR_AWAY; /* not there, or just now leaving */
	(void)snprintf(t->reason, sizeof(t->reason), "%s", reason);
	client_close(t->c);
	t->c = NULL;
}

bool
client_revision(const struct commit_result *r, unsigned scope, struct msg_revision *out)
{
	const struct buf *delta = &r->delta[scope];

	*out = (struct msg_revision){ .scope = (uint8_t)scope, .number = r->revision[scope] };
	if (delta->len > 0 && delta->len < DELTA_INLINE)
		out->delta = (struct span){ .p = delta->p, .len = delta->len };
	return out->number != 0;
}

static int
send_all(struct told *t, const struct commit_result *r, struct err *err)
{
	int code = client_send_hello(t->c, err);

	for (unsigned scope = 0; scope < SCOPES && code == 0; scope++) {
		struct msg_revision m;

		if (!client_revision(r, scope, &m))
			continue;
		code = client_send(t->c, MSG_REVISION, ++t->c->seq, &m, err);
		t->open++;
	}
	return code;
}

static void
begin(struct told *t, const struct paths *p, const char *daemon, const struct commit_result *r)
{
	struct err err;

	*t = (struct told){ .daemon = daemon, .c = mem_alloc(sizeof(*t->c)) };
	if (client_connect(p, daemon, t->c, &err) != 0) {
		end(t, err.code, err.text);
	} else if (send_all(t, r, &err) != 0) {
		end(t, err.code, err.text);
	}
}

static void
on_applied(struct told *t, const struct msg_applied *m)
{
	if (m->ok || t->code != 0)
		return;
	t->code = ERR_INVALID;
	span_text(m->reason, t->reason, sizeof(t->reason));
}

static void
on_result(struct told *t, const struct msg_result *m)
{
	if (t->open > 0)
		t->open--;
	if (m->code == 0 || t->code != 0)
		return;
	t->code = m->code;
	span_text(m->text, t->reason, sizeof(t->reason));
}

/* Everything that has arrived from one daemon. */
static void
take(struct told *t)
{
	const struct msg_row *row;
	union msg_any m;
	struct err err;
	uint32_t seq;

	while (t->c != NULL && t->open > 0) {
		int code = client_take(t->c, &row, &seq, &m, &err);

		if (code == -EAGAIN)
			return;
		if (code == 0 && !t->welcome)
			code = client_welcome(t->c, row, &m, &err);
		if (code != 0) {
			end(t, err.code, err.text);
			return;
		}
		t->welcome = true;
		if (row->number == MSG_APPLIED)
			on_applied(t, &m.applied);
		else if (row->number == MSG_RESULT)
			on_result(t, &m.result);
	}
	client_close(t->c);
	t->c = NULL;
}

/* Until all have answered or the deadline is there. */
static void
collect(struct told *all, unsigned n, mono_t deadline)
{
	for (;;) {
		struct pollfd fds[DAEMONS_MAX];
		struct told *who[DAEMONS_MAX];
		mono_t left = deadline - mono_now();
		nfds_t waiting = 0;

		for (unsigned i = 0; i < n; i++) {
			if (all[i].c == NULL)
				continue;
			fds[waiting] = (struct pollfd){ .fd = all[i].c->fd, .events = POLLIN };
			who[waiting++] = &all[i];
		}
		if (waiting == 0)
			return;
		if (left <= 0 ||
		    (poll(fds, waiting, (int)(left / 1000) + 1) == -1 && errno != EINTR)) {
			for (nfds_t i = 0; i < waiting; i++)
				end(who[i], -ETIMEDOUT, "no answer in time");
			return;
		}
		for (nfds_t i = 0; i < waiting; i++)
			take(who[i]);
	}
}

int
client_announce(const struct paths *p, const struct commit_result *r, dur_t wait,
    void (*fn)(void *arg, const struct announce *a), void *arg, struct err *err)
{
	struct told all[DAEMONS_MAX];
	unsigned n = 0, changed = 0;
	int first = 0;

	for (unsigned scope = 0; scope < SCOPES; scope++)
		changed += r->revision[scope] != 0;
	for (; changed > 0 && n < DAEMONS_MAX && client_daemons[n] != NULL; n++)
		begin(&all[n], p, client_daemons[n], r);
	collect(all, n, mono_now() + wait);
	for (unsigned i = 0; i < n; i++) {
		struct announce a = {
			.daemon = all[i].daemon,
			.away = all[i].away,
			.ok = all[i].code == 0,
			.reason = all[i].reason,
		};

		if (fn != NULL)
			fn(arg, &a);
		if (!a.ok && !a.away && first == 0)
			first = err_set(err, all[i].code, "%s: %s", a.daemon, a.reason);
	}
	return first;
}
