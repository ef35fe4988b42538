/* What the kernel tells of tables, message by message: is it about ours? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbd-ipvs/packet/watch.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

static _Alignas(8) char bytes[1024];
static size_t len;

static void
put(const void *p, size_t n)
{
	memcpy(bytes + len, p, n);
	len += NLA_ALIGN(n);
}

static void
attr(unsigned type, const char *text)
{
	struct nlattr a = { .nla_type = (uint16_t)type,
		.nla_len = (uint16_t)(sizeof(a) + strlen(text) + 1) };

	memcpy(bytes + len + sizeof(a), text, strlen(text) + 1);
	memcpy(bytes + len, &a, sizeof(a));
	len += NLA_ALIGN(a.nla_len);
}

/* One message; set "" is none. */
static void
message(unsigned subsystem, unsigned type, unsigned family, const char *table, const char *set)
{
	size_t at = len;
	struct nlmsghdr h = { .nlmsg_type = (uint16_t)(subsystem << 8 | type) };
	struct nfgenmsg g = { .nfgen_family = (uint8_t)family };

	len += sizeof(h);
	put(&g, sizeof(g));
	if (table[0] != '\0')
		attr(1, table);
	if (set[0] != '\0')
		attr(NFTA_SET_ELEM_LIST_SET, set);
	h.nlmsg_len = (uint32_t)(len - at);
	memcpy(bytes + at, &h, sizeof(h));
}

static const struct {
	unsigned subsystem, type, family;
	const char *table, *set;
	bool concerns;
} rows[] = {
	{ NFNL_SUBSYS_NFTABLES, NFT_MSG_DELTABLE, NFPROTO_INET, "lbd", "", true },
	{ NFNL_SUBSYS_NFTABLES, NFT_MSG_DELTABLE, NFPROTO_IPV4, "lbd", "", false },
	{ NFNL_SUBSYS_NFTABLES, NFT_MSG_DELTABLE, NFPROTO_INET, "lbdx", "", false },
	{ NFNL_SUBSYS_NFTABLES, NFT_MSG_DELTABLE, NFPROTO_INET, "", "", false },
	{ NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWRULE, NFPROTO_INET, "lbd", "", true },
	{ NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWGEN, NFPROTO_INET, "lbd", "", false },
	{ NFNL_SUBSYS_CTNETLINK, NFT_MSG_NEWRULE, NFPROTO_INET, "lbd", "", false },
	{ NFNL_SUBSYS_NFTABLES, NFT_MSG_DELSETELEM, NFPROTO_INET, "lbd", "mark4", true },
	{ NFNL_SUBSYS_NFTABLES, NFT_MSG_DELSETELEM, NFPROTO_INET, "lbd", "cut6", false },
	{ NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWSETELEM, NFPROTO_INET, "lbd", "seen4_2_5", false },
	{ NFNL_SUBSYS_NFTABLES, NFT_MSG_DELSET, NFPROTO_INET, "lbd", "seen4_2_5", true },
};

static void
test_one(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		len = 0;
		message(
		    rows[i].subsystem, rows[i].type, rows[i].family, rows[i].table, rows[i].set);
		if (watch_concerns(bytes, len) != rows[i].concerns)
			fail_msg("row %u", i);
		/* Cut off anywhere it is none, and nothing behind it is read. */
		for (size_t n = 0; n < len; n++) {
			char *copy = malloc(n);

			memcpy(copy, bytes, n);
			assert_false(watch_concerns(copy, n));
			free(copy);
		}
	}
}

static void
test_many(void **state)
{
	(void)state;
	len = 0;
	message(NFNL_SUBSYS_NFTABLES, NFT_MSG_DELRULE, NFPROTO_INET, "other", "");
	message(NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWSETELEM, NFPROTO_INET, "lbd", "cut4");
	assert_false(watch_concerns(bytes, len));
	message(NFNL_SUBSYS_NFTABLES, NFT_MSG_DELTABLE, NFPROTO_INET, "lbd", "");
	message(NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWGEN, NFPROTO_INET, "", "");
	assert_true(watch_concerns(bytes, len));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
