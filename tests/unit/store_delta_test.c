/* Bytes of deltas: round trip, inverted twice, cut at each byte; strict apply refuses what moved on. */
#include "store_help.h"
#include "store/store_priv.h"

static void
make_delta(struct buf *out)
{
	struct delta_row add = { .kind = KIND_check, .op = DELTA_ADD, .id = 7, .n = 2 };
	struct delta_row edit_row = { .kind = KIND_service, .op = DELTA_EDIT, .id = 8, .n = 1 };
	struct delta_row del = { .kind = KIND_user, .op = DELTA_DEL, .id = 9, .n = 1 };

	add.f[0] = (struct delta_field){ .tag = 1, .new = { .s = "c", .len = 1 } };
	add.f[1] = (struct delta_field){ .tag = 6, .new = { .i = 3 } };
	edit_row.f[0] = (struct delta_field){ .tag = 25, .old = { .i = 3 }, .new = { .i = -4 } };
	del.f[0] = (struct delta_field){ .tag = 5, .old = { .i = 77 } };
	delta_put(out, &add);
	delta_put(out, &edit_row);
	delta_put(out, &del);
}

static void
test_round_trip_and_invert(void **state)
{
	struct buf a = { 0 }, b = { 0 }, c = { 0 };
	struct delta_row row;
	struct rd r;

	(void)state;
	make_delta(&a);
	assert_int_equal(delta_rows(a.p, a.len), 3);
	assert_true(delta_has_secret(a.p, a.len)); /* tag 5 of a user */
	assert_int_equal(delta_invert(a.p, a.len, &b), 0);
	r = (struct rd){ .p = b.p, .left = b.len };
	assert_true(delta_next(&r, &row));
	assert_int_equal(row.op, DELTA_DEL);
	assert_string_equal(row.f[0].old.s, "c");
	assert_true(delta_next(&r, &row));
	assert_int_equal(row.f[0].old.i, -4);
	assert_int_equal(row.f[0].new.i, 3);
	assert_true(delta_next(&r, &row));
	assert_int_equal(row.op, DELTA_ADD);
	assert_false(delta_next(&r, &row));
	assert_false(r.bad);
	assert_int_equal(delta_invert(b.p, b.len, &c), 0);
	assert_int_equal(a.len, c.len);
	assert_memory_equal(a.p, c.p, a.len);
	buf_fini(&a);
	buf_fini(&b);
	buf_fini(&c);
}

/* Foreign bytes: every cut and a lot of noise; nothing is read that is not there (the sanitizers look). */
static void
test_cut_and_noise(void **state)
{
	struct buf a = { 0 }, out = { 0 };
	struct snapshot *s = look(), *next;

	(void)state;
	make_delta(&a);
	for (size_t n = 0; n < a.len; n++) {
		uint8_t *copy = mem_alloc(n);

		memcpy(copy, a.p, n);
		out.len = 0;
		(void)delta_invert(copy, n, &out);
		assert_true(delta_rows(copy, n) <= 3);
		free(copy);
	}
	srandom(seed_of("noise"));
	for (unsigned i = 0; i < 20000; i++) {
		struct buf b = { 0 };

		buf_put(&b, a.p, a.len);
		for (unsigned k = 0; k < 1 + i % 4; k++)
			b.p[(size_t)random() % b.len] = (uint8_t)random();
		(void)delta_rows(b.p, b.len);
		next = NULL;
		if (snapshot_patch(s, SCOPE_SHARED, 9, b.p, b.len, &next, NULL) == 0)
			snapshot_unref(next);
		buf_fini(&b);
	}
	snapshot_unref(s);
	buf_fini(&a);
	buf_fini(&out);
}

static int
apply(const void *p, size_t len)
{
	int rc = txn_begin(st, &by_test, &err);

	if (rc == 0) {
		rc = delta_apply(st, p, len, &err);
		txn_abort(st);
	}
	return rc;
}

static void
test_strict_apply(void **state)
{
	struct commit_result r;
	struct buf back = { 0 };

	(void)state;
	assert_good(edit("create check a rise=2"));
	assert_good(edit_with(st, "set check a rise=5 comment=x", &by_test, &r));
	assert_int_equal(delta_invert(r.delta[0].p, r.delta[0].len, &back), 0);
	assert_good(apply(back.p, back.len));
	assert_bad(apply(r.delta[0].p, r.delta[0].len), ERR_CONFLICT,
	    "check a: comment: not as the change expects");
	assert_good(edit("set check a rise=6"));
	assert_bad(
	    apply(back.p, back.len), ERR_CONFLICT, "check a: rise: not as the change expects");
	assert_good(edit("delete check a"));
	assert_bad(apply(back.p, back.len), ERR_CONFLICT, "is deleted");
	assert_bad(apply(back.p, back.len - 1), ERR_PROTO, "cannot be read");
	buf_fini(&back);
	commit_result_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_store, drop_dir)
		T(test_round_trip_and_invert),
		T(test_cut_and_noise),
		T(test_strict_apply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
