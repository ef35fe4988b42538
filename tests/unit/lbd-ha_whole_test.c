/* N03: what is missing before this node may take over by itself, and for how long each part is waited for; when it asks the
 * other for its connections, as a table of what happens and what is asked. */
#include "refill_plan.h"
#include "whole.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define S(n) DUR_S(n)

static void
expect(const struct whole *w, mono_t now, bool whole, mono_t deadline, const char *why)
{
	char text[WHOLE_TEXT];
	mono_t at;

	assert_int_equal(whole_is(w, now, &at), whole);
	assert_int_equal(at, deadline);
	whole_why(w, now, text);
	assert_string_equal(text, why);
}

static void
test_whole(void **state)
{
	struct whole w = { 0 };

	(void)state;
	expect(&w, S(1), true, 0, "");
	assert_true(whole_set(&w, WHOLE_CHANNEL, "channel", S(1)));
	assert_true(whole_set(&w, WHOLE_CONNS, "conns", S(2)));
	assert_false(whole_set(&w, WHOLE_CONNS, "conns", S(9))); /* no progress */
	expect(&w, S(10), false, S(31), "channel, conns");
	assert_true(whole_set(&w, WHOLE_CHANNEL, NULL, S(10)));
	assert_false(whole_set(&w, WHOLE_CHANNEL, NULL, S(11)));
	expect(&w, S(11), false, S(32), "conns");
	assert_true(whole_set(&w, WHOLE_CONNS, "conns: 10 so far", S(20))); /* progress */
	expect(&w, S(49), false, S(50), "conns: 10 so far");
	assert_false(whole_is_given_up(&w, WHOLE_CONNS, S(49)));
	expect(&w, S(50), true, 0, "");
	assert_true(whole_is_given_up(&w, WHOLE_CONNS, S(50)));
	/* The other node comes back: it may be had after all. */
	whole_meet(&w, S(100));
	expect(&w, S(101), false, S(130), "conns: 10 so far");
}

/* Without these parts this node would serve something else, so they have no limit. */
static void
test_whole_without_end(void **state)
{
	struct whole w = { 0 };

	(void)state;
	assert_true(whole_set(&w, WHOLE_CONFIG, "config", S(1)));
	expect(&w, S(1000), false, 0, "config");
	assert_true(whole_set(&w, WHOLE_PERSIST, "persist", S(1)));
	assert_true(whole_set(&w, WHOLE_CONFIG, NULL, S(1)));
	expect(&w, S(1000), false, 0, "persist");
	assert_true(whole_set(&w, WHOLE_VERDICTS, "verdicts", S(1000)));
	expect(&w, S(1001), false, S(1030), "persist, verdicts");
	expect(&w, S(1030), false, 0, "persist");
}

/* Many long reasons are cut, not written beyond the end. */
static void
test_whole_long(void **state)
{
	struct whole w = { 0 };
	char long_one[300], text[WHOLE_TEXT];

	(void)state;
	memset(long_one, 'x', sizeof(long_one) - 1);
	long_one[sizeof(long_one) - 1] = '\0';
	for (unsigned p = 0; p < WHOLE_PARTS; p++) {
		assert_true(whole_set(&w, (enum whole_part)p, long_one, S(1)));
		assert_false(whole_set(&w, (enum whole_part)p, long_one, S(2)));
	}
	whole_why(&w, S(2), text);
	assert_int_equal(strlen(text), WHOLE_TEXT - 1);
}

/* One letter for each thing that happens, a second apart:
 *   u U  the channel comes up, is lost       a w r o  lbd-ipvs is away, waits, is ready, wants none
 *   n N  needed, not needed                   s  everything is held here
 *   t h f  some were taken, all are here, refused     x  the same of a job before     .  nothing
 * After each: 'A' it asks now; 'm' something is missing; '-' nothing is. */
static const struct {
	const char *what, *happens, *is;
} cases[] = {
	{ "from nothing", "nuawrth", "-mmmAm-" },
	{ "lbd-ipvs is there first", "wrnuth", "---Am-" },
	{ "no services of layer 4", "Nuwr", "----" },
	{ "this node holds them", "usnwrN", "------" },
	{ "the configuration wants no sync", "nuo", "-m-" },
	{ "holds them and gives them away: nothing is missing", "usrsn.", "------" },
	{ "but it is after a break", "usrsnUu", "------A" },
	{ "refused, asked again after a second", "nurf..", "-mAmAm" },
	{ "the other says nothing for ten seconds", "nur..........t", "-mAmmmmmmmmmAm" },
	{ "word of an old job", "nurfxx", "-mAmAm" },
	{ "lbd-ipvs starts anew", "nurthawr", "-mAm-mmA" },
	{ "a change of the configuration does not count", "nurthwr", "-mAm---" },
	{ "the channel breaks meanwhile", "nurtUu", "-mAm-A" },
};

static void
happen(struct refill_plan *p, char c, mono_t now)
{
	switch (c) {
	case 'u': refill_plan_up(p, true); break;
	case 'U': refill_plan_up(p, false); break;
	case 'a': refill_plan_local(p, CONNS_AWAY); break;
	case 'w': refill_plan_local(p, CONNS_WAITS); break;
	case 'r': refill_plan_local(p, CONNS_READY); break;
	case 'o': refill_plan_local(p, CONNS_OFF); break;
	case 'n': refill_plan_needed(p, true, false); break;
	case 'N': refill_plan_needed(p, false, false); break;
	case 's': refill_plan_needed(p, false, true); break;
	case 't': assert_true(refill_plan_taken(p, p->job, 5, now)); break;
	case 'h': assert_true(refill_plan_here(p, p->job)); break;
	case 'f': assert_true(refill_plan_refused(p, p->job, "no", now)); break;
	case 'x':
		assert_false(refill_plan_taken(p, p->job - 1, 5, now));
		assert_false(refill_plan_here(p, p->job - 1));
		assert_false(refill_plan_refused(p, p->job - 1, "no", now));
		break;
	default: break;
	}
}

static void
test_plan(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct refill_plan p = { 0 };
		mono_t now = S(100), at;

		for (size_t k = 0; cases[i].happens[k] != '\0'; k++) {
			char why[200], is;

			now += S(1);
			happen(&p, cases[i].happens[k], now);
			is = refill_plan_ask(&p, now, &at)	     ? 'A'
			     : refill_plan_why(&p, why, sizeof(why)) ? 'm'
								     : '-';
			assert_true(at == 0 || at > now);
			if (is != cases[i].is[k])
				fail_msg("%s: after %zu (%c): %c", cases[i].what, k + 1,
				    cases[i].happens[k], is);
		}
	}
}

/* A reason stands while it is asked for again: another text would count as progress. */
static void
test_plan_why(void **state)
{
	struct refill_plan p = { 0 };
	char why[200];
	mono_t at;

	(void)state;
	refill_plan_needed(&p, true, false);
	refill_plan_up(&p, true);
	assert_true(refill_plan_why(&p, why, sizeof(why)));
	assert_string_equal(why, "connections of layer 4: lbd-ipvs is away");
	refill_plan_local(&p, CONNS_READY);
	assert_true(refill_plan_ask(&p, S(1), &at));
	assert_true(refill_plan_why(&p, why, sizeof(why)));
	assert_string_equal(why, "connections of layer 4: asked for");
	assert_true(refill_plan_refused(&p, p.job, "no room", S(1)));
	assert_true(refill_plan_ask(&p, S(2), &at));
	assert_true(refill_plan_why(&p, why, sizeof(why)));
	assert_string_equal(why, "connections of layer 4: no room");
	assert_true(refill_plan_taken(&p, p.job, 7, S(2)));
	assert_true(refill_plan_taken(&p, p.job, 8, S(2)));
	assert_true(refill_plan_why(&p, why, sizeof(why)));
	assert_string_equal(why, "connections of layer 4: 15 so far");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_whole_without_end),
		cmocka_unit_test(test_whole_long),
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_plan_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
