/* Addresses as messages of route netlink. */
#include "core/lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

static struct shared_addr
row(const char *text, const char *label)
{
	struct shared_addr a = { .index = 7 };

	assert_int_equal(addr_parse(text, ADDR_CIDR, &a.addr), 0);
	memcpy(a.label, label, strlen(label) + 1);
	return a;
}

static const void *
attribute(const struct nlmsghdr *h, unsigned type, size_t len)
{
	size_t left = h->nlmsg_len - NLMSG_LENGTH(sizeof(struct ifaddrmsg));
	const struct rtattr *a = IFA_RTA(NLMSG_DATA(h));

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == type) {
			assert_int_equal(RTA_PAYLOAD(a), len);
			return RTA_DATA(a);
		}
	return NULL;
}

static void
test_lease_put(void **state)
{
	static struct lease l = { .fd = -1 };
	struct shared_addr a = row("192.0.2.10/32", "eth0:lbd");
	const struct nlmsghdr *h = (const void *)l.bytes;
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	const struct ifa_cacheinfo *life;

	(void)state;
	l.len = 0;
	assert_int_equal(lease_put(&l, &a, 41), 0);
	assert_int_equal(l.len, NLMSG_ALIGN(h->nlmsg_len));
	assert_int_equal(h->nlmsg_type, RTM_NEWADDR);
	assert_int_equal(h->nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE);
	assert_int_equal(h->nlmsg_seq, 41);
	assert_int_equal(m->ifa_family, 2);
	assert_int_equal(m->ifa_prefixlen, 32);
	assert_int_equal(m->ifa_index, 7);
	assert_memory_equal(attribute(h, IFA_LOCAL, 4), a.addr.b, 4);
	assert_memory_equal(attribute(h, IFA_ADDRESS, 4), a.addr.b, 4);
	assert_string_equal(attribute(h, IFA_LABEL, 9), "eth0:lbd");
	life = attribute(h, IFA_CACHEINFO, sizeof(*life));
	assert_int_equal(life->ifa_valid, LEASE_VALID_S);
	assert_int_equal(life->ifa_prefered, LEASE_VALID_S);
}

static void
test_lease_put6_and_drop(void **state)
{
	static struct lease l = { .fd = -1 };
	struct shared_addr a = row("2001:db8::1/128", "");
	const struct nlmsghdr *h = (const void *)l.bytes;
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	const struct ifa_cacheinfo *life;

	(void)state;
	l.len = 0;
	assert_int_equal(lease_put(&l, &a, 0), 0);
	assert_int_equal(m->ifa_family, 10);
	assert_int_equal(m->ifa_flags, IFA_F_NODAD);
	assert_memory_equal(attribute(h, IFA_LOCAL, 16), a.addr.b, 16);
	life = attribute(h, IFA_CACHEINFO, sizeof(*life));
	assert_int_equal(life->ifa_prefered, 0); /* never chosen as a source */
	assert_null(attribute(h, IFA_LABEL, 0));
	l.len = 0;
	assert_int_equal(lease_drop(&l, &a, 3), 0);
	assert_int_equal(h->nlmsg_type, RTM_DELADDR);
	assert_int_equal(h->nlmsg_flags, NLM_F_REQUEST);
	assert_int_equal(m->ifa_flags, 0);
	assert_null(attribute(h, IFA_CACHEINFO, sizeof(*life)));
}

/* Many are gathered, each whole; what does not fit is sent first. */
static void
test_lease_gathers(void **state)
{
	static struct lease l = { .fd = -1 };
	struct shared_addr a = row("192.0.2.10/32", "eth0:lbd");
	unsigned n = 0;
	size_t at = 0;

	(void)state;
	l.len = 0;
	while (l.len + 160 <= sizeof(l.bytes))
		assert_int_equal(lease_put(&l, &a, n++), 0);
	for (unsigned i = 0; i < n; i++) {
		const struct nlmsghdr *h = (const void *)(l.bytes + at);

		assert_int_equal(h->nlmsg_seq, i);
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	assert_int_equal(at, l.len);
	assert_true(n > 200);
	assert_true(lease_put(&l, &a, n) < 0); /* no socket here */
	assert_int_equal(l.len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lease_put),
		cmocka_unit_test(test_lease_put6_and_drop),
		cmocka_unit_test(test_lease_gathers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
