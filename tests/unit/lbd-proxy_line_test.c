/* Lines of access logs: each format of one known record, and bytes that somebody chose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/must.h"
#include "log/line.h"

#define TEXT(s)                  \
	{                        \
		s, sizeof(s) - 1 \
	}

static const struct addr client = { .family = 4, .len = 32, .b = { 192, 0, 2, 10 } },
			 real = { .family = 4, .len = 32, .b = { 10, 0, 0, 100 } },
			 six = { .family = 6, .len = 128, .b = { 0xfd, [15] = 1 } };

static struct line_record
known(void)
{
	return (struct line_record){
		.service = TEXT("web"),
		.server = TEXT("a"),
		.method = TEXT("GET"),
		.target = TEXT("/x?y=\"z"),
		.version = TEXT("HTTP/1.1"),
		.host = TEXT("example.com"),
		.referer = TEXT("http://r/"),
		.agent = TEXT("curl/8 \"x\""),
		.client = &client,
		.client_port = 4711,
		.port = 80,
		.real = &real,
		.real_port = 8080,
		.status = 200,
		.http = true,
		.state = "----",
		.began_ms = 1233918854655,
		.accepted_ms = 1233918854000,
		.phase_ms = { 1, 2, 3, 69, 109 },
		.open_ms = 764,
		.bytes_in = 77,
		.bytes_out = 2750,
		.body = 2600,
		.conns = 5,
		.service_conns = 4,
		.server_conns = 3,
		.tries = 1,
		.elsewhere = true,
		.server_queue = 0,
		.queue = 7,
		.number = 2,
	};
}

static void
want(unsigned word, bool http, const char *custom, const struct line_record *r, const char *line)
{
	struct line_format *f = line_format_new(word, http, custom);
	static char out[LINE_ROOM];
	struct line_clock clock = { 0 };

	out[line_write(f, &clock, r, out)] = '\0';
	line_format_free(f);
	assert_string_equal(out, line);
}

static void
test_named(void **state)
{
	struct line_record r = known();

	(void)state;
	want(access_log_haproxy, true, "", &r,
	    "192.0.2.10:4711 [06/Feb/2009:11:14:14.655] web web/a 1/2/3/69/109 200 2750 - - ---- 5/4/4/3/+1 "
	    "0/7 \"GET /x?y=#22z HTTP/1.1\"");
	want(access_log_combined, true, "", &r,
	    "192.0.2.10 - - [06/Feb/2009:11:14:14 +0000] \"GET /x?y=\\x22z HTTP/1.1\" 200 2600 "
	    "\"http://r/\" \"curl/8 \\x22x\\x22\"");
	want(access_log_json, true, "", &r,
	    "{\"time\":\"2009-02-06T11:14:14.655Z\",\"vip\":\"web\",\"rip\":\"a\",\"client\":\"192.0.2.10\","
	    "\"client_port\":4711,\"server\":\"10.0.0.100\",\"server_port\":8080,\"request_id\":\"-\","
	    "\"method\":\"GET\",\"target\":\"/x?y=\\u0022z\",\"version\":\"HTTP/1.1\",\"host\":"
	    "\"example.com\",\"referer\":\"http://r/\",\"agent\":\"curl/8 \\u0022x\\u0022\",\"status\":200,"
	    "\"state\":\"----\",\"bytes_in\":77,\"bytes_out\":2750,\"request_ms\":1,\"queue_ms\":2,"
	    "\"connect_ms\":3,\"answer_ms\":69,\"total_ms\":109,\"tries\":1,\"request\":2,"
	    "\"pool\":\"web\",\"rule\":\"-\"}");
	r.pool = (struct line_text)TEXT("api");
	r.rule = (struct line_text)TEXT("to-api");
	want(access_log_json, false, "", &r,
	    "{\"time\":\"2009-02-06T11:14:14.655Z\",\"vip\":\"web\",\"rip\":\"a\",\"client\":\"192.0.2.10\","
	    "\"client_port\":4711,\"server\":\"10.0.0.100\",\"server_port\":8080,\"state\":\"--\",\"bytes_in\":77,"
	    "\"bytes_out\":2750,\"queue_ms\":2,\"connect_ms\":3,\"total_ms\":109,\"pool\":\"api\",\"rule\":\"to-api\"}");
	r = (struct line_record){ .service = TEXT("s"),
		.client = &six,
		.client_port = 1,
		.state = "SC--",
		.began_ms = 1233918854655,
		.accepted_ms = 1233918854655,
		.phase_ms = { 0, 2, -1, -1, 9 },
		.open_ms = 9 };
	want(access_log_haproxy, false, "", &r,
	    "fd00::1:1 [06/Feb/2009:11:14:14.655] s s/<NOSRV> 2/-1/9 0 SC 0/0/0/0/0 0/0");
	r.http = true;
	want(access_log_custom, true, "%r|%ST|%Td|%si:%sp|%body|%HQ|%referer|%tsc|%{+Q}s", &r,
	    "<BADREQ>|-1|-1|-:0|-|-|-|SC--|\"<NOSRV>\"");
}

static void
test_words(void **state)
{
	static const struct {
		const char *format, *line;
	} rows[] = {
		{ "%HM %HP %HQ %HU", "GET /x ?y=#22z /x?y=#22z" },
		{ "%Ts.%ms %iso", "1233918854.655 2009-02-06T11:14:14.655Z" },
		{ "%t %tr", "06/Feb/2009:11:14:14.000 06/Feb/2009:11:14:14.655" },
		{ "%Tq %TR %Tw %Tc %Tr %Td %Ta %Tt", "1 1 2 3 69 34 109 109" },
		{ "%tries %rc %rt %U %fp", "1 +1 2 77 80" },
		{ "%{+Q}agent 100%%", "\"curl/8 #22x#22\" 100%" },
		{ "%ID %b", "- web" },
	};
	struct line_record r = known();

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		want(access_log_custom, true, rows[i].format, &r, rows[i].line);
}

/* Numbers of every length. */
static void
test_numbers(void **state)
{
	struct line_record r = known();
	char text[32];

	(void)state;
	for (uint64_t v = 1; v < UINT64_MAX / 10; v *= 10)
		for (int d = -1; d <= 1; d++) {
			r.bytes_out = v + (uint64_t)(int64_t)d;
			(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)r.bytes_out);
			want(access_log_custom, true, "%B", &r, text);
		}
	r.bytes_out = UINT64_MAX;
	want(access_log_custom, true, "%B", &r, "18446744073709551615");
}

/* Whatever bytes are in it: no control character, no quote that ends the text, JSON that is UTF-8. */
static void
test_chosen_bytes(void **state)
{
	struct line_record r = known();
	char all[256];

	(void)state;
	for (unsigned i = 0; i < 256; i++)
		all[i] = (char)i;
	r.agent = (struct line_text){ all, sizeof(all) };
	for (unsigned word = access_log_haproxy; word <= access_log_custom; word++) {
		struct line_format *f = line_format_new(word, true, "\"%agent\"");
		static char out[LINE_ROOM];
		struct line_clock clock = { 0 };
		size_t n = line_write(f, &clock, &r, out);

		for (size_t i = 0; i < n; i++)
			if ((unsigned char)out[i] < 0x20 || (unsigned char)out[i] >= 0x7f)
				fail_msg(
				    "format %u: byte %02x at %zu", word, (unsigned char)out[i], i);
		line_format_free(f);
	}
	r.agent = (struct line_text)TEXT("\xc3\xa9\xff\n\"\\#");
	want(access_log_custom, true, "%agent", &r, "#C3#A9#FF#0A#22\\#23");
}

/* The longest JSON line of all has room. */
static void
test_longest(void **state)
{
	static char bad[LINE_TARGET], out[LINE_ROOM];
	struct line_format *f = line_format_new(access_log_json, true, "");
	struct line_record r = known();
	struct line_clock clock = { 0 };
	size_t n;

	(void)state;
	memset(bad, 0x80, sizeof(bad));
	r.target = (struct line_text){ bad, LINE_TARGET };
	r.service = (struct line_text){ bad, 63 };
	r.server = r.method = r.host = r.referer = r.agent = r.id =
	    (struct line_text){ bad, LINE_TEXT };
	n = line_write(f, &clock, &r, out);
	assert_true(n < LINE_MAX_BYTES);
	assert_int_equal(out[n - 1], '}');
	line_format_free(f);
	f = line_format_new(access_log_custom, true, "%HU%HU%HU%HU%HU%HU%HU");
	assert_int_equal(line_write(f, &clock, &r, out), LINE_MAX_BYTES);
	line_format_free(f);
}

static void
test_same(void **state)
{
	struct line_format *a = line_format_new(access_log_custom, true, "%ci"),
			   *b = line_format_new(access_log_custom, true, "%ci"),
			   *c = line_format_new(access_log_custom, true, "%cp"),
			   *d = line_format_new(access_log_haproxy, true, ""),
			   *e = line_format_new(access_log_haproxy, false, "");

	(void)state;
	assert_null(line_format_new(access_log_off, true, "%ci"));
	assert_true(line_format_same(NULL, NULL) && line_format_same(a, b));
	assert_false(
	    line_format_same(a, c) || line_format_same(a, NULL) || line_format_same(NULL, a));
	assert_false(line_format_same(d, e));
	line_format_free(a);
	line_format_free(b);
	line_format_free(c);
	line_format_free(d);
	line_format_free(e);
	line_format_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_chosen_bytes),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_same),
	};

	(void)setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
