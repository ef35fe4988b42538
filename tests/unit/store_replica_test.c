/* Two stores that are one: the chain, reading and following, the full copy, secrets and parity, what a newer build
 * sends, trials, killed processes, readers that notice, and codecs that are fed noise. */
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
test_secrets(void **state)
{
	struct secrets *a, *b;
	struct buf bytes = { 0 };
	uint32_t n, *v, other;
	struct replica_revision r;
	static const struct field plain = { .type = VT_SECRET, .name = "key" };

	(void)state;
	assert_good(on(0,
	    "create user ada role=admin password=correct-horse; create user bob password=12345678"));
	carry(node[0], SCOPE_SHARED, 2, &r);
	v = replica_secrets_of(r.delta, r.len, &n);
	assert_int_equal(n, 2);
	assert_true(v[0] % 2 == 0 && v[1] % 2 == 0 && v[0] < v[1]);
	replica_revision_fini(&r);
	assert_good(secrets_open(dirs[0], true, &a, &err));
	assert_good(secrets_open(dirs[1], true, &b, &err));
	assert_bad(secret_export(a, 999, &bytes, &err), ERR_UNKNOWN, "no secret 999");
	assert_good(secret_export(a, v[0], &bytes, &err));
	for (size_t i = 0; i < bytes.len; i++)
		assert_int_equal(secret_import(b, bytes.p, i, NULL, &err), ERR_PROTO);
	assert_good(secret_import(b, bytes.p, bytes.len, &other, &err));
	assert_int_equal(other, v[0]);
	assert_good(secret_import(b, bytes.p, bytes.len, &other, &err));
	assert_true(secret_verify(b, v[0], "correct-horse"));
	bytes.len = 0;
	assert_good(secret_export(a, v[1], &bytes, &err));
	buf_patch_be(&bytes, 0, v[0], 4);
	assert_bad(
	    secret_import(b, bytes.p, bytes.len, NULL, &err), ERR_CONFLICT, "is another one here");
	secrets_set_node(b, 2);
	assert_good(secret_put(b, &plain, "x", &other, &err));
	assert_true(other % 2 == 1 && other > v[0]);
	secrets_set_node(b, 1);
	assert_good(secret_put(b, &plain, "x", &other, &err));
	assert_true(other % 2 == 0);
	secrets_close(a);
	secrets_close(b);
	buf_fini(&bytes);
	free(v);
}

/* Two nodes that lived alone: the same numbers are different secrets, and the slave's give way. */
static void
test_secrets_that_meet(void **state)
{
	struct secrets *s, *of_first;
	struct snapshot *snap;

	(void)state;
	store_close(node[0]);
	store_close(node[1]);
	node[0] = node[1] = NULL;
	for (unsigned i = 0; i < 2; i++) {
		remove_dir(dirs[i]);
		assert_int_equal(mkdir(dirs[i], 0755), 0);
		assert_good(store_open(dirs[i], STORE_WRITE, &node[i], &err));
		assert_good(on(i, i == 0 ? "create user ada role=admin password=correct-horse"
					 : "create user bob role=admin password=battery-staple"));
	}
	assert_good(replica_set_node(node[0], 1, &err));
	assert_good(replica_set_node(node[1], 2, &err));
	copy_whole(0, 1);
	assert_equal_nodes();
	assert_good(secrets_open(dirs[1], false, &s, &err));
	assert_good(store_snapshot(node[1], &snap, &err));
	assert_true(secret_verify(s,
	    ((const struct user *)snapshot_find_path(snap, KIND_user, "ada"))->password,
	    "correct-horse"));
	snapshot_unref(snap);
	/* Back to what was there, with its own password. */
	assert_good(store_restore(dirs[1],
	    (snprintf(dir, sizeof(dir), "%.100s/backup/replaced-3.db", dirs[1]), dir), &by_test,
	    NULL, &err));
	assert_good(store_snapshot(node[1], &snap, &err));
	assert_true(secret_verify(s,
	    ((const struct user *)snapshot_find_path(snap, KIND_user, "bob"))->password,
	    "battery-staple"));
	snapshot_unref(snap);
	/* A number that the peer's history alone names is not given again. */
	assert_good(on(0, "set user ada password=another-horse"));
	assert_good(on(0, "set user ada password=a-third-horse"));
	copy_whole(0, 1);
	assert_good(secrets_open(dirs[0], false, &of_first, &err));
	assert_true(secret_last(s) >= secret_last(of_first));
	assert_good(secret_raise(s, 1, &err));
	secrets_close(of_first);
	secrets_close(s);
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
		T(test_secrets),
		ALONE(test_secrets_that_meet),
		T(test_trials),
		T(test_foreign),
		T(test_rewind),
		T(test_killed),
		T(test_codecs),
		T(test_noise_in_a_dump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
