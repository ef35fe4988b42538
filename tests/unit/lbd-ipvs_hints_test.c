/* S203, S204: what half-open connections say. Samples one after the other, and what is thought after each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ipvs/conns/hints.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *line;
	unsigned half, done;
	uint32_t least;
} entries[] = {
	{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 SYN_RECV 59", 0, 0, 0 },
	{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 SYN_RECV 57", 0, 0, 0 },
	{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 SYN_RECV 56", 1, 0, 0 },
	{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 SYN_RECV 0", 1, 0, 0 },
	{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 SYN_RECV 9", 0, 0, 11 },
	{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 SYN_RECV 11", 1, 0, 11 },
	{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 ESTABLISHED 899", 0, 1, 0 },
	{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 ESTABLISHED 840", 0, 1, 0 },
	{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 ESTABLISHED 839", 0, 0, 0 },
	{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 FIN_WAIT 1", 0, 1, 0 },
	{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 TIME_WAIT 100", 0, 1, 0 },
	{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 CLOSE 9", 0, 1, 0 },
	{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 NONE 3", 0, 0, 0 },
	{ "TCP 0A010200 0000 0A090001 0050 0A09000B 0050 NONE 300", 0, 0, 0 },
	{ "UDP 0A010203 04D2 0A090001 0050 0A09000B 0050 UDP 300", 0, 0, 0 },
};

static void
test_hint_count(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		const struct hint_times t = {
			.established = 900, .half_open = 60, .least = entries[i].least
		};
		struct hint_sample s = { 0 };
		struct entry e;

		assert_true(entry_parse(entries[i].line, strlen(entries[i].line), &e));
		hint_count(&s, &e, &t);
		if (s.half != entries[i].half || s.done != entries[i].done)
			fail_msg("%s: %u %u", entries[i].line, s.half, s.done);
	}
}

#define LOOKS 6
static const struct {
	const char *why;
	unsigned forward;
	struct {
		unsigned at_s, half, done;
		enum finding what;
	} look[LOOKS];
} rows[] = {
	{ "all is well", mode_dr, { { 0, 0, 50, FINDING_none }, { 5, 1, 50, FINDING_none } } },
	{ "two are chance", mode_dr, { { 0, 2, 0, FINDING_none } } },
	{ "direct routing", mode_dr, { { 0, 3, 0, FINDING_arp_answers } } },
	{ "address translation", mode_nat, { { 0, 3, 0, FINDING_gateway } } },
	{ "tunnel", mode_tun, { { 0, 3, 0, FINDING_no_vip } } },
	{ "source translation", mode_snat, { { 0, 3, 0, FINDING_half_open } } },
	{ "half of them", mode_nat,
	    { { 0, 9, 10, FINDING_none }, { 5, 10, 10, FINDING_gateway } } },
	{ "it stays in between, and goes when it is better", mode_dr,
	    { { 0, 10, 2, FINDING_arp_answers }, { 5, 10, 20, FINDING_arp_answers },
		{ 10, 5, 19, FINDING_arp_answers }, { 15, 5, 20, FINDING_none },
		{ 20, 5, 11, FINDING_none } } },
	{ "no clients any more: it stays for a while", mode_dr,
	    { { 0, 10, 0, FINDING_arp_answers }, { 70, 0, 0, FINDING_arp_answers },
		{ 299, 0, 0, FINDING_arp_answers }, { 300, 0, 0, FINDING_none } } },
	{ "one client that tries again and again keeps it", mode_dr,
	    { { 0, 10, 0, FINDING_arp_answers }, { 200, 1, 0, FINDING_arp_answers },
		{ 400, 1, 0, FINDING_arp_answers }, { 699, 0, 0, FINDING_arp_answers },
		{ 700, 0, 0, FINDING_none } } },
	{ "mended: the first that comes through", mode_nat,
	    { { 0, 10, 0, FINDING_gateway }, { 60, 0, 1, FINDING_none } } },
	{ "a flood beside good connections", mode_nat, { { 0, 100, 400, FINDING_none } } },
	{ "figures do not overflow", mode_nat, { { 0, UINT32_MAX, UINT32_MAX, FINDING_gateway } } },
};

static void
test_hint_decide(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hint h = { 0 };

		for (unsigned k = 0; k < LOOKS; k++) {
			const struct hint_sample s = { .half = rows[i].look[k].half,
				.done = rows[i].look[k].done };
			unsigned before = h.what;
			bool changed;

			if (k > 0 && rows[i].look[k].at_s == 0)
				break;
			changed = hint_decide(&h, &s, rows[i].forward, DUR_S(rows[i].look[k].at_s));
			if (h.what != rows[i].look[k].what || changed != (h.what != before))
				fail_msg("%s: look %u: %s", rows[i].why, k, finding_name[h.what]);
		}
	}
}

static void
test_hint_text(void **state)
{
	const struct hint_sample s = { .half = 12, .done = 2 };
	static const struct {
		unsigned forward;
		const char *words;
	} want[] = {
		{ mode_dr, "answers ARP" },
		{ mode_nat, "default gateway of web/a (10.0.0.11)" },
		{ mode_tun, "unpack the tunnel" },
		{ mode_snat, "does not answer" },
		{ 99, "does not answer" },
	};
	char text[HINT_TEXT], name[HINT_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		hint_text(text, "web/a (10.0.0.11)", "10.0.0.100", &s, want[i].forward);
		assert_non_null(strstr(text, "12 of 14 connections stay in SYN_RECV"));
		assert_non_null(strstr(text, "web/a (10.0.0.11)"));
		assert_non_null(strstr(text, "10.0.0.100"));
		if (strstr(text, want[i].words) == NULL)
			fail_msg("%u: %s", want[i].forward, text);
	}
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	hint_text(text, name, "10.0.0.100", &s, mode_dr);
	assert_int_equal(strlen(text), HINT_TEXT - 1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hint_count),
		cmocka_unit_test(test_hint_decide),
		cmocka_unit_test(test_hint_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
