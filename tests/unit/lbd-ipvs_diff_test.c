/* Differences between tables: the operations and their order (S089: nothing that stays is deleted), what a mirror is after
 * them, and what people are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "ipvs_text.h"

#include <errno.h>

#define WEB "TCP 10.0.0.1:80 wlc"
#define A "10.0.0.11:80 100"
#define B "10.0.0.12:80 100"

static const struct {
	const char *why, *want, *have, *ops;
} rows[] = {
	{ "nothing", "", "", "" },
	{ "as it should be", WEB " = " A ", " B, WEB " = " B ", " A, "" },
	{ "a new service", WEB " = " A, "", "+TCP 10.0.0.1:80 +10.0.0.11:80" },
	{ "a service goes", "", WEB " = " A, "-TCP 10.0.0.1:80" },
	{ "somebody else's stays", "", "TCP 192.0.2.1:80 rr = " A, "" },
	{ "a weight", WEB " = 10.0.0.11:80 50", WEB " = " A, "~10.0.0.11:80" },
	{ "servers come before others change and go", WEB " = 10.0.0.11:80 1, 10.0.0.13:80 100",
	    WEB " = " A ", " B, "+10.0.0.13:80 ~10.0.0.11:80 -10.0.0.12:80" },
	{ "the scheduler in place, connections live on", "TCP 10.0.0.1:80 rr = " A, WEB " = " A,
	    "~TCP 10.0.0.1:80" },
	{ "persistence in place", WEB " persist:300/32 = " A, WEB " = " A, "~TCP 10.0.0.1:80" },
	{ "its mask in place", WEB " persist:300/24 = " A, WEB " persist:300/32 = " A,
	    "~TCP 10.0.0.1:80" },
	{ "a mask without persistence is nothing", WEB " = " A, "TCP 10.0.0.1:80 wlc = " A, "" },
	{ "its engine in place", "UDP 10.0.0.1:5060 rr persist:60/32 pe:sip",
	    "UDP 10.0.0.1:5060 rr persist:60/32", "~UDP 10.0.0.1:5060" },
	{ "flags of the scheduler", "TCP 10.0.0.1:80 sh fallback port", "TCP 10.0.0.1:80 sh port",
	    "~TCP 10.0.0.1:80" },
	{ "another way of forwarding", WEB " = " A " tun", WEB " = " A, "~10.0.0.11:80" },
	{ "another tunnel", WEB " = " A " gue:6080", WEB " = " A " tun", "~10.0.0.11:80" },
	{ "another port of it", WEB " = " A " gue:6080", WEB " = " A " gue:6081", "~10.0.0.11:80" },
	{ "limits", WEB " = " A " up:10 low:5", WEB " = " A, "~10.0.0.11:80" },
	{ "another protocol is another service", "UDP 10.0.0.1:80 wlc = " A, WEB " = " A,
	    "+UDP 10.0.0.1:80 +10.0.0.11:80 -TCP 10.0.0.1:80" },
	{ "a mark is known by its family too", "FWM 268435460 IPv4 rr; FWM 268435460 IPv6 rr",
	    "FWM 268435460 IPv4 rr", "+FWM 268435460 IPv6" },
	{ "a server of the other family", "TCP [fd00::1]:80 rr = 10.0.0.11:80 1 tun",
	    "TCP [fd00::1]:80 rr", "+10.0.0.11:80" },
	{ "deletions come last", "TCP 10.0.0.2:80 rr", WEB, "+TCP 10.0.0.2:80 -TCP 10.0.0.1:80" },
};

/* Those below 192.0.2.0 are somebody else's. */
static bool
mine(void *arg, const struct ipvs_key *k)
{
	(void)arg;
	return k->mark != 0 || k->addr.b[0] != 192;
}

static void
test_diff_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ipvs_table want = text_table(rows[i].want), have = text_table(rows[i].have);
		struct ipvs_ops ops = { 0 };
		struct buf b = { 0 };

		diff_table(&want, &have, mine, NULL, &ops);
		text_ops(&ops, &b);
		if (strcmp(buf_text(&b), rows[i].ops) != 0)
			fail_msg("%s: %s", rows[i].why, buf_text(&b));
		/* Done, it is as it should be. */
		diff_apply(&have, &ops);
		ops_fini(&ops);
		diff_table(&want, &have, mine, NULL, &ops);
		if (ops.n != 0)
			fail_msg("%s: not done after it was done", rows[i].why);
		ops_fini(&ops);
		buf_fini(&b);
		table_fini(&want);
		table_fini(&have);
	}
}

/* What was refused is not in the mirror, and what it counted stays. */
static void
test_apply_refused(void **state)
{
	struct ipvs_table want = text_table(WEB " = 10.0.0.11:80 7, 10.0.0.13:80 1;"
						"TCP 10.0.0.2:80 mh = " A ";"
						"TCP 10.0.0.3:80 rr"),
			  have = text_table(WEB " = " A ", " B "; TCP 10.0.0.4:80 rr");
	struct ipvs_ops ops = { 0 };
	struct buf b = { 0 };

	(void)state;
	have.service[0].counts.conns = 5;
	have.service[0].dest[0].active = 3;
	have.service[0].dest[1].active = 4;
	diff_table(&want, &have, mine, NULL, &ops);
	for (uint32_t i = 0; i < ops.n; i++) {
		char name[KEY_TEXT];

		key_format(&ops.op[i].service->key, name);
		if (strcmp(name, "TCP 10.0.0.2:80") == 0)
			ops.op[i].code = ops.op[i].kind == OP_NEW_SERVICE ? -ENOENT : -ESRCH;
		if (ops.op[i].kind == OP_DEL_DEST || ops.op[i].kind == OP_DEL_SERVICE)
			ops.op[i].code = -EPERM;
	}
	diff_apply(&have, &ops);
	assert_int_equal(have.n, 3);
	assert_int_equal(have.service[0].n, 3);
	assert_int_equal(have.service[0].counts.conns, 5);
	assert_int_equal(have.service[0].dest[0].weight, 7);
	assert_int_equal(have.service[0].dest[0].active, 3);
	assert_int_equal(have.service[0].dest[1].active, 4);
	ops_fini(&ops);
	diff_table(&want, &have, mine, NULL, &ops);
	text_ops(&ops, &b);
	assert_string_equal(
	    buf_text(&b), "-10.0.0.12:80 +TCP 10.0.0.2:80 +10.0.0.11:80 -TCP 10.0.0.4:80");
	buf_fini(&b);
	ops_fini(&ops);
	table_fini(&want);
	table_fini(&have);
}

static const struct {
	const char *want, *have, *words;
} said[] = {
	{ WEB " = " A, "", "it was missing" },
	{ "", WEB " = " A, "it should not be there" },
	{ WEB " = " A, WEB " = 10.0.0.11:80 5", "10.0.0.11:80 had weight 5, not 100" },
	{ WEB " = " A, WEB, "10.0.0.11:80 was missing" },
	{ WEB, WEB " = " A, "10.0.0.11:80 was added" },
	{ WEB " = " A, WEB " = " A " gue:6080", "10.0.0.11:80 was Tunnel gue:6080, not Route" },
	{ WEB " = " A " up:9", WEB " = " A, "10.0.0.11:80 had limits 0 and 0, not 9 and 0" },
	{ "TCP 10.0.0.1:80 mh port", "TCP 10.0.0.1:80 sh", "scheduler was sh, not mh (port)" },
	{ WEB " persist:300/32", WEB " persist:60/32", "persistence was 60 s, not 300 s" },
	{ WEB, WEB " persist:60/32", "it was persistent" },
	{ WEB " persist:60/32", WEB, "it was not persistent" },
	{ WEB " persist:60/24", WEB " persist:60/32", "persistence mask differed" },
	{ WEB, WEB " ops", "flags differed" },
	{ WEB,
	    WEB " = 10.0.0.11:80 1, 10.0.0.12:80 1, 10.0.0.13:80 1, 10.0.0.14:80 1, 10.0.0.15:80 1",
	    "10.0.0.11:80 was added, 10.0.0.12:80 was added, 10.0.0.13:80 was added and 2 more" },
};

static void
test_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		struct ipvs_table want = text_table(said[i].want), have = text_table(said[i].have);
		struct ipvs_ops ops = { 0 };
		struct buf b = { 0 };

		diff_table(&want, &have, mine, NULL, &ops);
		diff_say(ops.op, ops.n, have.n != 0 ? have.service : NULL, &b);
		assert_string_equal(buf_text(&b), said[i].words);
		buf_fini(&b);
		ops_fini(&ops);
		table_fini(&want);
		table_fini(&have);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_diff_table),
		cmocka_unit_test(test_apply_refused),
		cmocka_unit_test(test_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
