/* Two stores that are one, and what is done to them: processes killed at any instant, codecs that are fed noise. */
#include "store_pair.h"
#include "store/store_priv.h"

#include <errno.h>
#include <sys/wait.h>

/* ---- killed at any instant ---------------------------------------------------------------------- */

static void
swing_until_killed(const struct buf *one, const struct buf *two)
{
	store_close(node[1]);
	if (store_open(dirs[1], STORE_WRITE, &node[1], &err) != 0)
		_exit(1);
	for (;;)
		for (unsigned i = 0; i < 2; i++) {
			const struct buf *d = i == 0 ? one : two;
			uint64_t hash;

			if (replica_replace(node[1], d->p, d->len, &by_test, NULL, &err) != 0)
				_exit(2);
			if (on(1, "replace check k rise=3; set setting main threads=3") != 0 ||
			    replica_hash_at(node[1], SCOPE_SHARED, i == 0 ? 2 : 3, &hash) != 0 ||
			    replica_rewind(node[1], SCOPE_SHARED, i == 0 ? 2 : 3, hash, &err) != 0)
				_exit(3);
		}
}

/* Full copies and rewinds to and fro: whoever looks after the kill sees one of the states, whole. */
static void
test_killed(void **state)
{
	struct buf dump[2] = { { 0 } };

	(void)state;
	srandom(seed_of("killed"));
	assert_good(on(0, "create check a rise=1; create check b rise=1; create check c rise=1"));
	assert_good(replica_dump(node[0], &dump[0], &err));
	assert_good(on(0,
	    "set check a rise=2; set check b rise=2; set check c rise=2; create check d rise=2"));
	assert_good(replica_dump(node[0], &dump[1], &err));
	assert_good(replica_replace(node[1], dump[0].p, dump[0].len, &by_test, NULL, &err));
	for (unsigned i = 0; i < 25; i++) {
		struct timespec pause = { .tv_nsec = 1000000 + random() % 40000000 };
		struct snapshot *s = NULL;
		uint32_t n, rise;
		uint64_t hash, mine;
		int status;
		pid_t pid = fork();

		if (pid == 0)
			swing_until_killed(&dump[0], &dump[1]);
		(void)nanosleep(&pause, NULL);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFSIGNALED(status))
			fail_msg("the writer ended by itself: %d", WEXITSTATUS(status));
		assert_good(store_snapshot(node[1], &s, &err));
		rise = ((const struct check *)snapshot_find_path(s, KIND_check, "a"))->rise;
		assert_int_equal(snapshot_count(s, KIND_check),
		    (rise == 2 ? 4 : 3) + (snapshot_find_path(s, KIND_check, "k") != NULL));
		assert_int_equal(
		    ((const struct check *)snapshot_find_path(s, KIND_check, "c"))->rise, rise);
		snapshot_unref(s);
		assert_int_equal(
		    replica_hash_at(node[1], SCOPE_SHARED, rise == 2 ? 3 : 2, &mine), 0);
		assert_int_equal(
		    replica_hash_at(node[0], SCOPE_SHARED, rise == 2 ? 3 : 2, &hash), 0);
		assert_true(mine == hash);
		assert_int_equal(replica_head(node[1], SCOPE_SHARED, &n, &hash), 0);
	}
	buf_fini(&dump[0]);
	buf_fini(&dump[1]);
}

/* ---- bytes -------------------------------------------------------------------------------------- */

static void
test_codecs(void **state)
{
	struct conflict c = { .id = 1ull << 63 | 5,
		.what = CONFLICT_KEPT,
		.scope = SCOPE_OPER,
		.kind = 10,
		.tag = 3,
		.node = 2,
		.object = 7,
		.n = 9,
		.at = 1800000000,
		.name = "web/a",
		.losing = "5",
		.standing = "",
		.reason = "so",
		.who = "ada",
		.origin = "cli" },
			out;
	struct delta_row row = { .kind = 10, .op = DELTA_EDIT, .id = 7, .n = 1 };
	struct replica_revision r;
	struct buf bytes = { 0 }, delta = { 0 }, long_one = { 0 };
	char *text;

	(void)state;
	row.f[0] = (struct delta_field){ .tag = 3, .old = { .i = 1 }, .new = { .i = 5 } };
	delta_put(&delta, &row);
	c.delta = delta.p;
	c.len = delta.len;
	replica_conflict_encode(&c, &bytes);
	assert_int_equal(replica_conflict_decode(bytes.p, bytes.len, &out), 0);
	assert_true(out.id == c.id && out.what == c.what && out.scope == c.scope &&
		    out.kind == c.kind && out.tag == c.tag && out.node == c.node &&
		    out.object == c.object && out.n == c.n && out.at == c.at && out.len == c.len);
	assert_string_equal(out.name, c.name);
	assert_string_equal(out.origin, c.origin);
	for (size_t i = 0; i < bytes.len; i++)
		assert_int_equal(replica_conflict_decode(bytes.p, i, &out), -EBADMSG);
	buf_puts(&bytes, "later");
	assert_int_equal(replica_conflict_decode(bytes.p, bytes.len, &out), 0);
	bytes.len = 0;
	assert_int_equal(replica_read(node[0], SCOPE_SHARED, 1, &r), 0);
	replica_encode(&r, &bytes);
	replica_revision_fini(&r);
	for (size_t i = 0; i < bytes.len; i++)
		assert_int_equal(replica_decode(bytes.p, i, &r),
		    i == bytes.len - 17 ? 0
					: -EBADMSG); /* an older build says nothing of a trial */
	buf_puts(&bytes, "later");
	assert_int_equal(replica_decode(bytes.p, bytes.len, &r), 0);
	/* A text that is too long is cut, not refused. */
	text = mem_alloc(10000);
	memset(text, 'x', 9999);
	c.losing = text;
	replica_conflict_encode(&c, &long_one);
	assert_int_equal(replica_conflict_decode(long_one.p, long_one.len, &out), 0);
	assert_int_equal(strlen(out.losing), 4095);
	srandom(seed_of("codecs"));
	for (unsigned i = 0; i < 20000; i++) {
		struct buf b = { 0 };
		struct conflict k;

		buf_put(&b, bytes.p, bytes.len);
		for (unsigned j = 0; j < 1 + i % 4; j++)
			b.p[(size_t)random() % b.len] = (uint8_t)random();
		(void)replica_decode(b.p, b.len, &r);
		(void)replica_conflict_decode(b.p, b.len, &k);
		buf_fini(&b);
	}
	free(text);
	buf_fini(&bytes);
	buf_fini(&delta);
	buf_fini(&long_one);
}

/* A dump is foreign too: noise in it is refused, or is another good dump; never half of it stands. */
static void
test_noise_in_a_dump(void **state)
{
	struct buf dump = { 0 };
	unsigned good = 0;

	(void)state;
	srandom(seed_of("dump"));
	assert_good(on(0,
	    "create vip web address=192.0.2.1 ports=80; create rip web/a address=10.0.0.1; create check a"));
	assert_good(replica_dump(node[0], &dump, &err));
	for (unsigned i = 0; i < 150; i++) {
		struct buf b = { 0 };
		char *before = text_of(node[1], true), *after;
		int rc;

		buf_put(&b, dump.p, dump.len);
		b.p[(size_t)random() % b.len] = (uint8_t)random();
		rc = replica_replace(node[1], b.p, b.len, &by_test, NULL, &err);
		if (rc == 0) {
			good++;
			assert_good(
			    replica_replace(node[1], dump.p, dump.len, &by_test, NULL, &err));
		} else {
			after = text_of(node[1], true);
			assert_string_equal(before, after);
			free(after);
		}
		free(before);
		buf_fini(&b);
	}
	assert_true(good < 150);
	buf_fini(&dump);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_paired, drop_pair)
		T(test_killed),
		T(test_codecs),
		T(test_noise_in_a_dump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
