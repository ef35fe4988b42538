/* Rules of virtual routers, as a table. */
#include "checks_help.h"

#define ONE "create vrrp a interface=eth0 vrid=51"

static const struct rule rules[] = {
	{ NULL, ONE, NULL },
	{ NULL, "create vrrp a vrid=51", "interface" },
	{ NULL, "create vrrp a interface=eth0", "vrid" },
	{ NULL, "create vrrp a interface=eth0 vrid=0", "vrid" },
	{ NULL, "create vrrp a interface=eth0 vrid=256", "vrid" },
	{ NULL, "create vrrp a interface=a/b vrid=51", "vrrp a: interface: \"a/b\"" },
	{ NULL, "create vrrp a interface=lo vrid=51", "interface: \"lo\" reaches nobody" },
	{ NULL, ONE " priority=0", "priority" },
	{ NULL, ONE " priority=255", NULL },
	{ NULL, ONE " group=3", "group" },
	/* versions */
	{ NULL, ONE " version=2", NULL },
	{ NULL, ONE " version=4", "version" },
	{ NULL, ONE " version=2 family=ipv6",
	    "vrrp a: version: 2 is not possible with family ipv6; allowed is 3" },
	{ NULL, ONE " interval=50ms", NULL },
	{ NULL, ONE " interval=55ms", "interval: 55 ms cannot be said in version 3; allowed are" },
	{ NULL, ONE " interval=40950ms", NULL },
	{ NULL, ONE " interval=41s", "cannot be said in version 3" },
	{ NULL, ONE " interval=255s version=2", NULL },
	{ NULL, ONE " interval=1500ms version=2", "interval: 1500 ms cannot be said in version 2" },
	{ NULL, ONE " password=1111 version=2", NULL },
	{ NULL, ONE " password=1111", "password: is not possible with version 3" },
	{ NULL, ONE " password=123456789 version=2", "password: is longer than" },
	{ NULL, ONE " checksum=plain", NULL },
	{ NULL, ONE " checksum=plain version=2", "checksum: plain is not possible here" },
	{ NULL, ONE " checksum=pseudo family=ipv6", "checksum: pseudo is not possible here" },
	/* ways */
	{ NULL, ONE " way=unicast peers=10.5.0.2,10.5.0.3 source=10.5.0.1 min_ttl=64", NULL },
	{ NULL, ONE " way=unicast", "vrrp a: peers: is required with way unicast" },
	{ NULL, ONE " peers=10.5.0.2", "peers: is not possible with way multicast" },
	{ NULL, ONE " min_ttl=254", "min_ttl: 254 is not possible with way multicast" },
	{ NULL, ONE " way=unicast peers=fd00::2", "peers: \"fd00::2\" is IPv6; allowed is IPv4" },
	{ NULL, ONE " way=unicast peers=224.0.0.18", "peers: \"224.0.0.18\" is a multicast" },
	{ NULL, ONE " way=unicast peers=10.5.0.0/27", "peers" },
	{ NULL, ONE " way=unicast peers=fe80::2 family=ipv6", NULL },
	{ NULL, ONE " source=fd00::1", "source: \"fd00::1\" is IPv6" },
	{ NULL, ONE " way=broadcast", NULL },
	{ NULL, ONE " way=broadcast family=ipv6", "way: broadcast is not possible" },
	{ NULL, ONE " virtual_mac=yes base_transmit=yes", NULL },
	{ NULL, ONE " base_transmit=yes", "base_transmit: yes is not possible" },
	{ NULL, ONE " ipvlan=yes", NULL },
	{ NULL, ONE " ipvlan=yes virtual_mac=yes", "ipvlan: yes is not possible with virtual_mac" },
	{ NULL, ONE " ipvlan=yes base_transmit=yes", "base_transmit: yes is not possible" },
	/* two of them */
	{ ONE " ipvlan=yes", "create vrrp b interface=eth0 vrid=52 group=2 virtual_mac=yes",
	    "vrrp b: virtual_mac: yes is not possible on eth0, where vrrp a has ipvlan" },
	{ ONE " virtual_mac=yes", "create vrrp b interface=eth0 vrid=52 family=ipv6 ipvlan=yes",
	    "vrrp b: ipvlan: yes is not possible on eth0, where vrrp a has virtual_mac" },
	{ ONE " ipvlan=yes", "create vrrp b interface=eth0 vrid=52 group=2 ipvlan=yes", NULL },
	{ ONE " ipvlan=yes", "create vrrp b interface=eth1 vrid=52 group=2 virtual_mac=yes", NULL },
	{ ONE " ipvlan=yes",
	    "create vrrp b interface=eth0 vrid=52 group=2 virtual_mac=yes enabled=no", NULL },
	{ ONE, "create vrrp b interface=eth0 vrid=51 group=2",
	    "vrrp b: vrid: 51 is the number of vrrp a on eth0" },
	{ ONE, "create vrrp b interface=eth0 vrid=52",
	    "vrrp b: group: the addresses of group 1 on eth0 move by vrrp a already" },
	{ ONE, "create vrrp b interface=eth0 vrid=52 enabled=no", NULL },
	{ ONE, "create vrrp b interface=eth0 vrid=52 group=2", NULL },
	{ ONE, "create vrrp b interface=eth1 vrid=51", NULL },
	{ ONE, "create vrrp b interface=eth0 vrid=51 family=ipv6", NULL },
};

static void
test_rules(void **state)
{
	(void)state;
	run_rules(rules, ARRAY_LEN(rules));
}

static void
test_limit(void **state)
{
	char line[100];

	(void)state;
	for (unsigned i = 1; i <= 16; i++) {
		(void)snprintf(line, sizeof(line), "create vrrp n%u interface=eth%u vrid=9", i, i);
		assert_good(edit(line));
	}
	assert_good(edit("create vrrp off interface=eth17 vrid=9 enabled=no"));
	assert_bad(edit("set vrrp off enabled=yes"), ERR_INVALID,
	    "vrrp off: enabled: is one too many: allowed are 16 enabled virtual routers");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_store, drop_dir)
		T(test_rules),
		T(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
