/* The decision of content rules without a socket: order, pools by name, what is counted and when counts are kept, and trials, which
 * decide the same and count nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "schema/value.h"
#include "net/worker.h"
#include "rules/decide.h"
#include "rules/trial.h"

#define ROWS 4

static struct arena *arena;
static struct rules_scratch *scratch;
static struct service of = { .name = "web", .mode = mode_http };
static struct content_rule row[ROWS];
static const void *rows[ROWS];
static struct rules_pool none[ROWS], named[3];
static struct svc *svc, *pool[3];
static struct rules_env env;

static int
set_up(void **state)
{
	static const char *const names[] = { "pool-a", "pool-b", "pool-bb" };

	(void)state;
	arena = arena_new(4096);
	scratch = rules_scratch_new();
	svc = svc_new(1, 2);
	for (unsigned i = 0; i < 3; i++) {
		pool[i] = svc_new(10 + i, 2);
		named[i] = (struct rules_pool){ pool[i], names[i] };
	}
	for (unsigned i = 0; i < ROWS; i++) {
		static char name[ROWS][8];

		object_defaults(object_of(KIND_content_rule), arena, &row[i]);
		(void)snprintf(name[i], sizeof(name[i]), "r%u", i);
		row[i].name = name[i];
		row[i].id = 100 + i;
		row[i].action = rule_action_set_header;
		row[i].header = "X";
		row[i].value = name[i];
		rows[i] = &row[i];
		none[i] = (struct rules_pool){ NULL, NULL };
	}
	env = (struct rules_env){ .svc = svc, .named = named, .named_n = 3 };
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		svc_unref(pool[i]);
	svc_unref(svc);
	rules_scratch_free(scratch);
	arena_unref(arena);
	return 0;
}

/* One request of worker 1. */
static void
decide(const struct rules *x, const char *text, struct decision *d)
{
	static struct conn client;
	const struct decide_note note = { .worker = 1 };
	struct edit e = { .w = scratch, .buf = text };
	struct h1_head head;

	h1_head_init(&head, false, 65536);
	assert_int_equal(h1_head_parse(&head, text, strlen(text)), H1_DONE);
	e.head = &head;
	subject_request(&e.s, &client, text, &head);
	edit_begin(&e);
	decide_request(x, &e, &note, d);
}

static void
counts(const struct rules *x, unsigned i, uint64_t held, uint64_t unknown)
{
	struct rule_counts n;

	rule_hits_sum(x->request[i].hits, &n);
	assert_int_equal(n.held, held);
	assert_int_equal(n.unknown, unknown);
}

static void
test_pool_by(void **state)
{
	static const struct {
		const char *to;
		int pool; /* of named; -1: the default; -2: the rule does not hold */
		bool unknown;
	} cases[] = {
		{ "a", 0, false },
		{ "b", 1, false },
		{ "bb", 2, false },
		{ "B", -1, true },
		{ "", -1, true },
		{ "bbb", -1, true },
		{ "a\tb", -1, true },
	};
	struct decision d;

	(void)state;
	row[0].action = rule_action_use;
	row[0].header = row[0].value = "";
	row[0].pool_by = "pool-{header(To)}";
	row[1].action = rule_action_deny;
	for (unsigned with = 0; with < 2; with++) { /* with a default, and without */
		struct rules *x;

		none[0] =
		    with == 0 ? (struct rules_pool){ svc, "other" } : (struct rules_pool){ 0 };
		x = rules_new(&of, rows, 2, none, &env, NULL);
		for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
			char text[200];
			bool holds = with == 0 || cases[i].pool >= 0;

			(void)snprintf(text, sizeof(text),
			    "GET / HTTP/1.1\r\nHost: a\r\nTo: %s\r\n\r\n", cases[i].to);
			decide(x, text, &d);
			assert_ptr_equal(d.end, &x->request[holds ? 0 : 1]);
			if (cases[i].pool >= 0)
				assert_ptr_equal(d.pool.svc, pool[cases[i].pool]);
			else
				assert_ptr_equal(d.pool.svc, with == 0 ? svc : NULL);
		}
		counts(x, 0, with == 0 ? 7 : 3, 4);
		counts(x, 1, with == 0 ? 0 : 4, 0);
		rules_unref(x);
	}
}

static void
test_counts_are_kept(void **state)
{
	struct rules *x = rules_new(&of, rows, 3, none, &env, NULL), *y, *z;
	struct decision d;

	(void)state;
	decide(x, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &d);
	decide(x, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &d);
	counts(x, 0, 2, 0);
	assert_ptr_equal(rules_new(&of, rows, 3, none, &env, x), x); /* nothing differs */
	rules_unref(x);
	row[1].value = "other";
	y = rules_new(&of, rows, 4, none, &env, x); /* one is changed, one is new */
	assert_ptr_not_equal(x, y);
	decide(x, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &d); /* by a worker that has not heard yet */
	rules_unref(x);
	decide(y, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &d);
	counts(y, 0, 4, 0);
	counts(y, 1, 4, 0);
	counts(y, 3, 1, 0);
	rule_hits_flush(y->request[0].hits);
	counts(y, 0, 0, 0);
	row[0].enabled = false;
	z = rules_new(&of, rows, 4, none, &env, y);
	rules_unref(y);
	assert_int_equal(z->requests, 3);
	counts(z, 0, 4, 0);
	rules_unref(z);
}

/* ---- trials ------------------------------------------------------------------------------------- */

static char said[1000];

static void
on_said(void *arg, uint32_t rule, const char *what, const char *text, size_t len)
{
	size_t n = strlen(said);

	(void)arg;
	(void)snprintf(
	    said + n, sizeof(said) - n, "%u %s=%.*s;", (unsigned)rule, what, (int)len, text);
}

static void
test_trial(void **state)
{
	static const struct {
		struct trial t;
		const char *said; /* NULL: refused */
	} cases[] = {
		{ { .method = "", .url = "", .headers = "", .sni = "", .alpn = "" },
		    "100 set_header=X: r0;0 action=allow;0 pool=web;0 header=X: r0;" },
		{ { .method = "",
		      .url = "https://h.example/x",
		      .headers = "x: 1\r\n",
		      .sni = "",
		      .alpn = "" },
		    "100 set_header=X: r0;102 set_header=X: r2;0 action=allow;0 pool=web;0 cut=x: 1;0 header=X: r2;" },
		{ { .method = "PUT",
		      .url = "/d",
		      .headers = "",
		      .sni = "",
		      .alpn = "",
		      .body = "b",
		      .body_len = 1 },
		    "100 set_header=X: r0;101 deny=;0 action=deny;0 status=403;" },
		{ { .method = "GET",
		      .url = "/",
		      .headers = "A: 1\r\n\r\nB: 2\r\n",
		      .sni = "",
		      .alpn = "" },
		    NULL },
		{ { .method = "GET",
		      .url = "/",
		      .headers = "Content-Length: x\r\n",
		      .sni = "",
		      .alpn = "" },
		    NULL },
		{ { .method = "GET\r\nX:", .url = "/", .headers = "", .sni = "", .alpn = "" },
		    NULL },
	};
	struct view v = { .svc = svc, .name = "web", .mode = mode_http, .head_max = 16384 };
	struct err err;

	(void)state;
	row[1].action = rule_action_deny;
	row[1].header = row[1].value = "";
	row[1].when = "method is PUT and body is b";
	row[2].when = "host is h.example and sni is h.example and scheme is https";
	v.rules = rules_new(&of, rows, 3, none, &env, NULL);
	must(addr_parse("192.0.2.1", ADDR_HOST, &v.address) == 0);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct trial t = cases[i].t;
		int rc;

		said[0] = '\0';
		t.client = v.address;
		rc = trial_run(&v, &t, 1, on_said, NULL, &err);
		assert_int_equal(rc, cases[i].said == NULL ? ERR_INVALID : 0);
		if (rc == 0)
			assert_string_equal(said, cases[i].said);
	}
	for (unsigned i = 0; i < 3; i++)
		counts(v.rules, i, 0, 0);
	rules_unref(v.rules);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pool_by, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_counts_are_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_trial, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
