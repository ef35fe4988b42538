/* The trial commit: one row that says what waits, until when, and where back is. The deadline is an instant of
 * the clock that goes on while the machine sleeps, and holds for one boot only: after a reboot the time is up.
 * Undoing is a revision like any other, made of the inverted deltas. Who undoes when the time is up is lbd-ha;
 * nothing here waits.
 *
 * In a pair the trial travels with its revision, so there is no instant in which the other node has one without the
 * other, and each node can undo it alone: at the same number, with the same bytes and time, so that afterwards there is
 * nothing to join. Its row on the other node has the base and the way back; what it changed in LOCAL stays on the node
 * that began it. Keeping it is for both or none: who asks deletes his row last. */
#include "base/mono.h"
#include "base/must.h"
#include "store/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BOOT_TEXT 40

enum { PAIR_NO, PAIR_SENT, PAIR_TAKEN }; /* what meta says of the trial */

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

/* What a file of an older build does not have is 0. */
static int64_t
meta(struct store *st, const char *name)
{
	sqlite3_stmt *q = store_query(st, "SELECT value FROM meta WHERE name=?1");
	int64_t v = 0;

	(void)sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
	if (q != NULL && sqlite3_step(q) == SQLITE_ROW)
		v = sqlite3_column_int64(q, 0);
	(void)sqlite3_finalize(q);
	return v;
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
	if (out->pending) {
		int64_t pair = meta(st, "trial_pair");

		out->both = pair != PAIR_NO;
		out->taken = pair == PAIR_TAKEN;
		out->due = meta(st, "trial_due");
	}
	return step == SQLITE_DONE ? 0 : store_fault(st, err);
}

/* t with so much time from now on. */
static int
write_trial(struct store *st, const struct trial *t, uint32_t left_ms, struct err *err)
{
	char boot[BOOT_TEXT];
	sqlite3_stmt *q =
	    store_query(st, "INSERT OR REPLACE INTO trial VALUES(1,?1,?2,?3,?4,?5,?6,?7)");
	int rc;

	boot_id(boot);
	(void)sqlite3_bind_int64(q, 1, t->base[SCOPE_SHARED]);
	(void)sqlite3_bind_int64(q, 2, t->base[SCOPE_LOCAL]);
	(void)sqlite3_bind_int64(q, 3, t->revision[SCOPE_SHARED]);
	(void)sqlite3_bind_int64(q, 4, t->revision[SCOPE_LOCAL]);
	(void)sqlite3_bind_text(q, 5, boot, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 6, mono_boottime_ms() + left_ms);
	(void)sqlite3_bind_text(q, 7, t->who, -1, SQLITE_STATIC);
	rc = store_run(st, q, err);
	if (rc != 0)
		return rc;
	return store_execf(st, err,
	    "INSERT OR REPLACE INTO meta VALUES('trial_pair', %d), ('trial_due', %lld)",
	    t->taken  ? PAIR_TAKEN
	    : t->both ? PAIR_SENT
		      : PAIR_NO,
	    (long long)t->due);
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
		if (t.base[i] ==
		    t.revision[i]) /* not part of it yet; the other node may have gone on */
			t.base[i] = before[i];
		t.revision[i] = after[i] != 0 ? after[i] : before[i];
	}
	(void)snprintf(t.who, sizeof(t.who), "%s", info->who);
	t.due = (int64_t)time(NULL) + info->trial_ms / 1000;
	return write_trial(st, &t, info->trial_ms, err);
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

static int
revert(struct store *st, const struct commit_info *info, struct trial *t, struct err *err)
{
	int rc = txn_begin(st, info, err);

	if (rc != 0)
		return rc;
	rc = read_trial(st, t, err);
	if (rc == 0 && !t->pending)
		rc = err_set(err, ERR_UNKNOWN, "nothing waits for a confirmation");
	for (unsigned i = 0; rc == 0 && i <= SCOPE_LOCAL; i++)
		if (t->base[i] != t->revision[i]) /* else what the peer committed meanwhile stays */
			rc = history_undo(st, (enum scope)i, t->base[i], err);
	if (rc == 0 && !info->dry_run)
		rc = store_exec(st, "DELETE FROM trial", err);
	if (rc != 0)
		txn_abort(st);
	return rc;
}

static void
say_why(struct commit_info *info, const struct trial *t, char why[120])
{
	(void)snprintf(
	    why, 120, "not confirmed: back to revision %u", (unsigned)t->base[SCOPE_SHARED]);
	info->why = info->why != NULL ? info->why : why;
	info->origin = info->origin != NULL ? info->origin : "trial";
}

int
store_revert(
    struct store *st, const struct commit_info *info, struct commit_result *result, struct err *err)
{
	struct commit_info mine = *info;
	const struct txn_as as = { .node = st->node, .undoes = true };
	char why[120];
	struct trial t;
	int rc;

	mine.base = 0;
	mine.trial_ms = 0;
	rc = revert(st, &mine, &t, err);
	if (rc != 0)
		return rc;
	say_why(&mine, &t, why);
	return txn_commit_as(st, &mine, &as, result, err);
}

static unsigned
maker(struct store *st, uint32_t n)
{
	sqlite3_stmt *q = store_query(st, "SELECT node FROM revision WHERE scope=?1 AND n=?2");
	unsigned node = st->node;

	(void)sqlite3_bind_int(q, 1, SCOPE_SHARED);
	(void)sqlite3_bind_int64(q, 2, n);
	if (q != NULL && sqlite3_step(q) == SQLITE_ROW)
		node = (unsigned)sqlite3_column_int(q, 0);
	(void)sqlite3_finalize(q);
	return node;
}

int
store_expire(struct store *st, struct commit_result *result, struct err *err)
{
	struct commit_info info = { .who = "lbd-ha" };
	struct txn_as as = { .undoes = true };
	char why[120];
	struct trial t;
	int rc = revert(st, &info, &t, err);

	if (rc != 0)
		return rc;
	say_why(&info, &t, why);
	as.node = maker(st, t.revision[SCOPE_SHARED]);
	if (t.due != 0 && ((!t.rebooted && t.left_ms <= 0) || (int64_t)time(NULL) >= t.due))
		as.at = t.due;
	return txn_commit_as(st, &info, &as, result, err);
}

/* ---- both nodes of a pair ------------------------------------------------------------------------ */

void
trial_say(struct store *st, struct replica_revision *r)
{
	struct trial t;

	r->trial = TRIAL_UNSAID;
	if (read_trial(st, &t, NULL) != 0)
		return;
	r->trial = TRIAL_NONE;
	if (r->scope != SCOPE_SHARED || !t.pending || r->n <= t.base[SCOPE_SHARED] ||
	    r->n > t.revision[SCOPE_SHARED])
		return;
	r->trial = TRIAL_WAITS;
	r->base = t.base[SCOPE_SHARED];
	r->left_ms = t.left_ms > 0 ? (uint32_t)t.left_ms : 0;
	r->due = t.due;
}

static int
take_trial(struct store *st, struct trial *t, const struct replica_revision *r, struct err *err)
{
	bool here = t->pending && t->base[SCOPE_SHARED] != t->revision[SCOPE_SHARED];

	if (!t->pending)
		t->base[SCOPE_LOCAL] = t->revision[SCOPE_LOCAL] = store_head(st, SCOPE_LOCAL);
	t->base[SCOPE_SHARED] = r->base;
	t->revision[SCOPE_SHARED] = r->n;
	t->taken = here ? t->taken : true;
	t->both = true;
	t->due = r->due;
	(void)snprintf(t->who, sizeof(t->who), "%s", r->who);
	return write_trial(st, t, r->left_ms, err);
}

/* What this node changed in LOCAL along with it has to be undone yet. */
static int
end_trial(struct store *st, struct trial *t, const struct replica_revision *r, struct err *err)
{
	if (t->base[SCOPE_LOCAL] == t->revision[SCOPE_LOCAL])
		return store_exec(st, "DELETE FROM trial", err);
	t->base[SCOPE_SHARED] = t->revision[SCOPE_SHARED] = r->n;
	t->both = t->taken = false;
	return write_trial(st, t, 0, err);
}

int
trial_follow(struct store *st, const struct replica_revision *r, struct err *err)
{
	struct trial t;
	int rc = read_trial(st, &t, err);

	if (rc != 0 || r->trial == TRIAL_UNSAID)
		return rc;
	if (r->trial == TRIAL_WAITS)
		return take_trial(st, &t, r, err);
	return t.pending && t.base[SCOPE_SHARED] != t.revision[SCOPE_SHARED]
		   ? end_trial(st, &t, r, err)
		   : 0;
}

int
replica_trial_leaves(struct store *st, struct err *err)
{
	return store_execf(st, err, "UPDATE meta SET value=%d WHERE name='trial_pair' AND value=%d",
	    PAIR_SENT, PAIR_NO);
}

int
replica_trial_time(struct store *st, uint32_t n, uint32_t left_ms, int64_t due, struct err *err)
{
	struct trial t;
	int rc = read_trial(st, &t, err);

	if (rc != 0 || !t.pending || !t.both || t.revision[SCOPE_SHARED] != n)
		return rc;
	t.due = due;
	return write_trial(st, &t, left_ms, err);
}

int
replica_trial_keep(struct store *st, uint32_t n, uint64_t hash, struct err *err)
{
	uint64_t here;
	uint32_t head;
	int rc = store_exec(st, "BEGIN IMMEDIATE", err);

	if (rc != 0)
		return rc;
	rc = replica_head(st, SCOPE_SHARED, &head, &here);
	if (rc == 0 && (head != n || here != hash))
		rc = err_set(err, ERR_REVERTED,
		    "revision %u is not the newest on the other node: it was undone there",
		    (unsigned)n);
	if (rc == 0)
		rc = store_execf(st, err,
		    "DELETE FROM trial WHERE (SELECT value FROM meta WHERE name='trial_pair')<>%d",
		    PAIR_NO);
	if (rc == 0)
		return store_exec(st, "COMMIT", err);
	(void)store_exec(st, "ROLLBACK", NULL);
	return rc;
}
