/* From roles in the pair to what the packet path needs to know of the other node, and for how long. */
#include "lbd-ipvs/duo.h"
#include "store_help.h"

static const struct {
	const char *why, *edit;
	bool paired;
	struct duo_group one, two;
	bool lent[2];
	dur_t next;
	const char *at6; /* the other node's */
} rows[] = {
	{ "alone", NULL, false, { true, true, false, 0 }, { 0 }, { false, false }, 0, NULL },
	{ "no role was told", NULL, true, { 0 }, { 0 }, { false, false }, 0, NULL },
	{ "one group here, one there", NULL, true, { true, true, false, 0 },
	    { true, false, false, 0 }, { false, true }, 0, NULL },
	{ "given a moment ago", NULL, true, { true, true, true, DUR_S(95) }, { 0 }, { true, false },
	    DUR_S(55), NULL },
	{ "given long ago", NULL, true, { true, true, true, DUR_S(40) }, { 0 }, { false, false }, 0,
	    NULL },
	{ "both given: the first that ends", NULL, true, { true, true, true, DUR_S(95) },
	    { true, true, true, DUR_S(90) }, { true, true }, DUR_S(50), NULL },
	{ "taken from a node that is lost", NULL, true, { true, true, false, DUR_S(95) }, { 0 },
	    { false, false }, 0, NULL },
	{ "another time", "set setting main ha_keep=10s", true, { true, true, true, DUR_S(95) },
	    { 0 }, { true, false }, DUR_S(5), NULL },
	{ "never", "set setting main ha_keep=0s", true, { true, true, true, DUR_S(95) },
	    { true, false, false, 0 }, { false, false }, 0, NULL },
	{ "an address of the other family is that of a carrier", "create carrier six peer=fd00::2",
	    true, { true, false, false, 0 }, { 0 }, { true, false }, 0, "fd00::2" },
	{ "but for one that is disabled", "create carrier six peer=fd00::2 enabled=no", true,
	    { true, false, false, 0 }, { 0 }, { true, false }, 0, NULL },
};

static void
test_pair(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct duo u = { .cluster = rows[i].paired, .group = { rows[i].one, rows[i].two } };
		struct packet_pair is;
		struct snapshot *s;
		struct addr six = { 0 };

		assert_int_equal(open_store(state), 0);
		assert_int_equal(addr_parse("10.0.0.2", ADDR_HOST, &u.at[0]), 0);
		if (rows[i].at6 != NULL)
			assert_int_equal(addr_parse(rows[i].at6, ADDR_HOST, &six), 0);
		if (rows[i].edit != NULL)
			assert_good(edit(rows[i].edit));
		s = look();
		if (duo_pair(&u, s, DUR_S(100), &is) != rows[i].next ||
		    is.lent[0] != rows[i].lent[0] || is.lent[1] != rows[i].lent[1])
			fail_msg("%s", rows[i].why);
		assert_int_equal(is.peer[0].family, rows[i].paired ? 4 : 0);
		assert_memory_equal(&is.peer[1], &six, sizeof(six));
		snapshot_unref(s);
		(void)drop_dir(state);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_pair) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
