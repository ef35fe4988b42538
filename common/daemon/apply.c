/* From the store to the daemon: which snapshot is in force, and how it gets there.
 *
 * A commit is told by REVISION. When it is the next number, its delta (in the message, or read from
 * the store) patches the snapshot; otherwise the store makes one. Without a message it is found by
 * looking once a second. Then the daemon's apply sees old and new, and APPLIED says how it went.
 *
 * The numbers of the store are the truth: whenever it moved, they are compared with ours, and
 * what differs is loaded. A store that cannot be read takes nothing away: the snapshot stays in
 * force, the fault is in the status, and it is tried again every second. A snapshot that is not
 * allowed as a whole is not applied. */
#include "base/must.h"
#include "daemon/daemon_priv.h"
#include "sys/log.h"
#include "sys/notify.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DELTAS_MOST 64 /* patched one by one; a larger gap is loaded */

/* Said once, not every second. A store that is not there yet is no error. */
static void
store_fault(struct daemon *d, int code, const char *reason)
{
	bool missing = code == -ENOENT;
	char text[sizeof(d->store_fault)];

	if (missing)
		(void)snprintf(
		    text, sizeof(text), "waiting for a store: there is none in %s", d->paths.state);
	else
		(void)snprintf(text, sizeof(text), "%s",
		    code == 0 || reason[0] != '\0' ? reason : strerror(-code));
	if (strcmp(d->store_fault, text) == 0)
		return;
	(void)snprintf(d->store_fault, sizeof(d->store_fault), "%s", text);
	if (text[0] == '\0' && d->snap != NULL)
		log_info("configuration: the store can be read again");
	else if (text[0] == '\0')
		return; /* what is loaded now is logged next */
	else if (missing && d->snap == NULL)
		log_info("configuration: %s", text);
	else if (d->snap != NULL)
		log_err("configuration: %s; revision %u stays in force", text,
		    snapshot_revision(d->snap, SCOPE_SHARED));
	else
		log_err("configuration: %s", text);
}

static int
open_store(struct daemon *d, struct err *err)
{
	if (d->store != NULL)
		return 0;
	return store_open(
	    d->paths.state, d->ops->writes ? STORE_WRITE : STORE_READ, &d->store, err);
}

/* The whole, as the store has it; checked, because what was committed by another build may not
 * be allowed here. */
static int
load(struct daemon *d, struct snapshot **out, struct err *err)
{
	struct snapshot *s = NULL;
	int code = open_store(d, err);

	if (code == 0)
		code = store_snapshot(d->store, &s, err);
	if (code == 0)
		code = snapshot_check(s, NULL, err);
	if (code != 0) {
		snapshot_unref(s);
		return code;
	}
	*out = s;
	return 0;
}

static void
take_level(struct daemon *d, const struct snapshot *old, const struct snapshot *now)
{
	unsigned word = snapshot_setting(now)->log_level;

	if (old == NULL || snapshot_setting(old)->log_level != word)
		status_level(d, word);
}

static void
log_applied(const struct daemon *d, int code)
{
	unsigned shared = snapshot_revision(d->snap, SCOPE_SHARED),
		 local = snapshot_revision(d->snap, SCOPE_LOCAL),
		 oper = snapshot_revision(d->snap, SCOPE_OPER);

	if (code == 0)
		log_info("configuration: revision %u in force (local %u, orders %u)", shared, local,
		    oper);
	else
		log_err(
		    "configuration: revision %u (local %u, orders %u) is not wholly in force: %s",
		    shared, local, oper, d->apply_fault);
}

/* The first snapshot starts the daemon itself. */
static int
start(struct daemon *d)
{
	struct err err = { 0 };

	if (d->ops->init != NULL && d->ops->init(d, &err) != 0) {
		log_err("start: %s", err.text);
		d->exit_code = EXIT_INTERNAL;
		loop_stop(d->loop);
		return -1;
	}
	d->inited = true;
	return 0;
}

/* next becomes ours: the reference is taken. */
static int
apply(struct daemon *d, struct snapshot *next)
{
	struct snapshot *old = d->snap;
	struct err err = { 0 };
	int code = 0;

	d->snap = next;
	if (!d->inited && start(d) != 0) {
		snapshot_unref(old);
		return -1;
	}
	take_level(d, old, next);
	if (d->ops->apply != NULL)
		code = d->ops->apply(d, old, next, &err);
	(void)snprintf(d->apply_fault, sizeof(d->apply_fault), "%s", code != 0 ? err.text : "");
	if (code != 0 && d->apply_fault[0] == '\0')
		(void)snprintf(
		    d->apply_fault, sizeof(d->apply_fault), "refused without a reason (%d)", code);
	log_applied(d, code);
	snapshot_unref(old);
	if (!d->ready) {
		d->ready = true;
		if (!d->held)
			notify_ready();
	}
	status_tell(d);
	return code;
}

/* Equal numbers need not be equal content: the pair may have put others in the place of some revisions. */
static bool
heads_differ(struct daemon *d)
{
	if (!store_continues(d->store, d->snap))
		return true;
	for (enum scope scope = 0; scope < SCOPES; scope++)
		if (store_head(d->store, scope) != snapshot_revision(d->snap, scope))
			return true;
	return false;
}

static bool
revisions_differ(const struct daemon *d, const struct snapshot *a, const struct snapshot *b)
{
	if (!store_continues(d->store, a))
		return true;
	for (enum scope scope = 0; scope < SCOPES; scope++)
		if (snapshot_revision(a, scope) != snapshot_revision(b, scope))
			return true;
	return false;
}

void
apply_check_store(struct daemon *d, bool force)
{
	struct snapshot *next = NULL;
	struct err err = { 0 };
	bool moved = d->store != NULL && store_moved(d->store);
	int code;

	if (d->stopping)
		return;
	if (d->snap != NULL && d->store != NULL && d->store_fault[0] == '\0' &&
	    ((!moved && !force) || !heads_differ(d)))
		return;
	code = load(d, &next, &err);
	if (code != 0) {
		store_fault(d, code, err.text);
		/* A file that is damaged may be replaced: open it by name the next time. */
		store_close(d->store);
		d->store = NULL;
		return;
	}
	store_fault(d, 0, "");
	if (d->snap == NULL || revisions_differ(d, d->snap, next))
		(void)apply(d, next);
	else
		snapshot_unref(next);
}

/* Patches *s, whose reference it owns, with the deltas up to revision n. */
static int
patch_to(struct daemon *d, struct snapshot **s, enum scope scope, uint32_t n, struct span first)
{
	struct buf delta = { 0 };
	int code = 0;

	while (code == 0 && snapshot_revision(*s, scope) < n) {
		uint32_t number = snapshot_revision(*s, scope) + 1;
		struct snapshot *next = NULL;

		if (number < n || first.p == NULL) {
			delta.len = 0;
			code = d->store != NULL ? store_delta(d->store, scope, number, &delta)
						: -ENOENT;
			if (code == 0)
				code = snapshot_patch(
				    *s, scope, number, delta.p, delta.len, &next, NULL);
		} else {
			code = snapshot_patch(*s, scope, number, first.p, first.len, &next, NULL);
		}
		if (code == 0) {
			snapshot_unref(*s);
			*s = next;
		}
	}
	buf_fini(&delta);
	return code;
}

/* A revision by its delta; false: it must be loaded. */
static bool
apply_delta(struct daemon *d, enum scope scope, const struct msg_revision *m)
{
	uint32_t have = snapshot_revision(d->snap, scope);
	struct snapshot *next;

	if (m->number <= have || m->number - have > DELTAS_MOST ||
	    (d->store != NULL && !store_continues(d->store, d->snap)))
		return false;
	next = snapshot_ref(d->snap);
	if (patch_to(d, &next, scope, m->number, m->delta) != 0) {
		snapshot_unref(next);
		return false;
	}
	(void)apply(d, next);
	return true;
}

void
apply_on_revision(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	struct daemon *d = arg;
	struct msg_applied answer = { .scope = m->revision.scope, .number = m->revision.number };
	enum scope scope = m->revision.scope;
	const char *why = "";

	must_obj(d, DAEMON_MAGIC);
	if (m->revision.scope >= SCOPES) {
		bus_result(rq, ERR_INVALID, "REVISION: scope: 0 to 2 are allowed");
		return;
	}
	if (d->stopping)
		why = "it is stopping";
	else if (d->snap == NULL || !apply_delta(d, scope, &m->revision))
		apply_check_store(d, true);
	if (why[0] == '\0')
		why = d->snap == NULL || snapshot_revision(d->snap, scope) < m->revision.number
			  ? (d->store_fault[0] != '\0' ? d->store_fault
						       : "the revision is not in the store")
			  : d->apply_fault;
	answer.ok = why[0] == '\0';
	if (!answer.ok)
		answer.reason = SPAN(why);
	(void)bus_reply(rq, MSG_APPLIED, &answer);
	bus_result(rq, 0, NULL);
}

void
apply_fini(struct daemon *d)
{
	snapshot_unref(d->snap);
	d->snap = NULL;
	store_close(d->store);
	d->store = NULL;
}
