/* keepalived.conf as rows of ours: words and blocks, virtual servers, groups, checks, and what is refused. */
#include "import_rig.h"

#define VS(inside) "virtual_server 10.0.0.1 80 {\n" inside "\n}\n"
#define RS(inside) VS("real_server 10.0.0.2 80 {\n" inside "\n}")

static void
test_services(void **state)
{
	static const struct row rows[] = {
		{ VS("lb_algo rr\nlb_kind NAT\npersistence_timeout 60\nprotocol TCP\nquorum 2\nhysteresis 1\n"
		     "sorry_server 10.0.0.9 81\nreal_server 10.0.0.2 8080 {\nweight 3\n}\n"
		     "real_server 10.0.0.3 80 { weight 1\ninhibit_on_failure }"),
		    "check:\n  untested:\n    kind: none\n"
		    "vip:\n  10.0.0.1-80:\n    address: 10.0.0.1\n    ports: 80\n    protocol: tcp\n"
		    "    mode: nat\n    scheduler: rr\n    persistence: source\n    persist_timeout: 1m\n"
		    "    check: untested\n    on_failure: remove\n    fallback: 10.0.0.9\n    fallback_port: 81\n"
		    "    quorum: 2\n    quorum_hysteresis: 1\n    rips:\n      10.0.0.2-8080:\n"
		    "        address: 10.0.0.2\n        port: 8080\n        weight: 3\n      10.0.0.3:\n"
		    "        address: 10.0.0.3\n        weight: 1\n",
		    "line 2: mapped: lb_algo rr: vip.scheduler\n"
		    "line 13: mapped with a difference: inhibit_on_failure: vip.on_failure: remove" },
		{ VS("lvs_method TUN type gue port 7000 csum\nreal_server 10.0.0.2 80 { }\n"
		     "real_server 10.0.0.3 80 { lvs_method DR }\nlvs_sched mh\nmh-port"),
		    "...hash_port: yes\n    tunnel: gue\n    tunnel_port: 7000\n    tunnel_csum: full\n"
		    "    on_failure: remove\n    rips:\n      10.0.0.2:\n        address: 10.0.0.2\n"
		    "        weight: 1\n      10.0.0.3:\n        address: 10.0.0.3\n        weight: 1\n"
		    "        forward: dr\n",
		    NULL },
		{ VS("protocol UDP\nops\npersistence_engine sip\npersistence_timeout\n"
		     "persistence_granularity 255.255.0.0"),
		    "...persistence: sip\n    persist_timeout: 6m\n    persist_mask: 16\n    one_packet: yes",
		    NULL },
		{ "! c\nvirtual_server fd00::1 443 # d\n\n{ real_server fd00::2 443 { uthreshold 9\n"
		  "lthreshold 5 } }",
		    "...address: \"fd00::2\"\n        weight: 1\n        max_conns: 9\n        min_conns: 5\n",
		    NULL },
		{ VS("quorum_up \"/a b # {\" root\nnotify_down x\nha_suspend\nfrob 1\nlb_algo xx"),
		    "...address: 10.0.0.1",
		    "line 2: not supported: quorum_up \"/a b # {\" root: scripts are not run\n"
		    "line 4: not supported: ha_suspend: servers are tested on both nodes\n"
		    "line 5: not supported: frob 1: lbd has nothing like it\n"
		    "line 6: not supported: lb_algo xx: vip scheduler: \"xx\" is not allowed" },
		{ "virtual_server www 80 {\n real_server 10.0.0.2 80 {\n weight 1\n }\n}\n", "{}\n",
		    "line 1: not supported: virtual_server www 80: vip.address: an address and a port are "
		    "needed; names are not resolved (with 2 below it)" },
		{ "vrrp_instance V {\n authentication {\n auth_pass word\n }\n}\n@b priority 3\n$A=1\n",
		    "{}\n",
		    "line 1: not supported: vrrp_instance V: it belongs to one machine: lbctl create vrrp\n"
		    "line 6: not supported: @b priority 3: lines for one machine\n"
		    "line 7: not supported: $A=1: parameters are not followed" },
		{ "bfd_instance R {\n neighbor_ip 10.0.0.2\n}\n", "{}\n",
		    "line 1: not supported: bfd_instance R: it belongs to one machine: lbctl create track, with kind=bfd" },
		{ "include x.conf\n", "{}\n", "line 1: not supported: include x.conf" },
	};

	(void)state;
	CHECK_ROWS(import_keepalived, rows);
}

#define GROUP_VS "virtual_server group G {\nreal_server 10.0.0.2 8080 { }\n}\n"

static void
test_groups(void **state)
{
	static const struct row rows[] = {
		/* The same ports everywhere: one service. */
		{ "virtual_server_group G {\n10.0.0.1 80\n10.0.0.1 443\n10.0.0.20-22 443\n10.0.0.20-22 80\n}\n" GROUP_VS,
		    "...vip:\n  G:\n    address: 10.0.0.1\n    ports: 80,443\n    protocol: tcp\n    mode: nat\n"
		    "    check: untested\n    more_addresses: 10.0.0.20-10.0.0.22\n",
		    "line 7: mapped with a difference: virtual_server group G: vip: addresses with the same" },
		/* Different ones: one for each list of ports, and ports in a row are a range. */
		{ "virtual_server_group G {\n10.0.0.1 80\n10.0.0.1 81\n10.0.0.1 82\n10.0.0.3 90\n10.0.0.2 90\n}\n" GROUP_VS,
		    "...  G-80-82:\n    address: 10.0.0.1\n    ports: 80-82\n", NULL },
		{ "virtual_server_group G {\n10.0.0.1 80\n10.0.0.3 90\n10.0.0.2 90\n}\n" GROUP_VS,
		    "...  G-90:\n    address: 10.0.0.2\n    ports: 90\n    protocol: tcp\n    mode: nat\n"
		    "    check: untested\n    more_addresses: 10.0.0.3\n",
		    NULL },
		{ "virtual_server_group G {\n10.0.0.1\nfd00::1 80\nfwmark 7\n}\n" GROUP_VS,
		    "...  G-80:\n    address: \"fd00::1\"\n",
		    "line 4: not supported: mark 7: the whole service is left out" },
		{ GROUP_VS, "{}\n",
		    "not supported: virtual_server group G: there is no such group" },
		{ "virtual_server_group G {\n10.0.0.1 80\nfrob\n}\n", "{}\n",
		    "line 1: not supported: virtual_server_group G: no virtual_server uses it\n"
		    "line 3: not supported: frob: vip.address" },
	};

	(void)state;
	CHECK_ROWS(import_keepalived, rows);
}

static void
test_checks(void **state)
{
	static const struct row rows[] = {
		{ VS("delay_loop 6\nalpha\nvirtualhost a\nreal_server 10.0.0.2 80 {\nHTTP_GET {\nurl {\n"
		     "path /h\nstatus_code 200-204 301\nregex \"up\"\n}\nconnect_timeout 2.5\nretry 3\n"
		     "delay_before_retry 2\nconnect_port 81\n}\n}"),
		    "check:\n  10.0.0.1-80:\n    kind: http\n    interval: 6s\n    timeout: 2500ms\n    rise: 1\n"
		    "    fall: 4\n    fast: 2s\n    port: 81\n    path: /h\n    host: a\n    status: 200-204,301\n"
		    "    expect: up\n    assume: down\n"
		    "vip:\n  10.0.0.1-80:\n    address: 10.0.0.1\n    ports: 80\n    protocol: tcp\n"
		    "    mode: nat\n    check: 10.0.0.1-80\n    on_failure: remove\n    rips:\n      10.0.0.2:\n"
		    "        address: 10.0.0.2\n        weight: 1\n",
		    "line 13: mapped: retry 3: check.fall: 4" },
		{ RS("TCP_CHECK { }"),
		    "...kind: tcp\n    interval: 1m\n    timeout: 5s\n    rise: 1\n    fall: 2\n"
		    "    fast: 1s\n",
		    NULL },
		{ RS("connect_timeout 90\nTCP_CHECK { }"), "...interval: 1m\n    timeout: 1m\n",
		    "line 4: mapped with a difference: TCP_CHECK: check.timeout: 90000 ms would be longer" },
		{ RS("TCP_CHECK { }\nHTTP_GET { url { path / } }"), "...kind: http",
		    "line 3: mapped with a difference: TCP_CHECK: check: a server has one, and HTTP_GET on line 4" },
		{ RS("HTTP_GET { url { regex a.c\nregex_no_match } }"), "...status: 200-299",
		    "line 3: not supported: regex a.c: check: no regular expressions" },
		{ RS("HTTP_GET { url { regex down\nregex_no_match } }"), "...reject: down", NULL },
		{ RS("HTTP_GET { url { path /\ndigest 1 }\nurl { path /b } }"), "...path: /\n",
		    "line 4: not supported: digest 1: check.expect: no sum of the page\n"
		    "line 5: not supported: url: check.path: one page is tested" },
		{ RS("SSL_GET { url { path / } }"), "...kind: tcp",
		    "line 3: mapped with a difference: SSL_GET: check.kind: no check speaks TLS" },
		{ RS("MISC_CHECK { misc_path \"/x { y\" }"), "...kind: none",
		    "line 3: not supported: MISC_CHECK: check.kind: scripts are not run" },
		{ RS("TCP_CHECK { connect_ip 10.0.0.2\nbindto 10.0.0.9 }"), "...kind: tcp",
		    "line 3: mapped: connect_ip 10.0.0.2: rip.address\n"
		    "line 4: not supported: bindto 10.0.0.9: check: the system chooses" },
	};

	(void)state;
	CHECK_ROWS(import_keepalived, rows);
}

static void
test_refused(void **state)
{
	static const struct row rows[] = {
		{ "virtual_server 10.0.0.1 80 {\n", NULL, "line 2: a } is missing at the end" },
		{ "}\n", NULL, "line 1: a } without its {" },
		{ "\n{ a }\n", NULL, "line 2: a { without a name before it" },
		{ "a{b{c{d{e{f{g{h{i{j{k{l{m{n{o{p{q{", NULL, "line 1: blocks more than 16 deep" },
	};

	(void)state;
	CHECK_ROWS(import_keepalived, rows);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
