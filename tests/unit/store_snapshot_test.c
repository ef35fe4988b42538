/* Snapshots: after random commits the patched one equals the one loaded whole, in every index; versions before
 * stay as they were; references are safe in threads. */
#include "store_help.h"
#include "store/delta.h"
#include "store/snapshot_priv.h"

#include <errno.h>
#include <pthread.h>

/* All that a snapshot says, as text; and the indexes agree with one another. */
static char *
dump(const struct snapshot *s)
{
	struct buf out = { 0 };
	uint32_t n, total;

	assert_good(snapshot_export(s, EXPORT_YAML, 0, NULL, true, &out, &err));
	assert_good(snapshot_export(s, EXPORT_YAML, KIND_admin, NULL, true, &out, &err));
	for (unsigned k = 1; k <= KINDS; k++) {
		const struct object *o = object_of(k);
		const void *const *by_name = snapshot_by_name(s, k, &n);
		char path[160];

		assert_int_equal(n, snapshot_count(s, k));
		for (uint32_t i = 0; i < n; i++) {
			const void *row = snapshot_at(s, k, i);

			buf_printf(&out, "%u %u\n", k, row_id(row));
			assert_ptr_equal(snapshot_find(s, k, row_id(row)), row);
			if ((o->flags & O_NAMELESS) == 0)
				assert_ptr_equal(snapshot_find_path(
						     s, k, snapshot_path(s, k, row_id(row), path)),
				    row);
			assert_non_null(by_name[i]);
		}
		if ((o->flags & O_CHILD) == 0)
			continue;
		total = 0;
		for (uint32_t i = 0; i < snapshot_count(s, o->parent); i++) {
			uint32_t kids, parent = row_id(snapshot_at(s, o->parent, i));
			const void *const *row = snapshot_children(s, k, parent, &kids);

			for (uint32_t j = 0; j < kids; j++) {
				assert_int_equal(row_parent(o, row[j]), parent);
				assert_ptr_equal(snapshot_find(s, k, row_id(row[j])), row[j]);
				assert_true(j == 0 || row_id(row[j - 1]) < row_id(row[j]));
			}
			total += kids;
		}
		assert_int_equal(total, n);
	}
	(void)buf_text(&out);
	return (char *)out.p;
}

static void
random_edit(struct buf *line)
{
	unsigned v = (unsigned)random() % 15, r = (unsigned)random() % 5;

	switch (random() % 9) {
	case 0:
	case 1: buf_printf(line, "replace vip v%u address=10.0.0.%u ports=80", v, v + 1); break;
	case 2:
	case 3:
	case 4:
		buf_printf(line, "replace rip v%u/r%u address=10.1.0.%u weight=%ld", v, r, r + 1,
		    random() % 200);
		break;
	case 5: buf_printf(line, "cascade vip v%u", v); break;
	case 6: buf_printf(line, "delete rip v%u/r%u", v, r); break;
	case 7: buf_printf(line, "rename vip v%u v%ld", v, random() % 20); break;
	default:
		buf_printf(line, "set vip v%u retries=%ld comment=%ld", v, random() % 10, random());
		break;
	}
}

static void
check_whole(const struct snapshot *patched)
{
	struct snapshot *whole = NULL;
	struct store *reader = NULL;
	char *a, *b;

	assert_good(store_open(dir, STORE_READ, &reader, &err));
	assert_good(store_snapshot(reader, &whole, &err));
	a = dump(patched);
	b = dump(whole);
	assert_string_equal(a, b);
	for (unsigned i = 0; i < SCOPES; i++)
		assert_int_equal(snapshot_revision(patched, (enum scope)i),
		    snapshot_revision(whole, (enum scope)i));
	free(a);
	free(b);
	snapshot_unref(whole);
	store_close(reader);
}

static void
test_patched_is_loaded(void **state)
{
	struct snapshot *mine = look(), *next, *old = snapshot_ref(mine);
	char *before = dump(old), *after;
	unsigned done = 0;

	(void)state;
	srandom(seed_of("patch"));
	for (unsigned round = 0; round < 400; round++) {
		struct commit_result r;
		struct buf line = { 0 };

		for (long n = random() % 3 == 0 ? 3 : 1; n > 0; n--) {
			if (line.len > 0)
				buf_puts(&line, "; ");
			random_edit(&line);
		}
		if (edit_with(st, buf_text(&line), &by_test, &r) == 0) {
			done++;
			for (unsigned i = 0; i < SCOPES; i++) {
				if (r.revision[i] == 0)
					continue;
				assert_good(snapshot_patch(mine, (enum scope)i, r.revision[i],
				    r.delta[i].p, r.delta[i].len, &next, &err));
				snapshot_unref(mine);
				mine = next;
			}
			commit_result_fini(&r);
		}
		buf_fini(&line);
		if (round % 10 == 0)
			check_whole(mine);
		if (random() % 50 == 0) {
			after = dump(old);
			assert_string_equal(before, after);
			free(before);
			free(after);
			snapshot_unref(old);
			old = snapshot_ref(mine);
			before = dump(old);
		}
	}
	check_whole(mine);
	assert_true(done > 60);
	free(before);
	snapshot_unref(old);
	snapshot_unref(mine);
}

/* A set so small that the copy of the whole is never due, and one so often edited that it is. */
static void
test_many_patches_stay_small(void **state)
{
	struct commit_result r;
	struct snapshot *s, *next;
	size_t most = 0;

	(void)state;
	assert_good(edit("create vip web address=10.0.0.1 ports=80"));
	s = look();
	for (unsigned i = 0; i < 300; i++) {
		char line[64];

		(void)snprintf(line, sizeof(line), "set vip web retries=%u", i % 7);
		assert_good(edit_with(st, line, &by_test, &r));
		commit_result_fini(&r);
	}
	snapshot_unref(s);
	s = look();
	for (unsigned i = 0; i < 20000; i++) {
		struct delta_row row = { .kind = KIND_service,
			.op = DELTA_EDIT,
			.id = ((const struct service *)snapshot_at(s, KIND_service, 0))->id,
			.n = 1 };
		struct buf delta = { 0 };

		row.f[0] =
		    (struct delta_field){ .tag =
					      field_find(object_of(KIND_service), "retries")->tag,
			    .new = { .i = i % 7 } };
		delta_put(&delta, &row);
		assert_good(snapshot_patch(s, SCOPE_SHARED, i, delta.p, delta.len, &next, &err));
		snapshot_unref(s);
		s = next;
		buf_fini(&delta);
		most = snapshot_bytes(s) > most ? snapshot_bytes(s) : most;
	}
	assert_true(most < 1024 * 1024);
	assert_int_equal(
	    ((const struct service *)snapshot_at(s, KIND_service, 0))->retries, 19999 % 7);
	snapshot_unref(s);
}

static void
test_delta_must_fit(void **state)
{
	struct delta_row row = { .kind = KIND_check, .op = DELTA_DEL, .id = 77 };
	struct snapshot *s = look(), *next = NULL;
	struct buf delta = { 0 };

	(void)state;
	delta_put(&delta, &row);
	assert_int_equal(
	    snapshot_patch(s, SCOPE_SHARED, 9, delta.p, delta.len, &next, &err), ERR_CONFLICT);
	for (size_t cut = 1; cut < delta.len; cut++)
		assert_int_equal(
		    snapshot_patch(s, SCOPE_SHARED, 9, delta.p, cut, &next, &err), -EBADMSG);
	delta.p[0] = 250; /* a kind of a newer build */
	assert_good(snapshot_patch(s, SCOPE_SHARED, 9, delta.p, delta.len, &next, &err));
	snapshot_unref(next);
	buf_fini(&delta);
	snapshot_unref(s);
}

static void *
take_and_drop(void *arg)
{
	for (unsigned i = 0; i < 20000; i++) {
		struct snapshot *s = snapshot_ref(arg);
		uint32_t n;

		(void)snapshot_by_name(s, KIND_service, &n);
		snapshot_unref(s);
	}
	return NULL;
}

static void
test_references_in_threads(void **state)
{
	pthread_t t[4];
	struct snapshot *s;

	(void)state;
	assert_good(edit("create vip web address=10.0.0.1 ports=80"));
	s = look();
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, take_and_drop, s), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	snapshot_unref(s);
}

static void
test_check_and_weight_of_a_server(void **state)
{
	struct snapshot *s;
	const struct server *a, *b;

	(void)state;
	assert_good(edit(
	    "create check one rise=7; create check two rise=8; "
	    "create vip web address=10.0.0.1 ports=80 check=one; create rip web/a address=10.1.0.1 weight=5; "
	    "create rip web/b address=10.1.0.2 check=two; create vip api address=10.0.0.2 ports=80; "
	    "create rip api/c address=10.1.0.1"));
	s = look();
	a = snapshot_find_path(s, KIND_server, "web/a");
	b = snapshot_find_path(s, KIND_server, "web/b");
	assert_int_equal(snapshot_check_of(s, a)->rise, 7);
	assert_int_equal(snapshot_check_of(s, b)->rise, 8);
	assert_int_equal(
	    snapshot_check_of(s, snapshot_find_path(s, KIND_server, "api/c"))->rise, 2);
	assert_int_equal(snapshot_weight(s, a), 5);
	assert_int_equal(snapshot_admin(s, a->id)->state, admin_state_online);
	snapshot_unref(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_store, drop_dir)
		T(test_patched_is_loaded),
		T(test_many_patches_stay_small),
		T(test_delta_must_fit),
		T(test_references_in_threads),
		T(test_check_and_weight_of_a_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
