/* replica.h - two stores that are one: revisions that travel, are followed, copied whole, and joined.
 *
 * While the pair is connected the active node orders commits and the other follows them, number by number. Each
 * revision of SHARED and OPER has a hash over all before it, so equal heads are equal histories, and the last
 * common revision is found by comparing hashes. After a separation the active joins the other's revisions field by
 * field; then the other goes back to the common revision and follows. LOCAL never leaves the node.
 * Order of a join: replica_join of all, conflicts handed over, then replica_rewind, then replica_follow. Killed at
 * any instant, either node is before or after one of these calls, and doing all of it again is harmless.
 * -EBUSY everywhere: a trial of SHARED waits for its confirmation on this node; the text says so. */
#ifndef STORE_REPLICA_H
#define STORE_REPLICA_H

#include "base/buf.h"
#include "store/secret.h"
#include "store/store.h"

/* ---- this node -------------------------------------------------------------------------------- */

/* replica_set_node - which node of the pair this is, kept in the file: ids and secrets made from now on are even on
 * node 1, odd on node 2, so they never meet. Those that there are stay as they are. */
int replica_set_node(struct store *st, unsigned node, struct err *err);
unsigned replica_node(struct store *st); /* 1 or 2; 0: none was set */
/* replica_set_cluster - the pair whose configuration this is; kept in the file. */
int replica_set_cluster(struct store *st, uint64_t id, struct err *err);
/* replica_is_foreign - the configuration here is not that of this pair, whatever revisions the nodes have in common
 * (one may be a copy of the other, or they were a pair before): the slave of a new pair takes the whole. */
bool replica_is_foreign(struct store *st, unsigned node, uint64_t id);

/* ---- the chain -------------------------------------------------------------------------------- */

/* The newest revision and its hash; n 0 and hash 0 when there is none. ERR_STORE. */
int replica_head(struct store *st, enum scope scope, uint32_t *n_out, uint64_t *hash_out);
/* The hash of revision n; n 0 of OPER, before the first order, has 0. -ENOENT: not kept any more, or not there
 * yet. Two stores without a common revision of SHARED were never one: one of them takes a full copy. */
int replica_hash_at(struct store *st, enum scope scope, uint32_t n, uint64_t *hash_out);

/* ---- one revision ------------------------------------------------------------------------------- */

/* What its sender says of a trial (lbctl commit --confirm); not in the hash. */
enum replica_trial {
	TRIAL_UNSAID, /* an older build */
	TRIAL_NONE,   /* nothing waits there: if it waited here, it is over */
	TRIAL_WAITS,  /* this revision is part of a trial */
};
#define REPLICA_TEXT_MAX \
	4096 /* of a text with its NUL; what is longer is cut, and the hash covers what is left */
struct replica_revision {
	enum scope scope; /* SHARED or OPER */
	uint32_t n;
	int64_t at;    /* seconds since 1970, by the clock of the node that made it; for display */
	unsigned node; /* that made it; 0: before there was a pair */
	uint64_t hash;
	const char *who, *origin, *why; /* never NULL */
	const void *delta; /* NULL: a restore or a full copy, what it changed is not known */
	size_t len;
	enum replica_trial trial;
	uint32_t base;	  /* of the trial */
	uint32_t left_ms; /* of it, when this was read */
	int64_t due;
	struct buf own; /* of replica_read: what the pointers borrow */
};
/* replica_read - everything of one revision, for the peer. -ENOENT: not kept. ERR_STORE. */
int replica_read(struct store *st, enum scope scope, uint32_t n, struct replica_revision *out);
void replica_revision_fini(struct replica_revision *r);

/* replica_encode - appended to out. Bytes, big-endian: version, scope, node, n, at, hash, three texts, delta. */
void replica_encode(const struct replica_revision *r, struct buf *out);
/* replica_decode - out borrows from the bytes; its own is empty. What follows after the known fields is skipped.
 * -EBADMSG: no revision, or its delta cannot be read. */
int replica_decode(const void *bytes, size_t len, struct replica_revision *out);

/* ---- following ---------------------------------------------------------------------------------- */

/* replica_follow - the peer's revision as the very next of ours: same number, same bytes, same hash. Checked as a
 * whole, but not against the addresses of this node's interfaces. result may be NULL; its delta is the peer's.
 * ERR_CONFLICT: it does not fit, the copies differ: find the last common revision, or copy the whole.
 * ERR_INVALID: the set is not allowed here (a newer build's value). ERR_PROTO. -EBUSY. Nothing was changed.
 * A revision of a trial begins the trial here too, or makes it longer; one after it ends the trial here. */
int replica_follow(struct store *st, const struct replica_revision *r, struct commit_result *result,
    struct err *err);
/* replica_skipped - whether something that came had kinds or tags that this build does not know. They are kept and
 * sent on as they came, but no row has them: after an upgrade of this build take a full copy. */
bool replica_skipped(struct store *st);
/* replica_outgrown - something was skipped by an older build than this one, and the other node, whose schema is of
 * version theirs, may have it: a full copy is due, once the heads are equal. */
bool replica_outgrown(struct store *st, unsigned theirs);

/* ---- a trial of both ---------------------------------------------------------------------------- */

/* replica_trial_leaves - before a revision of the trial is sent: from now on the other node may have it. */
int replica_trial_leaves(struct store *st, struct err *err);
/* replica_trial_time - the other node has given it this much more time. Nothing, when n is not what waits. */
int replica_trial_time(
    struct store *st, uint32_t n, uint32_t left_ms, int64_t due, struct err *err);
/* replica_trial_keep - the other node asks whether revision n (hash) may stay: nothing waits here any more then.
 * ERR_REVERTED: it is not the newest here. */
int replica_trial_keep(struct store *st, uint32_t n, uint64_t hash, struct err *err);

/* ---- the whole ---------------------------------------------------------------------------------- */

/* replica_dump - all rows of SHARED and OPER with their heads, appended to out; of one instant. */
int replica_dump(struct store *st, struct buf *out, struct err *err);
/* replica_replace - SHARED and OPER become those of the dump in one transaction; numbers and hashes go on as the
 * peer's, ids stay as they come. Before it a copy of the whole file is made as DIR/backup/replaced-N.db, which
 * store_restore takes. The history stays when both had the same heads. Secrets that the dump names must be here before. Readers load the whole.
 * ERR_PROTO, ERR_INVALID (not allowed here), ERR_STORE, -EBUSY. result may be NULL; its deltas are empty. */
int replica_replace(struct store *st, const void *dump, size_t len, const struct commit_info *info,
    struct commit_result *result, struct err *err);

/* ---- joining ------------------------------------------------------------------------------------ */

/* replica_join - on the active node: one revision that the other made after the last common one, which is revision
 * common of the scope, field by field; from the oldest to the newest.
 * What this node did not change is taken, as a revision of its own (none when nothing is left); where both changed
 * a field the value here stands, and the other is recorded as a conflict. A revision that would make a set that is
 * not allowed is recorded whole. A revision that was joined before does nothing. result may be NULL;
 * conflicts_out (may be NULL) is how many were recorded. ERR_PROTO, ERR_STORE, -EBUSY. */
int replica_join(struct store *st, uint32_t common, const struct replica_revision *r,
    struct commit_result *result, unsigned *conflicts_out, struct err *err);
/* replica_rewind - on the other node: back to revision n, whose hash must be the one given, in one transaction.
 * Revisions after it are kept as superseded. Readers load the whole.
 * ERR_CONFLICT: n has another hash here. ERR_UNKNOWN: n, or the way to it, is not kept: copy the whole. -EBUSY. */
int replica_rewind(struct store *st, enum scope scope, uint32_t n, uint64_t hash, struct err *err);

/* Superseded revisions, newest first, at most max; stops when fn gives not 0. id is for replica_superseded_take. */
typedef int (*superseded_fn)(void *arg, uint32_t id, const struct replica_revision *r);
int replica_superseded(struct store *st, unsigned max, superseded_fn fn, void *arg);
/* One of them done again, field by field as in a join, as a new revision; conflicts are recorded. ERR_UNKNOWN. */
int replica_superseded_take(struct store *st, uint32_t id, const struct commit_info *info,
    struct commit_result *result, struct err *err);

/* ---- conflicts ---------------------------------------------------------------------------------- */

enum conflict_what {
	CONFLICT_FIELD = 1, /* both changed it */
	CONFLICT_GONE,	    /* changed there, deleted here */
	CONFLICT_KEPT,	    /* deleted there, changed or used here */
	CONFLICT_NAME,	    /* the name is taken here; standing is the one it has now */
	CONFLICT_REFERENCE, /* it names what does not exist here */
	CONFLICT_REFUSED,   /* the set would not be allowed; reason says why */
	CONFLICT_FOREIGN,   /* a kind or field that this build does not know */
};
struct conflict {
	uint64_t id; /* of revision, row and field: the same on both nodes */
	enum conflict_what what;
	enum scope scope;
	uint8_t kind;
	uint16_t tag; /* 0: the whole row */
	unsigned node;
	uint32_t object, n; /* row, and the revision that lost */
	int64_t at;	    /* of that revision */
	const char *name;   /* path of the row, or "with id N"; texts are never NULL */
	const char *losing, *standing, *reason;
	const char *who, *origin;
	const void *delta; /* one row of a delta: what replica_conflict_take does */
	size_t len;
};
/* What every surface says of a record; pointers are borrowed from it, or last for ever. */
struct conflict_words {
	char id[17];
	const char *kind, *field; /* "?": of a newer build; field "": the whole row */
	const char *why;
};
void replica_conflict_words(const struct conflict *c, struct conflict_words *out);
typedef int (*conflict_fn)(void *arg, const struct conflict *c);
/* Oldest first. Stops when fn gives not 0, and returns that; or ERR_STORE. */
int replica_conflicts(struct store *st, conflict_fn fn, void *arg);
/* replica_conflict_take - the losing value after all, as a new revision; the record goes. Errors are those of
 * store_edit; ERR_UNKNOWN: no such record, or its row is gone. Nothing differs: revision 0, and the record goes. */
int replica_conflict_take(struct store *st, uint64_t id, const struct commit_info *info,
    struct commit_result *result, struct err *err);
int replica_conflict_drop(struct store *st, uint64_t id, struct err *err); /* ERR_UNKNOWN */

void replica_conflict_encode(const struct conflict *c, struct buf *out);
int replica_conflict_decode(const void *bytes, size_t len, struct conflict *out); /* -EBADMSG */
/* One of the peer's records kept here too; one that is here already is left as it is. */
int replica_conflict_put(struct store *st, const struct conflict *c, struct err *err);

/* ---- secrets ------------------------------------------------------------------------------------ */

/* Numbers of secrets that the delta (or dump) puts into rows, rising, each once; caller frees. They travel before
 * it (secret_export, secret_import). NULL and 0: none, or the bytes are bad. */
uint32_t *replica_secrets_of(const void *delta, size_t len, uint32_t *n_out);
uint32_t *replica_dump_secrets(const void *dump, size_t len, uint32_t *n_out);
/* replica_secret_move - before a full copy: a number that the peer uses for another secret (secret_import said
 * ERR_CONFLICT) is given up. The secret of this node gets a new number, and rows that name it are changed by a
 * commit. Nothing here names n afterwards but older copies of the file. */
int replica_secret_move(
    struct store *st, uint32_t n, const struct commit_info *info, struct err *err);

#endif
