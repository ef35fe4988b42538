/* The script for nft: a configuration as YAML, and the lines that follow from it. Where namespaces and nft are to be had,
 * the kernel is asked too: each script twice, and then as the next of the one before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ipvs/packet/script.h"
#include "lbd-ipvs/packet/packet.h"
#include "sys/child.h"
#include "tests/unit/sandbox.h"
#include "tests/unit/store_help.h"

#include <signal.h>

#define HEAD                                         \
	"add table inet lbd\nflush table inet lbd\n" \
	"add table ip lbd\ndelete table ip lbd\n"    \
	"add table ip6 lbd\ndelete table ip6 lbd\n"
#define PLACE " . inet_proto . inet_service"
#define MAP(name, type, elements)                        \
	"add map inet lbd " name " { type " type "; }\n" \
	"add element inet lbd " name " {\n" elements "\n}\n"
#define SET(name, type, elements)                        \
	"add set inet lbd " name " { type " type "; }\n" \
	"add element inet lbd " name " {\n" elements "\n}\n"
#define CHAIN(name, type, hook, priority)                                              \
	"add chain inet lbd " name " { type " type " hook " hook " priority " priority \
	"; policy accept; }\n"
#define RULE(chain, text) "add rule inet lbd " chain " " text "\n"
#define MARKING CHAIN("marking", "filter", "prerouting", "-150")
#define MARKING_LOCAL CHAIN("marking_local", "filter", "output", "-150")
#define LOOK(ip, n)                                                                         \
	RULE("marking", "meta mark set " ip " daddr . meta l4proto . th dport map @mark" n) \
	RULE("marking_local",                                                               \
	    "oif lo meta mark set " ip " daddr . meta l4proto . th dport map @mark" n)
#define CUT_RULES(chain)                                                                       \
	RULE(chain, "ip saddr . tcp sport . ip daddr . tcp dport @cut4 reject with tcp reset") \
	RULE(chain, "ip6 saddr . tcp sport . ip6 daddr . tcp dport @cut6 reject with tcp reset")
#define CUTTING                                                                                                       \
	"add set inet lbd cut4 { type ipv4_addr . inet_service . ipv4_addr . inet_service; flags timeout; }\n"        \
	"add set inet lbd cut6 { type ipv6_addr . inet_service . ipv6_addr . inet_service; flags timeout; }\n" CHAIN( \
	    "cutting", "filter", "input", "0") CUT_RULES("cutting")                                                   \
	    CHAIN("cutting_forward", "filter", "forward", "0") CUT_RULES("cutting_forward")
#define FIRST(ip) "tcp flags & (fin|syn|rst|ack) == syn " ip " daddr . meta l4proto . th dport "
#define MARK_FIRST(ip, n) RULE("marking", FIRST(ip) "@kept" n " meta mark set 0x80000001 accept")
#define PASSED(ip, n)                                                                  \
	RULE("marking", ip " dscp 0x2f " ip " daddr . meta l4proto . th dport @kept" n \
			   " socket mark 0x80000001 meta mark set 0x80000000 accept")  \
	RULE("marking", ip " dscp 0x2f " ip " daddr . meta l4proto . th dport @kept" n \
			   " fib daddr type != local drop")
#define KEPT(ip, n) MARK_FIRST(ip, n) PASSED(ip, n)
#define ALL_KEPT(ip, n) RULE("marking", ip " daddr . meta l4proto . th dport @kept" n " accept")
#define LENT(ip, n, type)                                                                          \
	"add set inet lbd fresh" n " { type " type " . inet_service . " type                       \
	" . inet_service; size 262144; flags dynamic,timeout; timeout 2s; }\n" RULE("marking",     \
	    FIRST(ip) "@lent" n " update @fresh" n " { " ip " saddr . tcp sport . " ip             \
		      " daddr . tcp dport }") KEPT(ip, n) RULE("marking",                          \
	    ip " daddr . meta l4proto . th dport @lent" n                                          \
	       " socket mark 0x80000001 meta mark set 0x80000000 accept")                          \
	    RULE("marking", ip " saddr . tcp sport . " ip " daddr . tcp dport @fresh" n " accept") \
		RULE("marking", ip " dscp != 0x2f " ip " daddr . meta l4proto . th dport @lent" n  \
				   " fib daddr type local " ip                                     \
				   " dscp set 0x2f meta mark set 0x80000002 accept")
#define LENDING(ip, peer)                                                              \
	"add table " ip " lbd\nadd chain " ip                                          \
	" lbd lending { type filter hook prerouting priority -149; policy accept; }\n" \
	"add rule " ip " lbd lending meta mark 0x80000002 dup to " peer " drop\n"
#define MARK4 "ipv4_addr" PLACE " : mark; flags interval"
#define OUTWARD CHAIN("outward", "nat", "postrouting", "100")
#define INWARD CHAIN("inward", "nat", "prerouting", "-100")

static const struct row {
	const char *why, *yaml, *script;
} rows
    [] = {
	    { "nothing is needed", "{}", "" },
	    { "layer 7 needs nothing", "vip: {a: {address: 10.0.0.1, ports: 80}}", "" },
	    { "disabled, it needs nothing",
		"vip: {a: {address: 10.0.0.1, ports: '80,81', mode: dr, enabled: no, syn_rate: 5}}",
		"" },
	    { "a service by address needs its flows cut",
		"vip: {a: {address: 10.0.0.1, ports: 80, mode: dr}}", HEAD CUTTING },
	    { "UDP has nothing to cut",
		"vip: {a: {address: 10.0.0.1, ports: 53, mode: dr, protocol: udp}}", "" },
	    { "S065, A003: ports and ranges",
		"vip: {a: {address: 10.0.0.1, ports: '80,443,8000-8010', mode: nat}}",
		HEAD MAP("mark4", MARK4,
		    "\t10.0.0.1 . tcp . 80 : 0x10000002,\n\t10.0.0.1 . tcp . 443 : 0x10000002,\n"
		    "\t10.0.0.1 . tcp . 8000-8010 : 0x10000002")
		    MARKING MARKING_LOCAL LOOK("ip", "4") CUTTING },
	    { "A033, A008: addresses, in both families; TCP and UDP as one",
		"vip: {a: {address: 10.0.0.1, ports: 53, mode: dr, protocol: tcp_udp, "
		"more_addresses: '10.0.1.0/28,10.0.0.9,fd00::1-fd00::9'}}",
		HEAD MAP("mark4", MARK4,
		    "\t10.0.0.1 . tcp . 53 : 0x10000002,\n\t10.0.0.1 . udp . 53 : 0x10000002,\n"
		    "\t10.0.1.0-10.0.1.15 . tcp . 53 : 0x10000002,\n\t10.0.1.0-10.0.1.15 . udp . 53 : 0x10000002,\n"
		    "\t10.0.0.9 . tcp . 53 : 0x10000002,\n\t10.0.0.9 . udp . 53 : 0x10000002")
		    MAP("mark6", "ipv6_addr" PLACE " : mark; flags interval",
			"\tfd00::1-fd00::9 . tcp . 53 : 0x10000002,\n\tfd00::1-fd00::9 . udp . 53 : 0x10000002")
			MARKING MARKING_LOCAL LOOK("ip", "4") LOOK("ip6", "6") CUTTING },
	    { "SCTP", "vip: {a: {address: 10.0.0.1, ports: '80-81', mode: nat, protocol: sctp}}",
		HEAD MAP("mark4", MARK4, "\t10.0.0.1 . sctp . 80-81 : 0x10000002")
		    MARKING MARKING_LOCAL LOOK("ip", "4") },
	    { "a mark of the user's own is his to set",
		"vip: {a: {address: 10.0.0.1, ports: '80,81', mode: nat, mark: 7}}", HEAD CUTTING },
	    { "A010: mode snat, by the interface's address and by another",
		"vip: {a: {address: 10.0.0.1, ports: 80, mode: snat}, "
		"b: {address: 10.0.0.2, ports: 80, mode: snat, source: 10.0.0.9, mark: 5}}",
		HEAD MAP("mark4", MARK4, "\t10.0.0.1 . tcp . 80 : 0x10000002")
		    MARKING MARKING_LOCAL LOOK("ip", "4")
			CUTTING MAP("source4", "mark : ipv4_addr", "\t0x00000005 : 10.0.0.9")
			    SET("snat_marks", "mark", "\t0x10000002,\n\t0x00000005")
				OUTWARD RULE("outward", "snat ip to meta mark map @source4")
				    RULE("outward", "meta mark @snat_marks masquerade") },
	    { "S087: autonat, not of what is balanced",
		"{node: {autonat: eth1}, vip: {a: {address: 10.0.0.1, ports: 53, mode: nat, protocol: udp}}}",
		HEAD OUTWARD SET("balanced4", "ipv4_addr; flags interval; auto-merge", "\t10.0.0.1")
		    RULE("outward", "ct original ip daddr @balanced4 return") RULE("outward",
			"oifname \"eth1\" iif != 0 fib saddr type != local masquerade") },
	    { "a name that nft cannot say", "{node: {autonat: 'a\"b'}}", "" },
	    { "a name with a star is no pattern", "{node: {autonat: 'eth*'}}",
		HEAD OUTWARD RULE(
		    "outward", "oifname \"eth\\*\" iif != 0 fib saddr type != local masquerade") },
	    { "S088: in, out and both; the narrower first",
		"natrule: {a: {kind: snat, inside: 10.9.0.0/24, outside: 192.0.2.8}, "
		"b: {kind: both, inside: 10.9.0.5, outside: 192.0.2.9}, "
		"c: {kind: dnat, inside: 10.9.0.6, outside: 192.0.2.7, protocol: tcp, ports: '3389', interface: eth1, "
		"inside_port: 26}, d: {kind: dnat, inside: 10.9.0.7, outside: 192.0.2.6, enabled: no}, "
		"e: {kind: dnat, inside: 'fd00::6', outside: 'fd00::9', protocol: udp, inside_port: 53}}",
		HEAD INWARD RULE("inward",
		    "iifname \"eth1\" ip daddr 192.0.2.7 meta l4proto tcp th dport { 3389 } dnat ip to 10.9.0.6:26")
		    RULE("inward", "ip6 daddr fd00::9 meta l4proto udp dnat ip6 to [fd00::6]:53")
			RULE("inward", "ip daddr 192.0.2.9 dnat ip to 10.9.0.5")
			    OUTWARD RULE("outward", "ip saddr 10.9.0.5/32 snat ip to 192.0.2.9")
				RULE("outward", "ip saddr 10.9.0.0/24 snat ip to 192.0.2.8") },
	    { "S089: masquerade of UDP",
		"natrule: {a: {kind: masquerade, inside: 10.9.0.0/24, interface: eth1, protocol: udp}}",
		HEAD OUTWARD RULE("outward",
		    "oifname \"eth1\" ip saddr 10.9.0.0/24 meta l4proto udp masquerade") },
	    { "S040: the packet filter lets through what is translated",
		"{setting: {packet_filter: yes}, node: {autonat: eth1}, "
		"natrule: {a: {kind: masquerade, inside: 10.9.0.0/24, interface: eth2}}}",
		HEAD OUTWARD RULE("outward", "oifname \"eth2\" ip saddr 10.9.0.0/24 masquerade")
		    RULE("outward", "oifname \"eth1\" iif != 0 fib saddr type != local masquerade") "add counter inet lbd filtered\n" CHAIN(
			"spoofed", "filter", "forward", "0") RULE("spoofed",
			"fib saddr type local counter name filtered drop") CHAIN("passing",
			"filter", "forward", "110") RULE("passing", "fib saddr type local accept")
			RULE("passing", "ct status snat,dnat accept")
			    RULE("passing", "oifname \"eth2\" ip saddr 10.9.0.0/24 accept")
				RULE("passing", "oifname \"eth1\" accept")
				    RULE("passing", "counter name filtered drop") },
	    { "A106: new connections of a client, of layers 4 and 7",
		"vip: {a: {address: 10.0.0.1, ports: 80, syn_rate: 50, more_addresses: 'fd00::1', mode: dr}, "
		"b: {address: 10.0.0.2, ports: '80,81', syn_rate: 9}, "
		"c: {address: 10.0.0.3, ports: 53, syn_rate: 9, mode: dr, protocol: udp}}",
		HEAD
		"add counter inet lbd limited\n"
		"add chain inet lbd limit_2\n"
		"add set inet lbd seen4_2_50 { type ipv4_addr; size 65536; flags dynamic,timeout; timeout 5s; }\n" RULE("limit_2", "update @seen4_2_50 { ip saddr limit rate over 50/second burst 50 packets } counter name limited drop") "add set inet lbd seen6_2_50 { type ipv6_addr; size 65536; flags dynamic,timeout; timeout 5s; }\n" RULE("limit_2", "update @seen6_2_50 { ip6 saddr limit rate over 50/second burst 50 packets } counter name limited drop") "add chain inet lbd limit_4\n"
																																																								       "add set inet lbd seen4_4_9 { type ipv4_addr; size 65536; flags dynamic,timeout; timeout 5s; }\n" RULE("limit_4", "update @seen4_4_9 { ip saddr limit rate over 9/second burst 9 packets } counter name limited drop") MAP("limit4",
																																																									   "ipv4_addr" PLACE
																																																									   " : verdict; flags interval",
																																																									   "\t10.0.0.1 . tcp . 80 : jump limit_2,\n\t10.0.0.2 . tcp . 80 : jump limit_4,\n"
																																																									   "\t10.0.0.2 . tcp . 81 : jump limit_4")
																																																									   MAP("limit6", "ipv6_addr" PLACE " : verdict; flags interval",
																																																									       "\tfd00::1 . tcp . 80 : jump limit_2")
																																																									       CHAIN(
																																																										   "limiting",
																																																										   "filter",
																																																										   "prerouting",
																																																										   "-300") RULE("limiting",
																																																										   "tcp flags & (fin|syn|rst|ack) == syn ip daddr . meta l4proto . th dport vmap @limit4")
																																																										   RULE("limiting", "tcp flags & (fin|syn|rst|ack) == syn ip6 daddr . meta l4proto . th dport vmap @limit6") MAP("mark4", MARK4, "\t10.0.0.1 . tcp . 80 : 0x10000002") MAP("mark6", "ipv6_addr" PLACE " : mark; flags interval",
																																																										       "\tfd00::1 . tcp . 80 : 0x10000002") MARKING
																																																										       MARKING_LOCAL LOOK(
																																																											   "ip", "4") LOOK("ip6", "6")
																																																											   CUTTING },
	    { "answers to sockets with a client's address",
		"vip: {a: {address: 10.0.0.1, ports: 80, mode: tcp, transparent: yes}}",
		HEAD MARKING RULE("marking",
		    "meta l4proto tcp socket transparent 1 meta mark set 0x80000000 accept") },
    };

/* Of a pair. */
static const struct {
	struct row row;
	const char *peer4, *peer6;
	bool lent; /* group 2 */
} pairs[] = {
	{ { "one of a pair: connections of layer 7 are known again",
	      "vip: {a: {address: 10.0.0.1, ports: 80}, b: {address: 'fd00::1', ports: 80}, "
	      "c: {address: 10.0.0.2, ports: 90, mode: tcp, enabled: no}}",
	      HEAD MARKING SET("kept4", "ipv4_addr" PLACE "; flags interval",
		  "\t10.0.0.1 . tcp . 80") KEPT("ip", "4") LENDING("ip", "10.0.0.9") },
	    "10.0.0.9", NULL, false },
	{ { "a pair, services away or just come: what is unknown goes to the other node, once",
	      "vip: {a: {address: 10.0.0.1, ports: 80}, "
	      "b: {address: 'fd00::1', ports: '80-81,90', mode: tcp, group: 2, transparent: yes}}",
	      HEAD MARKING SET("kept4", "ipv4_addr" PLACE "; flags interval",
		  "\t10.0.0.1 . tcp . 80") KEPT("ip", "4") ALL_KEPT("ip", "4") SET("kept6",
		  "ipv6_addr" PLACE "; flags interval",
		  "\tfd00::1 . tcp . 80-81,\n\tfd00::1 . tcp . 90")
		  SET("lent6", "ipv6_addr" PLACE "; flags interval",
		      "\tfd00::1 . tcp . 80-81,\n\tfd00::1 . tcp . 90")
		      LENT("ip6", "6", "ipv6_addr") ALL_KEPT("ip6", "6") RULE("marking",
			  "meta l4proto tcp socket transparent 1 meta mark set 0x80000000 accept")
			  LENDING("ip", "10.0.0.9") LENDING("ip6", "fd00::9") },
	    "10.0.0.9", "fd00::9", true },
	{ { "a pair with services of layer 4 alone needs nothing of it",
	      "vip: {a: {address: 10.0.0.1, ports: 80, mode: dr}}", HEAD CUTTING },
	    "10.0.0.9", NULL, false },
};

#define SCRIPTS (ARRAY_LEN(rows) + ARRAY_LEN(pairs))
static char *scripts[SCRIPTS];

static const struct row *
row_of(unsigned i)
{
	return i < ARRAY_LEN(rows) ? &rows[i] : &pairs[i - ARRAY_LEN(rows)].row;
}

/* Where two texts part. */
static void
compare(const char *why, const char *is, const char *wanted)
{
	size_t at = 0;

	while (is[at] != '\0' && is[at] == wanted[at])
		at++;
	if (is[at] != wanted[at])
		fail_msg("%s: after %zu bytes\n%.200s\nwanted\n%.200s\nall of it:\n%s", why, at,
		    is + at, wanted + at, is);
}

static void
pair_of(unsigned i, struct packet_pair *out)
{
	*out = (struct packet_pair){ .lent = { false, pairs[i].lent } };
	if (pairs[i].peer4 != NULL)
		assert_int_equal(addr_parse(pairs[i].peer4, ADDR_HOST, &out->peer[0]), 0);
	if (pairs[i].peer6 != NULL)
		assert_int_equal(addr_parse(pairs[i].peer6, ADDR_HOST, &out->peer[1]), 0);
}

static void
test_scripts(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SCRIPTS; i++) {
		const struct row *row = row_of(i);
		struct packet_pair pair = { 0 };
		struct buf out = { 0 };
		struct snapshot *s = snapshot_of(row->yaml);

		if (i >= ARRAY_LEN(rows))
			pair_of(i - ARRAY_LEN(rows), &pair);
		packet_rules(s, &pair, &out);
		scripts[i] = mem_text(buf_text(&out));
		compare(row->why, scripts[i], row->script);
		buf_fini(&out);
		snapshot_unref(s);
	}
}

static char said[600];

static void
on_done(void *arg, const struct child_result *r)
{
	int *code = arg;

	*code = r->code;
	(void)snprintf(said, sizeof(said), "%s", r->err);
}

static int
nft(const char *script)
{
	int code = -1;
	const struct child_spec spec = { .argv = (const char *const[]){ "nft", "-f", "-", NULL },
		.input = script,
		.input_len = strlen(script),
		.output_max = 4096,
		.limit = DUR_S(20),
		.done = on_done,
		.arg = &code };

	return child_run(&spec, NULL) != 0 ? SANDBOX_NONE : code;
}

static int
load_all(void)
{
	struct buf have = { 0 }, script = { 0 };
	const char *prev = NULL;
	int code = nft("add table inet other\n");

	if (code != 0)
		return SANDBOX_NONE;
	for (unsigned i = 0; code == 0 && i < SCRIPTS; i++)
		for (unsigned k = 0; code == 0 && k < 2; k++) {
			script_next(scripts[i], buf_text(&have), prev, &script);
			code = nft(buf_text(&script));
			if (code != 0)
				(void)fprintf(
				    stderr, "%s: %s\n%s", row_of(i)->why, said, buf_text(&script));
			buf_fini(&have);
			buf_fini(&script);
			script_names(scripts[i], &have);
			prev = (i + k) % 3 > 0 && scripts[i][0] != '\0' ? scripts[i] : NULL;
		}
	buf_fini(&have);
	return code;
}

static void
test_the_kernel_takes_them(void **state)
{
	int code = sandbox_run(load_all);

	(void)state;
	if (code == SANDBOX_NONE)
		skip();
	assert_int_equal(code, 0);
}

static void
test_cut(void **state)
{
	struct packet_flow f[2] = { { .from_port = 1, .to_port = 2 },
		{ .from_port = 3, .to_port = 4 } };
	struct buf out = { 0 };

	(void)state;
	assert_int_equal(addr_parse("10.0.0.1", ADDR_HOST, &f[0].from), 0);
	assert_int_equal(addr_parse("10.0.0.2", ADDR_HOST, &f[0].to), 0);
	assert_int_equal(addr_parse("fd00::1", ADDR_HOST, &f[1].from), 0);
	assert_int_equal(addr_parse("fd00::2", ADDR_HOST, &f[1].to), 0);
	packet_cut_script(f, 2, &out);
	assert_string_equal(buf_text(&out),
	    "add element inet lbd cut4 {\n10.0.0.1 . 1 . 10.0.0.2 . 2 timeout 10s\n}\n"
	    "add element inet lbd cut6 {\nfd00::1 . 3 . fd00::2 . 4 timeout 10s\n}\n");
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_the_kernel_takes_them),
		cmocka_unit_test(test_cut),
	};
	int rc;

	(void)alarm(60);
	(void)signal(SIGPIPE, SIG_IGN);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	for (unsigned i = 0; i < SCRIPTS; i++)
		free(scripts[i]);
	return rc;
}
