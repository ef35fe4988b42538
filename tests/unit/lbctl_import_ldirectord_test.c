/* ldirectord.cf as rows of ours: services, real servers, tests, what is said for all, and what is refused. */
#include "import_rig.h"

static void
test_services(void **state)
{
	static const struct row rows[] = {
		{ "virtual=10.0.0.1:80\n\treal=10.0.0.11:80 masq 3\n\treal=10.0.0.12:8080 masq\n"
		  "\tchecktype=on\n\tquiescent=yes\n",
		    "check:\n  untested:\n    kind: none\n"
		    "vip:\n  10.0.0.1-80:\n    address: 10.0.0.1\n    ports: 80\n    protocol: tcp\n"
		    "    mode: nat\n    scheduler: wrr\n    check: untested\n    on_failure: quiesce\n"
		    "    rips:\n      10.0.0.11:\n        address: 10.0.0.11\n        weight: 3\n"
		    "      10.0.0.12-8080:\n        address: 10.0.0.12\n        port: 8080\n        weight: 1\n",
		    "line 1: mapped\nline 2: mapped\nline 4: mapped: checktype=on: check.kind\n"
		    "line 5: mapped: quiescent=yes: vip.on_failure" },
		{ "virtual=10.0.0.1:53\n    real=10.0.0.2->10.0.0.4:53 gate\n    ops=yes\n",
		    "...protocol: udp\n    mode: dr\n    scheduler: wrr\n    check: untested\n    one_packet: yes\n"
		    "    on_failure: remove\n    rips:\n      10.0.0.2:\n        address: 10.0.0.2\n"
		    "        weight: 1\n      10.0.0.3:",
		    "quiescent is not said: vip.on_failure: remove\nUDP has no check yet" },
		{ "virtual6=[fd00::1]:80\n\treal6=[fd00::2]:80 ipip\n\tnetmask=64\n\tpersistent=60\n",
		    "...persist_timeout: 1m\n    check: fd00--1-80\n    persist_mask: 64", NULL },
		{ "virtual=10.0.0.1:80\n\tfallback=10.0.0.9:8080 masq\n",
		    "...fallback: 10.0.0.9\n"
		    "    fallback_port: 8080\n    fallback_forward: nat",
		    NULL },
		{ "virtual=10.0.0.1:80\n\treal=10.0.0.2:80 gate\n\tfallback=10.0.0.9:8080\n",
		    "...fallback: 10.0.0.9\n    rips",
		    "fallback port 8080: vip.fallback_port: left out: forwarding dr" },
		/* A fallback for all, of the family of each. */
		{ "fallback=10.0.0.9:80\nfallback6=[fd00::9]:80\nvirtual6=[fd00::1]:80\n\tchecktype=on\n",
		    "...fallback: \"fd00::9\"\n", NULL },
		{ "virtual=www.example.com:80\n\treal=10.0.0.2:80 gate\nquiescent=no\n", "{}\n",
		    "line 1: not supported: virtual=www.example.com:80: vip.address\n"
		    "line 2: not supported: real=10.0.0.2:80 gate: its service is left out\n"
		    "line 3: mapped: quiescent=no" },
		{ "virtual=10.0.0.1:80\n\treal=10.0.0.2:80 gate\n\tchecktype=off\n", "...weight: 0",
		    "line 3: mapped with a difference: checktype=off: check.kind: weight 0" },
	};

	(void)state;
	CHECK_ROWS(import_ldirectord, rows);
}

#define ONE "virtual=10.0.0.1:80\n\treal=10.0.0.2:80 masq\n"

static void
test_checks(void **state)
{
	static const struct row rows[] = {
		{ "checkinterval=40\nfailurecount=2\n" ONE "\trequest=\"index.html\"\n"
		  "\treceive=\"Test Page\"\n\tvirtualhost=www.example.com\n",
		    "...10.0.0.1-80:\n    kind: http\n    interval: 40s\n    timeout: 30s\n    rise: 1\n"
		    "    fall: 2\n    path: /index.html\n    host: www.example.com\n    expect: Test Page\n",
		    "line 5: mapped: request=\"index.html\": check.path\n"
		    "line 6: mapped: receive=\"Test Page\": check.expect" },
		{ ONE "\tchecktype=connect\n\tchecktimeout=3\n\tcheckport=81\n",
		    "...kind: tcp\n    interval: 10s\n    timeout: 3s\n    rise: 1\n    fall: 1\n    port: 81\n",
		    NULL },
		{ ONE "\treceive=\"up|fine\"\n", "...kind: http",
		    "line 3: not supported: receive=\"up|fine\": check.expect: no regular expressions" },
		{ ONE "\tservice=https\n\trequest=\"/a\"\n", "...kind: tcp",
		    "line 3: mapped with a difference: service=https: check.kind: only a connection\n"
		    "line 4: not supported: request=\"/a\": goes with a test that is not made" },
		{ ONE "\tchecktype=ping\n\trequest=\"/a\"\n", "...kind: tcp",
		    "line 3: mapped with a difference: checktype=ping: check.kind: there is no ping" },
		{ ONE "\tchecktype=connect\n\trequest=\"/a\"\n", "...kind: tcp",
		    "line 4: mapped: request=\"/a\": not looked at with this checktype" },
		{ ONE "\thttpmethod=head\n\treceive=\"x\"\n", "...method: HEAD",
		    "line 4: not supported: receive=\"x\": check.expect: the answer to HEAD has no body" },
		{ "virtual=10.0.0.1:80\n\treal=10.0.0.2:80 masq 5 \"/x\", \"yes\"\n\treal=10.0.0.3:80 masq\n",
		    "...check: 10.0.0.1-80-2", NULL },
		{ ONE "\tpasswd=\"word1\"\n\tsecret=word2\n", "...kind: http",
		    "line 3: not supported: passwd: no check logs in\nline 4: not supported: secret:" },
		{ ONE "\tchecktimeout=5\n\tcheckinterval=20\n\tchecktype=connect\n",
		    "...timeout: 5s", NULL },
		{ "checkinterval=5\n" ONE, "...interval: 5s\n    timeout: 5s",
		    "line 2: mapped with a difference: negotiatetimeout: check.timeout: 30 s are longer" },
	};

	(void)state;
	CHECK_ROWS(import_ldirectord, rows);
}

static void
test_refused(void **state)
{
	static const struct row rows[] = {
		{ "hello\n", NULL,
		    "line 1: not of the form name = value, as ldirectord.cf has it" },
		{ "# a\n\nvirtual_server 10.0.0.1 80 {\n", NULL,
		    "line 3: not of the form name = value, as ldirectord.cf has it" },
	};
	static const struct row said[] = {
		{ "frob=1\nautoreload=yes\ncheckinterval=0\n", "{}\n",
		    "line 1: not supported: frob=1: ldirectord does not know it\n"
		    "line 2: not supported: autoreload=yes: a change is made with lbctl\n"
		    "line 3: not supported: checkinterval=0: a number from 1" },
	};

	(void)state;
	CHECK_ROWS(import_ldirectord, rows);
	CHECK_ROWS(import_ldirectord, said);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
