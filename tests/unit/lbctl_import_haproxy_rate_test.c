/* Stick tables that count, values in files, error pages: what tests and lines become, and why some do not. */
#include "import_rig.h"

#include <stdio.h>

#define HEAD                                                                                                  \
	"defaults\n mode http\n timeout connect 1s\n timeout client 2s\n timeout server 3s\n"                 \
	"backend t\n stick-table type ip size 1m store http_req_rate(5m),conn_rate(3s),conn_cur\n"            \
	"frontend f\n bind 10.0.0.1:80\n default_backend b\n"                                                 \
	"stick-table type ip size 1m store http_req_rate(10s),http_err_rate(1h),bytes_in_rate(90s),conn_cur," \
	"bytes_out_rate(1500ms),conn_rate(2d),gpc0\n"
#define BACK "backend b\n server s 10.0.0.2:1\n"
#define DENY "http-request deny if { "

/* One test, with what tracks before it. */
static void
test_tests(void **state)
{
	static const struct {
		const char *tracks, *test, *when; /* when: NULL: refused, and why */
		const char *why;
	} rows[] = {
		{ "http-request track-sc0 src", "sc_http_req_rate(0) gt 5",
		    "rate(requests, src/32/128, 10s) > 5", NULL },
		{ "http-request track-sc0 src", "sc0_http_req_rate ge 5",
		    "rate(requests, src/32/128, 10s) >= 5", NULL },
		{ "http-request track-sc1 src table t", "sc1_http_req_rate gt 5",
		    "rate(requests, src/32/128, 300s) > 5", NULL },
		{ "http-request track-sc0 src", "sc_http_req_rate(0,t) gt 5",
		    "rate(requests, src/32/128, 300s) > 5", NULL },
		{ "tcp-request connection track-sc2 src,ipmask(24) table t", "sc2_conn_rate gt 5",
		    "rate(connections, src/24/128, 3s) > 5", NULL },
		{ "tcp-request connection track-sc0 src,ipmask(24,56)", "sc0_conn_cur gt 5",
		    "conns(src/24/56) > 5", NULL },
		{ "", "src_http_req_rate gt 5", "rate(requests, src/32/128, 10s) > 5", NULL },
		{ "", "src_conn_rate(t) gt 5", "rate(connections, src/32/128, 3s) > 5", NULL },
		{ "", "src_conn_cur 5:9", "(conns(src/32/128) >= 5 and conns(src/32/128) <= 9)",
		    NULL },
		{ "http-request track-sc0 hdr(X-Key)", "sc0_http_err_rate gt 5",
		    "rate(errors, header(X-Key), 3600s) > 5", NULL },
		{ "http-request track-sc0 hdr_ip(X-Forwarded-For,-1)", "sc0_bytes_in_rate gt 5",
		    "rate(bytes_in, header(X-Forwarded-For), 90s) > 5", NULL },
		{ "http-request track-sc0 req.hdr(Host)", "sc0_http_req_rate gt 5",
		    "rate(requests, host, 10s) > 5", NULL },
		{ "http-request track-sc0 req.cook(SID)", "sc0_http_req_rate gt 5",
		    "rate(requests, cookie(SID), 10s) > 5", NULL },
		{ "http-request track-sc0 url_param(id)", "sc0_http_req_rate gt 5",
		    "rate(requests, param(id), 10s) > 5", NULL },
		/* Refused. */
		{ "http-request track-sc0 base32+src", "sc0_http_req_rate gt 5", NULL,
		    "it is not counted by that" },
		{ "", "sc0_http_req_rate gt 5", NULL, "no track-sc rule says by what" },
		{ "http-request track-sc0 src table none", "sc0_http_req_rate gt 5", NULL,
		    "no stick-table of that name counts it" },
		{ "http-request track-sc0 src", "sc0_sess_rate gt 5", NULL,
		    "no stick-table of that name counts it" },
		{ "http-request track-sc0 src", "sc0_bytes_out_rate gt 5", NULL,
		    "the time of a rate is whole seconds" },
		{ "http-request track-sc0 src", "sc0_conn_rate gt 5", NULL,
		    "the time of a rate is whole seconds, from 1s to 1d" },
		{ "http-request track-sc0 hdr(X)", "sc0_conn_cur gt 5", NULL,
		    "connections are counted by address" },
		{ "http-request track-sc0 src", "sc0_get_gpc0 gt 5", NULL,
		    "counted are requests, errors, bytes" },
		{ "", "src_inc_gpc0(t) gt 5", NULL, "counted are requests, errors, bytes" },
		{ "", "sc0_ gt 5", NULL, "counted are requests, errors, bytes" },
		{ "", "sc", NULL, "there is no such field" },
		{ "", "s", NULL, "there is no such field" },
		{ "", "so_id 5", NULL, "there is no such field" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = { 0 }, yaml = { 0 };
		struct row row;

		buf_printf(&text, HEAD "%s\n" DENY "%s }\n" BACK, rows[i].tracks, rows[i].test);
		if (rows[i].when != NULL)
			buf_printf(
			    &yaml, "...        when: %s\n        action: deny\n", rows[i].when);
		else
			buf_puts(&yaml, "...rips:\n      s:\n        address: 10.0.0.2\n");
		row = (struct row){ buf_text(&text), buf_text(&yaml), rows[i].why };
		print_message("%s | %s\n", rows[i].tracks, rows[i].test);
		check_row(import_haproxy, &row, NULL);
		buf_fini(&text);
		buf_fini(&yaml);
	}
}

static void
test_lines(void **state)
{
	static const struct row rows[] = {
		{ HEAD
		    "http-request track-sc0 src\nhttp-request track-sc1 path if { path_beg /x }\n"
		    "http-request track-sc2 hdr(X,-1)\nhttp-request track-sc3 base32\n" BACK,
		    "...",
		    "line 6: mapped: backend t: its table counts\n"
		    "line 7: mapped with a difference: stick-table type ip size 1m store http_req_rate(5m)\n"
		    "line 11: not supported: stick-table\nthere is nothing like gpc0\n"
		    "line 12: mapped: http-request track-sc0 src\n"
		    "line 13: mapped with a difference: http-request track-sc1 path\n"
		    "line 14: mapped with a difference: http-request track-sc2 hdr(X,-1): rule.when (rate) counts by the first\n"
		    "line 15: not supported: http-request track-sc3 base32" },
		/* A table that has servers' clients counts nothing. */
		{ "listen l\n bind 10.0.0.1:80\n stick-table type ip size 1m expire 9s store server_id\n"
		  " server s 10.0.0.2\n",
		    "...persist_timeout: 9s", "line 3: mapped: stick-table" },
		/* Sections that are left out say it of each line. */
		{ "frontend f\n mode http\n http-request deny\n use_backend b if TRUE\nbackend b\n http-request deny\n",
		    "{}\n",
		    "line 3: not supported: http-request deny: left out\n"
		    "line 4: not supported: use_backend b if TRUE: left out\n"
		    "line 6: not supported: http-request deny: left out" },
	};

	(void)state;
	CHECK_ROWS(import_haproxy, rows);
}

/* Files that may be read, by their names. */
static int
include(void *arg, const char *pattern, const char *from, import_each_fn each, void *each_arg,
    struct err *err)
{
	static const char *const files[][2] = {
		{ "good", "HTTP/1.0 503 Service Unavailable\r\nContent-Type: text/plain\r\n"
			  "Retry-After: 30\r\nCache-Control: no-cache\r\n\r\nsoon\n" },
		{ "more", "HTTP/1.1 403 No\nX-A: b\n\nno\n" },
		{ "empty", "HTTP/1.1 404 No\n\n" },
		{ "bare", "just text\n" },
		{ "cut", "HTTP/1.1 403 No\nX-A: b\n" },
		{ "odd", "HTTP/1.1 403 No\nno field\n\nx" },
		{ "low", "HTTP/1.1 100 Continue\n\n" },
		{ "list", "192.0.2.1\n" },
	};

	(void)arg;
	(void)from;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (strcmp(pattern, files[i][0]) == 0)
			return each(each_arg, pattern, files[i][1], strlen(files[i][1]), err);
	return err_set(err, ERR_UNKNOWN, "%s: no such file", pattern);
}

/* What became of lines in a listen, with its files. */
static void
check_files(const char *lines, const char *yaml, const char *report)
{
	struct buf text = { 0 }, out = { 0 }, said = { 0 };
	struct err err = { 0 };
	struct import im;

	buf_printf(&text,
	    "http-errors g\n errorfile 403 more\n errorfile 404 empty\nlisten l\n mode http\n"
	    " bind 10.0.0.1:80\n server s 10.0.0.2\n%s",
	    lines);
	import_init(&im);
	im.include = include;
	assert_int_equal(import_haproxy(&im, buf_text(&text), text.len, &err), 0);
	assert_int_equal(import_finish(&im, &err), 0);
	import_write(&im, false, "", &out);
	import_report(&im, &said);
	if (strstr(buf_text(&out), yaml) == NULL)
		fail_msg("not in the YAML: %s\n%s", yaml, buf_text(&out));
	has_lines(report, buf_text(&said));
	import_fini(&im);
	buf_fini(&text);
	buf_fini(&out);
	buf_fini(&said);
}

static void
test_pages(void **state)
{
	(void)state;
	check_files("errorfile 503 good\n",
	    "page:\n  good:\n    status: 503\n    content_type: text/plain\n    retry_after: 30s\n"
	    "    body: |\n      soon\n",
	    "line 8: mapped: errorfile 503 good: vip.error_pages, page");
	check_files(
	    "errorfile 503 good\nerrorfile 503 more\nerrorloc 403 /no\nerrorfile 404 empty\n",
	    "error_pages: 503=more,403=302 /no,404=empty\n",
	    "line 9: mapped with a difference: errorfile 503 more: vip.error_pages, page: without further header");
	check_files("errorfiles g\n", "error_pages: 403=more,404=empty\n",
	    "line 8: mapped with a difference: errorfiles g");
	check_files("errorfiles g 404 500\n", "error_pages: 404=empty\n",
	    "line 8: mapped: errorfiles g 404 500");
	check_files("errorfiles x\nerrorfiles g 500\n", "address: 10.0.0.1\n",
	    "line 8: not supported: errorfiles x: vip.error_pages: no section http-errors\nline 9: not supported");
	check_files(
	    "errorfile 403 bare\nerrorfile 403 cut\nerrorfile 403 odd\nerrorfile 403 low\nerrorfile 403 none\n"
	    "errorfile 200 good\nerrorfile 403\n",
	    "address: 10.0.0.1\n",
	    "line 8: not supported: errorfile 403 bare: vip.error_pages: it does not begin with a status line\n"
	    "line 9: not supported: errorfile 403 cut: vip.error_pages: its head has no end\n"
	    "line 10: not supported: errorfile 403 odd: vip.error_pages: a line of its head\n"
	    "line 11: not supported: errorfile 403 low: vip.error_pages: its status\n"
	    "line 12: not supported: errorfile 403 none: vip.error_pages: none: no such file\n"
	    "line 13: not supported: errorfile 200 good: vip.error_pages: \n"
	    "line 14: not supported: errorfile 403: vip.error_pages: a status and a file");
	check_files(
	    "http-error status 429 content-type text/x string \"a b\" hdr X y\nhttp-error status 403 file bare\n"
	    "http-error status 404 lf-string %[src]\nhttp-error status 404 errorfiles g\n",
	    "error_pages: 429=error-429,403=bare,404=empty\n",
	    "line 8: mapped with a difference: http-error status 429\nline 9: mapped: http-error status 403 file bare\n"
	    "line 10: not supported: http-error status 404 lf-string\nline 11: mapped: http-error status 404 errorfiles g");
}

static void
test_lists(void **state)
{
	static const struct {
		const char *test, *when, *kind; /* when NULL: refused */
		bool differs;
	} rows[] = {
		{ "src -f list", "src in @list", "address", false },
		{ "src -f list -f other", "src in @list,@other", "address", false },
		{ "src -f list 10.0.0.0/8", "(src in @list or src in 10.0.0.0/8)", "address",
		    false },
		{ "path -f list", "path in @list", "word", false },
		{ "path -i -f list", "path in @list", "word_nocase", false },
		{ "hdr(X-A) -m str -f list", "header(X-A) in @list", "word", false },
		{ "path_beg -f list", "path in @list", "prefix", false },
		{ "hdr(host) -f list", "host in @list", "word_nocase", true },
		{ "hdr_dom(host) -i -f list", "host in @list", "suffix", true },
		{ "path_beg -i -f list", NULL, NULL, false },
		{ "path_reg -f list", NULL, NULL, false },
		{ "path_end -f list", NULL, NULL, false },
		{ "dst_port -f list", NULL, NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char lines[200], yaml[200], said[200];

		(void)snprintf(lines, sizeof(lines), "http-request deny if { %s }\n", rows[i].test);
		print_message("%s\n", rows[i].test);
		if (rows[i].when == NULL) {
			check_files(lines, "address: 10.0.0.1\n",
			    "line 8: not supported: http-request deny");
			continue;
		}
		(void)snprintf(yaml, sizeof(yaml), "        when: %s\n", rows[i].when);
		check_files(lines, yaml,
		    "line 8: mapped with a difference: list: list list: it is in the YAML, its entries are not: "
		    "lbctl list load list list");
		(void)snprintf(said, sizeof(said), "list:\n  list:\n    kind: %s\n", rows[i].kind);
		check_files(lines, said,
		    rows[i].differs ? "line 8: mapped with a difference: http-request deny"
				    : "line 8: mapped: http-request deny");
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tests),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
