/* ipvsadm-save -n as rows of ours: every option, the defaults, and what is refused. */
#include "import_rig.h"

#define UNTESTED "check:\n  untested:\n    kind: none\n"

static void
test_whole(void **state)
{
	static const struct row rows[] = {
		{ "", "{}\n", "0 mapped, 0 mapped with a difference, 0 not supported" },
		{ "-A -t 10.0.0.1:80 -s wlc\n"
		  "-a -t 10.0.0.1:80 -r 10.0.0.11:8080 -m -w 1\n"
		  "-a -t 10.0.0.1:80 -r 10.0.0.12:80 -m -w 3 -x 100 -y 50\n",
		    UNTESTED
		    "vip:\n  10.0.0.1-80:\n    address: 10.0.0.1\n    ports: 80\n"
		    "    protocol: tcp\n    mode: nat\n    scheduler: wlc\n    check: untested\n"
		    "    rips:\n      10.0.0.11-8080:\n        address: 10.0.0.11\n        port: 8080\n"
		    "        weight: 1\n      10.0.0.12:\n        address: 10.0.0.12\n"
		    "        weight: 3\n        max_conns: 100\n        min_conns: 50\n",
		    "line 1: mapped: -A -t 10.0.0.1:80 -s wlc: vip\nline 2: mapped\nline 3: mapped\n"
		    "check untested: the kernel's table has none" },
	};

	(void)state;
	CHECK_ROWS(import_ipvs, rows);
}

static void
test_options(void **state)
{
	static const struct row rows[] = {
		{ "ipvsadm -A -u [fd00::1]:53 -s rr -o", "...one_packet: yes", NULL },
		{ "--add-service --udp-service [fd00::1]:53 --scheduler rr --ops",
		    "...one_packet: yes", NULL },
		{ "-A --sctp-service 10.0.0.1:80",
		    "...protocol: sctp\n    mode: dr\n    scheduler: wlc", NULL },
		{ "-A -t 10.0.0.1:80 -p -M 255.255.255.0",
		    "...persistence: source\n    persist_timeout: 5m\n    persist_mask: 24", NULL },
		{ "-A -t [fd00::1]:80 -p 60 -M 64", "...persist_timeout: 1m\n    persist_mask: 64",
		    NULL },
		{ "-A -t 10.0.0.1:80 -p 60 -M 255.255.255.255", "...persist_timeout: 1m\n", NULL },
		{ "-A -u 10.0.0.1:5060 -p 60 --pe sip", "...persistence: sip", NULL },
		{ "-A -t 10.0.0.1:80 -s mh -b mh-fallback,mh-port",
		    "...hash_fallback: yes\n    hash_port: yes", NULL },
		{ "-A -t 10.0.0.1:80 -s sh -b flag-2", "...hash_port: yes", NULL },
		{ "-A -t 10.0.0.1:0 -p 60", "...ports: 1-65535",
		    "line 1: mapped with a difference: -A -t 10.0.0.1:0 -p 60: vip: every port" },
		{ "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.0.0.2:81 -g\n",
		    "...rips:\n      10.0.0.2:\n        address: 10.0.0.2\n        weight: 1\n",
		    "line 2: mapped with a difference: 10.0.0.2 port 81: rip.port: left out" },
		{ "-A -t 10.0.0.1:80\n-a -t 10.0.0.1:80 -r 10.0.0.2:80 -i --tun-type gue --tun-port 7000 "
		  "--tun-csum\n-a -t 10.0.0.1:80 -r 10.0.0.3:80 -i --tun-type gue --tun-port 7000 --tun-csum\n"
		  "-a -t 10.0.0.1:80 -r 10.0.0.4:80 -i\n-a -t 10.0.0.1:80 -r 10.0.0.5:80 -m\n",
		    "...check: untested\n    tunnel: gue\n    tunnel_port: 7000\n    tunnel_csum: full\n"
		    "    rips:\n"
		    "      10.0.0.2:\n        address: 10.0.0.2\n        weight: 1\n"
		    "      10.0.0.3:\n        address: 10.0.0.3\n        weight: 1\n"
		    "      10.0.0.4:\n        address: 10.0.0.4\n        weight: 1\n        forward: tun\n"
		    "      10.0.0.5:\n        address: 10.0.0.5\n        weight: 1\n        forward: nat\n",
		    NULL },
	};

	(void)state;
	CHECK_ROWS(import_ipvs, rows);
}

static void
test_not_supported(void **state)
{
	static const struct row rows[] = {
		{ "-A -t 10.0.0.1:80 -s xyz", "...address: 10.0.0.1",
		    "line 1: not supported: -s: scheduler: \"xyz\" is not allowed" },
		{ "-A -t 10.0.0.1:80 -s rr -b flag-1", "...address: 10.0.0.1",
		    "line 1: not supported: flag-1: only the schedulers sh and mh have flags" },
		{ "-A -t 10.0.0.1:80 --frob", "...address: 10.0.0.1",
		    "line 1: not supported: --frob: ipvsadm(8) does not know it" },
		{ "-A -t 10.0.0.1:80 -p 60 -M 255.0.255.0", "...persist_timeout: 1m",
		    "line 1: not supported: -M: the bits of a mask must lead" },
		{ "--set 900 120 300", "{}\n",
		    "line 1: not supported: --set 900 120 300: timeouts are settings" },
		{ "-A -f 5\n-a -f 5 -r 10.0.0.2:0 -g\n", "{}\n",
		    "line 1: not supported: mark 5: the whole service is left out\n"
		    "line 2: not supported: -a -f 5 -r 10.0.0.2:0 -g: rip: its service is left out" },
	};

	(void)state;
	CHECK_ROWS(import_ipvs, rows);
}

static void
test_mark(void **state)
{
	static const struct row ok = { "-A -f 5 -s rr\n-a -f 5 -r 10.0.0.2:0 -g -w 2\n",
		"...mark-5:\n    address: 10.0.0.9\n    ports: 1-65535\n    mode: dr\n    scheduler: rr\n"
		"    check: untested\n    mark: 5\n    rips:\n      10.0.0.2:\n        address: 10.0.0.2\n"
		"        weight: 2\n",
		"line 1: mapped with a difference: mark 5: vip.mark" },
				other = { "-A -f 5 -6 -s rr\n", "{}\n",
					"(of the family of its servers)" },
				large = { "-A -f 4294967295\n", "{}\n",
					"mark: \"4294967295\" is not allowed" };

	(void)state;
	check_row(import_ipvs, &ok, "10.0.0.9");
	check_row(import_ipvs, &other, "10.0.0.9");
	check_row(import_ipvs, &large, "10.0.0.9");
}

static void
test_refused(void **state)
{
	static const struct row rows[] = {
		{ "IP Virtual Server version 1.2.1 (size=4096)\n", NULL,
		    "line 1: this is what ipvsadm -L prints; give what \"ipvsadm-save -n\" prints" },
		{ "\nTCP  10.0.0.1:80 wlc\n", NULL,
		    "line 2: this is what ipvsadm -L prints; give what \"ipvsadm-save -n\" prints" },
		{ "hello", NULL,
		    "line 1: not a command of ipvsadm; give what \"ipvsadm-save -n\" prints" },
		{ "-A -t www:http", NULL,
		    "line 1: \"www:http\" is not ADDRESS:PORT; ipvsadm-save -n gives numbers" },
		{ "-A -t", NULL, "line 1: -t needs a value" },
		{ "-A -s rr", NULL, "line 1: neither -t, -u, --sctp-service nor -f: no service" },
		{ "-a -t 10.0.0.1:80 -r 10.0.0.2:80", NULL,
		    "line 1: no line before it adds the service" },
		{ "-A -t 10.0.0.1:80\n-A -t 10.0.0.1:80\n", NULL,
		    "line 2: this service was there before" },
		{ "-A -f 0", NULL, "line 1: -f: \"0\" is not a mark from 1" },
		{ "-D -t 10.0.0.1:80", NULL, "line 1: neither -A nor -a: only these are imported" },
	};

	(void)state;
	CHECK_ROWS(import_ipvs, rows);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_not_supported),
		cmocka_unit_test(test_mark),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
