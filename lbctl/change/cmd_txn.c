/* Revisions: transactions that collect edits, the trial and its confirmation, history, show, rollback. */
#include "ctl.h"

#include "msg/client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int
tx_number(struct ctl *c, uint32_t *out, struct err *err)
{
	if (ctl_revision(c->argv[0], out, NULL) != 0 || *out == 0)
		return err_set(
		    err, ERR_USAGE, "\"%s\" is not the number of a transaction", c->argv[0]);
	return 0;
}

int
cmd_tx_begin(struct ctl *c, struct err *err)
{
	struct commit_info info;
	uint32_t id;
	int rc = ctl_store(c, true, err);

	if (rc != 0)
		return rc;
	ctl_commit_info(c, &info);
	rc = store_tx_begin(c->store, &info, &id, err);
	if (rc == 0 && c->style.form == FORM_JSON)
		(void)printf("{\"transaction\":%" PRIu32 "}\n", id);
	else if (rc == 0)
		(void)printf("%" PRIu32 "\n", id);
	return rc;
}

/* The edits of the transaction that the first argument names. */
static int
load_tx(struct ctl *c, struct doc *d, uint32_t *id_out, uint32_t *base_out, struct err *err)
{
	int rc = tx_number(c, id_out, err);

	if (rc == 0)
		rc = ctl_store(c, true, err);
	return rc == 0 ? store_tx_load(c->store, *id_out, d, base_out, err) : rc;
}

int
cmd_tx_show(struct ctl *c, struct err *err)
{
	struct buf out = { 0 };
	uint32_t id = 0, base = 0;
	struct doc d;
	int rc;

	doc_init(&d);
	rc = load_tx(c, &d, &id, &base, err);
	if (rc == 0) {
		doc_save(&d, &out);
		ctl_print(&out);
		ctl_note(
		    c, "%u edit%s, begun at revision %" PRIu32, d.n, d.n == 1 ? "" : "s", base);
	}
	buf_fini(&out);
	doc_fini(&d);
	return rc;
}

static int
tx_result(struct ctl *c, bool show_only, struct err *err)
{
	struct commit_result r = { 0 };
	struct commit_info info;
	uint32_t id = 0, base = 0;
	struct doc d;
	int rc;

	doc_init(&d);
	rc = load_tx(c, &d, &id, &base, err);
	ctl_commit_info(c, &info);
	info.base = base;
	info.dry_run = info.dry_run || show_only;
	if (rc == 0)
		rc = store_edit(c->store, &d, &info, &r, err);
	if (rc == 0 && info.dry_run) {
		rc = ctl_show_difference(c, &r);
		rc = show_only ? rc : 0;
	} else if (rc == 0) {
		rc = store_tx_end(c->store, id, err);
		if (rc == 0)
			rc = ctl_committed(c, &r, false, err);
	}
	commit_result_fini(&r);
	doc_fini(&d);
	return rc;
}

int
cmd_tx_diff(struct ctl *c, struct err *err)
{
	return tx_result(c, true, err);
}

int
cmd_tx_commit(struct ctl *c, struct err *err)
{
	int rc = ctl_trial_keeper(c, err);

	return rc == 0 ? tx_result(c, false, err) : rc;
}

int
cmd_tx_abort(struct ctl *c, struct err *err)
{
	uint32_t id;
	int rc = tx_number(c, &id, err);

	if (rc == 0)
		rc = ctl_store(c, true, err);
	if (rc == 0)
		rc = store_tx_end(c->store, id, err);
	if (rc == 0)
		ctl_note(c, "transaction %" PRIu32 " forgotten", id);
	return rc;
}

/* ---- trial ---------------------------------------------------------------------------------------------------- */

#define KEEP_WAIT DUR_S(6) /* longer than lbd-ha waits for the other node */

/* lbd-ha asks the other node. */
static int
keep_on_both(struct ctl *c, struct err *err)
{
	struct client *k;
	int rc = client_open(&c->paths, "lbd-ha", &k, err);

	if (rc != 0) {
		(void)err_prefix(
		    err, "the other node has the trial too, and lbd-ha would ask it: ");
		return rc;
	}
	rc =
	    client_call(k, MSG_TRIAL_CONFIRM, &(struct msg_empty){ 0 }, NULL, NULL, KEEP_WAIT, err);
	client_close(k);
	return rc;
}

int
cmd_confirm(struct ctl *c, struct err *err)
{
	struct commit_info info;
	struct trial t = { 0 };
	int rc = ctl_store(c, true, err);

	if (rc == 0)
		rc = store_trial(c->store, &t, err);
	if (rc == 0 && t.pending && t.left_ms <= 0)
		return err_set(err, ERR_REVERTED,
		    "revision %" PRIu32 " was not confirmed in time; it is being undone",
		    t.revision[SCOPE_SHARED]);
	ctl_commit_info(c, &info);
	if (rc == 0)
		rc = t.both ? keep_on_both(c, err) : store_confirm(c->store, &info, err);
	if (rc == 0)
		ctl_note(c, "revision %" PRIu32 " stays%s", t.revision[SCOPE_SHARED],
		    t.both ? ", on both nodes" : "");
	return rc;
}

/* ---- history ---------------------------------------------------------------------------------------------------- */

enum { H_REV, H_TIME, H_WHO, H_FROM, H_CHANGES, H_MESSAGE, H_SCOPE };
static const struct column history_columns[] = {
	[H_REV] = { "revision", "REV", COL_ID, COL_SHOW },
	[H_TIME] = { "time", NULL, COL_TIME, COL_SHOW },
	[H_WHO] = { "user", NULL, COL_TEXT, COL_SHOW },
	[H_FROM] = { "from", NULL, COL_TEXT, COL_SHOW },
	[H_CHANGES] = { "changes", NULL, COL_NUM, COL_SHOW },
	[H_MESSAGE] = { "message", NULL, COL_TEXT, COL_SHOW },
	[H_SCOPE] = { "scope", NULL, COL_TEXT, COL_WIDE },
};

static int
add_revision(void *arg, const struct revision *r)
{
	static const char *const scopes[SCOPES] = { "shared", "local", "order" };
	struct table *t = arg;

	table_row(t);
	table_num(t, H_REV, r->n);
	table_num(t, H_TIME, (double)r->at);
	table_text(t, H_WHO, r->who != NULL ? r->who : "");
	table_text(t, H_FROM, r->origin != NULL ? r->origin : "");
	table_num(t, H_CHANGES, r->changes);
	table_text(t, H_MESSAGE, r->why != NULL ? r->why : "");
	table_text(t, H_SCOPE, r->scope < SCOPES ? scopes[r->scope] : "?");
	return 0;
}

#define HISTORY_SHOWN 20

int
cmd_history(struct ctl *c, struct err *err)
{
	unsigned most = GIVEN(c, number) ? (unsigned)c->num[OPT_number] : HISTORY_SHOWN;
	struct table *t;
	int rc = ctl_store(c, false, err);

	if (rc != 0)
		return rc;
	c->style.now = 0; /* times, not ages */
	t = table_new(history_columns, 7);
	rc = store_history(
	    c->store, GIVEN(c, local) ? SCOPE_LOCAL : SCOPE_SHARED, most, add_revision, t);
	if (rc == 0)
		return ctl_table(c, t, err);
	table_free(t);
	return err_set(err, rc, "the history cannot be read");
}

int
cmd_show(struct ctl *c, struct err *err)
{
	enum scope scope = GIVEN(c, local) ? SCOPE_LOCAL : SCOPE_SHARED;
	struct snapshot *s = NULL;
	uint32_t n;
	int rc = ctl_revision(c->argv[0], &n, err);

	if (rc == 0)
		rc = ctl_store(c, false, err);
	if (rc == 0)
		rc = store_at(c->store, scope, n, &s, err);
	if (rc == 0)
		rc = ctl_export(c, s, scope == SCOPE_LOCAL ? KIND_node : 0, NULL, err);
	snapshot_unref(s);
	return rc;
}

static int
revert_trial(struct ctl *c, struct commit_info *info, struct commit_result *r, struct err *err)
{
	struct trial t = { 0 };
	int rc = store_trial(c->store, &t, err);

	if (rc == 0 && !t.pending)
		return err_set(err, ERR_UNKNOWN,
		    "nothing is on trial; lbctl rollback REV goes back to a revision");
	if (rc == 0 && info->dry_run)
		return err_set(
		    err, ERR_USAGE, "rollback: --dry-run needs the number of a revision");
	return rc == 0 ? store_revert(c->store, info, r, err) : rc;
}

int
cmd_rollback(struct ctl *c, struct err *err)
{
	enum scope scope = GIVEN(c, local) ? SCOPE_LOCAL : SCOPE_SHARED;
	struct commit_result r = { 0 };
	struct commit_info info;
	uint32_t n = 0;
	int rc = c->argc > 0 ? ctl_revision(c->argv[0], &n, err) : 0;

	if (rc == 0 && c->argc > 0)
		rc = ctl_ask(c, err, "Go back to revision %" PRIu32, n);
	if (rc == 0)
		rc = ctl_trial_keeper(c, err);
	if (rc == 0)
		rc = ctl_store(c, true, err);
	if (rc != 0)
		return rc;
	ctl_commit_info(c, &info);
	rc = c->argc > 0 ? store_rollback(c->store, scope, n, &info, &r, err)
			 : revert_trial(c, &info, &r, err);
	if (rc == 0 && info.dry_run)
		(void)ctl_show_difference(c, &r);
	else if (rc == 0)
		rc = ctl_committed(c, &r, false, err);
	commit_result_fini(&r);
	return rc;
}
