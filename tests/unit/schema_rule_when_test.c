/* Conditions and templates of content rules: what is taken, what it means for one request, how the rest is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "schema/rule_text.h"

static struct arena *arena;
static struct pattern_match *match;

/* One request, as words. */
static const struct {
	uint8_t source;
	const char *name, *value;
} request[] = {
	{ WHEN_host, NULL, "WWW.Example.org" },
	{ WHEN_path, NULL, "/api/v1/users" },
	{ WHEN_url, NULL, "/api/v1/users?id=7&x=a%20b" },
	{ WHEN_query, NULL, "id=7&x=a%20b" },
	{ WHEN_param, "id", "7" },
	{ WHEN_asked_path, NULL, "/v1/users" },
	{ WHEN_asked_param, "id", "8" },
	{ WHEN_header, "X-Tag", "blue" },
	{ WHEN_header, "X-Tag", "green" },
	{ WHEN_header, "X-Size", "1500" },
	{ WHEN_cookie, "beta", "on" },
	{ WHEN_method, NULL, "GET" },
	{ WHEN_scheme, NULL, "https" },
	{ WHEN_body, NULL, "first\nsecond" },
	{ WHEN_status, NULL, "404" },
	{ WHEN_answer_header, "Server", "nginx" },
};

static bool
get(void *arg, unsigned source, const char *name, unsigned name_len, unsigned nth,
    struct when_found *out)
{
	static const struct addr src = { .family = 4, .len = 32, .b = { 10, 1, 2, 3 } };

	(void)arg;
	if (source == WHEN_src && nth == 0) {
		out->addr = &src;
		return true;
	}
	if (source == WHEN_port && nth == 0) {
		out->number = 443;
		return true;
	}
	for (unsigned i = 0; i < ARRAY_LEN(request); i++) {
		if (request[i].source != source ||
		    (name != NULL && (strlen(request[i].name) != name_len ||
					 memcmp(request[i].name, name, name_len) != 0)))
			continue;
		if (nth-- > 0)
			continue;
		out->text = request[i].value;
		out->len = (uint32_t)strlen(request[i].value);
		out->number = strtoull(request[i].value, NULL, 10);
		return true;
	}
	return false;
}

#define ANY (W_REQUEST | W_ANSWER)
static bool
holds(const char *text)
{
	struct when w;
	struct err err;
	bool yes;

	if (when_parse(
		text, strstr(text, "body") != NULL ? W_REQUEST : ANY, true, arena, &w, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	yes = when_test(&w, get, NULL, match, NULL);
	when_fini(&w);
	return yes;
}

static void
test_holds(void **state)
{
	static const struct {
		const char *text;
		bool yes;
	} rows[] = {
		{ "", true },
		{ "  ", true },
		{ "host is www.example.org", true },
		{ "host is example.org", false },
		{ "host under example.org", true },
		{ "host under ample.org", false },
		{ "host under org", true },
		{ "host in a.org, www.EXAMPLE.org", true },
		{ "host starts www", true },
		{ "host contains EXAMPLE", true },
		{ "path starts /api", true },
		{ "path starts /API", false },
		{ "path under /api", true },
		{ "path under /api/", true },
		{ "path under /ap", false },
		{ "path under /api/v1/users", true },
		{ "path under /", true },
		{ "path ends users", true },
		{ "path ends /x", false },
		{ "path contains /v1/", true },
		{ "path matches ^/api/v[0-9]+/", true },
		{ "path matches \"^/api/v(\\d)/\"", true },
		{ "path matches ^/API", false },
		{ "path matches '(?i)^/API'", true },
		{ "url is '/api/v1/users?id=7&x=a%20b'", true },
		{ "url under /api/v1/users", true },
		{ "query contains x=a", true },
		{ "param(id) is 7", true },
		{ "param(id) < 8 and param(id) >= 7 and param(id) <= 7", true },
		{ "param(id)>7", false },
		{ "param(no) exists", false },
		{ "asked.path under /v1 and asked.param(id) > 7", true },
		{ "asked.path is /api/v1/users or asked.url exists", false },
		{ "param(id) exists", true },
		{ "header(X-Tag) is green", true },
		{ "header(X-Tag) is red", false },
		{ "not header(X-Tag) is red", true },
		{ "header(X-Size) > 1000", true },
		{ "header(X-Tag) > 1000", false },
		{ "header(X-None) is ''", false },
		{ "cookie(beta) is on", true },
		{ "method in POST,PUT,GET", true },
		{ "method is get", false },
		{ "scheme is https", true },
		{ "body contains second", true },
		{ "body matches '^first\\nsecond$'", true },
		{ "src in 10.0.0.0/8", true },
		{ "src is 10.1.2.3", true },
		{ "src in 192.0.2.0/24, 2001:db8::/32", false },
		{ "port is 443", true },
		{ "port in 80, 443", true },
		{ "port >= 444", false },
		{ "port<444", true },
		{ "status is 404 and answer_header(Server) is nginx", true },
		{ "status >= 500", false },
		{ "dst exists", false },
		/* and binds closer than or, not closer than both */
		{ "method is GET or method is PUT and port is 80", true },
		{ "(method is GET or method is PUT) and port is 80", false },
		{ "port is 80 and method is PUT or method is GET", true },
		{ "not port is 80 and method is GET", true },
		{ "not (port is 443 and method is GET)", false },
		{ "not not port is 443", true },
		{ "not (port is 80 or (method is PUT or not host under org))", true },
		{ "port is 80 or port is 81 or port is 443", true },
		{ "port is 443 and port is 443 and port is 81", false },
		{ "((((port is 443))))", true },
		{ "(port is 80 or port is 443) and (method is PUT or method is GET)", true },
		{ "(port is 80 or port is 443) and (method is PUT or method is POST)", false },
		{ "path is \"a\\\"b\\\\\"", false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (holds(rows[i].text) != rows[i].yes)
			fail_msg("%s: %s", rows[i].text, rows[i].yes ? "does not hold" : "holds");
}

/* Every shape of up to four terms with every truth of each, against C's own operators. */
static void
test_shapes(void **state)
{
	static const struct {
		const char *shape;
		unsigned fn;
	} rows[] = {
		{ "a and b or c and d", 0 },
		{ "a or b and c or d", 1 },
		{ "(a or b) and not (c or d)", 2 },
		{ "not (a and not (b or c)) and d", 3 },
		{ "not a or not b and not (c and d)", 4 },
		{ "a and (b or (c and (d or a)))", 5 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		for (unsigned bits = 0; bits < 16; bits++) {
			bool v[4], want;
			char text[300] = "";

			for (unsigned k = 0; k < 4; k++)
				v[k] = (bits >> k & 1) != 0;
			for (const char *p = rows[i].shape; *p != '\0'; p++) {
				bool letter = *p >= 'a' && *p <= 'd' &&
					      (p[1] == ' ' || p[1] == ')' || p[1] == '\0') &&
					      (p == rows[i].shape || p[-1] == ' ' || p[-1] == '(');

				if (letter)
					(void)strcat(
					    text, v[*p - 'a'] ? "port is 443" : "port is 1");
				else
					(void)strncat(text, p, 1);
			}
			switch (rows[i].fn) {
			case 0: want = (v[0] && v[1]) || (v[2] && v[3]); break;
			case 1: want = v[0] || (v[1] && v[2]) || v[3]; break;
			case 2: want = (v[0] || v[1]) && !(v[2] || v[3]); break;
			case 3: want = !(v[0] && !(v[1] || v[2])) && v[3]; break;
			case 4: want = !v[0] || (!v[1] && !(v[2] && v[3])); break;
			default: want = v[0] && (v[1] || (v[2] && (v[3] || v[0]))); break;
			}
			if (holds(text) != want)
				fail_msg("%s", text);
		}
}

static void
test_refused(void **state)
{
	static const struct {
		unsigned where;
		const char *text, *says;
	} rows[] = {
		{ ANY, "pth is /x",
		    "column 1: \"pth\" is no field of a condition, perhaps path; allowed are host, path" },
		{ ANY, "path is /a and hoost is b",
		    "column 16: \"hoost\" is no field of a condition, perhaps host" },
		{ ANY, "path strats /x",
		    "column 6: \"strats\" is no operator of path, perhaps starts; allowed are is" },
		{ ANY, "path", "column 5: it ends here; allowed is an operator" },
		{ ANY, "path is", "column 8: it ends here; allowed is a value" },
		{ ANY, "path is /a /b",
		    "column 12: \"/b\" has no place here; allowed is and, or, or the end" },
		{ ANY, "(path is /a",
		    "column 12: it ends here; allowed is and, or, or a parenthesis that closes" },
		{ ANY, "path is /a)", "column 11: \")\" has no place here" },
		{ ANY, "path is /a and",
		    "column 15: it ends here; allowed is a field, not or a parenthesis" },
		{ ANY, "and path is /a", "column 1: \"and\" is no field" },
		{ ANY, "header is x", "column 7: the name is missing; allowed is header(NAME)" },
		{ ANY, "header() is x", "column 8: \")\" has no place here; allowed is a name" },
		{ ANY, "header(a b) is x", "has no place here; allowed is a name" },
		{ ANY, "path(a) is x",
		    "column 5: \"(\" has no place here; allowed is an operator" },
		{ ANY, "path is \"abc", "column 9: the quote that begins here has no end" },
		{ ANY, "src in 10.0.0.1/8",
		    "column 8: \"10.0.0.1/8\" is no address; allowed are addresses and networks" },
		{ ANY, "src in office", "\"office\" is no address" },
		{ ANY, "src starts 10", "column 5: \"starts\" is no operator of src" },
		{ ANY, "port is http", "column 9: \"http\" is no number" },
		{ ANY, "port > 1,2",
		    "column 9: \",\" has no place here; allowed is one value here" },
		{ ANY, "path matches '('",
		    "column 14: \"(\" is no regular expression: at offset 1: missing closing" },
		{ ANY, "path matches a(b", "column 15: \"(\" has no place here" },
		{ ANY, "scheme is ftp",
		    "column 11: scheme is never \"ftp\"; allowed is http|https" },
		{ W_REQUEST, "status is 404",
		    "column 1: status is not known before there is an answer" },
		{ ANY, "body contains x",
		    "column 1: body is not known any more when the answer comes" },
		{ W_TCP, "path is /",
		    "column 1: path is not known in mode tcp, where requests are not read" },
		{ W_REQUEST, "alpn is h2", "column 1: alpn is not known in mode http" },
		{ ANY, "((((((((((((((((((((((((((((((((((path is /a", "more than 32 parentheses" },
	};
	struct when w;
	struct err err;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(
		    when_parse(rows[i].text, rows[i].where, false, arena, &w, &err), ERR_INVALID);
		if (strstr(err.text, rows[i].says) == NULL)
			fail_msg("%s: %s", rows[i].text, err.text);
		assert_int_equal(
		    when_parse(rows[i].text, rows[i].where, false, arena, &w, NULL), ERR_INVALID);
	}
	/* Patterns that were read before the fault are let go (seen with a sanitizer). */
	assert_int_equal(
	    when_parse("path matches a or path matches b,c,'('", ANY, true, arena, &w, NULL),
	    ERR_INVALID);
}

static void
test_most_terms(void **state)
{
	char text[WHEN_TERMS_MAX * 12 + 20] = "port is 1";
	struct when w;
	struct err err;

	(void)state;
	for (unsigned i = 1; i < WHEN_TERMS_MAX; i++)
		(void)strcat(text, " or port<2");
	assert_int_equal(when_parse(text, ANY, false, arena, &w, &err), 0);
	assert_int_equal(w.n, WHEN_TERMS_MAX);
	assert_false(when_test(&w, get, NULL, match, NULL));
	(void)strcat(text, " or port<2");
	assert_int_equal(when_parse(text, ANY, false, arena, &w, &err), ERR_INVALID);
	assert_non_null(strstr(err.text, "more than 256 comparisons"));
}

static void
test_groups(void **state)
{
	struct when_groups g = { 0 };
	struct when w;
	struct rule_text t;
	char out[100];
	long n;

	(void)state;
	assert_int_equal(when_parse("host under org and path matches '^/(\\w+)/(v\\d)(/no)?'", ANY,
			     true, arena, &w, NULL),
	    0);
	assert_true(when_test(&w, get, NULL, match, &g));
	assert_int_equal(
	    rule_text_parse("{2}{{{1}}}{3}-{host}{url}-{src}:{port} {header(X-Tag)}{header(none)}",
		ANY, 4, arena, &t, NULL),
	    0);
	n = rule_text_write(&t, get, NULL, &g, out, sizeof(out));
	assert_int_equal(
	    n, strlen("v1{api}-WWW.Example.org/api/v1/users?id=7&x=a%20b-10.1.2.3:443 blue"));
	assert_memory_equal(
	    out, "v1{api}-WWW.Example.org/api/v1/users?id=7&x=a%20b-10.1.2.3:443 blue", (size_t)n);
	assert_int_equal(rule_text_write(&t, get, NULL, &g, out, (size_t)n), n);
	assert_int_equal(rule_text_write(&t, get, NULL, &g, out, (size_t)n - 1), -1);
	when_fini(&w);
	/* A line end of a body does not get into a head. */
	assert_int_equal(when_parse("body matches '.*\\n.*'", W_REQUEST, true, arena, &w, NULL), 0);
	assert_true(when_test(&w, get, NULL, match, &g));
	assert_int_equal(rule_text_parse("{0}", W_REQUEST, 1, arena, &t, NULL), 0);
	n = rule_text_write(&t, get, NULL, &g, out, sizeof(out));
	assert_memory_equal(out, "first second", (size_t)n);
	when_fini(&w);
}

static void
test_templates_refused(void **state)
{
	static const struct {
		unsigned groups;
		const char *text, *says;
	} rows[] = {
		{ 0, "{1}",
		    "column 1: {1} is a part of what a pattern matched, and the rule has none" },
		{ 2, "a{2}",
		    "column 2: {2} is more than the patterns of the rule have; allowed is {0} to {1}" },
		{ 0, "x{hots}",
		    "column 2: {hots} is no part of a request, perhaps {host}; allowed are" },
		{ 0, "{body}", "{body} is no part of a request" },
		{ 0, "{header}", "{header} is not allowed; allowed is {header(NAME)}" },
		{ 0, "{header()}", "{header()} is not allowed" },
		{ 0, "{path(x)}", "{path(x)} is not allowed; allowed is {path}" },
		{ 0, "a}b", "column 2: a brace alone" },
		{ 0, "a{b", "column 2: a brace alone" },
		{ 0, "{", "column 1: a brace alone" },
		{ 0, "{status}", "{status} is no part of a request" },
	};
	struct rule_text t;
	struct err err;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(
		    rule_text_parse(rows[i].text, W_REQUEST, rows[i].groups, arena, &t, &err),
		    ERR_INVALID);
		if (strstr(err.text, rows[i].says) == NULL)
			fail_msg("%s: %s", rows[i].text, err.text);
	}
}

/* What would take for ever ends, and is no match. */
static void
test_pattern_limits(void **state)
{
	static const char evil[] = "^(a+)+$";
	struct pattern *p;
	char text[4001];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '!';
	for (unsigned fast = 0; fast < 2; fast++) {
		p = pattern_new(evil, strlen(evil), fast == 1, NULL);
		assert_non_null(p);
		assert_false(pattern_find(p, match, text, sizeof(text), 0));
		assert_true(pattern_find(p, match, "aaa", 3, 0));
		pattern_free(p);
	}
	assert_null(pattern_new("a\\", 2, true, NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_holds),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_most_terms),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_templates_refused),
		cmocka_unit_test(test_pattern_limits),
	};
	int rc;

	arena = arena_new(4096);
	match = pattern_match_new();
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	pattern_match_free(match);
	arena_unref(arena);
	return rc;
}
