/* Orders for servers: drain, halt, online, weight. An order is a row beside the configuration, with its author and time;
 * it takes effect through the daemons, is not part of a revision, and no rollback touches it. */
#include "ctl.h"
#include "waiting.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What is ordered for one server; called for each that the names mean. */
typedef void (*order_fn)(const struct ctl *c, const struct server *s, struct order *out);

static int
give_orders(struct ctl *c, int argc, order_fn fn, struct picked *rows, struct err *err)
{
	struct commit_result r = { 0 };
	struct commit_info info;
	struct order *orders;
	uint32_t i;
	int rc = ctl_store(c, true, err);

	if (rc == 0)
		rc = ctl_load(c, err);
	if (rc == 0)
		rc = pick_rows(c, object_of(KIND_server), argc, c->argv, rows, err);
	if (rc != 0)
		return rc;
	orders = mem_alloc((rows->n + 1) * sizeof(*orders));
	for (i = 0; i < rows->n; i++) {
		const struct server *s = rows->row[i];

		orders[i] = (struct order){ .server = s->id, .state = -1, .weight = -1 };
		fn(c, s, &orders[i]);
	}
	ctl_commit_info(c, &info);
	rc = store_order(c->store, orders, rows->n, &info, &r, err);
	if (rc == 0 && info.dry_run)
		(void)ctl_show_difference(c, &r);
	else if (rc == 0)
		rc = ctl_committed(c, &r, false, err);
	commit_result_fini(&r);
	free(orders);
	return rc;
}

static void
note_rows(struct ctl *c, const struct picked *rows, const char *what)
{
	char path[160];
	uint32_t i;

	if (c->style.form == FORM_JSON || GIVEN(c, dry_run))
		return;
	for (i = 0; i < rows->n; i++)
		ctl_note(c, "%s: %s",
		    snapshot_path(c->snap, KIND_server, *(const uint32_t *)rows->row[i], path),
		    what);
}

/* Seconds since 1970, rounded up; 0 for no duration. */
static int64_t
ends(int64_t ms)
{
	return ms == 0 ? 0 : (mono_wall_ms() + ms + 999) / 1000;
}

static void
order_drain(const struct ctl *c, const struct server *s, struct order *out)
{
	const struct service *svc = snapshot_find(c->snap, KIND_service, s->vip);

	out->state = admin_state_drain;
	out->until = ends(GIVEN(c, timeout) ? c->num[OPT_timeout]
			  : svc != NULL	    ? svc->drain_timeout
					    : 0);
}

int
cmd_drain(struct ctl *c, struct err *err)
{
	struct picked rows;
	int rc = give_orders(c, c->argc, order_drain, &rows, err);

	if (rc == 0)
		note_rows(c, &rows, "drain");
	if (rc == 0 && GIVEN(c, wait) && !GIVEN(c, dry_run))
		rc = wait_for_rows(c, &rows, SRV_DRAIN, true, err);
	return rc;
}

static void
order_halt(const struct ctl *c, const struct server *s, struct order *out)
{
	(void)s;
	out->state = admin_state_halt;
	out->until = ends(GIVEN(c, grace) ? c->num[OPT_grace] : 0);
}

int
cmd_halt(struct ctl *c, struct err *err)
{
	struct picked rows;
	int rc = give_orders(c, c->argc, order_halt, &rows, err);

	if (rc == 0)
		note_rows(c, &rows, "halt");
	if (rc == 0 && GIVEN(c, wait) && !GIVEN(c, dry_run))
		rc = wait_for_rows(c, &rows, SRV_HALT, true, err);
	return rc;
}

static void
order_online(const struct ctl *c, const struct server *s, struct order *out)
{
	(void)c;
	(void)s;
	out->state = admin_state_online;
}

int
cmd_online(struct ctl *c, struct err *err)
{
	struct picked rows;
	int rc = give_orders(c, c->argc, order_online, &rows, err);

	if (rc == 0)
		note_rows(c, &rows, "online");
	if (rc == 0 && GIVEN(c, wait) && !GIVEN(c, dry_run))
		rc = wait_for_rows(c, &rows, SRV_UP, false, err);
	return rc;
}

static void
order_weight(const struct ctl *c, const struct server *s, struct order *out)
{
	const struct admin *a = snapshot_admin(c->snap, s->id);

	out->until = a->until; /* the drain that is on, if any, ends when it was to end */
	out->weight = strcmp(c->argv[1], "default") == 0 ? -2 : strtoll(c->argv[1], NULL, 10);
}

int
cmd_weight(struct ctl *c, struct err *err)
{
	const struct field *f = field_find(object_of(KIND_server), "weight");
	struct picked rows;
	struct cell cell;
	struct buf what = { 0 };
	int rc = 0;

	if (strcmp(c->argv[1], "default") != 0)
		rc = value_parse(f, c->argv[1], NULL, c->arena, &cell, err);
	if (rc == 0)
		rc = give_orders(c, 1, order_weight, &rows, err);
	if (rc == 0) {
		buf_printf(&what, "weight %s", c->argv[1]);
		note_rows(c, &rows, buf_text(&what));
	}
	buf_fini(&what);
	return rc;
}
