/* Addresses of the node, in a network namespace of the test's own; finding among given
 * addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sys/netlink.h"
#include "tests/unit/sandbox.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

static struct addr
addr(const char *text)
{
	struct addr a;

	if (addr_parse(text, ADDR_CIDR, &a) != 0)
		abort();
	return a;
}

static void
test_find_and_subnet(void **state)
{
	struct iface_addr a[] = {
		{ .name = "eth0", .addr = addr("10.0.0.5/24"), .up = true },
		{ .name = "eth0", .addr = addr("10.0.0.9/24"), .up = true, .ours = true },
		{ .name = "eth1", .addr = addr("10.0.0.129/25"), .up = true },
		{ .name = "eth2", .addr = addr("10.1.0.1/16") },
		{ .name = "eth3", .addr = addr("10.2.0.1/32"), .up = true },
		{ .name = "eth4", .addr = addr("fd00::1/64"), .up = true },
	};
	const struct iface_list l = { .n = sizeof(a) / sizeof(a[0]), .a = a };
	static const struct {
		const char *host, *subnet, *found, *found_ours;
	} rows[] = {
		{ "10.0.0.5", "eth0", "eth0", "eth0" },
		{ "10.0.0.9", "eth0", NULL, "eth0" }, /* floating: no interface's own */
		{ "10.0.0.200", "eth1", NULL, NULL }, /* the longer prefix */
		{ "10.1.0.7", NULL, NULL, NULL },     /* down */
		{ "10.2.0.1", NULL, "eth3", "eth3" }, /* a host route is no subnet */
		{ "fd00::99", "eth4", NULL, NULL },
		{ "fd01::99", NULL, NULL, NULL },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr host = addr(rows[i].host);
		const struct iface_addr *got[] = { iface_list_subnet(&l, &host),
			iface_list_find(&l, &host, false), iface_list_find(&l, &host, true) };
		const char *want[] = { rows[i].subnet, rows[i].found, rows[i].found_ours };

		for (unsigned k = 0; k < 3; k++) {
			assert_int_equal(got[k] == NULL, want[k] == NULL);
			if (want[k] != NULL)
				assert_string_equal(got[k]->name, want[k]);
		}
	}
}

#define CHECK(cond)                               \
	do {                                      \
		if (!(cond))                      \
			return __LINE__ % 70 + 1; \
	} while (0)

static int
add_and_delete(const char *text)
{
	struct addr a = addr(text);
	const struct iface_addr *e;
	struct iface_list l = { 0 };

	CHECK(netlink_address_add("lo", &a) == 0);
	CHECK(netlink_address_add("lo", &a) == 0); /* is there */
	CHECK(netlink_addresses(&l, NULL) == 0);
	CHECK(iface_list_find(&l, &a, false) == NULL);
	e = iface_list_find(&l, &a, true);
	CHECK(e != NULL && e->ours && e->loopback && e->up && e->addr.len == a.len);
	CHECK(strcmp(e->name, "lo") == 0);
	iface_list_fini(&l);
	CHECK(netlink_address_del("lo", &a) == 0);
	CHECK(netlink_address_del("lo", &a) == 0); /* is gone */
	CHECK(netlink_addresses(&l, NULL) == 0);
	CHECK(iface_list_find(&l, &a, true) == NULL);
	iface_list_fini(&l);
	return 0;
}

static int
in_namespace(void)
{
	struct addr loopback = addr("127.0.0.1"), some = addr("192.0.2.1/32");
	struct iface_list l = { 0 };
	const struct iface_addr *e;
	int fd = netlink_watch(), code;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	CHECK(fd >= 0);
	CHECK(netlink_addresses(&l, NULL) == 0);
	e = iface_list_find(&l, &loopback, false);
	CHECK(e != NULL && !e->ours && e->loopback && e->up && e->addr.len == 8 && e->index == 1);
	iface_list_fini(&l);
	netlink_watch_drain(fd);
	CHECK(poll(&p, 1, 0) == 0);
	if ((code = add_and_delete("192.0.2.1/32")) != 0 ||
	    (code = add_and_delete("192.0.2.2/24")) != 0 ||
	    (code = add_and_delete("2001:db8::1/128")) != 0)
		return code;
	CHECK(poll(&p, 1, 1000) == 1);
	netlink_watch_drain(fd);
	CHECK(poll(&p, 1, 0) == 0);
	CHECK(netlink_address_add("nowhere0", &some) == -ENODEV);
	CHECK(netlink_address_del("nowhere0", &some) == 0 ||
	      netlink_address_del("nowhere0", &some) == -ENODEV);
	(void)close(fd);
	return 0;
}

static void
test_addresses_come_and_go(void **state)
{
	int status = sandbox_run(in_namespace);

	(void)state;
	if (status == SANDBOX_NONE)
		skip();
	assert_int_equal(status, 0);
}

static void
test_addresses_can_be_read_by_anybody(void **state)
{
	struct iface_list l = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(netlink_addresses(&l, &err), 0);
	for (unsigned i = 1; i < l.n; i++)
		assert_true(l.a[i - 1].index <= l.a[i].index);
	iface_list_fini(&l);
	assert_null(l.a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find_and_subnet),
		cmocka_unit_test(test_addresses_come_and_go),
		cmocka_unit_test(test_addresses_can_be_read_by_anybody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
