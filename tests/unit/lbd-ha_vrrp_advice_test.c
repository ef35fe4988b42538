/* What counters say of settings that do not fit, as a table; and the list of what was discarded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vrrp/vrrp_advice.h"

#include <string.h>

static const struct {
	enum vrrp_bad bad; /* one of these; VRRP_GOOD: none */
	uint64_t equal, mismatch;
	uint8_t configured, now, version;
	const char *advice; /* words in it; NULL: none */
} rows[] = {
	{ VRRP_GOOD, 0, 0, 100, 100, 3, NULL },
	{ VRRP_BAD_OTHER_VERSION, 0, 0, 100, 100, 3, "speaks the other version" },
	{ VRRP_BAD_AUTH, 0, 0, 100, 100, 2, "another password" },
	{ VRRP_BAD_OTHER_INTERVAL, 0, 0, 100, 100, 2, "version 2 wants the same" },
	{ VRRP_BAD_ADDRS, 0, 0, 100, 100, 3, "has other addresses" },
	{ VRRP_BAD_ADDRS, 9, 9, 100, 100, 3, "has other addresses" },
	{ VRRP_BAD_LINKLOCAL, 0, 0, 100, 100, 3, "no link-local address" },
	{ VRRP_BAD_CHECKSUM, 0, 0, 100, 100, 3, "wrong checksum" },
	{ VRRP_BAD_CARP, 0, 0, 100, 100, 3, "CARP is spoken" },
	{ VRRP_BAD_SOURCE, 0, 0, 100, 100, 3, "are no peers" },
	{ VRRP_BAD_TTL, 0, 0, 100, 100, 3, "min_ttl" },
	{ VRRP_BAD_VRID, 0, 0, 100, 100, 3, NULL }, /* another virtual router: its own business */
	{ VRRP_GOOD, 1, 0, 101, 101, 3, "Another router has priority 101 too" },
	{ VRRP_GOOD, 1, 0, 255, 255, 3, "only one can" },
	{ VRRP_GOOD, 1, 0, 101, 90, 3, NULL }, /* tracks made it so, for now */
	{ VRRP_GOOD, 0, 1, 100, 100, 3, "has another interval: the master's counts" },
	{ VRRP_GOOD, 0, 1, 100, 100, 2, NULL },
};

static void
test_advice(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vrrp_counts n = { .equal = rows[i].equal, .mismatch = rows[i].mismatch };
		struct vrrp_conf c;
		char text[VRRP_ADVICE];

		vrrp_conf_default(&c);
		c.version = rows[i].version;
		c.priority = rows[i].configured;
		n.bad[rows[i].bad] = 1;
		vrrp_advice(&c, rows[i].now, &n, text);
		if (rows[i].advice == NULL ? text[0] != '\0' : strstr(text, rows[i].advice) == NULL)
			fail_msg("row %zu: \"%s\"", i, text);
	}
}

static void
test_discarded(void **state)
{
	struct vrrp_counts n = { 0 };
	char text[VRRP_DISCARDED];

	(void)state;
	vrrp_discarded(&n, text);
	assert_string_equal(text, "");
	n.bad[VRRP_GOOD] = 7;
	n.bad[VRRP_BAD_TTL] = 1;
	n.bad[VRRP_BAD_ADDRS] = 12;
	vrrp_discarded(&n, text);
	assert_string_equal(text, "ttl=1,other addresses=12");
	for (enum vrrp_bad b = 0; b < VRRP_BADS; b++)
		n.bad[b] = UINT64_MAX;
	vrrp_discarded(&n, text); /* what does not fit is left away as a whole */
	assert_true(strlen(text) < VRRP_DISCARDED && strstr(text, "ttl=18446744073709551615,"));
	for (const char *p = text; *p != '\0'; p += strcspn(p, ",") + (p[strcspn(p, ",")] == ','))
		assert_true(strncmp(strchr(p, '=') + 1, "18446744073709551615", 20) == 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_advice),
		cmocka_unit_test(test_discarded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
