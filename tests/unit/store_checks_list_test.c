/* Lists, and conditions of content rules that name them or count, as a table: what is refused, what is close to it and fine. */
#include "checks_help.h"

#define V "create vip v address=10.0.0.1 ports=80"
#define L "; create list a kind=address; create list w kind=word; create list n kind=suffix"
#define R "create rule v/r action=deny when="
#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct rule rows[] = {
	{ NULL, "create list a content=" HEX " entries=3", NULL },
	{ NULL, "create list a content=abc", "list a: content: \"abc\" is no SHA-256" },
	{ NULL, "create list a entries=3",
	    "list a: entries: 3 is not allowed while content is empty: allowed is 0" },
	{ "create list a content=" HEX " entries=3", "set list a kind=word",
	    "list a: kind: the entries are of kind address" },
	{ "create list a content=" HEX " entries=3", "set list a kind=word content= entries=0",
	    NULL },
	{ "create list a", "set list a kind=word", NULL },
	{ V L, R "src~in~@a", NULL },
	{ V L, R "host~in~@n~and~path~in~@w", NULL },
	{ V L, R "header(X)~in~@n", NULL },
	{ V L, R "src~in~@x", "rule v/r: when: @x: there is no list of that name" },
	{ V L, R "src~in~10.0.0.1,~@w",
	    "rule v/r: when: @w: is a list of kind word, where src is not looked up; allowed are those of "
	    "kind address" },
	{ V L, R "host~in~@w", "allowed are those of kind word_nocase, suffix" },
	{ V L, R "path~in~@a", "allowed are those of kind word, word_nocase, prefix, suffix" },
	{ V L "; " R "src~in~@a", "delete list a", "rule v/r: when: @a: there is no list" },
	{ V L "; " R "src~in~@a", "set list a kind=word",
	    "rule v/r: when: @a: is a list of kind word" },
	{ V L, R "rate(requests,~src,~10s)~>~100~or~conns(src)~>~5 status=429", NULL },
	{ V L, R "rate(requests,~src,~10x)~>~100",
	    "rule v/r: when: column 21: \"10x\" has no place" },
	{ V L,
	    R "rate(requests,src,1s)>1~or~rate(requests,src,2s)>1~or~rate(requests,src,3s)>1~or~"
	      "rate(requests,src,4s)>1~or~rate(requests,src,5s)>1~or~rate(requests,src,6s)>1~or~"
	      "rate(requests,src,7s)>1~or~rate(requests,src,8s)>1~or~rate(requests,src,9s)>1~or~"
	      "rate(requests,src,10s)>1~or~rate(requests,src,11s)>1~or~rate(requests,src,12s)>1~or~"
	      "rate(requests,src,13s)>1~or~rate(requests,src,14s)>1~or~rate(requests,src,15s)>1~or~"
	      "rate(requests,src,16s)>1~or~rate(requests,src,1s)>2",
	    NULL },
	{ V L,
	    R "rate(requests,src,1s)>1~or~rate(requests,src,2s)>1~or~rate(requests,src,3s)>1~or~"
	      "rate(requests,src,4s)>1~or~rate(requests,src,5s)>1~or~rate(requests,src,6s)>1~or~"
	      "rate(requests,src,7s)>1~or~rate(requests,src,8s)>1~or~rate(requests,src,9s)>1~or~"
	      "rate(requests,src,10s)>1~or~rate(requests,src,11s)>1~or~rate(requests,src,12s)>1~or~"
	      "rate(requests,src,13s)>1~or~rate(requests,src,14s)>1~or~rate(requests,src,15s)>1~or~"
	      "rate(requests,src,16s)>1~or~conns(src)>2",
	    "more than 16 different rate(...) and conns(...)" },
};

static void
test_rows(void **state)
{
	(void)state;
	run_rules(rows, ARRAY_LEN(rows));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rows, open_store, drop_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
