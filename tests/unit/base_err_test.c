/* Reasons: filled once, with object and field, context in front, never past their room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"

#include <string.h>

static void
test_err_set(void **state)
{
	struct err err;

	(void)state;
	memset(&err, 'x', sizeof(err));
	assert_int_equal(err_set(&err, ERR_CONFLICT, "moved to %d", 7), ERR_CONFLICT);
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_string_equal(err.text, "moved to 7");
	assert_string_equal(err.object, "");
	assert_string_equal(err.field, "");
	assert_int_equal(err_set(NULL, ERR_CONFLICT, "x"), ERR_CONFLICT);
}

static void
test_err_field(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(
	    err_field(&err, ERR_INVALID, "vip web", "ports", "bad %s", "x"), ERR_INVALID);
	assert_string_equal(err.text, "vip web: ports: bad x");
	assert_string_equal(err.object, "vip web");
	assert_string_equal(err.field, "ports");
	(void)err_field(&err, ERR_INVALID, NULL, NULL, "bad");
	assert_string_equal(err.text, "bad");
	assert_int_equal(err_field(NULL, ERR_INVALID, "a", "b", "c"), ERR_INVALID);
}

static void
test_err_context(void **state)
{
	struct err err;

	(void)state;
	(void)err_field(&err, ERR_INVALID, NULL, "ports", "bad");
	assert_int_equal(err_object(&err, "%s %s", "vip", "web"), ERR_INVALID);
	assert_string_equal(err.text, "vip web: ports: bad");
	assert_string_equal(err.object, "vip web");
	/* the deepest that knows wins */
	assert_int_equal(err_object(&err, "vip other"), ERR_INVALID);
	assert_string_equal(err.object, "vip web");
	assert_int_equal(err_prefix(&err, "line %u: ", 7), ERR_INVALID);
	assert_string_equal(err.text, "line 7: vip web: ports: bad");
	assert_string_equal(err.object, "vip web");
}

static void
test_err_room(void **state)
{
	char text[2000];
	struct err err;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	(void)err_field(&err, ERR_INVALID, text, text, "%s", text);
	assert_int_equal(strlen(err.object), sizeof(err.object) - 1);
	assert_int_equal(strlen(err.field), sizeof(err.field) - 1);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	(void)err_prefix(&err, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	(void)err_set(&err, ERR_INVALID, "%s", text);
	(void)err_object(&err, "%s", text);
	assert_int_equal(strlen(err.object), sizeof(err.object) - 1);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err_set),
		cmocka_unit_test(test_err_field),
		cmocka_unit_test(test_err_context),
		cmocka_unit_test(test_err_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
