/* reconcile.c - what should be, row by row, and how it gets into the kernel.
 *
 * reconcile_want replaces what one row wants and marks it; at the end of the turn everything marked is compared with the
 * mirror, and the differences go out together (TURN_OPS a turn, the rest in the next). What the kernel did is done
 * to the mirror too; what it refused is a fault of the row, tried again after REFUSED_RETRY. Nothing is sent before
 * the table was read for the first time. Nothing walks all rows but the comparison of a reading (look.c).
 *
 * Whose a service is: the record holds every key that some row wants or wanted, with that row; 0 is an orphan, which is
 * deleted once all rows were given (reconcile_start). A key that moves from one row to another in a turn is therefore
 * neither deleted nor made. Codes that mean "the mirror is wrong" (it exists, it does not) are no faults: the
 * table is read at once. */
#include "apply/reconcile_priv.h"

#include "plan/want.h"

#include "base/mem.h"
#include "base/must.h"
#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Operations of one row in a batch; entry NULL: an orphan's. */
struct span {
	struct entry *entry;
	uint32_t first, n;
};
struct sending {
	struct ipvs_ops ops;
	struct span *span;
	uint32_t n;
};

void
reconcile_save(struct reconcile *r)
{
	int code = record_save(&r->record);

	if (code != 0 && !r->unwritable)
		log_warn("%s: cannot be written: %s; after a kill lbd-ipvs would not know its own "
			 "services by address",
		    r->record.path, strerror(-code));
	r->unwritable = code != 0;
}

/* A machine without layer 4 misses nothing. */
static bool
is_needed(const struct reconcile *r)
{
	return r->entries.n != 0 || r->record.keys.n != 0 || r->sync[0].on || r->sync[1].on;
}

void
reconcile_fault(struct reconcile *r, const char *fault)
{
	bool same, quiet = r->quiet;

	if (fault == NULL)
		fault = "";
	same = strcmp(r->fault, fault) == 0;
	r->quiet = fault[0] != '\0' && !is_needed(r);
	if (fault[0] == '\0' && !same && !quiet)
		log_info("ip_vs: reachable");
	if (fault[0] != '\0' && !r->quiet && (!same || quiet))
		log_warn("%s", fault);
	if (same)
		return;
	(void)snprintf(r->fault, sizeof(r->fault), "%s", fault);
	if (r->ops.fault != NULL)
		r->ops.fault(r->ops.arg, fault[0] != '\0' ? r->fault : NULL);
}

/* Nothing is certain any more; begin with a reading. */
void
reconcile_lost(struct reconcile *r, const struct err *err)
{
	kernel_close(r->kernel);
	r->kernel = NULL;
	r->known = false;
	r->not_before = mono_now();
	reconcile_fault(r, err->text);
	reader_ask(r->reader, r->quiet ? READ_LATEST : FAULT_RETRY);
}

bool
reconcile_ready(struct reconcile *r)
{
	struct err err;

	if (r->kernel != NULL)
		return true;
	if (kernel_open(&r->kernel, &err) == 0)
		return true;
	reconcile_lost(r, &err);
	return false;
}

/* ---- sending ---- */

static void
put_span(struct sending *s, struct entry *e, uint32_t first)
{
	if ((s->n & (s->n - 1)) == 0)
		s->span = mem_grow(s->span, (s->n == 0 ? 1 : s->n * 2) * sizeof(*s->span));
	s->span[s->n++] = (struct span){ .entry = e, .first = first, .n = s->ops.n - first };
}

static void
collect_entry(struct reconcile *r, struct sending *s, struct entry *e)
{
	uint32_t first = s->ops.n;

	for (uint32_t i = 0; i < e->want.n; i++) {
		const struct ipvs_service *w = &e->want.service[i];

		record_put(&r->record, &w->key, e->service);
		diff_service(w, table_find(&r->have, &w->key), &s->ops);
	}
	put_span(s, e, first);
}

/* Services of lbd's that no row wants: all of the mirror is looked through, but only when there may be some. */
static void
collect_orphans(struct reconcile *r, struct sending *s)
{
	const struct ipvs_key *k;
	uint32_t at = 0, service, gone_n = 0;
	struct ipvs_key *gone;

	if (!r->started || !r->sweep)
		return;
	r->sweep = false;
	for (uint32_t i = 0; i < r->have.n; i++) {
		const struct ipvs_service *h = &r->have.service[i];
		uint32_t first = s->ops.n;

		if (!reconcile_mine(r, &h->key) ||
		    (owned_get(&r->record.keys, &h->key, &service) && service != 0))
			continue;
		diff_service(NULL, h, &s->ops);
		put_span(s, NULL, first);
	}
	/* Of the record what the kernel does not have. */
	gone = mem_alloc((r->record.keys.n + 1) * sizeof(*gone));
	while ((k = owned_next(&r->record.keys, &at, &service)) != NULL)
		if (service == 0 && table_find(&r->have, k) == NULL)
			gone[gone_n++] = *k;
	for (uint32_t i = 0; i < gone_n; i++)
		record_drop(&r->record, &gone[i]);
	free(gone);
}

static void
touch(struct reconcile *r, const struct ipvs_ops *ops)
{
	mono_t now = mono_now();

	for (uint32_t i = 0; i < ops->n; i++) {
		const struct ipvs_op *op = &ops->op[i];
		bool structure = op->kind == OP_NEW_SERVICE || op->kind == OP_DEL_SERVICE;

		if (i > 0 && ops->op[i - 1].service == op->service)
			continue;
		if ((r->touched_n & (r->touched_n - 1)) == 0)
			r->touched = mem_grow(r->touched,
			    (r->touched_n == 0 ? 1 : r->touched_n * 2) * sizeof(*r->touched));
		r->touched[r->touched_n++] =
		    (struct touch){ .key = op->service->key, .at = now, .structure = structure };
	}
}

/* The mirror was wrong, not the wish. */
static bool
is_stale(const struct ipvs_op *op)
{
	switch (op->kind) {
	case OP_NEW_SERVICE:
	case OP_NEW_DEST: return op->code == -EEXIST || op->code == -ESRCH;
	case OP_SET_SERVICE: return op->code == -ESRCH;
	default: return op->code == -ESRCH || op->code == -ENOENT;
	}
}

static void
tell(struct reconcile *r, struct entry *e, const char *fault)
{
	bool same = e->told && strcmp(e->fault, fault) == 0;

	if (!same && fault[0] != '\0')
		log_warn("%s", fault);
	if (fault != e->fault)
		(void)snprintf(e->fault, sizeof(e->fault), "%s", fault);
	e->told = true;
	if (r->ops.told != NULL)
		r->ops.told(r->ops.arg, e->service, fault[0] != '\0' ? e->fault : NULL);
}

static void
refusal(const struct ipvs_op *op, char *out, size_t room)
{
	char key[KEY_TEXT], dest[KEY_TEXT], why[WHY_TEXT];

	key_format(&op->service->key, key);
	kernel_why(op, why, sizeof(why));
	if (op->dest == NULL) {
		(void)snprintf(out, room, "%s: %s", key, why);
		return;
	}
	dest_format(op->dest, dest);
	(void)snprintf(out, room, "%s: server %s: %s", key, dest, why);
}

/* What the kernel said to one row's operations. Returns whether the mirror proved wrong. */
static bool
judge_entry(struct reconcile *r, struct entry *e, const struct ipvs_op *op, uint32_t n)
{
	char text[FAULT_TEXT] = "";
	bool stale = false;

	for (uint32_t i = 0; i < n; i++) {
		must(op != NULL);
		if (op[i].code == 0)
			continue;
		/* The destinations of a service that was refused are missing too. */
		if (is_stale(&op[i]))
			stale |= text[0] == '\0';
		else if (text[0] == '\0')
			refusal(&op[i], text, sizeof(text));
	}
	look_stamp(r, e);
	e->refused = text[0] != '\0';
	e->retry = mono_now() + REFUSED_RETRY;
	if (stale)
		reconcile_dirty(r, e);
	else
		tell(r, e, text);
	return stale;
}

static void
judge_orphan(struct reconcile *r, const struct ipvs_key *k, int code)
{
	char key[KEY_TEXT];

	key_format(k, key);
	if (code != 0 && code != -ESRCH) {
		log_warn("%s: cannot be removed: %s", key, strerror(-code));
		return;
	}
	record_drop(&r->record, k);
	log_info("%s: no service of the configuration any more, removed", key);
}

/* The operations point into the mirror and into what is wanted: keys of orphans must outlive diff_apply. */
static void
finish(struct reconcile *r, struct sending *s)
{
	struct ipvs_key *orphan = mem_alloc((s->n + 1) * sizeof(*orphan));
	bool stale = false;

	if (!r->counted && r->due == 0)
		r->found = r->have.n;
	r->due += s->ops.n;
	for (uint32_t i = 0; i < s->n; i++) {
		if (s->span[i].entry != NULL)
			continue;
		must(s->ops.op != NULL);
		orphan[i] = s->ops.op[s->span[i].first].service->key;
	}
	touch(r, &s->ops);
	diff_apply(&r->have, &s->ops);
	for (uint32_t i = 0; i < s->n; i++) {
		const struct span *p = &s->span[i];

		if (p->entry != NULL) {
			stale |= judge_entry(r, p->entry, &s->ops.op[p->first], p->n);
			continue;
		}
		must(s->ops.op != NULL);
		judge_orphan(r, &orphan[i], s->ops.op[p->first].code);
	}
	free(orphan);
	r->stale = stale ? r->stale + 1 : 0;
	if (!stale)
		return;
	r->known = false;
	r->not_before = mono_now();
	reader_ask(r->reader, r->stale == 1 ? 0 : READ_EVERY);
}

static void
abandon(struct reconcile *r, const struct sending *s, const struct err *err)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->span[i].entry != NULL)
			reconcile_dirty(r, s->span[i].entry);
	r->sweep = true;
	reconcile_lost(r, err);
}

static void
send_batch(struct reconcile *r)
{
	struct sending s = { 0 };
	struct err err;
	int code = 0;

	while (!list_empty(&r->dirty) && s.ops.n < TURN_OPS) {
		struct entry *e = container_of(r->dirty.next, struct entry, dirty);

		list_del(&e->dirty);
		collect_entry(r, &s, e);
	}
	if (list_empty(&r->dirty))
		collect_orphans(r, &s);
	reconcile_save(r);
	if (s.ops.n != 0)
		code = kernel_run(r->kernel, &s.ops, &err);
	if (code == 0)
		finish(r, &s);
	else
		abandon(r, &s, &err);
	reconcile_save(r);
	ops_fini(&s.ops);
	free(s.span);
}

static void
on_turn(void *arg)
{
	struct reconcile *r = arg;

	must_obj(r, RECONCILE_MAGIC);
	r->deferred = false;
	if (!r->known || r->cleared || !reconcile_ready(r))
		return;
	send_batch(r);
	if (r->known)
		settle_run(r);
	if (!r->known || list_empty(&r->dirty)) {
		if (r->known && r->started && !r->counted) {
			r->counted = true;
			log_info("ip_vs: %u services found, %u changes made", r->found, r->due);
		}
		return;
	}
	reader_delay(r->reader, READ_EVERY);
	reconcile_defer(r);
}

void
reconcile_defer(struct reconcile *r)
{
	if (r->deferred)
		return;
	r->deferred = true;
	loop_timer_set(&r->again, 0);
}

void
reconcile_dirty(struct reconcile *r, struct entry *e)
{
	if (list_empty(&e->dirty))
		list_push(&r->dirty, &e->dirty);
}

/* ---- the interface ---- */

static void
on_reading(void *arg, struct reading *reading)
{
	struct reconcile *r = arg;

	must_obj(r, RECONCILE_MAGIC);
	look_take(r, reading);
}

struct reconcile *
reconcile_new(struct loop *l, const struct paths *p, const struct reconcile_ops *ops)
{
	struct reconcile *r = mem_alloc(sizeof(*r));
	int code;

	r->magic = RECONCILE_MAGIC;
	r->loop = l;
	r->ops = *ops;
	r->first = r->sweep = true;
	list_init(&r->dirty);
	record_init(&r->record, p);
	loop_timer_init(&r->again, l, on_turn, r);
	code = reader_new(&r->reader, l, on_reading, r);
	must(code == 0); /* no thread, no descriptor: nothing of the daemon can work */
	reader_ask(r->reader, 0);
	return r;
}

static void
entry_free(struct entry *e)
{
	list_del(&e->dirty);
	table_fini(&e->want);
	free(e);
}

void
reconcile_free(struct reconcile *r)
{
	uint32_t at = 0;
	struct entry *e;

	if (r == NULL)
		return;
	reader_free(r->reader);
	loop_timer_fini(&r->again);
	kernel_close(r->kernel);
	while ((e = idmap_next(&r->entries, &at, NULL)) != NULL)
		entry_free(e);
	idmap_fini(&r->entries);
	table_fini(&r->have);
	record_fini(&r->record);
	free(r->touched);
	free(r);
}

/* Keys that the row had and now has not are orphans, unless another row has taken them already. */
static void
give_up(struct reconcile *r, const struct entry *e, const struct ipvs_table *next)
{
	uint32_t service;

	for (uint32_t i = 0; i < e->want.n; i++) {
		const struct ipvs_key *k = &e->want.service[i].key;

		if (next != NULL && table_find(next, k) != NULL)
			continue;
		if (!owned_get(&r->record.keys, k, &service) || service != e->service)
			continue;
		record_put(&r->record, k, 0);
		r->sweep = true;
	}
}

void
reconcile_want(struct reconcile *r, uint32_t service, struct ipvs_table *t)
{
	struct entry *e = idmap_get(&r->entries, service);

	must(service != 0);
	r->cleared = false;
	if (r->quiet && t->n != 0)
		reader_ask(r->reader, 0);
	if (e != NULL)
		give_up(r, e, t);
	if (t->n == 0 && e != NULL) {
		(void)idmap_take(&r->entries, service);
		entry_free(e);
	}
	if (t->n == 0) {
		table_fini(t);
		if (e != NULL)
			reconcile_defer(r);
		return;
	}
	if (e == NULL) {
		e = mem_alloc(sizeof(*e));
		e->service = service;
		list_init(&e->dirty);
		idmap_put(&r->entries, service, e);
	}
	table_fini(&e->want);
	e->want = *t;
	*t = (struct ipvs_table){ 0 };
	for (uint32_t i = 0; i < e->want.n; i++)
		record_put(&r->record, &e->want.service[i].key, service);
	reconcile_dirty(r, e);
	reconcile_defer(r);
}

void
reconcile_start(struct reconcile *r)
{
	r->started = true;
	reconcile_defer(r);
}

void
reconcile_timeouts(struct reconcile *r, const struct ipvs_timeouts *t)
{
	if (memcmp(&r->timeouts, t, sizeof(*t)) == 0)
		return; /* whether it is so in the kernel, the readings say */
	r->timeouts = *t;
	r->timeouts_new = true;
	reconcile_defer(r);
}

static bool
sync_equal(const struct ipvs_sync *a, const struct ipvs_sync *b)
{
	return settle_sync_same(a, b) && settle_sync_same(b, a);
}

void
reconcile_sync(struct reconcile *r, const struct ipvs_sync *master, const struct ipvs_sync *backup)
{
	if (r->sync_set && sync_equal(&r->sync[0], master) && sync_equal(&r->sync[1], backup))
		return;
	r->sync[0] = *master;
	r->sync[1] = *backup;
	r->sync_set = r->sync_new = true;
	reconcile_defer(r);
}

void
reconcile_flush(struct reconcile *r)
{
	do {
		loop_timer_cancel(&r->again);
		on_turn(r);
	} while (r->deferred);
}

bool
reconcile_settled(const struct reconcile *r)
{
	return r->known && r->started && r->counted && list_empty(&r->dirty) && r->sync_set &&
	       settle_sync_same(&r->sync[0], &r->sync_is[0]) &&
	       settle_sync_same(&r->sync[1], &r->sync_is[1]);
}

void
reconcile_look(struct reconcile *r)
{
	reader_ask(r->reader, 0);
}

const struct ipvs_table *
reconcile_have(const struct reconcile *r, mono_t *at_out)
{
	if (at_out != NULL)
		*at_out = r->have_at;
	return &r->have;
}

bool
reconcile_mine(const struct reconcile *r, const struct ipvs_key *k)
{
	return k->mark >= MARK_BASE || owned_get(&r->record.keys, k, NULL);
}
