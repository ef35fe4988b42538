/* The mirror on disk: taken whole or not at all, and older by the time that passed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mirror_file.h"

#define WALL INT64_C(1700000000000)

static const uint64_t key[2] = { 3, 5 };

static struct stick_record
record(uint32_t client)
{
	struct stick_record r = { .kind = STICK_PERSIST,
		.service = 1,
		.value = client + 1,
		.left_ms = 1000 * client,
		.generation = 2,
		.stamp = client };

	memcpy(r.key, &client, sizeof(client));
	return r;
}

/* Clients 1..n; client i lives i seconds. */
static void
file_of(uint32_t n, struct buf *out)
{
	struct mirror *m = mirror_new(5000, key, 0);
	struct mirror_cursor c;
	struct buf batch = { 0 };

	for (uint32_t i = 1; i <= n; i++) {
		struct stick_record r = record(i);

		assert_true(mirror_put(m, &r, MIRROR_PROXY, 0));
	}
	mirror_follow(m, &c, 0, 0);
	mirror_file_begin(out, WALL, 99999);
	while (mirror_behind(m, &c)) {
		(void)mirror_read(m, &c, 1000, 0, &batch);
		mirror_file_add(out, &batch);
	}
	mirror_file_end(out);
	mirror_leave(&c);
	mirror_free(m);
	buf_fini(&batch);
}

static int
read_at(const struct buf *b, size_t len, int64_t wall_ms, struct mirror **out)
{
	struct err err = { 0 };
	int n;

	*out = mirror_new(5000, key, 777);
	n = mirror_file_read(b->p, len, *out, 777, wall_ms, &err);
	assert_int_equal(n < 0, err.text[0] != '\0');
	return n;
}

static void
test_round_trip(void **state)
{
	struct stick_record r = record(3000), got;
	struct mirror *m;
	struct buf b = { 0 };

	(void)state;
	file_of(3000, &b);
	assert_int_equal(read_at(&b, b.len, WALL, &m), 3000);
	assert_true(mirror_find(m, &r, 777, &got));
	assert_int_equal(got.value, 3001);
	assert_int_equal(got.generation, 2);
	assert_int_equal(got.stamp, 3000);
	assert_true(got.left_ms > 2999800 && got.left_ms <= 3000000);
	assert_int_equal(mirror_stamp(m), 99999);
	mirror_free(m);
	buf_fini(&b);
}

/* The machine was off for a while; its clock went back; it was off for years. */
static void
test_age(void **state)
{
	struct stick_record r = record(100), got;
	struct mirror *m;
	struct buf b = { 0 };

	(void)state;
	file_of(100, &b);
	assert_int_equal(read_at(&b, b.len, WALL + 40500, &m), 60);
	assert_true(mirror_find(m, &r, 777, &got));
	assert_true(got.left_ms > 59300 && got.left_ms <= 59500);
	mirror_free(m);
	assert_int_equal(read_at(&b, b.len, WALL - 1000000, &m), 100);
	mirror_free(m);
	assert_int_equal(read_at(&b, b.len, INT64_MAX, &m), 0);
	mirror_free(m);
	buf_fini(&b);
}

static void
test_damaged(void **state)
{
	struct mirror *m;
	struct buf b = { 0 };

	(void)state;
	file_of(5, &b);
	for (size_t n = 0; n < b.len; n++) {
		assert_true(read_at(&b, n, WALL, &m) < 0);
		assert_int_equal(mirror_count(m), 0);
		mirror_free(m);
	}
	for (size_t i = 0; i < b.len; i++) {
		b.p[i] ^= 0x10;
		assert_true(read_at(&b, b.len, WALL, &m) < 0);
		assert_int_equal(mirror_count(m), 0);
		mirror_free(m);
		b.p[i] ^= 0x10;
	}
	buf_put(&b, "more", 4);
	assert_true(read_at(&b, b.len, WALL, &m) < 0);
	mirror_free(m);
	b.len = 0; /* right sums, wrong inside */
	mirror_file_begin(&b, WALL, 1);
	buf_put_be(&b, 3, 4);
	buf_put(&b, "abc", 3);
	mirror_file_end(&b);
	assert_true(read_at(&b, b.len, WALL, &m) < 0);
	mirror_free(m);
	buf_fini(&b);
}

static void
test_on_disk(void **state)
{
	char dir[] = "/tmp/lbd-mirror-XXXXXX", path[64];
	struct buf b = { 0 };
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/persist.db", dir);
	assert_int_equal(mirror_file_load(path, 100, &b), -ENOENT);
	assert_int_equal(mirror_file_save(path, "first", 5), 0);
	assert_int_equal(mirror_file_save(path, "second", 6), 0);
	assert_int_equal(mirror_file_load(path, 5, &b), -EFBIG);
	assert_int_equal(mirror_file_load(path, 6, &b), 0);
	assert_int_equal(b.len, 6);
	assert_memory_equal(b.p, "second", 6);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_true(mirror_file_load(path, 100000, &b) < 0); /* nobody leads us elsewhere */
	assert_int_equal(mirror_file_save("/nonexistent/x", "a", 1), -ENOENT);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0); /* nothing else was left */
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_on_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
