/* Which secrets somebody still names: rows, kept revisions, conflicts of the pair and open transactions. The others are forgotten,
 * but not the young ones: another process may have put one away and not have committed its number yet. */
#include "base/mem.h"
#include "base/must.h"
#include "store/store_priv.h"

#include <stdlib.h>

int64_t secret_young_s = 3600;

struct numbers {
	uint32_t *v;
	size_t n, cap;
};

static void
add(struct numbers *set, int64_t v)
{
	if (v <= 0 || v > UINT32_MAX)
		return;
	if (set->n == set->cap) {
		set->cap = set->cap > 0 ? set->cap * 2 : 64;
		set->v = mem_grow(set->v, set->cap * sizeof(*set->v));
	}
	set->v[set->n++] = (uint32_t)v;
}

static void
add_rows(struct numbers *set, const struct snapshot *s)
{
	for (unsigned k = 0; k < KINDS; k++)
		for (unsigned i = 0; i < objects[k].n; i++) {
			const struct field *f = &objects[k].f[i];

			if (f->type != VT_SECRET)
				continue;
			for (uint32_t r = 0; r < snapshot_count(s, k + 1); r++)
				add(set,
				    *(const uint32_t *)(const void *)((const char *)snapshot_at(
									  s, k + 1, r) +
								      f->offset));
		}
}

static void
add_delta(struct numbers *set, const void *delta, size_t len)
{
	struct rd r = { .p = delta, .left = len };
	struct delta_row row;

	while (delta_next(&r, &row)) {
		for (unsigned i = 0; i < row.n; i++) {
			if (!delta_is_secret(&row, i))
				continue;
			add(set, row.f[i].old.i);
			add(set, row.f[i].new.i);
		}
	}
}

static bool
add_history(struct numbers *set, struct store *st)
{
	sqlite3_stmt *q = store_query(st, "SELECT delta FROM revision UNION ALL"
					  " SELECT delta FROM superseded UNION ALL"
					  " SELECT delta FROM conflict");
	int step = SQLITE_ERROR;

	while (q != NULL && (step = sqlite3_step(q)) == SQLITE_ROW)
		add_delta(set, sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0));
	(void)sqlite3_finalize(q);
	return step == SQLITE_DONE;
}

static bool
add_transactions(struct numbers *set, struct store *st)
{
	sqlite3_stmt *q = store_query(st, "SELECT id FROM tx");
	int step = SQLITE_ERROR;
	bool good = true;

	while (q != NULL && (step = sqlite3_step(q)) == SQLITE_ROW) {
		struct doc d;

		doc_init(&d);
		good = good &&
		       store_tx_load(st, (uint32_t)sqlite3_column_int64(q, 0), &d, NULL, NULL) == 0;
		for (const struct doc_item *it = d.first; it != NULL; it = it->next)
			for (unsigned i = 0; i < it->o->n; i++)
				if (it->o->f[i].type == VT_SECRET && it->text[i] != NULL &&
				    it->text[i][0] == '@')
					add(set, strtoll(it->text[i] + 1, NULL, 10));
		doc_fini(&d);
	}
	(void)sqlite3_finalize(q);
	return good && step == SQLITE_DONE;
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

void
collect_secrets(struct store *st)
{
	struct numbers set = { 0 };
	struct secrets *s;
	int fault = st->fault;

	if (store_secrets(st, &s, NULL) == 0) {
		add_rows(&set, st->base);
		if (add_history(&set, st) && add_transactions(&set, st)) {
			if (set.n > 0)
				qsort(set.v, set.n, sizeof(*set.v), by_number);
			(void)secret_collect(s, set.v, set.n, secret_young_s);
		}
	}
	free(set.v);
	st->fault = fault;
}
