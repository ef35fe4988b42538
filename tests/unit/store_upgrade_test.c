/* Older and newer files: a database as version 1 made it, each column missing from a copy, columns and tables of
 * a newer build, and a reader that opens before any writer has upgraded. */
#include "store_help.h"
#include "store/store_priv.h"

#include <fcntl.h>
#include <sys/stat.h>

#define V1 "tests/golden/store/v1.sql"
#define V2 "tests/golden/store/v2.sql"
#define V3 "tests/golden/store/v3.sql"

static char *
read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = mem_alloc(1 << 20);

	if (f == NULL)
		fail_msg("%s: cannot be read; run from the top of the project", path);
	assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
	(void)fclose(f);
	return text;
}

static void
run_sql(const char *sql)
{
	sqlite3 *db;
	char *why = NULL;

	assert_int_equal(sqlite3_open(file_in("config.db"), &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s\n%s", why, sql);
	(void)sqlite3_close(db);
}

static void
make_from(const char *path)
{
	char *sql = read_file(path);

	(void)drop_dir(NULL);
	assert_int_equal(make_dir(NULL), 0);
	run_sql(sql);
	free(sql);
}

static void
make_v1(void)
{
	make_from(V1);
}

/* As this build would have made it, but for what a test takes away: v1 upgraded, once. */
static void
make_current(void)
{
	static unsigned char *whole;
	static size_t n;
	FILE *f;

	if (whole == NULL) {
		make_v1();
		assert_good(store_open(dir, STORE_WRITE, &st, &err));
		store_close(st);
		st = NULL;
		whole = (unsigned char *)mem_alloc(1 << 20);
		f = fopen(file_in("config.db"), "r");
		assert_non_null(f);
		n = fread(whole, 1, 1 << 20, f);
		assert_true(n > 0 && n < 1 << 20);
		(void)fclose(f);
	}
	(void)drop_dir(NULL);
	assert_int_equal(make_dir(NULL), 0);
	f = fopen(file_in("config.db"), "w");
	assert_non_null(f);
	assert_int_equal(fwrite(whole, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static char *
export_all(struct store *s, bool full)
{
	struct snapshot *snap = NULL;
	struct buf out = { 0 };

	assert_good(store_snapshot(s, &snap, &err));
	assert_good(snapshot_export(snap, EXPORT_YAML, 0, NULL, full, &out, &err));
	assert_good(snapshot_export(snap, EXPORT_YAML, KIND_admin, NULL, full, &out, &err));
	snapshot_unref(snap);
	(void)buf_text(&out);
	return (char *)out.p;
}

static void
test_version_1(void **state)
{
	struct snapshot *s;
	char *text;

	(void)state;
	make_v1();
	assert_good(store_open(dir, STORE_WRITE, &st, &err));
	text = export_all(st, false);
	assert_non_null(
	    strstr(text, "  shop:\n    labels: site=a,tier=front\n    address: 192.0.2.10\n"));
	assert_non_null(strstr(text, "state: drain"));
	assert_non_null(strstr(text, "hostname: lb1"));
	free(text);
	assert_int_equal(store_head(st, SCOPE_SHARED), 6);
	assert_good(edit("set vip shop retries=1; create rip shop/web3 address=10.0.0.13"));
	assert_good(store_rollback(st, SCOPE_SHARED, 1, &by_test, NULL, &err));
	s = look();
	assert_int_equal(snapshot_count(s, KIND_service), 0);
	snapshot_unref(s);
	assert_good(store_rollback(st, SCOPE_SHARED, 6, &by_test, NULL, &err));
	s = look();
	assert_int_equal(
	    snapshot_admin(
		s, ((const struct server *)snapshot_find_path(s, KIND_server, "shop/origin"))->id)
		->state,
	    admin_state_drain);
	snapshot_unref(s);
}

/* With services of layer 4 and rules of translation. */
static void
test_version_2(void **state)
{
	struct snapshot *s;
	char *text;

	(void)state;
	make_from(V2);
	assert_good(store_open(dir, STORE_WRITE, &st, &err));
	text = export_all(st, false);
	assert_non_null(strstr(text, "more_addresses: 10.0.0.153-10.0.0.159"));
	assert_non_null(
	    strstr(text, "  backup:\n    outside: 10.0.0.112\n    inside: 192.168.50.30/32\n"));
	assert_non_null(strstr(text, "sync_group: 239.1.2.3"));
	assert_non_null(strstr(text, "quorum_hysteresis: 20"));
	assert_non_null(strstr(text, "why: new disk"));
	free(text);
	s = look();
	assert_good(snapshot_check(s, NULL, &err));
	snapshot_unref(s);
	assert_good(store_rollback(st, SCOPE_SHARED, 1, &by_test, NULL, &err));
	s = look();
	assert_int_equal(snapshot_count(s, KIND_natrule), 0);
	snapshot_unref(s);
	assert_good(store_rollback(st, SCOPE_SHARED, 8, &by_test, NULL, &err));
	s = look();
	assert_int_equal(snapshot_count(s, KIND_natrule), 4);
	snapshot_unref(s);
}

/* Every revision that is kept, hashed after the one before; gives the hash of the last. */
static uint64_t
walk_chain(enum scope scope)
{
	uint64_t before = 0;

	for (uint32_t n = 1; n <= store_head(st, scope); n++) {
		struct replica_revision r;

		assert_int_equal(replica_read(st, scope, n, &r), 0);
		assert_true(r.hash == chain_hash(before, &r));
		before = r.hash;
		replica_revision_fini(&r);
	}
	return before;
}

/* Layout 1 had no hashes: each file of it gets the same ones, and the chain goes on from there. */
static void
test_layout_1_gets_a_chain(void **state)
{
	uint64_t hash = 0, again;
	uint32_t n;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct store *reader = NULL;
		struct snapshot *s;

		make_from(V2);
		assert_good(store_open(dir, STORE_READ, &reader, &err)); /* before the upgrade */
		assert_good(store_open(dir, STORE_WRITE, &st, &err));
		assert_int_equal(store_number(st, "PRAGMA user_version"), STORE_LAYOUT);
		assert_int_equal(
		    store_number(st, "SELECT count(*) FROM revision WHERE hash IS NULL"), 0);
		again = walk_chain(SCOPE_SHARED);
		assert_true(i == 0 || again == hash);
		hash = again;
		assert_int_equal(replica_head(st, SCOPE_SHARED, &n, &again), 0);
		assert_true(n == 8 && again == hash);
		assert_true(walk_chain(SCOPE_OPER) != 0);
		assert_int_equal(replica_node(st), 0);
		assert_good(edit("set vip shop comment=after"));
		(void)walk_chain(SCOPE_SHARED);
		assert_good(store_snapshot(reader, &s, &err));
		assert_int_equal(snapshot_revision(s, SCOPE_SHARED), 9);
		snapshot_unref(s);
		store_close(reader);
		store_close(st);
		st = NULL;
	}
}

static int
count_conflict(void *arg, const struct conflict *c)
{
	unsigned *n = arg;

	assert_int_equal(c->node, 2);
	assert_true(strcmp(c->name, "shop/web1") == 0 || strcmp(c->name, "extra-2") == 0);
	(*n)++;
	return 0;
}

static int
count_superseded(void *arg, uint32_t id, const struct replica_revision *r)
{
	unsigned *n = arg;

	assert_true(id > 0 && r->len > 0);
	(*n)++;
	return 0;
}

/* The second node of a pair, after a join. */
static void
test_layout_2(void **state)
{
	unsigned conflicts = 0, superseded = 0;
	uint64_t hash;
	uint32_t n;
	char *text;

	(void)state;
	make_from(V3);
	assert_good(store_open(dir, STORE_WRITE, &st, &err));
	text = export_all(st, false);
	assert_non_null(strstr(text, "weight: 70"));
	assert_non_null(strstr(text, "  extra-2:\n    rise: 4\n"));
	assert_non_null(strstr(text, "state: drain"));
	free(text);
	assert_int_equal(replica_node(st), 2);
	assert_int_equal(replica_head(st, SCOPE_SHARED, &n, &hash), 0);
	assert_true(n == 6 && hash != 0);
	assert_int_equal(replica_conflicts(st, count_conflict, &conflicts), 0);
	assert_int_equal(replica_superseded(st, 100, count_superseded, &superseded), 0);
	assert_int_equal(conflicts, 2);
	assert_int_equal(superseded, 3);
	assert_good(edit("set vip shop comment=after"));
}

/* The table without one of its columns, as an older build had it. */
static void
drop_column(const struct object *o, const struct field *gone)
{
	struct buf sql = { 0 };

	buf_printf(&sql,
	    "PRAGMA foreign_keys=OFF; PRAGMA legacy_alter_table=ON; CREATE TABLE fresh(id INTEGER PRIMARY KEY");
	for (unsigned i = 0; i < o->n; i++)
		if (&o->f[i] != gone)
			buf_printf(&sql, ", \"%s\" %s", o->f[i].name,
			    field_is_int(&o->f[i])
				? o->f[i].type == VT_REF ? "INTEGER" : "INTEGER NOT NULL"
				: "TEXT NOT NULL");
	buf_puts(&sql, ") STRICT; INSERT INTO fresh SELECT id");
	for (unsigned i = 0; i < o->n; i++)
		if (&o->f[i] != gone)
			buf_printf(&sql, ", \"%s\"", o->f[i].name);
	buf_printf(&sql,
	    " FROM \"%s\"; DROP TABLE \"%s\"; ALTER TABLE fresh RENAME TO \"%s\"; PRAGMA user_version=0",
	    o->cname, o->cname, o->cname);
	run_sql(buf_text(&sql));
	buf_fini(&sql);
}

static void
test_each_column_missing(void **state)
{
	(void)state;
	for (unsigned k = 0; k < KINDS; k++)
		for (unsigned i = 1; i < objects[k].n && objects[k].scope < SCOPES; i++) {
			const struct field *f = &objects[k].f[i];
			struct store *reader = NULL;
			char *before, *after;

			if (f->def == NULL || (f->flags & (F_PARENT | F_REQUIRED)) != 0 ||
			    (objects[k].kind == KIND_service && f->since == 1 &&
				(strcmp(f->name, "address") == 0 || strcmp(f->name, "ports") == 0)))
				continue; /* every file has had these */
			make_current();
			drop_column(&objects[k], f);
			if (f->type != VT_REF) {
				assert_good(store_open(dir, STORE_READ, &reader, &err));
				before = export_all(reader, true);
			} else {
				before = NULL;
			}
			assert_good(store_open(dir, STORE_WRITE, &st, &err));
			after = export_all(st, true);
			if (before != NULL)
				assert_string_equal(before, after);
			assert_good(edit(
			    "set vip shop comment=after; set node main hostname=after; "
			    "create vip more address=192.0.2.77 ports=1; create rip more/a address=10.9.9.9"));
			if (reader != NULL) {
				free(before);
				free(after);
				after = export_all(st, true);
				before = export_all(reader, true);
				assert_string_equal(before, after);
			}
			free(before);
			free(after);
			store_close(reader);
			store_close(st);
			assert_good(store_open(dir, STORE_WRITE, &st, &err));
			assert_true(ddl_is_current(st));
		}
}

static void
test_tables_of_an_older_build_are_missing(void **state)
{
	struct store *reader = NULL;
	struct snapshot *s;

	(void)state;
	make_v1();
	run_sql(
	    "DROP TABLE tx; DROP TABLE tx_edit; DROP TABLE trial; DROP TABLE meta; DROP TABLE admin; DROP TABLE token;"
	    "PRAGMA user_version=0");
	run_sql("CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT");
	assert_good(store_open(dir, STORE_READ, &reader, &err));
	assert_good(store_snapshot(reader, &s, &err));
	assert_int_equal(snapshot_count(s, KIND_token), 0);
	snapshot_unref(s);
	assert_good(store_open(dir, STORE_WRITE, &st, &err));
	s = look();
	assert_int_equal(snapshot_count(s, KIND_service), 2);
	snapshot_unref(s);
	assert_good(edit("create token t"));
	assert_good(store_snapshot(reader, &s, &err));
	assert_int_equal(snapshot_count(s, KIND_token), 1);
	snapshot_unref(s);
	store_close(reader);
}

static void
test_columns_of_a_newer_build_are_kept(void **state)
{
	struct snapshot *s;
	sqlite3_stmt *q;

	(void)state;
	make_v1();
	run_sql(
	    "ALTER TABLE service ADD COLUMN \"from_the_future\" TEXT NOT NULL DEFAULT 'kept';"
	    "UPDATE service SET from_the_future='mine'; PRAGMA user_version=99; CREATE TABLE pool(id INTEGER PRIMARY KEY)");
	assert_good(store_open(dir, STORE_WRITE, &st, &err));
	assert_int_equal(store_number(st, "PRAGMA user_version"), 99);
	assert_good(edit("set vip shop retries=1; create vip new address=192.0.2.99 ports=1"));
	q = store_query(
	    st, "SELECT group_concat(from_the_future) FROM (SELECT * FROM service ORDER BY id)");
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(q, 0), "mine,mine,kept");
	(void)sqlite3_finalize(q);
	s = look();
	assert_int_equal(snapshot_count(s, KIND_service), 3);
	snapshot_unref(s);
}

static void
test_words_of_a_newer_build(void **state)
{
	struct snapshot *s = NULL;

	(void)state;
	make_v1();
	run_sql("UPDATE service SET scheduler='by_moon' WHERE name='shop'");
	assert_good(store_open(dir, STORE_READ, &st, &err));
	assert_bad(store_snapshot(st, &s, &err), ERR_STORE,
	    "vip shop: scheduler: \"by_moon\" is not known to this version");
}

static void
test_a_copy_is_made_before_an_upgrade(void **state)
{
	(void)state;
	make_v1(); /* which lacks the columns of layer 4 */
	assert_int_equal(access(file_in("backup/config-6.db"), F_OK), -1);
	assert_good(store_open(dir, STORE_WRITE, &st, &err));
	assert_int_equal(access(file_in("backup/config-6.db"), F_OK), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, make_dir, drop_dir)
		T(test_version_1),
		T(test_version_2),
		T(test_layout_1_gets_a_chain),
		T(test_layout_2),
		T(test_each_column_missing),
		T(test_tables_of_an_older_build_are_missing),
		T(test_columns_of_a_newer_build_are_kept),
		T(test_words_of_a_newer_build),
		T(test_a_copy_is_made_before_an_upgrade),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
