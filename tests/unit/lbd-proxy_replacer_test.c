/* Strings of bodies: each row in every cut of its input and every size of its output, in pieces of one byte, and long bodies
 * against a plain replacement. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbd-proxy/coding/replacer.h"

#define OUT_MAX 400000
#define PAIRS 3

static uint8_t out[OUT_MAX];

struct row {
	const char *in, *want;
	const char *pair[2 * PAIRS]; /* find, with */
};
static const struct row rows[] = {
	{ "", "", { "a", "b" } },
	{ "nothing of it", "nothing of it", { "xyz", "b" } },
	{ "a", "b", { "a", "b" } },
	{ "aaa", "bbbbbb", { "a", "bb" } },
	{ "aaa", "", { "a", "" } },
	{ "aaaaa", "bba", { "aa", "b" } },
	{ "aaab", "aX", { "aab", "X" } },
	{ "aaaaab", "aaaX", { "aab", "X" } },
	{ "abababac", "abaX", { "babac", "X" } },
	{ "abababac", "ababX", { "abac", "X" } },
	{ "abcabcabd", "abcX", { "abcabd", "X" } },
	{ "abcab", "abcab", { "abcabd", "X" } },
	{ "http://old/ http://old", "https://new/ https://new", { "http://old", "https://new" } },
	/* what was put in is not looked at again ... */
	{ "aa", "aaaa", { "a", "aa" } },
	/* ... but by those behind it, also over what came */
	{ "1-2", "three", { "1", "one", "one-2", "three" } },
	{ "xay", "done", { "a", "b", "xby", "done" } },
	{ "aXb", "", { "X", "", "ab", "" } },
	{ "abc", "cba", { "a", "\001", "c", "a", "\001", "c" } },
	{ "aaaa", "dddd", { "a", "b", "b", "c", "c", "d" } },
};

static struct replacer *
of(const char *const *pair)
{
	struct replacement r[PAIRS];
	unsigned n = 0;
	struct replacer *x;

	for (; n < PAIRS && pair[2 * n] != NULL; n++)
		r[n] = (struct replacement){ pair[2 * n], pair[2 * n + 1],
			(uint32_t)strlen(pair[2 * n]), (uint32_t)strlen(pair[2 * n + 1]) };
	x = replacer_new(r, n);
	assert_non_null(x);
	return x;
}

/* A piece, with room bytes at a time. */
static size_t
feed(struct replacer *x, const char *p, size_t n, bool end, size_t at, size_t room)
{
	uint8_t *piece = malloc(n + 1); /* its own memory: reading beyond it is seen */
	const uint8_t *in = piece;
	size_t got;

	memcpy(piece, p, n);
	do {
		assert_true(at + room <= OUT_MAX);
		got = replacer_step(x, &in, &n, end, out + at, room);
		assert_true(got <= room);
		at += got;
	} while (got == room);
	assert_int_equal(n, 0);
	free(piece);
	return at;
}

static void
same(const struct row *r, size_t n)
{
	if (n == strlen(r->want) && memcmp(out, r->want, n) == 0)
		return;
	fail_msg("\"%s\" became \"%.*s\", not \"%s\"", r->in, (int)n, (const char *)out, r->want);
}

static void
every_cut(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		size_t len = strlen(r->in), n;

		for (size_t room = 1; room <= len + 2; room++)
			for (size_t a = 0; a <= len; a++)
				for (size_t b = a; b <= len; b++) {
					struct replacer *x = of(r->pair);

					n = feed(x, r->in, a, false, 0, room);
					n = feed(x, r->in + a, b - a, false, n, room);
					n = feed(x, r->in + b, len - b, true, n, room);
					replacer_free(x);
					same(r, n);
				}
	}
}

static void
byte_by_byte(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct replacer *x = of(rows[i].pair);
		size_t n = 0;

		for (const char *p = rows[i].in; *p != '\0'; p++)
			n = feed(x, p, 1, false, n, 3);
		n = feed(x, "", 0, true, n, 3);
		same(&rows[i], n);
		replacer_free(x);
	}
}

/* What is still open stays back, and no more than that. */
static void
holds_little(void **state)
{
	static const char *const pair[2 * PAIRS] = { "needle", "pin" };
	struct replacer *x = of(pair);

	(void)state;
	assert_int_equal(feed(x, "hay nee", 7, false, 0, 64), 4);
	assert_int_equal(feed(x, "n", 1, false, 4, 64), 7); /* which may be another beginning */
	assert_memory_equal(out, "hay nee", 7);
	assert_int_equal(feed(x, "eedl", 4, false, 0, 64), 0);
	assert_int_equal(feed(x, "!", 1, false, 0, 64), 6);
	assert_memory_equal(out, "needl!", 6);
	replacer_free(x);
}

/* A text of its whole length, many times, through the pieces between two. */
static void
long_bodies(void **state)
{
	char find[REPLACER_FIND_MAX + 1], *in = malloc(100001);
	const char *pair[2 * PAIRS] = { find, "<>", "<><>", "!" };
	size_t n = 0, len = 0;
	struct replacer *x;

	(void)state;
	memset(find, 'a', REPLACER_FIND_MAX);
	find[REPLACER_FIND_MAX] = '\0';
	find[REPLACER_FIND_MAX - 1] = 'b';
	while (len + REPLACER_FIND_MAX <= 100000) {
		memcpy(in + len, find, REPLACER_FIND_MAX);
		len += REPLACER_FIND_MAX;
	}
	x = of(pair);
	for (size_t at = 0; at < len; at += 999)
		n = feed(x, in + at, len - at < 999 ? len - at : 999, at + 999 >= len, n, 777);
	assert_int_equal(n, 250);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(out[i], '!');
	replacer_free(x);
	free(in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut),
		cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(holds_little),
		cmocka_unit_test(long_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
