/* When what is announced: rounds, pauses, and the end of it. Frames go nowhere: no socket can send them. */
#include "core/announce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define T0 DUR_S(50)

static struct shared_want *
want(uint32_t n)
{
	static struct shared_want w;

	memset(&w, 0, sizeof(w));
	w.announce = 3;
	w.announce_gap = DUR_S(1);
	w.refresh = DUR_S(30);
	w.n = n;
	for (uint32_t i = 0; i < n; i++)
		w.a[i] = (struct shared_addr){ .addr = { .family = 4, .len = 32 }, .tell = true };
	return &w;
}

static struct announce
opened(void)
{
	struct announce a = { .fd = open("/dev/null", O_RDWR | O_CLOEXEC) };

	assert_true(a.fd >= 0);
	return a;
}

/* Takes the next turn; returns when it was. */
static mono_t
turn(struct announce *a, const struct shared_want *w)
{
	mono_t at = announce_deadline(a);

	announce_turn(a, w, at);
	return at;
}

static void
test_announce_rounds(void **state)
{
	struct announce a = opened();
	struct shared_want *w = want(1);

	(void)state;
	assert_true(announce_deadline(&a) == ANNOUNCE_NEVER);
	announce_order(&a, w, 0, T0);
	assert_int_equal(turn(&a, w), T0);
	assert_int_equal(a.failed, 2); /* a request and a reply */
	assert_int_equal(turn(&a, w), T0 + DUR_MS(50));
	assert_int_equal(turn(&a, w), T0 + DUR_MS(1050));
	assert_int_equal(turn(&a, w), T0 + DUR_MS(31050));
	assert_int_equal(turn(&a, w), T0 + DUR_MS(61050));
	announce_cancel(&a, 0);
	assert_true(announce_deadline(&a) == ANNOUNCE_NEVER);
	w->refresh = 0;
	w->announce = 1;
	announce_order(&a, w, 0, T0);
	assert_int_equal(turn(&a, w), T0);
	assert_true(announce_deadline(&a) == ANNOUNCE_NEVER);
	w->announce = 0;
	announce_order(&a, w, 0, T0);
	assert_true(announce_deadline(&a) == ANNOUNCE_NEVER);
	announce_close(&a);
}

static void
test_announce_paced(void **state)
{
	struct announce a = opened();
	struct shared_want *w = want(600);

	(void)state;
	announce_order(&a, w, 0, T0);
	for (uint64_t sent = 256; sent < 600; sent += 256) {
		assert_int_equal(turn(&a, w), T0); /* the first round: as fast as it goes */
		assert_int_equal(a.failed, 2 * sent);
	}
	assert_int_equal(turn(&a, w), T0);
	assert_int_equal(a.failed, 1200);
	for (unsigned i = 0; i < 30; i++) {
		assert_int_equal(turn(&a, w), T0 + DUR_MS(50) + i * DUR_MS(10));
		assert_int_equal(a.failed, 1200 + 40 * (i + 1));
	}
	announce_close(&a);
}

/* Only its group, only what has neighbours; one that became shorter meanwhile ends. */
static void
test_announce_whose(void **state)
{
	struct announce a = opened();
	struct shared_want *w = want(4);

	(void)state;
	w->a[1].group = 1;
	w->a[2].tell = false;
	announce_order(&a, w, 0, T0);
	(void)turn(&a, w);
	assert_int_equal(a.failed, 4);
	w->n = 0;
	(void)turn(&a, w);
	assert_int_equal(a.failed, 4);
	announce_close(&a);
}

/* A virtual router says itself when. */
static void
test_announce_once(void **state)
{
	struct announce a = opened();
	struct shared_want *w = want(300);
	const unsigned set = SHARED_SETS - 1;

	(void)state;
	for (uint32_t i = 0; i < w->n; i++)
		w->a[i].group = (uint8_t)set;
	announce_once(&a, set, T0);
	assert_int_equal(turn(&a, w), T0);
	assert_int_equal(turn(&a, w), T0);
	assert_int_equal(a.failed, 600);
	assert_true(announce_deadline(&a) == ANNOUNCE_NEVER);
	announce_close(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_announce_rounds),
		cmocka_unit_test(test_announce_paced),
		cmocka_unit_test(test_announce_whose),
		cmocka_unit_test(test_announce_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
