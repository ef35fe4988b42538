/* What did not fit when the nodes of a pair met again: values that lost, shown, taken after all, or let go. The records are
 * in the store of each node (store/replica.h); taking one is a commit like any other, so the other node gets it too. */
#include "ctl.h"

#include "base/must.h"
#include "store/replica.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { F_ID, F_OBJECT, F_FIELD, F_LOST, F_STANDS, F_WHAT, F_NODE, F_WHO, F_TIME, F_REV };
static const struct column columns[] = {
	[F_ID] = { "id", NULL, COL_TEXT, COL_SHOW },
	[F_OBJECT] = { "object", NULL, COL_TEXT, COL_SHOW },
	[F_FIELD] = { "field", NULL, COL_TEXT, COL_SHOW },
	[F_LOST] = { "lost", NULL, COL_TEXT, COL_SHOW },
	[F_STANDS] = { "stands", NULL, COL_TEXT, COL_SHOW },
	[F_WHAT] = { "why", NULL, COL_TEXT, COL_SHOW },
	[F_NODE] = { "node", NULL, COL_ID, COL_SHOW },
	[F_WHO] = { "user", NULL, COL_TEXT, COL_SHOW },
	[F_TIME] = { "time", NULL, COL_TIME, COL_SHOW },
	[F_REV] = { "revision", "REV", COL_ID, COL_WIDE },
};

static int
add(void *arg, const struct conflict *k)
{
	struct conflict_words w;
	struct table *t = arg;

	replica_conflict_words(k, &w);
	table_row(t);
	table_text(t, F_ID, w.id);
	table_textf(t, F_OBJECT, "%s %s", w.kind, k->name);
	table_text(t, F_FIELD, w.field);
	table_text(t, F_LOST, k->losing);
	table_text(t, F_STANDS, k->standing);
	table_text(t, F_WHAT, w.why);
	table_num(t, F_NODE, k->node);
	table_text(t, F_WHO, k->who);
	table_num(t, F_TIME, (double)k->at);
	table_num(t, F_REV, k->n);
	return 0;
}

int
cmd_ha_conflicts(struct ctl *c, struct err *err)
{
	struct table *t;
	int rc = ctl_store(c, false, err);

	if (rc != 0)
		return rc;
	c->style.now = 0;
	t = table_new(columns, ARRAY_LEN(columns));
	rc = replica_conflicts(c->store, add, t);
	if (rc == 0)
		return ctl_table(c, t, err);
	table_free(t);
	return err_set(err, rc, "the conflicts cannot be read");
}

static int
id_of(const char *text, uint64_t *out, struct err *err)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 16);
	if (errno == 0 && end != text && *end == '\0' && strlen(text) <= 16)
		return 0;
	return err_set(err, ERR_USAGE,
	    "conflict: \"%.30s\" is not an id; lbctl ha conflicts shows them", text);
}

int
cmd_ha_take(struct ctl *c, struct err *err)
{
	struct commit_result r = { 0 };
	struct commit_info info;
	uint64_t id;
	int rc = id_of(c->argv[0], &id, err);

	if (rc == 0)
		rc = ctl_store(c, true, err);
	if (rc != 0)
		return rc;
	ctl_commit_info(c, &info);
	rc = replica_conflict_take(c->store, id, &info, &r, err);
	if (rc == 0)
		rc = ctl_committed(c, &r, false, err);
	commit_result_fini(&r);
	return rc;
}

int
cmd_ha_drop(struct ctl *c, struct err *err)
{
	uint64_t id;
	int rc = id_of(c->argv[0], &id, err);

	if (rc == 0)
		rc = ctl_store(c, true, err);
	if (rc == 0)
		rc = replica_conflict_drop(c->store, id, err);
	if (rc == 0)
		ctl_note(c, "the value that lost is forgotten on this node");
	return rc;
}
