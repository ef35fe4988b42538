/* store_priv.h - the store from inside; for the files of this folder. */
#ifndef STORE_STORE_PRIV_H
#define STORE_STORE_PRIV_H

#include "base/arena.h"
#include "schema/value.h"
#include "store/delta.h"
#include "store/replica.h"
#include "store/secret.h"
#include "store/sqlite.h"
#include "store/store.h"
#include "sys/netlink.h"

#include <sys/types.h>

#define STORE_LAYOUT 2	/* user_version of the file that this build makes */
#define COLUMNS_MAX 192 /* of a table, with those of newer and older builds */
#define NO_FIELD 255	/* a column that is no field of this build */
#define BACKUP_EVERY 20 /* revisions between two automatic copies */
#define BACKUP_KEEP 5
#define BUSY_MS 5000 /* longest wait for another writer */
#define STORE_PATH_MAX 320
#define NAME_TEXT 160 /* a path with its parent */

struct row {
	uint32_t id;
	struct cell c[FIELDS_MAX]; /* text is borrowed: from the statement, the doc or a delta */
};

enum query { Q_ALL, Q_BY_ID, Q_ID, Q_NAME, Q_INSERT, Q_UPDATE, Q_DELETE, Q_CHILDREN, Q_END };

struct store {
	sqlite3 *db;
	bool writer, making;
	bool odd, odd_asked; /* of the ids to come: by the node's number, else as it was opened */
	bool touched;  /* rows of our own tables changed: to be committed without a revision too */
	unsigned node; /* of the pair, 1 or 2; 0: none yet */
	bool old_columns; /* a reader of a file that no writer has upgraded yet */
	char dir[256], path[STORE_PATH_MAX];
	dev_t dev;
	ino_t ino; /* of the file that is open: a restore may put another in its place */
	uint8_t col[KINDS][COLUMNS_MAX]; /* column 0 is id: field at each column, or NO_FIELD */
	bool has[KINDS][FIELDS_MAX];	 /* whether the table has the field's column */
	sqlite3_stmt *q[KINDS][Q_END];
	char name[NAME_TEXT]; /* last answer of names.name */
	struct names names;
	sqlite3_session *session;
	uint32_t next[KINDS]; /* ids, inside a transaction */
	struct snapshot *base;
	int64_t data_version;
	struct secrets *secrets; /* opened by the first who needs it */
	struct iface_list local;
	bool check_local;
	map_values_fn values; /* store_set_values */
	void *values_arg;
	int fault; /* first SQLite fault of this transaction; the commit reports it */
};

/* store_sqlite.c */
enum path_use { PATH_READ, PATH_WRITE, PATH_MAKE }; /* MAKE: the file is empty yet */
int store_open_path(const char *path, enum path_use use, struct store **out, int *fault_out,
    struct err *
	err); /* fault_out: SQLite's code of a failure, 0 when it was none of SQLite's; may be NULL */
int store_fault(struct store *st, struct err *err); /* the fault of the connection, as ERR_STORE */
int store_exec(struct store *st, const char *sql, struct err *err);
int store_execf(struct store *st, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* NULL: cannot be prepared, see store_fault. Caller finalizes. */
sqlite3_stmt *store_query(struct store *st, const char *sql);
int64_t store_number(struct store *st, const char *sql); /* first column of the first row, or 0 */
/* One step of a statement that gives no rows; finalizes it. */
int store_run(struct store *st, sqlite3_stmt *q, struct err *err);
int store_reopen(struct store *st, struct err *err); /* when another file was put in its place */
bool store_replaced(const struct store *st);
int store_secrets(struct store *st, struct secrets **out, struct err *err);

/* store_file.c: the file as a file */
int file_create(
    const char *dir, bool odd, struct err *err); /* when it is missing; 0 also when it is there */
int file_lock(const char *dir, struct err *err); /* descriptor, or a negative code */
void file_unlock(int fd);
/* fresh, closed and without a -wal, takes the place of path. The lock is held. */
int file_install(const char *fresh, const char *path, struct err *err);
void file_rights(const char *path, mode_t mode); /* mode, and group lbd-admin */
/* Newest automatic copy; false when there is none. */
bool file_last_copy(const char *dir, char *out, size_t n);
/* A copy now, in DIR/backup/config-HEAD.db, for what is about to be replaced. */
int file_copy_now(struct store *st, uint32_t n, struct err *err);
/* Copies above revision n, of other revisions than those to come: config-N.db is replaced-N.db from now on. */
void file_set_aside(struct store *st, uint32_t n);
void file_copy_revision(
    struct store *st, uint32_t n); /* an automatic copy, and no more than BACKUP_KEEP */

/* ddl.c */
int ddl_create(struct store *st, struct err *err);
int ddl_upgrade(struct store *st, struct err *err);
int ddl_columns(struct store *st, struct err *err); /* what columns there are */
bool ddl_is_current(struct store *st);

/* store_rows.c */
void rows_fini(struct store *st);
void rows_reset(struct store *st);
bool rows_get(struct store *st, const struct object *o, uint32_t id, struct row *out);
uint32_t rows_find(struct store *st, const struct object *o, uint32_t parent, const char *name);
int rows_insert(struct store *st, const struct object *o, struct row *row, struct err *err);
int rows_update(struct store *st, const struct object *o, const struct row *row, struct err *err);
int rows_delete(struct store *st, const struct object *o, uint32_t id, struct err *err);
void rows_path(
    struct store *st, const struct object *o, const struct row *row, char out[NAME_TEXT]);
typedef int (*row_fn)(void *arg, const struct object *o, const struct row *row);
int rows_each(struct store *st, const struct object *o, row_fn fn, void *arg, struct err *err);
/* Ids of the children of a row; caller frees. */
uint32_t *rows_children(
    struct store *st, const struct object *child, uint32_t parent, uint32_t *n_out);
/* Some row that refers to this one, as "vip web"; false when there is none. */
bool rows_user(struct store *st, const struct object *o, uint32_t id, char out[NAME_TEXT + 32]);
void rows_names_init(struct store *st);
int rows_sequences(struct store *st, struct err *err);
int rows_save_sequences(struct store *st, struct err *err);

/* store_load.c */
int store_refresh(struct store *st, struct err *err); /* base is the state of this transaction */
int store_load_whole(struct store *st, struct err *err);

/* store_commit.c: begin, change rows, then commit or abort */
int txn_begin(struct store *st, const struct commit_info *info, struct err *err);
int txn_commit(struct store *st, const struct commit_info *info, struct commit_result *result,
    struct err *err);
/* What a revision is recorded as, when it is not simply one of this node. */
struct txn_as {
	unsigned node; /* that made it */
	bool joined;   /* the trial was looked at already */
	bool undoes;   /* what stood before: the addresses of this node do not count */
	int64_t at;    /* seconds since 1970; 0 now */
	const struct replica_revision *follows; /* of the peer, kept as it came; else NULL */
};
int txn_commit_as(struct store *st, const struct commit_info *info, const struct txn_as *as,
    struct commit_result *result, struct err *err);
/* What was done to the rows, without a revision; the base is loaded anew by the next who needs it. */
int txn_commit_rows(struct store *st, struct err *err);
void txn_abort(struct store *st);
bool txn_breaks_references(struct store *st); /* so far: a COMMIT would be refused */
void collect_secrets(struct store *st);	      /* store_secrets.c */
extern int64_t secret_young_s; /* younger ones are not collected; a test does not want to wait */

/* store_edit.c: all edits of a doc, inside a transaction */
int edit_doc(
    struct store *st, const struct doc *d, const struct commit_info *info, struct err *err);
/* The texts of SECRET fields put away, and "@N" in their place. */
int edit_seal(struct store *st, const struct doc *d, struct err *err);

/* history.c */
int history_inverse(
    struct store *st, enum scope scope, uint32_t n, struct buf *out, struct err *err);
/* Rows as they were at revision to, inside a transaction. */
int history_undo(struct store *st, enum scope scope, uint32_t to, struct err *err);

/* store_chain.c */
uint64_t chain_hash(uint64_t before, const struct replica_revision *r);
int chain_before(
    struct store *st, enum scope scope, uint32_t n, uint64_t *hash_out, struct err *err);
int chain_fill(struct store *st, struct err *err); /* hashes that are missing; in a transaction */

/* store_replica.c */
unsigned replica_read_node(struct store *st);
int replica_fits(const void *delta, size_t len, enum scope scope, bool *skips_out, struct err *err);
int replica_note_skipped(struct store *st, bool skipped, struct err *err);
int replica_free_of_trial(struct store *st, enum scope scope, struct err *err);
/* The rest of a row of revision or superseded: scope, n, at, who, origin, why, node, hash, delta. */
void replica_take_row(sqlite3_stmt *q, struct replica_revision *out);

/* store_conflict.c */
int conflict_add(struct store *st, const struct conflict *c, struct err *err);

/* store_join.c: the rows of the transaction and one revision of the other, field by field */
struct join_how {
	const struct replica_revision *rev;
	uint32_t common;     /* the last revision of both: names this separation */
	const char *refused; /* nothing of it is taken, and this is why; else NULL */
	unsigned conflicts;  /* how many were recorded */
};
int join_rows(struct store *st, struct join_how *how, struct err *err);

/* store_trial.c */
int trial_allows(struct store *st, const struct commit_info *info, struct err *err);
/* Whether a commit without changes still moves the deadline of a waiting trial. */
bool trial_extends(struct store *st, const struct commit_info *info);
bool trial_holds(struct store *st, enum scope scope); /* the trial that waits changed this scope */
int trial_record(struct store *st, const struct commit_info *info, const uint32_t before[SCOPES],
    const uint32_t after[SCOPES], struct err *err);
uint32_t trial_base(struct store *st, enum scope scope);      /* 0: none waits */
void trial_say(struct store *st, struct replica_revision *r); /* fills what is said of a trial */
/* After the rows of the other's revision: the trial that it is part of, or ends. In its transaction. */
int trial_follow(struct store *st, const struct replica_revision *r, struct err *err);
extern const char *trial_boot_id_file; /* the kernel's; a test names another, to play a reboot */

#endif
