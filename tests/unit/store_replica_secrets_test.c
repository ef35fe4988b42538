/* Two stores that are one, and their secrets: sent apart from the revisions, sealed by each with its own key. */
#include "store_pair.h"
#include "store/store_priv.h"

#include <errno.h>

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_secrets, open_paired, drop_pair),
		cmocka_unit_test_setup_teardown(test_secrets_that_meet, open_pair, drop_pair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
