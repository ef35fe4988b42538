/* What happens to the store's file: killed writers, a full disk, damaged, truncated, empty, read-only and locked
 * files, a reader of another user; and the way back from a copy. Nothing is ever half-applied. */
#include "store_help.h"
#include "store/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define KILLS 60
#define NOBODY 65534

/* Commits of many rows: revision N has the checks a0..a19, all with rise N % 90 + 1. */
static int
write_all(unsigned n)
{
	struct buf line = { 0 };
	int rc;

	for (unsigned i = 0; i < 20; i++)
		buf_printf(&line, "%sreplace check a%u rise=%u", i > 0 ? "; " : "", i, n % 90 + 1);
	rc = edit(buf_text(&line));
	buf_fini(&line);
	return rc;
}

static void
write_until_killed(void)
{
	unsigned n;

	store_close(st);
	if (store_open(dir, STORE_WRITE, &st, &err) != 0)
		_exit(1);
	for (n = store_head(st, SCOPE_SHARED) + 1;; n++)
		if (write_all(n) != 0)
			_exit(2);
}

static void
test_killed_writers(void **state)
{
	uint32_t before = 1;

	(void)state;
	srandom(seed_of("kill"));
	assert_good(write_all(2));
	store_close(st);
	st = NULL;
	for (unsigned i = 0; i < KILLS; i++) {
		struct timespec pause = { .tv_nsec = random() % 12000000 };
		struct snapshot *s;
		struct buf delta = { 0 };
		pid_t pid = fork();
		uint32_t head;
		int status;

		if (pid == 0)
			write_until_killed();
		(void)nanosleep(&pause, NULL);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_good(store_open(dir, i % 2 == 0 ? STORE_READ : STORE_WRITE, &st, &err));
		s = look();
		head = snapshot_revision(s, SCOPE_SHARED);
		assert_true(head >= before && head >= 2);
		assert_int_equal(snapshot_count(s, KIND_check), 20);
		for (unsigned k = 0; k < 20; k++)
			assert_int_equal(
			    ((const struct check *)snapshot_at(s, KIND_check, k))->rise,
			    head % 90 + 1);
		assert_int_equal(store_delta(st, SCOPE_SHARED, head, &delta), 0);
		assert_int_equal(store_delta(st, SCOPE_SHARED, head + 1, &delta), -ENOENT);
		buf_fini(&delta);
		snapshot_unref(s);
		store_close(st);
		st = NULL;
		before = head;
	}
	assert_true(before > 2);
}

/* The limit of a file's size stands for a full disk: writing past it fails in the middle. */
static void
test_full_disk(void **state)
{
	struct rlimit old, small;
	unsigned good = 0;
	struct snapshot *s;
	int rc = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_good(write_all(2));
	small = (struct rlimit){ .rlim_cur = 300 * 1024, .rlim_max = old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (unsigned n = 3; rc == 0 && n < 400; n++) {
		err = (struct err){ 0 };
		rc = write_all(n);
		good += rc == 0;
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(rc, ERR_STORE);
	assert_non_null(strstr(err.text, "/config.db: "));
	assert_non_null(strstr(err.text, "nothing was changed"));
	s = look();
	assert_int_equal(snapshot_revision(s, SCOPE_SHARED), 2 + good);
	for (unsigned k = 0; k < 20; k++)
		assert_int_equal(((const struct check *)snapshot_at(s, KIND_check, k))->rise,
		    (2 + good) % 90 + 1);
	snapshot_unref(s);
	assert_good(write_all(3 + good));
	store_close(st);
	assert_good(store_open(dir, STORE_WRITE, &st, &err));
	assert_int_equal(store_head(st, SCOPE_SHARED), 3 + good);
}

/* Bytes [from, from + n) of the file are overwritten; n 0 cuts it there. */
static void
spoil(const char *path, off_t from, size_t n)
{
	int fd = open(path, O_RDWR);
	char junk[4096];

	assert_true(fd != -1);
	memset(junk, 0xa5, sizeof(junk));
	if (n == 0)
		assert_int_equal(ftruncate(fd, from), 0);
	for (; n > 0; n -= n < sizeof(junk) ? n : sizeof(junk), from += (off_t)sizeof(junk))
		assert_true(pwrite(fd, junk, n < sizeof(junk) ? n : sizeof(junk), from) > 0);
	(void)close(fd);
}

/* A store with a -wal that is empty, all in the file, and copies of revisions 2 and 22. */
static void
fill_store(void)
{
	assert_good(edit("set setting main history=10"));
	for (unsigned n = 3; n < 30; n++)
		assert_good(write_all(n));
	assert_good(store_exec(st, "PRAGMA wal_checkpoint(TRUNCATE)", &err));
	store_close(st);
	st = NULL;
}

static void
assert_restored(const char *why)
{
	static const struct commit_info info = { .who = "ada", .origin = "cli" };
	struct store *watcher = NULL;
	struct snapshot *s;
	uint32_t head;

	assert_bad(store_open(dir, STORE_WRITE, &watcher, &err), ERR_STORE, why);
	assert_non_null(strstr(err.text, "/config.db: "));
	assert_non_null(strstr(err.text, "/backup/config-22.db: lbctl config restore"));
	assert_bad(store_open(dir, STORE_READ, &watcher, &err), ERR_STORE, why);
	assert_good(store_restore(dir, NULL, &info, NULL, &err));
	assert_good(store_open(dir, STORE_WRITE, &st, &err));
	s = look();
	assert_int_equal(snapshot_count(s, KIND_check), 20);
	assert_int_equal(((const struct check *)snapshot_at(s, KIND_check, 0))->rise, 22 % 90 + 1);
	head = snapshot_revision(s, SCOPE_SHARED);
	assert_true(head > 1000); /* above all that the lost file can have had */
	snapshot_unref(s);
	assert_int_equal(access(file_in("config.db.damaged"), F_OK), 0);
	assert_good(write_all(50));
	assert_int_equal(store_head(st, SCOPE_SHARED), head + 1);
	assert_bad(store_rollback(st, SCOPE_SHARED, 5, &by_test, NULL, &err), ERR_UNKNOWN,
	    "is not in the history");
}

static void
test_empty_file(void **state)
{
	(void)state;
	fill_store();
	spoil(file_in("config.db"), 0, 0);
	assert_restored("is empty (0 bytes)");
}

static void
test_not_a_database(void **state)
{
	(void)state;
	fill_store();
	spoil(file_in("config.db"), 0, 8192);
	assert_restored("not a database");
}

static void
test_truncated(void **state)
{
	(void)state;
	fill_store();
	spoil(file_in("config.db"), 3 * 4096, 0);
	assert_restored("malformed");
}

static void
test_damaged_pages(void **state)
{
	(void)state;
	fill_store();
	spoil(file_in("config.db"), 2 * 4096, 6 * 4096);
	assert_restored("malformed");
}

static void
test_missing_file_is_made_anew_only_when_all_is_missing(void **state)
{
	struct store *none = NULL;

	(void)state;
	store_close(st);
	st = NULL;
	assert_int_equal(unlink(file_in("config.db")), 0);
	assert_bad(store_open(dir, STORE_READ, &none, &err), -ENOENT, "no store yet");
	assert_good(
	    store_open(dir, STORE_WRITE, &st, &err)); /* a stale -wal is not taken for its own */
	assert_int_equal(store_head(st, SCOPE_SHARED), 1);
	assert_bad(
	    store_open("/nowhere/at/all", STORE_WRITE, &none, &err), -ENOENT, "/nowhere/at/all");
}

static void
test_another_program_s_database(void **state)
{
	struct store *none = NULL;
	sqlite3 *db;

	(void)state;
	store_close(st);
	st = NULL;
	(void)unlink(file_in("config.db"));
	assert_int_equal(sqlite3_open(file_in("config.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE x(y)", NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
	assert_bad(store_open(dir, STORE_WRITE, &none, &err), ERR_STORE, "is no store of lbd");
}

static void
test_restore_into_a_usable_store(void **state)
{
	struct commit_result r;
	struct snapshot *s;

	(void)state;
	assert_good(write_all(2));
	assert_good(
	    edit("create vip web address=10.0.0.1 ports=80; create rip web/a address=10.1.0.1"));
	assert_good(store_backup(st, file_in("mine.db"), &err));
	assert_bad(store_backup(st, file_in("mine.db"), &err), ERR_CONFLICT, "exists");
	s = look();
	assert_good(store_order(st,
	    &(struct order){ ((const struct server *)snapshot_at(s, KIND_server, 0))->id,
		admin_state_drain, -1, 0 },
	    1, &by_test, NULL, &err));
	snapshot_unref(s);
	assert_good(write_all(7));
	assert_good(edit("cascade vip web; create vip api address=10.0.0.1 ports=80"));
	assert_good(store_restore(dir, file_in("mine.db"), &by_test, &r, &err));
	assert_int_equal(r.revision[SCOPE_SHARED], 6);
	assert_non_null(snapshot_find_path(r.now, KIND_server, "web/a"));
	assert_null(snapshot_find_path(r.now, KIND_service, "api"));
	assert_int_equal(((const struct check *)snapshot_at(r.now, KIND_check, 0))->rise, 3);
	assert_int_equal(snapshot_count(r.now, KIND_admin), 1);
	commit_result_fini(&r);
	assert_good(store_restore(dir, file_in("mine.db"), &by_test, &r, &err));
	assert_int_equal(r.revision[SCOPE_SHARED], 0);
	commit_result_fini(&r);
	assert_good(
	    store_rollback(st, SCOPE_SHARED, 5, &by_test, NULL, &err)); /* undone like any other */
	spoil(file_in("mine.db"), 8192, 4096);
	assert_bad(store_restore(dir, file_in("mine.db"), &by_test, NULL, &err), ERR_STORE,
	    "nothing was changed");
	assert_bad(
	    store_restore(dir, file_in("none.db"), &by_test, NULL, &err), ERR_UNKNOWN, "none.db");
	assert_int_equal(store_head(st, SCOPE_SHARED), 7);
}

/* Who has the store open while it is replaced goes on with the new file. */
static void
test_replaced_under_a_reader(void **state)
{
	struct store *reader = NULL;
	struct snapshot *s;

	(void)state;
	fill_store();
	assert_good(store_open(dir, STORE_READ, &reader, &err));
	assert_good(store_snapshot(reader, &s, &err));
	snapshot_unref(s);
	spoil(file_in("config.db"), 0, 8192);
	assert_good(store_restore(dir, NULL, &by_test, NULL, &err));
	assert_true(store_moved(reader));
	assert_good(store_snapshot(reader, &s, &err));
	assert_int_equal(((const struct check *)snapshot_at(s, KIND_check, 0))->rise, 23);
	snapshot_unref(s);
	store_close(reader);
}

static void
test_copies_are_kept(void **state)
{
	unsigned there = 0;

	(void)state;
	for (unsigned n = 2; n < 170; n++)
		assert_good(edit(n % 2 == 0 ? "create check c" : "delete check c"));
	for (unsigned n = 0; n < 200; n++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "backup/config-%u.db", n);
		there += access(file_in(name), F_OK) == 0;
	}
	assert_int_equal(there, BACKUP_KEEP);
	assert_int_equal(access(file_in("backup/config-162.db"), F_OK), 0);
}

static void
test_locked(void **state)
{
	sqlite3 *db;

	(void)state;
	assert_int_equal(sqlite3_open(file_in("config.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_busy_timeout(st->db, 50);
	assert_bad(
	    edit("create check c"), ERR_STORE, "database is locked; another process holds it");
	(void)sqlite3_close(db);
	assert_good(edit("create check c"));
}

static mode_t
mode_of(const char *name)
{
	struct stat sb;

	assert_int_equal(stat(file_in(name), &sb), 0);
	return sb.st_mode & 07777;
}

static void
test_rights_do_not_depend_on_umask(void **state)
{
	mode_t old = umask(0077);

	store_close(st);
	remove_dir(dir);
	assert_int_equal(make_dir(state), 0);
	assert_good(store_open(dir, STORE_WRITE, &st, &err));
	assert_good(edit("create user u role=admin password=geheim123"));
	(void)umask(old);
	assert_int_equal(mode_of("config.db"), 0664);
	assert_int_equal(mode_of("config.db-wal"), 0664);
	assert_int_equal(mode_of("config.db-shm"), 0664);
	assert_int_equal(mode_of("secrets.db"), 0660);
	assert_int_equal(mode_of("backup"), 02775);
}

/* Another user with read permission only: reads while a writer is there, after it was closed and after it was
 * killed, follows, and cannot write. */
static int
read_as_nobody(void)
{
	struct store *r = NULL;
	struct snapshot *s = NULL;
	struct secrets *sec = NULL;
	int fd;

	if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
		return 10;
	if (store_open(dir, STORE_READ, &r, &err) != 0 || store_snapshot(r, &s, &err) != 0) {
		(void)fprintf(stderr, "reader: %s\n", err.text);
		return 11;
	}
	if (snapshot_count(s, KIND_check) != 20)
		return 12;
	fd = open(file_in("config.db"), O_RDWR);
	if (fd != -1 || secrets_open(dir, false, &sec, &err) == 0)
		return 13;
	if (store_open(dir, STORE_WRITE, &r, &err) != ERR_STORE)
		return 14;
	return 0;
}

static void
assert_reads(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(read_as_nobody());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
test_reader_of_another_user(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(dir, 0755), 0);
	assert_good(write_all(2));
	assert_good(edit("create user u role=admin password=geheim123"));
	assert_reads();
	store_close(st);
	st = NULL;
	assert_reads();
	pid = fork();
	if (pid == 0) {
		if (store_open(dir, STORE_WRITE, &st, &err) == 0 && write_all(9) == 0)
			(void)raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_reads();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_store, drop_dir)
		T(test_killed_writers),
		T(test_full_disk),
		T(test_empty_file),
		T(test_not_a_database),
		T(test_truncated),
		T(test_damaged_pages),
		T(test_missing_file_is_made_anew_only_when_all_is_missing),
		T(test_another_program_s_database),
		T(test_restore_into_a_usable_store),
		T(test_replaced_under_a_reader),
		T(test_copies_are_kept),
		T(test_locked),
		T(test_rights_do_not_depend_on_umask),
		T(test_reader_of_another_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
