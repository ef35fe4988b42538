/* services.c - from what is known to what is wanted, for each service of layer 4.
 *
 * An entry stands for one row of a service. It is touched when something that it depends on changed, and settled at
 * the end of the turn: plan/want.c says what the kernel should hold, the owner's want() takes it. A thousand verdicts
 * in one turn are one answer for each service. The earliest time at which any answer changes by itself is one timer.
 *
 * Verdicts stay when lbd-check goes away, and when a row changes that they do not depend on. A quorum does not: it
 * also depends on orders and weights, so what a daemon that is away said of it holds only until one of these changes.
 *
 * A server whose connections must end is cut once, after the kernel was told that it takes none. */
#include "services_priv.h"

#include "base/mem.h"
#include "base/must.h"
#include "sys/log.h"

#include <stdio.h>
#include <string.h>

/* Answers that change by themselves so soon after another do so with it. */
#define TOGETHER_MS 20

char services_not_met, services_met;

static void
on_deferred(void *arg)
{
	struct services *s = arg;

	if (s->freed) {
		free(s);
		return;
	}
	s->deferred = false;
	services_settle(s);
}

static void
on_timer(void *arg)
{
	services_settle(arg);
}

struct services *
services_new(struct loop *l, const struct services_ops *ops)
{
	struct services *s = mem_alloc(sizeof(*s));

	s->loop = l;
	s->ops = *ops;
	s->away = true;
	list_init(&s->dirty);
	loop_timer_init(&s->timer, l, on_timer, s);
	return s;
}

void
services_free(struct services *s)
{
	uint32_t at = 0;
	void *p;

	if (s == NULL)
		return;
	while ((p = idmap_next(&s->entries, &at, NULL)) != NULL)
		free(p);
	at = 0;
	while ((p = idmap_next(&s->servers, &at, NULL)) != NULL)
		free(p);
	idmap_fini(&s->entries);
	idmap_fini(&s->servers);
	idmap_fini(&s->quorums);
	loop_timer_fini(&s->timer);
	buf_fini(&s->cuts);
	snapshot_unref(s->now);
	if (s->deferred)
		s->freed = true; /* by the call that is on its way */
	else
		free(s);
}

/* ---- what is told ------------------------------------------------------------------------- */

static void
tell(struct services *s, struct entry *e)
{
	const char *fault = s->whole[0] != '\0' ? s->whole : e->fault;

	if (!e->known && s->whole[0] == '\0')
		return;
	(void)snprintf(e->st.fault, sizeof(e->st.fault), "%s", fault);
	e->st.loaded = fault[0] == '\0';
	e->told = true;
	s->ops.told(s->ops.arg, &e->st, false);
}

void
services_fault(struct services *s, uint32_t service, const char *fault)
{
	struct entry *e = idmap_get(&s->entries, service);
	const char *text = fault != NULL ? fault : "";

	if (e == NULL || (e->known && strcmp(e->fault, text) == 0))
		return;
	e->known = true;
	(void)snprintf(e->fault, sizeof(e->fault), "%s", text);
	tell(s, e);
}

void
services_whole_fault(struct services *s, const char *fault)
{
	uint32_t at = 0;
	struct entry *e;

	(void)snprintf(s->whole, sizeof(s->whole), "%s", fault != NULL ? fault : "");
	while ((e = idmap_next(&s->entries, &at, NULL)) != NULL)
		tell(s, e);
}

const struct service_state *
services_find(const struct services *s, uint32_t id)
{
	const struct entry *e = idmap_get(&s->entries, id);

	return e != NULL ? &e->st : NULL;
}

const struct service_state *
services_next(const struct services *s, uint32_t *at)
{
	const struct entry *e;

	while ((e = idmap_next(&s->entries, at, NULL)) != NULL)
		if (e->told)
			return &e->st;
	return NULL;
}

void
services_flushed(struct services *s, uint32_t id, int64_t now_s)
{
	uint32_t at = 0;
	struct entry *e;

	while ((e = idmap_next(&s->entries, &at, NULL)) != NULL)
		if (id == 0 || id == e->st.id)
			e->st.since = now_s;
}

void
services_count(const struct services *s, uint32_t *n_out, uint32_t *faults_out,
    const struct service_state **first_out)
{
	uint32_t at = 0;
	const struct entry *e;

	*n_out = s->entries.n;
	*faults_out = 0;
	*first_out = NULL;
	while ((e = idmap_next(&s->entries, &at, NULL)) != NULL) {
		if (e->st.fault[0] == '\0')
			continue;
		if ((*faults_out)++ == 0 || e->st.id < (*first_out)->id)
			*first_out = &e->st;
	}
}

/* ---- what is wanted ----------------------------------------------------------------------- */

static void
touch(struct services *s, struct entry *e)
{
	if (list_empty(&e->dirty))
		list_push(&s->dirty, &e->dirty);
	if (s->started && !s->settling && !s->deferred) {
		s->deferred = true;
		loop_defer(s->loop, on_deferred, s);
	}
}

void
services_touch(struct services *s, uint32_t id)
{
	struct entry *e = idmap_get(&s->entries, id);
	const struct service *svc;

	if (e == NULL) {
		svc = snapshot_find(s->now, KIND_service, id);
		if (svc == NULL || service_layer(svc) != 4)
			return;
		e = mem_alloc(sizeof(*e));
		e->st.id = id;
		list_init(&e->dirty);
		idmap_put(&s->entries, id, e);
	}
	touch(s, e);
}

void
services_touch_all(struct services *s)
{
	uint32_t at = 0;
	struct entry *e;

	while ((e = idmap_next(&s->entries, &at, NULL)) != NULL)
		touch(s, e);
}

/* Spans are of the monotonic clock: a wall clock that is set changes no slow start. */
static int64_t
wall_of(mono_t at)
{
	return at != 0 ? mono_wall_ms() - (mono_now() - at) / 1000 : 0;
}

static const struct want_fit *
fit_of(void *arg, uint32_t server)
{
	struct services *s = arg;
	struct known *k = idmap_get(&s->servers, server);

	if (k == NULL)
		return NULL;
	k->fit.up_ms = wall_of(k->up);
	k->fit.cut_ms = wall_of(k->cut);
	return &k->fit;
}

static void
keep_count(struct services *s, struct entry *e, bool keeps)
{
	s->keeping += (uint32_t)keeps - (uint32_t)e->keeps;
	e->keeps = keeps;
}

static void
log_fallback(const struct service *svc, bool now)
{
	char fields[120];

	(void)snprintf(fields, sizeof(fields), "LBD_VIP=%s\n", svc->name);
	if (!now)
		log_at(LOG_P_INFO, fields, "vip %s: its servers take the clients again", svc->name);
	else if (svc->fallback.text[0] != '\0')
		log_at(LOG_P_WARN, fields,
		    "vip %s: the fallback %s takes the clients: too few servers are fit", svc->name,
		    svc->fallback.text);
	else
		log_at(LOG_P_WARN, fields,
		    "vip %s: the fallback page takes the clients: too few servers are fit",
		    svc->name);
}

/* Who stands in cut[] for the first time is cut when all is settled; who does not any more may be again. */
static void
note_cuts(struct services *s, const struct entry *e, const struct want_output *out)
{
	const void *const *rows;
	struct known *k;
	uint32_t n, id;

	s->round++;
	for (uint32_t i = 0; i < out->cut_n; i++) {
		id = out->cut[i];
		k = idmap_get(&s->servers, id);
		if (k == NULL) {
			k = mem_alloc(sizeof(*k));
			idmap_put(&s->servers, id, k);
		}
		if (k->cut == 0) {
			buf_put(&s->cuts, &id, sizeof(id));
			k->cut = mono_now();
		}
		k->round = s->round;
	}
	rows = snapshot_children(s->now, KIND_server, e->st.id, &n);
	for (uint32_t i = 0; i < n; i++) {
		k = idmap_get(&s->servers, ((const struct server *)rows[i])->id);
		if (k != NULL && k->round != s->round)
			k->cut = 0;
	}
}

/* It is not of layer 4 any more. */
static void
drop(struct services *s, struct entry *e)
{
	struct ipvs_table none = { 0 };

	keep_count(s, e, false);
	s->ops.want(s->ops.arg, e->st.id, &none);
	if (e->told) {
		e->st.loaded = e->st.fallback = false;
		e->st.mark = 0;
		e->st.fault[0] = '\0';
		s->ops.told(s->ops.arg, &e->st, true);
	}
	(void)idmap_take(&s->entries, e->st.id);
	free(e);
}

static void
settle_one(struct services *s, struct entry *e)
{
	struct want_input in = { .s = s->now,
		.now_ms = mono_wall_ms(),
		.quorum_known = idmap_get(&s->quorums, e->st.id) != NULL,
		.quorum_met = idmap_get(&s->quorums, e->st.id) == MET,
		.templates_stay = s->templates_stay,
		.fit = fit_of,
		.arg = s };
	struct want_output out;
	bool news;

	in.svc = snapshot_find(s->now, KIND_service, e->st.id);
	if (in.svc == NULL || service_layer(in.svc) != 4) {
		drop(s, e);
		return;
	}
	want_service(&in, &out);
	must(out.table.n <= ARRAY_LEN(e->st.key));
	news = e->st.mark != want_mark(in.svc) || e->st.fallback != out.fallback;
	if (e->st.fallback != out.fallback)
		log_fallback(in.svc, out.fallback);
	e->st.mark = want_mark(in.svc);
	e->st.fallback = out.fallback;
	e->st.keys = out.table.n;
	for (unsigned i = 0; i < out.table.n; i++)
		e->st.key[i] = out.table.service[i].key;
	e->next_ms = out.next_ms;
	if (s->applying)
		e->applied = s->applies;
	keep_count(s, e, out.keeps);
	note_cuts(s, e, &out);
	s->ops.want(s->ops.arg, e->st.id, &out.table);
	want_output_fini(&out);
	if (!in.svc->enabled) /* the kernel has nothing to say of it */
		services_fault(s, e->st.id, NULL);
	if (news)
		tell(s, e);
}

static const char *
cut_reason(const struct services *s, uint32_t server)
{
	switch (snapshot_admin(s->now, server)->state) {
	case admin_state_drain: return "the time to drain has passed";
	case admin_state_halt: return "it is halted";
	default: return "its check fails";
	}
}

static void
cut_all(struct services *s)
{
	struct rd r = { .p = s->cuts.p, .left = s->cuts.len };
	uint32_t id;

	if (s->cuts.len == 0)
		return;
	s->ops.send(s->ops.arg);
	while (r.left >= sizeof(id)) {
		memcpy(&id, rd_bytes(&r, sizeof(id)), sizeof(id));
		s->ops.cut(s->ops.arg, id, cut_reason(s, id));
	}
	s->cuts.len = 0;
}

static void
settle_dirty(struct services *s)
{
	while (!list_empty(&s->dirty)) {
		struct entry *e = container_of(s->dirty.next, struct entry, dirty);

		list_del(&e->dirty);
		settle_one(s, e);
	}
}

/* Those whose answer has changed by itself; when the next does. */
static int64_t
touch_due(struct services *s)
{
	int64_t now = mono_wall_ms(), next = 0;
	uint32_t at = 0;
	struct entry *e;

	while ((e = idmap_next(&s->entries, &at, NULL)) != NULL) {
		if (e->next_ms == 0)
			continue;
		if (e->next_ms <= now)
			touch(s, e);
		else if (next == 0 || e->next_ms < next)
			next = e->next_ms;
	}
	return next;
}

static void
set_templates(struct services *s)
{
	uint32_t at = 0;
	struct entry *e;
	const struct service *svc;

	if (s->templates_told && s->templates_stay == (s->keeping > 0))
		return;
	s->templates_told = true;
	s->templates_stay = s->keeping > 0;
	s->ops.templates(s->ops.arg, s->templates_stay);
	while ((e = idmap_next(&s->entries, &at, NULL)) != NULL) {
		svc = snapshot_find(s->now, KIND_service, e->st.id);
		if (svc != NULL && svc->persistence != persistence_none)
			touch(s, e);
	}
	settle_dirty(s);
}

void
services_settle(struct services *s)
{
	int64_t next;

	if (!s->started || s->now == NULL)
		return;
	s->settling = true;
	(void)touch_due(s);
	settle_dirty(s);
	set_templates(s);
	cut_all(s);
	next = touch_due(s);
	s->settling = false;
	if (!list_empty(&s->dirty))
		next = mono_wall_ms() + 1;
	if (next != 0)
		loop_timer_set(&s->timer,
		    DUR_MS(
			next - mono_wall_ms() > TOGETHER_MS ? next - mono_wall_ms() : TOGETHER_MS));
	else
		loop_timer_cancel(&s->timer);
}
