/* Edits: which objects, names and fields may be said, with which words the others are refused, and the way of a
 * doc into JSON lines and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "schema/doc.h"

#include <string.h>

static struct doc d;
static struct err err;

static int
set_up(void **state)
{
	(void)state;
	doc_init(&d);
	memset(&err, 0, sizeof(err));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	doc_fini(&d);
	return 0;
}

static struct doc_item *
add(enum doc_op op, const char *word, const char *path)
{
	const struct object *o;
	struct doc_item *it;

	assert_int_equal(doc_kind(word, &o, &err), 0);
	if (doc_add(&d, op, o, path, 7, &it, &err) != 0)
		fail_msg("%s", err.text);
	return it;
}

static void
test_doc_kind(void **state)
{
	static const struct {
		const char *word, *name, *text;
	} rows[] = {
		{ "vip", "vip", NULL },
		{ "vips", "vip", NULL },
		{ "virtual-service", "vip", NULL },
		{ "real", "rip", NULL },
		{ "interface", "interface", NULL },
		{ "virtual", NULL, "virtual: unknown object; did you mean vip?" },
		{ "sevrer", NULL, "sevrer: unknown object; did you mean rip?" },
		{ "zebra", NULL, "zebra: unknown object" },
		{ "", NULL, ": unknown object" },
		{ "a\033[2J", NULL, "a\\x1b[2J: unknown object" },
	};
	const struct object *o;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int rc = doc_kind(rows[i].word, &o, &err);

		assert_int_equal(rc, rows[i].name != NULL ? 0 : ERR_INVALID);
		if (rc == 0)
			assert_string_equal(o->name, rows[i].name);
		else
			assert_string_equal(err.text, rows[i].text);
	}
}

static void
test_doc_add_path(void **state)
{
	static const struct {
		enum doc_op op;
		const char *kind, *path, *text; /* text NULL: taken */
	} rows[] = {
		{ DOC_REPLACE, "vip", "web", NULL },
		{ DOC_REPLACE, "rip", "web/rip1", NULL },
		{ DOC_MERGE, "setting", NULL, NULL },
		{ DOC_MERGE, "setting", "main", NULL },
		{ DOC_MERGE, "setting", "x",
		    "setting: name: \"x\" is not allowed: there is only one" },
		{ DOC_DELETE, "setting", "main", "setting: there is always exactly one" },
		{ DOC_CREATE, "node", "main", "node: there is always exactly one" },
		{ DOC_REPLACE, "vip", NULL, "vip: name: is required" },
		{ DOC_REPLACE, "vip", "", "vip: name: is required" },
		{ DOC_REPLACE, "vip", "a/b", "vip: name: \"a/b\" is not allowed" },
		{ DOC_REPLACE, "rip", "rip1", "rip: name: \"rip1\" is not allowed: it needs" },
		{ DOC_REPLACE, "rip", "/rip1", "vip: name: is required" },
		{ DOC_REPLACE, "rip", "web/", "rip: name: is required" },
		{ DOC_REPLACE, "rip", "web/a/b", "rip: name: \"a/b\" is not allowed" },
		{ DOC_REPLACE, "interface", "lo", "interface: is not part of the configuration" },
		{ DOC_REPLACE, "admin", "web", "admin: is not part of the configuration" },
	};
	const struct object *o;
	struct doc_item *it;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int rc;

		assert_int_equal(doc_kind(rows[i].kind, &o, &err), 0);
		rc = doc_add(&d, rows[i].op, o, rows[i].path, 0, &it, &err);
		if (rc != (rows[i].text != NULL ? ERR_INVALID : 0))
			fail_msg("row %zu: %d %s", i, rc, err.text);
		if (rc != 0 && strncmp(err.text, rows[i].text, strlen(rows[i].text)) != 0)
			fail_msg("row %zu: %s", i, err.text);
	}
}

static void
test_doc_set(void **state)
{
	struct doc_item *it = add(DOC_MERGE, "vip", "web");
	char text[] = "80";

	(void)state;
	assert_int_equal(doc_set(&d, it, "ports", text, &err), 0);
	text[0] = 'x'; /* it was copied */
	assert_string_equal(it->text[field_find(it->o, "ports") - it->o->f], "80");
	assert_int_equal(doc_set(&d, it, "ports", "81", &err), ERR_INVALID);
	assert_string_equal(err.text, "vip web: ports: is there twice");
	assert_string_equal(err.object, "vip web");
	assert_string_equal(err.field, "ports");
	assert_int_equal(doc_set(&d, it, "schedular", "wrr", &err), ERR_INVALID);
	assert_string_equal(err.text, "vip web: schedular: unknown field; did you mean scheduler?");
	assert_int_equal(doc_set(&d, it, "", "x", &err), ERR_INVALID);
	assert_int_equal(doc_set(&d, it, "scheduler", DOC_UNSET, &err), 0);
	assert_ptr_equal(it->text[field_find(it->o, "scheduler") - it->o->f], DOC_UNSET);
	assert_int_equal(
	    doc_set(&d, add(DOC_MERGE, "rip", "web/a"), "address", DOC_UNSET, &err), ERR_INVALID);
	assert_string_equal(err.text, "rip web/a: address: is required");
	assert_int_equal(doc_set(&d, it, "nonsense", "x", NULL), ERR_INVALID);
}

static void
test_doc_set_name_and_parent(void **state)
{
	struct doc_item *it = add(DOC_REPLACE, "rip", "web/rip1");

	(void)state;
	assert_int_equal(doc_set(&d, it, "name", "rip1", &err), 0);
	assert_int_equal(doc_set(&d, it, "vip", "web", &err), 0);
	assert_null(it->text[0]);
	assert_null(it->text[it->o->parent_ref]);
	assert_int_equal(doc_set(&d, it, "name", "rip2", &err), ERR_INVALID);
	assert_string_equal(err.text, "rip web/rip1: name: is \"rip1\"; only a rename changes it");
	assert_int_equal(doc_set(&d, it, "vip", "we", &err), ERR_INVALID);
	assert_int_equal(doc_set(&d, it, "vip", "web2", &err), ERR_INVALID);
	assert_int_equal(doc_set(&d, it, "vip", DOC_UNSET, &err), ERR_INVALID);
	it = add(DOC_RENAME, "rip", "web/rip1");
	assert_int_equal(doc_set(&d, it, "name", "rip2", &err), 0);
	assert_string_equal(it->text[0], "rip2");
	assert_int_equal(doc_set(&d, it, "weight", "5", &err), ERR_INVALID);
	assert_string_equal(err.text, "rip web/rip1: weight: has no place in a rename");
	it = add(DOC_DELETE, "rip", "web/rip1");
	assert_int_equal(doc_set(&d, it, "weight", "5", &err), ERR_INVALID);
}

static void
test_doc_unset_is_absent_unless_merge(void **state)
{
	struct doc_item *it = add(DOC_REPLACE, "vip", "web");

	(void)state;
	assert_int_equal(doc_set(&d, it, "scheduler", DOC_UNSET, &err), 0);
	assert_null(it->text[field_find(it->o, "scheduler") - it->o->f]);
}

static void
test_doc_args(void **state)
{
	char weight[] = "weight=5", comment[] = "comment=a=b", none[] = "port=", bad[] = "weight",
	     odd[] = "=5", longest[200];
	char *const good[] = { weight, comment, none };
	struct doc_item *it = add(DOC_MERGE, "rip", "web/rip1");

	(void)state;
	assert_int_equal(doc_args(&d, it, false, 3, good, &err), 0);
	assert_string_equal(it->text[field_find(it->o, "comment") - it->o->f], "a=b");
	assert_string_equal(it->text[field_find(it->o, "port") - it->o->f], "");
	assert_int_equal(doc_args(&d, it, false, 1, (char *[]){ bad }, &err), ERR_USAGE);
	assert_string_equal(err.text, "rip web/rip1: \"weight\" is not of the form field=value");
	assert_int_equal(doc_args(&d, it, false, 1, (char *[]){ odd }, &err), ERR_USAGE);
	assert_int_equal(doc_args(&d, it, true, 1, (char *[]){ weight }, &err), ERR_USAGE);
	memset(longest, 'w', sizeof(longest));
	longest[199] = '\0';
	assert_int_equal(doc_args(&d, it, true, 1, (char *[]){ longest }, &err), ERR_INVALID);
	it = add(DOC_MERGE, "rip", "web/rip1");
	assert_int_equal(doc_args(&d, it, true, 1, (char *[]){ bad }, &err), 0);
	assert_ptr_equal(it->text[field_find(it->o, "weight") - it->o->f], DOC_UNSET);
}

static void
test_doc_save_load(void **state)
{
	struct doc_item *it = add(DOC_MERGE, "vip", "web");
	struct buf one = { 0 }, two = { 0 };
	struct doc e;

	(void)state;
	assert_int_equal(doc_set(&d, it, "comment", "K\xc3\xa4se \"\\\n", &err), 0);
	assert_int_equal(doc_set(&d, it, "scheduler", DOC_UNSET, &err), 0);
	it = add(DOC_RENAME, "rip", "web/rip1");
	assert_int_equal(doc_set(&d, it, "name", "rip2", &err), 0);
	it = add(DOC_DELETE, "vip", "old");
	it->cascade = true;
	(void)add(DOC_REPLACE, "setting", NULL);
	doc_save(&d, &one);
	doc_init(&e);
	if (doc_load(&e, buf_text(&one), one.len, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(e.n, 4);
	assert_int_equal(e.first->line, 7);
	assert_ptr_equal(
	    e.first->text[field_find(e.first->o, "scheduler") - e.first->o->f], DOC_UNSET);
	doc_save(&e, &two);
	assert_string_equal(buf_text(&one), buf_text(&two));
	doc_fini(&e);
	buf_fini(&one);
	buf_fini(&two);
}

static void
test_doc_load_bad(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "x\n", "edit 1: line 1: this is not JSON" },
		{ "{}\n", "edit 1: this is not an edit" },
		{ "{\"op\":\"merge\",\"object\":\"vip\",\"path\":\"a\",\"set\":{}}\n[]",
		    "edit 2: an object belongs here" },
		{ "{\"op\":\"burn\",\"object\":\"vip\",\"path\":\"a\",\"set\":{}}",
		    "edit 1: this is not an edit" },
		{ "{\"op\":\"merge\",\"object\":\"vap\",\"path\":\"a\",\"set\":{}}",
		    "edit 1: vap: unknown object; did you mean vip?" },
		{ "{\"op\":\"merge\",\"object\":\"vip\",\"path\":\"\",\"set\":{}}",
		    "edit 1: vip: name: is required" },
		{ "{\"op\":\"merge\",\"object\":\"vip\",\"path\":\"a\",\"set\":{\"x\":\"1\"}}",
		    "edit 1: vip a: x: unknown field" },
		{ "{\"op\":\"merge\",\"object\":\"vip\",\"path\":\"a\",\"set\":{\"retries\":1}}",
		    "edit 1: this is not an edit" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(
		    doc_load(&d, rows[i].text, strlen(rows[i].text), &err), ERR_INVALID);
		if (strncmp(err.text, rows[i].why, strlen(rows[i].why)) != 0)
			fail_msg("%s", err.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_doc_kind, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_doc_add_path, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_doc_set, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_doc_set_name_and_parent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_doc_unset_is_absent_unless_merge, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_doc_args, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_doc_save_load, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_doc_load_bad, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
