/* Whether routers are told the way to an address: what a service's state means, how services of one address add up, and
 * what a script is told. */
#include "advert.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

/* ---- one service --------------------------------------------------------------------------------------------- */

enum { L7, L4, FB7, FB4 }; /* with a fallback; of layer 4 by a page */

static void
make(int kind, struct service *s)
{
	*s = (struct service){ .name = "web", .enabled = true, .quorum = 200 };
	s->mode = kind == L7 || kind == FB7 ? mode_http : mode_dr;
	s->fallback.text = kind == FB7 ? "10.0.0.9" : "";
	s->fallback_page = kind == FB4;
}

static const struct {
	int kind;
	struct advert_facts f;
	enum serving want;
	const char *why;
} services[] = {
	{ L7, { 0 }, SERVING_UNKNOWN, "lbd-proxy was not heard yet" },
	{ L7, { .proxy_known = true, .quorum_known = true, .met = true }, SERVING_NO,
	    "lbd-proxy does not run" },
	{ L7, { .proxy_known = true, .proxy_there = true }, SERVING_UNKNOWN,
	    "lbd-check has no verdict yet" },
	{ L7, { .proxy_known = true, .proxy_there = true, .quorum_known = true, .met = true },
	    SERVING_YES, "" },
	{ L7, { .proxy_known = true, .proxy_there = true, .quorum_known = true, .weight = 100 },
	    SERVING_NO, "no quorum: weight 100 of 200" },
	{ FB7, { .proxy_known = true, .proxy_there = true, .quorum_known = true }, SERVING_FALLBACK,
	    "no quorum: weight 0 of 200" },
	{ FB7, { .proxy_known = true, .quorum_known = true }, SERVING_NO,
	    "lbd-proxy does not run" },
	/* lbd-ipvs and the kernel: lbd-proxy does not matter. */
	{ L4, { .quorum_known = true, .met = true }, SERVING_UNKNOWN,
	    "lbd-ipvs was not heard yet" },
	{ L4, { .kernel_known = true, .quorum_known = true, .met = true }, SERVING_NO,
	    "the kernel does not have it" },
	{ L4, { .kernel_known = true, .loaded = true, .quorum_known = true, .met = true },
	    SERVING_YES, "" },
	{ L4, { .kernel_known = true, .loaded = true }, SERVING_UNKNOWN,
	    "lbd-check has no verdict yet" },
	{ FB4, { .kernel_known = true, .loaded = true, .quorum_known = true }, SERVING_FALLBACK,
	    "no quorum: weight 0 of 200" },
};

static void
test_serving(void **state)
{
	char why[ADVERT_WHY];
	struct service s;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(services); i++) {
		make(services[i].kind, &s);
		if (advert_serving(&s, &services[i].f, why) != services[i].want ||
		    strcmp(why, services[i].why) != 0)
			fail_msg("row %u: %s", i, why);
	}
}

/* ---- an address ------------------------------------------------------------------------------------------------ */

#define ANY(how)                             \
	{                                    \
		advertise_any, SERVING_##how \
	}
#define REQ(how)                                  \
	{                                         \
		advertise_required, SERVING_##how \
	}
#define IGN(how)                                 \
	{                                        \
		advertise_ignored, SERVING_##how \
	}
#define HELD true
#define AWAY false

static const struct {
	bool held;
	const char *unfit;
	struct {
		int advertise;
		enum serving how;
	} s[3];
	unsigned n;
	enum advert want;
	const char *why;
} addresses[] = {
	{ AWAY, "", { ANY(YES) }, 1, ADVERT_WITHDRAW, "it is not on this node" },
	{ AWAY, "", { ANY(UNKNOWN) }, 1, ADVERT_WITHDRAW, "it is not on this node" },
	{ HELD, "", { { 0 } }, 0, ADVERT_ANNOUNCE, "it is on this node, and no service counts" },
	{ HELD, "", { ANY(YES) }, 1, ADVERT_ANNOUNCE, "it is on this node, and served" },
	{ HELD, "", { ANY(NO) }, 1, ADVERT_WITHDRAW, "vip a: why a" },
	{ HELD, "", { ANY(FALLBACK) }, 1, ADVERT_LAST, "vip a: why a" },
	{ HELD, "", { ANY(UNKNOWN) }, 1, ADVERT_OPEN, "vip a: why a" },
	/* Any of them is enough. */
	{ HELD, "", { ANY(NO), ANY(YES) }, 2, ADVERT_ANNOUNCE, "it is on this node, and served" },
	{ HELD, "", { ANY(NO), ANY(NO) }, 2, ADVERT_WITHDRAW, "vip a: why a" },
	{ HELD, "", { ANY(NO), ANY(FALLBACK) }, 2, ADVERT_LAST, "vip a: why a" },
	{ HELD, "", { ANY(UNKNOWN), ANY(YES) }, 2, ADVERT_ANNOUNCE,
	    "it is on this node, and served" },
	{ HELD, "", { ANY(NO), ANY(UNKNOWN) }, 2, ADVERT_OPEN, "vip b: why b" },
	{ HELD, "", { ANY(FALLBACK), ANY(UNKNOWN) }, 2, ADVERT_OPEN, "vip b: why b" },
	/* A required one decides. */
	{ HELD, "", { ANY(YES), REQ(NO) }, 2, ADVERT_WITHDRAW, "vip b: why b" },
	{ HELD, "", { ANY(NO), REQ(YES) }, 2, ADVERT_ANNOUNCE, "it is on this node, and served" },
	{ HELD, "", { ANY(YES), REQ(FALLBACK) }, 2, ADVERT_LAST, "vip b: why b" },
	{ HELD, "", { ANY(YES), REQ(UNKNOWN) }, 2, ADVERT_OPEN, "vip b: why b" },
	{ HELD, "", { REQ(YES), REQ(FALLBACK), REQ(NO) }, 3, ADVERT_WITHDRAW, "vip c: why c" },
	{ HELD, "", { REQ(NO), REQ(UNKNOWN), ANY(YES) }, 3, ADVERT_WITHDRAW, "vip a: why a" },
	/* An ignored one does not. */
	{ HELD, "", { IGN(NO) }, 1, ADVERT_ANNOUNCE, "it is on this node, and no service counts" },
	{ HELD, "", { IGN(NO), ANY(YES) }, 2, ADVERT_ANNOUNCE, "it is on this node, and served" },
	{ HELD, "", { IGN(YES), ANY(NO) }, 2, ADVERT_WITHDRAW, "vip b: why b" },
	{ HELD, "", { IGN(UNKNOWN), ANY(NO) }, 2, ADVERT_WITHDRAW, "vip b: why b" },
	/* A node that is not fit. */
	{ HELD, "bad", { ANY(YES) }, 1, ADVERT_LAST, "bad" },
	{ HELD, "bad", { { 0 } }, 0, ADVERT_LAST, "bad" },
	{ HELD, "bad", { ANY(NO) }, 1, ADVERT_WITHDRAW, "vip a: why a" },
	{ HELD, "bad", { ANY(UNKNOWN) }, 1, ADVERT_OPEN, "vip a: why a" },
	{ AWAY, "bad", { ANY(YES) }, 1, ADVERT_WITHDRAW, "it is not on this node" },
};

static void
test_decide(void **state)
{
	static const char *const names[] = { "a", "b", "c" }, *const whys[] = { "why a", "why b",
		"why c" };
	char why[ADVERT_WHY];

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(addresses); i++) {
		struct advert_sum sum = { 0 };
		enum advert got;

		for (unsigned j = 0; j < addresses[i].n; j++) {
			struct service s = { .name = names[j],
				.advertise = addresses[i].s[j].advertise };

			advert_add(&sum, &s, addresses[i].s[j].how, whys[j]);
		}
		got = advert_decide(&sum, addresses[i].held, addresses[i].unfit, why);
		if (got != addresses[i].want || strcmp(why, addresses[i].why) != 0)
			fail_msg("row %u: %u, %s", i, got, why);
	}
}

static void
test_uses(void **state)
{
	union {
		struct addrs l;
		char room[sizeof(struct addrs) + sizeof(struct addr_range)];
	} more = { .l = { .n = 1 } };
	struct service s = { 0 };
	struct addr a;

	(void)state;
	assert_int_equal(addr_parse("192.0.2.10", ADDR_HOST, &s.address), 0);
	assert_int_equal(addr_parse("192.0.2.20", ADDR_HOST, &more.l.r[0].lo), 0);
	assert_int_equal(addr_parse("192.0.2.22", ADDR_HOST, &more.l.r[0].hi), 0);
	assert_int_equal(addr_parse("192.0.2.10/24", ADDR_CIDR, &a), 0);
	assert_true(advert_uses(&s, &a)); /* a floating one may have the network's prefix */
	assert_int_equal(addr_parse("192.0.2.21", ADDR_HOST, &a), 0);
	assert_false(advert_uses(&s, &a));
	s.more_addresses = &more.l;
	assert_true(advert_uses(&s, &a));
	assert_int_equal(addr_parse("192.0.2.23", ADDR_HOST, &a), 0);
	assert_false(advert_uses(&s, &a));
}

static void
test_vars(void **state)
{
	static const char *const want[ADVERT_VARS] = { "LBD_TIME=2026-11-21T13:00:00.123Z",
		"LBD_GROUP=2", "LBD_OLD=announce", "LBD_NEW=announce", "LBD_PREFERENCE=last",
		"LBD_VIP=2001:db8::10", "LBD_PREFIX=2001:db8::10/128", "LBD_FAMILY=6",
		"LBD_INTERFACE=lo", "LBD_CAUSE=vip web: no quorum: weight 0 of 1" };
	struct advert_word w = { .ifname = "lo",
		.group = 2,
		.was = ADVERT_ANNOUNCE,
		.now = ADVERT_LAST,
		.why = "vip web: no quorum: weight 0 of 1",
		.at_ms = 1795266000123 };
	char vars[ADVERT_VARS][ADVERT_VAR], text[400];

	(void)state;
	/* A host route, whatever the prefix of the floating address. */
	assert_int_equal(addr_parse("2001:db8::10/64", ADDR_CIDR, &w.addr), 0);
	advert_vars(&w, vars);
	for (unsigned i = 0; i < ADVERT_VARS; i++)
		assert_string_equal(vars[i], want[i]);
	assert_int_equal(addr_parse("192.0.2.10", ADDR_HOST, &w.addr), 0);
	w.was = ADVERT_OPEN;
	w.now = ADVERT_WITHDRAW;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	w.why = text;
	advert_vars(&w, vars);
	assert_string_equal(vars[2], "LBD_OLD=none");
	assert_string_equal(vars[3], "LBD_NEW=withdraw");
	assert_string_equal(vars[4], "LBD_PREFERENCE=normal");
	assert_string_equal(vars[6], "LBD_PREFIX=192.0.2.10/32");
	assert_true(strlen(vars[9]) < ADVERT_VAR && strlen(vars[9]) > 150);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_serving),
		cmocka_unit_test(test_decide), cmocka_unit_test(test_uses),
		cmocka_unit_test(test_vars) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
