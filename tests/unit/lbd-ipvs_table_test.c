/* Tables: order, search, growth, and the words for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "ipvs_text.h"

static void
test_find(void **state)
{
	struct ipvs_table t = { 0 };
	char text[KEY_TEXT];

	(void)state;
	/* In an order that is none; every second one away again. */
	for (unsigned i = 0; i < 200; i++) {
		struct ipvs_table one;

		(void)snprintf(text, sizeof(text), "TCP 10.0.%u.1:80 rr = 10.1.0.%u:80 1",
		    i * 37 % 200, i % 200);
		one = text_table(text);
		table_add(&t, one.service);
		table_add(&t, one.service);
		table_fini(&one);
	}
	assert_int_equal(t.n, 200);
	for (unsigned i = 0; i < 200; i += 2) {
		struct ipvs_key k;

		(void)snprintf(text, sizeof(text), "TCP 10.0.%u.1:80", i);
		assert_true(record_key_parse(text, &k));
		table_remove(&t, &k);
		table_remove(&t, &k);
		assert_null(table_find(&t, &k));
	}
	assert_int_equal(t.n, 100);
	for (unsigned i = 1; i < 200; i += 2) {
		struct ipvs_key k;
		const struct ipvs_service *s;

		(void)snprintf(text, sizeof(text), "TCP 10.0.%u.1:80", i);
		assert_true(record_key_parse(text, &k));
		s = table_find(&t, &k);
		assert_non_null(s);
		assert_ptr_equal(service_find(s, &s->dest[0].addr, 80), &s->dest[0]);
		assert_null(service_find(s, &s->dest[0].addr, 81));
	}
	table_fini(&t);
}

static void
test_keys(void **state)
{
	static const char *const words[] = { "FWM 7 IPv4", "FWM 7 IPv6", "FWM 4294967295 IPv4",
		"SCTP 10.0.0.1:9", "TCP 10.0.0.1:80", "TCP [fd00::1]:80", "UDP 10.0.0.1:80",
		"UDP [fd00::1]:0" };
	static const char *const damaged[] = { "", "TCP", "TCP ", "TCP 10.0.0.1",
		"TCP 10.0.0.1:", "TCP 10.0.0.1:65536", "TCP 10.0.0.1:80 ", "TCP 10.0.0.1:80x",
		"TCP [fd00::1:80", "TCP 10.0.0:80", "ICMP 10.0.0.1:80", "FWM 0 IPv4", "FWM 7",
		"FWM 7 IPv5", "FWM -7 IPv4", "FWM 4294967296 IPv4", "FWM 7 IPv4 ", "TCP :80",
		"TCP []:80" };
	struct ipvs_key k[ARRAY_LEN(words)];
	char text[KEY_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		assert_true(record_key_parse(words[i], &k[i]));
		key_format(&k[i], text);
		assert_string_equal(text, words[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		for (size_t j = 0; j < ARRAY_LEN(words); j++) {
			assert_int_equal(key_compare(&k[i], &k[j]) == 0, i == j);
			assert_int_equal(
			    key_compare(&k[i], &k[j]) < 0, key_compare(&k[j], &k[i]) > 0);
		}
	for (size_t i = 0; i < ARRAY_LEN(damaged); i++)
		if (record_key_parse(damaged[i], &k[0]))
			fail_msg("\"%s\" is no key", damaged[i]);
}

static const struct {
	const char *table, *scheduler, *forward;
} words[] = {
	{ "TCP 10.0.0.1:80 wlc = 10.0.0.2:80 1", "wlc", "Route" },
	{ "TCP 10.0.0.1:80 sh fallback port = 10.0.0.2:80 1 nat", "sh (fallback, port)", "Masq" },
	{ "TCP 10.0.0.1:80 mh port = 10.0.0.2:80 1 tun", "mh (port)", "Tunnel" },
	{ "TCP 10.0.0.1:80 sh fallback = 10.0.0.2:80 1 gue:6080", "sh (fallback)",
	    "Tunnel gue:6080" },
	{ "TCP 10.0.0.1:80 rr fallback = 10.0.0.2:80 1 gre", "rr", "Tunnel gre" },
};

static void
test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct ipvs_table t = text_table(words[i].table);
		char text[KEY_TEXT];

		scheduler_format(t.service, text);
		assert_string_equal(text, words[i].scheduler);
		forward_format(t.service->dest, text);
		assert_string_equal(text, words[i].forward);
		dest_format(t.service->dest, text);
		assert_string_equal(text, "10.0.0.2:80");
		table_fini(&t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
