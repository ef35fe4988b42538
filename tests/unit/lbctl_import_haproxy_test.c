/* haproxy.cfg as rows of ours: sections and defaults, binds, servers, checks, persistence, rules, and what is refused. */
#include "import_rig.h"

#define D "defaults\n mode http\n timeout connect 1s\n timeout client 2s\n timeout server 3s\n"
#define TIMES                                                \
	"    connect_timeout: 1s\n    request_timeout: 2s\n" \
	"    client_timeout: 2s\n    server_timeout: 3s\n"   \
	"    keep_timeout: 2s\n    queue_timeout: 1s\n"

static void
test_sections(void **state)
{
	static const struct row rows[] = {
		/* A frontend with one backend is one service. */
		{ D "frontend f\n bind 10.0.0.1:80\n default_backend b\n"
		    "backend b\n server s 10.0.0.2:8080\n",
		    "check:\n  untested:\n    kind: none\n"
		    "vip:\n  f:\n    address: 10.0.0.1\n    ports: 80\n    mode: http\n    scheduler: wrr\n"
		    "    check: untested\n    forwarded_for: \"off\"\n" TIMES
		    "    rips:\n      s:\n        address: 10.0.0.2\n        port: 8080\n",
		    "line 6: mapped: frontend f: vip\nline 8: mapped: default_backend b\n"
		    "line 9: mapped: backend b: its servers are those of a vip" },
		/* Defaults by name, and those that stand above. */
		{ "defaults a\n mode http\n timeout client 7s\ndefaults\n mode tcp\n timeout client 8s\n"
		  "listen x from a\n bind 10.0.0.1:1\n server s 10.0.0.2:1\n"
		  "listen z\n bind 10.0.0.1:2\n server s 10.0.0.2:1\n",
		    "...  z:\n    address: 10.0.0.1\n    ports: 2\n    mode: tcp\n    scheduler: wrr\n"
		    "    check: untested\n    tunnel_timeout: 8s\n",
		    "timeouts that are not said are those of lbd: server 60s connect 5s" },
		{ "defaults from b\nlisten x from nothing\n bind 10.0.0.1:1\n server s 10.0.0.2:1\n",
		    "...",
		    "line 1: not supported: defaults from b: there are no such defaults\n"
		    "line 2: not supported: listen x from nothing: there are no such defaults" },
		/* What nobody sends to. */
		{ "backend b\n server s 10.0.0.2:80\nfrontend f\n bind 10.0.0.1:80\n default_backend c\n",
		    "...",
		    "line 1: not supported: backend b: left out\n"
		    "line 5: not supported: default_backend c: there is no such backend" },
		/* Addresses: one service for each, and one with TLS. */
		{ "listen l\n bind 10.0.0.1:80,10.0.0.1:81-83,[fd00::1]:80\n bind 10.0.0.1:90\n server s 10.0.0.2\n",
		    "...ports: 80-83,90\n",
		    "line 1: mapped with a difference: listen l: vip: one for each address" },
		{ "listen l\n bind *:80\n server s 10.0.0.2\n", "{}\n",
		    "line 2: not supported: *:80: left out: a vip has one address" },
		{ "listen l 10.0.0.1:80\n server s 10.0.0.2\n",
		    "...address: 10.0.0.1\n    ports: 80\n",
		    "line 1: mapped: listen l 10.0.0.1:80: vip.address" },
		{ "listen l\n bind unix@/x\n bind 10.0.0.1:0\n bind 10.0.0.1:9-8\n bind a.b:80\n server s 10.0.0.2\n",
		    "{}\n",
		    "line 2: not supported: unix@/x\nline 3: not supported: 10.0.0.1:0\n"
		    "line 4: not supported: 10.0.0.1:9-8\nline 5: not supported: a.b:80" },
		{ "listen l\n bind :99999\n bind 10.0.0.1:80-70000\n bind 10.0.0.1:0-9\n server s 10.0.0.2\n",
		    "{}\n",
		    "line 2: not supported: :99999: vip.ports: \"99999\" is not allowed: 1 to 65535\n"
		    "line 3: not supported: 10.0.0.1:80-70000: vip.ports: \"80-70000\"\n"
		    "line 4: not supported: 10.0.0.1:0-9: vip.ports: \"0-9\"" },
		{ "listen l\n bind 10.0.0.1:443 ssl crt /none.pem\n server s 10.0.0.2\n",
		    "...  l:\n    enabled: no\n    address: 10.0.0.1\n",
		    "line 2: not supported: /none.pem: cert: bring this file\nvip.tls: without its certificate" },
		{ "", "{}\n", "0 mapped, 0 mapped with a difference, 0 not supported" },
	};

	(void)state;
	CHECK_ROWS(import_haproxy, rows);
}

static void
test_words(void **state)
{
	static const struct row rows[] = {
		/* Quotes, escapes, comments. */
		{ "listen l # here\n bind 10.0.0.1:80#there\n server a\\ b '10.0.0.2':\"80\"\n",
		    "...a-b:\n        address: 10.0.0.2\n        port: 80", NULL },
		{ "listen l\n description \"a \\\"b\\\" \\x41\" '\\x \"$\"' c\\#d\n bind 10.0.0.1:80\n server s 10.0.0.2\n",
		    "...comment: \"a \\\"b\\\" A \\\\x \\\"$\\\" c#d\"\n", NULL },
		/* The environment. */
		{ "listen l\n bind 10.0.0.1:80\n server a \"${A}:80\"\n server b \"$B\"\n server c ${C}:80\n"
		  " server d '10.0.0.2':80\n",
		    "...rips:\n      d:\n",
		    "line 3: not supported: server a ${A}:80: variables\nline 4: not supported: server b\n"
		    "line 5: not supported: server c" },
		{ "listen \"$X\"\n bind 10.0.0.1:80\n", "{}\n",
		    "line 1: not supported: listen $X: variables\nline 2: not supported: bind 10.0.0.1:80: its section" },
		{ ".if feature(X)\nlisten l\n.else\n bind 10.0.0.1:80\n.endif\nglobal\n daemon\n",
		    "{}\n",
		    "line 1: not supported: .if feature(X)\nline 4: not supported: bind 10.0.0.1:80: left out\n"
		    "line 7: mapped: daemon" },
		/* Passwords are not repeated. */
		{ "userlist u\n user tiger password scotch\nlisten l\n stats auth a:scotch\n"
		  " http-request set-header Authorization scotch\n",
		    "{}\n",
		    "line 2: not supported: user tiger: clients\n"
		    "line 4: mapped with a difference: stats auth: the panel" },
		{ "listen 'l\n", NULL, "line 1: a quote that does not end" },
		{ "listen l\\x0\n", NULL, "line 1: \\x needs two hexadecimal digits, and not 00" },
		{ "# x\nserver s 10.0.0.1\n", NULL,
		    "line 2: no section begins with \"server\", as one of an HAProxy configuration would" },
		{ "frontend\n", NULL, "line 1: a frontend without a name" },
	};

	(void)state;
	CHECK_ROWS(import_haproxy, rows);
}

#define L D "listen l\n bind 10.0.0.1:80\n"

static void
test_servers(void **state)
{
	static const struct row rows[] = {
		{ L "default-server weight 5 maxconn 9\nserver a 10.0.0.2:1\nserver b 10.0.0.3:1 weight 7 backup\n"
		    "server c 10.0.0.4:1 disabled minconn 3\n",
		    "...      a:\n        address: 10.0.0.2\n        port: 1\n        weight: 5\n        max_conns: 9\n"
		    "      b:\n        address: 10.0.0.3\n        port: 1\n        weight: 7\n        max_conns: 9\n"
		    "        backup: yes\n"
		    "      c:\n        address: 10.0.0.4\n        port: 1\n        weight: 0\n        max_conns: 9\n"
		    "        min_conns: 3\n",
		    "line 11: mapped with a difference: server c" },
		/* Without a weight all are alike. */
		{ L "server a 10.0.0.2:1\nserver b b.example:1 weight 3\n",
		    "...port: 1\n        weight: 1\n      b:\n        address: b.example\n",
		    "line 9: mapped with a difference: server b b.example:1 weight 3: rip: its name" },
		{ L "server a [fd00::2]:1 ssl verify none sni str(x.example)\nserver b 10.0.0.3:1\n",
		    "...server_tls: \"on\"\n    server_name: x.example\n    rips:\n      a:\n        address: \"fd00::2\"\n"
		    "        port: 1\n",
		    "line 9: not supported: b: left out: the servers of a vip are spoken to alike" },
		{ L "server a 10.0.0.2:1 send-proxy-v2 slowstart 10 on-marked-down shutdown-sessions\n",
		    "...drop_on_failure: yes\n    slow_start: 10s\n    proxy_to: v2\n", NULL },
		{ L "server a 10.0.0.2:+5\nserver b 10.0.0.3:1 frob 1\nserver c\nserver d /x\n",
		    "...",
		    "line 8: not supported: server a\nline 9: not supported: b: frob: there is nothing like it\n"
		    "line 10: not supported: server c: rip: a name and an address\nline 11: not supported: server d /x" },
		{ L "balance first\nserver a 10.0.0.2:1\n", "...scheduler: first\n", NULL },
	};

	(void)state;
	CHECK_ROWS(import_haproxy, rows);
}

static void
test_checks(void **state)
{
	static const struct row rows[] = {
		{ L "option httpchk HEAD /x HTTP/1.1\\r\\nHost:\\ a.example\nhttp-check expect ! rstatus ^5\n"
		    "timeout check 500\nserver a 10.0.0.2:1 check inter 4s fastinter 1s downinter 9s rise 3 fall 4 port 81\n",
		    "...check:\n  l:\n    kind: http\n    interval: 4s\n    timeout: 500ms\n    rise: 3\n    fall: 4\n"
		    "    fast: 1s\n    slow: 9s\n    port: 81\n    method: HEAD\n    path: /x\n    host: a.example\n"
		    "    status: 100-499\n",
		    NULL },
		{ L "option httpchk /x\nhttp-check expect string up\nserver a 10.0.0.2:1 check\n",
		    "...method: OPTIONS\n    path: /x\n    status: 100-599\n    expect: up\n",
		    NULL },
		{ L "option httpchk POST /x\nhttp-check send body x\nhttp-check disable-on-404\n"
		    "http-check expect rstring a.*b\nhttp-check expect hdr name x\nserver a 10.0.0.2:1 check\n",
		    "...method: GET\n    path: /x\n",
		    "line 8: mapped with a difference: POST\nline 9: mapped with a difference\n"
		    "line 10: not supported: http-check disable-on-404\n"
		    "line 11: not supported: http-check expect rstring\n"
		    "line 12: not supported: http-check expect hdr" },
		/* A second request is another check; texts that were said first stay. */
		{ L "option httpchk\nhttp-check connect\nhttp-check send uri /a\nhttp-check expect string A\n"
		    "http-check expect string B\nhttp-check connect port 9\nhttp-check send uri /b\n"
		    "http-check expect status 204\nserver a 10.0.0.2:1 check\n",
		    "...path: /a\n    status: 100-599\n    expect: A\nvip:\n",
		    "line 12: not supported: http-check expect string B: check.expect: one text\n"
		    "line 13: not supported: http-check connect port 9\n"
		    "line 14: not supported: http-check send uri /b\n"
		    "line 15: not supported: http-check expect status 204: it is of another request" },
		/* What a section expects is in place of what its defaults did. */
		{ D "option httpchk\nhttp-check expect string A\nlisten l\n bind 10.0.0.1:80\n"
		    "http-check expect status 204\nserver a 10.0.0.2:1 check\n",
		    "...method: OPTIONS\n    status: 204\nvip:\n", NULL },
		{ L "option pgsql-check user x\nserver a 10.0.0.2:1 check\nserver b 10.0.0.3:1\n",
		    "...kind: tcp\n    interval: 2s\n    timeout: 2s\n    rise: 2\n    fall: 3\n  untested:\n",
		    "line 8: mapped with a difference: option pgsql-check" },
		{ "global\n spread-checks 20\n" L "server a 10.0.0.2:1 check inter 10\n",
		    "...interval: 100ms\n    timeout: 100ms\n    rise: 2\n    fall: 3\n    jitter: 20%\n",
		    NULL },
		/* What does not go together. */
		{ L "http-check expect status 204\noption httpchk OPTIONS * HTTP/1.1\n"
		    "server a 10.0.0.2:1 check\n",
		    "...method: OPTIONS\n    status: 204\n",
		    "line 9: not supported: *: check path: a path that begins with a slash" },
		{ L "option httpchk HEAD /x\nhttp-check expect string up\nserver a 10.0.0.2:1 check\n"
		    "server b 10.0.0.3:1 check\n",
		    "...method: HEAD\n    path: /x\n    status: 100-599\nvip",
		    "not supported: http-check expect: check.expect" },
		{ L "http-check expect string up\nserver a 10.0.0.2:1 check\n", "...fall: 3\nvip",
		    NULL },
		{ L "option tcp-check\ntcp-check connect port 7\ntcp-check send x\nserver a 10.0.0.2:1 check\n",
		    "...port: 7\n", "line 10: not supported: tcp-check send x" },
	};

	(void)state;
	CHECK_ROWS(import_haproxy, rows);
}

#define S "server s 10.0.0.2:1\n"

static void
test_balance(void **state)
{
	static const struct row rows[] = {
		{ L "balance leastconn\n" S, "...scheduler: wlc\n", NULL },
		{ L "balance source\nhash-type consistent\nhash-balance-factor 130\n" S,
		    "...scheduler: sh\n",
		    "line 9: mapped with a difference: hash-type consistent" },
		{ L "balance uri\n" S, "...scheduler: path\n", NULL },
		{ L "balance uri whole\n" S, "...scheduler: uri\n", NULL },
		{ L "balance url_param id check_post\n" S, "...scheduler: url_param\n",
		    "line 8: mapped with a difference: balance url_param id check_post: vip.scheduler: bodies" },
		{ L "balance hdr(X-Key)\n" S, "...hash_key: X-Key\n", NULL },
		{ L "balance random(5)\n" S, "...scheduler: twos\n",
		    "line 8: mapped with a difference" },
		{ L "balance hash req.hdr(X)\n" S, "...hash_key: X\n", NULL },
		{ L "balance hash req.body\n" S, "...scheduler: wrr\n",
		    "line 8: not supported: balance hash" },
		{ L "mode tcp\nbalance rdp-cookie\n" S, "...scheduler: rdp_cookie\n", NULL },
		/* In mode tcp nothing of a request counts. */
		{ L "mode tcp\nbalance uri\ncookie X insert\noption forwardfor\n" S,
		    "...mode: tcp\n    scheduler: wrr\n    check: untested\n    connect_timeout",
		    "line 6: mapped with a difference: cookie: vip.persistence: none\n"
		    "line 6: mapped with a difference: balance: vip.scheduler: wrr" },
		/* A factor without a hash is of no use, there and here. */
		{ L "hash-balance-factor 130\n" S,
		    "...scheduler: wrr\n    check: untested\n    forwarded_for", NULL },
		{ L "cookie X insert indirect nocache\n" S,
		    "...persistence: cookie\n    cookie: X\n", NULL },
		{ L "cookie X prefix\n" S, "...persistence: prefix\n    cookie: X\n", NULL },
		{ L "cookie X rewrite\n" S, "...persistence: rewrite\n    cookie: X\n", NULL },
		{ L "cookie X\n" S, "...persistence: app_cookie\n    cookie: X\n", NULL },
		{ L "cookie X insert domain .x.y secure httponly attr SameSite=Strict maxidle 30m maxlife 8h postonly\n" S,
		    "...cookie_attributes: Path=/; Domain=x.y; Secure; HttpOnly; SameSite=Strict\n    cookie_idle: 30m\n"
		    "    cookie_life: 8h\n    cookie_server: shown\n",
		    "line 8: not supported: postonly: vip.persistence" },
		{ L "cookie X insert indirect preserve maxidle 0\n" S,
		    "...cookie_server: preserve\n",
		    "line 8: not supported: maxidle: vip.cookie_idle" },
		{ L "stick on url_param(id)\n" S, "...persistence: url_param\n", NULL },
		{ L "stick on req.hdr(X-Id)\n" S, "...persist_key: X-Id\n", NULL },
		{ L "stick on req.hdr_ip(x-forwarded-for,-1)\n" S,
		    "...persistence: forwarded_for\n", NULL },
		{ L "mode tcp\nstick on req.rdp_cookie(mstshash)\npersist rdp-cookie\n" S,
		    "...persistence: rdp_cookie\n",
		    "line 10: mapped: persist rdp-cookie: vip.rdp_token" },
		{ L "force-persist if { src 10.0.0.0/8 }\nignore-persist if { path_beg /x }\n" S,
		    "...persist_force: 10.0.0.0/8\n", "line 9: not supported: ignore-persist" },
		{ L "stick-table type ip size 1m expire 10m\nstick on src\n" S,
		    "...persistence: source\n    persist_timeout: 10m\n", NULL },
		{ L "stick-table type string len 32 size 1m expire 10m store conn_cur\nstick on url\n" S,
		    "...scheduler: wrr\n    check",
		    "line 8: mapped with a difference: stick-table\nline 9: not supported: stick on url" },
		{ L "appsession SID len 10 timeout 1h\n" S,
		    "...persistence: app_cookie\n    persist_timeout: 1h\n    cookie: SID\n",
		    NULL },
	};

	(void)state;
	CHECK_ROWS(import_haproxy, rows);
}

static void
test_options(void **state)
{
	static const struct row rows[] = {
		{ L "option forwardfor\noption httpclose\nretries 5\n" S,
		    "...forwarded_for: append\n    connect_timeout: 1s\n    request_timeout: 2s\n    client_timeout: 2s\n"
		    "    server_timeout: 3s\n    keep_timeout: 0s\n    pool_timeout: 0s\n    queue_timeout: 1s\n"
		    "    retries: 5\n",
		    "line 10: mapped with a difference: retries 5: vip.retries: each further try" },
		{ L "retry-on conn-failure junk-response 503 0rtt-rejected\n" S,
		    "...retry_on: connect,junk,503\n",
		    "line 8: mapped with a difference: retry-on conn-failure junk-response 503 0rtt-rejected: vip.retry_on: only" },
		{ L "retry-on all-retryable-errors\n" S,
		    "...retry_on: connect,empty,junk,timeout,500,502,503,504\n", NULL },
		{ L "retry-on conn-failure\n" S, "...retry_on: connect\n",
		    "line 8: mapped: retry-on conn-failure" },
		{ L "retry-on none\n" S, "...retry_on: \"\"\n", "line 8: mapped: retry-on none" },
		{ L "retry-on 418\n" S, "...check",
		    "line 8: not supported: retry-on 418: vip.retry_on: there is no \"418\"" },
		{ "defaults\n mode http\n log global\n option httplog\n option forwardfor\nlisten l\n bind 10.0.0.1:80\n"
		  " no option forwardfor\n" S,
		    "...forwarded_for: \"off\"\n    log: haproxy\n",
		    "line 8: mapped: no option forwardfor" },
		{ L "log global\nlog-format \"%ci %nothing\"\n" S, "...log: haproxy\n",
		    "line 9: not supported: log-format" },
		{ L "log 10.0.0.9 local0\nlog-format \"%ci %ST\"\n" S,
		    "...log: custom\n    log_format: \"%ci %ST\"\n", NULL },
		{ "global\n log 10.0.0.9:99 local0\n log /dev/log local1\n log stdout format raw local0\n",
		    "setting:\n  access_syslog: \"10.0.0.9:99\"\n",
		    "line 3: not supported: log /dev/log local1: setting.access_syslog: there is one target\n"
		    "line 4: not supported: log stdout" },
		{ L "timeout client 1000d\ntimeout server x\ntimeout tarpit 5s\ntimeout tunnel 2h\nmaxconn 5\n" S,
		    "...max_conns: 5\n",
		    "line 8: not supported: timeout client 1000d\nline 9: not supported: timeout server x\n"
		    "line 10: not supported: timeout tarpit 5s\nline 11: mapped: timeout tunnel 2h" },
		{ L "source 0.0.0.0 usesrc clientip\nunique-id-header X\nhttp-reuse never\n" S,
		    "...transparent: yes\n", NULL },
		{ L "frobnicate\noption frob\n" S, "...",
		    "line 8: not supported: frobnicate: there is nothing like it\nline 9: not supported: option frob" },
	};

	(void)state;
	CHECK_ROWS(import_haproxy, rows);
}

static void
test_answers(void **state)
{
	static const struct row rows[] = {
		{ L "compression algo gzip deflate\ncompression offload\ncompression type text/html text/css\n"
		    "compression minsize-res 500\ncompression algo-req gzip\n" S,
		    "...compress: own\n    compress_types: text/html,text/css\n    compress_min: 500\n",
		    "line 8: mapped with a difference: compression algo gzip deflate: vip.compress\n"
		    "line 12: not supported: compression algo-req gzip" },
		{ L "errorloc 503 https://a.example/x\nerrorloc303 500 /y\nerrorloc 502 /a,b\n" S,
		    "...error_pages: \"503=302 https://a.example/x,500=303 /y\"\n",
		    "line 10: not supported: errorloc 502 /a,b" },
		{ L "option http-restrict-req-hdr-names reject\noption http-buffer-request\n" S,
		    "...header_names: refuse\n    wait_body: 16K\n", NULL },
		{ L "bind 10.0.0.1:81 proto h2\nserver-template w 2-3 x.example:80 weight 5\n",
		    "...h2c: yes\n", NULL },
		{ L "server-template w 2-3 x.example:80\nserver-template v x y:80\n",
		    "...rips:\n      w2:\n        address: x.example\n        port: 80\n        resolve: each\n      w3:\n",
		    "line 9: not supported: server-template v x y:80" },
		{ L "source 10.0.0.77\n" S, "...source: 10.0.0.77\n", NULL },
	};

	(void)state;
	CHECK_ROWS(import_haproxy, rows);
}

#define F D "frontend f\n bind 10.0.0.1:80\n"
#define B "default_backend b\nbackend b\n mode http\n server s 10.0.0.2:1\n"

/* One condition of use, as it becomes. */
static void
check_when(const char *acl, const char *condition, const char *when)
{
	struct buf text = { 0 }, yaml = { 0 };
	struct row row;

	buf_printf(&text, F "%s\nhttp-request deny %s\n" B, acl, condition);
	buf_printf(&yaml, "...        when: %s\n        action: deny\n", when);
	row = (struct row){ buf_text(&text), buf_text(&yaml), NULL };
	check_row(import_haproxy, &row, NULL);
	buf_fini(&text);
	buf_fini(&yaml);
}

static void
test_conditions(void **state)
{
	(void)state;
	check_when("acl a path /x /y", "if a", "path in /x,/y");
	check_when(
	    "acl a path_beg /x\nacl a path_end .y", "if a", "path starts /x or path ends .y");
	check_when("acl a path_beg /x\nacl a path_end .y", "unless a",
	    "not (path starts /x or path ends .y)");
	check_when("acl a path_sub x", "if !a", "not path contains x");
	check_when("acl a path /x\nacl b method POST", "if a b or !b",
	    "path is /x and method is POST or not method is POST");
	check_when("acl a path /x\nacl a path /y\nacl b src 10.0.0.0/8", "if a b",
	    "(path is /x or path is /y) and src in 10.0.0.0/8");
	check_when("", "if { hdr(host) -i a.example }", "host is a.example");
	check_when("", "if { hdr_dom(host) example.org }", "host under example.org");
	check_when("", "if { hdr_dom(host) www }", "\"host matches '(^|[/?.:])www([/?.:]|$)'\"");
	check_when("", "if { capture.req.uri /a?b }", "asked.url is /a?b");
	check_when("", "if { hdr(X-A) -i b }", "header(X-A) matches '(?i)^b$'");
	check_when("", "if { req.hdr(X-A) -m found }", "header(X-A) exists");
	check_when("", "if { hdr_cnt(X-A) eq 0 }", "not header(X-A) exists");
	check_when("", "if { hdr_val(X-A) gt 5 }", "header(X-A) > 5");
	check_when("", "if { hdr_val(X-A) 5:7 }", "(header(X-A) >= 5 and header(X-A) <= 7)");
	check_when("", "if { src_port 0:1023 }", "(src.port >= 0 and src.port <= 1023)");
	check_when("", "if { dst_port 80 8080 }", "(port is 80 or port is 8080)");
	check_when("", "if { path_reg -i ^/a b }", "path matches '(?i)^/a','(?i)b'");
	check_when("", "if { path_dir a.b }", "path matches '(^|[/?])a\\.b([/?]|$)'");
	check_when("", "if { url_param(q) 1 } || { cook(c) x }", "param(q) is 1 or cookie(c) is x");
	check_when(
	    "", "if { ssl_fc_has_crt } { ssl_c_s_dn(cn) bob }", "cert is yes and cert.cn is bob");
	check_when("", "if METH_GET", "method in GET,HEAD");
	check_when("", "if { path \"/it's\" }", "path is \"/it's\"");
	check_when("", "if { hdr(host),lower a.b }", "host is a.b");
}

static void
test_refused_conditions(void **state)
{
	static const struct row rows[] = {
		{ F "acl a nbsrv(b) lt 1\nhttp-request deny if a\n" B, "...",
		    "line 8: not supported: acl a nbsrv(b) lt 1: rule.when: there is no such field\n"
		    "line 9: not supported: http-request deny if a: rule: an acl of its condition cannot be taken" },
		{ F "http-request deny if nothing\n" B, "...",
		    "line 8: not supported: http-request deny if nothing: rule: its condition names an acl" },
		{ F "http-request deny if { src -f /x }\nhttp-request deny if { path,map(/x) a }\n"
		    "http-request deny if { src a.example }\nhttp-request deny if { path_reg ( }\n"
		    "http-request deny if { path_len 5 }\nhttp-request deny if { path -m bin 00 }\n" B,
		    "...",
		    "line 8: not supported: /x: list x has no entries: bring this file\n"
		    "line 9: not supported\nline 10: not supported\nline 11: not supported\n"
		    "line 12: not supported\nline 13: not supported" },
		/* What never holds is nothing; what always does has no condition. */
		{ F "http-request deny if FALSE\n" B, "...        port: 1\n",
		    "line 8: mapped: http-request deny if FALSE: its condition never holds" },
		{ F "http-request deny if TRUE\nhttp-request deny if { path /x }\n" B,
		    "...    rules:\n      0010-deny:\n        order: 10\n        action: deny\n",
		    NULL },
	};

	(void)state;
	CHECK_ROWS(import_haproxy, rows);
}

static void
test_rules(void **state)
{
	static const struct row rows[] = {
		{ F "http-request set-header X-A \"a %[src] {b} %%\"\n" B,
		    "...header: X-A\n        value: a {src} {{b}} %\n",
		    "line 8: mapped: http-request set-header" },
		{ F "http-request replace-header X-A a(.) \\1b\n" B,
		    "...value: \"{1}b\"\n        pattern: \"^.*?(?:a(.)).*$\"\n", NULL },
		{ F "http-request redirect prefix / code 301 if { path /a }\n" B,
		    "...action: redirect\n        status: 301\n        location: \"{url}\"\n",
		    NULL },
		{ F "redirect location /b if { path /a }\n" B, "...location: /b\n", NULL },
		/* For all without TLS it is a field. */
		{ F "redirect scheme https code 308 if !{ ssl_fc }\n" B,
		    "...https_redirect: \"308\"\n", NULL },
		{ F "http-request return status 204\n" B,
		    "...action: return\n        status: 204\n", NULL },
		{ F "http-request set-path /a%[path]\n" B, "...value: /a{path}\n", NULL },
		{ F "http-response del-header X-A if { status 500:599 }\n" B,
		    "...when: (status >= 500 and status <= 599)\n        action: del_header\n        \"on\": answer\n",
		    NULL },
		/* What was allowed is not looked at further, but goes to its backend. */
		{ F "http-request allow if { src 10.0.0.0/8 }\nhttp-request deny if { path /a }\n" B,
		    "...when: path is /a and not src in 10.0.0.0/8\n", NULL },
		/* Rules see the path that those before have made, and header fields as they came. */
		{ F "http-request set-path /b if { path /a }\nhttp-request deny if { path /b }\n" B,
		    "...value: /b\n", "line 9: mapped: http-request deny if { path /b }: rule" },
		{ F "http-request set-header X-A b\nhttp-request deny if { hdr(X-A) b }\n"
		    "http-request set-header Host b\nacl b hdr(host) b\nhttp-request deny if b\n" B,
		    "...value: b\n",
		    "line 9: mapped with a difference: http-request deny if { hdr(X-A) b }: rule: its condition is on\n"
		    "line 12: mapped with a difference: http-request deny if b: rule: its condition is on the host" },
		{ F "http-request wait-for-body time 1s\nhttp-request auth\nhttp-request deny if { nbsrv lt 1 }\n" B,
		    "...wait_body: 16K\n",
		    "line 8: mapped with a difference: http-request wait-for-body\n"
		    "line 9: not supported: http-request auth: clients are not asked for passwords; what it keeps out gets in\n"
		    "line 10: not supported: http-request deny if { nbsrv lt 1 }: rule: there is no such field of a condition; "
		    "what it keeps out gets in" },
		{ F "http-request lua.x\nhttp-request set-header Connection close\nhttp-request set-header X %[rand]\n"
		    "http-response deny\nhttp-request auth\nuse-server s if TRUE\n" B,
		    "...        port: 1\n",
		    "line 8: not supported\nline 9: not supported\nline 10: not supported\nline 11: not supported\n"
		    "line 12: not supported\nline 13: not supported: use-server s if TRUE" },
		{ F "monitor-uri /up\n" B,
		    "...when: url is /up\n        action: return\n        body: OK\n", NULL },
		{ F "reqadd X-A:\\ b\nrspidel ^Server:\nreqirep a b\n" B,
		    "...header: X-A\n        value: b\n", "line 10: not supported: reqirep a b" },
	};

	(void)state;
	CHECK_ROWS(import_haproxy, rows);
}

static void
test_pools(void **state)
{
	static const struct row rows[] = {
		/* Rules of a backend have its condition; those of the rest stand at the end. */
		{ D "frontend f\n bind 10.0.0.1:80\n use_backend p if { path_beg /p }\n default_backend b\n"
		    "backend b\n http-request set-header X b\n http-response set-header X-Y b\n server s 10.0.0.2:1\n"
		    "backend p\n http-request set-header X p\n http-response set-header X-Y p\n server s 10.0.0.3:1\n",
		    "...    rules:\n"
		    "      0010-set-header:\n        order: 10\n        when: path starts /p\n        action: set_header\n"
		    "        header: X\n        value: p\n"
		    "      0020-use:\n        order: 20\n        when: path starts /p\n        action: use\n        pool: p\n"
		    "      0030-set-header:\n        order: 30\n        action: set_header\n        header: X\n        value: b\n"
		    "      0040-set-header:\n        order: 40\n        when: path starts /p\n        action: set_header\n"
		    "        \"on\": answer\n        header: X-Y\n        value: p\n"
		    "      0050-set-header:\n        order: 50\n        when: not path starts /p\n        action: set_header\n"
		    "        \"on\": answer\n        header: X-Y\n        value: b\n"
		    "  p:\n    mode: http\n",
		    "line 14: mapped: backend p: vip without address: a pool" },
		/* What a frontend tells servers is told those of its pools; what is the client's side is the frontend's. */
		{ F "option forwardfor\nunique-id-header X\noption http-buffer-request\nuse_backend c if { path /c }\n" B
		    "backend c\n mode http\n compression algo gzip\n unique-id-header X\n"
		    " stick-table type ip size 1k\n stick on src\n server s 10.0.0.3:1\n"
		    "frontend g\n bind 10.0.0.9:80\n use_backend c if { path /c }\n default_backend c\n",
		    "...  c:\n    mode: http\n    scheduler: wrr\n    persistence: source\n    check: untested\n"
		    "    forwarded_for: append\n    connect_timeout: 1s\n    request_timeout: 2s\n    client_timeout: 2s\n"
		    "    server_timeout: 3s\n    keep_timeout: 2s\n    queue_timeout: 1s\n    rips:\n",
		    "not supported: backend c: vip.compress: a pool has that of the vip whose rules lead to it" },
		{ F "option forwardfor\nuse_backend c if { path /c }\n" B
		    "backend c\n mode http\n server s 10.0.0.3:1\n"
		    "frontend g\n bind 10.0.0.9:80\n use_backend c if { path /c }\n default_backend b\n",
		    "...",
		    "mapped with a difference: backend c: vip c: its servers are told of clients what frontend f says" },
		/* To the servers of the rest. */
		{ F "use_backend b if { path /a }\nuse_backend c\n" B
		    "backend c\n mode http\n server s 10.0.0.3:1\n",
		    "...action: allow\n      0020-use:\n        order: 20\n        action: use\n        pool: c\n",
		    NULL },
		/* TLS that is passed on. */
		{ "frontend f\n mode tcp\n bind 10.0.0.1:443\n tcp-request inspect-delay 5s\n"
		  " tcp-request content accept if { req.ssl_hello_type 1 }\n tcp-request connection reject if { src 10.9.0.0/16 }\n"
		  " use_backend p if { req.ssl_sni a.example }\n default_backend b\n"
		  "backend b\n server s 10.0.0.2:443\nbackend p\n server s 10.0.0.3:443\n",
		    "...when: src in 10.9.0.0/16\n        action: deny\n      0020-use:\n        order: 20\n"
		    "        when: sni is a.example\n        action: use\n        pool: p\n",
		    "line 5: mapped: tcp-request content accept" },
		{ F "tcp-request connection expect-proxy layer4 if { src 10.9.0.0/16 }\n" B,
		    "...proxy_from: 10.9.0.0/16\n", NULL },
		{ F "use_backend %[rand]\nuse_backend gone if TRUE\n" B, "...        port: 1\n",
		    "line 8: not supported: use_backend %[rand]\nline 9: not supported: use_backend gone" },
		/* A backend that rewrites: the rule that leads to it still knows what the client wrote. */
		{ F "use_backend c if { path_beg /c/ } !{ hdr(X-A) 'path /c' }\n" B
		    "backend c\n mode http\n http-request replace-path /c/(.*) /\\1\n"
		    " http-request set-header X-B y if { path_beg /z }\n server s 10.0.0.3:1\n",
		    "...when: asked.path starts /c/ and not header(X-A) is 'path /c'\n        action: rewrite\n"
		    "        value: /{1}\n        pattern: \"^.*?(?:/c/(.*)).*$\"\n        part: path\n"
		    "      0020-set-header:\n        order: 20\n"
		    "        when: asked.path starts /c/ and not header(X-A) is 'path /c' and path starts /z\n"
		    "        action: set_header\n        header: X-B\n        value: \"y\"\n"
		    "      0030-use:\n        order: 30\n"
		    "        when: asked.path starts /c/ and not header(X-A) is 'path /c'\n",
		    "line 8: mapped: use_backend c" },
		{ F "http-request set-path /x%[path]\nuse_backend c if { path_beg /x/c/ }\n" B
		    "backend c\n mode http\n http-request set-path /\n server s 10.0.0.3:1\n",
		    "...when: asked.path starts /x/c/\n",
		    "line 9: mapped with a difference: use_backend c if { path_beg /x/c/ }: rule (action use): for the rules" },
	};

	(void)state;
	CHECK_ROWS(import_haproxy, rows);
}

/* More than the limits is one error. */
static void
test_limits(void **state)
{
	struct buf text = { 0 };
	struct row row = { NULL, NULL,
		"line 2: more than 1024 addresses and ranges in one service" };

	(void)state;
	buf_puts(&text, "listen l\n bind 10.0.0.1:1");
	for (unsigned i = 2; i < 1030; i++)
		buf_printf(&text, ",10.0.0.1:%u", i);
	row.text = buf_text(&text);
	check_row(import_haproxy, &row, NULL);
	text.len = 0;
	buf_puts(&text, "listen l\n acl a src");
	for (unsigned i = 0; i < 70; i++)
		buf_puts(&text, " 10.0.0.1");
	row.text = buf_text(&text);
	row.report = "line 2: more than 64 words";
	check_row(import_haproxy, &row, NULL);
	buf_fini(&text);
}

/* The address of --address is what all addresses mean. */
static void
test_wildcard(void **state)
{
	static const struct row rows[] = {
		{ "listen l\n bind :80\n bind 0.0.0.0:81\n bind *:82\n server s 10.0.0.2\n",
		    "...address: 10.0.0.9\n    ports: 80-82\n",
		    "line 2: mapped with a difference: bind :80: vip.address, vip.ports: all addresses" },
	};

	(void)state;
	check_row(import_haproxy, &rows[0], "10.0.0.9");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_servers),
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_balance),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_refused_conditions),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_pools),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_wildcard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
