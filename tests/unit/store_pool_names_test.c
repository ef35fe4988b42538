/* Names of pools in maps: which commits are refused for one that there is none of, and when nobody has to be asked. */
#include "store_help.h"

#include "store/pool_names.h"

/* What is behind the entries of a list, by the first digit of its content; "?" is known to nobody. */
static const char *const contents[] = { "k1\0a\0k2\0b\0", "k1\0a\0k3\0gone\0k4\0none\0", "k1\0\0",
	"?", "k1\0front\0" };
static const size_t sizes[] = { 10, 21, 4, 1, 9 };
static unsigned asked;

static int
values(void *arg, const char *list, const char *content, struct buf *out)
{
	unsigned i = (unsigned)(content[0] - '0');

	assert_ptr_equal(arg, &asked);
	assert_true(list[0] == 'm' || list[0] == 'n');
	asked++;
	if (contents[i][0] == '?')
		return ERR_AWAY;
	buf_put(out, contents[i], sizes[i]);
	return 0;
}

#define C(digit)                                                                           \
	"content=" digit "000000000000000000000000000000000000000000000000000000000000000" \
	" entries=1"
#define POOLS "create vip a; create vip b; create list m kind=suffix; create list n kind=suffix; "
#define FRONT "create vip front address=192.0.2.1 ports=80; "
#define RULE "create rule front/r action=use pool_by={value} when=host~in~@m"
#define M_A "entry k1 of list m has \"a\", by which rule front/r chooses a pool"
#define MODE ": allowed are names of virtual services without address of mode http"

static const struct {
	const char *first, *then; /* NULL: first alone */
	const char *says;	  /* of the last; NULL: allowed */
	unsigned asked;		  /* for it */
} rows[] = {
	{ POOLS FRONT RULE, "set list m " C("0"), NULL, 1 },
	{ POOLS FRONT RULE, "set list m " C("1"),
	    "list m: content: entry k3 of list m has \"gone\", by which rule front/r chooses a pool, and 1 more" MODE,
	    1 },
	{ POOLS FRONT RULE, "set list m " C("2"),
	    "list m: content: entry k1 of list m has no name, by", 1 },
	{ POOLS FRONT RULE, "set list m " C("3"), NULL, 1 }, /* nobody knows */
	{ POOLS FRONT RULE, "set list m " C("4"), "has \"front\"", 1 },
	{ POOLS FRONT RULE, "set list n " C("1"), NULL, 0 }, /* no rule's */
	{ POOLS FRONT RULE "; set list m " C("0"), "set list m comment=x", NULL, 0 },
	{ POOLS FRONT RULE "; set list m " C("0"), "set list m content= entries=0", NULL, 0 },
	/* rules */
	{ POOLS FRONT "set list m " C("1"), RULE,
	    "rule front/r: pool_by: entry k3 of list m has \"gone\"", 1 },
	{ POOLS FRONT "set list m " C("0"), RULE, NULL, 1 },
	{ POOLS FRONT "set list m " C("0") "; " RULE, "set rule front/r pool_by=x{value}",
	    "rule front/r: pool_by: entry k1 of list m has \"xa\"", 1 },
	{ POOLS FRONT "set list m " C("0") "; " RULE, "set rule front/r pool_by={host}{value}",
	    NULL, 0 },
	{ POOLS FRONT "set list m " C("0") "; set list n " C("1") "; " RULE,
	    "set rule front/r when=host~in~@n", "entry k3 of list n has \"gone\"", 1 },
	{ POOLS FRONT "set list m " C("0") "; " RULE, "set rule front/r comment=x", NULL, 0 },
	{ POOLS FRONT "set list m " C("0") "; " RULE, "set rule front/r enabled=no", NULL, 0 },
	{ POOLS FRONT "set list m " C("1"),
	    "create rule front/r action=use pool_by={host} when=host~in~@m", NULL, 0 },
	/* pools */
	{ POOLS FRONT "set list m " C("0") "; " RULE, "delete vip a",
	    "rule front/r: pool_by: " M_A MODE, 1 },
	{ POOLS FRONT "set list m " C("0") "; " RULE, "rename vip a c", M_A, 1 },
	{ POOLS FRONT "set list m " C("0") "; " RULE, "set vip a address=192.0.2.2 ports=80", M_A,
	    1 },
	{ POOLS FRONT "set list m " C("0") "; " RULE, "set vip a mode=tcp", M_A, 1 },
	{ POOLS FRONT "set list m " C("0") "; " RULE, "set vip a enabled=no", NULL, 0 },
	{ POOLS FRONT "set list m " C("0") "; " RULE "; create vip c", "delete vip c", NULL, 1 },
	{ POOLS FRONT "set list m " C("0") "; " RULE, "create vip c", NULL, 0 },
	{ POOLS FRONT "set list m " C("0") "; " RULE, "cascade vip front; delete vip a", NULL, 0 },
	{ POOLS FRONT "set list m " C("0") "; " RULE, "delete vip a; set list m content= entries=0",
	    NULL, 0 },
	/* the value is that of the last list that is found where the condition holds */
	{ POOLS FRONT "set list m " C("0") "; set list n " C("1"),
	    "create rule front/r action=use pool_by={value} when=host~in~@n~and~host~in~@m", NULL,
	    1 },
	{ POOLS FRONT "set list m " C("0") "; set list n " C("1"),
	    "create rule front/r action=use pool_by={value} when=host~in~@m~and~host~in~@n",
	    "list n has \"gone\"", 1 },
	{ POOLS FRONT "set list m " C("0") "; set list n " C("1"),
	    "create rule front/r action=use pool_by={value} when=host~in~@m~or~host~in~@n",
	    "list n has \"gone\"", 2 },
	{ POOLS FRONT "set list m " C("0") "; set list n " C("1"),
	    "create rule front/r action=use pool_by={value} when=host~in~@m~and~not~host~in~@n",
	    NULL, 1 },
	{ POOLS FRONT "set list m " C("0") "; set list n " C("1"),
	    "create rule front/r action=use pool_by={value} when=host~in~@m,@n",
	    "list n has \"gone\"", 2 },
	{ POOLS FRONT "set list m " C("0") "; set list n " C("1"),
	    "create rule front/r action=use pool_by={value} when=host~in~@m~and~(path~is~/a~or~host~in~@n)",
	    "list n has \"gone\"", 2 },
	/* one question for two rules */
	{ POOLS FRONT RULE
	    "; create rule front/s action=use pool_by={value} when=host~in~@m~and~path~is~/s order=9",
	    "set list m " C("0"), NULL, 1 },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc;

		assert_int_equal(open_store(state), 0);
		assert_good(edit(rows[i].first)); /* nobody looks */
		store_set_values(st, values, &asked);
		asked = 0;
		err = (struct err){ 0 };
		rc = edit(rows[i].then);
		if (rc != (rows[i].says != NULL ? ERR_INVALID : 0) ||
		    (rows[i].says != NULL && strstr(err.text, rows[i].says) == NULL) ||
		    asked != rows[i].asked)
			fail_msg("%s; then %s: %d, asked %u: %s", rows[i].first, rows[i].then, rc,
			    asked, err.text);
		drop_dir(state);
	}
}

/* A fault that is there already is not the next commit's. */
static void
test_not_ours(void **state)
{
	(void)state;
	assert_good(edit(POOLS FRONT "set list m " C("1") "; " RULE));
	store_set_values(st, values, &asked);
	assert_good(edit("delete vip b"));
	assert_good(edit("set rule front/r comment=x"));
	assert_bad(edit("delete vip a"), ERR_INVALID, M_A MODE);
	store_set_values(st, NULL, NULL);
	assert_good(edit("delete vip a"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test_setup_teardown(test_not_ours, open_store, drop_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
