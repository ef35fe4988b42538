/* Whom the preflight of a virtual MAC asks, when, and what the code that its process ends with means. */

#include "role_preflight.h"

#include "store_help.h"

#include <stdio.h>
#include <string.h>

#define PING(name, address, more) "  " name ": {address: '" address "'" more "}\n"

/* eth0 is in 10.0.0.0/24, and has a single host's address of 10.2.0.0; eth1 is in 10.1.0.0/24. */
static const struct {
	const char *why, *yaml, *ifname, *self, *master, *want; /* want "": nobody */
} rows[] = {
	{ "a ping node of the network", "pingnode:\n" PING("p", "10.0.0.9", ""), "eth0", "",
	    "10.0.0.2", "10.0.0.9" },
	{ "one elsewhere is not asked: the master is", "pingnode:\n" PING("p", "10.1.0.9", ""),
	    "eth0", "", "10.0.0.2", "10.0.0.2" },
	{ "one on the other interface's network", "pingnode:\n" PING("p", "10.1.0.9", ""), "eth1",
	    "", "", "10.1.0.9" },
	{ "one that is off", "pingnode:\n" PING("p", "10.0.0.9", ", enabled: no"), "eth0", "", "",
	    "" },
	{ "an IPv6 one is not asked by ARP", "pingnode:\n" PING("p", "2001:db8::9", ""), "eth0", "",
	    "", "" },
	{ "the first of two",
	    "pingnode:\n" PING("p", "10.9.0.9", "") PING("q", "10.0.0.8", "")
		PING("r", "10.0.0.9", ""),
	    "eth0", "", "", "10.0.0.8" },
	{ "nobody was heard", "{}", "eth0", "", "", "" },
	{ "the master is this node", "{}", "eth0", "10.0.0.1", "10.0.0.1", "" },
	{ "this node was, another is", "{}", "eth0", "10.0.0.1", "10.0.0.2", "10.0.0.2" },
	{ "a master of IPv6", "{}", "eth0", "", "fe80::2", "" },
	{ "a unicast one behind a router does not answer ARP", "{}", "eth0", "", "192.0.2.1", "" },
	{ "one on another interface's network", "{}", "eth1", "", "10.0.0.2", "" },
	{ "a host's own address is no network", "{}", "eth0", "", "10.2.0.1", "" },
	{ "an interface without addresses", "{}", "eth9", "", "10.0.0.2", "" },
};

static struct addr
host(const char *text)
{
	struct addr a = { 0 };

	if (text[0] != '\0')
		assert_int_equal(addr_parse(text, ADDR_HOST, &a), 0);
	return a;
}

static void
test_target(void **state)
{
	static const char *const text[] = { "10.0.0.1/24", "10.2.0.1/32", "2001:db8::1/64",
		"10.1.0.1/24" };
	struct iface_addr a[4] = { 0 };
	struct iface_list kernel = { 4, a };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		(void)snprintf(a[i].name, sizeof(a[i].name), "eth%u", i < 3 ? 0 : 1);
		assert_int_equal(addr_parse(text[i], ADDR_CIDR, &a[i].addr), 0);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct snapshot *s = snapshot_of(rows[i].yaml);
		struct addr self = host(rows[i].self), master = host(rows[i].master), out;
		char got[ADDR_TEXT] = "";

		if (preflight_target(s, &kernel, rows[i].ifname, &self, &master, &out))
			addr_format(&out, ADDR_HOST, got);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", rows[i].why, got, rows[i].want);
		snapshot_unref(s);
	}
}

/* Codes with which a process ends that could not ask are no result. */
static void
test_code(void **state)
{
	static const int others[] = { -1, 0, 1, 2, 40, 43, 70, 126, 127 };

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(preflight_way(others[i]), VMAC_UNKNOWN);
	assert_int_equal(preflight_way(41), VMAC_PASSES);
	assert_int_equal(preflight_way(42), VMAC_BLOCKED);
	assert_int_equal(preflight_main("lo", "fe80::1"), 70);
	assert_int_equal(preflight_main("lo", "nobody"), 70);
}

static void
test_when(void **state)
{
	struct preflight p = { .next = DUR_S(10) };

	(void)state;
	assert_false(preflight_is_due(&p, DUR_S(9)));
	assert_true(preflight_is_due(&p, DUR_S(10)));
	p.way = VMAC_BLOCKED; /* it may be allowed later */
	assert_true(preflight_is_due(&p, DUR_S(10)));
	p.way = VMAC_PASSES;
	assert_false(preflight_is_due(&p, DUR_S(1000)));
	p.way = VMAC_UNKNOWN;
	p.child = (struct child *)(void *)&p; /* one is on its way */
	assert_false(preflight_is_due(&p, DUR_S(1000)));
}

static void
test_advice(void **state)
{
	struct preflight p = { .ifname = "eth0123456789a" };
	char text[PREFLIGHT_TEXT] = "x";

	(void)state;
	preflight_advice(&p, text);
	assert_string_equal(text, "");
	p.way = VMAC_PASSES;
	preflight_advice(&p, text);
	assert_string_equal(text, "");
	p.way = VMAC_BLOCKED;
	preflight_advice(&p, text);
	assert_non_null(strstr(text, "at eth0123456789a lets no second"));
	assert_non_null(strstr(text, "virtual_mac=no.")); /* whole */
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_target),
		cmocka_unit_test(test_code),
		cmocka_unit_test(test_when),
		cmocka_unit_test(test_advice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
