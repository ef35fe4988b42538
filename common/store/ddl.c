/* SQL tables from the rows. A new table has its columns in row order; a table of an older build gets the
 * missing ones at its end, so the same column may stand at different places on two nodes, and nothing that
 * travels may count columns. A column that is no field any more is kept and ignored, so every column has a
 * default. Names are quoted: check is a word of SQL. Ranges are not in the SQL, because a CHECK cannot be
 * widened in place; nor are cascades and triggers, which a session would record twice. Layout 2 keeps with each
 * revision the node that made it and its hash, and has the tables of the pair. */
#include "base/must.h"
#include "store/store_priv.h"

#include <string.h>

static const char own_tables[] =
    "CREATE TABLE IF NOT EXISTS revision(id INTEGER PRIMARY KEY, scope INTEGER NOT NULL,"
    " n INTEGER NOT NULL, at INTEGER NOT NULL, who TEXT NOT NULL, origin TEXT NOT NULL,"
    " why TEXT NOT NULL, delta BLOB, changes INTEGER NOT NULL, node INTEGER NOT NULL DEFAULT 0,"
    " hash INTEGER) STRICT;"
    "CREATE UNIQUE INDEX IF NOT EXISTS revision_n ON revision(scope, n);"
    "CREATE TABLE IF NOT EXISTS sequence(kind INTEGER PRIMARY KEY, next INTEGER NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS trial(id INTEGER PRIMARY KEY, shared_base INTEGER NOT NULL,"
    " local_base INTEGER NOT NULL, shared INTEGER NOT NULL, local INTEGER NOT NULL,"
    " boot TEXT NOT NULL, deadline INTEGER NOT NULL, who TEXT NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS tx(id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,"
    " who TEXT NOT NULL, base INTEGER NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS tx_edit(id INTEGER PRIMARY KEY, tx INTEGER NOT NULL,"
    " doc TEXT NOT NULL) STRICT;"
    "CREATE INDEX IF NOT EXISTS tx_edit_tx ON tx_edit(tx);"
    "CREATE TABLE IF NOT EXISTS conflict(seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " id INTEGER NOT NULL UNIQUE, record BLOB NOT NULL, delta BLOB NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS superseded(id INTEGER PRIMARY KEY AUTOINCREMENT, scope INTEGER NOT NULL,"
    " n INTEGER NOT NULL, at INTEGER NOT NULL, who TEXT NOT NULL, origin TEXT NOT NULL,"
    " why TEXT NOT NULL, delta BLOB, node INTEGER NOT NULL, hash INTEGER) STRICT;"
    "CREATE TABLE IF NOT EXISTS joined(seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " hash INTEGER NOT NULL UNIQUE) STRICT;"
    "CREATE TABLE IF NOT EXISTS contested(scope INTEGER NOT NULL, common INTEGER NOT NULL,"
    " kind INTEGER NOT NULL, object INTEGER NOT NULL, tag INTEGER NOT NULL,"
    " PRIMARY KEY(scope, common, kind, object, tag)) STRICT, WITHOUT ROWID;"
    "INSERT OR IGNORE INTO meta VALUES('incarnation', random());";

static void
put_literal(struct buf *sql, const struct cell *c)
{
	if (c->s == NULL) {
		buf_printf(sql, "%lld", (long long)c->i);
		return;
	}
	buf_puts(sql, "'");
	for (const char *p = c->s; *p != '\0'; p++)
		buf_put(sql, *p == '\'' ? "''" : p, *p == '\'' ? 2 : 1);
	buf_puts(sql, "'");
}

/* An order outlives a server that was deleted, and orders are found by the id of the server. */
static bool
foreign_key(const struct object *o, const struct field *f)
{
	return f->type == VT_REF && (o->flags & O_NAMELESS) == 0;
}

static void
column(const struct object *o, const struct field *f, struct buf *sql)
{
	struct arena *a = arena_new(256);
	struct cell d = { .s = field_is_int(f) ? NULL : "" };

	buf_printf(sql, "\"%s\" %s", f->name, field_is_int(f) ? "INTEGER" : "TEXT");
	if (foreign_key(o, f)) {
		buf_printf(sql, " REFERENCES \"%s\"(id) DEFERRABLE INITIALLY DEFERRED",
		    object_of(f->ref)->cname);
	} else if (f->type != VT_REF) {
		if (f->def != NULL)
			value_default(f, a, &d);
		buf_puts(sql, " NOT NULL DEFAULT ");
		put_literal(sql, &d);
	}
	arena_unref(a);
}

static void
create(const struct object *o, struct buf *sql)
{
	buf_printf(sql, "CREATE TABLE IF NOT EXISTS \"%s\"(id INTEGER PRIMARY KEY", o->cname);
	for (unsigned i = 0; i < o->n; i++) {
		buf_puts(sql, ", ");
		column(o, &o->f[i], sql);
	}
	buf_puts(sql, ") STRICT;");
}

static void
indexes(const struct object *o, struct buf *sql)
{
	if ((o->flags & O_CHILD) != 0)
		buf_printf(sql,
		    "CREATE UNIQUE INDEX IF NOT EXISTS \"%s_name\" ON \"%s\"(\"%s\", \"%s\");",
		    o->cname, o->cname, o->f[o->parent_ref].name, o->f[0].name);
	else if ((o->flags & O_NAMELESS) == 0)
		buf_printf(sql, "CREATE UNIQUE INDEX IF NOT EXISTS \"%s_name\" ON \"%s\"(\"%s\");",
		    o->cname, o->cname, o->f[0].name);
	for (unsigned i = 0; i < o->n; i++)
		if (foreign_key(o, &o->f[i]))
			buf_printf(sql, "CREATE INDEX IF NOT EXISTS \"%s_%s\" ON \"%s\"(\"%s\");",
			    o->cname, o->f[i].name, o->cname, o->f[i].name);
}

static bool
stored(const struct object *o)
{
	return o->scope < SCOPES;
}

/* The map of one table; returns how many columns it has, or ERR_STORE. */
static int
read_columns(struct store *st, const struct object *o, struct err *err)
{
	unsigned k = o->kind - 1u;
	sqlite3_stmt *q = store_query(st, "SELECT name FROM pragma_table_info(?1) ORDER BY cid");
	int n = 0, step = SQLITE_DONE;

	memset(st->col[k], NO_FIELD, sizeof(st->col[k]));
	memset(st->has[k], 0, sizeof(st->has[k]));
	if (q == NULL)
		return store_fault(st, err);
	(void)sqlite3_bind_text(q, 1, o->cname, -1, SQLITE_STATIC);
	for (; n < COLUMNS_MAX && (step = sqlite3_step(q)) == SQLITE_ROW; n++) {
		const struct field *f = field_find(o, (const char *)sqlite3_column_text(q, 0));

		if (f != NULL) {
			st->col[k][n] = (uint8_t)(f - o->f);
			st->has[k][f - o->f] = true;
		}
	}
	if (step != SQLITE_DONE && step != SQLITE_ROW)
		n = store_fault(st, err);
	(void)sqlite3_finalize(q);
	return n;
}

int
ddl_columns(struct store *st, struct err *err)
{
	st->old_columns = false;
	for (unsigned k = 0; k < KINDS; k++) {
		const struct object *o = &objects[k];
		int n = stored(o) ? read_columns(st, o, err) : 1;

		if (n < 0)
			return n;
		if (n == 0 && st->writer)
			continue; /* a kind that is newer than the file: made by the upgrade */
		for (unsigned i = 0; stored(o) && i < o->n; i++)
			st->old_columns |= !st->has[k][i];
	}
	return 0;
}

/* Asked of the table and not of the layout's number, which a newer build may have set. */
static bool
has_chain(struct store *st)
{
	return store_number(
		   st, "SELECT count(*) FROM pragma_table_info('revision') WHERE name='hash'") == 1;
}

bool
ddl_is_current(struct store *st)
{
	bool all = store_number(st, "PRAGMA user_version") >= STORE_LAYOUT && has_chain(st);

	for (unsigned k = 0; k < KINDS; k++)
		for (unsigned i = 0; stored(&objects[k]) && i < objects[k].n; i++)
			all = all && st->has[k][i];
	return all;
}

int
ddl_create(struct store *st, struct err *err)
{
	struct buf sql = { 0 };
	int rc;

	for (unsigned k = 0; k < KINDS; k++)
		if (stored(&objects[k]))
			create(&objects[k], &sql);
	for (unsigned k = 0; k < KINDS; k++)
		if (stored(&objects[k]))
			indexes(&objects[k], &sql);
	buf_puts(&sql, own_tables);
	if (store_number(st, "PRAGMA user_version") < STORE_LAYOUT)
		buf_printf(&sql, "PRAGMA user_version=%d;", STORE_LAYOUT);
	rc = store_exec(st, buf_text(&sql), err);
	buf_fini(&sql);
	return rc != 0 ? rc : ddl_columns(st, err);
}

/* The columns that a table lacks. Rows are then written anew: in those of before the new columns would stand by
 * their default only, which a session (of SQLite before 3.44) records as NULL in the next edit's old values, and a
 * rollback of that edit would put there. */
static void
add_columns(const struct store *st, const struct object *o, struct buf *sql)
{
	const bool *has = st->has[o->kind - 1];
	bool added = false;

	for (unsigned i = 0; i < o->n; i++) {
		if (has[i])
			continue;
		added = true;
		buf_printf(sql, "ALTER TABLE \"%s\" ADD COLUMN ", o->cname);
		column(o, &o->f[i], sql);
		buf_puts(sql, ";");
	}
	if (added)
		buf_printf(
		    sql, "UPDATE \"%s\" SET \"%s\"=\"%s\";", o->cname, o->f[0].name, o->f[0].name);
}

int
ddl_upgrade(struct store *st, struct err *err)
{
	struct buf sql = { 0 };
	int rc = store_exec(st, "BEGIN IMMEDIATE", err);

	if (rc != 0)
		return rc;
	rc = ddl_columns(st, err); /* another may have been faster */
	for (unsigned k = 0; k < KINDS; k++)
		if (stored(&objects[k]))
			create(&objects[k], &sql);
	for (unsigned k = 0; rc == 0 && k < KINDS; k++) {
		const struct object *o = &objects[k];

		if (stored(o) &&
		    st->col[k][1] != NO_FIELD) /* else made whole by the statement above */
			add_columns(st, o, &sql);
	}
	if (rc == 0 && !has_chain(st))
		buf_puts(&sql, "ALTER TABLE revision ADD COLUMN node INTEGER NOT NULL DEFAULT 0;"
			       "ALTER TABLE revision ADD COLUMN hash INTEGER;");
	if (rc == 0)
		rc = store_exec(st, buf_text(&sql), err);
	buf_fini(&sql);
	if (rc == 0)
		rc = ddl_create(st, err);
	if (rc == 0)
		rc = chain_fill(st, err);
	if (rc == 0)
		return store_exec(st, "COMMIT", err);
	(void)store_exec(st, "ROLLBACK", NULL);
	return rc;
}
