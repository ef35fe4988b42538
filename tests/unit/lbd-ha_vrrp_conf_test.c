/* What a virtual router may be set to, and what two of them must have in common. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vrrp/vrrp_fsm.h"

#include <stdlib.h>

static struct addr
host(const char *text)
{
	struct addr a;

	if (addr_parse(text, ADDR_HOST, &a) != 0)
		abort();
	return a;
}

static void
test_conf(void **state)
{
	struct vrrp_conf good, other;
	struct err err;

	(void)state;
	vrrp_conf_default(&good);
	good.vrid = 51;
	good.n = 2;
	good.addr[0] = host("10.0.0.100");
	good.addr[1] = host("10.0.0.101");
	assert_int_equal(vrrp_conf_check(&good, &err), 0);
	assert_int_equal(vrrp_conf_pair_check(&good, &good, &err), ERR_INVALID);
	assert_string_equal(err.field, "priority");
	other = good;
	other.priority = 50;
	assert_int_equal(vrrp_conf_pair_check(&good, &other, &err), 0);
	other.n = 1;
	assert_int_equal(vrrp_conf_pair_check(&good, &other, &err), ERR_INVALID);
	assert_string_equal(err.field, "addresses");
#define WRONG(set, name)                                                  \
	do {                                                              \
		struct vrrp_conf c = good;                                \
		set;                                                      \
		assert_int_equal(vrrp_conf_check(&c, &err), ERR_INVALID); \
		assert_string_equal(err.field, name);                     \
	} while (0)
	WRONG(c.version = 4, "version");
	WRONG((c.version = 2, c.family = 6), "version");
	WRONG(c.vrid = 0, "id");
	WRONG(c.priority = 0, "priority");
	WRONG(c.down_adverts = 0, "down_adverts");
	WRONG(c.down_adverts = 101, "down_adverts");
	WRONG(c.interval = DUR_MS(9), "interval");
	WRONG(c.interval = DUR_MS(15), "interval");
	WRONG(c.interval = DUR_MS(40960), "interval");
	WRONG((c.version = 2, c.interval = DUR_MS(1500)), "interval");
	WRONG((c.version = 2, c.interval = DUR_S(256)), "interval");
	WRONG(c.auth_type = VRRP_AUTH_PASS, "auth");
	WRONG(c.n = 0, "addresses");
	WRONG(c.family = 6, "addresses");
	WRONG((c.family = 6, c.n = 1, c.addr[0] = host("2001:db8::1")), "addresses");
	WRONG(c.peers = 1, "peers");
	WRONG(c.way = VRRP_UNICAST, "peers");
	WRONG((c.family = 6, c.n = 1, c.addr[0] = host("fe80::1"), c.way = VRRP_BROADCAST), "way");
#undef WRONG
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_conf) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
