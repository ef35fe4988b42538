/* Advertisements through the kernel, on the loopback of a network namespace of the test's own; and whose question an
 * ARP reply answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sandbox.h"
#include "vrrp/vmac.h"
#include "vrrp/vrrp_sock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

static struct addr
host(const char *text)
{
	struct addr a;

	if (addr_parse(text, ADDR_HOST, &a) != 0)
		abort();
	return a;
}

/* One packet there, nothing else; 0 is good. */
static int
there(uint8_t family, const char *address, uint8_t ttl, size_t n)
{
	static const uint8_t bytes[300] = { 0x31, 51, 100, 1, 0, 100, 0xab, 0xcd, 10, 0, 0, 100 };
	static struct vrrp_frame f;
	struct vrrp_ip ip = { .src = host(address), .dst = host(address), .ttl = ttl };
	struct pollfd p = { .events = POLLIN };
	struct vrrp_sock s;
	struct err err;

	if (vrrp_sock_open(&s, "lo", family, &err) != 0)
		return 1;
	if (vrrp_sock_receive(&s, &f) != 0)
		return 2;
	if (vrrp_sock_send(&s, s.ifindex, &ip, bytes, n) != 0)
		return 3;
	p.fd = s.rx;
	if (poll(&p, 1, 2000) != 1 || vrrp_sock_receive(&s, &f) != 1)
		return 4;
	if (f.n != n || memcmp(f.p, bytes, n) != 0 || f.ip.ttl != VRRP_TTL ||
	    !addr_same_host(&f.ip.src, &ip.src) || !addr_same_host(&f.ip.dst, &ip.dst))
		return 5;
	if (vrrp_sock_receive(&s, &f) != 0)
		return 6;
	vrrp_sock_close(&s);
	vrrp_sock_close(&s);
	return vrrp_sock_open(&s, "nothing0", family, &err) == -ENODEV ? 0 : 7;
}

static int
both(void)
{
	int rc = there(4, "127.0.0.1", 255, 12);

	if (rc == 0)
		rc = there(
		    4, "127.0.0.1", 255, 3); /* the filter lets short ones pass: they are counted */
	if (rc == 0)
		rc = there(6, "::1", 255, 300);
	return rc == 0 ? there(6, "::1", 255, 1) : 10 + rc;
}

static void
test_send_and_receive(void **state)
{
	int rc = sandbox_run(both);

	(void)state;
	if (rc == SANDBOX_NONE)
		skip();
	assert_int_equal(rc, 0);
}

static void
test_virtual_mac(void **state)
{
	static const uint8_t four[6] = { 0, 0, 0x5e, 0, 1, 51 }, six[6] = { 0, 0, 0x5e, 0, 2, 255 };
	uint8_t mac[6];

	(void)state;
	vmac_mac(4, 51, mac);
	assert_memory_equal(mac, four, 6);
	vmac_mac(6, 255, mac);
	assert_memory_equal(mac, six, 6);
}

/* A device is known by its name after a restart, and --release takes away what has one. */
static void
test_names_of_devices(void **state)
{
	static const char *const others[] = { "eth0", "lbd4.51", "lbd4.51.2x", "lbd5.51.2",
		"lb4.51.2", "lbx4.51.2", "lbdi4.51.2", "lbi44.51.2", "" };
	char name[IFNAME_MAX];

	(void)state;
	vmac_name(name, VMAC_MACVLAN, 4, 51, 2);
	assert_string_equal(name, "lbd4.51.2");
	assert_true(vmac_is_name(name));
	vmac_name(name, VMAC_IPVLAN, 6, 255, 12345);
	assert_string_equal(name, "lbi6.255.12345");
	assert_true(vmac_is_name(name));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(vmac_is_name(others[i]));
}

static void
test_answer_to_whom(void **state)
{
	static const uint8_t own[6] = { 2, 0, 0, 0, 0, 1 }, other[6] = { 2, 0, 0, 0, 0, 9 };
	static const uint8_t good[42] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 7, 8, 6, 0, 1, 8, 0, 6,
		4, 0, 2, 2, 0, 0, 0, 0, 7, 10, 0, 0, 7, 2, 0, 0, 0, 0, 1 };
	struct addr target = host("10.0.0.7"), another = host("10.0.0.8");
	uint8_t f[42];

	(void)state;
	memcpy(f, good, sizeof(f));
	assert_int_equal(vmac_answer(f, sizeof(f), &target, own, other), 1);
	assert_int_equal(vmac_answer(f, sizeof(f), &another, own, other), 0);
	f[5] = 9;
	assert_int_equal(vmac_answer(f, sizeof(f), &target, own, other), 2);
	f[5] = 8;
	assert_int_equal(vmac_answer(f, sizeof(f), &target, own, other), 0);
	memcpy(f, good, sizeof(f));
	f[21] = 1; /* a question */
	assert_int_equal(vmac_answer(f, sizeof(f), &target, own, other), 0);
	for (size_t n = 0; n < 32; n++)
		assert_int_equal(vmac_answer(good, n, &target, own, other), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_send_and_receive),
		cmocka_unit_test(test_virtual_mac),
		cmocka_unit_test(test_names_of_devices),
		cmocka_unit_test(test_answer_to_whom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
