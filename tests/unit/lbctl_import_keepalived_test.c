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
		{ "static_routes {\n 10.0.0.0/8 via 10.0.0.1\n}\n\n\n@b priority 3\n$A=1\n", "{}\n",
		    "line 1: not supported: static_routes: routes of the machine\n"
		    "line 6: not supported: @b priority 3: lines for one machine\n"
		    "line 7: not supported: $A=1: parameters are not followed" },
		{ "bfd_instance R {\n neighbor_ip 10.0.0.2\n}\n", "{}\n",
		    "line 1: not supported: bfd_instance R: lbctl create track, with kind=bfd and the neighbour as its target" },
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

#define VI(inside) "vrrp_instance V {\ninterface eth0\nvirtual_router_id 5\n" inside "\n}\n"

static void
test_routers(void **state)
{
	static const struct row rows[] = {
		{ VI("virtual_ipaddress {\n10.0.0.1\n}"),
		    "fip:\n  10.0.0.1:\n    address: 10.0.0.1/32\n    interface: eth0\n"
		    "vrrp:\n  V:\n    interface: eth0\n    vrid: 5\n    family: ipv4\n    version: 2\n"
		    "    priority: 100\n    interval: 1s\n",
		    "line 1: mapped: vrrp_instance V: vrrp\nline 5: mapped: 10.0.0.1: fip.address" },
		{ "global_defs {\nvrrp_version 3\n}\n" VI(""), "...version: 3\n",
		    "line 2: mapped: vrrp_version 3: vrrp.version\n"
		    "line 4: mapped with a difference: vrrp_instance V: vrrp: it has no address" },
		{ "global_defs {\nvrrp_version 4\n}\n" VI("version 3"), "...version: 3\n",
		    "line 2: not supported: vrrp_version 4: vrrp.version: 2 or 3" },
		/* IPv6 is version 3 whatever is said for the rest. */
		{ "global_defs {\nvrrp_version 2\n}\n" VI("virtual_ipaddress {\nfe80::1\n}"),
		    "...family: ipv6\n    version: 3\n", NULL },
		{ VI("authentication {\nauth_type PASS\nauth_pass 123456789\n}"),
		    "...password: \"12345678\"\n", "line 6: mapped: auth_pass: vrrp.password" },
		{ VI("version 3\nauthentication {\nauth_pass 1\n}"), "...version: 3\n",
		    "line 6: not supported: auth_pass: vrrp.password: version 3 has none" },
		{ VI("advert_int 0.25\nversion 3\nnopreempt\npreempt_delay 2\nmcast_src_ip 10.0.0.9\n"
		     "down_timer_adverts 4\nuse_vmac\nvmac_xmit_base"),
		    "...interval: 250ms\n    preempt: no\n    preempt_delay: 2s\n    source: 10.0.0.9\n"
		    "    virtual_mac: yes\n    base_transmit: yes\n    down_adverts: 4\n",
		    "line 10: mapped: use_vmac: vrrp.virtual_mac" },
		{ VI("unicast_peer {\n10.0.0.2 min_ttl 64\n10.0.0.3\nx\n}"),
		    "...way: unicast\n    peers: 10.0.0.2,10.0.0.3\n    min_ttl: 64\n",
		    "line 7: not supported: x: vrrp peers: \"10.0.0.2,10.0.0.3,x\" is not" },
		{ VI("use_ipvlan ipv.1 10.0.0.9/24"), "...ipvlan: yes\n",
		    "line 4: mapped with a difference: use_ipvlan ipv.1 10.0.0.9/24: vrrp.ipvlan: the device" },
		{ "vrrp_instance V {\ninterface eth0\nvirtual_ipaddress {\n10.0.0.1\n}\n}\n",
		    "{}\n",
		    "line 1: not supported: vrrp_instance V: left out, with its addresses: vrrp.vrid" },
		{ "vrrp_instance V {\nvirtual_router_id 5\nvirtual_routes {\n10.0.0.0/8 via 10.1.0.1\n}\n}\n",
		    "{}\n",
		    "line 1: not supported: vrrp_instance V: left out, with its addresses: vrrp.interface" },
		{ "vrrp_instance {\nvirtual_router_id 5\n}\nvrrp_sync_group A\n", "{}\n",
		    "line 1: not supported: vrrp_instance: a name, and a block behind it, are needed\n"
		    "line 4: not supported: vrrp_sync_group A: a name" },
		{ "vrrp_sync_group G {\ngroup { V W }\n}\n" VI(""), "...sync: G\n",
		    "line 2: mapped: V: vrrp.sync\nline 2: not supported: W: vrrp.sync: there is no such" },
		{ VI("notify_fault /x\nno_accept\nfrob\ntrack_bfd {\na\n}"), "...vrid: 5\n",
		    "line 4: not supported: notify_fault /x: programs are those of /etc/lbd/notify\n"
		    "line 5: not supported: no_accept\nline 6: not supported: frob: lbd has nothing like it\n"
		    "line 7: not supported: track_bfd: lbctl create track, with kind=bfd and the neighbour as its target (with 1 below it)" },
		{ VI("virtual_routes {\ndefault via fe80::9 dev eth0\nblackhole 10.0.0.0/8\n10.0.0.0/8 via\n}"),
		    "...route:\n  v---0:\n    destination: \"::/0\"\n    gateway: \"fe80::9\"\n"
		    "    interface: eth0\n",
		    "line 6: not supported: blackhole 10.0.0.0/8: route: \"blackhole\" is not known there\n"
		    "line 7: not supported: 10.0.0.0/8 via: route: \"via\" is not known there" },
		/* Services on addresses of the second on an interface are in its group. */
		{ VI("virtual_ipaddress {\n10.0.0.1\n}") "vrrp_instance W {\ninterface eth0\n"
							 "virtual_router_id 6\nvirtual_ipaddress {\n10.0.0.2\n}\n}\n"
							 "virtual_server 10.0.0.2 80 {\n}\nvirtual_server 10.0.0.3 80 {\n}\n",
		    "...on_failure: remove\n    group: 2\n  10.0.0.3-80:\n",
		    "line 17: mapped with a difference: virtual_server 10.0.0.3 80: vip.address: lbd-ha puts" },
	};

	(void)state;
	CHECK_ROWS(import_keepalived, rows);
}

#define SCRIPT(inside) "vrrp_script S {\n" inside "\n}\n"
#define USES(inside) VI("track_script {\n" inside "\n}")

static void
test_tracks(void **state)
{
	static const struct row rows[] = {
		{ SCRIPT("script \"/x/s.sh a b\"\ninterval 2\nweight -5") USES("S"),
		    "...track:\n  S:\n    kind: script\n    target: s.sh a b\n    interval: 2s\n    weight: 5\n",
		    "line 1: mapped: vrrp_script S: track\n"
		    "line 2: mapped with a difference: script \"/x/s.sh a b\": track.target: programs are those "
		    "of /etc/lbd/track: copy /x/s.sh there" },
		/* What there adds while it is good takes away here while it is bad. */
		{ SCRIPT("script /x/s\nweight 7") USES("S\n}\npriority 90\ntrack_file {"),
		    "...priority: 97\n",
		    "line 11: mapped with a difference: priority 90: vrrp.priority: 97" },
		{ SCRIPT("script /x/s\nweight 7") USES("S"), "...priority: 107\n",
		    "line 5: mapped with a difference: vrrp_instance V: vrrp.priority: 107" },
		{ SCRIPT("script /x/s\nweight 7") USES("S weight -9 reverse"),
		    "...weight: 9\n    reverse: yes\n", NULL },
		{ SCRIPT("script \"pidof -s nginx\"") USES("S"),
		    "...kind: process\n    target: nginx\n    weight: 0\n",
		    "line 2: mapped with a difference: script \"pidof -s nginx\": track.target: a process" },
		{ SCRIPT("script \"a | b\"\nweight 4") USES("S"), "...priority: 100\n",
		    "line 1: not supported: vrrp_script S: it is left out\n"
		    "line 2: not supported: script \"a | b\": track.target: there is no shell\n"
		    "line 9: not supported: S: track: it is left out, as line 1 says" },
		{ SCRIPT("weight x\nfrob") USES("S weight 5000\nT"), "...priority: 100\n",
		    "line 1: not supported: vrrp_script S: no vrrp_instance uses it\n"
		    "line 2: not supported: weight x: track.weight\nline 3: not supported: frob\n"
		    "line 9: not supported: S weight 5000: track.weight\n"
		    "line 10: not supported: T: nothing of that name is defined" },
		{ VI("track_interface {\neth0\neth1\n}"),
		    "...track:\n  eth1:\n    kind: interface\n    target: eth1\n    weight: 0\n",
		    "line 5: mapped: eth0: vrrp.interface: its carrier\nline 6: mapped: eth1: track" },
		/* One of two instances. */
		{ VI("track_process {\nP\n}") "vrrp_instance W {\ninterface eth1\nvirtual_router_id 5\n}\n"
					      "track_process P {\nprocess named\n}\n",
		    "...kind: process\n    target: named\n",
		    "line 12: mapped with a difference: track_process P: track: it counts for every" },
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
		cmocka_unit_test(test_routers),
		cmocka_unit_test(test_tracks),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
