/* track.c - the tracks of the configuration at work: scripts and units are run in their interval, files, processes and
 * interfaces (track_watch.c) are told by the kernel, neighbours (track_bfd.c) tell of themselves.
 *
 * A script is a program in ETC/track, called with its arguments and without a shell; the folder and the program must be
 * of root alone, because lbd-ha runs it with its own rights, and whoever may change the configuration over the network
 * must not become root by it. It is never run twice at once: one that takes longer than the timeout is killed with all
 * that it has started, and that is a bad result. What cannot be run at all gives no result, and what was tried too long
 * ago is none either; then the row says what the track counts as (judge.c).
 *
 * A row that is as before keeps its state when the configuration changes, so that a commit of something else does not
 * make a node fit that is not. */
#include "track_priv.h"

#include "base/mem.h"
#include "base/must.h"
#include "sys/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGE_RUNS 3 /* so many intervals, and the timeout, a result lasts */

/* ---- results --------------------------------------------------------------------------------------------------- */

static bool
is_run(const struct tracked *t)
{
	return t->kind == track_kind_script || t->kind == track_kind_unit;
}

static void
arm_age(struct tracked *t)
{
	mono_t at = judge_deadline(&t->judge, &t->rule), now = mono_now();

	if (at == INT64_MAX)
		loop_timer_cancel(&t->old);
	else
		loop_timer_set(&t->old, at > now ? at - now : 0);
}

static void
told(struct tracked *t, bool changed, const char *text)
{
	bool other = strcmp(text, t->text) != 0;

	(void)snprintf(t->text, sizeof(t->text), "%s", text);
	if (changed)
		log_info("track %s (%s %s): %s%s%s", t->name, word_text(&track_kind_list, t->kind),
		    t->target, judge_word(t->judge.state), text[0] != '\0' ? ": " : "", text);
	arm_age(t);
	/* The kernel tells once: what rise and fall wait for is looked at again. */
	if (!is_run(t) && t->judge.streak > 0)
		loop_timer_set(&t->due, t->interval);
	if ((changed || other) && !t->all->busy)
		t->all->ops.changed(t->all->ops.arg);
}

void
track_result(struct tracked *t, bool good, const char *fmt, ...)
{
	char text[sizeof(t->text)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	told(t, judge_result(&t->judge, &t->rule, good, mono_now()), text);
}

void
track_none(struct tracked *t, const char *fmt, ...)
{
	char text[sizeof(t->text)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (strcmp(text, t->text) != 0)
		log_warn("track %s: no result: %s", t->name, text);
	told(t, judge_age(&t->judge, &t->rule, mono_now()), text);
}

void
track_unknown(struct tracked *t, const char *text)
{
	told(t, judge_forget(&t->judge, mono_now()), text);
}

void
track_text(struct tracked *t, const char *text)
{
	if (strcmp(text, t->text) == 0)
		return;
	(void)snprintf(t->text, sizeof(t->text), "%s", text);
	if (!t->all->busy)
		t->all->ops.changed(t->all->ops.arg);
}

static void
on_old(void *arg)
{
	struct tracked *t = arg;

	if (judge_age(&t->judge, &t->rule, mono_now()))
		told(t, true, "the last result is too old");
	else
		arm_age(t);
}

/* ---- programs -------------------------------------------------------------------------------------------------- */

static void
run_again(struct tracked *t)
{
	mono_t at = t->started + t->interval, now = mono_now();

	loop_timer_set(&t->due, at > now ? at - now : 0);
}

/* What systemctl says without an answer of systemd is not the unit's fault. */
static void
unit_result(struct tracked *t, const struct child_result *r)
{
	if (r->late)
		track_none(t, "systemctl took longer than %u ms", (unsigned)(t->timeout / 1000));
	else if (r->code == 0)
		track_result(t, true, "active");
	else if (r->code == 3 || r->code == 4)
		track_result(t, false, r->code == 3 ? "not active" : "no such unit");
	else
		track_none(t, "systemctl: exit code %d", r->code);
}

static void
on_done(void *arg, const struct child_result *r)
{
	struct tracked *t = arg;

	t->child = NULL;
	if (t->kind == track_kind_unit)
		unit_result(t, r);
	else if (r->late)
		track_result(
		    t, false, "killed after %u ms without an end", (unsigned)(t->timeout / 1000));
	else if (r->code == -1)
		track_result(t, false, "ended by signal %d", r->signo);
	else
		track_result(t, r->code == 0, "exit code %d", r->code);
	run_again(t);
}

static bool
may_run(struct tracked *t)
{
	char why[SCRIPT_WHY];

	if (t->kind == track_kind_unit || script_may_run(&t->script, t->all->folder, why))
		return true;
	track_none(t, "%s", why);
	return false;
}

static void
run(struct tracked *t)
{
	const struct child_spec spec = { .argv = t->script.argv,
		.output_max = 256,
		.limit = t->timeout,
		.done = on_done,
		.arg = t };
	struct err err = { 0 };

	must(t->child == NULL);
	t->started = mono_now();
	if (may_run(t)) {
		if (child_start(&t->child, t->all->loop, &spec, &err) == 0)
			return;
		t->child = NULL;
		track_none(t, "%s", err.text);
	}
	run_again(t);
}

/* A program of the folder; or what asks systemd for a unit. */
static void
make_argv(struct tracked *t)
{
	const char *const argv[] = { "systemctl", "is-active", "--quiet", "--", t->target, NULL };

	if (t->kind == track_kind_unit)
		memcpy(t->script.argv, argv, sizeof(argv));
	else
		script_set(&t->script, t->all->folder, t->target);
}

static void
on_due(void *arg)
{
	struct tracked *t = arg;

	if (is_run(t))
		run(t);
	else if (t->kind == track_kind_daemon)
		track_daemon_look(t);
	else if (t->kind == track_kind_bfd)
		track_bfd_look(t);
	else
		track_watch_look(t);
}

/* ---- the set --------------------------------------------------------------------------------------------------- */

static void
end(struct tracked *t)
{
	child_stop(t->child);
	track_watch_end(t);
	track_daemon_end(t);
	track_bfd_end(t);
	loop_timer_fini(&t->due);
	loop_timer_fini(&t->old);
	free(t);
}

static void
set_rule(struct tracked *t, const struct track *row)
{
	t->rule = (struct judge_rule){
		.rise = row->rise,
		.fall = row->fall,
		.reverse = row->reverse,
		.unknown_bad = row->unknown == track_unknown_bad,
		.weight = row->weight,
		.age = is_run(t) ? AGE_RUNS * t->interval + t->timeout : 0,
	};
}

static struct tracked *
begin(struct tracker *k, const struct track *row)
{
	struct tracked *t = mem_alloc(sizeof(*t));

	t->all = k;
	t->id = row->id;
	t->kind = row->kind;
	t->fd = -1;
	(void)snprintf(t->name, sizeof(t->name), "%s", row->name);
	(void)snprintf(t->target, sizeof(t->target), "%s", row->target);
	t->interval = DUR_MS(row->interval);
	t->timeout = DUR_MS(row->timeout);
	set_rule(t, row);
	judge_init(&t->judge, mono_now());
	loop_timer_init(&t->due, k->loop, on_due, t);
	loop_timer_init(&t->old, k->loop, on_old, t);
	if (is_run(t)) {
		make_argv(t);
		loop_timer_set(&t->due, 0);
	} else if (t->kind == track_kind_daemon) {
		track_daemon_begin(t);
	} else if (t->kind == track_kind_bfd) {
		track_bfd_begin(t);
	} else {
		track_watch_begin(t);
	}
	return t;
}

static bool
is_same(const struct tracked *t, const struct track *row)
{
	/* A session agrees upon another interval with its neighbour while it goes on, and has no timeout. */
	bool times = t->kind == track_kind_bfd ||
		     (t->interval == DUR_MS(row->interval) && t->timeout == DUR_MS(row->timeout));

	return times && t->kind == row->kind && strcmp(t->target, row->target) == 0 &&
	       t->rule.reverse == row->reverse && strcmp(t->name, row->name) == 0;
}

/* Takes the track of a row out of the set; NULL: there is none that is the same. */
static struct tracked *
take(struct tracked **old, unsigned n, const struct track *row)
{
	for (unsigned i = 0; i < n; i++) {
		struct tracked *t = old[i];

		if (t == NULL || t->id != row->id || !is_same(t, row))
			continue;
		old[i] = NULL;
		set_rule(t, row);
		if (t->interval != DUR_MS(row->interval)) {
			t->interval = DUR_MS(row->interval);
			track_bfd_interval(t);
		}
		arm_age(t);
		return t;
	}
	return NULL;
}

/* The row's track from those that were, or a new one. */
static void
use_row(struct tracker *k, struct tracked **old, unsigned n, const struct track *row)
{
	struct tracked *t;

	if (!row->enabled || k->n == TRACK_MOST)
		return;
	t = take(old, n, row);
	if (t == NULL)
		t = begin(k, row); /* which looks at those that are in the set */
	k->t[k->n++] = t;
}

void
track_use(struct tracker *k, const struct snapshot *s)
{
	struct tracked *old[TRACK_MOST];
	struct track own;
	unsigned n = k->n;

	memcpy(old, k->t, sizeof(old));
	k->n = 0;
	k->busy = true;
	for (uint32_t i = 0; s != NULL && i < snapshot_count(s, KIND_track); i++)
		use_row(k, old, n, snapshot_at(s, KIND_track, i));
	for (unsigned i = 0; s != NULL && i < TRACK_DAEMONS; i++)
		if (track_daemon_row(s, i, &own))
			use_row(k, old, n, &own);
	for (unsigned i = 0; i < n; i++)
		if (old[i] != NULL)
			end(old[i]);
	track_watch_links(k);
	track_bfd_hear(k);
	k->busy = false;
	k->ops.changed(k->ops.arg);
}

struct judge_sum
track_sum(const struct tracker *k)
{
	struct judge_sum s = { 0 };

	for (unsigned i = 0; i < k->n; i++)
		judge_add(&s, &k->t[i]->judge, &k->t[i]->rule);
	return s;
}

bool
track_row(const struct tracker *k, unsigned i, struct track_row *out)
{
	const struct tracked *t;

	if (i >= k->n)
		return false;
	t = k->t[i];
	*out = (struct track_row){
		.id = t->id,
		.name = t->name,
		.kind = word_text(&track_kind_list, t->kind),
		.target = t->target,
		.state = judge_word(t->judge.state),
		.text = t->text,
		.since = t->judge.since,
	};
	return true;
}

struct tracker *
track_new(struct loop *l, const struct paths *p, const struct track_ops *ops)
{
	struct tracker *k = mem_alloc(sizeof(*k));

	k->loop = l;
	k->paths = p;
	k->ops = *ops;
	k->links = -1;
	for (unsigned i = 0; i < ARRAY_LEN(k->hear); i++)
		k->hear[i] = (struct track_hear){ .all = k, .fd = -1 };
	(void)snprintf(k->folder, sizeof(k->folder), "%s/track", p->etc);
	return k;
}

void
track_free(struct tracker *k)
{
	if (k == NULL)
		return;
	for (unsigned i = 0; i < k->n; i++)
		end(k->t[i]);
	k->n = 0;
	track_watch_links(k);
	track_bfd_hear(k);
	free(k);
}
