/* Revisions: listed, looked at, rolled back; orders of operators that no rollback touches; two writers. */
#include "store_help.h"
#include "base/mono.h"

#include <errno.h>
#include <sys/wait.h>

struct seen {
	unsigned n;
	uint32_t last[SCOPES];
	char text[400];
};

static int
take(void *arg, const struct revision *r)
{
	struct seen *s = arg;
	size_t at = strlen(s->text);

	s->n++;
	(void)snprintf(s->text + at, sizeof(s->text) - at, "%u/%u %s %s %s %u;", (unsigned)r->scope,
	    (unsigned)r->n, r->who, r->origin, r->why, r->changes);
	assert_true(r->at > 1700000000);
	return 0;
}

static void
test_history(void **state)
{
	const struct commit_info info = {
		.who = "ada", .origin = "api 10.0.0.9", .why = "because"
	};
	struct seen s = { 0 };

	(void)state;
	assert_good(edit_with(st, "create check a; create check b", &info, NULL));
	assert_good(edit_with(st, "set node main hostname=x", &info, NULL));
	assert_int_equal(store_history(st, SCOPE_OBSERVED, 100, take, &s), 0);
	assert_string_equal(s.text, "1/2 ada api 10.0.0.9 because 1;0/2 ada api 10.0.0.9 because 2;"
				    "1/1 lbd store created 1;0/1 lbd store created 1;");
	s = (struct seen){ 0 };
	assert_int_equal(store_history(st, SCOPE_SHARED, 1, take, &s), 0);
	assert_string_equal(s.text, "0/2 ada api 10.0.0.9 because 2;");
}

static void
test_history_is_pruned(void **state)
{
	struct seen s = { 0 };
	struct snapshot *snap;
	struct buf delta = { 0 };

	(void)state;
	assert_good(edit("set setting main history=10"));
	for (unsigned i = 0; i < 15; i++) {
		char line[40];

		(void)snprintf(line, sizeof(line), "create check c%u", i);
		assert_good(edit(line));
	}
	assert_int_equal(store_history(st, SCOPE_SHARED, 100, take, &s), 0);
	assert_int_equal(s.n, 10);
	assert_int_equal(store_delta(st, SCOPE_SHARED, 7, &delta), -ENOENT);
	assert_int_equal(store_delta(st, SCOPE_SHARED, 8, &delta), 0);
	buf_fini(&delta);
	assert_bad(store_at(st, SCOPE_SHARED, 6, &snap, &err), ERR_UNKNOWN, "not in the history");
	assert_good(
	    store_at(st, SCOPE_SHARED, 7, &snap, &err)); /* before the oldest that is kept */
	assert_int_equal(snapshot_count(snap, KIND_check), 5);
	snapshot_unref(snap);
	assert_bad(store_rollback(st, SCOPE_SHARED, 3, &by_test, NULL, &err), ERR_UNKNOWN,
	    "is not in the history");
}

static char *
text_of(const struct snapshot *s)
{
	struct buf out = { 0 };

	assert_good(snapshot_export(s, EXPORT_YAML, 0, NULL, true, &out, &err));
	(void)buf_text(&out);
	return (char *)out.p;
}

static void
test_at_and_rollback_to_each(void **state)
{
	static const char *const lines[] = {
		"create check c1; create vip web address=10.0.0.1 ports=80 check=c1",
		"create rip web/a address=10.1.0.1; create rip web/b address=10.1.0.2",
		"set vip web check= ports=80-90; delete check c1",
		"rename vip web www; rename rip www/a x",
		"rename rip www/b a; rename rip www/x b",
		"cascade vip www",
		"create vip web address=10.0.0.2 ports=443; set setting main history=100",
	};
	char *was[ARRAY_LEN(lines) + 2] = { 0 }, *now;
	struct snapshot *s = look();
	uint32_t head;

	(void)state;
	was[1] = text_of(s);
	snapshot_unref(s);
	for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
		assert_good(edit(lines[i]));
		s = look();
		was[i + 2] = text_of(s);
		snapshot_unref(s);
	}
	head = ARRAY_LEN(lines) + 1;
	for (uint32_t n = 1; n <= head; n++) {
		struct commit_result r;

		assert_good(store_at(st, SCOPE_SHARED, n, &s, &err));
		assert_int_equal(snapshot_revision(s, SCOPE_SHARED), n);
		now = text_of(s);
		assert_string_equal(now, was[n]);
		free(now);
		snapshot_unref(s);
		assert_good(store_rollback(st, SCOPE_SHARED, n, &by_test, &r, &err));
		now = text_of(r.now);
		assert_string_equal(now, was[n]);
		free(now);
		commit_result_fini(&r);
		assert_good(store_rollback(st, SCOPE_SHARED, head, &by_test, NULL, &err));
	}
	for (unsigned i = 0; i < ARRAY_LEN(was); i++)
		free(was[i]);
}

static void
test_rollback_to_itself_is_nothing(void **state)
{
	struct commit_result r;

	(void)state;
	assert_good(store_rollback(st, SCOPE_SHARED, 1, &by_test, &r, &err));
	assert_int_equal(r.revision[SCOPE_SHARED], 0);
	commit_result_fini(&r);
	assert_bad(
	    store_rollback(st, SCOPE_SHARED, 9, &by_test, NULL, &err), ERR_UNKNOWN, "revision 9");
}

static void
test_diff_text(void **state)
{
	struct snapshot *a = look(), *b;
	struct buf out = { 0 };

	(void)state;
	assert_good(edit(
	    "create check c; create vip web address=10.0.0.1 ports=80; create user u role=admin password=geheim123"));
	snapshot_unref(a);
	a = look();
	assert_good(edit(
	    "set vip web scheduler=wrr check=c retries=1; set user u password=anderes1; create rip web/a address=10.1.0.1; create check d"));
	b = look();
	assert_int_equal(snapshot_diff_text(a, b, &out), 6);
	assert_string_equal(buf_text(&out),
	    "check d: added\nvip web: scheduler: wlc -> wrr\nvip web: check: none -> c\n"
	    "vip web: retries: 3 -> 1\nrip web/a: added\nuser u: password: changed\n");
	buf_fini(&out);
	snapshot_unref(a);
	snapshot_unref(b);
}

static uint32_t
id_of(const char *path)
{
	struct snapshot *s = look();
	const struct server *r = snapshot_find_path(s, KIND_server, path);
	uint32_t id = r != NULL ? r->id : 0;

	snapshot_unref(s);
	return id;
}

static void
test_orders(void **state)
{
	const struct commit_info op = { .who = "olga", .origin = "panel 10.0.0.9", .why = "disk" };
	struct order o = { .state = admin_state_drain, .weight = -1, .until = 99 };
	struct commit_result r;
	struct snapshot *s;
	const struct admin *a;

	(void)state;
	assert_good(edit(
	    "create vip web address=10.0.0.1 ports=80; create rip web/a address=10.1.0.1 weight=7"));
	o.server = id_of("web/a");
	assert_good(store_order(st, &o, 1, &op, &r, &err));
	assert_int_equal(r.revision[SCOPE_OPER], 1);
	assert_int_equal(r.revision[SCOPE_SHARED], 0);
	a = snapshot_admin(r.now, o.server);
	assert_int_equal(a->state, admin_state_drain);
	assert_string_equal(a->name, "web/a");
	assert_string_equal(a->who, "olga");
	assert_string_equal(a->origin, "panel 10.0.0.9");
	assert_string_equal(a->why, "disk");
	assert_int_equal(a->until, 99);
	assert_true(a->since > 1700000000);
	assert_int_equal(snapshot_weight(r.now, snapshot_find(r.now, KIND_server, o.server)), 0);
	commit_result_fini(&r);
	assert_good(store_order(st, &o, 1, &by_test, &r, &err)); /* in force already */
	assert_int_equal(r.revision[SCOPE_OPER], 0);
	commit_result_fini(&r);
	assert_good(store_order(st, &(struct order){ o.server, -1, 30, 0 }, 1, &op, NULL, &err));
	assert_good(store_order(
	    st, &(struct order){ o.server, admin_state_online, -1, 0 }, 1, &op, NULL, &err));
	s = look();
	assert_int_equal(snapshot_weight(s, snapshot_find(s, KIND_server, o.server)), 30);
	snapshot_unref(s);
	assert_good(store_order(st, &(struct order){ o.server, -1, -2, 0 }, 1, &op, NULL, &err));
	s = look();
	assert_int_equal(snapshot_weight(s, snapshot_find(s, KIND_server, o.server)), 7);
	snapshot_unref(s);
	assert_bad(store_order(st, &(struct order){ 999, 1, -1, 0 }, 1, &op, NULL, &err),
	    ERR_UNKNOWN, "999");
	assert_bad(store_order(st, &(struct order){ o.server, -1, 70000, 0 }, 1, &op, NULL, &err),
	    ERR_INVALID, "rip web/a: weight:");
}

static void
assert_halted(const char *path)
{
	struct snapshot *s = look();
	const struct server *r = snapshot_find_path(s, KIND_server, path);

	assert_non_null(r);
	assert_int_equal(snapshot_admin(s, r->id)->state, admin_state_halt);
	snapshot_unref(s);
}

static void
test_orders_survive(void **state)
{
	uint32_t before = 0;

	(void)state;
	assert_good(
	    edit("create vip web address=10.0.0.1 ports=80; create rip web/a address=10.1.0.1"));
	before = store_head(st, SCOPE_SHARED);
	assert_good(edit("set rip web/a weight=5"));
	assert_good(store_order(st, &(struct order){ id_of("web/a"), admin_state_halt, -1, 0 }, 1,
	    &by_test, NULL, &err));
	assert_good(store_rollback(st, SCOPE_SHARED, before, &by_test, NULL, &err));
	assert_halted("web/a");
	assert_good(edit("delete rip web/a"));
	assert_good(edit("create rip web/a address=10.1.0.9"));
	assert_halted("web/a");
	assert_good(edit("cascade vip web"));
	assert_good(store_rollback(
	    st, SCOPE_SHARED, store_head(st, SCOPE_SHARED) - 1, &by_test, NULL, &err));
	assert_halted("web/a");
	assert_good(edit("cascade vip web"));
	assert_good(edit(
	    "create vip web address=10.0.0.1 ports=80; create rip web/b address=10.1.0.1; create rip web/a address=10.1.0.2"));
	assert_halted("web/a");
	store_close(st);
	assert_good(store_open(dir, STORE_WRITE, &st, &err));
	assert_halted("web/a");
}

static void
test_two_writers(void **state)
{
	const struct commit_info based = { .who = "b", .base = 2 };
	struct store *other = NULL;
	struct snapshot *s;

	(void)state;
	assert_good(store_open(dir, STORE_WRITE, &other, &err));
	assert_good(edit("create vip web address=10.0.0.1 ports=80"));
	assert_true(store_moved(other));
	assert_false(store_moved(other));
	assert_bad(edit_with(other, "create vip api address=10.0.0.1 ports=70-90", &by_test, NULL),
	    ERR_INVALID, "taken by vip web");
	assert_good(edit_with(other, "create vip api address=10.0.0.1 ports=81", &based, NULL));
	assert_bad(
	    edit_with(st, "delete vip api", &based, NULL), ERR_CONFLICT, "at revision 3, not at 2");
	s = look();
	assert_int_equal(snapshot_count(s, KIND_service), 2);
	snapshot_unref(s);
	store_close(other);
}

/* Many processes at once: all commits are there, once, and the first of them made the store. */
static void
test_parallel_creators(void **state)
{
	enum { WRITERS = 6, EACH = 8 };
	struct snapshot *s;

	store_close(st);
	st = NULL;
	remove_dir(dir);
	(void)make_dir(state);
	for (unsigned i = 0; i < WRITERS; i++) {
		if (fork() != 0)
			continue;
		if (store_open(dir, STORE_WRITE, &st, &err) != 0)
			_exit(1);
		for (unsigned k = 0; k < EACH; k++) {
			char line[64];

			(void)snprintf(line, sizeof(line), "create check c%u-%u", i, k);
			if (edit(line) != 0)
				_exit(2);
		}
		store_close(st);
		_exit(0);
	}
	for (unsigned i = 0; i < WRITERS; i++) {
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_good(store_open(dir, STORE_WRITE, &st, &err));
	s = look();
	assert_int_equal(snapshot_count(s, KIND_check), WRITERS * EACH);
	assert_int_equal(snapshot_revision(s, SCOPE_SHARED), 1 + WRITERS * EACH);
	snapshot_unref(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_store, drop_dir)
		T(test_history),
		T(test_history_is_pruned),
		T(test_at_and_rollback_to_each),
		T(test_rollback_to_itself_is_nothing),
		T(test_diff_text),
		T(test_orders),
		T(test_orders_survive),
		T(test_two_writers),
		T(test_parallel_creators),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
