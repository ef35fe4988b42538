/* checks_help.h - rules of the whole configuration as a table, on a node with addresses; for store_checks*_test.c. */
#ifndef CHECKS_HELP_H
#define CHECKS_HELP_H

#include "store_help.h"
#include "sys/netlink.h"

struct rule {
	const char *before, *lines;
	const char *words; /* NULL: allowed */
};

static inline void
set_local(void)
{
	static struct iface_addr a[] = { { .name = "lo" }, { .name = "lo" }, { .name = "eth0" },
		{ .name = "eth0", .ours = true }, { .name = "eth0" } };
	static const char *const text[] = { "127.0.0.1/8", "::1/128", "192.168.1.10/24",
		"192.168.1.11/24", "fd00::10/64" };
	struct iface_list l = { ARRAY_LEN(a), a };

	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		assert_int_equal(addr_parse(text[i], ADDR_CIDR, &a[i].addr), 0);
	store_set_local(st, &l);
}

/* Each on a store that is empty again. What is refused leaves no trace. */
static inline void
run_rules(const struct rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct rule *r = &rules[i];
		struct snapshot *s;
		uint32_t head;

		set_local();
		if (r->before != NULL)
			assert_good(edit(r->before));
		head = store_head(st, SCOPE_SHARED);
		if (r->words == NULL) {
			assert_good(edit(r->lines));
		} else {
			if (edit(r->lines) == 0)
				fail_msg("taken: %s", r->lines);
			assert_bad(edit(r->lines), ERR_INVALID, r->words);
			assert_int_equal(store_head(st, SCOPE_SHARED), head);
		}
		assert_good(store_rollback(st, SCOPE_SHARED, 1, &by_test, NULL, &err));
		assert_good(store_rollback(st, SCOPE_LOCAL, 1, &by_test, NULL, &err));
		s = look();
		assert_int_equal(snapshot_count(s, KIND_service), 0);
		snapshot_unref(s);
	}
}

#endif
