/* Rules between fields, objects and the addresses of the node, as a table: what is refused names object, field,
 * value and what is allowed; what is close to it is fine. */
#include "checks_help.h"

#define WEB "create vip web address=10.0.0.1 ports=80"

static const struct rule rules[] = {
	/* two services at one place */
	{ WEB, "create vip b address=10.0.0.1 ports=80",
	    "vip b: ports: 80-80 at 10.0.0.1 is taken by vip web (tcp 80-80)" },
	{ WEB, "create vip b address=10.0.0.1 ports=70-90",
	    "vip b: ports: 70-90 at 10.0.0.1 is taken by vip web" },
	{ WEB, "create vip b address=10.0.0.1 ports=80 enabled=no", "taken by vip web" },
	{ "create vip web address=10.0.0.1 ports=1-100",
	    "create vip b address=10.0.0.1 ports=50,200", "taken by vip web" },
	{ "create vip web address=10.0.0.1 ports=1-1000; create vip x address=10.0.0.1 ports=2000",
	    "create vip b address=10.0.0.1 ports=5,6", "taken by vip web" },
	{ WEB, "create vip b address=10.0.0.1 ports=80 protocol=udp mode=dr", NULL },
	{ WEB, "create vip b address=10.0.0.1 ports=81", NULL },
	{ WEB, "create vip b address=10.0.0.2 ports=80", NULL },
	{ WEB, "create vip b address=10.0.0.1 ports=79,81-90", NULL },
	/* addresses */
	{ NULL, "create vip web address=10.0.0.1 ports=80,1000-2023",
	    "vip web: ports: 1025 ports are too many for layer 7: it listens on each; allowed are 1 to 1024" },
	{ NULL, "create vip web address=10.0.0.1 ports=80,1000-2022", NULL },
	{ NULL, "create vip web address=10.0.0.1 ports=1-65535 mode=dr", NULL },
	{ NULL, "create vip web address=0.0.0.0 ports=80",
	    "vip web: address: \"0.0.0.0\" is the unspecified address" },
	{ NULL, "create vip web address=:: ports=80", "the unspecified address" },
	{ NULL, "create vip web address=224.0.0.1 ports=80", "a multicast address" },
	{ NULL, "create vip web address=ff02::1 ports=80", "a multicast address" },
	{ NULL, "create vip web address=255.255.255.255 ports=80", "the broadcast address" },
	{ NULL, "create fip f address=0.0.0.0",
	    "fip f: address: \"0.0.0.0\" is the unspecified address" },
	{ NULL, "create fip f address=239.1.1.1/8", "a multicast address" },
	{ NULL, "create fip f address=10.0.0.5/24 interface=a/b", "fip f: interface: \"a/b\"" },
	{ NULL, "create fip f address=10.0.0.5/24 interface=eth0.7", NULL },
	{ NULL, "set node main interface=..", "node: interface: \"..\"" },
	/* S060: addresses of this node; those of lbd-ha are not in the way */
	{ NULL, "create vip web address=192.168.1.10 ports=80",
	    "vip web: address: \"192.168.1.10\" is the address of interface eth0 of this node" },
	{ NULL, "create vip web address=127.0.0.1 ports=80", "of interface lo" },
	{ NULL, "create vip web address=::1 ports=80", "of interface lo" },
	{ NULL, "create fip f address=192.168.1.10/24",
	    "fip f: address: \"192.168.1.10\" is the address of interface eth0" },
	{ NULL, "create vip web address=127.0.0.10 ports=80", NULL },
	{ NULL,
	    "create vip web address=192.168.1.50 ports=80; create fip f address=192.168.1.50/24",
	    NULL },
	{ NULL, "create vip web address=192.168.1.11 ports=80", NULL },
	/* servers */
	{ WEB,
	    "create rip web/a address=10.1.0.1 port=8080; create rip web/b address=10.1.0.1 port=8080",
	    "rip web/b: address: \"10.1.0.1\" with port 8080 is rip a already" },
	{ WEB,
	    "create rip web/a address=host.example port=1; create rip web/b address=HOST.example port=1",
	    "is rip a already" },
	{ WEB,
	    "create rip web/a address=10.1.0.1 port=8080; create rip web/b address=10.1.0.1 port=8081",
	    NULL },
	{ WEB, "create rip web/a address=10.0.0.1 port=80",
	    "rip web/a: address: \"10.0.0.1\" with port 80 is its own virtual service" },
	{ WEB, "create rip web/a address=10.0.0.1", "is its own virtual service, a loop" },
	{ WEB, "create rip web/a address=10.0.0.1 port=81", NULL },
	{ WEB, "create rip web/a address=0.0.0.0", "the unspecified address" },
	{ "create vip v address=10.0.0.1 ports=80-90", "create rip v/a address=10.1.0.1", NULL },
	/* layers and modes */
	{ NULL, "create vip v address=10.0.0.1 ports=53 protocol=udp",
	    "vip v: protocol: \"udp\" is not possible in mode http" },
	{ NULL, "create vip v address=10.0.0.1 ports=53 protocol=udp mode=tcp",
	    "not possible in mode tcp" },
	{ NULL, "create vip v address=10.0.0.1 ports=53 protocol=udp mode=nat", NULL },
	{ NULL, "create vip v address=10.0.0.1 ports=1 mode=tcp persistence=cookie",
	    "vip v: persistence: \"cookie\" is not possible in mode tcp" },
	{ NULL, "create vip v address=10.0.0.1 ports=1 mode=dr persistence=app_cookie",
	    "\"app_cookie\" is not possible in mode dr" },
	{ NULL, "create vip v address=10.0.0.1 ports=1 mode=tcp persistence=source", NULL },
	{ NULL,
	    "create vip v address=10.0.0.1 ports=1 mode=tun; create rip v/a address=host.example",
	    "rip v/a: address: \"host.example\" is a name, and mode tun is layer 4" },
	{ NULL, "create vip v address=10.0.0.1 ports=1 mode=dr; create rip v/a address=fd00::1",
	    "is IPv6, and mode dr" },
	{ NULL, "create vip v address=fd00::5 ports=1 mode=dr; create rip v/a address=fd00::1",
	    NULL },
	{ NULL, "create vip v address=10.0.0.1 ports=1 mode=tun; create rip v/a address=fd00::1",
	    NULL },
	{ "create vip v address=10.0.0.1 ports=1; create rip v/a address=host.example",
	    "set vip v mode=nat", "is a name" },
	/* checks */
	{ NULL, "create check c interval=1s timeout=2s",
	    "check c: timeout: 2000 ms is longer than the interval of 1000 ms" },
	{ NULL, "create check c interval=2s timeout=2s", NULL },
	{ NULL, "create check c kind=none interval=1s timeout=2s", NULL },
	{ NULL, "create check c path=health",
	    "check c: path: \"health\" does not begin with a slash" },
	{ NULL, "create check c expect=OK", "check c: expect: is not possible with kind tcp" },
	{ NULL, "create check c reject=error", "check c: reject: is not possible with kind tcp" },
	{ NULL, "create check c kind=http expect=OK reject=error", NULL },
	{ NULL, "create check c kind=http method=HEAD expect=OK",
	    "check c: expect: is not possible with method HEAD" },
	/* users, tokens, settings */
	{ NULL, "create user u password=geheim123",
	    "user u: role: nobody could change the configuration any more" },
	{ "create user a role=admin password=geheim123", "delete user a", NULL },
	{ "create user a role=admin password=geheim123; create user b password=geheim123",
	    "delete user a", "user b: role: nobody" },
	{ "create user a role=admin password=geheim123", "set user a enabled=no",
	    "user a: enabled: nobody" },
	{ "create user a role=admin password=geheim123; create user b role=admin password=geheim123",
	    "set user a enabled=no", NULL },
	{ "create user a role=admin password=geheim123; create user b role=admin",
	    "set user a role=viewer", "nobody could change" },
	{ "create user a", "create token a", "token a: name: \"a\" is a user already" },
	{ NULL, "set setting main block=bad",
	    "setting: block: \"bad\": there is no list of that name; allowed are the names of lists of kind address" },
	{ NULL, "set setting main http_port=9443",
	    "setting: http_port: 9443 is the HTTPS port too" },
	{ NULL, "set setting main session_idle=13h", "setting: session_idle:" },
};

static void
test_rules(void **state)
{
	(void)state;
	run_rules(rules, ARRAY_LEN(rules));
}

static void
test_many_servers_are_sorted(void **state)
{
	struct buf line = { 0 };

	(void)state;
	buf_puts(&line, WEB);
	for (unsigned i = 0; i < 40; i++)
		buf_printf(&line, "; create rip web/r%u address=10.1.0.%u", i, i + 1);
	assert_good(edit(buf_text(&line)));
	assert_bad(edit("create rip web/again address=10.1.0.33"), ERR_INVALID,
	    "rip web/again: address: \"10.1.0.33\" with port 0 is rip r32 already");
	buf_fini(&line);
}

static void
test_error_has_object_and_field(void **state)
{
	(void)state;
	assert_bad(edit("create check c interval=1s timeout=2s"), ERR_INVALID, "timeout");
	assert_string_equal(err.object, "check c");
	assert_string_equal(err.field, "timeout");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_store, drop_dir)
		T(test_rules),
		T(test_many_servers_are_sorted),
		T(test_error_has_object_and_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
