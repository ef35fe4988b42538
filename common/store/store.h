/* store.h - the configuration on disk: SQLite, numbered revisions kept as deltas, secrets in a second file.
 *
 * Every change is a transaction: take the candidate, change it, check the whole, commit, number it. Nothing is
 * half-applied. A commit may touch several scopes; each scope has its own numbers. Readers need read permission
 * only. Files: DIR/config.db (0664, group lbd-admin), DIR/secrets.db (0660). Not thread-safe: one per thread. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/err.h"
#include "schema/doc.h"
#include "store/pool_names.h"
#include "store/snapshot.h"

struct store;

enum {
	STORE_READ = 0,	 /* a daemon: never writes, never creates */
	STORE_WRITE = 1, /* lbctl, lbd-web, lbd-ha: creates and upgrades what is missing */
	STORE_ODD = 2,	 /* ids of this node are odd (the second node of a pair) */
};
/* store_open - dir is the state folder. ERR_STORE: the text names the file, the fault and the way back.
 * -ENOENT: a reader found no store yet. */
int store_open(const char *dir, int flags, struct store **out, struct err *err);
void store_close(struct store *st); /* NULL is fine */

/* store_snapshot - the candidate base, brought up to date by the deltas since; a reference for the caller. */
int store_snapshot(struct store *st, struct snapshot **out, struct err *err);
uint32_t store_head(struct store *st, enum scope scope);
/* store_moved - whether somebody committed since the last call (PRAGMA data_version; microseconds). */
bool store_moved(struct store *st);
/* store_continues - whether revisions after those of s are in the store. False when some were replaced by
 * others (a restore, or the pair: store/replica.h): then only store_snapshot helps, whatever the numbers say. */
bool store_continues(struct store *st, const struct snapshot *s);
/* store_delta - delta of one revision; -ENOENT when it is not (any more) in the history. */
int store_delta(struct store *st, enum scope scope, uint32_t n, struct buf *out);

/* Local addresses that commits check against (S060); copied. NULL: no check. */
void store_set_local(struct store *st, const struct iface_list *local);

/* Who knows what is behind the entries of lists, for commits that have to know (store/pool_names.h). NULL: nobody, and names of
 * pools in them are not checked. */
void store_set_values(struct store *st, map_values_fn fn, void *arg);

struct commit_info {
	const char *who;    /* user name; required */
	const char *origin; /* "cli", "api 10.0.0.9", "panel 10.0.0.9", "trial" */
	const char *why;    /* message; may be NULL */
	uint32_t base;	    /* expected SHARED head; 0 is any. ERR_CONFLICT when it moved */
	uint32_t trial_ms;  /* 0, or the time in which it must be confirmed */
	bool dry_run;	    /* check and compute the result, change nothing */
};
struct commit_result {
	uint32_t revision[SCOPES];  /* new number; 0 when the scope did not change */
	struct buf delta[SCOPES];   /* its delta */
	struct snapshot *old, *now; /* before and after; for diff */
};
void commit_result_fini(struct commit_result *r);

/* store_edit - all edits of the doc in one transaction. Nothing differs: returns 0 and all revisions are 0.
 * ERR_INVALID, ERR_UNKNOWN, ERR_CONFLICT (also while another trial waits), ERR_STORE. result may be NULL. */
int store_edit(struct store *st, const struct doc *d, const struct commit_info *info,
    struct commit_result *result, struct err *err);
/* store_rollback - as it was at revision n of the scope (SHARED or LOCAL), as a new revision. */
int store_rollback(struct store *st, enum scope scope, uint32_t n, const struct commit_info *info,
    struct commit_result *result, struct err *err);
/* store_at - the configuration as it was at revision n; for show and diff. */
int store_at(
    struct store *st, enum scope scope, uint32_t n, struct snapshot **out, struct err *err);

/* One order of an operator for one server (OPER scope); NULL members are copied as "". */
struct order {
	uint32_t server;
	int state;	/* enum admin_state, or -1: as it is */
	int64_t weight; /* 0 to 65535, -1: as it is, -2: as configured */
	int64_t until;	/* seconds since 1970; 0 none */
};
int store_order(struct store *st, const struct order *orders, unsigned n,
    const struct commit_info *info, struct commit_result *result, struct err *err);

struct revision {
	enum scope scope;
	uint32_t n;
	int64_t at; /* seconds since 1970 */
	const char *who, *origin, *why;
	unsigned changes; /* rows */
};
/* store_history - newest first, at most max rows; scope SCOPE_OBSERVED is all scopes. Stops when fn gives not 0. */
typedef int (*revision_fn)(void *arg, const struct revision *r);
int store_history(struct store *st, enum scope scope, unsigned max, revision_fn fn, void *arg);

/* The trial that waits for its confirmation. */
struct trial {
	bool pending, rebooted; /* rebooted: begun before the last boot of this machine */
	bool
	    both; /* the other node of the pair has it too, or may: both keep it, or none (replica.h) */
	bool taken; /* it came from there */
	uint32_t revision[SCOPES], base[SCOPES];
	int64_t left_ms; /* until it is undone; <= 0 is now */
	int64_t due; /* the same as seconds since 1970, alike on both nodes; for the record only */
	char who[80];
};
int store_trial(struct store *st, struct trial *out, struct err *err);
int store_confirm(struct store *st, const struct commit_info *info,
    struct err *err); /* ERR_UNKNOWN: none waits */
/* store_revert - undo the trial: a new revision equal to its base. ERR_UNKNOWN: none waits. */
int store_revert(struct store *st, const struct commit_info *info, struct commit_result *result,
    struct err *err);
/* store_expire - the same by lbd-ha's timer. Once the time is up, two nodes that have the trial make the same revision
 * of it, hash and all, without a word. */
int store_expire(struct store *st, struct commit_result *result, struct err *err);

/* Transactions that live between two commands of lbctl or requests of the API. */
int store_tx_begin(
    struct store *st, const struct commit_info *info, uint32_t *id_out, struct err *err);
/* store_tx_add - checked with all edits before it, not applied. Texts of secrets are put away, and "@N" stands in
 * their place in d too. */
int store_tx_add(struct store *st, uint32_t id, const struct doc *d, struct err *err);
/* store_tx_load - all edits so far; base_out is the SHARED head it began at. */
int store_tx_load(
    struct store *st, uint32_t id, struct doc *d, uint32_t *base_out, struct err *err);
int store_tx_end(
    struct store *st, uint32_t id, struct err *err); /* forget it, after commit or abort */

/* store_mentions - whether a row, a kept revision, a transaction or a record of a join has the text, of at least eight
 * characters, in it. A store that cannot be searched has. */
bool store_mentions(struct store *st, const char *text);

/* store_backup - a consistent copy of the configuration (VACUUM INTO); path must not exist. */
int store_backup(struct store *st, const char *path, struct err *err);
/* store_restore - the configuration as it is in a copy; path NULL is the newest automatic one in DIR/backup. The
 * copy is checked first. When the store is usable this is a commit like any other (orders of operators stay, and
 * it can be rolled back); when it is damaged the copy takes its place, the damaged file is kept beside it as
 * config.db.damaged, and revisions go on above all that the lost file can have had. result may be NULL; it is
 * empty when the file was replaced. ERR_UNKNOWN: no copy. */
int store_restore(const char *dir, const char *path, const struct commit_info *info,
    struct commit_result *result, struct err *err);

#endif
