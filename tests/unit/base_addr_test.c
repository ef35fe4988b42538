/* Addresses: text both ways, socket form, membership. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/must.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

static const struct {
	const char *text;
	enum addr_form form;
	const char *shown; /* NULL: refused */
} rows[] = {
	{ "", ADDR_HOST, "" },
	{ "10.0.0.1", ADDR_HOST, "10.0.0.1" },
	{ "FD00::0:1", ADDR_HOST, "fd00::1" },
	{ "10.0.0.1/32", ADDR_HOST, NULL },
	{ "10.0.0", ADDR_HOST, NULL },
	{ "10.0.0.1 ", ADDR_HOST, NULL },
	{ "10.0.0.256", ADDR_HOST, NULL },
	{ "fe80::1%lo", ADDR_HOST, NULL },
	{ "10.0.0.0/8", ADDR_NET, "10.0.0.0/8" },
	{ "10.0.0.1", ADDR_NET, "10.0.0.1/32" },
	{ "0.0.0.0/0", ADDR_NET, "0.0.0.0/0" },
	{ "10.0.0.0/7", ADDR_NET, "10.0.0.0/7" },
	{ "11.0.0.0/7", ADDR_NET, NULL },
	{ "10.0.0.1/31", ADDR_NET, NULL },
	{ "fd00::/8", ADDR_NET, "fd00::/8" },
	{ "fd00::1/127", ADDR_NET, NULL },
	{ "10.0.0.0/33", ADDR_NET, NULL },
	{ "10.0.0.0/", ADDR_NET, NULL },
	{ "10.0.0.0/+8", ADDR_NET, NULL },
	{ "10.0.0.0/8/8", ADDR_NET, NULL },
	{ "10.0.0.0/0008", ADDR_NET, NULL },
	{ "fd00::/129", ADDR_NET, NULL },
	{ "10.0.0.1/24", ADDR_CIDR, "10.0.0.1/24" },
	{ "10.0.0.1", ADDR_CIDR, "10.0.0.1/32" },
	{ "fd00::1/64", ADDR_CIDR, "fd00::1/64" },
	{ "1111111111111111111111111111111111111111111111111111111111111111111", ADDR_HOST, NULL },
};

static const struct {
	const char *text, *shown; /* NULL: refused */
	const char *ifname;
} links[] = {
	{ "10.0.0.1", "10.0.0.1", "" },
	{ "FE80::1 interface eth0", "fe80::1", "eth0" },
	{ "10.0.0.1 interface eth0", "10.0.0.1", "eth0" },
	{ "fe80::1 interface 123456789012345", "fe80::1", "123456789012345" },
	{ "fe80::1 interface 1234567890123456", NULL, NULL },
	{ "fe80::1 interface ", NULL, NULL },
	{ "fe80::1 interface", NULL, NULL },
	{ "fe80::1 eth0", NULL, NULL },
	{ "fe80::1%eth0", NULL, NULL },
	{ " interface eth0", NULL, NULL },
	{ "", NULL, NULL },
	{ "10.0.0.1/32", NULL, NULL },
	{ "10.0.0.1:3784", NULL, NULL },
	{ "1111111111111111111111111111111111111111111111111111111111111111111", NULL, NULL },
};

static void
test_links(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		char text[ADDR_TEXT], ifname[ADDR_IFNAME];
		struct addr v;
		int rc = addr_parse_link(links[i].text, &v, ifname);

		if (rc != (links[i].shown != NULL ? 0 : -EINVAL))
			fail_msg("%s: %d", links[i].text, rc);
		if (rc != 0)
			continue;
		addr_format(&v, ADDR_HOST, text);
		assert_string_equal(text, links[i].shown);
		assert_string_equal(ifname, links[i].ifname);
	}
}

static void
test_addr_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[ADDR_TEXT];
		struct addr v;
		int rc = addr_parse(rows[i].text, rows[i].form, &v);

		if (rc != (rows[i].shown != NULL ? 0 : -EINVAL))
			fail_msg("%s: %d", rows[i].text, rc);
		addr_format(&v, rows[i].form, text);
		assert_string_equal(text, rows[i].shown != NULL ? rows[i].shown : "");
	}
}

/* Every octet in every place, against the formatter. */
static void
test_put4(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		for (unsigned v = 0; v < 256; v++) {
			struct addr a = { .family = 4, .len = 32, .b = { 10, 200, 3, 99 } };
			char text[ADDR_TEXT], fast[ADDR_PUT4 + 1];

			a.b[i] = (uint8_t)v;
			addr_format(&a, ADDR_HOST, text);
			*addr_put4(a.b, fast) = '\0';
			assert_string_equal(fast, text);
		}
}

static void
test_addr_equal_bytes(void **state)
{
	struct addr x, y;

	(void)state;
	memset(&x, 0xff, sizeof(x));
	assert_int_equal(addr_parse("FD00:0:0::1", ADDR_HOST, &x), 0);
	assert_int_equal(addr_parse("fd00::1", ADDR_HOST, &y), 0);
	assert_memory_equal(&x, &y, sizeof(x));
	assert_int_equal(addr_parse("10.0.0.1/8", ADDR_CIDR, &x), 0);
	assert_int_equal(addr_parse("10.0.0.1", ADDR_HOST, &y), 0);
	assert_true(addr_same_host(&x, &y));
	assert_int_equal(addr_parse("a00:1::", ADDR_HOST, &y), 0);
	assert_false(addr_same_host(&x, &y)); /* the same bytes in the other family */
}

static void
test_addr_sockaddr(void **state)
{
	static const char *const texts[] = { "192.0.2.7", "2001:db8::7" };
	struct sockaddr_storage ss;
	struct addr v, back;
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(addr_parse(texts[i], ADDR_HOST, &v), 0);
		assert_int_equal(addr_sockaddr(&v, 8080, &ss),
		    i == 0 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		assert_int_equal(addr_from_sockaddr((struct sockaddr *)&ss, &back, &port), 0);
		assert_memory_equal(&v, &back, sizeof(v));
		assert_int_equal(port, 8080);
	}
	ss.ss_family = AF_UNIX;
	assert_int_equal(addr_from_sockaddr((struct sockaddr *)&ss, &back, &port), -EAFNOSUPPORT);
}

static void
test_addr_mapped_becomes_v4(void **state)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	struct addr v, want;
	uint16_t port;

	(void)state;
	assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.7", &in6.sin6_addr), 1);
	assert_int_equal(addr_from_sockaddr((struct sockaddr *)&in6, &v, &port), 0);
	assert_int_equal(addr_parse("192.0.2.7", ADDR_HOST, &want), 0);
	assert_memory_equal(&v, &want, sizeof(v));
	assert_int_equal(port, 9);
}

static void
test_addr_contains(void **state)
{
	static const struct {
		const char *net, *host;
		bool in;
	} pairs[] = {
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.1", false },
		{ "10.0.0.128/25", "10.0.0.127", false },
		{ "10.0.0.128/25", "10.0.0.129", true },
		{ "10.0.0.1", "10.0.0.1", true },
		{ "10.0.0.1", "10.0.0.2", false },
		{ "0.0.0.0/0", "1.2.3.4", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::/0", "::1", true },
		{ "fd00::/63", "fd00:0:0:1::5", true },
		{ "fd00::/63", "fd00:0:0:2::5", false },
		{ "", "10.0.0.1", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct addr net, host;

		assert_int_equal(addr_parse(pairs[i].net, ADDR_NET, &net), 0);
		assert_int_equal(addr_parse(pairs[i].host, ADDR_HOST, &host), 0);
		if (addr_contains(&net, &host) != pairs[i].in)
			fail_msg("%s %s", pairs[i].net, pairs[i].host);
	}
}

static void
test_addr_loopback(void **state)
{
	static const struct {
		const char *text;
		bool is;
	} pairs[] = { { "127.0.0.1", true }, { "127.255.0.3", true }, { "::1", true },
		{ "128.0.0.1", false }, { "::2", false }, { "7f00::", false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct addr v;

		assert_int_equal(addr_parse(pairs[i].text, ADDR_HOST, &v), 0);
		assert_int_equal(addr_is_loopback(&v), pairs[i].is);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addr_rows),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_put4),
		cmocka_unit_test(test_addr_equal_bytes),
		cmocka_unit_test(test_addr_sockaddr),
		cmocka_unit_test(test_addr_mapped_becomes_v4),
		cmocka_unit_test(test_addr_contains),
		cmocka_unit_test(test_addr_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
