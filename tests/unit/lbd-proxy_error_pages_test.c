/* Answers of a service's own: whole, by status and class, with and without a body. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbd-proxy/http/error_pages.h"

static const struct error_page rows[] = {
	{ .name = "sorry", .content_type = "text/plain", .body = "Sorry.\n", .retry_after = 30 },
	{ .name = "fine", .content_type = "text/html", .body = "", .status = 200 },
};
static struct error_body *made[2];

static struct error_body *
body(void *arg, const char *name)
{
	(void)arg;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return error_body_ref(made[i]);
	return NULL;
}

static void
assert_answer(
    const struct error_pages *p, unsigned key, unsigned status, bool head, const char *want)
{
	static char out[ERROR_ANSWER_MAX];
	unsigned sent = 0;
	size_t n = error_pages_answer(p, key, status, head, out, &sent);

	assert_int_equal(n, strlen(want));
	assert_memory_equal(out, want, n);
	assert_int_equal(sent, n == 0 ? 0 : atoi(want + 9));
}

#define TAIL "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
#define SORRY(status)      \
	"HTTP/1.1 " status \
	"\r\nContent-Type: text/plain\r\nContent-Length: 7\r\nRetry-After: 30\r\n" TAIL
#define AWAY(status, to) "HTTP/1.1 " status "\r\nLocation: " to "\r\nContent-Length: 0\r\n" TAIL
#define FINE "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n" TAIL

static void
test_answers(void **state)
{
	struct error_pages *p;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		made[i] = error_body_new(&rows[i]);
	p = error_pages_new(
	    "503=sorry,maintenance=fine,504=307 https://x.org/,5xx=302 /e,400=sorry", body, NULL);
	assert_answer(p, 503, 503, false, SORRY("503 Service Unavailable") "Sorry.\n");
	assert_answer(p, 503, 503, true, SORRY("503 Service Unavailable"));
	assert_answer(p, ERROR_UNAVAILABLE, 503, true, SORRY("503 Service Unavailable"));
	assert_answer(p, ERROR_MAINTENANCE, 503, false, FINE);
	assert_answer(p, 504, 504, false, AWAY("307 Temporary Redirect", "https://x.org/"));
	assert_answer(p, 502, 502, false, AWAY("302 Found", "/e"));
	assert_answer(p, 400, 400, true, SORRY("400 Bad Request"));
	assert_answer(p, 404, 404, false, "");
	assert_answer(NULL, 503, 503, false, "");
	error_pages_free(p);
	p = error_pages_new("503=gone,4xx=sorry", body, NULL);
	assert_answer(p, 503, 503, false, ""); /* a page that is not there */
	assert_answer(p, 431, 431, true, SORRY("431 Request Header Fields Too Large"));
	error_pages_free(p);
	assert_null(error_pages_new("", body, NULL));
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		error_body_unref(made[i]);
}

static void
test_same(void **state)
{
	static const char *const texts[] = { "", "503=sorry", "503=fine", "504=sorry", "503=302 /a",
		"503=302 /b", "503=307 /a", "503=sorry,504=sorry" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		made[i] = error_body_new(&rows[i]);
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++)
		for (unsigned k = 0; k < ARRAY_LEN(texts); k++) {
			struct error_pages *a = error_pages_new(texts[i], body, NULL),
					   *b = error_pages_new(texts[k], body, NULL);

			assert_int_equal(error_pages_same(a, b), i == k);
			error_pages_free(a);
			error_pages_free(b);
		}
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		error_body_unref(made[i]);
}

/* The largest row makes an answer that fits. */
static void
test_largest(void **state)
{
	static char out[ERROR_ANSWER_MAX], text[61441], type[101], to[2000], rule[2100];
	struct error_page row = {
		.name = "sorry", .content_type = type, .body = text, .retry_after = 31536000
	};
	struct error_pages *p;
	unsigned sent;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	memset(type, 't', sizeof(type) - 1);
	made[0] = error_body_new(&row);
	p = error_pages_new("5xx=sorry", body, NULL);
	assert_true(error_pages_answer(p, 500, 500, false, out, &sent) > 61440);
	error_pages_free(p);
	error_body_unref(made[0]);
	memset(to, '/', sizeof(to) - 1);
	(void)snprintf(rule, sizeof(rule), "5xx=302 %s", to);
	p = error_pages_new(rule, body, NULL);
	assert_true(error_pages_answer(p, 500, 500, false, out, &sent) > 1999);
	error_pages_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
