/* Sessions end when they must, keys cannot be guessed from what is kept, and guessing passwords grows slow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-web/access/session.h"

#include <string.h>

#define IDLE DUR_S(60)
#define MOST DUR_S(600)
#define T0 DUR_S(1000)

static const struct addr here = { .family = 4, .len = 32, .b = { 192, 0, 2, 1 } };
static const struct addr there = { .family = 4, .len = 32, .b = { 192, 0, 2, 2 } };

static void
test_life(void **state)
{
	struct sessions *s = sessions_new();
	char key[SESSION_KEY + 1], other[SESSION_KEY + 1];
	struct session *it = session_begin(s, "eve", 7, 3, &here, T0, key);

	(void)state;
	assert_int_equal(strlen(key), SESSION_KEY);
	assert_ptr_equal(session_find(s, key, IDLE, MOST, T0 + DUR_S(59)), it);
	assert_ptr_equal(session_find(s, key, IDLE, MOST, T0 + DUR_S(118)), it);
	assert_null(session_find(s, key, IDLE, MOST, T0 + DUR_S(179))); /* idle for 61 s */
	it = session_begin(s, "eve", 7, 3, &here, T0, key);
	(void)session_begin(s, "bob", 8, 4, &here, T0, other);
	assert_string_not_equal(key, other);
	for (int i = 1; i <= 10; i++)
		assert_non_null(session_find(s, key, IDLE, MOST, T0 + DUR_S(i * 59)));
	assert_null(session_find(s, key, IDLE, MOST, T0 + DUR_S(601))); /* at an end in any case */
	sessions_free(s);
}

static void
test_key_is_not_kept(void **state)
{
	struct sessions *s = sessions_new();
	char key[SESSION_KEY + 1], wrong[SESSION_KEY + 1];
	struct session *it = session_begin(s, "eve", 7, 3, &here, T0, key);

	(void)state;
	assert_null(memmem(it, sizeof(*it), key, SESSION_KEY));
	memcpy(wrong, key, sizeof(wrong));
	wrong[5] = wrong[5] == 'A' ? 'B' : 'A';
	assert_null(session_find(s, wrong, IDLE, MOST, T0));
	assert_null(session_find(s, "", IDLE, MOST, T0));
	assert_true(session_csrf_good(it, it->csrf));
	assert_false(session_csrf_good(it, key));
	assert_false(session_csrf_good(it, NULL));
	assert_false(session_csrf_good(it, ""));
	session_end(s, it);
	assert_null(session_find(s, key, IDLE, MOST, T0));
	sessions_free(s);
}

static void
test_oldest_makes_room(void **state)
{
	struct sessions *s = sessions_new();
	char first[SESSION_KEY + 1], second[SESSION_KEY + 1], key[SESSION_KEY + 1];

	(void)state;
	(void)session_begin(s, "a", 1, 1, &here, T0, first);
	(void)session_begin(s, "b", 2, 2, &here, T0 + 1, second);
	for (int i = 2; i < SESSIONS_MAX; i++)
		(void)session_begin(s, "c", 3, 3, &here, T0 + 2, key);
	assert_non_null(
	    session_find(s, first, IDLE, MOST, T0 + 3)); /* used: now the second is the oldest */
	(void)session_begin(s, "d", 4, 4, &here, T0 + 4, key);
	assert_non_null(session_find(s, first, IDLE, MOST, T0 + 5));
	assert_null(session_find(s, second, IDLE, MOST, T0 + 5));
	sessions_free(s);
}

static void
test_brake(void **state)
{
	struct sessions *s = sessions_new();
	dur_t before = 0, wait;
	mono_t now = T0;

	(void)state;
	session_failed(s, "eve", &here, now);
	assert_int_equal(session_wait(s, "eve", &here, now), 0); /* people mistype */
	for (int i = 0; i < 14; i++) {
		session_failed(s, "eve", &here, now);
		wait = session_wait(s, "eve", &here, now);
		assert_true(wait >= before);
		before = wait;
	}
	assert_true(wait == THROTTLE_SOURCE_MAX);
	/* The account itself is never held for long, so that nobody can lock its owner out. */
	assert_true(session_wait(s, "eve", &there, now) == THROTTLE_ACCOUNT_MAX);
	assert_int_equal(session_wait(s, "bob", &there, now), 0);
	assert_true(session_wait(s, "bob", &here, now) == THROTTLE_SOURCE_MAX);
	assert_int_equal(session_wait(s, "eve", &here, now + THROTTLE_SOURCE_MAX), 0);
	session_succeeded(s, "eve", &here);
	assert_int_equal(session_wait(s, "eve", &here, now), 0);
	sessions_free(s);
}

static void
test_brake_is_bounded(void **state)
{
	struct sessions *s = sessions_new();
	struct addr a = here;

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		a.b[2] = (uint8_t)(i >> 8);
		a.b[3] = (uint8_t)i;
		session_failed(s, "eve", &a, T0 + i);
	}
	assert_true(session_wait(s, "eve", &here, T0 + 5000) > 0);
	sessions_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_key_is_not_kept),
		cmocka_unit_test(test_oldest_makes_room),
		cmocka_unit_test(test_brake),
		cmocka_unit_test(test_brake_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
