/* The steps of a pairing: both sides walked together, each lost connection at each of their states, and what is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ha/pair/pair.h"

#include <string.h>

static const char *const states[] = {
#define X(name) #name,
	PAIR_STATES(X)
#undef X
};
static const char *const events[] = {
#define X(name) #name,
	PAIR_EVENTS(X)
#undef X
};

/* One whole pairing, in the order of the picture in pair.h. */
static const struct walk {
	enum pair_side side;
	enum pair_event ev;
	enum pair_action action;
} walk[] = {
	{ PAIR_ASKS, PAIR_EV_UP, PAIR_DO_OFFER },
	{ PAIR_SHOWS, PAIR_EV_UP, PAIR_DO_NOTHING },
	{ PAIR_SHOWS, PAIR_EV_OFFERED, PAIR_DO_ANSWER },
	{ PAIR_ASKS, PAIR_EV_ANSWERED, PAIR_DO_ASK },
	{ PAIR_ASKS, PAIR_EV_YES, PAIR_DO_PREPARE },
	{ PAIR_SHOWS, PAIR_EV_PREPARE, PAIR_DO_WRITE },
	{ PAIR_ASKS, PAIR_EV_PREPARED, PAIR_DO_COMMIT },
	{ PAIR_SHOWS, PAIR_EV_COMMIT, PAIR_DO_COUNT },
	{ PAIR_ASKS, PAIR_EV_COMMITTED, PAIR_DO_DUMP },
	{ PAIR_SHOWS, PAIR_EV_DUMP, PAIR_DO_REPLACE },
	{ PAIR_ASKS, PAIR_EV_REPLACED, PAIR_DO_FINISH },
};
#define WALK (sizeof(walk) / sizeof(*walk))

static void
take(enum pair_state at[2], unsigned i)
{
	struct pair_move m;

	if (!pair_next(walk[i].side, at[walk[i].side], walk[i].ev, &m))
		fail_msg("%s has no row in %s", events[walk[i].ev], states[at[walk[i].side]]);
	assert_int_equal(m.action, walk[i].action);
	at[walk[i].side] = m.next;
}

static void
test_pair_whole(void **state)
{
	enum pair_state at[2] = { PAIR_AT_SHAKE, PAIR_AT_SHAKE };

	(void)state;
	for (unsigned i = 0; i < WALK; i++) {
		take(at, i);
		assert_true(pair_wait(at[0]) > 0 && pair_wait(at[1]) > 0);
	}
	assert_int_equal(at[PAIR_ASKS], PAIR_AT_END);
	assert_int_equal(at[PAIR_SHOWS], PAIR_AT_END);
}

/* Cut after each step: never is one node certain of the pair while the other is certain of none. */
static void
test_pair_cut(void **state)
{
	(void)state;
	for (unsigned cut = 0; cut <= WALK; cut++) {
		enum pair_state at[2] = { PAIR_AT_SHAKE, PAIR_AT_SHAKE };
		enum pair_left a, b;

		for (unsigned i = 0; i < cut; i++)
			take(at, i);
		a = pair_leaves(PAIR_ASKS, at[0]);
		b = pair_leaves(PAIR_SHOWS, at[1]);
		assert_int_not_equal(a, PAIR_LEFT_DOUBT); /* it decides */
		if (a == PAIR_LEFT_NOTHING)
			assert_true(b == PAIR_LEFT_NOTHING || b == PAIR_LEFT_DOUBT);
		else
			assert_true(b == PAIR_LEFT_DOUBT || b == PAIR_LEFT_PAIR);
		if (b == PAIR_LEFT_PAIR)
			assert_true(a == PAIR_LEFT_HERE || a == PAIR_LEFT_PAIR);
	}
}

/* What the table does not have fails, in every state; abort and loss always end it. */
static void
test_pair_everything_else(void **state)
{
	unsigned known = 0;

	(void)state;
	for (unsigned side = 0; side < 2; side++)
		for (unsigned at = 0; at < PAIR_STATES_N; at++)
			for (unsigned ev = 0; ev < PAIR_EVENTS_N; ev++) {
				struct pair_move m = { 0 };
				bool has = pair_next(side, at, ev, &m);

				if (at == PAIR_AT_END) {
					assert_false(has);
				} else if (ev == PAIR_EV_ABORT) {
					assert_true(has && m.action == PAIR_DO_STOP &&
						    m.next == PAIR_AT_END);
				} else if (ev == PAIR_EV_LOST) {
					assert_true(has && m.next == PAIR_AT_END);
				} else if (!has) {
					assert_int_equal(m.action, PAIR_DO_FAIL);
				} else {
					known++;
				}
			}
	assert_int_equal(known, WALK + 1); /* and the person who says no */
}

static void
test_pair_texts(void **state)
{
	char text[200];

	(void)state;
	pair_left_text(PAIR_LEFT_NOTHING, "beta", text, sizeof(text));
	assert_non_null(strstr(text, "not paired"));
	pair_left_text(PAIR_LEFT_DOUBT, "beta", text, sizeof(text));
	assert_non_null(strstr(text, "beta"));
	assert_non_null(strstr(text, "unpair --local"));
	pair_left_text(PAIR_LEFT_HERE, "beta", text, sizeof(text));
	assert_non_null(strstr(text, "unpair --local"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pair_whole),
		cmocka_unit_test(test_pair_cut),
		cmocka_unit_test(test_pair_everything_else),
		cmocka_unit_test(test_pair_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
