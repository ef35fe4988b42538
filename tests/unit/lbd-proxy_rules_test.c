/* Content rules on heads without a socket: what actions make of a head and of a target, fields of conditions, and the beginning of
 * TLS, whole, cut short and forged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "http/http_msg.h"
#include "rules/edit.h"
#include "rules/hello.h"

static struct arena *arena;
static struct rules_scratch *scratch;
static struct conn client;

/* ---- heads ------------------------------------------------------------------------------------ */

struct action {
	uint8_t action, part;
	const char *when, *header, *value, *pattern;
};

static unsigned
apply(struct edit *e, const struct action *a)
{
	struct rule r = { .action = a->action,
		.part = a->part,
		.header = a->header != NULL ? a->header : "",
		.header_len = a->header != NULL ? (uint8_t)strlen(a->header) : 0 };
	struct when_groups g = { 0 };
	unsigned status = 0;

	assert_int_equal(
	    when_parse(a->when != NULL ? a->when : "", W_REQUEST, false, arena, &r.when, NULL), 0);
	assert_int_equal(rule_text_parse(a->value != NULL ? a->value : "", W_REQUEST,
			     PATTERN_GROUPS, arena, &r.text, NULL),
	    0);
	if (a->pattern != NULL)
		r.pattern = pattern_new(a->pattern, strlen(a->pattern), true, NULL);
	if (when_test(&r.when, subject_get, &e->s, scratch->match, &g))
		status = edit_apply(e, &r, &g);
	when_fini(&r.when);
	pattern_free(r.pattern);
	return status;
}

#define HOST "Host: a.example.org\r\n"
#define SET rule_action_set_header
#define ADD rule_action_add_header
#define DEL rule_action_del_header
#define REP rule_action_replace_header
#define REW rule_action_rewrite

static void
test_heads(void **state)
{
	static const struct {
		const char *in, *out; /* out NULL: refused with status */
		unsigned status;
		struct action action[4];
	} rows[] = {
		{ "GET / HTTP/1.1\r\n" HOST "A: 1\r\na: 2\r\nB: 3\r\n\r\n",
		    "GET / HTTP/1.1\r\n" HOST "B: 3\r\nA: x\r\n\r\n", 0,
		    { { SET, 0, NULL, "A", "x", NULL } } },
		{ "GET / HTTP/1.1\r\n" HOST "A: 1\r\n\r\n",
		    "GET / HTTP/1.1\r\n" HOST "A: 1\r\nA: 2\r\nC: a.example.org\r\n\r\n", 0,
		    { { ADD, 0, NULL, "A", "2", NULL }, { ADD, 0, NULL, "C", "{host}", NULL } } },
		{ "GET / HTTP/1.1\r\nA: 1\r\n" HOST "A: 2\r\n\r\n",
		    "GET / HTTP/1.1\r\n" HOST "\r\n", 0,
		    { { ADD, 0, NULL, "A", "3", NULL }, { DEL, 0, NULL, "a", NULL, NULL } } },
		{ "GET / HTTP/1.1\r\n" HOST "A: one two\r\nA: three\r\n\r\n",
		    "GET / HTTP/1.1\r\n" HOST "A: <o>ne <t>wo\r\nA: <t>hree\r\n\r\n", 0,
		    { { REP, 0, NULL, "A", "<{1}>", "\\b(\\w)" } } },
		{ "GET / HTTP/1.1\r\n" HOST "A: aaa\r\n\r\n",
		    "GET / HTTP/1.1\r\n" HOST "A: -a-a-a-\r\n\r\n", 0,
		    { { REP, 0, NULL, "A", "-", "(?=a|$)" } } },
		{ "GET / HTTP/1.1\r\n" HOST "A: ab\r\n\r\n",
		    "GET / HTTP/1.1\r\n" HOST "A: cd\r\n\r\n", 0,
		    { { REP, 0, NULL, "A", "c", "a" }, { REP, 0, NULL, "A", "d", "b" } } },
		{ "GET / HTTP/1.1\r\n" HOST "A: ab\r\n\r\n", "GET / HTTP/1.1\r\n" HOST "\r\n", 0,
		    { { REP, 0, NULL, "A", "c", "a" }, { DEL, 0, NULL, "A", NULL, NULL } } },
		{ "GET / HTTP/1.1\r\n" HOST "\r\n",
		    "GET / HTTP/1.1\r\nhost: in.example.org:80\r\n\r\n", 0,
		    { { SET, 0, NULL, "host", "in.example.org:80", NULL } } },
		{ "GET / HTTP/1.1\r\n" HOST "X: a b\r\n\r\n", NULL, 400,
		    { { SET, 0, NULL, "Host", "{header(X)}", NULL } } },
		{ "GET / HTTP/1.1\r\n" HOST "\r\n", NULL, 400,
		    { { SET, 0, NULL, "Host", "{header(X)}", NULL } } },
		{ "GET /a/b?c HTTP/1.1\r\n" HOST "\r\n", "GET /x/b?c HTTP/1.1\r\n" HOST "\r\n", 0,
		    { { REW, rule_part_path, NULL, NULL, "/x", "^/a" } } },
		{ "GET /a?c HTTP/1.1\r\n" HOST "\r\n", "GET /n%20w%3F?c HTTP/1.1\r\n" HOST "\r\n",
		    0, { { REW, rule_part_path, NULL, NULL, "/n w?", NULL } } },
		{ "GET /a?c HTTP/1.1\r\n" HOST "\r\n", "GET /?c HTTP/1.1\r\n" HOST "\r\n", 0,
		    { { REW, rule_part_path, NULL, NULL, "", ".*" } } },
		{ "GET /a?c HTTP/1.1\r\n" HOST "\r\n", "GET /b?d=c HTTP/1.1\r\n" HOST "\r\n", 0,
		    { { REW, rule_part_path, NULL, NULL, "/b", NULL },
			{ REW, rule_part_query, "path is /b", NULL, "d={query}", NULL } } },
		{ "GET /a HTTP/1.1\r\n" HOST "\r\n", "GET /a HTTP/1.1\r\n" HOST "\r\n", 0,
		    { { REW, rule_part_path, NULL, NULL, "/x", "^/none" } } },
		{ "GET http://a.example.org/a HTTP/1.1\r\n" HOST "\r\n",
		    "GET /z HTTP/1.1\r\n" HOST "\r\n", 0,
		    { { REW, rule_part_url, "path is /a", NULL, "/z", NULL } } },
		{ "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 0,
		    { { REW, rule_part_url, NULL, NULL, "/z", NULL } } },
		{ "GET /u/7 HTTP/1.1\r\n" HOST "\r\n", "GET /u/7 HTTP/1.1\r\n" HOST "X: 7\r\n\r\n",
		    0, { { SET, 0, "path matches '^/u/([0-9]+)'", "X", "{1}", NULL } } },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct edit e = { .w = scratch, .buf = rows[i].in };
		struct http_request_policy policy = { .forwarded = forwarded_off,
			.edits = &scratch->edits };
		struct http_plan plan;
		struct h1_head head;
		char out[1000];
		unsigned status = 0;
		size_t n;

		h1_head_init(&head, false, 65536);
		assert_int_equal(h1_head_parse(&head, rows[i].in, strlen(rows[i].in)), H1_DONE);
		e.head = &head;
		subject_request(&e.s, &client, rows[i].in, &head);
		edit_begin(&e);
		for (unsigned k = 0; k < 4 && status == 0 && rows[i].action[k].action != 0; k++)
			status = apply(&e, &rows[i].action[k]);
		assert_int_equal(status, rows[i].status);
		if (rows[i].out == NULL)
			continue;
		http_plan_request(&plan, rows[i].in, &head, &policy);
		assert_true(plan.out_len < sizeof(out));
		n = http_plan_write(&plan, rows[i].in, out);
		assert_int_equal(n, plan.out_len);
		out[n] = '\0';
		assert_string_equal(out, rows[i].out);
	}
}

/* As many as there is room for, on a head with as many lines as there can be. */
static void
test_most_edits(void **state)
{
	static char in[H1_HEADERS_MAX * 8 + 100], out[8192];
	const struct action add = { ADD, 0, NULL, "A", "v", NULL };
	const struct action replace = { REP, 0, NULL, "B", "x", "b" };
	struct edit e = { .w = scratch, .buf = in };
	struct http_request_policy policy = { .client = "10.0.0.1",
		.client_len = 8,
		.forwarded = forwarded_append,
		.edits = &scratch->edits };
	struct http_plan plan;
	struct h1_head head;

	(void)state;
	(void)strcpy(in, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (unsigned i = 1; i < H1_HEADERS_MAX; i++)
		(void)strcat(in, i <= HTTP_CHANGES_MAX ? "B: b\r\n"
				 : i % 2	       ? "TE: x\r\n"
						       : "C: c\r\n");
	(void)strcat(in, "\r\n");
	h1_head_init(&head, false, 65536);
	assert_int_equal(h1_head_parse(&head, in, strlen(in)), H1_DONE);
	e.head = &head;
	subject_request(&e.s, &client, in, &head);
	edit_begin(&e);
	assert_int_equal(apply(&e, &replace), 0);
	for (unsigned i = 0; i < HTTP_ADDED_MAX; i++)
		assert_int_equal(apply(&e, &add), 0);
	assert_int_equal(apply(&e, &add), 500);
	http_plan_request(&plan, in, &head, &policy);
	assert_true(plan.out_len < sizeof(out));
	out[http_plan_write(&plan, in, out)] = '\0';
	assert_null(strstr(out, "B: b"));
	assert_non_null(strstr(out, "A: v\r\nA: v\r\n\r\n"));
}

static void
test_no_room(void **state)
{
	static char in[9000];
	const struct action grow = { REW, rule_part_query, NULL, NULL, "{query}&{query}", NULL };
	const struct action fill = { ADD, 0, NULL, "A", "{url}{url}{url}{url}{url}{url}{url}{url}",
		NULL };
	struct edit e = { .w = scratch, .buf = in };
	struct h1_head head;

	(void)state;
	(void)snprintf(in, sizeof(in), "GET /?%07500d HTTP/1.1\r\nHost: a\r\n\r\n", 1);
	h1_head_init(&head, false, 65536);
	assert_int_equal(h1_head_parse(&head, in, strlen(in)), H1_DONE);
	e.head = &head;
	subject_request(&e.s, &client, in, &head);
	edit_begin(&e);
	assert_int_equal(apply(&e, &grow), 414);
	assert_int_equal(apply(&e, &fill), 500);
}

/* ---- TLS -------------------------------------------------------------------------------------- */

static size_t
put16(uint8_t *p, unsigned n)
{
	p[0] = (uint8_t)(n >> 8);
	p[1] = (uint8_t)n;
	return 2;
}

/* A hello with a name and protocols; in records of at most part bytes. */
static size_t
make_hello(uint8_t *out, const char *name, const char *const *alpn, unsigned alpns, size_t part)
{
	uint8_t m[2000] = { 1, 0, 0, 0, 3, 3 };
	size_t n = 6 + 32, list, all, at = 0;

	m[n++] = 0;	      /* session */
	n += put16(m + n, 2); /* ciphers */
	n += put16(m + n, 0x1301);
	m[n++] = 1; /* compression */
	m[n++] = 0;
	all = n;
	n += 2;
	n += put16(m + n, 0x000b); /* an extension of another kind */
	n += put16(m + n, 2);
	n += put16(m + n, 0x0100);
	if (name != NULL) {
		n += put16(m + n, 0);
		n += put16(m + n, (unsigned)strlen(name) + 5);
		n += put16(m + n, (unsigned)strlen(name) + 3);
		m[n++] = 0;
		n += put16(m + n, (unsigned)strlen(name));
		memcpy(m + n, name, strlen(name));
		n += strlen(name);
	}
	if (alpns > 0) {
		n += put16(m + n, 16);
		list = n;
		n += 4;
		for (unsigned i = 0; i < alpns; i++) {
			m[n++] = (uint8_t)strlen(alpn[i]);
			memcpy(m + n, alpn[i], strlen(alpn[i]));
			n += strlen(alpn[i]);
		}
		(void)put16(m + list, (unsigned)(n - list - 2));
		(void)put16(m + list + 2, (unsigned)(n - list - 4));
	}
	(void)put16(m + all, (unsigned)(n - all - 2));
	(void)put16(m + 2, (unsigned)n - 4);
	for (size_t from = 0; from < n; from += part) {
		size_t k = n - from < part ? n - from : part;

		out[at++] = 22;
		out[at++] = 3;
		out[at++] = 1;
		at += put16(out + at, (unsigned)k);
		memcpy(out + at, m + from, k);
		at += k;
	}
	return at;
}

static void
test_hello(void **state)
{
	static const char *const protocols[] = { "h2", "http/1.1" };
	static uint8_t p[4000], work[HELLO_MAX];
	struct hello h;

	(void)state;
	for (size_t part = 1; part < 300; part += part < 10 ? 1 : 97) {
		size_t n = make_hello(p, "www.example.org", protocols, 2, part);

		for (size_t k = 0; k < n; k++) /* cut short anywhere */
			assert_int_equal(hello_parse(p, k, work, &h), H1_MORE);
		assert_int_equal(hello_parse(p, n, work, &h), H1_DONE);
		assert_int_equal(h.sni_len, 15);
		assert_memory_equal(h.sni, "www.example.org", 15);
		assert_int_equal(h.alpn_n, 2);
		assert_int_equal(h.alpn[1].len, 8);
		assert_memory_equal(h.alpn[1].p, "http/1.1", 8);
	}
	assert_int_equal(hello_parse(p, make_hello(p, NULL, NULL, 0, 1000), work, &h), H1_DONE);
	assert_null(h.sni);
	assert_int_equal(h.alpn_n, 0);
	assert_int_equal(hello_parse((const uint8_t *)"GET / HTTP/1.1\r\n", 16, work, &h), H1_BAD);
	assert_int_equal(hello_parse((const uint8_t *)"\x16\x03\x01\x00\x00", 5, work, &h), H1_BAD);
	assert_int_equal(hello_parse((const uint8_t *)"\x16\x03\x01\xff\xff", 5, work, &h), H1_BAD);
	assert_int_equal(
	    hello_parse((const uint8_t *)"\x16\x03\x00\x00\x01\x02\x16\x03", 8, work, &h), H1_BAD);
	assert_int_equal(
	    hello_parse((const uint8_t *)"\x16\x03\x01\x00\x04\x02\0\0\0", 9, work, &h), H1_BAD);
	assert_int_equal(
	    hello_parse((const uint8_t *)"\x16\x03\x01\x00\x04\x01\xff\0\0", 9, work, &h), H1_BAD);
}

/* Any byte changed: never outside of what is there (seen with a sanitizer), never a name that is not. */
static void
test_hello_forged(void **state)
{
	static const char *const protocols[] = { "h2" };
	static uint8_t p[4000], work[HELLO_MAX];
	size_t n = make_hello(p, "a.example.org", protocols, 1, 1000);
	struct hello h;

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (unsigned bit = 0; bit < 256; bit += 5) {
			uint8_t was = p[i];
			uint8_t *copy = malloc(n);

			p[i] = (uint8_t)bit;
			memcpy(copy, p, n);
			if (hello_parse(copy, n, work, &h) == H1_DONE && h.sni != NULL)
				assert_true(
				    h.sni >= (char *)work && h.sni + h.sni_len <= (char *)work + n);
			free(copy);
			p[i] = was;
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_most_edits),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_hello_forged),
	};
	int rc;

	arena = arena_new(4096);
	scratch = calloc(1, sizeof(*scratch));
	scratch->match = pattern_match_new();
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	rules_scratch_free(scratch);
	arena_unref(arena);
	return rc;
}
