/* What an order means at an instant; views, their references, and counters. */
#include "store/state.h"
#include "lbd-proxy/lists/itemset.h"
#include "lbd-proxy/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
test_admission(void **state)
{
	static const struct {
		uint8_t state;
		uint32_t weight;
		int64_t since, until;
		uint32_t drain_ms;
		bool drain_cut;
		int64_t now;
		struct admission want;
		const char *why;
	} rows[] = {
		{ admin_state_online, 100, 0, 0, 0, true, 1000, { true, true, false, 0 },
		    "online" },
		{ admin_state_online, 0, 0, 0, 0, true, 1000, { false, true, false, 0 },
		    "weight 0 keeps who belongs to it" },
		{ admin_state_drain, 0, 900, 0, 0, true, 1000, { false, true, false, 0 },
		    "drain without end" },
		{ admin_state_drain, 0, 900, 1100, 0, true, 1000, { false, true, false, 1100 },
		    "drain until" },
		{ admin_state_drain, 0, 900, 1100, 0, true, 1100, { false, false, true, 0 },
		    "over: cut" },
		{ admin_state_drain, 0, 900, 1100, 0, false, 1100, { false, false, false, 0 },
		    "over: kept" },
		{ admin_state_drain, 0, 900, 0, 200000, true, 1000, { false, true, false, 1100 },
		    "the service's drain timeout" },
		{ admin_state_drain, 0, 900, 0, 100000, true, 1000, { false, false, true, 0 },
		    "and it is over" },
		{ admin_state_drain, 0, 900, 2000, 100000, true, 1000, { false, true, false, 2000 },
		    "the order's own end wins" },
		{ admin_state_halt, 0, 900, 0, 0, true, 1000, { false, false, true, 0 },
		    "halt is at once" },
		{ admin_state_halt, 0, 900, 1010, 0, true, 1000, { false, false, false, 1010 },
		    "halt with grace" },
		{ admin_state_halt, 0, 900, 1010, 0, false, 1010, { false, false, true, 0 },
		    "grace is over" },
	};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct admin a = {
			.state = rows[i].state, .since = rows[i].since, .until = rows[i].until
		};
		struct service s = { .drain_timeout = rows[i].drain_ms,
			.drain_cut = rows[i].drain_cut };
		struct admission got;

		admission_of(&a, &s, rows[i].weight, rows[i].now, &got);
		if (got.fresh != rows[i].want.fresh || got.known != rows[i].want.known ||
		    got.cut != rows[i].want.cut || got.next != rows[i].want.next)
			fail_msg("%s: fresh %d known %d cut %d next %lld", rows[i].why, got.fresh,
			    got.known, got.cut, (long long)got.next);
	}
}

static void
test_views(void **state)
{
	struct service row = { .id = 7,
		.name = "web",
		.cookie = "SID",
		.retry_on = "",
		.persistence = persistence_cookie,
		.head_max = 16384,
		.connect_timeout = 5000 };
	struct svc *svc = svc_new(7, 2);
	struct view_server at[2] = { { .srv = srv_new(1, 7, 2), .weight = 1 },
		{ .srv = srv_new(2, 7, 2), .weight = 2 } };
	struct view *a, *b;

	(void)state;
	a = view_new(svc, &row, at, 2, NULL, NULL);
	b = view_new(svc, &row, at, 2, NULL, NULL);
	assert_true(view_same(a, b));
	assert_int_equal(a->connect, 5000000);
	assert_string_equal(a->cookie, "SID");
	assert_int_equal(cookie_map_find(&a->tokens, at[1].srv->token), 1);
	view_unref(b);
	at[1].weight = 3;
	b = view_new(svc, &row, at, 2, NULL, NULL);
	assert_false(view_same(a, b));
	view_unref(b);
	at[1].weight = 2;
	row.retries = 1;
	b = view_new(svc, &row, at, 2, NULL, NULL);
	assert_false(view_same(a, b));
	/* The views hold what they need. */
	srv_unref(at[0].srv);
	srv_unref(at[1].srv);
	svc_unref(svc);
	assert_int_equal(b->at[0].srv->id, 1);
	view_unref(b);
	view_unref(view_ref(a));
	view_unref(a);
}

static void
test_counters(void **state)
{
	struct svc *s = svc_new(1, 3);
	struct service_counters n;

	(void)state;
	COUNT_ADD(s->of[0].n.requests_total, 5);
	COUNT(s->of[2].n.requests_total);
	COUNT(s->of[1].n.conns_total);
	atomic_store(&s->conns, 4);
	svc_counts(s, &n);
	assert_int_equal(n.requests_total, 6);
	assert_int_equal(n.conns_total, 1);
	assert_int_equal(n.conns, 4);
	svc_flush(s, 99);
	COUNT(s->of[1].n.requests_total);
	svc_counts(s, &n);
	assert_int_equal(n.requests_total, 1);
	assert_int_equal(n.conns_total, 0);
	assert_int_equal(n.conns, 4); /* a gauge is a value now */
	assert_int_equal(s->since, 99);
	svc_unref(s);
}

/* Workers' peaks are not added up; what was so before a flush is over, what is so now is a peak. */
static void
test_peaks(void **state)
{
	struct svc *s = svc_new(1, 2);
	struct service_counters n;
	mono_t now = s->requests.at;

	(void)state;
	COUNT_PEAK(s->of[0].n.conns_peak, 5);
	COUNT_PEAK(s->of[1].n.conns_peak, 9);
	COUNT_PEAK(s->of[1].n.conns_peak, 8);
	s->base.queue_peak = 6; /* of a process before */
	COUNT_ADD(s->of[0].n.requests_total, 30);
	svc_pace(s, now + DUR_S(1));
	svc_pace(s, now + DUR_S(2));
	svc_counts(s, &n);
	assert_int_equal(n.conns_peak, 9);
	assert_int_equal(n.queue_peak, 6);
	assert_int_equal(n.requests_rate, 0);
	assert_int_equal(n.requests_rate_peak, 30);
	atomic_store(&s->conns, 4);
	svc_flush(s, 99);
	svc_counts(s, &n);
	assert_int_equal(n.conns_peak, 4);
	assert_int_equal(n.queue_peak, 0);
	assert_int_equal(n.requests_rate_peak, 0);
	svc_unref(s);
}

static void
test_pace(void **state)
{
	static const struct {
		dur_t after;
		uint64_t total, rate, peak;
		const char *why;
	} rows[] = {
		{ DUR_MS(800), 100, 0, 0, "too early to tell" },
		{ DUR_MS(999), 200, 200, 200,
		    "with what came before; a little early is no higher rate" },
		{ DUR_S(2), 203, 3, 200, "the peak stays" },
		{ DUR_S(4), 206, 2, 200, "a late look: three in two seconds" },
		{ DUR_S(5), 206, 0, 200, "nothing came" },
	};
	struct pace p;

	(void)state;
	pace_begin(&p, DUR_S(77));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pace_look(&p, rows[i].total, DUR_S(77) + rows[i].after);
		if (p.rate != rows[i].rate || p.peak != rows[i].peak)
			fail_msg(
			    "%s: %d a second, at most %d", rows[i].why, (int)p.rate, (int)p.peak);
	}
}

/* What hashing needs is made once for a set of servers and weights; the fallback server is no part of it. */
static void
test_spread(void **state)
{
	struct service row = {
		.id = 7, .name = "web", .cookie = "", .retry_on = "", .scheduler = scheduler_uri
	};
	struct svc *svc = svc_new(7, 1);
	struct view_server at[3] = { { .srv = srv_new(1, 7, 1), .weight = 1 },
		{ .srv = srv_new(2, 7, 1), .weight = 2 },
		{ .srv = srv_new(0, 7, 1), .weight = 1 } };
	struct view *a = view_new(svc, &row, at, 3, NULL, NULL), *b;

	(void)state;
	view_spread(a, NULL);
	assert_int_equal(a->spread->n, 2);
	assert_int_equal(a->spread->node[1].weight, 2);
	at[0].fresh = true;
	b = view_new(svc, &row, at, 3, NULL, NULL);
	view_spread(b, a);
	assert_false(view_same(a, b));
	assert_ptr_equal(a->spread, b->spread);
	view_unref(a);
	at[0].weight = 9;
	a = view_new(svc, &row, at, 3, NULL, NULL);
	view_spread(a, b);
	assert_ptr_not_equal(a->spread, b->spread);
	view_unref(a);
	row.scheduler = scheduler_rr; /* weights are alike, and it does not hash */
	row.slow_start = 1000;
	a = view_new(svc, &row, at, 3, NULL, NULL);
	view_spread(a, b);
	assert_null(a->spread);
	assert_int_equal(a->at[0].share, SLOW_SCALE);
	assert_int_equal(a->at[1].share, SLOW_SCALE);
	assert_true(a->shaped && !a->plain);
	view_unref(a);
	view_unref(b);
	for (unsigned i = 0; i < 3; i++)
		srv_unref(at[i].srv);
	svc_unref(svc);
}

/* Who is blocked: the narrowest entry counts, allow is an exception, and the service's own go before the list. */
static void
test_bars(void **state)
{
	static const char text[] =
	    "10.0.0.0/8\n10.1.0.0/16 allow\n10.1.2.0/24 \"a cellar\"\n2001:db8::/32 allowed\n";
	static const struct {
		const char *client;
		bool by_all,
		    by_own; /* a service without exceptions, one with 10.1.2.3 and 2001:db8::1 */
	} rows[] = {
		{ "10.9.9.9", true, true },
		{ "10.1.9.9", false, false },
		{ "10.1.2.2", true, true },
		{ "10.1.2.3", true, false },
		{ "11.0.0.1", false, false },
		{ "2001:db8::1", true, false },
		{ "2001:db8::2", true, true },
		{ "2001:db9::1", false, false },
	};
	struct service row = { .id = 7, .name = "web", .cookie = "", .retry_on = "" };
	struct svc *svc = svc_new(7, 1);
	struct itemset *set = itemset_read(list_kind_address, text, sizeof(text) - 1, NULL);
	struct view *all = view_new(svc, &row, NULL, 0, NULL, NULL), *own, *none;
	struct addrs *allow = calloc(1, sizeof(*allow) + 2 * sizeof(allow->r[0]));
	struct addr a;

	(void)state;
	assert_non_null(set);
	assert_non_null(allow);
	allow->n = 2;
	assert_int_equal(addr_parse("10.1.2.3", ADDR_HOST, &allow->r[0].lo), 0);
	assert_int_equal(addr_parse("2001:db8::1", ADDR_HOST, &allow->r[1].lo), 0);
	allow->r[0].hi = allow->r[0].lo;
	allow->r[1].hi = allow->r[1].lo;
	none = view_new(svc, &row, NULL, 0, NULL, NULL);
	row.allow = allow;
	own = view_new(svc, &row, NULL, 0, NULL, NULL);
	view_block(all, set, false);
	view_block(own, set, true);
	assert_false(view_same(all, none));
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(addr_parse(rows[i].client, ADDR_HOST, &a), 0);
		if (view_bars(all, &a) != rows[i].by_all || view_bars(own, &a) != rows[i].by_own)
			fail_msg("%s", rows[i].client);
		assert_false(view_bars(none, &a));
	}
	itemset_unref(set);
	free(allow);
	view_unref(all);
	view_unref(own);
	view_unref(none);
	svc_unref(svc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_admission),
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_bars),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_peaks),
		cmocka_unit_test(test_pace),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
