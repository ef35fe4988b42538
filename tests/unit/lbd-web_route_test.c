/* Every row of routes.def is reached, by its own method only; the description of the API has them all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-web/api/api.h"
#include "lbd-web/server/route.h"

#include <stdio.h>
#include <string.h>

static const struct route *
find(const char *method, const char *path, char *allow, size_t room)
{
	struct buf b = { 0 };
	struct segs s;
	const struct route *r;

	assert_int_equal(segs_parse(path, &s, NULL), 0);
	r = route_find(method, &s, &b);
	(void)snprintf(allow, room, "%s", buf_text(&b));
	buf_fini(&b);
	segs_fini(&s);
	return r;
}

/* "/api/v1/{kind}/{name}" with something in the place of the words. */
static void
example(const char *pattern, char *out)
{
	while (*pattern != '\0') {
		if (*pattern == '{') {
			*out++ = 'x';
			pattern = strchr(pattern, '}') + 1;
		} else {
			*out++ = *pattern++;
		}
	}
	*out = '\0';
}

static void
test_every_row(void **state)
{
	char path[200], allow[200];

	(void)state;
	for (unsigned i = 0; i < routes_n; i++) {
		example(routes[i].pattern, path);
		assert_ptr_equal(find(routes[i].method, path, allow, sizeof(allow)), &routes[i]);
		assert_null(find("TRACE", path, allow, sizeof(allow)));
		assert_non_null(strstr(allow, routes[i].method));
		assert_int_equal(routes[i].help[strlen(routes[i].help) - 1], '.');
		if (strcmp(routes[i].method, "GET") == 0)
			assert_ptr_equal(find("HEAD", path, allow, sizeof(allow)), &routes[i]);
		else /* whatever changes something is not for everybody, but for the forms of the log-in */
			assert_true(routes[i].access >= ACCESS_R_OPERATOR ||
				    strncmp(routes[i].pattern, "/api", 4) != 0 ||
				    strstr(routes[i].pattern, "session") != NULL);
	}
}

static void
test_none(void **state)
{
	char allow[200];

	(void)state;
	assert_null(find("GET", "/nothing", allow, sizeof(allow)));
	assert_string_equal(allow, "");
	assert_null(find("DELETE", "/api/v1/status", allow, sizeof(allow)));
	assert_string_equal(allow, "GET, HEAD, OPTIONS");
	assert_null(find("GET", "/api/v1/vips/a/rips/b/c/d", allow, sizeof(allow)));
	assert_string_equal(allow, "");
	assert_null(find("get", "/", allow, sizeof(allow))); /* methods are case-sensitive */
}

static void
test_params(void **state)
{
	char allow[200];
	struct segs s;
	const struct route *r = find("PUT", "/api/v1/vips/web/rips/a", allow, sizeof(allow));

	(void)state;
	assert_int_equal(segs_parse("/api/v1/vips/we%20b/rips/a", &s, NULL), 0);
	assert_string_equal(route_param(r, &s, "vip"), "we b");
	assert_string_equal(route_param(r, &s, "rip"), "a");
	assert_null(route_param(r, &s, "name"));
	segs_fini(&s);
}

static int
count(void *arg, const struct json_member *m)
{
	(void)m;
	++*(int *)arg;
	return 0;
}

static void
test_openapi(void **state)
{
	struct buf b = { 0 }, again = { 0 };
	struct err err = { 0 };
	const char *text;
	int n = 0;

	(void)state;
	openapi_write(&b);
	openapi_write(&again);
	assert_string_equal(buf_text(&b), buf_text(&again));
	if (json_scan(buf_text(&b), b.len, count, &n, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(n, 6);
	text = buf_text(&b);
	for (unsigned i = 0; i < routes_n; i++)
		if (strncmp(routes[i].pattern, "/api", 4) == 0)
			assert_non_null(strstr(text, routes[i].help));
	for (unsigned k = 1; k <= KINDS; k++)
		for (unsigned f = 0; f < object_of(k)->n; f++)
			if ((object_of(k)->flags & O_NAMELESS) == 0)
				assert_non_null(strstr(text, object_of(k)->f[f].name));
	assert_null(strstr(text, "{kind}"));
	buf_fini(&b);
	buf_fini(&again);
}

static void
test_problem(void **state)
{
	struct buf b = { 0 };
	struct err err = { 0 };
	int n = 0;

	(void)state;
	(void)err_field(
	    &err, ERR_INVALID, "vip web", "ports", "99999: allowed is 1 to 65535 \"quoted\"");
	assert_int_equal(reply_status_of(&err), 422);
	problem_json(&b, 422, &err, "/api/v1/vips/web", "id-1");
	assert_int_equal(json_scan(buf_text(&b), b.len, count, &n, NULL), 0);
	assert_int_equal(n, 7);
	assert_non_null(strstr(buf_text(&b), "\"pointer\":\"/ports\""));
	assert_non_null(strstr(buf_text(&b), "urn:lbd:problem:invalid"));
	(void)err_set(&err, ERR_UNKNOWN, "vip x does not exist");
	assert_int_equal(reply_status_of(&err), 404);
	(void)err_set(&err, -5, "?");
	assert_int_equal(reply_status_of(&err), 500);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_openapi),
		cmocka_unit_test(test_problem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
