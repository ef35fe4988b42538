/* What is proven of two conditions: known pairs, and chance: whatever is said to be covered is, for every request that the
 * conditions can tell apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/rule_covers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	bool covers;
	const char *earlier, *later;
} rows[] = {
	{ true, "", "path is /a" }, { false, "path is /a", "" },
	{ true, "path is /a", "path is /a" }, { true, "path is /a,/b", "path is /b" },
	{ false, "path is /b", "path is /a,/b" }, { true, "path under /a", "path under /a/b" },
	{ false, "path under /a/b", "path under /a" }, { true, "path under /a", "path is /a" },
	{ false, "path under /a", "path is /ab" }, { false, "path under /a", "path starts /a" },
	{ true, "path under /a", "path starts /a/" }, { true, "path under /a/", "path starts /a/" },
	{ true, "path starts /a", "path under /a" }, { true, "path starts /a", "path starts /ab" },
	{ true, "path contains b", "path starts /ab" },
	{ false, "path contains b", "path starts /a" }, { false, "path ends b", "path starts /ab" },
	{ true, "path ends .php", "path ends /x.php" },
	{ false, "path ends /x.php", "path ends .php" }, { true, "path exists", "path is /a" },
	{ true, "host under example.org", "host is WWW.Example.ORG" },
	{ true, "host under example.org", "host under a.example.org" },
	{ false, "host under example.org", "host ends example.org" },
	{ true, "host under example.org", "host ends .example.org" },
	{ true, "host is example.org", "host is EXAMPLE.org and path is /x" },
	{ false, "host is example.org and path is /x", "host is example.org" },
	{ true, "path under /a or method is GET", "method is GET and port is 80" },
	{ true, "path under /a or not path under /a and method is GET", "method is GET" },
	{ true, "method is GET", "(path is /a or path is /b) and method is GET" },
	{ false, "method is GET", "path is /a or path is /b and method is GET" },
	{ true, "not path under /a", "not path starts /a" },
	{ false, "not path starts /a", "not path under /a" },
	{ true, "src in 10.0.0.0/8", "src in 10.1.0.0/16,10.2.3.4" },
	{ false, "src in 10.1.0.0/16", "src in 10.0.0.0/8" },
	{ false, "src in ::/0", "src in 10.0.0.0/8" }, { true, "port > 79", "port is 80,443" },
	{ true, "port >= 80", "port > 79" }, { false, "port > 80", "port >= 80" },
	{ true, "header(x-n) < 10", "header(X-N) < 5" },
	{ false, "cookie(n) exists", "cookie(N) exists" },
	{ true, "header(a) exists", "header(A) is x" },
	{ false, "header(a) is x", "header(b) is x" },
	{ true, "path matches ^/a[0-9]", "path matches ^/a[0-9] and method is GET" },
	{ false, "path matches ^/a", "path matches ^/a[0-9]" },
	{ true, "src in @bad", "src in @bad and path is /a" },
	{ false, "src in @bad", "src in @worse" },
	{ true, "rate(requests, src, 10s) > 5", "rate(requests,src,10s) > 9" },
	{ false, "rate(requests, src, 10s) > 5", "rate(requests,src,11s) > 9" },
	{ false, "path is /a", "not path exists and path is /b" }, /* that never holds */
};

static struct arena *memory;

static struct when
read_when(const char *text)
{
	struct err err;
	struct when w, copy;

	if (when_parse(text, W_REQUEST, false, memory, &w, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	copy = w;
	when_fini(&w);
	return copy;
}

static bool
covers(const char *earlier, const char *later)
{
	struct when a = read_when(earlier), b = read_when(later);
	unsigned steps = COVERS_STEPS;

	return rule_covers(&a, &b, &steps);
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (covers(rows[i].earlier, rows[i].later) != rows[i].covers)
			fail_msg("\"%s\" before \"%s\": must be %d", rows[i].earlier, rows[i].later,
			    rows[i].covers);
}

static void
test_steps_end(void **state)
{
	struct when a = read_when("path is /a,/b,/c,/d"), b = read_when("path is /d,/c,/b,/a");
	unsigned steps = 5;

	(void)state;
	assert_false(rule_covers(&a, &b, &steps));
	assert_int_equal(steps, 0);
	steps = 100;
	assert_true(rule_covers(&a, &b, &steps));
	assert_in_range(steps, 80, 99);
}

/* ---- chance ------------------------------------------------------------------------------------ */

static const char *const paths[] = { "/", "/a", "/ab", "/a/", "/a/b", "/a/b/c", "/b", "/b/a", "",
	"/aa/b" };
static const char *const hosts[] = { "a.b", "x.a.b", "b", "ab", "xa.b", "A.B" };
static const char *const terms[] = { "path is /a", "path is /a,/b", "path under /a",
	"path under /a/", "path under /a/b", "path starts /a", "path starts /a/", "path ends b",
	"path ends /b", "path contains a", "path contains /b", "path exists", "host is a.b",
	"host under a.b", "host under b", "host ends b", "host ends .a.b", "host starts x",
	"port is 5", "port > 4", "port >= 5", "port < 7", "port <= 4", "port is 4,6",
	"header(h) is /a", "header(h) under /a", "header(h) exists" };
static unsigned seed = 1;

static unsigned
dice(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static void
condition(char *out, unsigned depth)
{
	char a[400], b[400];

	if (depth == 0 || dice(3) == 0) {
		(void)sprintf(out, "%s%s", dice(4) == 0 ? "not " : "",
		    terms[dice(sizeof(terms) / sizeof(*terms))]);
		return;
	}
	condition(a, depth - 1);
	condition(b, depth - 1);
	(void)sprintf(out, "(%s %s %s)", a, dice(2) == 0 ? "and" : "or", b);
}

struct request {
	const char *path, *host, *header[2];
	uint64_t port;
};

static bool
get(void *arg, unsigned source, const char *name, unsigned name_len, unsigned nth,
    struct when_found *out)
{
	const struct request *r = arg;
	const char *text = source == WHEN_path && nth == 0    ? r->path
			   : source == WHEN_host && nth == 0  ? r->host
			   : source == WHEN_header && nth < 2 ? r->header[nth]
							      : NULL;

	(void)name, (void)name_len;
	out->number = r->port;
	out->text = text;
	out->len = text != NULL ? (uint32_t)strlen(text) : 0;
	return text != NULL || (source == WHEN_port && nth == 0);
}

static void
test_chance(void **state)
{
	char a[2000], b[2000];
	unsigned proven = 0;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct when x, y;
		unsigned steps = COVERS_STEPS;

		condition(a, dice(3));
		condition(b, dice(3));
		x = read_when(a);
		y = read_when(b);
		if (!rule_covers(&x, &y, &steps))
			continue;
		proven++;
		for (unsigned k = 0; k < 400; k++) {
			struct request r = { paths[dice(10)], dice(8) == 0 ? NULL : hosts[dice(6)],
				{ dice(2) == 0 ? NULL : paths[dice(10)], paths[dice(10)] },
				3 + dice(6) };

			if (when_test(&y, get, &r, NULL, NULL) &&
			    !when_test(&x, get, &r, NULL, NULL))
				fail_msg(
				    "\"%s\" is said to hold whenever \"%s\" does: path %s host %s port %d",
				    a, b, r.path, r.host != NULL ? r.host : "-", (int)r.port);
		}
		if (i % 1000 == 0) {
			arena_unref(memory);
			memory = arena_new(64 * 1024);
		}
	}
	assert_in_range(proven, 300, 20000);
}

static int
begin(void **state)
{
	(void)state;
	memory = arena_new(64 * 1024);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	arena_unref(memory);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_steps_end),
		cmocka_unit_test(test_chance),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
