/* wait: for services, servers, daemons and revisions to be as a script needs them. Each turn asks the daemons anew, ten
 * times a second; the deadline is --timeout, or never. */
#include "glob.h"
#include "waiting.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define TURN DUR_MS(100)
#define CUT_TAKES DUR_S(2) /* from the end of a drain until its connections are cut */

/* 1: it is so; 0: not yet; a code. why says what is still missing. */
typedef int (*so_fn)(struct ctl *c, void *arg, char why[200], struct err *err);

static int
wait_until(struct ctl *c, dur_t slack, unsigned what, so_fn fn, void *arg, struct err *err)
{
	mono_t end =
	    GIVEN(c, timeout) ? mono_now() + DUR_MS(c->num[OPT_timeout]) + slack : INT64_MAX;
	char why[200] = "";
	int rc;

	for (;;) {
		rc = ctl_reload(c, err);
		if (rc == 0)
			rc = ctl_look(c, what, err);
		if (rc == 0)
			rc = fn(c, arg, why, err);
		if (rc != 0)
			return rc == 1 ? 0 : rc;
		if (mono_now() >= end)
			return err_set(err, -ETIMEDOUT, "not so in time: %s", why);
		(void)poll(NULL, 0, (int)(TURN / 1000));
	}
}

/* ---- servers -------------------------------------------------------------------------------------------------------- */

struct wanted_rows {
	uint32_t n, *id;
	enum server_state state;
	bool any_state, idle;
};

static int
rows_are_so(struct ctl *c, void *arg, char why[200], struct err *err)
{
	const struct wanted_rows *w = arg;
	uint32_t i;

	for (i = 0; i < w->n; i++) {
		const struct server *s = snapshot_find(c->snap, KIND_server, w->id[i]);
		const struct view_server *now = view_server(c->view, w->id[i]);
		enum server_state st;
		char path[160];

		if (s == NULL)
			return err_set(err, ERR_UNKNOWN, "a server that is waited for was deleted");
		(void)snapshot_path(c->snap, KIND_server, s->id, path);
		st = view_server_state(c->view, s);
		/* Fit, whatever its connections betray. */
		if (st == SRV_WARN && w->state == SRV_UP)
			st = SRV_UP;
		if (!w->any_state && st != w->state) {
			(void)snprintf(why, 200, "%s is %s", path, server_token(st));
			return 0;
		}
		if (w->idle && (now == NULL || !now->counted || now->counts.conns > 0)) {
			if (now == NULL || !now->counted)
				(void)snprintf(why, 200, "connections of %s are not known", path);
			else
				(void)snprintf(why, 200, "%s has %" PRIu64 " connections", path,
				    now->counts.conns);
			return 0;
		}
	}
	return 1;
}

int
wait_for_rows(
    struct ctl *c, const struct picked *rows, enum server_state state, bool idle, struct err *err)
{
	struct wanted_rows w = { .n = rows->n, .state = state, .idle = idle };
	uint32_t i;

	w.id = arena_alloc(c->arena, (rows->n + 1) * sizeof(*w.id));
	for (i = 0; i < rows->n; i++)
		w.id[i] = *(const uint32_t *)rows->row[i];
	snapshot_unref(c->snap); /* our own commit is no move of the store */
	c->snap = NULL;
	return wait_until(c, idle ? CUT_TAKES : 0, VIEW_HEALTH | VIEW_COUNTS, rows_are_so, &w, err);
}

static int
wait_rip(struct ctl *c, char *name, const char *state, struct err *err)
{
	static const char *const words[] = { "up", "down", "drain", "halt", "unknown", "idle" };
	struct wanted_rows w = { 0 };
	struct picked rows;
	unsigned i;
	int rc = ctl_load(c, err);

	for (i = 0; i < 6; i++)
		if (strcmp(words[i], state) == 0)
			break;
	if (i == 6)
		return err_set(err, ERR_USAGE,
		    "wait: \"%s\" is not one of up, down, drain, halt, unknown, idle", state);
	if (rc == 0)
		rc = pick_rows(c, object_of(KIND_server), 1, &name, &rows, err);
	if (rc != 0)
		return rc;
	w.n = rows.n;
	w.id = arena_alloc(c->arena, (rows.n + 1) * sizeof(*w.id));
	for (i = 0; i < rows.n; i++)
		w.id[i] = *(const uint32_t *)rows.row[i];
	w.idle = w.any_state = strcmp(state, "idle") == 0;
	if (!w.idle)
		for (w.state = SRV_UP;
		     w.state < SRV_UNKNOWN && strcmp(server_token(w.state), state) != 0;)
			w.state++;
	return wait_until(c, 0, VIEW_HEALTH | VIEW_COUNTS, rows_are_so, &w, err);
}

/* ---- services ------------------------------------------------------------------------------------------------------- */

struct wanted_services {
	char *name;
	enum status status;
};

static int
services_are_so(struct ctl *c, void *arg, char why[200], struct err *err)
{
	const struct wanted_services *w = arg;
	struct picked rows;
	struct service_view v;
	uint32_t i;
	int rc = pick_rows(c, object_of(KIND_service), 1, &w->name, &rows, err);

	for (i = 0; rc == 0 && i < rows.n; i++) {
		const struct service *s = rows.row[i];
		enum status st = view_service_status(c->view, s, &v);

		if (st == w->status)
			continue;
		(void)snprintf(why, 200, "%s is %s", s->name, status_word(st, &v));
		return 0;
	}
	return rc == 0 ? 1 : rc;
}

static int
wait_vip(struct ctl *c, char *name, const char *state, struct err *err)
{
	static const struct {
		const char *word;
		enum status status;
	} words[] = { { "up", ST_OK }, { "healthy", ST_OK }, { "degraded", ST_WARN },
		{ "down", ST_DOWN }, { "offline", ST_OFF }, { "unknown", ST_UNK } };
	struct wanted_services w = { .name = name };
	unsigned i;

	for (i = 0; i < 6; i++)
		if (strcmp(words[i].word, state) == 0)
			break;
	if (i == 6)
		return err_set(err, ERR_USAGE,
		    "wait: \"%s\" is not one of up, degraded, down, offline, unknown", state);
	w.status = words[i].status;
	return wait_until(c, 0, VIEW_HEALTH, services_are_so, &w, err);
}

/* ---- daemons, revisions --------------------------------------------------------------------------------------------- */

struct wanted_daemon {
	const char *name;
	bool up;
	uint32_t revision; /* 0: any */
};

static int
daemons_are_so(struct ctl *c, void *arg, char why[200], struct err *err)
{
	const struct wanted_daemon *w = arg;
	const struct view_daemon *d;
	unsigned n, i;

	(void)err;
	d = view_daemons(c->view, &n);
	for (i = 0; i < n; i++) {
		if (w->name != NULL && strcmp(d[i].name, w->name) == 0 && d[i].running != w->up) {
			(void)snprintf(why, 200, "%s is %s", w->name, d[i].running ? "up" : "away");
			return 0;
		}
		if (w->name == NULL && d[i].running && d[i].revision < w->revision) {
			(void)snprintf(why, 200, "%s has revision %" PRIu32 " in force", d[i].name,
			    d[i].revision);
			return 0;
		}
	}
	return 1;
}

static int
wait_daemon(struct ctl *c, const char *name, const char *state, struct err *err)
{
	struct wanted_daemon w = { .name = name, .up = strcmp(state, "up") == 0 };
	const struct view_daemon *d;
	unsigned n, i;
	int rc = ctl_look(c, 0, err);

	if (rc != 0)
		return rc;
	if (!w.up && strcmp(state, "away") != 0)
		return err_set(err, ERR_USAGE, "wait: \"%s\" is not one of up, away", state);
	d = view_daemons(c->view, &n);
	for (i = 0; i < n; i++)
		if (strcmp(d[i].name, name) == 0)
			return wait_until(c, 0, VIEW_DAEMONS, daemons_are_so, &w, err);
	return err_set(err, ERR_UNKNOWN, "daemon \"%s\" does not exist", name);
}

int
cmd_wait(struct ctl *c, struct err *err)
{
	struct wanted_daemon w = { 0 };
	char *what = c->argv[0], *name = strchr(what, '/');
	const char *state = c->argv[1];
	size_t len = name != NULL ? (size_t)(name - what) : 0;
	int rc;

	if (name == NULL || name[1] == '\0')
		return err_set(err, ERR_USAGE,
		    "wait: \"%s\" is not vip/NAME, rip/VIP/RIP, daemon/NAME or revision/N", what);
	name++;
	if (len == 3 && strncmp(what, "vip", len) == 0)
		return wait_vip(c, name, state, err);
	if (len == 3 && strncmp(what, "rip", len) == 0)
		return wait_rip(c, name, state, err);
	if (len == 6 && strncmp(what, "daemon", len) == 0)
		return wait_daemon(c, name, state, err);
	if (len != 8 || strncmp(what, "revision", len) != 0 || strcmp(state, "applied") != 0)
		return err_set(err, ERR_USAGE,
		    "wait: \"%s %s\" is not vip/NAME, rip/VIP/RIP, daemon/NAME with a state, or revision/N applied",
		    what, state);
	rc = ctl_revision(name, &w.revision, err);
	return rc == 0 ? wait_until(c, 0, VIEW_DAEMONS, daemons_are_so, &w, err) : rc;
}
