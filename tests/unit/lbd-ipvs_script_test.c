/* From one script for nft to the next, and what nft says of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/must.h"
#include "lbd-ipvs/packet/script.h"

#include <string.h>

#define NEW SCRIPT_NO_TABLE
#define HEAD                                         \
	"add table inet lbd\nflush table inet lbd\n" \
	"add table ip lbd\ndelete table ip lbd\n"    \
	"add table ip6 lbd\ndelete table ip6 lbd\n"
#define A "add chain inet lbd a\n"
#define MAP(name) "add map inet lbd " name " { type mark : verdict; }\n"
#define SET(name) "add set inet lbd " name " { type mark; }\n"
#define ADD(name, elements) "add element inet lbd " name " {\n" elements "}\n"
#define DEL(name, elements) "delete element inet lbd " name " {\n" elements "}\n"

static const struct {
	const char *why, *text, *have, *prev, *script;
} rows[] = {
	{ "nothing is known", HEAD A, NULL, NULL, NEW HEAD A },
	{ "nothing is wanted", "", "chain a\n", HEAD A, NEW },
	{ "the first", HEAD A MAP("m") ADD("m", "\t1 : jump a,\n\t2 : jump a\n"), "", NULL,
	    HEAD A MAP("m") ADD("m", "\t1 : jump a,\n\t2 : jump a\n") },
	{ "what packets fill stays", HEAD A SET("s"), "chain a\nset s\n", NULL, HEAD A SET("s") },
	{ "stale ones go: maps, which hold chains, then chains, then what rules held",
	    HEAD MAP("m"), "chain a\nchain ab\ncounter c\nmap m\nmap n\nset s\n", NULL,
	    HEAD "delete map inet lbd n\ndelete chain inet lbd a\ndelete chain inet lbd ab\n"
		 "delete set inet lbd s\ndelete counter inet lbd c\n" MAP("m") },
	{ "content that is not known is made again", HEAD MAP("m") ADD("m", "\t1 : drop\n"),
	    "map m\nset cut\n", NULL,
	    HEAD "delete map inet lbd m\ndelete set inet lbd cut\n" MAP("m")
		ADD("m", "\t1 : drop\n") },
	{ "elements only: what went, what came, what changed",
	    HEAD MAP("m") ADD("m", "\t1 : drop,\n\t2 : accept,\n\t4 : drop\n") A,
	    "chain a\nmap m\n", HEAD MAP("m") ADD("m", "\t1 : drop,\n\t2 : drop,\n\t3 : drop\n") A,
	    DEL("m", "\t2 : drop,\n\t3 : drop\n") ADD("m", "\t2 : accept,\n\t4 : drop\n") },
	{ "elements in another order are the same",
	    HEAD MAP("m") ADD("m", "\t2 : drop,\n\t1 : drop\n"), "map m\n",
	    HEAD MAP("m") ADD("m", "\t1 : drop,\n\t2 : drop\n"), "" },
	{ "rules too: elements that hold a chain go before it",
	    HEAD MAP("m") ADD("m", "\t1 : drop\n"), "chain a\nmap m\n",
	    HEAD A MAP("m") ADD("m", "\t1 : drop,\n\t2 : jump a\n"),
	    HEAD DEL("m", "\t2 : jump a\n") "delete chain inet lbd a\n" },
	{ "a set is made again", HEAD SET("s") ADD("s", "\t1,\n\t2\n"), "set s\n",
	    HEAD SET("s") ADD("s", "\t1,\n\t3\n"),
	    HEAD "delete set inet lbd s\n" SET("s") ADD("s", "\t1,\n\t2\n") },
	{ "but not when it is as it was",
	    HEAD SET("s") ADD("s", "\t1\n") MAP("m") ADD("m", "\t1 : drop\n"), "map m\nset s\n",
	    HEAD SET("s") ADD("s", "\t1\n") MAP("m") ADD("m", "\t2 : drop\n"),
	    DEL("m", "\t2 : drop\n") ADD("m", "\t1 : drop\n") },
	{ "a map that is new", HEAD A MAP("m") ADD("m", "\t1 : jump a\n"), "chain a\n", HEAD A,
	    HEAD A MAP("m") ADD("m", "\t1 : jump a\n") },
	{ "a map that is none any more", HEAD A, "chain a\nmap m\n",
	    HEAD A MAP("m") ADD("m", "\t1 : jump a\n"), HEAD "delete map inet lbd m\n" A },
};

static void
test_next(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = { 0 };

		script_next(rows[i].text, rows[i].have, rows[i].prev, &out);
		if (strcmp(buf_text(&out), rows[i].script) != 0)
			fail_msg("%s:\n%swanted\n%s", rows[i].why, buf_text(&out), rows[i].script);
		buf_fini(&out);
	}
}

static char *
many(unsigned from, unsigned to)
{
	struct buf b = { 0 };
	char *text;

	buf_puts(&b, HEAD MAP("m") "add element inet lbd m {\n");
	for (unsigned i = from; i < to; i++)
		buf_printf(&b, "\t%u : drop%s\n", i, i + 1 < to ? "," : "");
	buf_puts(&b, "}\n");
	text = mem_text(buf_text(&b));
	buf_fini(&b);
	return text;
}

/* Few of many go one by one; many of them with their map, which is faster. */
static void
test_many_go(void **state)
{
	char *all = many(0, 3200), *most = many(100, 3200), *half = many(1600, 3200);
	struct buf out = { 0 };

	(void)state;
	script_next(most, "map m\n", all, &out);
	assert_non_null(strstr(buf_text(&out), "delete element inet lbd m {\n\t0 : drop,\n"));
	assert_null(strstr(buf_text(&out), "delete map"));
	assert_null(strstr(buf_text(&out), "add "));
	buf_fini(&out);
	script_next(half, "map m\n", all, &out);
	assert_null(strstr(buf_text(&out), "delete element"));
	assert_non_null(strstr(buf_text(&out), HEAD "delete map inet lbd m\nadd map"));
	assert_non_null(strstr(buf_text(&out), "\t1600 : drop"));
	assert_non_null(strstr(buf_text(&out), "\t3199 : drop"));
	assert_null(strstr(buf_text(&out), "\t1599 : drop"));
	buf_fini(&out);
	free(all);
	free(most);
	free(half);
}

static void
test_names(void **state)
{
	struct buf made = { 0 }, shown = { 0 };

	(void)state;
	script_names(
	    HEAD SET("s") ADD("s",
		"\t1\n") "add counter inet lbd c\n"
			 "add chain inet lbd b { type filter hook input priority 0; }\nadd rule inet lbd b drop\n" MAP(
			     "m"),
	    &made);
	assert_string_equal(buf_text(&made), "chain b\ncounter c\nmap m\nset s\n");
	script_names(
	    "table inet lbd {\n\tcounter c {\n\t\tpackets 0 bytes 0\n\t}\n\n\tset s {\n\t\ttype mark\n\t}\n"
	    "\n\tmap m {\n\t\ttype mark : mark\n\t}\n\n\tchain b {\n\t\ttype filter\n\t\tdrop\n\t}\n}\n",
	    &shown);
	assert_string_equal(buf_text(&shown), buf_text(&made));
	buf_fini(&made);
	buf_fini(&shown);
}

static void
test_fault(void **state)
{
	static const struct {
		const char *text, *line;
	} said[] = {
		{ "/dev/stdin:3:1-9: Error: Could not process rule: No such file or directory\nadd rule inet lbd x "
		  "drop\n^^^^\n",
		    "nft: Could not process rule: No such file or directory (add rule inet lbd x drop)" },
		{ "Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed: Operation "
		  "not permitted\n",
		    "nft: cache initialization failed: Operation not permitted" },
		{ "boom\nbang\n", "nft: boom" },
		{ "", "nft failed without a word" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(said); i++) {
		char out[200];

		script_fault(said[i].text, out, sizeof(out));
		assert_string_equal(out, said[i].line);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_many_go),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
