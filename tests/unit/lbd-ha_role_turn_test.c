/* A change of the role in words, and which rows it is for. */
#include "role_turn.h"

#include "core/fsm.h"

#include "base/must.h"
#include "schema/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static const struct role_turn took = { .group = 1,
	.was = FSM_SUSPECT,
	.now = FSM_ACTIVE,
	.generation = 12,
	.cause = "the peer is silent on every carrier",
	.at_ms = 1795266000123 };

static void
test_line(void **state)
{
	char line[TURN_LINE], text[300];
	struct role_turn t = took;
	size_t n;

	(void)state;
	n = turn_line(&t, line);
	assert_string_equal(line,
	    "2026-11-21T13:00:00.123Z 1 suspecting active 12 the peer is silent on every carrier\n");
	assert_int_equal(n, strlen(line));
	/* The longest there can be is whole. */
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	t.cause = text;
	t.generation = UINT64_MAX;
	t.was = t.now = 255;
	n = turn_line(&t, line);
	assert_true(n < TURN_LINE && line[n - 1] == '\n');
	assert_int_equal(turn_lost(UINT64_MAX, line), strlen("lost 18446744073709551615\n"));
}

static void
test_vars(void **state)
{
	static const char *const want[TURN_VARS] = { "LBD_TIME=2026-11-21T13:00:00.123Z",
		"LBD_GROUP=1", "LBD_OLD=suspecting", "LBD_NEW=active", "LBD_STATE=active",
		"LBD_GENERATION=12", "LBD_CAUSE=the peer is silent on every carrier",
		"LBD_LOST=3" };
	char vars[TURN_VARS][TURN_VAR];

	(void)state;
	turn_vars(&took, 3, vars);
	for (unsigned i = 0; i < TURN_VARS; i++)
		assert_string_equal(vars[i], want[i]);
}

static const struct {
	uint8_t was, now, on;
	unsigned group;
	bool is;
	const char *why;
} rows[] = {
	{ FSM_SUSPECT, FSM_ACTIVE, notify_on_any, 0, true, "every change" },
	{ FSM_PASSIVE, FSM_SUSPECT, notify_on_any, 0, true, "a shade too" },
	{ FSM_PASSIVE, FSM_SUSPECT, notify_on_any, 2, false, "another group's row" },
	{ FSM_PASSIVE, FSM_SUSPECT, notify_on_any, 1, true, "this group's" },
	{ FSM_SUSPECT, FSM_ACTIVE, notify_on_active, 0, true, "took over" },
	{ FSM_SUSPECT, FSM_ACTIVE, notify_on_passive, 0, false, "another state" },
	{ FSM_LEAVING, FSM_ACTIVE, notify_on_active, 0, false, "it never left" },
	{ FSM_ACTIVE, FSM_LEAVING, notify_on_any, 0, true, "shade of active" },
	{ FSM_LEAVING, FSM_PASSIVE, notify_on_passive, 0, true, "handed over" },
	{ FSM_SUSPECT, FSM_PASSIVE, notify_on_passive, 0, false, "was passive before" },
	{ FSM_INIT, FSM_PASSIVE, notify_on_passive, 0, true, "at the start" },
	{ FSM_INIT, FSM_ACTIVE, notify_on_active, 0, true, "at the start" },
	{ FSM_ACTIVE, FSM_FAULT, notify_on_fault, 0, true, "unfit" },
	{ FSM_FAULT, FSM_PASSIVE, notify_on_passive, 0, true, "mended" },
	{ FSM_ACTIVE, FSM_FAULT, notify_on_passive, 0, false, "unfit is not passive" },
};

static void
test_who_is_told(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		const struct role_turn t = { .group = 1, .was = rows[i].was, .now = rows[i].now };

		if (turn_is_for(&t, rows[i].on, rows[i].group) != rows[i].is)
			fail_msg("row %u: %s", i, rows[i].why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_vars),
		cmocka_unit_test(test_who_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
