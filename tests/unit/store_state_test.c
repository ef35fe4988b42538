/* Words and colours: every order over every verdict, and services as sums of servers (S183 to S187). */
#include "store_help.h"
#include "store/state.h"

static void
test_order_wins_over_verdict(void **state)
{
	static const struct {
		int order;
		enum verdict v;
		enum server_state want;
		const char *word, *token, *class;
	} rows[] = {
		{ admin_state_online, VERDICT_UP, SRV_UP, "Healthy", "up", "ok" },
		{ admin_state_online, VERDICT_DOWN, SRV_DOWN, "Down", "down", "down" },
		{ admin_state_online, VERDICT_UNKNOWN, SRV_UNKNOWN, "Unknown", "unknown", "unk" },
		{ admin_state_drain, VERDICT_UP, SRV_DRAIN, "Offline (drain)", "drain", "off" },
		{ admin_state_drain, VERDICT_DOWN, SRV_DRAIN, "Offline (drain)", "drain", "off" },
		{ admin_state_halt, VERDICT_UP, SRV_HALT, "Offline (halt)", "halt", "off" },
		{ admin_state_halt, VERDICT_UNKNOWN, SRV_HALT, "Offline (halt)", "halt", "off" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct admin a = { .state = (uint8_t)rows[i].order };
		enum server_state s = server_state(&a, rows[i].v, false);

		assert_int_equal(s, rows[i].want);
		assert_string_equal(server_word(s), rows[i].word);
		assert_string_equal(server_token(s), rows[i].token);
		assert_string_equal(status_class(server_status(s)), rows[i].class);
	}
	assert_int_equal(server_state(NULL, VERDICT_UP, false), SRV_UP);
}

/* S203: what connections betray makes a fit server yellow, and says nothing of another. */
static void
test_hint(void **state)
{
	struct admin drained = { .state = admin_state_drain };

	(void)state;
	assert_int_equal(server_state(NULL, VERDICT_UP, true), SRV_WARN);
	assert_int_equal(server_state(NULL, VERDICT_DOWN, true), SRV_DOWN);
	assert_int_equal(server_state(NULL, VERDICT_UNKNOWN, true), SRV_UNKNOWN);
	assert_int_equal(server_state(&drained, VERDICT_UP, true), SRV_DRAIN);
	assert_string_equal(server_token(SRV_WARN), "warning");
	assert_string_equal(status_colour(server_status(SRV_WARN)), "yellow");
}

static void
test_service(void **state)
{
	static const struct {
		bool enabled;
		struct service_view v;
		enum status want;
		const char *word, *colour;
	} rows[] = {
		{ true, { .up = 3 }, ST_OK, "Healthy", "green" },
		{ true, { .up = 1, .down = 2 }, ST_WARN, "Degraded", "yellow" },
		{ true, { .up = 1, .down = 1, .unknown = 1 }, ST_WARN, "Degraded", "yellow" },
		{ true, { .down = 2 }, ST_DOWN, "Down", "red" },
		{ true, { .down = 2, .drain = 1 }, ST_DOWN, "Down", "red" },
		{ true, { .up = 2, .halt = 1 }, ST_OK, "Healthy", "green" },
		{ true, { .drain = 2 }, ST_OFF, "Offline (drain)", "blue" },
		{ true, { .halt = 2 }, ST_OFF, "Offline (halt)", "blue" },
		{ true, { .halt = 1, .drain = 1 }, ST_OFF, "Offline", "blue" },
		{ true, { 0 }, ST_UNK, "Unknown", "grey" },
		{ true, { .unknown = 2 }, ST_UNK, "Unknown", "grey" },
		{ true, { .up = 1, .unknown = 1 }, ST_UNK, "Unknown", "grey" },
		{ true, { .up = 2, .warn = 1 }, ST_WARN, "Degraded", "yellow" },
		{ true, { .warn = 2 }, ST_WARN, "Degraded", "yellow" },
		{ true, { .down = 1, .warn = 1 }, ST_WARN, "Degraded", "yellow" },
		{ true, { .up = 2, .no_quorum = true }, ST_WARN, "No quorum", "yellow" },
		{ true, { .unknown = 2, .no_quorum = true }, ST_WARN, "No quorum", "yellow" },
		{ true, { .up = 1, .down = 1, .no_quorum = true }, ST_WARN, "No quorum", "yellow" },
		{ true, { .up = 1, .down = 1, .no_quorum = true, .fallback = true }, ST_WARN,
		    "Fallback", "yellow" },
		{ true, { .down = 2, .no_quorum = true }, ST_DOWN, "Down", "red" },
		{ true, { .down = 2, .no_quorum = true, .fallback = true }, ST_DOWN,
		    "Down (fallback)", "red" },
		{ true, { .drain = 2, .no_quorum = true, .fallback = true }, ST_OFF,
		    "Offline (drain)", "blue" },
		{ true, { .no_quorum = true }, ST_UNK, "Unknown", "grey" },
		{ true, { .up = 2, .fault = true }, ST_DOWN, "Not in force", "red" },
		{ false, { .up = 2, .fault = true }, ST_OFF, "Offline", "blue" },
		{ false, { .up = 2 }, ST_OFF, "Offline", "blue" },
		{ false, { .up = 2, .halt = 1 }, ST_OFF, "Offline", "blue" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum status s = service_status(rows[i].enabled, &rows[i].v);

		assert_int_equal(s, rows[i].want);
		assert_string_equal(status_word(s, &rows[i].v), rows[i].word);
		assert_string_equal(status_colour(s), rows[i].colour);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_wins_over_verdict),
		cmocka_unit_test(test_hint),
		cmocka_unit_test(test_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
