/* Edits of a doc: each operation, its errors, and items that need one another. */
#include "store_help.h"

static void
test_new_store_has_singles(void **state)
{
	struct snapshot *s;

	(void)state;
	s = look();
	assert_int_equal(snapshot_revision(s, SCOPE_SHARED), 1);
	assert_int_equal(snapshot_revision(s, SCOPE_LOCAL), 1);
	assert_int_equal(snapshot_revision(s, SCOPE_OPER), 0);
	assert_int_equal(snapshot_count(s, KIND_setting), 1);
	assert_int_equal(snapshot_count(s, KIND_node), 1);
	assert_int_equal(snapshot_setting(s)->https_port, 9443);
	snapshot_unref(s);
}

static void
test_create_and_find(void **state)
{
	struct snapshot *s;
	const struct service *v;
	const struct server *r;
	uint32_t n;
	char path[160];

	(void)state;
	assert_good(edit(
	    "create vip web address=10.0.0.1 ports=80,443; create rip web/a address=10.0.1.1 port=8080; "
	    "create rip web/b address=10.0.1.2"));
	s = look();
	v = snapshot_find_path(s, KIND_service, "web");
	assert_non_null(v);
	assert_int_equal(v->ports->n, 2);
	r = snapshot_find_path(s, KIND_server, "web/b");
	assert_non_null(r);
	assert_int_equal(r->weight, 100);
	assert_int_equal(r->vip, v->id);
	assert_string_equal(snapshot_path(s, KIND_server, r->id, path), "web/b");
	(void)snapshot_children(s, KIND_server, v->id, &n);
	assert_int_equal(n, 2);
	assert_null(snapshot_find_path(s, KIND_server, "web/c"));
	assert_null(snapshot_find_path(s, KIND_server, "a"));
	snapshot_unref(s);
}

struct row_case {
	const char *before, *lines;
	int code;
	const char *words;
};
static const struct row_case cases[] = {
	{ "create vip web address=10.0.0.1 ports=80", "create vip web address=10.0.0.2 ports=80",
	    ERR_CONFLICT, "vip web: exists already" },
	{ NULL, "set vip web ports=81", ERR_UNKNOWN, "vip web: does not exist" },
	{ "create vip web address=10.0.0.1 ports=80", "set vip wep ports=81", ERR_UNKNOWN,
	    "did you mean web?" },
	{ NULL, "delete vip web", ERR_UNKNOWN, "vip web: does not exist" },
	{ NULL, "create vip web ports=80", ERR_INVALID, "vip web: address: is required" },
	{ NULL, "create rip web/a address=10.0.1.1", ERR_UNKNOWN,
	    "rip web/a: vip web does not exist" },
	{ NULL, "create vip web address=10.0.0.1 ports=80 check=nix", ERR_INVALID,
	    "vip web: check:" },
	{ NULL, "create vip web address=10.0.0.1 ports=70000", ERR_INVALID, "vip web: ports:" },
	{ "create vip web address=10.0.0.1 ports=80; create rip web/a address=10.0.1.1",
	    "delete vip web", ERR_CONFLICT, "vip web: cannot be deleted: rip web/a uses it" },
	{ "create check c; create vip web address=10.0.0.1 ports=80 check=c", "delete check c",
	    ERR_CONFLICT, "check c: cannot be deleted: vip web uses it" },
	{ "create vip web address=10.0.0.1 ports=80; create vip api address=10.0.0.1 ports=81",
	    "rename vip api web", ERR_CONFLICT, "name: exists already" },
	{ NULL, "create user u password=short", ERR_INVALID, "password: is 5 bytes long" },
	{ NULL, "create user u password=@99", ERR_INVALID, "password: is no secret that is kept" },
	{ NULL, "set setting main history=5", ERR_INVALID, "setting: history:" },
};

static void
test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint32_t head;

		(void)drop_dir(NULL);
		assert_int_equal(open_store(NULL), 0);
		if (cases[i].before != NULL)
			assert_good(edit(cases[i].before));
		head = store_head(st, SCOPE_SHARED);
		assert_bad(edit(cases[i].lines), cases[i].code, cases[i].words);
		assert_int_equal(store_head(st, SCOPE_SHARED), head);
	}
}

static void
test_merge_replace_unset(void **state)
{
	struct snapshot *s;
	const struct service *v;

	(void)state;
	assert_good(
	    edit("create vip web address=10.0.0.1 ports=80 scheduler=wrr retries=1 comment=x"));
	assert_good(edit("set vip web retries=2"));
	assert_good(edit("unset vip web scheduler"));
	s = look();
	v = snapshot_find_path(s, KIND_service, "web");
	assert_int_equal(v->retries, 2);
	assert_int_equal(v->scheduler, scheduler_wlc);
	assert_string_equal(v->comment, "x");
	snapshot_unref(s);
	assert_good(edit("replace vip web address=10.0.0.1 ports=80"));
	s = look();
	v = snapshot_find_path(s, KIND_service, "web");
	assert_int_equal(v->retries, 3);
	assert_string_equal(v->comment, "");
	snapshot_unref(s);
}

static void
test_rename_keeps_id(void **state)
{
	struct snapshot *s;
	uint32_t id;

	(void)state;
	assert_good(
	    edit("create vip web address=10.0.0.1 ports=80; create rip web/a address=10.0.1.1"));
	s = look();
	id = *(const uint32_t *)snapshot_find_path(s, KIND_server, "web/a");
	snapshot_unref(s);
	assert_good(edit("rename vip web www; rename rip www/a b"));
	s = look();
	assert_null(snapshot_find_path(s, KIND_service, "web"));
	assert_int_equal(*(const uint32_t *)snapshot_find_path(s, KIND_server, "www/b"), id);
	snapshot_unref(s);
}

/* Names may be exchanged in one commit, through a third. */
static void
test_swap_names(void **state)
{
	struct snapshot *s, *old;

	(void)state;
	assert_good(
	    edit("create vip a address=10.0.0.1 ports=80; create vip b address=10.0.0.2 ports=80"));
	old = look();
	assert_good(edit("rename vip a c; rename vip b a; rename vip c b"));
	s = look();
	assert_int_equal(
	    ((const struct service *)snapshot_find_path(s, KIND_service, "a"))->address.b[3], 2);
	assert_int_equal(
	    ((const struct service *)snapshot_find_path(s, KIND_service, "b"))->address.b[3], 1);
	assert_good(store_rollback(
	    st, SCOPE_SHARED, snapshot_revision(old, SCOPE_SHARED), &by_test, NULL, &err));
	snapshot_unref(s);
	s = look();
	assert_int_equal(snapshot_diff_text(old, s, &(struct buf){ 0 }), 0);
	snapshot_unref(s);
	snapshot_unref(old);
}

static void
test_items_wait_for_others(void **state)
{
	struct snapshot *s;

	(void)state;
	assert_good(edit(
	    "create rip web/a address=10.0.1.1; create vip web address=10.0.0.1 ports=80 check=c; "
	    "set vip web retries=1; create check c"));
	assert_good(edit("delete check c; set vip web check="));
	s = look();
	assert_int_equal(snapshot_count(s, KIND_check), 0);
	assert_int_equal(((const struct service *)snapshot_at(s, KIND_service, 0))->retries, 1);
	assert_non_null(snapshot_find_path(s, KIND_server, "web/a"));
	snapshot_unref(s);
	assert_good(edit("delete vip web; delete rip web/a"));
	assert_good(
	    edit("create vip web address=10.0.0.1 ports=80; create rip web/a address=10.0.1.1"));
	assert_good(edit("cascade vip web"));
	s = look();
	assert_int_equal(snapshot_count(s, KIND_service) + snapshot_count(s, KIND_server), 0);
	snapshot_unref(s);
}

static void
test_nothing_differs(void **state)
{
	struct commit_result r;
	uint32_t head;

	(void)state;
	assert_good(edit("create vip web address=10.0.0.1 ports=80"));
	head = store_head(st, SCOPE_SHARED);
	assert_good(edit_with(st, "replace vip web address=10.0.0.1 ports=80", &by_test, &r));
	assert_int_equal(r.revision[0] + r.revision[1] + r.revision[2], 0);
	assert_ptr_equal(r.old, r.now);
	commit_result_fini(&r);
	assert_int_equal(store_head(st, SCOPE_SHARED), head);
}

static void
test_dry_run(void **state)
{
	const struct commit_info dry = { .who = "test", .dry_run = true };
	struct commit_result r;
	struct buf text = { 0 };

	(void)state;
	assert_good(edit_with(st,
	    "create vip web address=10.0.0.1 ports=80; create user u role=admin password=geheim123",
	    &dry, &r));
	assert_int_equal(r.revision[SCOPE_SHARED], 2);
	assert_int_equal(snapshot_diff_text(r.old, r.now, &text), 2);
	assert_string_equal(buf_text(&text), "vip web: added\nuser u: added\n");
	buf_fini(&text);
	commit_result_fini(&r);
	assert_int_equal(store_head(st, SCOPE_SHARED), 1);
	assert_good(edit("create vip web address=10.0.0.1 ports=80"));
}

static void
test_scopes_have_their_own_numbers(void **state)
{
	struct commit_result r;

	(void)state;
	assert_good(
	    edit_with(st, "set node main hostname=n1; set setting main history=50", &by_test, &r));
	assert_int_equal(r.revision[SCOPE_SHARED], 2);
	assert_int_equal(r.revision[SCOPE_LOCAL], 2);
	assert_int_equal(r.revision[SCOPE_OPER], 0);
	commit_result_fini(&r);
	assert_good(edit_with(st, "set node main hostname=n2", &by_test, &r));
	assert_int_equal(r.revision[SCOPE_SHARED], 0);
	assert_int_equal(r.revision[SCOPE_LOCAL], 3);
	commit_result_fini(&r);
	assert_int_equal(store_head(st, SCOPE_SHARED), 2);
}

static void
test_base_mismatch(void **state)
{
	const struct commit_info at7 = { .who = "test", .base = 7 };

	(void)state;
	assert_bad(edit_with(st, "set node main hostname=x", &at7, NULL), ERR_CONFLICT,
	    "is at revision 1, not at 7");
}

static void
test_ids_are_never_used_twice(void **state)
{
	struct snapshot *s;
	uint32_t first;

	(void)state;
	assert_good(edit("create check a"));
	s = look();
	first = *(const uint32_t *)snapshot_at(s, KIND_check, 0);
	snapshot_unref(s);
	assert_int_equal(first % 2, 0);
	assert_good(edit("delete check a"));
	assert_good(edit("create check a"));
	s = look();
	assert_int_equal(*(const uint32_t *)snapshot_at(s, KIND_check, 0), first + 2);
	snapshot_unref(s);
	store_close(st);
	assert_good(store_open(dir, STORE_WRITE | STORE_ODD, &st, &err));
	assert_good(edit("create check b"));
	s = look();
	assert_int_equal(*(const uint32_t *)snapshot_find_path(s, KIND_check, "b") % 2, 1);
	snapshot_unref(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_store, drop_dir)
		T(test_new_store_has_singles),
		T(test_create_and_find),
		T(test_refused),
		T(test_merge_replace_unset),
		T(test_rename_keeps_id),
		T(test_swap_names),
		T(test_items_wait_for_others),
		T(test_nothing_differs),
		T(test_dry_run),
		T(test_scopes_have_their_own_numbers),
		T(test_base_mismatch),
		T(test_ids_are_never_used_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
