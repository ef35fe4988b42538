/* look.c - what a reading of the kernel's table means.
 *
 * It becomes the mirror, but for services that were changed while it was made: there the mirror knows better. Row ids are
 * written in where they are known. Then every row is compared with it: what differs, and was not refused by the
 * kernel, somebody else has edited; it is logged (EDIT_LINES one by one, the others counted) and put right in the same
 * turn. The very first reading after a start finds no edits, only what has to be done.
 *
 * A reading that failed is a fault of the whole; the next is FAULT_RETRY away, otherwise as far as cadence_next says. */
#include "apply/reconcile_priv.h"

#include "base/mem.h"
#include "sys/log.h"

#include <stdlib.h>
#include <string.h>

#define TOUCHED_MOST 256 /* services that came or went during a reading: above, it is thrown away */

static void
stamp_service(struct ipvs_service *h, const struct ipvs_service *w, uint32_t service)
{
	uint32_t i = 0, k = 0;

	h->service = service;
	while (i < h->n && k < w->n) {
		int order = dest_compare(&h->dest[i], &w->dest[k]);

		if (order == 0)
			h->dest[i].server = w->dest[k].server;
		i += order <= 0;
		k += order >= 0;
	}
}

void
look_stamp(struct reconcile *r, const struct entry *e)
{
	for (uint32_t i = 0; i < e->want.n; i++) {
		struct ipvs_service *h = table_find(&r->have, &e->want.service[i].key);

		if (h != NULL)
			stamp_service(h, &e->want.service[i], e->service);
	}
}

/* Where the mirror knows better than a reading that began before the change. */
static void
correct(struct reconcile *r, struct reading *reading)
{
	bool structure = false;

	for (uint32_t i = 0; i < r->touched_n; i++) {
		const struct touch *t = &r->touched[i];
		const struct ipvs_service *ours;

		if (t->at < reading->began)
			continue;
		structure |= t->structure;
		ours = table_find(&r->have, &t->key);
		if (ours != NULL)
			table_add(&reading->table, ours);
		else
			table_remove(&reading->table, &t->key);
	}
	/* While services come and go, a listing may pass one over. */
	for (uint32_t i = 0; structure && i < r->have.n; i++)
		if (table_find(&reading->table, &r->have.service[i].key) == NULL)
			table_add(&reading->table, &r->have.service[i]);
}

static uint32_t
came_or_went(const struct reconcile *r, mono_t since)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->touched_n; i++)
		n += r->touched[i].structure && r->touched[i].at >= since;
	return n;
}

static void
log_edit(const struct ipvs_op *op, uint32_t n, const struct ipvs_service *have)
{
	struct buf b = { 0 };
	char key[KEY_TEXT];

	key_format(&op->service->key, key);
	diff_say(op, n, have, &b);
	log_warn("%s: changed by somebody else: %s; put right", key, buf_text(&b));
	buf_fini(&b);
}

/* One row against the mirror. Returns the number of its services that somebody edited. */
static uint32_t
compare_entry(struct reconcile *r, struct entry *e, uint32_t logged)
{
	struct ipvs_ops ops = { 0 };
	uint32_t edits = 0;

	for (uint32_t i = 0; i < e->want.n; i++) {
		const struct ipvs_service *have = table_find(&r->have, &e->want.service[i].key);
		uint32_t first = ops.n;

		diff_service(&e->want.service[i], have, &ops);
		if (ops.n == first || r->first || e->refused)
			continue;
		if (logged + edits < EDIT_LINES)
			log_edit(&ops.op[first], ops.n - first, have);
		edits++;
	}
	if (ops.n != 0 || e->refused)
		reconcile_dirty(r, e);
	ops_fini(&ops);
	return edits;
}

static void
compare(struct reconcile *r)
{
	uint32_t at = 0, edits = 0;
	struct entry *e;

	while ((e = idmap_next(&r->entries, &at, NULL)) != NULL) {
		look_stamp(r, e);
		if (!list_empty(&e->dirty) || (e->refused && mono_now() < e->retry))
			continue;
		edits += compare_entry(r, e, edits);
	}
	if (edits > EDIT_LINES)
		log_warn("%u more services were changed by somebody else; put right",
		    edits - EDIT_LINES);
	r->first = false;
}

void
look_take(struct reconcile *r, struct reading *reading)
{
	mono_t began = mono_cpu_us();

	if (reading->code != 0) {
		reconcile_lost(r, &reading->err);
		reading_fini(reading);
		return;
	}
	reconcile_fault(r, NULL);
	if (reading->began < r->not_before) {
		reading_fini(reading);
		reader_ask(r->reader, 0);
		return;
	}
	if (r->known && came_or_went(r, reading->began) > TOUCHED_MOST) {
		r->touched_n = 0;
		reading_fini(reading);
		reader_ask(r->reader, cadence_next(reading->cost));
		return;
	}
	if (r->known)
		correct(r, reading);
	r->touched_n = 0;
	table_fini(&r->have);
	r->have = reading->table;
	reading->table = (struct ipvs_table){ 0 };
	r->have_at = reading->began;
	r->known = r->sweep = true;
	if (!r->cleared)
		compare(r);
	settle_look(r, reading);
	if (r->ops.read != NULL)
		r->ops.read(r->ops.arg);
	reconcile_defer(r);
	reading_fini(reading);
	reader_ask(r->reader, cadence_next(reading->cost + mono_cpu_us() - began));
}
