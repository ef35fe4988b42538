/* Trial commits: what waits, extending, confirming, undoing, a reboot in between; transactions between two
 * commands; secrets that come and go. */
#include "store_help.h"
#include "store/store_priv.h"

static const struct commit_info trial = { .who = "ada", .origin = "cli", .trial_ms = 60000 };

static void
test_pending_and_confirm(void **state)
{
	struct trial t;

	(void)state;
	assert_good(store_trial(st, &t, &err));
	assert_false(t.pending);
	assert_good(edit_with(st, "create check a; set node main hostname=x", &trial, NULL));
	assert_good(store_trial(st, &t, &err));
	assert_true(t.pending && !t.rebooted);
	assert_int_equal(t.base[SCOPE_SHARED], 1);
	assert_int_equal(t.base[SCOPE_LOCAL], 1);
	assert_int_equal(t.revision[SCOPE_SHARED], 2);
	assert_true(t.left_ms > 50000 && t.left_ms <= 60000);
	assert_string_equal(t.who, "ada");
	assert_bad(edit("create check b"), ERR_CONFLICT, "lbctl confirm");
	assert_bad(store_rollback(st, SCOPE_SHARED, 1, &by_test, NULL, &err), ERR_CONFLICT,
	    "lbctl rollback 1");
	assert_good(store_confirm(st, &by_test, &err));
	assert_bad(store_confirm(st, &by_test, &err), ERR_UNKNOWN, "nothing waits");
	assert_good(edit("create check b"));
}

static void
test_extend_keeps_base(void **state)
{
	struct snapshot *s;
	struct trial t;

	(void)state;
	assert_good(edit("create check keep"));
	assert_good(edit_with(st, "create check a", &trial, NULL));
	assert_good(edit_with(
	    st, "create check b", &(struct commit_info){ .who = "eve", .trial_ms = 90000 }, NULL));
	assert_good(store_trial(st, &t, &err));
	assert_int_equal(t.base[SCOPE_SHARED], 2);
	assert_int_equal(t.revision[SCOPE_SHARED], 4);
	assert_true(t.left_ms > 60000);
	assert_good(edit_with(st, "replace check b",
	    &(struct commit_info){ .who = "eve", .trial_ms = 200000 }, NULL));
	assert_good(store_trial(st, &t, &err));
	assert_true(t.left_ms > 100000); /* nothing differs, and yet there is more time */
	assert_int_equal(store_head(st, SCOPE_SHARED), 4);
	assert_good(store_revert(st, &(struct commit_info){ .who = "lbd-ha" }, NULL, &err));
	s = look();
	assert_int_equal(snapshot_count(s, KIND_check), 1);
	assert_int_equal(snapshot_revision(s, SCOPE_SHARED), 5);
	snapshot_unref(s);
	assert_good(store_trial(st, &t, &err));
	assert_false(t.pending);
	assert_bad(store_revert(st, &by_test, NULL, &err), ERR_UNKNOWN, "nothing waits");
}

static int
is_trial(void *arg, const struct revision *r)
{
	*(bool *)arg =
	    strcmp(r->origin, "trial") == 0 && strstr(r->why, "back to revision 1") != NULL;
	return 1;
}

static void
test_revert_both_scopes_but_no_orders(void **state)
{
	struct commit_result r;
	struct snapshot *s;
	uint32_t id;
	bool origin = false;

	(void)state;
	assert_good(edit_with(st,
	    "create vip web address=10.0.0.1 ports=80; create rip web/a address=10.1.0.1; "
	    "set node main hostname=x",
	    &trial, NULL));
	s = look();
	id = ((const struct server *)snapshot_at(s, KIND_server, 0))->id;
	snapshot_unref(s);
	assert_good(store_order(
	    st, &(struct order){ id, admin_state_drain, -1, 0 }, 1, &by_test, NULL, &err));
	assert_good(store_revert(st, &(struct commit_info){ .who = "lbd-ha" }, &r, &err));
	assert_int_equal(r.revision[SCOPE_SHARED], 3);
	assert_int_equal(r.revision[SCOPE_LOCAL], 3);
	assert_int_equal(r.revision[SCOPE_OPER], 0);
	assert_int_equal(snapshot_count(r.now, KIND_service), 0);
	assert_string_equal(snapshot_node(r.now)->hostname, "");
	assert_int_equal(snapshot_admin(r.now, id)->state, admin_state_drain);
	commit_result_fini(&r);
	(void)store_history(st, SCOPE_SHARED, 1, is_trial, &origin);
	assert_true(origin);
}

static void
test_reboot(void **state)
{
	const char *real = trial_boot_id_file;
	struct trial t;
	FILE *f;

	(void)state;
	assert_good(edit_with(st, "create check a", &trial, NULL));
	f = fopen(file_in("boot"), "w");
	assert_non_null(f);
	(void)fputs("another-boot\n", f);
	(void)fclose(f);
	trial_boot_id_file = file_in("boot");
	assert_good(store_trial(st, &t, &err));
	trial_boot_id_file = real;
	assert_true(t.pending && t.rebooted);
	assert_true(t.left_ms <= 0);
}

/* The way back of a trial is kept even where the history is short. */
static void
test_base_is_not_pruned(void **state)
{
	struct snapshot *s;

	(void)state;
	assert_good(edit("set setting main history=10"));
	for (unsigned i = 0; i < 30; i++) {
		char line[40];

		(void)snprintf(line, sizeof(line), "create check c%u", i);
		assert_good(edit_with(st, line, &trial, NULL));
	}
	assert_good(store_revert(st, &by_test, NULL, &err));
	s = look();
	assert_int_equal(snapshot_count(s, KIND_check), 0);
	snapshot_unref(s);
}

static int
add_line(uint32_t id, const char *line)
{
	char *text = mem_text(line);
	struct doc d;
	int rc;

	doc_init(&d);
	rc = parse_line(&d, text);
	if (rc == 0)
		rc = store_tx_add(st, id, &d, &err);
	doc_fini(&d);
	free(text);
	return rc;
}

static bool
file_has(const char *name, const char *text)
{
	struct buf all = { 0 };
	FILE *f = fopen(file_in(name), "r");
	char part[4096];
	size_t n;
	bool found;

	while (f != NULL && (n = fread(part, 1, sizeof(part), f)) > 0)
		buf_put(&all, part, n);
	if (f != NULL)
		(void)fclose(f);
	found = all.len > 0 && memmem(all.p, all.len, text, strlen(text)) != NULL;
	buf_fini(&all);
	return found;
}

static void
test_tx(void **state)
{
	uint32_t id = 0, base = 0;
	struct commit_info info = by_test;
	struct commit_result r;
	struct secrets *sec;
	struct doc d;

	(void)state;
	assert_good(edit("create check c"));
	assert_good(store_tx_begin(st, &by_test, &id, &err));
	assert_good(add_line(id, "create vip web address=10.0.0.1 ports=80"));
	assert_good(add_line(id, "create rip web/a address=10.1.0.1"));
	assert_good(add_line(id, "create user ada role=admin password=streng-geheim"));
	assert_bad(add_line(id, "create vip api address=10.0.0.1 ports=80"), ERR_INVALID,
	    "taken by vip web");
	assert_bad(add_line(id + 1, "create check x"), ERR_UNKNOWN, "transaction");
	assert_int_equal(store_head(st, SCOPE_SHARED), 2);
	store_close(st);
	assert_good(store_open(dir, STORE_WRITE, &st, &err));
	assert_false(file_has("config.db", "streng-geheim") ||
		     file_has("config.db-wal", "streng-geheim") ||
		     file_has("secrets.db", "streng-geheim"));
	doc_init(&d);
	assert_good(store_tx_load(st, id, &d, &base, &err));
	assert_int_equal(d.n, 3);
	assert_int_equal(base, 2);
	info.base = base;
	assert_good(store_edit(st, &d, &info, &r, &err));
	assert_int_equal(r.revision[SCOPE_SHARED], 3);
	assert_good(secrets_open(dir, false, &sec, &err));
	assert_true(secret_verify(sec,
	    ((const struct user *)snapshot_at(r.now, KIND_user, 0))->password, "streng-geheim"));
	secrets_close(sec);
	commit_result_fini(&r);
	doc_fini(&d);
	assert_good(store_tx_end(st, id, &err));
	assert_bad(store_tx_end(st, id, &err), ERR_UNKNOWN, "does not exist");
}

static uint32_t
password_of(const char *name)
{
	struct snapshot *s = look();
	uint32_t n = ((const struct user *)snapshot_find_path(s, KIND_user, name))->password;

	snapshot_unref(s);
	return n;
}

static void
test_secrets_are_collected(void **state)
{
	struct secrets *sec;
	uint32_t first, second, third, id;

	(void)state;
	secret_young_s = 0;
	assert_good(
	    edit("set setting main history=10; create user ada role=admin password=erstes-wort"));
	first = password_of("ada");
	assert_good(edit("set user ada password=zweites-wort"));
	second = password_of("ada");
	assert_int_not_equal(first, second);
	assert_good(edit("set user ada password=zweites-wort"));
	assert_int_equal(password_of("ada"), second); /* the one it has */
	assert_good(secrets_open(dir, false, &sec, &err));
	assert_true(secret_exists(sec, first)); /* a kept revision names it */
	assert_good(store_rollback(st, SCOPE_SHARED, 2, &by_test, NULL, &err));
	assert_int_equal(password_of("ada"), first);
	assert_true(secret_verify(sec, first, "erstes-wort"));
	assert_good(store_tx_begin(st, &by_test, &id, &err));
	assert_good(add_line(id, "set user ada password=in-der-transaktion"));
	third = second + 1;
	assert_good(edit("set user ada password="));
	for (unsigned i = 0; i < 12; i++) {
		char line[60];

		(void)snprintf(line, sizeof(line), "set setting main history=%u", 10 + i % 2);
		assert_good(edit(line));
	}
	assert_good(edit("set user ada password=letztes-wort"));
	assert_false(secret_exists(sec, first));
	assert_false(secret_exists(sec, second));
	assert_true(secret_exists(sec, third));
	assert_true(secret_verify(sec, password_of("ada"), "letztes-wort"));
	secrets_close(sec);
	secret_young_s = 3600;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_store, drop_dir)
		T(test_pending_and_confirm),
		T(test_extend_keeps_base),
		T(test_revert_both_scopes_but_no_orders),
		T(test_reboot),
		T(test_base_is_not_pruned),
		T(test_tx),
		T(test_secrets_are_collected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
