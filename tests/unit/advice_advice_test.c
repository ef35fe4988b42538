/* What servers are told: rows of { service, server, system, texts that must and must not stand there }. */
#include "advice/advice.h"

#include "base/must.h"
#include "schema/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static struct ranges *
ports(void)
{
	static struct {
		struct ranges r;
		uint16_t more[4];
	} p = { { 2 }, { 80, 80, 8000, 8010 } };

	return &p.r;
}

static struct addr
cidr(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, ADDR_CIDR, &a), 0);
	return a;
}

struct set {
	struct service svc;
	struct server srv;
	struct advice_ask ask;
};

/* vip, rip: addresses; the servers' network, gateway and router fit them. */
static void
set_up(struct set *t, unsigned mode, const char *vip, const char *rip, unsigned os)
{
	bool six = strchr(vip, ':') != NULL;

	*t = (struct set){
		.svc = { .name = "web",
		    .address = cidr(vip),
		    .mode = (uint8_t)mode,
		    .ports = ports(),
		    .tunnel_port = 6080 },
		.srv = { .name = "rip1", .address = { rip, cidr(rip) } },
	};
	t->ask = (struct advice_ask){ .svc = &t->svc,
		.srv = &t->srv,
		.os = (uint8_t)os,
		.net = cidr(six ? "fd00::5/64" : "10.0.0.5/24"),
		.vip_net = cidr(six ? "fd00::5/56" : "10.0.0.5/24"),
		.gateway = cidr(six ? "fd00::fe" : "10.0.0.254"),
		.router = cidr(six ? "fd00::1" : "10.0.0.1"),
		.node = { cidr(six ? "fd00::5" : "10.0.0.5") },
		.nodes = 1 };
}

static char *
text_of(const struct advice_ask *a, char *out, size_t room)
{
	struct advice advice;
	struct buf b = { 0 };
	struct err err = { 0 };

	if (advice_server(a, &advice, &err) != 0) {
		(void)snprintf(out, room, "error %d %s", err.code, err.text);
		return out;
	}
	advice_text(&advice, &b);
	assert_true(b.len < room);
	(void)snprintf(out, room, "%s", buf_text(&b));
	for (char *wrap = out;
	     (wrap = strstr(wrap, "\n# ")) != NULL;) { /* texts in one line again */
		memmove(wrap + 1, wrap + 3, strlen(wrap + 3) + 1);
		*wrap = ' ';
	}
	buf_fini(&b);
	advice_fini(&advice);
	return out;
}

#define V4 "10.0.0.100", "10.0.0.11"
#define V6 "fd00::100", "fd00::11"
static const struct {
	unsigned mode;
	const char *vip, *rip;
	unsigned os, method;
	const char *has[8], *not [3];
} rows[] = {
	{ mode_dr, V4, ADVICE_LINUX, ADVICE_SYSCTL,
	    { "net.ipv4.conf.all.arp_ignore = 1\n", "net.ipv4.conf.all.arp_announce = 2\n",
		"/etc/sysctl.d/90-lbd-arp.conf",
		"ExecStart=/sbin/ip address replace 10.0.0.100/32 dev lo\n",
		"WantedBy=multi-user.target", "route replace default via 10.0.0.1",
		"lbctl diagnose web", "'' | 10.0.0.5 |" },
	    { "ipv6", "nft" } },
	{ mode_dr, V6, ADVICE_LINUX, ADVICE_SYSCTL,
	    { "net.ipv6.conf.lo.dad_transmits = 0\n", "net.ipv6.conf.lo.accept_dad = 0\n",
		"ip -6 address replace fd00::100/128 dev lo preferred_lft 0 nodad",
		"ip -6 route replace default via fd00::1" },
	    { "arp_ignore" } },
	{ mode_dr, V4, ADVICE_LINUX, ADVICE_IPTABLES,
	    { "ip daddr { 10.0.0.100 } tcp dport { 80, 8000-8010 } redirect",
		"IP-based virtual hosts", "not for IPv6", "--dports 80,8000:8010 -j REDIRECT",
		"nft -f /etc/lbd-web.nft" },
	    { "arp_ignore", "address replace" } },
	{ mode_dr, V6, ADVICE_LINUX, ADVICE_IPTABLES,
	    { "error", "not for IPv6", "allowed is method sysctl" }, { NULL } },
	{ mode_tun, V4, ADVICE_LINUX, ADVICE_SYSCTL,
	    { "ip link add lbd-ipip type ipip local 10.0.0.11\n", "rp_filter=2",
		"maxseg size set 1440", "address replace 10.0.0.100/32 dev lbd-ipip\n",
		"arp_ignore = 1", "= \"lbd-ipip $vip\" ] ||" },
	    { "fou" } },
	{ mode_tun, V6, ADVICE_LINUX, ADVICE_SYSCTL,
	    { "ip link add lbd-ip6 type ip6tnl mode any local fd00::11\n",
		"address replace fd00::100/128 dev lo preferred" },
	    { NULL } },
	{ mode_tun, V4, ADVICE_LINUX, ADVICE_IPTABLES, { "error", "not for tunnels" }, { NULL } },
	{ mode_nat, V4, ADVICE_LINUX, ADVICE_SYSCTL,
	    { "route replace default via 10.0.0.254 dev $iface",
		"route replace 10.0.0.254/32 dev $iface",
		"route replace 10.0.0.0/24 via 10.0.0.254", "accept_redirects=0", "one arm" },
	    { "arp_ignore", "dev lo" } },
	{ mode_nat, "192.0.2.1", "10.0.0.11", ADVICE_LINUX, ADVICE_SYSCTL,
	    { "route replace default via 10.0.0.254 dev $iface" }, { "10.0.0.0/24", "one arm" } },
	{ mode_snat, V4, ADVICE_LINUX, ADVICE_SYSCTL, { "error", "asks nothing of its servers" },
	    { NULL } },
	{ mode_http, V4, ADVICE_LINUX, ADVICE_SYSCTL, { "error", "asks nothing of its servers" },
	    { NULL } },
	{ mode_dr, V4, ADVICE_BSD, ADVICE_SYSCTL,
	    { "\nifconfig lo0 alias 10.0.0.100 netmask 255.255.255.255\n",
		"sysrc \"ifconfig_lo0_alias$n=inet 10.0.0.100", "/etc/hostname.lo0",
		"inet 10.0.0.100 netmask 255.255.255.255 alias\" in /etc/ifconfig.lo0",
		"OpenBSD 6.6 and younger does when it forwards: sysctl net.inet.ip.forwarding=1" },
	    { NULL } },
	{ mode_dr, V6, ADVICE_BSD, ADVICE_SYSCTL,
	    { "\nifconfig lo0 inet6 fd00::100 prefixlen 128 alias\n",
		"net.inet6.ip6.forwarding=1" },
	    { "netmask", "net.inet.ip.forwarding" } },
	{ mode_tun, V4, ADVICE_BSD, ADVICE_SYSCTL, { "ifconfig gif0 tunnel 10.0.0.11 10.0.0.5" },
	    { NULL } },
	{ mode_nat, V4, ADVICE_BSD, ADVICE_SYSCTL,
	    { "route change default 10.0.0.254", "sysrc defaultrouter=10.0.0.254" }, { "alias" } },
	{ mode_dr, V4, ADVICE_MACOS, ADVICE_SYSCTL,
	    { "ifconfig lo0 alias 10.0.0.100 netmask 255.255.255.255",
		"<string>netmask</string><string>255.255.255.255</string>", "sudo -s",
		"/Library/LaunchDaemons/lbd.web.plist", "launchctl load -w" },
	    { NULL } },
	{ mode_tun, V4, ADVICE_MACOS, ADVICE_SYSCTL, { "error", "macOS has no tunnel" }, { NULL } },
	{ mode_dr, V4, ADVICE_SOLARIS, ADVICE_SYSCTL,
	    { "-arp up", "ipadm create-addr -T static -a 10.0.0.100/32 lo0/lbd0",
		"/etc/hostname.lo0:1" },
	    { NULL } },
	{ mode_dr, V6, ADVICE_SOLARIS, ADVICE_SYSCTL,
	    { "ipadm create-addr -T static -a fd00::100/128 lo0/lbd0", "ifconfig lo0:1 inet6 plumb",
		"/etc/hostname6.lo0:1" },
	    { "netmask", "-arp" } },
	{ mode_nat, V4, ADVICE_SOLARIS, ADVICE_SYSCTL,
	    { "route -p add default 10.0.0.254", "route -p delete default OLD" },
	    { "delete default 10.0.0.254" } },
	{ mode_nat, V6, ADVICE_MACOS, ADVICE_SYSCTL,
	    { "networksetup -setv6manual SERVICE ADDRESS PREFIXLENGTH fd00::" }, { "-setmanual" } },
	{ mode_dr, V4, ADVICE_WINDOWS, ADVICE_SYSCTL,
	    { "netsh interface ipv4 set interface \"Lan 1\" weakhostreceive=enabled\n",
		"netsh interface ipv4 set interface \"lo 1\" weakhostreceive=enabled\n",
		"netsh interface ipv4 set interface \"lo 1\" weakhostsend=enabled\n",
		"netsh interface ipv4 set interface \"lo 1\" dadtransmits=0",
		"-IPAddress 10.0.0.100 -PrefixLength 32 ",
		"ComponentID -ne 'ms_tcpip' | Disable-NetAdapterBinding",
		"Weak Host Sends: enabled; Weak Host Receives: enabled",
		"-LocalPort 80,8000-8010" },
	    { "ipv6 set" } },
	{ mode_dr, V4, ADVICE_WINDOWS, ADVICE_SYSCTL,
	    { "Loopback Adapter", "255.255.255.255", "case count", "ms_nlb", "All Unassigned",
		"*:PORT: or both", "Leave the firewall on", "Get-NetFirewallProfile" },
	    { NULL } },
	{ mode_dr, V6, ADVICE_WINDOWS, ADVICE_SYSCTL,
	    { "netsh interface ipv6 set interface \"lo 1\" dadtransmits=0",
		"-IPAddress fd00::100 -PrefixLength 56 ", "'ms_tcpip6'" },
	    { "255.255.255.255" } },
	{ mode_nat, V4, ADVICE_WINDOWS, ADVICE_SYSCTL,
	    { "New-NetRoute -DestinationPrefix 0.0.0.0/0 -InterfaceAlias 'Lan 1' -NextHop 10.0.0.254",
		"-DestinationPrefix CLIENT/32 -InterfaceAlias 'Lan 1' -NextHop 10.0.0.254" },
	    { "weakhost" } },
	{ mode_tun, V4, ADVICE_WINDOWS, ADVICE_SYSCTL, { "error", "Windows has no tunnel" },
	    { NULL } },
	{ mode_dr, V4, ADVICE_MACOS, ADVICE_IPTABLES, { "error", "allowed is linux" }, { NULL } },
};

static void
test_rows(void **state)
{
	static char text[16384];
	struct set t;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		set_up(&t, rows[i].mode, rows[i].vip, rows[i].rip, rows[i].os);
		t.ask.method = (uint8_t)rows[i].method;
		t.ask.interface = rows[i].os == ADVICE_WINDOWS ? "Lan 1" : NULL;
		t.ask.loopback = rows[i].os == ADVICE_WINDOWS ? "lo 1" : NULL;
		(void)text_of(&t.ask, text, sizeof(text));
		for (unsigned k = 0; k < 8 && rows[i].has[k]; k++)
			if (!strstr(text, rows[i].has[k]))
				fail_msg("row %u has not \"%s\":\n%s", i, rows[i].has[k], text);
		for (unsigned k = 0; k < 3 && rows[i].not [k]; k++)
			if (strstr(text, rows[i].not [k]))
				fail_msg("row %u has \"%s\":\n%s", i, rows[i].not [k], text);
	}
}

/* Each kind of tunnel, each family outside. */
static void
test_tunnels(void **state)
{
	static const struct {
		uint8_t kind, csum;
		const char *rip, *has, *mss;
	} kinds[] = {
		{ tunnel_gre, checksum_none, "10.0.0.11",
		    "ip link add lbd-gre type gre local 10.0.0.11\n", "set 1436\n" },
		{ tunnel_gre, checksum_full, "10.0.0.11",
		    "ip link add lbd-gre type gre local 10.0.0.11 icsum\n", "set 1432\n" },
		{ tunnel_gue, checksum_none, "10.0.0.11", "ip fou add port 6080 gue\n",
		    "set 1428\n" },
		{ tunnel_gue, checksum_none, "fd00::11", "ip fou add port 6080 gue -6\n",
		    "set 1408\n" },
		{ tunnel_ipip, checksum_none, "fd00::11",
		    "ip link add lbd-ip6 type ip6tnl mode any local fd00::11\n", "set 1420\n" },
	};
	static char text[16384];
	struct set t;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		set_up(&t, mode_tun, "10.0.0.100", kinds[i].rip, ADVICE_LINUX);
		t.svc.tunnel = kinds[i].kind;
		t.svc.tunnel_csum = kinds[i].csum;
		(void)text_of(&t.ask, text, sizeof(text));
		if (!strstr(text, kinds[i].has) || !strstr(text, kinds[i].mss))
			fail_msg("row %u:\n%s", i, text);
	}
	set_up(&t, mode_dr, V4, ADVICE_LINUX);
	t.srv.forward = forward_tun; /* the server's own way wins */
	t.srv.tunnel = tunnel_gue;
	t.srv.tunnel_port = 7000;
	assert_non_null(strstr(text_of(&t.ask, text, sizeof(text)), "fou add port 7000 gue"));
}

/* Ranges of addresses become the fewest prefixes that are exactly they. */
static void
test_more_addresses(void **state)
{
	static struct {
		struct addrs list;
		struct addr_range r[2];
	} more = { { 2, 0 }, { { { 4, 32, { 10, 0, 1, 3 } }, { 4, 32, { 10, 0, 1, 9 } } },
				 { { 4, 32, { 10, 0, 2, 0 } }, { 4, 32, { 10, 0, 2, 255 } } } } };
	static char text[16384];
	struct set t;

	(void)state;
	set_up(&t, mode_dr, V4, ADVICE_LINUX);
	t.svc.more_addresses = &more.list;
	(void)text_of(&t.ask, text, sizeof(text));
	assert_non_null(strstr(
	    text, "for vip in 10.0.0.100/32 10.0.1.3/32 10.0.1.4/30 10.0.1.8/31 10.0.2.0/24; do"));
	assert_non_null(strstr(text, "ip route replace local 10.0.1.4/30 dev lo"));
	assert_non_null(strstr(text, "ip address replace 10.0.1.3/32 dev lo"));
}

/* Who listens is asked for the protocol of the service. */
static void
test_who_listens(void **state)
{
	static const struct {
		unsigned os;
		const char *udp, *tcp;
	} systems[] = {
		{ ADVICE_BSD, "netstat -an -p udp", "netstat -an | grep LISTEN" },
		{ ADVICE_MACOS, "netstat -an -p udp", "netstat -an -p tcp | grep LISTEN" },
		{ ADVICE_SOLARIS, "netstat -an -P udp", "netstat -an | grep LISTEN" },
		{ ADVICE_WINDOWS, "Get-NetUDPEndpoint", "Get-NetTCPConnection -State Listen" },
	};
	static char text[16384];
	struct set t;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(systems); i++) {
		set_up(&t, mode_dr, V4, systems[i].os);
		assert_non_null(strstr(text_of(&t.ask, text, sizeof(text)), systems[i].tcp));
		assert_null(strstr(text, systems[i].udp));
		t.svc.protocol = protocol_udp;
		assert_non_null(strstr(text_of(&t.ask, text, sizeof(text)), systems[i].udp));
		assert_null(strstr(text, systems[i].tcp));
	}
}

/* What is not known is said, not guessed. */
static void
test_unknown(void **state)
{
	static char text[16384];
	struct set t;

	(void)state;
	set_up(&t, mode_nat, V4, ADVICE_LINUX);
	t.ask.gateway = (struct addr){ 0 };
	(void)text_of(&t.ask, text, sizeof(text));
	assert_non_null(strstr(text, "lbctl fip add ADDRESS/PREFIX"));
	assert_null(strstr(text, "route replace"));
	set_up(&t, mode_dr, V4, ADVICE_LINUX);
	t.ask.router = (struct addr){ 0 };
	assert_null(strstr(text_of(&t.ask, text, sizeof(text)), "route replace default"));
}

/* A name becomes a word of a command, so nothing that a command line understands may stand in it. */
static void
test_names(void **state)
{
	static const struct {
		unsigned os;
		const char *name;
		bool good;
	} names[] = {
		{ ADVICE_LINUX, "eth0", true },
		{ ADVICE_LINUX, "br0.12:1@x", true },
		{ ADVICE_LINUX, "eth0;reboot", false },
		{ ADVICE_LINUX, "$(id)", false },
		{ ADVICE_LINUX, "a b", false },
		{ ADVICE_LINUX, "", false },
		{ ADVICE_LINUX, "-rf", false },
		{ ADVICE_LINUX, "sixteenletters--", false },
		{ ADVICE_WINDOWS, "Ethernet (Kernel Debugger) #2", true },
		{ ADVICE_WINDOWS, "Ethernet\xc3\xa9", true },
		{ ADVICE_WINDOWS, "a\"b", false },
		{ ADVICE_WINDOWS, "a'b", false },
		{ ADVICE_WINDOWS, "a`b", false },
		{ ADVICE_WINDOWS, "a$b", false },
		{ ADVICE_WINDOWS, "a\nb", false },
	};
	static char text[16384];
	struct set t;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		for (unsigned which = 0; which < 2; which++) {
			set_up(&t, mode_dr, V4, names[i].os);
			*(which ? &t.ask.interface : &t.ask.loopback) = names[i].name;
			(void)text_of(&t.ask, text, sizeof(text));
			if ((strncmp(text, "error", 5) != 0) != names[i].good)
				fail_msg("row %u: %.80s", i, text);
		}
	}
}

/* Everything but commands is a comment, on every system: the text may be run whole. */
static void
test_text_is_a_script(void **state)
{
	struct advice advice;
	struct err err;
	struct set t;

	(void)state;
	for (unsigned os = 0; os < ADVICE_SYSTEMS; os++) {
		struct buf b = { 0 };

		set_up(&t, mode_dr, V4, os);
		assert_int_equal(advice_server(&t.ask, &advice, &err), 0);
		assert_true(advice.n > 5);
		for (unsigned i = 0; i < advice.n; i++)
			if (advice.rows[i].kind == ADVICE_COMMAND)
				advice.rows[i].text = "COMMAND";
		advice_text(&advice, &b);
		for (char *line = strtok((char *)(uintptr_t)buf_text(&b), "\n"); line;
		     line = strtok(NULL, "\n"))
			if (line[0] != '#' && strcmp(line, "COMMAND") != 0)
				fail_msg("%s: %s", advice_os_word[os], line);
		buf_fini(&b);
		advice_fini(&advice);
	}
}

/* Every finding that can be wrong has a line that mends it. */
static void
test_every_finding_has_a_fix(void **state)
{
	struct set t;

	(void)state;
	for (unsigned what = 1; what < FINDINGS; what++) {
		struct buf b = { 0 };

		if (!finding_text[what])
			continue;
		set_up(&t, what == FINDING_gateway ? mode_nat : mode_dr, V4, ADVICE_LINUX);
		advice_fix(&t.ask, what, "x", &b);
		if (b.len == 0)
			fail_msg("%s has no fix", finding_name[what]);
		buf_fini(&b);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_tunnels),
		cmocka_unit_test(test_more_addresses),
		cmocka_unit_test(test_who_listens),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_text_is_a_script),
		cmocka_unit_test(test_every_finding_has_a_fix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
