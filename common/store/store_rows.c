/* Rows through statements that are made from the descriptors, once for each kind. A row is cells; only the
 * descriptors know what they mean. Ids are allotted inside the transaction, since there are other writers,
 * and never a second time. Whether a row is allowed is decided by others. */
#include "base/mem.h"
#include "base/must.h"
#include "store/store_priv.h"

#include <stdio.h>
#include <string.h>

static void
put_column(struct store *st, const struct object *o, unsigned i, struct buf *out)
{
	struct arena *a;
	struct cell d = { .s = "" };

	if (st->has[o->kind - 1][i]) {
		buf_printf(out, ",\"%s\"", o->f[i].name);
		return;
	}
	a = arena_new(256); /* a file that no writer has upgraded: the field has its default */
	if (o->f[i].def != NULL)
		value_default(&o->f[i], a, &d);
	if (field_is_int(&o->f[i]))
		buf_printf(out, ",%lld", (long long)d.i);
	else
		buf_printf(out, ",'%s'", d.s);
	arena_unref(a);
}

static void
make_sql(struct store *st, const struct object *o, enum query which, struct buf *sql)
{
	const char *t = o->cname, *key = o->f[0].name;
	struct buf cols = { 0 }, marks = { 0 }, sets = { 0 };

	for (unsigned i = 0; i < o->n; i++) {
		put_column(st, o, i, &cols);
		buf_printf(&marks, ",?%u", i + 2);
		buf_printf(&sets, "%s\"%s\"=?%u", i > 0 ? "," : "", o->f[i].name, i + 2);
	}
	switch (which) {
	case Q_ALL:
		buf_printf(sql, "SELECT id%s FROM \"%s\" ORDER BY id", buf_text(&cols), t);
		break;
	case Q_BY_ID:
		buf_printf(sql, "SELECT id%s FROM \"%s\" WHERE id=?1", buf_text(&cols), t);
		break;
	case Q_ID:
		buf_printf(sql, "SELECT id FROM \"%s\" WHERE \"%s\"=?1", t, key);
		if ((o->flags & O_CHILD) != 0)
			buf_printf(sql, " AND \"%s\"=?2", o->f[o->parent_ref].name);
		break;
	case Q_NAME: buf_printf(sql, "SELECT \"%s\" FROM \"%s\" WHERE id=?1", key, t); break;
	case Q_INSERT:
		buf_printf(sql, "INSERT INTO \"%s\"(id%s) VALUES(?1%s)", t, buf_text(&cols),
		    buf_text(&marks));
		break;
	case Q_UPDATE:
		buf_printf(sql, "UPDATE \"%s\" SET %s WHERE id=?1", t, buf_text(&sets));
		break;
	case Q_DELETE: buf_printf(sql, "DELETE FROM \"%s\" WHERE id=?1", t); break;
	case Q_CHILDREN:
		must((o->flags & O_CHILD) != 0);
		buf_printf(sql, "SELECT id FROM \"%s\" WHERE \"%s\"=?1 ORDER BY id", t,
		    o->f[o->parent_ref].name);
		break;
	case Q_END: must(which != Q_END);
	}
	buf_fini(&cols);
	buf_fini(&marks);
	buf_fini(&sets);
}

/* Ready to be bound; NULL when the file cannot be used, which is remembered for the commit. */
static sqlite3_stmt *
query(struct store *st, const struct object *o, enum query which)
{
	sqlite3_stmt **q = &st->q[o->kind - 1][which];
	struct buf sql = { 0 };
	int rc;

	if (*q != NULL) {
		(void)sqlite3_reset(*q);
		return *q;
	}
	make_sql(st, o, which, &sql);
	rc = sqlite3_prepare_v3(st->db, buf_text(&sql), -1, SQLITE_PREPARE_PERSISTENT, q, NULL);
	buf_fini(&sql);
	if (rc != SQLITE_OK && st->fault == 0)
		st->fault = rc;
	return *q;
}

static bool
step_row(struct store *st, sqlite3_stmt *q)
{
	int rc = sqlite3_step(q);

	if (rc != SQLITE_ROW && rc != SQLITE_DONE && st->fault == 0)
		st->fault = rc;
	return rc == SQLITE_ROW;
}

void
rows_reset(struct store *st)
{
	for (unsigned k = 0; k < KINDS; k++)
		for (unsigned i = 0; i < Q_END; i++)
			(void)sqlite3_reset(st->q[k][i]);
}

void
rows_fini(struct store *st)
{
	for (unsigned k = 0; k < KINDS; k++)
		for (unsigned i = 0; i < Q_END; i++) {
			(void)sqlite3_finalize(st->q[k][i]);
			st->q[k][i] = NULL;
		}
}

static void
read_row(sqlite3_stmt *q, const struct object *o, struct row *row)
{
	must(o->n > o->parent_ref); /* a name, and the parent of a child */
	row->id = (uint32_t)sqlite3_column_int64(q, 0);
	for (unsigned i = 0; i < o->n; i++) {
		struct cell *c = &row->c[i];
		int at = (int)i + 1;

		if (field_is_int(&o->f[i])) {
			*c = (struct cell){ .i = sqlite3_column_int64(q, at) };
		} else {
			c->s = (const char *)sqlite3_column_text(q, at);
			c->i = 0;
			c->len = (uint32_t)sqlite3_column_bytes(q, at);
			if (c->s == NULL)
				c->s = "";
		}
	}
}

bool
rows_get(struct store *st, const struct object *o, uint32_t id, struct row *out)
{
	sqlite3_stmt *q = query(st, o, Q_BY_ID);

	if (q == NULL)
		return false;
	(void)sqlite3_bind_int64(q, 1, id);
	if (!step_row(st, q))
		return false;
	read_row(q, o, out);
	return true;
}

uint32_t
rows_find(struct store *st, const struct object *o, uint32_t parent, const char *name)
{
	sqlite3_stmt *q = query(st, o, Q_ID);
	uint32_t id = 0;

	if (q == NULL)
		return 0;
	(void)sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
	if ((o->flags & O_CHILD) != 0)
		(void)sqlite3_bind_int64(q, 2, parent);
	if (step_row(st, q))
		id = (uint32_t)sqlite3_column_int64(q, 0);
	(void)sqlite3_reset(q);
	return id;
}

/* names.id: a path to an id. */
static uint32_t
find_path(void *arg, unsigned kind, const char *path)
{
	const struct object *o = object_of(kind);
	const char *slash = strchr(path, '/');
	char parent[NAME_TEXT];
	uint32_t id;

	if ((o->flags & O_CHILD) == 0)
		return rows_find(arg, o, 0, path);
	if (slash == NULL || slash - path >= (int)sizeof(parent))
		return 0;
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	id = rows_find(arg, object_of(o->parent), 0, parent);
	return id != 0 ? rows_find(arg, o, id, slash + 1) : 0;
}

static bool
name_of(struct store *st, const struct object *o, uint32_t id, char out[64])
{
	sqlite3_stmt *q = query(st, o, Q_NAME);
	bool found;

	if (q == NULL)
		return false;
	(void)sqlite3_bind_int64(q, 1, id);
	found = step_row(st, q);
	if (found)
		(void)snprintf(out, 64, "%s", (const char *)sqlite3_column_text(q, 0));
	(void)sqlite3_reset(q);
	return found;
}

void
rows_path(struct store *st, const struct object *o, const struct row *row, char out[NAME_TEXT])
{
	char parent[64];

	if ((o->flags & O_CHILD) != 0 &&
	    name_of(st, object_of(o->parent), (uint32_t)row->c[o->parent_ref].i, parent))
		(void)snprintf(out, NAME_TEXT, "%s/%s", parent, row->c[0].s);
	else
		(void)snprintf(out, NAME_TEXT, "%s", row->c[0].s);
}

/* names.name: an id to a path. */
static const char *
find_name(void *arg, unsigned kind, uint32_t id)
{
	const struct object *o = object_of(kind);
	struct store *st = arg;
	struct row row;

	if (!rows_get(st, o, id, &row))
		return NULL;
	rows_path(st, o, &row, st->name);
	return st->name;
}

void
rows_names_init(struct store *st)
{
	st->names = (struct names){ find_path, find_name, st };
}

int
rows_each(struct store *st, const struct object *o, row_fn fn, void *arg, struct err *err)
{
	sqlite3_stmt *q = query(st, o, Q_ALL);
	struct row row;
	int rc = 0, step = SQLITE_DONE;

	if (q == NULL)
		return store_fault(st, err);
	while (rc == 0 && (step = sqlite3_step(q)) == SQLITE_ROW) {
		read_row(q, o, &row);
		rc = fn(arg, o, &row);
	}
	if (rc == 0 && step != SQLITE_DONE)
		rc = store_fault(st, err);
	(void)sqlite3_reset(q);
	return rc;
}

uint32_t *
rows_children(struct store *st, const struct object *child, uint32_t parent, uint32_t *n_out)
{
	sqlite3_stmt *q = query(st, child, Q_CHILDREN);
	uint32_t *id = NULL, n = 0, cap = 0;

	if (q != NULL)
		(void)sqlite3_bind_int64(q, 1, parent);
	while (q != NULL && step_row(st, q)) {
		if (n == cap) {
			cap = cap > 0 ? cap * 2 : 16;
			id = mem_grow(id, cap * sizeof(*id));
		}
		id[n++] = (uint32_t)sqlite3_column_int64(q, 0);
	}
	(void)sqlite3_reset(q);
	*n_out = n;
	return id;
}

static bool
refers(struct store *st, const struct object *o, const struct field *f, uint32_t id, char *out)
{
	struct buf sql = { 0 };
	sqlite3_stmt *q;
	struct row row;
	char path[NAME_TEXT];
	uint32_t user = 0;

	buf_printf(
	    &sql, "SELECT id FROM \"%s\" WHERE \"%s\"=%u LIMIT 1", o->cname, f->name, (unsigned)id);
	q = store_query(st, buf_text(&sql));
	buf_fini(&sql);
	if (q != NULL && step_row(st, q))
		user = (uint32_t)sqlite3_column_int64(q, 0);
	(void)sqlite3_finalize(q);
	if (user == 0 || !rows_get(st, o, user, &row))
		return false;
	rows_path(st, o, &row, path);
	(void)snprintf(out, NAME_TEXT + 32, "%s %s", o->name, path);
	return true;
}

bool
rows_user(struct store *st, const struct object *o, uint32_t id, char out[NAME_TEXT + 32])
{
	for (unsigned k = 0; k < KINDS; k++)
		for (unsigned i = 0; i < objects[k].n; i++)
			if (objects[k].f[i].type == VT_REF && objects[k].f[i].ref == o->kind &&
			    refers(st, &objects[k], &objects[k].f[i], id, out))
				return true;
	return false;
}

static int
run(struct store *st, sqlite3_stmt *q, const struct object *o, const struct row *row,
    struct err *err)
{
	int rc = sqlite3_step(q), why = sqlite3_extended_errcode(st->db);
	char path[NAME_TEXT];

	if (rc != SQLITE_DONE && why != SQLITE_CONSTRAINT_UNIQUE) {
		rc = store_fault(st, err);
		(void)sqlite3_reset(q);
		return rc;
	}
	(void)sqlite3_reset(q);
	if (rc == SQLITE_DONE)
		return 0;
	rows_path(st, o, row, path);
	(void)err_field(err, ERR_CONFLICT, NULL, o->f[0].name, "exists already");
	(void)err_object(err, "%s %s", o->name, path);
	return ERR_CONFLICT;
}

static int
write_row(struct store *st, enum query which, const struct object *o, const struct row *row,
    struct err *err)
{
	sqlite3_stmt *q = query(st, o, which);

	if (q == NULL)
		return store_fault(st, err);
	(void)sqlite3_bind_int64(q, 1, row->id);
	for (unsigned i = 0; i < o->n; i++) {
		const struct cell *c = &row->c[i];

		if (c->s != NULL)
			(void)sqlite3_bind_text(q, (int)i + 2, c->s, (int)c->len, SQLITE_STATIC);
		else if (o->f[i].type == VT_REF && c->i == 0)
			(void)sqlite3_bind_null(q, (int)i + 2);
		else
			(void)sqlite3_bind_int64(q, (int)i + 2, c->i);
	}
	return run(st, q, o, row, err);
}

int
rows_insert(struct store *st, const struct object *o, struct row *row, struct err *err)
{
	uint32_t *next = &st->next[o->kind - 1];

	if (row->id == 0) {
		row->id = *next;
		*next += 2;
	} else if (row->id >= *next) { /* given by a peer or by history; the parity stays ours */
		*next += (row->id - *next + 2) & ~1u;
	}
	return write_row(st, Q_INSERT, o, row, err);
}

int
rows_update(struct store *st, const struct object *o, const struct row *row, struct err *err)
{
	return write_row(st, Q_UPDATE, o, row, err);
}

int
rows_delete(struct store *st, const struct object *o, uint32_t id, struct err *err)
{
	sqlite3_stmt *q = query(st, o, Q_DELETE);
	struct row row = { .id = id, .c = { { .s = "" } } };

	if (q == NULL)
		return store_fault(st, err);
	(void)sqlite3_bind_int64(q, 1, id);
	return run(st, q, o, &row, err);
}

int
rows_sequences(struct store *st, struct err *err)
{
	sqlite3_stmt *q = store_query(st, "SELECT kind, next FROM sequence");
	int step = SQLITE_DONE;

	st->node = replica_read_node(st);
	st->odd = st->node != 0 ? st->node == 2 : st->odd_asked;
	for (unsigned k = 0; k < KINDS; k++)
		st->next[k] = 2 + (uint32_t)st->odd;
	if (q == NULL)
		return store_fault(st, err);
	while ((step = sqlite3_step(q)) == SQLITE_ROW) {
		int64_t k = sqlite3_column_int64(q, 0);
		uint32_t next = (uint32_t)sqlite3_column_int64(q, 1);

		if (k >= 1 && k <= KINDS)
			st->next[k - 1] = (next & 1) == (uint32_t)st->odd ? next : next + 1;
	}
	(void)sqlite3_finalize(q);
	return step == SQLITE_DONE ? 0 : store_fault(st, err);
}

int
rows_save_sequences(struct store *st, struct err *err)
{
	struct buf sql = { 0 };
	int rc;

	buf_puts(&sql, "INSERT OR REPLACE INTO sequence VALUES");
	for (unsigned k = 0; k < KINDS; k++)
		buf_printf(&sql, "%s(%u, %u)", k > 0 ? "," : "", k + 1, (unsigned)st->next[k]);
	rc = store_exec(st, buf_text(&sql), err);
	buf_fini(&sql);
	return rc;
}
