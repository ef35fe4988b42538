/* Escaping: whatever a value holds, it stays a value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-web/pages/page.h"

#include <string.h>

static void
test_values_are_escaped(void **state)
{
	struct buf b = { 0 };

	(void)state;
	page_add(&b, "<a title=\"%s\">%s</a>%%", "\"><script>", "<b>&'x'</b>");
	assert_string_equal(buf_text(&b),
	    "<a title=\"&quot;&gt;&lt;script&gt;\">&lt;b&gt;&amp;&#39;x&#39;&lt;/b&gt;</a>%");
	buf_fini(&b);
}

static void
test_values_are_no_formats(void **state)
{
	struct buf b = { 0 };

	(void)state;
	page_add(&b, "%s %d %u %ld %llu %02d %.1f", "%s%n", -5, 7U, 8L, 9ULL, 3, 2.25);
	assert_string_equal(buf_text(&b), "%s%n -5 7 8 9 03 2.2");
	buf_fini(&b);
}

static void
test_urls(void **state)
{
	struct buf b = { 0 };

	(void)state;
	page_url(&b, "a b&c=\"<\xc3\xa4>-._~");
	assert_string_equal(buf_text(&b), "a%20b%26c%3D%22%3C%C3%A4%3E-._~");
	buf_fini(&b);
}

static void
test_numbers_for_people(void **state)
{
	static const struct {
		uint64_t n;
		const char *want;
	} counts[] = { { 0, "0" }, { 999, "999" }, { 1000, "1,000" }, { 15750, "15,750" },
		{ 1000001, "1,000,001" } };
	static const struct {
		double bytes;
		const char *want;
	} bits[] = { { 0, "0&nbsp;b/s" }, { 100, "800&nbsp;b/s" }, { 125, "1.0&nbsp;kb/s" },
		{ 39000000, "312&nbsp;Mb/s" }, { 725000, "5.8&nbsp;Mb/s" },
		{ 124999999, "1.0&nbsp;Gb/s" } };
	struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		b.len = 0;
		page_count(&b, counts[i].n);
		assert_string_equal(buf_text(&b), counts[i].want);
	}
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		b.len = 0;
		page_bits(&b, bits[i].bytes);
		assert_string_equal(buf_text(&b), bits[i].want);
	}
	b.len = 0;
	page_time(&b, 1795269991);
	assert_string_equal(buf_text(&b),
	    "<time datetime=\"2026-11-21T14:06:31Z\">21 Nov 2026, 14:06:31 UTC</time>");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_are_escaped),
		cmocka_unit_test(test_values_are_no_formats),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_numbers_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
