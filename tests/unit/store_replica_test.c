/* Two stores that are one: the chain, reading and following, the full copy, parity, what a newer build
 * sends, trials, readers that notice. Killed processes and noise are store_replica_harm_test. */
#include "store_pair.h"
#include "store/store_priv.h"

#include <errno.h>
#include <sys/wait.h>

static void
test_chain(void **state)
{
	uint64_t h1, h2, again;
	uint32_t n;

	(void)state;
	assert_int_equal(replica_head(node[0], SCOPE_SHARED, &n, &h1), 0);
	assert_int_equal(n, 1);
	assert_true(h1 != 0);
	assert_int_equal(replica_head(node[0], SCOPE_OPER, &n, &again), 0);
	assert_true(n == 0 && again == 0);
	assert_good(on(0, "create check a"));
	assert_int_equal(replica_head(node[0], SCOPE_SHARED, &n, &h2), 0);
	assert_int_equal(n, 2);
	assert_true(h2 != h1);
	assert_int_equal(replica_hash_at(node[0], SCOPE_SHARED, 1, &again), 0);
	assert_true(again == h1);
	assert_int_equal(replica_hash_at(node[0], SCOPE_SHARED, 3, &again), -ENOENT);
	assert_int_equal(replica_hash_at(node[0], SCOPE_SHARED, 0, &again), -ENOENT);
	assert_int_equal(replica_hash_at(node[0], SCOPE_OPER, 0, &again), 0);
	/* Hashes that an older build did not write are made when they are needed. */
	assert_good(store_exec(node[0], "UPDATE revision SET hash=NULL", &err));
	assert_int_equal(replica_head(node[0], SCOPE_SHARED, &n, &again), 0);
	assert_true(again == h2);
	assert_good(store_exec(node[0], "UPDATE revision SET hash=NULL", &err));
	assert_good(on(0, "create check b"));
	assert_int_equal(replica_hash_at(node[0], SCOPE_SHARED, 2, &again), 0);
	assert_true(again == h2);
}

/* Each thing that a revision says changes its hash. */
static void
test_hash_covers_all(void **state)
{
	const struct replica_revision r = { .scope = SCOPE_SHARED,
		.n = 7,
		.at = 9,
		.node = 1,
		.who = "ada",
		.origin = "cli",
		.why = "so",
		.delta = "xyz",
		.len = 3 };
	struct replica_revision v[9];
	uint64_t h[10];

	(void)state;
	for (unsigned i = 0; i < 9; i++)
		v[i] = r;
	v[0].scope = SCOPE_OPER;
	v[1].n = 8;
	v[2].at = 10;
	v[3].node = 2;
	v[4].who = "adac";
	v[4].origin = "li"; /* borders count */
	v[5].origin = "";
	v[6].why = "sos";
	v[7].delta = "xyZ";
	v[8].len = 2;
	h[9] = chain_hash(1, &r);
	assert_true(h[9] == chain_hash(1, &r) && h[9] != chain_hash(2, &r));
	for (unsigned i = 0; i < 9; i++) {
		h[i] = chain_hash(1, &v[i]);
		for (unsigned k = 0; k < i; k++)
			assert_true(h[i] != h[k]);
		assert_true(h[i] != h[9]);
	}
}

static void
test_follow(void **state)
{
	struct replica_revision r;
	struct commit_result result;
	struct buf delta = { 0 };

	(void)state;
	assert_equal_nodes();
	assert_good(
	    on(0, "create vip web address=192.0.2.1 ports=80; create rip web/a address=10.0.0.1; "
		  "set node main hostname=first"));
	assert_good(on(0, "set rip web/a weight=5"));
	assert_good(on(0, "create vip two address=192.0.2.1 ports=81; rename vip web three"));
	assert_good(on(0, "rename vip two web; rename vip three two"));
	follow(0, 1);
	assert_equal_nodes();
	assert_good(on(0, "set rip two/a weight=6"));
	carry(node[0], SCOPE_SHARED, store_head(node[0], SCOPE_SHARED), &r);
	assert_int_equal(r.node, 1);
	assert_string_equal(r.who, "test");
	assert_good(replica_follow(node[1], &r, &result, &err));
	assert_int_equal(result.revision[SCOPE_SHARED], r.n);
	assert_int_equal(result.delta[SCOPE_SHARED].len, r.len);
	assert_memory_equal(result.delta[SCOPE_SHARED].p, r.delta, r.len);
	commit_result_fini(&result);
	/* Bytes are kept as they came; the same once more does not fit, nor does one that jumps. */
	assert_int_equal(store_delta(node[1], SCOPE_SHARED, r.n, &delta), 0);
	assert_int_equal(delta.len, r.len);
	assert_memory_equal(delta.p, r.delta, r.len);
	assert_bad(
	    replica_follow(node[1], &r, NULL, &err), ERR_CONFLICT, "does not follow revision");
	r.n += 2;
	assert_bad(
	    replica_follow(node[1], &r, NULL, &err), ERR_CONFLICT, "does not follow revision");
	replica_revision_fini(&r);
	buf_fini(&delta);
	/* The other may become the active one: what it makes is followed too. */
	assert_good(on(1, "create check c"));
	follow(1, 0);
	assert_equal_nodes();
	carry(node[0], SCOPE_SHARED, store_head(node[0], SCOPE_SHARED), &r);
	assert_int_equal(r.node, 2);
	replica_revision_fini(&r);
}

static void
test_orders_follow(void **state)
{
	const struct order drain = { .server = 2, .state = admin_state_drain, .weight = -1 };
	struct replica_revision r;

	(void)state;
	assert_good(
	    on(0, "create vip web address=192.0.2.1 ports=80; create rip web/a address=10.0.0.1"));
	assert_good(store_order(node[0], &drain, 1, &by_test, NULL, &err));
	follow(0, 1);
	assert_equal_nodes();
	assert_int_equal(store_head(node[1], SCOPE_OPER), 1);
	carry(node[0], SCOPE_OPER, 1, &r);
	r.scope = SCOPE_SHARED;
	assert_bad(replica_follow(node[1], &r, NULL, &err), ERR_PROTO, "does not belong here");
	replica_revision_fini(&r);
}

static void
test_copies_that_differ(void **state)
{
	struct replica_revision r;

	(void)state;
	assert_good(on(0, "create check a"));
	assert_good(on(1, "create check b"));
	assert_good(on(0, "set check a rise=4"));
	carry(node[0], SCOPE_SHARED, 3, &r);
	assert_bad(replica_follow(node[1], &r, NULL, &err), ERR_CONFLICT, "has another history");
	replica_revision_fini(&r);
	assert_int_equal(last_common(SCOPE_SHARED), 1);
	/* The hash would fit, the rows do not: somebody wrote past the store. */
	copy_whole(0, 1);
	assert_equal_nodes();
	assert_good(on(0, "set check a rise=5"));
	carry(node[0], SCOPE_SHARED, 4, &r);
	assert_good(store_exec(node[1], "UPDATE \"check\" SET rise=9", &err));
	assert_bad(replica_follow(node[1], &r, NULL, &err), ERR_CONFLICT,
	    "rise: not as the change expects");
	replica_revision_fini(&r);
	assert_int_equal(store_head(node[1], SCOPE_SHARED), 3);
}

/* What follows is not checked against this node's addresses, but against everything that both nodes know. */
static void
test_what_is_allowed(void **state)
{
	struct iface_addr own = { .addr = { .family = 4, .len = 24 } };
	const struct iface_list local = { .a = &own, .n = 1 };

	(void)state;
	own.addr.b[0] = 192;
	own.addr.b[1] = 0;
	own.addr.b[2] = 2;
	own.addr.b[3] = 1;
	store_set_local(node[1], &local);
	assert_int_not_equal(on(1, "create vip web address=192.0.2.1 ports=80"), 0);
	assert_good(on(0, "create vip web address=192.0.2.1 ports=80"));
	follow(0, 1);
	assert_equal_nodes();
}

/* The last revision of node 0 with another delta, as node 0 would have made it. */
static void
forge(const struct buf *delta, struct replica_revision *out)
{
	uint64_t before;
	uint32_t n;

	assert_int_equal(replica_head(node[0], SCOPE_SHARED, &n, &before), 0);
	*out = (struct replica_revision){ .scope = SCOPE_SHARED,
		.n = n + 1,
		.at = 1800000000,
		.node = 1,
		.who = "newer",
		.origin = "cli",
		.why = "",
		.delta = delta->p,
		.len = delta->len };
	out->hash = chain_hash(before, out);
}

/* What an older build left out is there after a copy, and the history too. */
static void
test_after_an_upgrade(void **state)
{
	struct snapshot *s = NULL;

	(void)state;
	assert_good(on(0, "create check a rise=7"));
	assert_good(on(0, "create check b"));
	follow(0, 1);
	/* As if the build of then had not known the field, nor the one before it. */
	assert_good(store_exec(node[1], "UPDATE \"check\" SET rise=2", &err));
	assert_good(store_exec(node[1], "INSERT OR REPLACE INTO meta VALUES('skipped', 1)", &err));
	assert_true(schema_version() > 1);
	assert_true(replica_skipped(node[1]));
	assert_false(replica_outgrown(node[1], 1)); /* the other does not have it either */
	assert_true(replica_outgrown(node[1], 2));
	copy_whole(0, 1);
	assert_false(replica_skipped(node[1]));
	assert_equal_nodes();
	assert_good(store_rollback(node[1], SCOPE_SHARED, 2, &by_test, NULL, &err));
	assert_good(store_snapshot(node[1], &s, &err));
	assert_int_equal(snapshot_count(s, KIND_check), 1);
	assert_int_equal(((const struct check *)snapshot_at(s, KIND_check, 0))->rise, 7);
	snapshot_unref(s);
	/* Another history is replaced. */
	assert_good(on(0, "create check c"));
	copy_whole(0, 1);
	assert_bad(store_rollback(node[1], SCOPE_SHARED, 2, &by_test, NULL, &err), ERR_UNKNOWN, "");
}

static void
test_a_newer_build(void **state)
{
	struct delta_row row = { .kind = KIND_check, .op = DELTA_EDIT, .id = 2, .n = 2 };
	struct replica_revision r, back;
	struct snapshot *s = NULL;
	struct buf delta = { 0 };

	(void)state;
	assert_good(on(0, "create check a rise=2"));
	follow(0, 1);
	row.f[0] = (struct delta_field){ .tag = field_find(object_of(KIND_check), "rise")->tag,
		.old = { .i = 2 },
		.new = { .i = 4 } };
	row.f[1] =
	    (struct delta_field){ .tag = 999, .old = { .s = "" }, .new = { .s = "new", .len = 3 } };
	delta_put(&delta, &row);
	row.kind = 77;
	delta_put(&delta, &row);
	forge(&delta, &r);
	assert_false(replica_skipped(node[1]));
	assert_good(replica_follow(node[1], &r, NULL, &err));
	assert_true(replica_skipped(node[1]));
	assert_false(replica_outgrown(node[1], 1000)); /* this build skipped it: it would again */
	carry(node[1], SCOPE_SHARED, r.n, &back);
	assert_int_equal(back.len, delta.len);
	assert_memory_equal(back.delta, delta.p, delta.len);
	assert_true(back.hash == r.hash);
	replica_revision_fini(&back);
	/* A base that was loaded whole, and one that followed by deltas, see the same. */
	assert_good(store_snapshot(node[1], &s, &err));
	assert_int_equal(((const struct check *)snapshot_at(s, KIND_check, 0))->rise, 4);
	snapshot_unref(s);
	assert_good(on(1, "set check a rise=5"));
	/* Nothing of it known at all: a revision all the same. */
	assert_good(replica_follow(node[0], &r, NULL, &err));
	delta.len = 0;
	delta_put(&delta, &row);
	forge(&delta, &r);
	assert_good(replica_follow(node[0], &r, NULL, &err));
	assert_int_equal(store_head(node[0], SCOPE_SHARED), r.n);
	assert_good(store_rollback(node[0], SCOPE_SHARED, 2, &by_test, NULL, &err));
	copy_whole(0, 1);
	assert_false(replica_skipped(node[1]) || replica_outgrown(node[1], 1000));
	assert_equal_nodes();
	/* A word of an enum that is not known is no value here. */
	delta.len = 0;
	row = (struct delta_row){ .kind = KIND_check, .op = DELTA_EDIT, .id = 2, .n = 1 };
	row.f[0] = (struct delta_field){ .tag = field_find(object_of(KIND_check), "kind")->tag,
		.old = { .s = "tcp", .len = 3 },
		.new = { .s = "moon", .len = 4 } };
	delta_put(&delta, &row);
	forge(&delta, &r);
	assert_bad(replica_follow(node[1], &r, NULL, &err), ERR_INVALID, "does not know");
	buf_fini(&delta);
}

static void
test_full_copy(void **state)
{
	struct commit_result result;
	struct buf dump = { 0 };
	struct snapshot *s;
	uint64_t x, y;
	uint32_t n;

	(void)state;
	for (unsigned i = 0; i < 30; i++)
		assert_good(on(1, i % 2 == 0 ? "create check mine" : "delete check mine"));
	assert_good(
	    on(1, "create vip own address=192.0.2.9 ports=9; create rip own/a address=10.0.0.9; "
		  "set node main hostname=second"));
	assert_good(on(0,
	    "create vip web address=192.0.2.1 ports=80; create rip web/a address=10.0.0.1; "
	    "create user ada role=admin password=correct-horse; set node main hostname=first"));
	assert_good(store_order(node[0],
	    &(struct order){ .server = 2, .state = admin_state_halt, .weight = 3 }, 1, &by_test,
	    NULL, &err));
	assert_good(replica_dump(node[0], &dump, &err));
	assert_bad(replica_replace(node[1], dump.p, dump.len - 1, &by_test, NULL, &err), ERR_PROTO,
	    "cannot be read");
	buf_fini(&dump);
	copy_whole(0, 1);
	assert_equal_nodes();
	assert_good(store_snapshot(node[1], &s, &err));
	assert_string_equal(snapshot_node(s)->hostname, "second");
	snapshot_unref(s);
	assert_int_equal(replica_head(node[1], SCOPE_SHARED, &n, &x), 0);
	assert_int_equal(replica_hash_at(node[0], SCOPE_SHARED, n, &y), 0);
	assert_true(x == y);
	assert_bad(store_rollback(node[1], SCOPE_SHARED, 1, &by_test, NULL, &err), ERR_UNKNOWN,
	    "not in the history");
	/* It goes on from there, in both directions, and an id of node 2 is odd and new. */
	assert_good(on(0, "create check x"));
	follow(0, 1);
	assert_good(on(1, "create check y"));
	follow(1, 0);
	assert_equal_nodes();
	/* What was there is in a copy that store_restore takes. */
	assert_good(store_restore(dirs[1],
	    (snprintf(dir, sizeof(dir), "%.100s/backup/replaced-32.db", dirs[1]), dir), &by_test,
	    &result, &err));
	commit_result_fini(&result);
	assert_good(store_snapshot(node[1], &s, &err));
	assert_non_null(snapshot_find_path(s, KIND_server, "own/a"));
	assert_null(snapshot_find_path(s, KIND_service, "web"));
	snapshot_unref(s);
	follow(1, 0);
	assert_equal_nodes();
}

/* Copies of the file go on after a full copy with lower numbers. */
static void
test_copies_after_a_full_copy(void **state)
{
	char path[STORE_PATH_MAX], line[60];

	(void)state;
	for (unsigned i = 0; i < 45; i++) {
		(void)snprintf(line, sizeof(line), "replace check a rise=%u", i % 9 + 1);
		assert_good(on(1, line));
	}
	assert_true(file_last_copy(dirs[1], path, sizeof(path)));
	copy_whole(0, 1);
	assert_true(file_last_copy(dirs[1], path, sizeof(path)));
	assert_non_null(strstr(path, "/config-1.db"));
	for (unsigned i = 0; i < 25; i++) {
		(void)snprintf(line, sizeof(line), "replace check a rise=%u", i % 9 + 1);
		assert_good(on(1, line));
	}
	assert_true(file_last_copy(dirs[1], path, sizeof(path)));
	assert_non_null(strstr(path, "/config-21.db"));
}

static void
test_parity(void **state)
{
	struct snapshot *s;

	(void)state;
	assert_int_equal(replica_node(node[0]), 1);
	assert_int_equal(replica_node(node[1]), 2);
	for (unsigned i = 0; i < 5; i++) {
		char line[60];

		(void)snprintf(line, sizeof(line),
		    "create check a%u; create vip v%u address=192.0.2.%u ports=1", i, i, i + 1);
		assert_good(on(i % 2, line));
		follow(i % 2, 1 - i % 2);
	}
	assert_equal_nodes();
	assert_good(store_snapshot(node[0], &s, &err));
	for (unsigned i = 0; i < 5; i++) {
		const struct check *c = snapshot_at(s, KIND_check, i);

		assert_int_equal(c->id % 2, (unsigned)(c->name[1] - '0') % 2);
		assert_true(c->id > 1);
	}
	snapshot_unref(s);
	/* Another process that has the file open learns it at its next transaction. */
	assert_good(store_open(dirs[0], STORE_WRITE, &st, &err));
	assert_good(replica_set_node(node[0], 2, &err));
	assert_good(edit("create check odd"));
	s = look();
	assert_int_equal(
	    ((const struct check *)snapshot_find_path(s, KIND_check, "odd"))->id % 2, 1);
	snapshot_unref(s);
	store_close(st);
	st = NULL;
}

static void
test_trials(void **state)
{
	const struct commit_info trial = { .who = "test", .trial_ms = 60000 };
	struct replica_revision r;
	struct buf dump = { 0 };
	uint64_t hash;

	(void)state;
	/* A trial of LOCAL fields does not stop the pair, and undoing it leaves what came meanwhile. */
	assert_good(edit_with(node[1], "set node main hostname=try", &trial, NULL));
	assert_good(on(0, "create check a"));
	follow(0, 1);
	assert_good(store_revert(node[1], &by_test, NULL, &err));
	assert_equal_nodes();
	/* One of SHARED is in the way of another history. */
	assert_good(on(0, "create check b"));
	assert_good(edit_with(node[1], "create check mine", &trial, NULL));
	carry(node[0], SCOPE_SHARED, store_head(node[0], SCOPE_SHARED), &r);
	assert_bad(replica_follow(node[1], &r, NULL, &err), ERR_CONFLICT, "does not follow");
	r.trial = TRIAL_UNSAID; /* an older build does not know whether it ends the trial */
	assert_bad(replica_follow(node[1], &r, NULL, &err), -EBUSY, "lbctl confirm keeps it");
	assert_bad(replica_join(node[1], 2, &r, NULL, NULL, &err), -EBUSY, "a trial waits");
	assert_int_equal(replica_hash_at(node[1], SCOPE_SHARED, 1, &hash), 0);
	assert_bad(replica_rewind(node[1], SCOPE_SHARED, 1, hash, &err), -EBUSY, "a trial waits");
	assert_good(replica_dump(node[0], &dump, &err));
	assert_bad(replica_replace(node[1], dump.p, dump.len, &by_test, NULL, &err), -EBUSY,
	    "a trial waits");
	assert_good(store_confirm(node[1], &by_test, &err));
	assert_good(replica_join(node[1], 2, &r, NULL, NULL, &err));
	replica_revision_fini(&r);
	buf_fini(&dump);
	/* A trial of the active is followed and undone like everything else. */
	copy_whole(0, 1);
	assert_good(edit_with(node[0], "create check try", &trial, NULL));
	follow(0, 1);
	assert_good(store_revert(node[0], &by_test, NULL, &err));
	follow(0, 1);
	assert_equal_nodes();
}

static void
test_foreign(void **state)
{
	(void)state;
	/* Of a build that did not write it down: the slave of that pair has its configuration. */
	assert_false(replica_is_foreign(node[1], 2, 77));
	assert_good(replica_set_node(node[1], 1, &err));
	assert_true(replica_is_foreign(node[1], 2, 77));
	assert_false(replica_is_foreign(node[1], 1, 77)); /* the master's stands */
	assert_good(replica_set_cluster(node[1], UINT64_MAX - 1, &err));
	assert_false(replica_is_foreign(node[1], 2, UINT64_MAX - 1));
	assert_true(replica_is_foreign(node[1], 2, 77));
}

static int
count_superseded(void *arg, uint32_t id, const struct replica_revision *r)
{
	unsigned *n = arg;

	assert_true(id > 0 && r->n > 1);
	(*n)++;
	return 0;
}

static int
last_superseded(void *arg, uint32_t id, const struct replica_revision *r)
{
	(void)r;
	*(uint32_t *)arg = id;
	return 1;
}

static void
test_rewind(void **state)
{
	struct store *reader = NULL;
	struct snapshot *before, *s;
	unsigned n = 0;
	uint64_t hash;
	uint32_t id = 0;

	(void)state;
	assert_good(on(0, "create check a rise=2"));
	follow(0, 1);
	assert_good(on(0, "create check zero"));
	assert_good(on(0, "set check zero rise=7"));
	assert_good(on(1, "set check a rise=4"));
	assert_good(on(1, "create check one"));
	assert_good(store_open(dirs[1], STORE_READ, &reader, &err));
	assert_good(store_snapshot(reader, &before, &err));
	assert_true(store_continues(reader, before));
	assert_int_equal(replica_hash_at(node[1], SCOPE_SHARED, 2, &hash), 0);
	assert_bad(replica_rewind(node[1], SCOPE_SHARED, 2, hash + 1, &err), ERR_CONFLICT,
	    "another history");
	assert_bad(replica_rewind(node[1], SCOPE_SHARED, 9, hash, &err), ERR_UNKNOWN,
	    "not in the history");
	assert_good(replica_rewind(node[1], SCOPE_SHARED, 2, hash, &err));
	follow(0, 1);
	assert_equal_nodes();
	/* The numbers are what they were, and the reader notices all the same. */
	assert_int_equal(store_head(reader, SCOPE_SHARED), snapshot_revision(before, SCOPE_SHARED));
	assert_false(store_continues(reader, before));
	assert_good(store_snapshot(reader, &s, &err));
	assert_null(snapshot_find_path(s, KIND_check, "one"));
	assert_non_null(snapshot_find_path(s, KIND_check, "zero"));
	snapshot_unref(s);
	snapshot_unref(before);
	store_close(reader);
	assert_int_equal(replica_superseded(node[1], 100, count_superseded, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(replica_superseded(node[1], 1, last_superseded, &id), 1);
	assert_good(replica_superseded_take(node[1], id, &by_test, NULL, &err));
	assert_good(store_snapshot(node[1], &s, &err));
	assert_non_null(snapshot_find_path(s, KIND_check, "one"));
	snapshot_unref(s);
	assert_bad(replica_superseded_take(node[1], 99, &by_test, NULL, &err), ERR_UNKNOWN,
	    "no superseded revision 99");
	/* Ids of what was taken back are never given again. */
	assert_good(on(1, "create check two"));
	assert_good(store_snapshot(node[1], &s, &err));
	assert_true(((const struct check *)snapshot_find_path(s, KIND_check, "two"))->id >
		    ((const struct check *)snapshot_find_path(s, KIND_check, "one"))->id);
	snapshot_unref(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_paired, drop_pair)
#define ALONE(name) cmocka_unit_test_setup_teardown(name, open_pair, drop_pair)
		ALONE(test_chain),
		ALONE(test_hash_covers_all),
		T(test_follow),
		T(test_orders_follow),
		T(test_copies_that_differ),
		T(test_what_is_allowed),
		T(test_after_an_upgrade),
		T(test_a_newer_build),
		ALONE(test_full_copy),
		ALONE(test_copies_after_a_full_copy),
		T(test_parity),
		T(test_trials),
		T(test_foreign),
		T(test_rewind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
