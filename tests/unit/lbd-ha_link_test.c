/* Interfaces as the kernel tells of them. */
#include "core/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <string.h>

struct packet {
	union {
		struct nlmsghdr h;
		char bytes[1024];
	};
	size_t len;
};

static void
add(struct packet *p, uint16_t type, int index, unsigned flags)
{
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)(p->bytes + p->len);
	struct ifinfomsg m = { .ifi_index = index, .ifi_flags = flags };

	*h = (struct nlmsghdr){ .nlmsg_len = NLMSG_LENGTH(sizeof(m)), .nlmsg_type = type };
	memcpy(NLMSG_DATA(h), &m, sizeof(m));
	p->len += NLMSG_ALIGN(h->nlmsg_len);
}

static void
test_link_up_and_down(void **state)
{
	static const struct {
		uint16_t type;
		unsigned flags;
		bool up, changed;
	} rows[] = {
		{ RTM_NEWLINK, IFF_UP, false, false }, /* no carrier */
		{ RTM_NEWLINK, IFF_UP | IFF_LOWER_UP, true, true },
		{ RTM_NEWLINK, IFF_UP | IFF_LOWER_UP | IFF_PROMISC, true, false },
		{ RTM_NEWLINK, IFF_LOWER_UP, false, true }, /* switched off */
		{ RTM_NEWLINK, IFF_UP | IFF_LOWER_UP, true, true },
		{ RTM_NEWADDR, 0, true, false }, /* another kind */
		{ RTM_DELLINK, IFF_UP | IFF_LOWER_UP, false, true },
	};
	struct link l = { .fd = -1 };

	(void)state;
	assert_false(link_is_up(&l, 3));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct packet p = { 0 };

		add(&p, rows[i].type, 3, rows[i].flags);
		if (i == 0) { /* the first word of an interface is a change */
			(void)link_parse(&l, p.bytes, p.len);
		} else {
			assert_int_equal(link_parse(&l, p.bytes, p.len), rows[i].changed);
		}
		assert_int_equal(link_is_up(&l, 3), rows[i].up);
	}
}

static void
test_link_several(void **state)
{
	struct link l = { .fd = -1 };
	struct packet p = { 0 };

	(void)state;
	for (int i = 1; i <= 8; i++)
		add(&p, RTM_NEWLINK, i, i % 2 ? IFF_UP | IFF_LOWER_UP : 0);
	assert_true(link_parse(&l, p.bytes, p.len));
	for (int i = 1; i <= 8; i++)
		assert_int_equal(link_is_up(&l, i), i % 2);
	assert_false(link_parse(&l, p.bytes, p.len));
}

static void
test_link_cut_off(void **state)
{
	struct packet p = { 0 };

	(void)state;
	add(&p, RTM_NEWLINK, 1, IFF_UP | IFF_LOWER_UP);
	for (size_t len = 0; len < p.len; len++) {
		struct link l = { .fd = -1 };

		assert_false(link_parse(&l, p.bytes, len));
	}
	p.h.nlmsg_len = NLMSG_LENGTH(4); /* shorter than what it says it is */
	assert_false(link_parse(&(struct link){ .fd = -1 }, p.bytes, p.len));
}

static void
test_link_too_many(void **state)
{
	struct link l = { .fd = -1 };

	(void)state;
	for (int i = 1; i <= LINK_MOST + 9; i++) {
		struct packet p = { 0 };

		add(&p, RTM_NEWLINK, i, IFF_UP | IFF_LOWER_UP);
		(void)link_parse(&l, p.bytes, p.len);
	}
	assert_int_equal(l.n, LINK_MOST);
	assert_true(link_is_up(&l, LINK_MOST));
	assert_false(link_is_up(&l, LINK_MOST + 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link_up_and_down),
		cmocka_unit_test(test_link_several),
		cmocka_unit_test(test_link_cut_off),
		cmocka_unit_test(test_link_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
