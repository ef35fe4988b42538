/* What others are told of the persistence table, and what is taken from them. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lbd-proxy/pool/stick.h"

#define KEEP DUR_S(100)

static unsigned bells;

static void
on_bell(void *arg)
{
	(void)arg;
	bells++;
}

static struct stick *
table(uint32_t capacity)
{
	struct stick *s = stick_new(capacity, 1);

	bells = 0;
	stick_share(s, on_bell, NULL);
	return s;
}

static struct stick_key
client(uint32_t n)
{
	struct addr a = { .family = 4,
		.len = 32,
		.b = { 10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n } };
	struct stick_key k;

	stick_key_addr(&a, &k);
	return k;
}

static struct stick_record
record(uint32_t n, uint32_t server, uint64_t stamp)
{
	struct stick_key k = client(n);
	struct stick_record r = { .kind = STICK_PERSIST,
		.key_kind = k.kind,
		.flags = server == 0 ? STICK_GONE : 0,
		.service = 1,
		.value = server,
		.left_ms = 100000,
		.stamp = stamp };

	memcpy(r.key, k.b, sizeof(r.key));
	return r;
}

static void
store(struct stick *s, uint32_t n, uint32_t server, mono_t now)
{
	struct stick_key k = client(n);

	stick_store(s, 1, &k, server, now, KEEP);
}

static uint32_t
look(struct stick *s, uint32_t n, mono_t now)
{
	struct stick_key k = client(n);

	return stick_lookup(s, 1, &k, now, KEEP);
}

/* All news; each record is checked against what it must be. */
static unsigned
drain(struct stick *s, mono_t now, struct stick_record *last)
{
	struct stick_record rec[100];
	unsigned n = 0, got;
	bool more = true;

	stick_hear(s);
	while (more) {
		got = stick_drain(s, rec, 100, now, &more);
		for (unsigned i = 0; i < got; i++) {
			assert_int_equal(rec[i].kind, STICK_PERSIST);
			assert_int_equal(rec[i].value == 0, (rec[i].flags & STICK_GONE) != 0);
			assert_true(rec[i].stamp > 0 && rec[i].left_ms > 0);
			*last = rec[i];
		}
		n += got;
	}
	return n;
}

static void
test_news(void **state)
{
	struct stick *s = table(10000);
	struct stick_record r;
	mono_t now = DUR_S(1000);

	(void)state;
	store(s, 1, 7, now);
	store(s, 1, 7, now + 1);
	store(s, 2, 8, now);
	assert_int_equal(bells, 1); /* once until it is heard */
	assert_int_equal(drain(s, now, &r), 2);
	assert_int_equal(drain(s, now, &r), 0);
	assert_int_equal(look(s, 1, now + DUR_S(24)), 7);
	store(s, 1, 7, now + DUR_S(24));
	assert_int_equal(drain(s, now, &r), 0); /* others still give it three quarters */
	assert_int_equal(look(s, 1, now + DUR_S(26)), 7);
	assert_int_equal(bells, 2);
	assert_int_equal(drain(s, now + DUR_S(26), &r), 1);
	assert_int_equal(r.value, 7);
	assert_int_equal(r.left_ms, 100000);
	store(s, 1, 9, now + DUR_S(27)); /* another server is always news */
	assert_int_equal(drain(s, now + DUR_S(27), &r), 1);
	assert_int_equal(r.value, 9);
	assert_int_equal(r.stamp, 4);
	stick_free(s);
}

/* Whatever is forgotten is told, once, and found by nobody meanwhile. */
static void
test_gone(void **state)
{
	struct stick *s = table(10000);
	struct stick_key k = client(1);
	struct stick_record r, old;
	mono_t now = DUR_S(1000);

	(void)state;
	store(s, 1, 7, now);
	(void)drain(s, now, &old);
	assert_int_equal(stick_clear(s, 1, 0, &k), 1);
	assert_int_equal(stick_clear(s, 1, 0, NULL), 0);
	assert_int_equal(look(s, 1, now), 0);
	assert_int_equal(drain(s, now + DUR_S(1), &r), 1);
	assert_int_equal(r.flags, STICK_GONE);
	assert_int_equal(r.left_ms, 99000);
	assert_true(r.stamp > old.stamp);
	stick_merge(s, &old, now + DUR_S(2), DUR_S(50), false); /* crossed it on its way */
	assert_int_equal(look(s, 1, now + DUR_S(2)), 0);
	store(s, 1, 8, now + DUR_S(3));
	assert_int_equal(look(s, 1, now + DUR_S(3)), 8);
	assert_int_equal(drain(s, now + DUR_S(3), &r), 1);
	assert_int_equal(r.value, 8);
	stick_free(s);
}

/* More news than the rings hold, then all that there is. */
static void
test_overflow(void **state)
{
	const uint32_t n = 200000;
	struct stick *s = table(1000000);
	struct stick_record r;

	(void)state;
	for (uint32_t i = 0; i < n; i++)
		store(s, i, 1 + i % 5, DUR_S(1));
	assert_int_equal(drain(s, DUR_S(1), &r), n);
	assert_int_equal(r.stamp, n);
	assert_int_equal(drain(s, DUR_S(1), &r), 0);
	stick_tell_all(s);
	assert_int_equal(drain(s, DUR_S(1), &r), n);
	assert_true(r.stamp <= n); /* as before: nothing is newer than it was */
	store(s, 5, 99, DUR_S(2));
	assert_int_equal(drain(s, DUR_S(2), &r), 1);
	stick_free(s);
}

static void
test_merge(void **state)
{
	struct stick *s = table(10000);
	struct stick_record r = record(1, 5, 100), out;
	mono_t now = DUR_S(1000);

	(void)state;
	stick_merge(s, &r, now, DUR_S(30), false);
	assert_int_equal(drain(s, now, &out), 0); /* no news to those who told it */
	assert_int_equal(look(s, 1, now + DUR_S(29)), 5);
	assert_int_equal(drain(s, now + DUR_S(29), &out), 1); /* used here: it lives longer */
	assert_int_equal(out.stamp, 101);		      /* beyond all that was seen */
	stick_merge(s, &r, now + DUR_S(29), DUR_S(1), false); /* older by now */
	assert_int_equal(look(s, 1, now + DUR_S(60)), 5);
	(void)drain(s, now + DUR_S(60), &out);
	r = record(1, 6, 1000);
	stick_merge(s, &r, now + DUR_S(60), DUR_S(30), false);
	assert_int_equal(look(s, 1, now + DUR_S(60)), 6);
	(void)drain(s, now + DUR_S(60), &out);
	r.generation = 1;
	r.stamp = 1;
	r.value = 7;
	stick_merge(s, &r, now + DUR_S(60), DUR_S(1), false); /* a later term */
	assert_int_equal(look(s, 1, now + DUR_S(60)), 7);
	(void)drain(s, now + DUR_S(60), &out);
	assert_int_equal(out.generation, 1); /* what is learned now is of that term */
	stick_free(s);
}

/* What was learned here and not told yet is the latest, but in the first seconds. */
static void
test_merge_against_news(void **state)
{
	struct stick *s = table(10000);
	struct stick_record r = record(1, 5, 100), out;
	mono_t now = DUR_S(1000);

	(void)state;
	store(s, 1, 8, now);
	stick_merge(s, &r, now, DUR_S(30), false);
	assert_int_equal(look(s, 1, now), 8);
	assert_int_equal(drain(s, now, &out), 1);
	assert_int_equal(out.stamp, 101);
	store(s, 1, 9, now);
	stick_merge(s, &r, now, DUR_S(30), true);
	assert_int_equal(look(s, 1, now), 5);
	r = record(1, 0, 500);
	stick_merge(s, &r, now, DUR_S(30), false);
	assert_int_equal(look(s, 1, now), 5); /* it was used: news again */
	(void)drain(s, now, &out);
	r.stamp = 501 + out.stamp;
	stick_merge(s, &r, now, DUR_S(30), false);
	assert_int_equal(look(s, 1, now), 0);
	stick_free(s);
}

/* Life is respected: what lives longer here goes on doing so. */
static void
test_merge_life(void **state)
{
	struct stick *s = table(10000);
	struct stick_record r = record(1, 5, 100), out;
	mono_t now = DUR_S(1000);

	(void)state;
	store(s, 1, 5, now);
	(void)drain(s, now, &out);
	stick_merge(s, &r, now, DUR_S(10), false);
	assert_int_equal(look(s, 1, now + DUR_S(50)), 5);
	stick_free(s);
}

static uint32_t
look_cookie(struct stick *s, const char *value, bool keep)
{
	struct stick_key k;

	stick_key_cookie(s, value, strlen(value), &k);
	if (keep)
		stick_store(s, 1, &k, 3, 0, KEEP);
	return stick_lookup(s, 1, &k, 0, KEEP);
}

/* Two tables with one seed find each other's cookies; a new seed forgets cookies and nothing else. */
static void
test_agree(void **state)
{
	struct stick *s = table(10000), *t = stick_new(10000, 2);
	struct stick_record r, out[4];
	bool more;

	(void)state;
	store(s, 1, 4, 0);
	assert_int_equal(look_cookie(s, "old", true), 3);
	stick_agree(s, 42, 6, 1000);
	assert_int_equal(look_cookie(s, "old", false), 0);
	assert_int_equal(look(s, 1, 0), 4);
	assert_int_equal(look_cookie(s, "new", true), 3);
	stick_agree(s, 42, 5, 0); /* neither falls */
	assert_int_equal(look_cookie(s, "new", false), 3);
	stick_agree(t, 42, 0, 0);
	assert_int_equal(stick_drain(s, out, 4, 0, &more), 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(out[i].generation, 6);
		assert_true(out[i].stamp > 1000);
		stick_merge(t, &out[i], 0, KEEP, false);
	}
	assert_int_equal(look_cookie(t, "new", false), 3);
	assert_int_equal(look(t, 1, 0), 4);
	assert_int_equal(drain(s, 0, &r), 0);
	stick_hush(s);
	bells = 0;
	store(s, 9, 9, 0);
	assert_int_equal(bells, 0);
	stick_free(s);
	stick_free(t);
}

struct worker {
	struct stick *s;
	uint32_t from;
};

static void *
work(void *arg)
{
	struct worker *w = arg;

	for (uint32_t i = 0; i < 50000; i++)
		store(w->s, w->from + i, 1 + i % 3, DUR_S(1));
	return NULL;
}

/* Workers learn while the control thread tells: nothing is told twice, nothing is missing. */
static void
test_threads(void **state)
{
	struct stick *s = table(1000000);
	struct worker w[2];
	struct stick_record r;
	pthread_t t[2];
	unsigned n = 0;

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		w[i] = (struct worker){ .s = s, .from = i * 100000 };
		assert_int_equal(pthread_create(&t[i], NULL, work, &w[i]), 0);
	}
	for (unsigned i = 0; i < 100; i++)
		n += drain(s, DUR_S(1), &r);
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	n += drain(s, DUR_S(1), &r);
	assert_int_equal(n, 100000);
	stick_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_news),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_merge_against_news),
		cmocka_unit_test(test_merge_life),
		cmocka_unit_test(test_agree),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
