/* Rules of the pair's rows, as a table: carriers, ping nodes, tracks, ignored interfaces. */
#include "checks_help.h"

#define UDP "create carrier a peer=10.5.0.2"
#define LINE "create carrier a kind=serial device=/dev/ttyS0"
#define GROUP "create carrier a kind=multicast interface=eth1 group=239.1.1.1"

static const struct rule rules[] = {
	/* carriers */
	{ NULL, UDP, NULL },
	{ NULL, "create carrier a", "carrier a: peer: is required with kind udp; allowed is" },
	{ NULL, "create carrier a peer=224.0.0.1", "peer: \"224.0.0.1\" is a multicast address" },
	{ NULL, "create carrier a peer=192.168.1.10",
	    "carrier a: peer: \"192.168.1.10\" is the address of interface eth0 of this node" },
	{ NULL, "create carrier a peer=10.5.0.2 address=10.5.0.2",
	    "carrier a: peer: \"10.5.0.2\" is the address of this node too" },
	{ NULL, "create carrier a peer=10.5.0.2 address=fd00::1",
	    "carrier a: peer: \"10.5.0.2\" is IPv4, and address is not; allowed is IPv6" },
	{ NULL, "create carrier a peer=fe80::1",
	    "carrier a: interface: is required with the peer" },
	{ NULL, "create carrier a peer=fe80::1 interface=eth1", NULL },
	{ NULL, "create carrier a peer=10.5.0.2 interface=a/b", "carrier a: interface: \"a/b\"" },
	{ NULL, "create carrier a peer=10.5.0.2 group=239.1.1.1",
	    "carrier a: group: is not possible with kind udp; unset group" },
	{ NULL, "create carrier a peer=10.5.0.2 device=/dev/ttyS0",
	    "carrier a: device: is not possible with kind udp" },
	{ NULL, GROUP, NULL },
	{ NULL, "create carrier a kind=multicast interface=eth1",
	    "carrier a: group: is required with kind multicast" },
	{ NULL, "create carrier a kind=multicast group=239.1.1.1",
	    "carrier a: interface: is required with kind multicast" },
	{ NULL, "create carrier a kind=multicast interface=eth1 group=10.5.0.2",
	    "carrier a: group: \"10.5.0.2\" is the address of a host; allowed are 224.0.0.0 to" },
	{ NULL, "create carrier a kind=multicast interface=eth1 group=ff02::77 address=10.5.0.1",
	    "carrier a: address: \"10.5.0.1\" is IPv4, and group is not; allowed is IPv6" },
	{ NULL, LINE, NULL },
	{ NULL, "create carrier a kind=serial", "carrier a: device: is required with kind serial" },
	{ NULL, "create carrier a kind=serial device=/etc/passwd",
	    "carrier a: device: \"/etc/passwd\" is no device; allowed is" },
	{ NULL, "create carrier a kind=serial device=/dev/../etc/passwd", "is no device" },
	{ NULL, LINE " speed=12345", "carrier a: speed: 12345 is no speed of a serial line" },
	{ NULL, LINE " peer=10.5.0.2", "carrier a: peer: is not possible with kind serial" },
	{ NULL, LINE " interface=eth1", "carrier a: interface: is not possible with kind serial" },
	/* times */
	{ NULL, UDP " interval=50ms", NULL },
	{ NULL, UDP " dead=200ms", NULL },
	{ NULL, UDP " interval=50ms dead=200ms", NULL },
	{ NULL, UDP " interval=50ms dead=199ms",
	    "carrier a: dead: 199 ms is shorter than four intervals of 50 ms; allowed is 0s, or 200 ms and more" },
	{ UDP " dead=200ms", "set setting main ha_dead=300ms", NULL },
	/* two of them */
	{ UDP, "create carrier b peer=10.6.0.2",
	    "carrier b: port: 9444 is the port of carrier a at the same place of this node" },
	{ UDP, "create carrier b peer=10.6.0.2 enabled=no", NULL },
	{ UDP, "create carrier b peer=10.6.0.2 port=9445", NULL },
	{ UDP, "create carrier b peer=fd00::2", NULL },
	{ UDP " address=10.5.0.1", "create carrier b peer=10.6.0.2 address=10.6.0.1", NULL },
	{ UDP " interface=eth1", "create carrier b peer=10.6.0.2 interface=eth2", NULL },
	{ LINE, "create carrier b kind=serial device=/dev/ttyS0",
	    "carrier b: device: \"/dev/ttyS0\" is the line of carrier a" },
	{ LINE, "create carrier b kind=serial device=/dev/ttyS1", NULL },
	{ GROUP, "create carrier b kind=multicast interface=eth1 group=239.1.1.1",
	    "carrier b: port: 9444 is the port of carrier a" },
	{ GROUP, "create carrier b kind=multicast interface=eth2 group=239.1.1.1", NULL },
	/* ping nodes */
	{ NULL, "create pingnode g address=10.5.0.254", NULL },
	{ NULL, "create pingnode g", "address" },
	{ NULL, "create pingnode g address=239.0.0.1", "pingnode g: address: \"239.0.0.1\" is a" },
	{ NULL, "create pingnode g address=fe80::1", "is of one link only" },
	{ NULL, "create pingnode g address=192.168.1.10", "is the address of interface eth0" },
	{ "create pingnode g address=10.5.0.254", "create pingnode h address=10.5.0.254",
	    "pingnode h: address: \"10.5.0.254\" is pingnode g already" },
	{ NULL, "create pingnode g address=10.5.0.254 interval=5ms", "interval" },
	/* tracks */
	{ NULL, "create track t target=disk", NULL },
	{ NULL, "create track t", "target" },
	{ NULL, "create track t target=/bin/sh",
	    "track t: target: \"/bin/sh\" does not begin with the name of a program in /etc/lbd/track" },
	{ NULL, "create track t target=../x", "does not begin with the name" },
	{ NULL, "create track t target=.x", "does not begin with the name" },
	{ NULL, "create track t kind=file target=/run/state", NULL },
	{ NULL, "create track t kind=file target=state", "allowed is the whole path of a file" },
	{ NULL, "create track t kind=file target=/run/../etc/x", "without .." },
	{ NULL, "create track t kind=file target=/run/", "allowed is the whole path" },
	{ NULL, "create track t kind=process target=sshd", NULL },
	{ NULL, "create track t kind=process target=/run/sshd.pid", NULL },
	{ NULL, "create track t kind=process target=bin/sshd", "allowed is the name of a process" },
	{ NULL, "create track t kind=unit target=ssh.service", NULL },
	{ NULL, "create track t kind=unit target=--all",
	    "track t: target: \"--all\" cannot be the name of a unit" },
	{ NULL, "create track t kind=interface target=eth1", NULL },
	{ NULL, "create track t kind=interface target=averyveryverylongname", "15 characters" },
	{ NULL, "create track t target=x weight=1001", "weight" },
	{ NULL, "create track t kind=bfd target=10.5.0.9 interval=50ms", NULL },
	{ NULL, "create track t kind=bfd target=fd00::9", NULL },
	{ NULL, "create track t kind=bfd target=fe80::9~interface~eth0", NULL },
	{ NULL, "create track t kind=bfd target=10.5.0.9~interface~eth0", NULL },
	{ NULL, "create track t kind=bfd target=router",
	    "track t: target: \"router\" is not possible with kind bfd; allowed is the address of one "
	    "neighbour, without a port; with a link-local one its interface, as fe80::1 interface eth0" },
	{ NULL, "create track t kind=bfd target=10.5.0.9:3784",
	    "\"10.5.0.9:3784\" is not possible" },
	{ NULL, "create track t kind=bfd target=10.5.0.0/24", "\"10.5.0.0/24\" is not possible" },
	{ NULL, "create track t kind=bfd target=10.5.0.9~eth0", "is not possible with kind bfd" },
	{ NULL, "create track t kind=bfd target=10.5.0.9~interface~averyveryverylong",
	    "is not possible with kind bfd" },
	{ NULL, "create track t kind=bfd target=10.5.0.9~interface~a/b",
	    "\"a/b\" cannot be the name" },
	{ NULL, "create track t kind=bfd target=fe80::9",
	    "track t: target: \"fe80::9\" is of one link, and its interface is not told; allowed is" },
	{ NULL, "create track t kind=bfd target=224.0.0.5",
	    "\"224.0.0.5\" is a multicast address" },
	{ NULL, "create track t kind=bfd target=0.0.0.0", "is the unspecified address" },
	{ NULL, "create track t kind=bfd target=127.0.0.1",
	    "\"127.0.0.1\" is of this node itself" },
	{ NULL, "create track t kind=bfd target=192.168.1.10",
	    "target: \"192.168.1.10\" is the address of interface eth0 of this node" },
	{ NULL, "create track t kind=bfd target=10.5.0.9 interval=49ms", "interval" },
	{ "create track t kind=bfd target=10.5.0.9", "create track u kind=bfd target=10.5.0.9",
	    "track u: target: \"10.5.0.9\" is the neighbour of track t already; allowed is another one" },
	{ "create track t kind=bfd target=10.5.0.9 enabled=no",
	    "create track u kind=bfd target=10.5.0.9", NULL },
	{ "create track t kind=bfd target=fe80::9~interface~eth0",
	    "create track u kind=bfd target=fe80::9~interface~eth1", NULL },
	{ "create track t kind=bfd target=10.5.0.9~interface~eth0",
	    "create track u kind=bfd target=10.5.0.9", "is the neighbour of track t already" },
	/* routes */
	{ NULL, "create route r destination=10.20.0.0/16 gateway=10.5.0.254", NULL },
	{ NULL, "create route r destination=10.20.0.0/16",
	    "route r: gateway: is required without an interface" },
	{ NULL, "create route r gateway=10.5.0.254", "destination" },
	{ NULL, "create route r destination=fd00:1::/64 gateway=10.5.0.254",
	    "route r: gateway: \"10.5.0.254\" is IPv4, and destination is not; allowed is IPv6" },
	{ NULL, "create route r destination=0.0.0.0/0 gateway=224.0.0.1",
	    "is a multicast address" },
	{ NULL, "create route r destination=10.20.0.0/16 interface=a/b", "interface: \"a/b\"" },
	{ NULL, "create route r destination=10.20.0.0/16 gateway=10.5.0.254 table=0", "table" },
	{ "create route r destination=10.20.0.0/16 gateway=10.5.0.254",
	    "create route s destination=10.20.0.0/16 gateway=10.5.0.253",
	    "route s: metric: 0 is that of route r to the same network" },
	{ "create route r destination=10.20.0.0/16 gateway=10.5.0.254",
	    "create route s destination=10.20.0.0/16 gateway=10.5.0.253 metric=5", NULL },
	/* fencing */
	{ NULL, "set node main fence=off_by_ipmi fence_timeout=5s", NULL },
	{ NULL, "set node main fence=../x",
	    "node: fence: \"../x\" does not begin with the name of a program in /etc/lbd/fence" },
	{ NULL, "set node main fence_mode=perhaps", "fence_mode: \"perhaps\"" },
	{ NULL, "set node main fence_timeout=1ms", "fence_timeout" },
	/* notify scripts */
	{ NULL, "create notify n script=bgp", NULL },
	{ NULL, "create notify n", "notify n: script: is required" },
	{ NULL, "create notify n script=/bin/sh",
	    "notify n: script: \"/bin/sh\" does not begin with the name of a program in /etc/lbd/notify" },
	{ NULL, "create notify n script=x on=never", "on: \"never\"" },
	{ NULL, "create notify n script=x timeout=1ms", "timeout" },
	{ NULL, "create notify n script=x group=3", "group" },
	{ NULL, "create notify n script=x on=route refresh=0", NULL },
	{ NULL, "create notify n script=x on=route refresh=1s", NULL },
	{ NULL, "create notify n script=x on=route refresh=999ms",
	    "notify n: refresh: 999 ms is not allowed: 0 (never), or 1 s to 1 h" },
	{ NULL, "create notify n script=x on=route refresh=2h", "refresh" },
	{ NULL, "create vip v address=192.0.2.1 ports=80 advertise=required", NULL },
	{ NULL, "create vip v address=192.0.2.1 ports=80 advertise=all", "advertise: \"all\"" },
	/* interfaces that do not count */
	{ NULL, "set node main ha_ignore=eth1,eth2", NULL },
	{ NULL, "set node main ha_ignore=eth1,,eth2",
	    "node: ha_ignore: \"eth1,,eth2\" is no list" },
	{ NULL, "set node main ha_ignore=eth1,", "ends with a comma" },
	{ NULL, "set node main ha_ignore=a/b", "cannot be the name of an interface" },
};

static void
test_rules(void **state)
{
	(void)state;
	run_rules(rules, ARRAY_LEN(rules));
}

/* Up to the limit, and one more; what is not enabled does not count. fields ends where the number goes. */
static void
take_most(const char *kind, const char *fields, unsigned most)
{
	char line[200];

	for (unsigned i = 1; i <= most; i++) {
		(void)snprintf(line, sizeof(line), "create %s n%u %s%u", kind, i, fields, i);
		assert_good(edit(line));
	}
	(void)snprintf(line, sizeof(line), "create %s off enabled=no %s200", kind, fields);
	assert_good(edit(line));
	(void)snprintf(line, sizeof(line), "set %s off enabled=yes", kind);
	assert_bad(edit(line), ERR_INVALID, "enabled: is one too many: allowed are");
}

static void
test_limits(void **state)
{
	(void)state;
	take_most("carrier", "kind=serial device=/dev/ttyS", 8);
	take_most("pingnode", "address=10.7.0.", 8);
	take_most("track", "kind=file target=/run/f", 64);
	take_most("notify", "script=s", 16);
	take_most("route", "interface=eth0 destination=10.8.0.", 32);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_store, drop_dir)
		T(test_rules),
		T(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
