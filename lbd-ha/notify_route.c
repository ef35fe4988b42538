/* notify_route.c - scripts that tell routers the way to floating addresses, or take it back.
 *
 * A change of the role is an event, told in order; this is a state. Each row keeps what its script was told of each
 * address, and runs while that differs from what is wanted: so nothing is lost however slow a script is, a run that failed
 * (the routing daemon is not there yet) is repeated, and a refresh is the same once more. What is not decided stays as it
 * was told.
 *
 * What may have been told stands in RUN/lbd-ha.routes-told, before the run: so the next process, and --release, know what
 * to take back, also of rows and addresses that are gone. A row that is taken out leaves: it withdraws what it told before
 * any other row runs again. Whether an address is to be told is adverts.c. */
#include "notify_route_priv.h"

#include "base/mem.h"
#include "sys/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY DUR_S(5)
#define TIDY DUR_S(1) /* so long may the record name what was taken back */

/* ---- what there is to do --------------------------------------------------------------------------------------- */

static enum advert
wanted(const struct told *t)
{
	return t->want == ADVERT_OPEN ? t->was : t->want;
}

/* The higher the sooner; 0: nothing. */
static unsigned
rank(const struct told *t)
{
	enum advert what = wanted(t);

	if (what == ADVERT_OPEN || t->failed)
		return 0;
	if (what != t->was || t->unsure)
		return what == ADVERT_WITHDRAW ? 3 : 2;
	return t->again;
}

static struct told *
pick(const struct runner *r)
{
	struct told *best = NULL;

	for (uint32_t i = 0; i < r->n; i++)
		if (rank(&r->a[i]) > (best != NULL ? rank(best) : 0))
			best = &r->a[i];
	return best;
}

static int
compare(const struct addr *a, const struct addr *b)
{
	return a->family != b->family ? (int)a->family - (int)b->family
				      : memcmp(a->b, b->b, sizeof(a->b));
}

static struct told *
find(const struct runner *r, const struct addr *a)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (compare(&r->a[i].addr, a) == 0)
			return &r->a[i];
	return NULL;
}

/* All that will be announced goes in at once, so that many addresses do not make as many writes. */
static void
note_all(struct notify_route *k)
{
	for (unsigned i = 0; i < k->n; i++)
		for (uint32_t j = 0; j < k->r[i]->n; j++)
			if (k->r[i]->a[j].want > ADVERT_WITHDRAW)
				k->r[i]->a[j].noted = true;
	route_record_write(k);
}

static void
on_tidy(void *arg)
{
	route_record_write(arg);
}

/* ---- a run ----------------------------------------------------------------------------------------------------- */

static void next(struct runner *r);
static void look(struct notify_route *k);

static void
ended(struct runner *r, struct told *t, bool good, const char *text)
{
	bool other = !r->ran || good != r->good || strcmp(text, r->result) != 0;
	char host[ADDR_TEXT];

	r->ran = true;
	r->good = good;
	r->ended = mono_wall_ms() / 1000;
	(void)snprintf(r->result, sizeof(r->result), "%s", text);
	if (t != NULL) {
		t->unsure = t->failed = !good;
		t->again = false;
		t->was = good ? r->doing : t->was;
		if (t->noted && good && r->doing == ADVERT_WITHDRAW) {
			t->noted = false;
			loop_timer_set(&r->all->tidy, TIDY);
		}
	}
	if (!good) {
		addr_format(&r->at, ADDR_HOST, host);
		if (other)
			log_warn("notify %s: %s: fip %s: %s", r->name, r->text, host, text);
		if (!r->leaving)
			loop_timer_set(&r->retry, RETRY);
	}
	if (other && !r->leaving)
		r->all->ops.changed(r->all->ops.arg);
}

static void
on_done(void *arg, const struct child_result *res)
{
	struct runner *r = arg;
	char text[SCRIPT_RESULT];
	bool good = script_result(res, r->row.timeout, text);

	r->child = NULL;
	ended(r, find(r, &r->at), good, text);
	look(r->all);
}

static void
start(struct runner *r, struct told *t)
{
	char vars[ADVERT_VARS][ADVERT_VAR], why[SCRIPT_WHY];
	const char *env[ADVERT_VARS + 3];
	const struct child_spec spec = { .argv = r->script.argv,
		.env = env,
		.output_max = 256,
		.limit = DUR_MS(r->row.timeout),
		.done = on_done,
		.arg = r };
	struct err err = { 0 };

	r->doing = wanted(t);
	r->at = t->addr;
	if (r->doing != ADVERT_WITHDRAW && !t->noted)
		note_all(r->all);
	route_env(t, r->doing, vars, env);
	if (!script_may_run(&r->script, r->all->folder, why)) {
		ended(r, t, false, why);
		return;
	}
	if (child_start(&r->child, r->all->loop, &spec, &err) == 0)
		return;
	r->child = NULL;
	ended(r, t, false, err.text);
}

/* The next that is due, until one runs or none is left. */
static void
next(struct runner *r)
{
	struct told *t;

	while (r->child == NULL && (t = pick(r)) != NULL)
		start(r, t);
}

static void
on_retry(void *arg)
{
	struct runner *r = arg;

	for (uint32_t i = 0; i < r->n; i++)
		r->a[i].failed = false;
	look(r->all);
}

static void
on_refresh(void *arg)
{
	struct runner *r = arg;

	loop_timer_set(&r->refresh, DUR_MS(r->row.refresh));
	for (uint32_t i = 0; i < r->n; i++)
		r->a[i].again = r->a[i].was > ADVERT_WITHDRAW;
	look(r->all);
}

/* ---- the set --------------------------------------------------------------------------------------------------- */

static void
end(struct runner *r)
{
	child_stop(r->child);
	loop_timer_fini(&r->retry);
	loop_timer_fini(&r->refresh);
	free(r->a);
	free(r);
}

/* Those that leave and have nothing more to do are gone. */
static void
drop_left(struct notify_route *k)
{
	unsigned to = 0;
	bool dropped = false;

	for (unsigned i = 0; i < k->n; i++) {
		struct runner *r = k->r[i];

		if (r->leaving && r->child == NULL && pick(r) == NULL) {
			end(r);
			dropped = true;
		} else
			k->r[to++] = r;
	}
	k->n = to;
	if (dropped)
		loop_timer_set(&k->tidy, TIDY);
}

static bool
is_busy(const struct notify_route *k)
{
	for (unsigned i = 0; i < k->n; i++)
		if (k->r[i]->child != NULL || pick(k->r[i]) != NULL)
			return true;
	return false;
}

static void
settle(struct notify_route *k)
{
	void (*done)(void *arg) = k->settled;

	k->settled = NULL;
	loop_timer_cancel(&k->limit);
	if (done != NULL)
		loop_defer(k->loop, done, k->settled_arg);
}

static void
on_limit(void *arg)
{
	settle(arg);
}

/* Runs what is due: first of those that leave, since another row may be for the same addresses. */
static void
look(struct notify_route *k)
{
	for (unsigned i = 0; i < k->n && k->r[i]->leaving; i++)
		next(k->r[i]);
	drop_left(k);
	for (unsigned i = 0; i < k->n && !k->r[0]->leaving; i++)
		next(k->r[i]);
	if (k->settled != NULL && !is_busy(k))
		settle(k);
}

static struct runner *
begin(struct notify_route *k, const char *name, const char *text, unsigned timeout)
{
	struct runner *r = mem_alloc(sizeof(*r));

	r->all = k;
	r->ended = mono_wall_ms() / 1000;
	r->row.timeout = timeout;
	(void)snprintf(r->name, sizeof(r->name), "%s", name);
	(void)snprintf(r->text, sizeof(r->text), "%s", text);
	script_set(&r->script, k->folder, r->text);
	loop_timer_init(&r->retry, k->loop, on_retry, r);
	loop_timer_init(&r->refresh, k->loop, on_refresh, r);
	return r;
}

static struct told *
add(struct runner *r, const struct addr *a)
{
	r->a = mem_grow(r->a, (r->n + 1) * sizeof(*r->a));
	r->a[r->n] = (struct told){ .addr = *a, .want = ADVERT_OPEN, .was = ADVERT_OPEN };
	return &r->a[r->n++];
}

static void
take_row(struct told *to, const struct advert_row *from)
{
	if (to->want != from->now)
		to->failed = false; /* at once, though the last try failed */
	to->want = from->now;
	to->group = from->group;
	memcpy(to->ifname, from->ifname, sizeof(to->ifname));
	memcpy(to->why, from->why, sizeof(to->why));
}

/* It is not told any more; false: there is nothing to take back. */
static bool
withdraw(const struct runner *r, struct told *t, const char *why)
{
	t->want = ADVERT_WITHDRAW;
	(void)snprintf(t->why, sizeof(t->why), "%s", why);
	return t->unsure || t->was > ADVERT_WITHDRAW ||
	       (r->child != NULL && compare(&r->at, &t->addr) == 0);
}

static bool
is_for(const struct runner *r, const struct advert_row *row)
{
	return r->row.group == 0 || r->row.group == row->group;
}

/* What a row is told of from now on: the addresses as they stand, and those that it has to take back. */
static void
merge(struct runner *r, const struct advert_row *rows, uint32_t n)
{
	struct told *old = r->a;
	uint32_t old_n = r->n, i = 0, j = 0;

	r->a = mem_alloc((old_n + n + 1) * sizeof(*r->a));
	r->n = 0;
	while (i < old_n || j < n) {
		int order = i == old_n ? 1 : j == n ? -1 : compare(&old[i].addr, &rows[j].addr);

		if (order >= 0 && !is_for(r, &rows[j])) {
			j++; /* an old one of it comes later, as one that is not in the rows */
			continue;
		}
		if (order < 0) {
			r->a[r->n] = old[i++];
			r->n += withdraw(r, &r->a[r->n], "it is not a floating address any more");
			continue;
		}
		r->a[r->n] = order == 0 ? old[i++]
					: (struct told){ .addr = rows[j].addr,
						  .want = ADVERT_OPEN,
						  .was = ADVERT_OPEN };
		take_row(&r->a[r->n++], &rows[j++]);
	}
	free(old);
}

void
notify_route_set(struct notify_route *k, const struct advert_row *a, uint32_t n)
{
	free(k->rows);
	k->rows = mem_alloc((n + 1) * sizeof(*a));
	if (n > 0)
		memcpy(k->rows, a, n * sizeof(*a));
	k->rows_n = n;
	k->known = true;
	for (unsigned i = 0; i < k->n; i++)
		if (!k->r[i]->leaving)
			merge(k->r[i], k->rows, n);
	look(k);
}

static void
leave(struct notify_route *k, struct runner *r)
{
	r->leaving = true;
	loop_timer_cancel(&r->refresh);
	loop_timer_cancel(&r->retry);
	for (uint32_t i = 0; i < r->n; i++) {
		r->a[i].failed = false;
		if (!withdraw(r, &r->a[i], "the notify row is gone"))
			r->a[i].was = ADVERT_WITHDRAW;
	}
	if (k->n == RUNNERS) {
		end(r);
		return;
	}
	memmove(&k->r[1], &k->r[0], k->n * sizeof(k->r[0]));
	k->r[0] = r;
	k->n++;
}

/* Takes the runner of a row out of the old set; NULL: it is new, or runs something else. */
static struct runner *
take(struct runner **old, unsigned n, const struct notify *row)
{
	for (unsigned i = 0; i < n; i++) {
		struct runner *r = old[i];

		if (r == NULL || r->leaving || strcmp(r->text, row->script) != 0 ||
		    strcmp(r->name, row->name) != 0)
			continue;
		old[i] = NULL;
		return r;
	}
	return NULL;
}

static void
use_row(struct notify_route *k, struct runner **old, unsigned n, const struct notify *row)
{
	struct runner *r = take(old, n, row);
	bool timed = r != NULL && r->row.refresh == row->refresh;

	if (r == NULL)
		r = begin(k, row->name, row->script, row->timeout);
	r->row = *row;
	r->row.name = r->name;
	r->row.script = r->text;
	r->row.comment = "";
	if (row->refresh == 0)
		loop_timer_cancel(&r->refresh);
	else if (!timed)
		loop_timer_set(&r->refresh, DUR_MS(row->refresh));
	if (k->known)
		merge(r, k->rows, k->rows_n);
	k->r[k->n++] = r;
}

void
notify_route_use(struct notify_route *k, const struct snapshot *s)
{
	struct runner *old[RUNNERS];
	unsigned n = k->n;

	memcpy(old, k->r, sizeof(old));
	k->n = 0;
	for (uint32_t i = 0; i < snapshot_count(s, KIND_notify) && k->n < NOTIFY_MOST; i++) {
		const struct notify *row = snapshot_at(s, KIND_notify, i);

		if (row->enabled && row->on == notify_on_route)
			use_row(k, old, n, row);
	}
	for (unsigned i = n; i-- > 0;)
		if (old[i] != NULL)
			leave(k, old[i]);
	look(k);
}

bool
notify_route_any(const struct notify_route *k)
{
	return k->n > 0 && !k->r[k->n - 1]->leaving;
}

void
notify_route_settle(struct notify_route *k, dur_t limit, void (*done)(void *arg), void *arg)
{
	k->settled = done;
	k->settled_arg = arg;
	loop_timer_set(&k->limit, limit);
	look(k);
}

bool
notify_route_row(const struct notify_route *k, unsigned i, struct notify_row *out)
{
	const struct runner *r;

	for (unsigned j = 0; j < k->n && k->r[j]->leaving; j++)
		i++;
	if (i >= k->n)
		return false;
	r = k->r[i];
	*out = (struct notify_row){
		.name = r->name,
		.target = r->text,
		.state = !r->ran   ? "unknown"
			 : r->good ? "good"
				   : "bad",
		.text = r->result,
		.since = r->ended,
	};
	return true;
}

/* ---- beginning and end ----------------------------------------------------------------------------------------- */

static void
take_up(void *arg, const struct route_line *one)
{
	struct notify_route *k = arg;
	struct runner *r = NULL;
	struct told *t;

	for (unsigned i = 0; i < k->n && r == NULL; i++)
		if (strcmp(k->r[i]->name, one->name) == 0 && strcmp(k->r[i]->text, one->text) == 0)
			r = k->r[i];
	if (r == NULL && k->n == NOTIFY_MOST)
		return;
	if (r == NULL)
		r = k->r[k->n++] = begin(k, one->name, one->text, one->timeout);
	t = add(r, &one->addr);
	t->unsure = t->noted = true;
}

struct notify_route *
notify_route_new(
    struct loop *l, const char *folder, const char *record, const struct notify_ops *ops)
{
	struct notify_route *k = mem_alloc(sizeof(*k));

	k->loop = l;
	k->ops = *ops;
	(void)snprintf(k->folder, sizeof(k->folder), "%s", folder);
	(void)snprintf(k->record, sizeof(k->record), "%s", record);
	loop_timer_init(&k->tidy, l, on_tidy, k);
	loop_timer_init(&k->limit, l, on_limit, k);
	route_record_read(k->record, take_up, k);
	return k;
}

void
notify_route_free(struct notify_route *k)
{
	if (k == NULL)
		return;
	loop_timer_fini(&k->tidy);
	loop_timer_fini(&k->limit);
	for (unsigned i = 0; i < k->n; i++)
		end(k->r[i]);
	free(k->rows);
	free(k);
}
