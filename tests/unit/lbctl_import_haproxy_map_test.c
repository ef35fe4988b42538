/* Backends that a map names, answers that a rule gives, priorities: what lines become, and why some do not. */
#include "import_rig.h"

#include <stdio.h>
#include <stdlib.h>

#define HEAD                                                                                  \
	"defaults\n mode http\n timeout connect 1s\n timeout client 2s\n timeout server 3s\n" \
	"frontend f\n bind 10.0.0.1:80\n"
#define BACK                                                                          \
	"default_backend app\n"                                                       \
	"backend app\n server s 10.0.0.2:1\nbackend one\n server s 10.0.0.3:1\n"      \
	"backend two\n server s 10.0.0.4:1\nbackend bk_three\n server s 10.0.0.5:1\n" \
	"backend ruled\n http-request set-header X y\n http-response del-header Z\n"  \
	" server s 10.0.0.6:1\nbackend stream\n mode tcp\n server s 10.0.0.7:1\n"     \
	"backend f\n server s 10.0.0.8:1\n"

static const char *many; /* of the file "many" */

static int
include(void *arg, const char *pattern, const char *from, import_each_fn each, void *each_arg,
    struct err *err)
{
	const char *const files[][2] = {
		{ "hosts", "# of hosts\n www.example.org   one \r\n\nb.example.org\ttwo\n" },
		{ "gone", "a.example.org nothing\nb.example.org one\n" },
		{ "apps", "a.example.org app\nb.example.org one\n" },
		{ "ruled", "a.example.org ruled\nb.example.org one\nc.example.org one\n" },
		{ "capital", "A.example.org one\nb.example.org two\n" },
		{ "odd", "a.example.org one\nb.example.org 'two'\n" },
		{ "own", "a.example.org f\n" },
		{ "domains", "example.org one\nexample.net two\n" },
		{ "shadow", "example.org one\nx.example.org two\n" },
		{ "label", "www one\n" },
		{ "paths", "/a one\n/a/b two\n" },
		{ "three", "/a three\n" },
		{ "regs", "^/[0-9]+$ one\n^/[0-9]+/ one\nx two\n" },
		{ "bad", "( one\n" },
		{ "nets", "10.0.0.0/8 one\n10.1.0.0/16 two\n" },
		{ "bits", "10.0.0.1/8 one\n10.1.1.1/16 two\n" },
		{ "many", many },
		{ "text", "User-agent: *\r\nDisallow: /\r\n" },
		{ "format", "%[src]\n" },
		{ "page",
		    "HTTP/1.0 503 Service Unavailable\r\nContent-Type: text/html\r\nX-A: b\r\n\r\n<p>down\n" },
	};

	(void)arg;
	(void)from;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (strcmp(pattern, files[i][0]) == 0)
			return each(each_arg, pattern, files[i][1], strlen(files[i][1]), err);
	return err_set(err, ERR_UNKNOWN, "%s: no such file", pattern);
}

/* Lines of a frontend: what must be in the YAML, what must not (NULL), and the report. */
static void
check(const char *lines, const char *yaml, const char * not, const char *report)
{
	struct buf text = { 0 }, out = { 0 }, said = { 0 };
	struct err err = { 0 };
	struct import im;

	print_message("%s", lines);
	buf_printf(&text, HEAD "%s\n" BACK, lines);
	import_init(&im);
	im.include = include;
	assert_int_equal(import_haproxy(&im, buf_text(&text), text.len, &err), 0);
	assert_int_equal(import_finish(&im, &err), 0);
	import_write(&im, false, "", &out);
	import_report(&im, &said);
	if (strstr(buf_text(&out), yaml) == NULL)
		fail_msg("not in the YAML: %s\n%s", yaml, buf_text(&out));
	if (not != NULL && strstr(buf_text(&out), not ) != NULL)
		fail_msg("in the YAML: %s\n%s", not, buf_text(&out));
	has_lines(report, buf_text(&said));
	import_fini(&im);
	buf_fini(&text);
	buf_fini(&out);
	buf_fini(&said);
}

#define LIST "line 8: mapped with a difference: "
#define USE(n, when, what)                                                                        \
	"      00" n "-use:\n        order: " n "\n        when: " when "\n        action: use\n" \
	"        " what "\n"
#define ALLOW(n, when)                                                    \
	"      00" n "-allow:\n        order: " n "\n        when: " when \
	"\n        action: allow\n"

/* A list, and one rule. */
static void
test_lists(void **state)
{
	(void)state;
	check("use_backend %[req.hdr(host),lower,map(hosts,two)]\n",
	    USE("10", "host in @hosts", "pool_by: \"{value}\"")
		USE("20", "not host in @hosts", "pool: two"),
	    "0030-",
	    LIST
	    "hosts: list hosts: it is in the YAML, its entries are not: lbctl list load hosts hosts\n" LIST
	    "use_backend %[req.hdr(host),lower,map(hosts,two)]: rule (action use): pool_by={value}: a host without");
	check("use_backend %[req.hdr(host),lower,map(hosts)]\n",
	    "list:\n  hosts:\n    kind: word_nocase\n", "0020-",
	    "backend one: vip without address");
	check("use_backend %[hdr(host),lower,map_dom(domains)]\n", "kind: suffix\n", "0020-",
	    "pool_by={value}: names that end in an entry, not those that have it in their middle");
	check("use_backend bk_%[path,map_beg(three)]\n",
	    USE("10", "path in @three", "pool_by: bk_{value}"), "0020-",
	    "line 8: mapped: use_backend bk_%[path,map_beg(three)]: rule (action use)\n"
	    "backend bk_three: vip without address");
	check("use_backend %[src,map_ip(nets)]\n",
	    USE("10", "src in @nets", "pool_by: \"{value}\""), "0020-",
	    "line 8: mapped: use_backend %[src,map_ip(nets)]");
	/* A name of no backend ends the choice; what stands behind is for others. */
	check(
	    "use_backend %[hdr(host),lower,map(hosts)] if { path_beg /a }\nuse_backend two if { method GET }\n",
	    "when: method is GET and not path starts /a\n", NULL,
	    "line 9: mapped: use_backend two");
	check("use_backend %[hdr(host),lower,map(hosts)]\nuse_backend two\n",
	    "pool_by: \"{value}\"\n", "0020-", "line 9: mapped: use_backend two: never reached");
}

/* Each run of entries is a rule. */
static void
test_runs(void **state)
{
	(void)state;
	check("use_backend %[hdr(host),lower,map(ruled)]\n",
	    "0010-set-header:\n        order: 10\n        when: host is a.example.org\n        action: set_header\n"
	    "        header: X\n        value: \"y\"\n" USE("20", "host is a.example.org",
		"pool: ruled") USE("30", "host in b.example.org,c.example.org", "pool: one"),
	    "@ruled",
	    "use_backend %[hdr(host),lower,map(ruled)]: rule (action use): the entries that the map has now, as rules "
	    "(a backend has rules of its own, or another name here)");
	/* Lowered values never have the capital. */
	check("use_backend %[hdr(host),lower,map(capital)]\n",
	    USE("10", "host is b.example.org", "pool: two"), "A.example", LIST);
	check("use_backend %[hdr(host),map(odd)]\n",
	    USE("10", "host is a.example.org", "pool: one") ALLOW("20", "host is b.example.org"),
	    "@odd", "a list cannot have an entry as it is");
	/* Names that are no pools here: a list with them is refused. */
	check("use_backend %[hdr(host),map_str(apps,app)] if { path_beg /a }\n",
	    ALLOW("10", "path starts /a and host is a.example.org")
		USE("20", "path starts /a and host is b.example.org", "pool: one"),
	    "0030-", "an entry names the default backend, which is no pool here");
	check("use_backend %[hdr(host),map(gone)]\n",
	    ALLOW("10", "host is a.example.org") USE("20", "host is b.example.org", "pool: one"),
	    "@gone", "an entry names no backend, and a list with it is refused");
	/* A pool of that name has another one here: the frontend has it. */
	check("use_backend %[hdr(host),map(own)]\n",
	    USE("10", "host is a.example.org", "pool: f-2"), NULL, LIST);
	/* The first entry counts with HAProxy, the longest in a list. */
	check("use_backend %[hdr(host),map_dom(shadow)]\n",
	    USE("10", "host under example.org", "pool: one")
		USE("20", "host under x.example.org", "pool: two"),
	    "@shadow", "the first entry counts, not the longest");
	check("use_backend %[hdr(host),map_dom(label)]\n",
	    "when: \"host matches '(^|[/?.:])www([/?.:]|$)'\"\n", "@label", LIST);
	check("use_backend %[path,map_reg(regs)]\n",
	    USE("10", "path matches '^/[0-9]+$','^/[0-9]+/'", "pool: one")
		USE("20", "path matches x", "pool: two"),
	    "@regs", "the first entry counts");
	check("use_backend %[hdr(X-A),map_end(domains)]\n",
	    USE("10", "header(X-A) ends example.org", "pool: one"), "@", LIST);
	/* The longest beginning, and the narrowest network, come first. */
	check("use_backend %[path,lower,map_beg(paths)]\n",
	    USE("10", "path matches '(?i)^/a/b'", "pool: two")
		USE("20", "path matches '(?i)^/a'", "pool: one"),
	    "@paths", LIST);
	many = "/a one\n/b one\n/c ruled\n";
	check("use_backend %[path,map(many,two)] if METH_POST\n",
	    USE("10", "method is POST and path in /a,/b",
		"pool: one") "      0020-set-header:\n        order: 20\n        when: method is POST and path is /c\n",
	    "@many", "(a backend has rules of its own");
}

/* A name of the request itself. */
static void
test_templates(void **state)
{
	(void)state;
	check("use_backend bk_%[req.hdr(X-Pool)]\n",
	    "      0010-use:\n        order: 10\n        action: use\n        pool_by: bk_{header(X-Pool)}\n",
	    "  one:\n", "line 8: mapped: use_backend bk_%[req.hdr(X-Pool)]: rule (action use)\n");
	check("use_backend %[req.hdr(X-Pool)] if { method GET }\n",
	    "0010-set-header:\n        order: 10\n        when: method is GET and header(X-Pool) is ruled\n"
	    "        action: set_header\n        header: X\n        value: \"y\"\n" USE(
		"20", "method is GET and header(X-Pool) is ruled", "pool: ruled")
		USE("30", "method is GET and header(X-Pool) is f", "pool: f-2")
		    USE("40", "method is GET", "pool_by: \"{header(X-Pool)}\""),
	    "stream", "backend one: vip without address");
}

static void
test_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "%[hdr(host),map(none)]", "bring the file of its map" },
		{ "%[hdr(host),map]", "has no counterpart" },
		{ "%[path,map_bin(hosts)]", "lengths, counts and truth" },
		{ "%[src,map(nets)]", "addresses are looked up by map_ip" },
		{ "%[path,map_ip(nets)]", "addresses are looked up by map_ip" },
		{ "%[src,map_ip(bits)]", "addresses and networks are compared" },
		{ "%[base,map(hosts)]", "there is no such field" },
		{ "%[path,url_dec,map(hosts)]", "converters" },
		{ "%[path,map(hosts),upper]", "has no counterpart" },
		{ "%[hdr(host),lower]", "has no counterpart" },
		{ "%[path]%[query]", "one field of the request" },
		{ "%HM", "one field of the request" },
		{ "a%[path", "one field of the request" },
		{ "%[path,map_sub(many)]", "more than 500 entries that cannot be a list" },
	};
	struct buf text = { 0 };

	(void)state;
	for (unsigned i = 0; i < 501; i++)
		buf_printf(&text, "x%u one\n", i);
	many = buf_text(&text);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char line[100], said[200];

		(void)snprintf(line, sizeof(line), "use_backend \"%s\"\n", rows[i][0]);
		(void)snprintf(said, sizeof(said),
		    "line 8: not supported: use_backend %s: rule (action use): \n%s", rows[i][0],
		    rows[i][1]);
		check(line, "  f:\n    address: 10.0.0.1\n", "action: use", said);
	}
	many = NULL;
	buf_fini(&text);
}

#define RULE(status, rest) "action: return\n        status: " status "\n" rest

static void
test_answers(void **state)
{
	(void)state;
	check("http-request return status 200 content-type text/plain file text\n",
	    RULE("200", "        body: |\n          User-agent: *\n          Disallow: /\n"
			"        content_type: text/plain\n"),
	    NULL, "line 8: mapped: http-request return");
	check("http-request return content-type text/plain lf-file text\n",
	    "action: return\n        body: |\n          User-agent: *\n", NULL,
	    "line 8: mapped: http-request return");
	check("http-request return content-type text/plain string \"a\\nb\\n\"\n",
	    "        body: |\n          a\n          b\n", NULL,
	    "line 8: mapped: http-request return");
	check("http-request return status 503 errorfile page\n",
	    RULE("503", "        body: |\n          <p>down\n        content_type: text/html\n"),
	    "page:\n",
	    "line 8: mapped with a difference: http-request return status 503 errorfile page: rule: action return: without further");
	check("http-request return status 307 hdr Location /a%[path]\n",
	    "action: redirect\n        status: 307\n        location: /a{path}\n", NULL,
	    "line 8: mapped: http-request return");
	check("http-request return status 204 hdr X-A b hdr X-B c\n", RULE("204", ""), NULL,
	    "line 8: mapped with a difference: http-request return status 204 hdr X-A b hdr X-B c: rule: action return: without X-A, X-B");
	check("http-request return status 404 default-errorfiles\n",
	    "action: deny\n        status: 404\n", NULL, "line 8: mapped: http-request return");
	check("http-request deny deny_status 410 content-type text/plain string gone\n",
	    RULE("410", "        body: gone\n        content_type: text/plain\n"), NULL,
	    "line 8: mapped: http-request deny");
	check("http-request deny content-type text/plain lf-string %[src]\n", "action: deny\n",
	    "status: 403",
	    "line 8: mapped with a difference: http-request deny content-type text/plain lf-string %[src]: rule: action deny: the answer is a page");
	check("http-request tarpit deny_status 429 content-type text/plain string x\n",
	    "action: tarpit\n        status: 429\n", NULL, "line 8: mapped with a difference");
	check(
	    "http-request return lf-string %[src]\nhttp-request return lf-file format content-type text/plain\n"
	    "http-request return errorfile none\nhttp-request return errorfiles none\n"
	    "http-request return default-errorfiles\nhttp-request return status 99\n",
	    "    rips:\n", "rules:",
	    "line 8: not supported: http-request return lf-string %[src]: rule: the text of action return is the same for all\n"
	    "line 9: not supported: http-request return lf-file format\nline 10: not supported\n"
	    "line 11: not supported: http-request return errorfiles none: rule: its section http-errors has no file\n"
	    "line 12: not supported\nline 13: not supported");
}

static void
test_priorities(void **state)
{
	(void)state;
	check(
	    "http-request set-priority-class int(-5) if { path /a }\nhttp-request set-priority-class int(9999)\n"
	    "http-request set-priority-class -9999\nuse_backend one\n",
	    "when: path is /a\n        action: set_priority\n        priority: \"-5\"\n"
	    "      0020-set-priority:\n        order: 20\n        action: set_priority\n        priority: 2047\n"
	    "      0030-set-priority:\n        order: 30\n        action: set_priority\n        priority: \"-2047\"\n"
	    "      0040-use:\n",
	    NULL, "line 8: mapped: http-request set-priority-class\nline 9: mapped: ");
	check("http-request set-priority-class hdr(X)\nhttp-request set-priority-offset int(5)\n"
	      "http-request set-priority-class\n",
	    "    rips:\n", "rules:",
	    "line 8: not supported: http-request set-priority-class hdr(X): rule: a priority is one number\n"
	    "line 9: not supported: http-request set-priority-offset int(5): action set_priority says who goes first\n"
	    "line 10: not supported");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_templates),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_priorities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
