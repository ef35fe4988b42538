/* A trial that both nodes of a pair have: it begins, grows, ends and is kept on both; undone apart, by the same bytes;
 * and whatever one of them missed, they are equal when they meet again. */
#include "store_pair.h"
#include "store/store_priv.h"

#include <errno.h>

static const struct commit_info trial = { .who = "ada", .origin = "cli", .trial_ms = 60000 };

#define MANY                                                                                        \
	"create check c; create vip web address=192.0.2.1 ports=80 check=c; create vip mail "       \
	"address=192.0.2.2 ports=25; create rip web/a address=10.0.0.1 weight=1; create rip web/b " \
	"address=10.0.0.2; create rip web/d address=10.0.0.4"
#define CHANGED                                                                                     \
	"delete rip web/a; set rip web/b weight=7 comment=x; rename rip web/d e; create rip web/f " \
	"address=10.0.0.9; create vip new address=192.0.2.7 ports=1; set setting main history=99; " \
	"set vip mail ports=26 check=c"

static struct trial
waits(unsigned i)
{
	struct trial t;

	assert_good(store_trial(node[i], &t, &err));
	return t;
}

static void
begin(unsigned i, const char *lines)
{
	assert_good(edit_with(node[i], lines, &trial, NULL));
	follow(i, 1 - i);
	assert_equal_nodes();
	assert_true(waits(0).pending && waits(1).pending);
}

static void
time_over(void)
{
	for (unsigned i = 0; i < 2; i++)
		assert_good(store_exec(node[i], "UPDATE trial SET deadline=0", &err));
}

static void
test_begins_on_both(void **state)
{
	struct trial a, b;

	(void)state;
	assert_good(edit_with(node[0], "create check a", &trial, NULL));
	assert_false(waits(0).both);
	assert_good(replica_trial_leaves(node[0], &err));
	follow(0, 1);
	a = waits(0);
	b = waits(1);
	assert_true(a.both && !a.taken && b.both && b.taken);
	assert_int_equal(a.base[SCOPE_SHARED], b.base[SCOPE_SHARED]);
	assert_int_equal(a.revision[SCOPE_SHARED], b.revision[SCOPE_SHARED]);
	assert_true(a.due == b.due && b.left_ms > 50000 && b.left_ms <= 60000);
	assert_string_equal(b.who, "ada");
	assert_bad(on(1, "create check mine"), ERR_CONFLICT, "lbctl confirm");
	/* What a user says on either node is what both have. */
	assert_good(store_revert(node[1], &by_test, NULL, &err));
	follow(1, 0);
	assert_equal_nodes();
	assert_true(!waits(0).pending && !waits(1).pending);
	assert_good(on(0, "create check b"));
}

/* The same revision on both, made apart; from each node, and grown by the other. */
static void
test_undone_apart(void **state)
{
	(void)state;
	assert_good(on(0, MANY));
	follow(0, 1);
	for (unsigned i = 0; i < 3; i++) {
		char *before = text_of(node[0], true), *after;

		begin(i % 2, CHANGED);
		if (i == 2) {
			assert_good(
			    edit_with(node[1], "delete vip new; create check more", &trial, NULL));
			follow(1, 0);
		}
		time_over();
		assert_good(store_expire(node[0], NULL, &err));
		assert_good(store_expire(node[1], NULL, &err));
		assert_equal_nodes(); /* hashes too */
		after = text_of(node[1], true);
		assert_string_equal(before, after);
		free(before);
		free(after);
		assert_false(waits(0).pending || waits(1).pending);
	}
	assert_int_equal(heal(), 0);
}

/* One was started anew and undid it early; the other when the time was up: two revisions, nothing to decide. */
static void
test_undone_at_other_times(void **state)
{
	const char *real = trial_boot_id_file;

	(void)state;
	assert_good(on(0, MANY));
	follow(0, 1);
	begin(0, CHANGED);
	trial_boot_id_file = "/dev/null";
	assert_good(store_expire(node[1], NULL, &err));
	trial_boot_id_file = real;
	time_over();
	assert_good(store_expire(node[0], NULL, &err));
	assert_int_equal(heal(), 0);
	/* And by a person on one of them. */
	begin(1, CHANGED);
	assert_good(store_revert(node[0], &by_test, NULL, &err));
	time_over();
	assert_good(store_expire(node[1], NULL, &err));
	assert_int_equal(heal(), 0);
	/* One undid it, the other has not yet: it follows. */
	begin(0, CHANGED);
	assert_good(store_revert(node[1], &by_test, NULL, &err));
	assert_good(on(1, "create check on"));
	follow(1, 0);
	assert_equal_nodes();
	assert_false(waits(0).pending);
}

static void
test_kept_by_both(void **state)
{
	struct trial t;
	uint64_t hash;

	(void)state;
	begin(0, "create check a");
	t = waits(0);
	assert_int_equal(
	    replica_hash_at(node[0], SCOPE_SHARED, t.revision[SCOPE_SHARED], &hash), 0);
	assert_bad(replica_trial_keep(node[1], t.revision[SCOPE_SHARED], hash + 1, &err),
	    ERR_REVERTED, "is not the newest");
	assert_true(waits(1).pending);
	assert_good(replica_trial_keep(node[1], t.revision[SCOPE_SHARED], hash, &err));
	assert_false(waits(1).pending);
	/* The answer was lost: it may be asked again, or undone here, which the other follows. */
	assert_good(replica_trial_keep(node[1], t.revision[SCOPE_SHARED], hash, &err));
	time_over();
	assert_good(store_expire(node[0], NULL, &err));
	follow(0, 1);
	assert_equal_nodes();
	/* Undone there first: it cannot be kept. */
	begin(0, "create check a");
	t = waits(0);
	assert_int_equal(
	    replica_hash_at(node[0], SCOPE_SHARED, t.revision[SCOPE_SHARED], &hash), 0);
	assert_good(store_revert(node[1], &by_test, NULL, &err));
	assert_bad(replica_trial_keep(node[1], t.revision[SCOPE_SHARED], hash, &err), ERR_REVERTED,
	    "it was undone there");
}

static void
test_more_time(void **state)
{
	struct trial t;

	(void)state;
	begin(0, "create check a");
	t = waits(0);
	assert_good(replica_trial_time(node[1], t.revision[SCOPE_SHARED], 500000, 77, &err));
	assert_true(waits(1).left_ms > 400000 && waits(1).due == 77);
	assert_good(replica_trial_time(node[1], t.revision[SCOPE_SHARED] + 1, 1, 78, &err));
	assert_true(waits(1).left_ms > 400000 && waits(1).due == 77);
}

/* What it changed in LOCAL is of one node, and goes when the rest goes. */
static void
test_with_local(void **state)
{
	struct snapshot *s = NULL;
	struct commit_result r;

	(void)state;
	begin(0, "create check a; set node main hostname=try");
	assert_good(store_revert(node[1], &by_test, NULL, &err));
	follow(1, 0);
	assert_equal_nodes();
	assert_true(waits(0).pending && waits(0).left_ms <= 0 && !waits(0).both);
	assert_good(store_expire(node[0], &r, &err));
	assert_int_equal(r.revision[SCOPE_SHARED], 0);
	assert_true(r.revision[SCOPE_LOCAL] != 0);
	commit_result_fini(&r);
	assert_good(store_snapshot(node[0], &s, &err));
	assert_string_equal(snapshot_node(s)->hostname, "");
	snapshot_unref(s);
	/* One of LOCAL alone stays apart, and what the other makes is followed, and is not undone with it. */
	assert_good(edit_with(node[1], "set node main hostname=two", &trial, NULL));
	assert_good(on(0, "create check b"));
	follow(0, 1);
	assert_good(edit_with(node[1], "create check c", &trial, NULL));
	follow(1, 0);
	assert_int_equal(waits(0).base[SCOPE_SHARED], waits(1).base[SCOPE_SHARED]);
	assert_good(store_revert(node[1], &by_test, NULL, &err));
	follow(1, 0);
	assert_equal_nodes();
	assert_good(store_snapshot(node[0], &s, &err));
	assert_non_null(snapshot_find_path(s, KIND_check, "b"));
	snapshot_unref(s);
}

/* Bytes that claim a base which cannot be are no revision. */
static void
test_foreign_claims(void **state)
{
	static const struct {
		uint32_t base;
		int want;
	} rows[] = { { 0, -EBADMSG }, { 1, 0 }, { 2, -EBADMSG }, { UINT32_MAX, -EBADMSG } };
	struct replica_revision r;

	(void)state;
	assert_good(edit_with(node[0], "create check a", &trial, NULL));
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };
		struct replica_revision out;

		carry(node[0], SCOPE_SHARED, 2, &r);
		assert_int_equal(r.trial, TRIAL_WAITS);
		r.base = rows[i].base;
		replica_encode(&r, &b);
		assert_int_equal(replica_decode(b.p, b.len, &out), rows[i].want);
		buf_fini(&b);
		replica_revision_fini(&r);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_paired, drop_pair)
	const struct CMUnitTest tests[] = {
		T(test_begins_on_both),
		T(test_undone_apart),
		T(test_undone_at_other_times),
		T(test_kept_by_both),
		T(test_more_time),
		T(test_with_local),
		T(test_foreign_claims),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
