/* Templates and what stands in their lines: whatever is taken makes a line without control characters; JSON stays JSON,
 * whatever bytes a client chose. First byte: length of the template. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lbd-proxy/log/line.h"
#include "schema/log_format.h"

static void
want(bool ok)
{
	if (!ok)
		abort();
}

/* A string of JSON ends at the first quote that no backslash stands before. */
static void
check_json(const char *p, size_t n)
{
	unsigned depth = 0;
	bool in = false;

	for (size_t i = 0; i < n; i++) {
		if (in && p[i] == '\\') {
			want(i + 5 < n && p[i + 1] == 'u' && p[i + 2] == '0' && p[i + 3] == '0');
			i += 5;
		} else if (p[i] == '"') {
			in = !in;
		} else if (!in) {
			depth += p[i] == '{';
			want(p[i] != '}' || i == n - 1);
		}
	}
	want(!in && depth == 1 && p[n - 1] == '}');
}

static void
check(unsigned word, const char *custom, const struct line_record *r)
{
	static char out[LINE_ROOM];
	struct line_format *f = line_format_new(word, r->http, custom);
	struct line_clock clock = { 0 };
	size_t n = line_write(f, &clock, r, out);

	want(n <= LINE_MAX_BYTES);
	for (size_t i = 0; i < n; i++)
		want(out[i] == '\0' ? false : (unsigned char)out[i] >= 0x20 && out[i] != 0x7f);
	if (word == access_log_json)
		check_json(out, n);
	line_format_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct addr client = { .family = 4, .len = 32, .b = { 192, 0, 2, 1 } };
	struct log_item items[LOG_ITEMS_MAX];
	struct line_record r = { .client = &client, .state = "----" };
	char format[256];
	size_t n, rest;

	if (size < 2)
		return 0;
	n = data[0] < size - 1 ? data[0] : size - 1;
	memcpy(format, data + 1, n);
	format[n] = '\0';
	for (size_t i = 0; i < n; i++) /* as the schema has it: text without control characters */
		if ((unsigned char)format[i] < 0x20 || format[i] == 0x7f)
			format[i] = ' ';
	rest = size - 1 - n;
	r.http = (data[size - 1] & 1) != 0;
	r.method = (struct line_text){ (const char *)data + 1 + n,
		(uint32_t)(rest < LINE_TEXT ? rest : LINE_TEXT) };
	r.host = r.referer = r.agent = r.id = r.method;
	r.service = r.server = r.version = (struct line_text){ "HTTP/1.1", 8 }; /* never foreign */
	r.target =
	    (struct line_text){ r.method.p, (uint32_t)(rest < LINE_TARGET ? rest : LINE_TARGET) };
	check(access_log_haproxy, "", &r);
	check(access_log_json, "", &r);
	if (r.http)
		check(access_log_combined, "", &r);
	if (log_format_parse(format, items, NULL) >= 0)
		check(access_log_custom, format, &r);
	return 0;
}
