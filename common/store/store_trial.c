/* The trial commit: one row that says what waits, until when, and where back is. The deadline is an instant of
 * the clock that goes on while the machine sleeps, and holds for one boot only: after a reboot the time is up.
 * Undoing is a revision like any other, made of the inverted deltas. Who undoes when the time is up is lbd-ha;
 * nothing here waits. */
#include "base/mono.h"
#include "base/must.h"
#include "store/store_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BOOT_TEXT 40

const char *trial_boot_id_file = "/proc/sys/kernel/random/boot_id";

/* "" when the kernel does not say: then every trial counts as begun before the boot, which is the safe side. */
static void
boot_id(char out[BOOT_TEXT])
{
	int fd = open(trial_boot_id_file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd != -1 ? read(fd, out, BOOT_TEXT - 1) : 0;

	if (fd != -1)
		(void)close(fd);
	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

static int
read_trial(struct store *st, struct trial *out, struct err *err)
{
	sqlite3_stmt *q = store_query(st,
	    "SELECT shared_base, local_base, shared, local, boot, deadline, who FROM trial WHERE id=1");
	char boot[BOOT_TEXT];
	int step = q != NULL ? sqlite3_step(q) : SQLITE_ERROR;

	*out = (struct trial){ 0 };
	if (step == SQLITE_ROW) {
		boot_id(boot);
		out->pending = true;
		out->base[SCOPE_SHARED] = (uint32_t)sqlite3_column_int64(q, 0);
		out->base[SCOPE_LOCAL] = (uint32_t)sqlite3_column_int64(q, 1);
		out->revision[SCOPE_SHARED] = (uint32_t)sqlite3_column_int64(q, 2);
		out->revision[SCOPE_LOCAL] = (uint32_t)sqlite3_column_int64(q, 3);
		out->rebooted =
		    boot[0] == '\0' || strcmp(boot, (const char *)sqlite3_column_text(q, 4)) != 0;
		if (!out->rebooted)
			out->left_ms = sqlite3_column_int64(q, 5) - mono_boottime_ms();
		(void)snprintf(
		    out->who, sizeof(out->who), "%s", (const char *)sqlite3_column_text(q, 6));
		step = SQLITE_DONE;
	}
	(void)sqlite3_finalize(q);
	return step == SQLITE_DONE ? 0 : store_fault(st, err);
}

int
store_trial(struct store *st, struct trial *out, struct err *err)
{
	int rc = 0;

	if (st->db == NULL || store_replaced(st))
		rc = store_reopen(st, err);
	return rc != 0 ? rc : read_trial(st, out, err);
}

int
trial_allows(struct store *st, const struct commit_info *info, struct err *err)
{
	struct trial t;
	int rc = read_trial(st, &t, err);

	if (rc != 0 || !t.pending || info->trial_ms != 0)
		return rc;
	return err_set(err, ERR_CONFLICT,
	    "revision %u of %s waits for its confirmation: lbctl confirm keeps it, lbctl rollback %u drops "
	    "it; a commit with --confirm joins it",
	    (unsigned)t.revision[SCOPE_SHARED], t.who, (unsigned)t.base[SCOPE_SHARED]);
}

bool
trial_extends(struct store *st, const struct commit_info *info)
{
	struct trial t;

	return info->trial_ms != 0 && read_trial(st, &t, NULL) == 0 && t.pending;
}

bool
trial_holds(struct store *st, enum scope scope)
{
	struct trial t;

	return read_trial(st, &t, NULL) == 0 && t.pending && t.base[scope] != t.revision[scope];
}

uint32_t
trial_base(struct store *st, enum scope scope)
{
	struct trial t;

	return read_trial(st, &t, NULL) == 0 && t.pending ? t.base[scope] : 0;
}

int
trial_record(struct store *st, const struct commit_info *info, const uint32_t before[SCOPES],
    const uint32_t after[SCOPES], struct err *err)
{
	char boot[BOOT_TEXT];
	sqlite3_stmt *q;
	struct trial t;
	int rc;

	if (info->trial_ms == 0)
		return 0;
	rc = read_trial(st, &t, err);
	if (rc != 0)
		return rc;
	if (!t.pending && after[SCOPE_SHARED] == 0 && after[SCOPE_LOCAL] == 0)
		return 0; /* orders need no confirmation */
	for (unsigned i = 0; i < SCOPES; i++) {
		t.base[i] = t.pending ? t.base[i] : before[i];
		t.revision[i] = after[i] != 0 ? after[i] : before[i];
	}
	boot_id(boot);
	q = store_query(st, "INSERT OR REPLACE INTO trial VALUES(1,?1,?2,?3,?4,?5,?6,?7)");
	(void)sqlite3_bind_int64(q, 1, t.base[SCOPE_SHARED]);
	(void)sqlite3_bind_int64(q, 2, t.base[SCOPE_LOCAL]);
	(void)sqlite3_bind_int64(q, 3, t.revision[SCOPE_SHARED]);
	(void)sqlite3_bind_int64(q, 4, t.revision[SCOPE_LOCAL]);
	(void)sqlite3_bind_text(q, 5, boot, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 6, mono_boottime_ms() + info->trial_ms);
	(void)sqlite3_bind_text(q, 7, info->who, -1, SQLITE_STATIC);
	return store_run(st, q, err);
}

int
store_confirm(struct store *st, const struct commit_info *info, struct err *err)
{
	int rc = store_exec(st, "DELETE FROM trial", err);

	(void)info; /* who confirmed is told by the caller's log; the revision says who made it */
	if (rc == 0 && sqlite3_changes(st->db) == 0)
		rc = err_set(err, ERR_UNKNOWN, "nothing waits for a confirmation");
	return rc;
}

int
store_revert(
    struct store *st, const struct commit_info *info, struct commit_result *result, struct err *err)
{
	struct commit_info mine = *info;
	char why[120];
	struct trial t;
	int rc;

	mine.base = 0;
	mine.trial_ms = 0;
	rc = txn_begin(st, &mine, err);
	if (rc != 0)
		return rc;
	rc = read_trial(st, &t, err);
	if (rc == 0 && !t.pending)
		rc = err_set(err, ERR_UNKNOWN, "nothing waits for a confirmation");
	for (unsigned i = 0; rc == 0 && i <= SCOPE_LOCAL; i++)
		if (t.base[i] != t.revision[i]) /* else what the peer committed meanwhile stays */
			rc = history_undo(st, (enum scope)i, t.base[i], err);
	if (rc == 0 && !mine.dry_run)
		rc = store_exec(st, "DELETE FROM trial", err);
	if (rc != 0) {
		txn_abort(st);
		return rc;
	}
	(void)snprintf(
	    why, sizeof(why), "not confirmed: back to revision %u", (unsigned)t.base[SCOPE_SHARED]);
	mine.why = mine.why != NULL ? mine.why : why;
	mine.origin = mine.origin != NULL ? mine.origin : "trial";
	return txn_commit(st, &mine, result, err);
}
