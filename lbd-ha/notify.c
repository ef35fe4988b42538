/* notify.c - each change of the role goes into the pipe (fifo.c) and to the rows that ask for it.
 *
 * A row runs its script once for each change, never two at once, in order; what comes meanwhile waits. A script that
 * takes longer than its timeout is killed with all that it has started, which is logged, and the next change follows. A
 * row that is too slow for long loses the oldest of what waits: the newest state always comes through, and LBD_LOST tells
 * how many were left out. Rows for routes (on=route) are not of this kind: notify_route.c. Nothing here can hold up who is active: the core does not wait for the side process, and the
 * side does not wait for a script. */
#include "notify.h"

#include "fifo.h"
#include "notify_route.h"
#include "script.h"

#include "base/mem.h"
#include "sys/child.h"
#include "sys/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MOST 64 /* changes that wait for a row */

struct notice {
	struct notifier *all;
	struct notify row; /* its texts are copies: name, script */
	char name[64], text[256];
	struct script script;
	struct role_turn wait[WAIT_MOST];
	unsigned first, n;
	uint64_t lost; /* before the first of them */
	struct child *child;
	bool good, ran;
	char result[SCRIPT_RESULT];
	int64_t ended;
};

struct notifier {
	struct loop *loop;
	struct notify_ops ops;
	struct fifo *fifo;
	struct notify_route *routes;
	char folder[300];
	unsigned n;
	struct notice *a[NOTIFY_MOST];
};

/* ---- a run ----------------------------------------------------------------------------------------------------- */

static void next(struct notice *k);

static void
ended(struct notice *k, bool good, const char *text)
{
	bool other = !k->ran || good != k->good || strcmp(text, k->result) != 0;

	if (!good)
		log_warn("notify %s: %s: %s", k->name, k->text, text);
	k->ran = true;
	k->good = good;
	k->ended = mono_wall_ms() / 1000;
	(void)snprintf(k->result, sizeof(k->result), "%s", text);
	if (other)
		k->all->ops.changed(k->all->ops.arg);
}

static void
on_done(void *arg, const struct child_result *r)
{
	struct notice *k = arg;
	char text[SCRIPT_RESULT];

	k->child = NULL;
	ended(k, script_result(r, k->row.timeout, text), text);
	next(k);
}

static bool
start(struct notice *k, const struct role_turn *t)
{
	static const char path[] = "PATH=" CHILD_PATH;
	char vars[TURN_VARS][TURN_VAR], why[SCRIPT_WHY];
	const char *env[TURN_VARS + 3] = { path, "LC_ALL=C" };
	const struct child_spec spec = { .argv = k->script.argv,
		.env = env,
		.output_max = 256,
		.limit = DUR_MS(k->row.timeout),
		.done = on_done,
		.arg = k };
	struct err err = { 0 };

	turn_vars(t, k->lost, vars);
	for (unsigned i = 0; i < TURN_VARS; i++)
		env[i + 2] = vars[i];
	if (!script_may_run(&k->script, k->all->folder, why)) {
		ended(k, false, why);
		return false;
	}
	if (child_start(&k->child, k->all->loop, &spec, &err) == 0)
		return true;
	k->child = NULL;
	ended(k, false, err.text);
	return false;
}

/* The next that waits, until one runs or none is left. */
static void
next(struct notice *k)
{
	while (k->child == NULL && k->n > 0) {
		const struct role_turn t = k->wait[k->first];

		k->first = (k->first + 1) % WAIT_MOST;
		k->n--;
		(void)start(k, &t);
		k->lost = 0;
	}
}

static void
put(struct notice *k, const struct role_turn *t)
{
	if (k->n == WAIT_MOST) {
		k->first = (k->first + 1) % WAIT_MOST;
		k->n--;
		if (k->lost++ == 0)
			log_warn(
			    "notify %s: %s is too slow: changes are left out", k->name, k->text);
	}
	k->wait[(k->first + k->n++) % WAIT_MOST] = *t;
	next(k);
}

void
notify_tell(struct notifier *k, const struct role_turn *t)
{
	char line[TURN_LINE];

	fifo_put(k->fifo, line, turn_line(t, line));
	for (unsigned i = 0; i < k->n; i++)
		if (turn_is_for(t, k->a[i]->row.on, k->a[i]->row.group))
			put(k->a[i], t);
}

void
notify_lost(struct notifier *k, unsigned n)
{
	char line[TURN_LINE];

	fifo_put(k->fifo, line, turn_lost(n, line));
	for (unsigned i = 0; i < k->n; i++)
		k->a[i]->lost += n;
}

/* ---- the set --------------------------------------------------------------------------------------------------- */

static struct notice *
begin(struct notifier *all, const struct notify *row)
{
	struct notice *k = mem_alloc(sizeof(*k));

	k->all = all;
	k->ended = mono_wall_ms() / 1000;
	(void)snprintf(k->name, sizeof(k->name), "%s", row->name);
	(void)snprintf(k->text, sizeof(k->text), "%s", row->script);
	script_set(&k->script, all->folder, k->text);
	return k;
}

static void
end(struct notice *k)
{
	child_stop(k->child);
	free(k);
}

/* Takes the same row out of the old set; NULL: it is new, or runs something else. */
static struct notice *
take(struct notice **old, unsigned n, const struct notify *row)
{
	for (unsigned i = 0; i < n; i++) {
		struct notice *k = old[i];

		if (k == NULL || k->row.id != row->id || strcmp(k->text, row->script) != 0 ||
		    strcmp(k->name, row->name) != 0)
			continue;
		old[i] = NULL;
		return k;
	}
	return NULL;
}

void
notify_use(struct notifier *k, const struct snapshot *s)
{
	struct notice *old[NOTIFY_MOST];
	unsigned n = k->n;

	memcpy(old, k->a, sizeof(old));
	k->n = 0;
	for (uint32_t i = 0; i < snapshot_count(s, KIND_notify) && k->n < NOTIFY_MOST; i++) {
		const struct notify *row = snapshot_at(s, KIND_notify, i);
		struct notice *one;

		if (!row->enabled || row->on == notify_on_route)
			continue;
		one = take(old, n, row);
		if (one == NULL)
			one = begin(k, row);
		one->row = *row;
		one->row.name = one->name;
		one->row.script = one->text;
		one->row.comment = "";
		k->a[k->n++] = one;
	}
	for (unsigned i = 0; i < n; i++)
		if (old[i] != NULL)
			end(old[i]);
	notify_route_use(k->routes, s);
}

void
notify_routes(struct notifier *k, const struct advert_row *a, uint32_t n)
{
	notify_route_set(k->routes, a, n);
}

bool
notify_has_routes(const struct notifier *k)
{
	return notify_route_any(k->routes);
}

void
notify_settle(struct notifier *k, dur_t limit, void (*done)(void *arg), void *arg)
{
	notify_route_settle(k->routes, limit, done, arg);
}

bool
notify_row(const struct notifier *k, unsigned i, struct notify_row *out)
{
	const struct notice *one;

	if (i >= k->n)
		return notify_route_row(k->routes, i - k->n, out);
	one = k->a[i];
	*out = (struct notify_row){
		.name = one->name,
		.target = one->text,
		.state = !one->ran   ? "unknown"
			 : one->good ? "good"
				     : "bad",
		.text = one->result,
		.since = one->ended,
	};
	return true;
}

static void
paths_of(const struct paths *p, char folder[300], char record[300])
{
	(void)snprintf(folder, 300, "%s/notify", p->etc);
	(void)snprintf(record, 300, "%s/lbd-ha.routes-told", p->run);
}

void
notify_release(const struct paths *p)
{
	char folder[300], record[300];

	paths_of(p, folder, record);
	notify_route_release(folder, record);
}

struct notifier *
notify_new(struct loop *l, const struct paths *p, const struct notify_ops *ops)
{
	struct notifier *k = mem_alloc(sizeof(*k));
	char path[300], record[300];

	k->loop = l;
	k->ops = *ops;
	paths_of(p, k->folder, record);
	k->routes = notify_route_new(l, k->folder, record, ops);
	(void)snprintf(path, sizeof(path), "%s/ha.events", p->run);
	k->fifo = fifo_new(l, path);
	return k;
}

void
notify_free(struct notifier *k)
{
	if (k == NULL)
		return;
	for (unsigned i = 0; i < k->n; i++)
		end(k->a[i]);
	notify_route_free(k->routes);
	fifo_free(k->fifo);
	free(k);
}
