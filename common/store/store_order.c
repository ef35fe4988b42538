/* Orders of operators: drain, halt, online, weight, as rows of their own that are attributed, survive restarts
 * and are not touched by a rollback. The id of an order is that of its server. An order that is in force
 * already changes nothing, so who gave it first stays. */
#include "base/must.h"
#include "store/store_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { KEEP = -1, AS_CONFIGURED = -2 };

static struct cell *
cell(const struct object *o, struct row *row, const char *field)
{
	const struct field *f = field_find(o, field);

	must(f != NULL);
	return &row->c[f - o->f];
}

static int
set_text(const struct object *o, struct row *row, const char *field, const char *text,
    struct arena *a, struct err *err)
{
	return value_parse(
	    field_find(o, field), text != NULL ? text : "", NULL, a, cell(o, row, field), err);
}

static int
set_order(const struct object *o, const struct order *order, struct row *row, struct arena *a,
    struct err *err)
{
	char text[24];
	int rc = 0;

	if (order->state != KEEP)
		rc = set_text(o, row, "state", word_text(&admin_state_list, order->state), a, err);
	if (rc == 0 && order->weight != KEEP) {
		(void)snprintf(text, sizeof(text), "%lld",
		    (long long)(order->weight == AS_CONFIGURED ? 0 : order->weight));
		rc = set_text(o, row, "weight", text, a, err);
		*cell(o, row, "weighted") = (struct cell){ .i = order->weight != AS_CONFIGURED };
	}
	if (order->state != KEEP)
		*cell(o, row, "until") = (struct cell){ .i = order->until };
	return rc;
}

static bool
same_order(const struct object *o, const struct row *a, const struct row *b)
{
	static const char *const in_force[] = { "state", "weighted", "weight", "until" };

	for (unsigned i = 0; i < ARRAY_LEN(in_force); i++) {
		const struct field *f = field_find(o, in_force[i]);

		if (!cell_same(&a->c[f - o->f], &b->c[f - o->f]))
			return false;
	}
	return true;
}

static int
apply_order(struct store *st, const struct order *order, const struct commit_info *info,
    struct arena *a, struct err *err)
{
	const struct object *o = object_of(KIND_admin);
	struct row row = { .id = order->server }, now;
	char path[NAME_TEXT];
	bool old;
	int rc;

	(void)snapshot_path(st->base, KIND_server, order->server, path);
	if (snapshot_find(st->base, KIND_server, order->server) == NULL)
		return err_set(err, ERR_UNKNOWN, "%s with id %u: does not exist",
		    object_of(KIND_server)->name, (unsigned)order->server);
	old = rows_get(st, o, order->server, &now);
	for (unsigned i = 0; !old && i < o->n; i++)
		value_default(&o->f[i], a, &now.c[i]);
	memcpy(row.c, now.c, sizeof(row.c));
	rc = set_order(o, order, &row, a, err);
	if (rc == 0 && same_order(o, &row, &now))
		return 0;
	if (rc == 0)
		rc = set_text(o, &row, "name", path, a, err);
	if (rc == 0)
		rc = set_text(o, &row, "who", info->who, a, err);
	if (rc == 0)
		rc = set_text(o, &row, "origin", info->origin, a, err);
	if (rc == 0)
		rc = set_text(o, &row, "why", info->why, a, err);
	*cell(o, &row, "since") = (struct cell){ .i = (int64_t)time(NULL) };
	if (rc == 0)
		rc = old ? rows_update(st, o, &row, err) : rows_insert(st, o, &row, err);
	if (rc != 0)
		(void)err_object(err, "%s %s", object_of(KIND_server)->name, path);
	return rc;
}

int
store_order(struct store *st, const struct order *orders, unsigned n,
    const struct commit_info *info, struct commit_result *result, struct err *err)
{
	struct arena *a;
	int rc = txn_begin(st, info, err);

	if (rc != 0)
		return rc;
	a = arena_new(4096);
	for (unsigned i = 0; rc == 0 && i < n; i++)
		rc = apply_order(st, &orders[i], info, a, err);
	arena_unref(a);
	if (rc == 0)
		return txn_commit(st, info, result, err);
	txn_abort(st);
	return rc;
}
