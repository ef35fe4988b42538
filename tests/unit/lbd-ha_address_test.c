/* Plans for floating addresses: a configuration as YAML, the kernel's addresses as "IF ADDRESS" words (* our mark,
 * ! an interface that is down), the record, and the plan as text: address@interface with =held +add !fault, then
 * -deletions. */

#include "base/mem.h"
#include "lbd-ha/address.h"
#include "lbd-ha/record.h"
#include "store_help.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define VIP(name, address, more) "  " name ": {address: " address ", ports: 80" more "}\n"
#define OFF ", enabled: no"
#define ETH "lo 127.0.0.1/8,lo ::1/128,eth0 10.0.0.2/24,eth0 2001:db8::2/64,eth1 10.1.0.2/16"

static const struct {
	const char *why, *yaml, *kernel, *record, *plan;
} rows[] = {
	{ "nothing is wanted", "{}", ETH, "", "" },
	{ "a service's address", "vips:\n" VIP("a", "10.0.0.50", ""), ETH, "",
	    "+10.0.0.50/32@eth0(1)" },
	{ "it is there", "vips:\n" VIP("a", "10.0.0.50", ""), ETH ",eth0 10.0.0.50/32*",
	    "eth0 10.0.0.50/32", "=10.0.0.50/32@eth0(1)" },
	{ "it is there, but the record was lost", "vips:\n" VIP("a", "10.0.0.50", ""),
	    ETH ",eth0 10.0.0.50/32*", "", "=10.0.0.50/32@eth0(1)" },
	{ "a disabled service has none", "vips:\n" VIP("a", "10.0.0.50", OFF), ETH, "", "" },
	{ "disabled while it is there", "vips:\n" VIP("a", "10.0.0.50", OFF),
	    ETH ",eth0 10.0.0.50/32*", "eth0 10.0.0.50/32", "-10.0.0.50/32@eth0" },
	{ "two services, one address",
	    "vips:\n" VIP("a", "10.0.0.50", "") "  b: {address: 10.0.0.50, ports: 81}\n", ETH, "",
	    "+10.0.0.50/32@eth0(2)" },
	{ "IPv6", "vips:\n" VIP("a", "2001:db8::50", ""), ETH, "", "+2001:db8::50/128@eth0(1)" },
	{ "the longest prefix", "vips:\n" VIP("a", "10.1.5.5", ""), ETH ",eth2 10.1.5.2/24", "",
	    "+10.1.5.5/32@eth2(1)" },
	{ "no subnet: the loopback", "vips:\n" VIP("a", "192.0.2.7", ""), ETH, "",
	    "+192.0.2.7/32@lo(1)" },
	{ "no subnet: the node's", "node: {interface: eth9}\nvips:\n" VIP("a", "192.0.2.7", ""),
	    ETH, "", "+192.0.2.7/32@eth9(1)" },
	{ "loopback addresses", "node: {interface: eth9}\nvips:\n" VIP("a", "127.0.0.9", ""),
	    "eth0 10.0.0.2/24", "", "+127.0.0.9/32@lo(1)" },
	{ "an interface that is down, when no other has the subnet",
	    "vips:\n" VIP("a", "10.0.0.50", ""), "eth0 10.0.0.2/24!", "", "+10.0.0.50/32@eth0(1)" },
	{ "up before down", "vips:\n" VIP("a", "10.0.0.50", ""),
	    "eth0 10.0.0.2/25!,eth1 10.0.0.3/24", "", "+10.0.0.50/32@eth1(1)" },
	{ "a host's prefix is no subnet", "vips:\n" VIP("a", "10.0.0.2", ""), "eth0 10.0.0.3/32",
	    "", "+10.0.0.2/32@lo(1)" },
	{ "our own addresses are no subnet", "vips:\n" VIP("a", "10.9.0.50", ""),
	    ETH ",eth0 10.9.0.1/24*", "", "+10.9.0.50/32@lo(1)" },
	{ "S060: an interface's own", "vips:\n" VIP("a", "10.0.0.2", ""), ETH, "",
	    "!10.0.0.2/32@eth0(1)" },
	{ "and never deleted, whatever the record says", "{}", ETH, "eth0 10.0.0.2/24", "" },
	{ "S062: by hand", "fips:\n  gw: {address: 10.0.0.1/24}\n", ETH, "",
	    "+10.0.0.1/24@eth0(0m)" },
	{ "by hand, somewhere else", "fips:\n  gw: {address: 10.0.0.1, interface: eth1}\n", ETH, "",
	    "+10.0.0.1/32@eth1(0m)" },
	{ "by hand and by a service",
	    "fips:\n  gw: {address: 10.0.0.50/24, interface: eth1}\nvips:\n" VIP(
		"a", "10.0.0.50", ""),
	    ETH, "", "+10.0.0.50/24@eth1(1m)" },
	{ "moved", "fips:\n  gw: {address: 10.0.0.1, interface: eth1}\n", ETH ",eth0 10.0.0.1/32*",
	    "eth0 10.0.0.1/32", "+10.0.0.1/32@eth1(0m) -10.0.0.1/32@eth0" },
	{ "another length", "fips:\n  gw: {address: 10.0.0.1/24}\n", ETH ",eth0 10.0.0.1/32*",
	    "eth0 10.0.0.1/32", "+10.0.0.1/24@eth0(0m) -10.0.0.1/32@eth0" },
	{ "another instance's stays", "{}", ETH ",eth0 10.0.0.50/32*", "", "" },
	{ "also beside ours", "{}", ETH ",eth0 10.0.0.50/32*,eth0 10.0.0.51/32*",
	    "eth0 10.0.0.51/32", "-10.0.0.51/32@eth0" },
	{ "of a record what is gone", "{}", ETH, "eth0 10.0.0.51/32", "" },
	{ "more addresses of a service",
	    "vips:\n" VIP("a", "10.0.0.50",
		", mode: nat, more_addresses: '10.0.0.254-10.0.1.1,2001:db8::50,10.1.7.0/31'"),
	    ETH, "",
	    "+10.0.0.50/32@eth0(1) +10.0.0.254/32@eth0(1) +10.0.0.255/32@eth0(1) +10.0.1.0/32@lo(1) "
	    "+10.0.1.1/32@lo(1) +10.1.7.0/32@eth1(1) +10.1.7.1/32@eth1(1) +2001:db8::50/128@eth0(1)" },
	{ "two services that share some",
	    "vips:\n" VIP("a", "10.0.0.50",
		", mode: nat, more_addresses: 10.0.0.51") "  b: {address: "
							  "10.0.0.51, ports: 81}\n",
	    ETH, "", "+10.0.0.50/32@eth0(1) +10.0.0.51/32@eth0(2)" },
	{ "a disabled service has none of them",
	    "vips:\n" VIP("a", "10.0.0.50", OFF ", mode: nat, more_addresses: 10.0.0.51"),
	    ETH ",eth0 10.0.0.51/32*", "eth0 10.0.0.51/32", "-10.0.0.51/32@eth0" },
	{ "outside addresses of rules",
	    "nats:\n  a: {outside: 10.0.0.60, inside: 10.1.0.9}\n  b: {kind: snat, outside: 10.0.0.61, "
	    "inside: 10.1.0.0/16}\n  c: {kind: dnat, outside: 10.0.0.62, inside: 10.1.0.9, enabled: no, "
	    "protocol: tcp, ports: 5}\n  d: {kind: masquerade, inside: 10.1.0.0/16, interface: eth0}\n",
	    ETH, "", "+10.0.0.60/32@eth0(1) +10.0.0.61/32@eth0(1)" },
	{ "outside addresses, one with a service",
	    "nats:\n  b: {kind: snat, outside: 10.0.0.61, inside: 10.1.0.0/16}\nvips:\n" VIP(
		"a", "10.0.0.61", ""),
	    ETH, "", "+10.0.0.61/32@eth0(2)" },
	{ "in order",
	    "vips:\n" VIP("a", "10.0.0.9", "") VIP("b", "10.0.0.7", "") VIP("c", "2001:db8::1", ""),
	    ETH, "", "+10.0.0.7/32@eth0(1) +10.0.0.9/32@eth0(1) +2001:db8::1/128@eth0(1)" },
};

/* "IF ADDRESS", into name and address. The rest of the word, after the address, is returned. */
static const char *
parse_place(const char *word, char name[IFNAME_MAX], struct addr *a)
{
	char text[80];
	int used = 0;

	memset(name, 0, IFNAME_MAX);
	assert_int_equal(sscanf(word, "%15s %79[0-9a-f.:/]%n", name, text, &used), 2);
	assert_int_equal(addr_parse(text, ADDR_CIDR, a), 0);
	return word + used;
}

static void
parse_kernel(const char *text, struct iface_list *out)
{
	char *copy = mem_text(text), *word, *at = NULL;

	*out = (struct iface_list){ 0 };
	out->a = mem_alloc(20 * sizeof(*out->a));
	for (word = strtok_r(copy, ",", &at); word; word = strtok_r(NULL, ",", &at)) {
		struct iface_addr *e = &out->a[out->n++];
		const char *flags = parse_place(word, e->name, &e->addr);

		e->up = strchr(flags, '!') == NULL;
		e->ours = strchr(flags, '*') != NULL;
		e->loopback = strcmp(e->name, "lo") == 0;
	}
	free(copy);
}

static void
parse_record(const char *text, struct places *out)
{
	*out = (struct places){ 0 };
	if (!*text)
		return;
	out->a = mem_alloc(sizeof(*out->a));
	out->n = 1;
	(void)parse_place(text, out->a[0].ifname, &out->a[0].addr);
}

static void
print_plan(const struct address_plan *p, struct buf *out)
{
	char text[ADDR_TEXT];

	for (uint32_t i = 0; i < p->n; i++) {
		const struct floating *f = &p->want[i];
		bool add = places_have(&p->add, f->ifname, &f->addr);

		assert_int_equal(!f->held && !f->fault[0], add);
		addr_format(&f->addr, ADDR_CIDR, text);
		buf_printf(out, "%s%s%s@%s(%u%s)", out->len ? " " : "",
		    f->fault[0] ? "!"
		    : add	? "+"
				: "=",
		    text, f->ifname, f->services, f->manual ? "m" : "");
	}
	for (uint32_t i = 0; i < p->del.n; i++) {
		addr_format(&p->del.a[i].addr, ADDR_CIDR, text);
		buf_printf(out, "%s-%s@%s", out->len ? " " : "", text, p->del.a[i].ifname);
	}
}

static void
test_address_plan(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct snapshot *s = snapshot_of(rows[i].yaml);
		struct iface_list kernel;
		struct address_plan plan;
		struct places mine;
		struct buf out = { 0 };

		parse_kernel(rows[i].kernel, &kernel);
		parse_record(rows[i].record, &mine);
		address_plan(s, &kernel, &mine, &plan);
		print_plan(&plan, &out);
		if (strcmp(buf_text(&out), rows[i].plan) != 0)
			fail_msg("%s: %s, wanted %s", rows[i].why, buf_text(&out), rows[i].plan);
		buf_fini(&out);
		address_plan_fini(&plan);
		places_fini(&mine);
		iface_list_fini(&kernel);
		snapshot_unref(s);
	}
}

static void
test_record_round(void **state)
{
	char folder[] = "/tmp/lbd-ha-test.XXXXXX", file[300];
	struct paths p = { 0 };
	struct places mine, back;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(p.run, sizeof(p.run), "%s", folder);
	record_read(&p, &back);
	assert_int_equal(back.n, 0);
	parse_record("eth0 10.0.0.1/24", &mine);
	assert_int_equal(record_write(&p, &mine), 0);
	record_read(&p, &back);
	assert_int_equal(back.n, 1);
	assert_true(places_have(&back, "eth0", &mine.a[0].addr));
	assert_false(places_have(&back, "eth1", &mine.a[0].addr));
	places_fini(&back);
	/* Damaged lines are passed over. */
	(void)snprintf(file, sizeof(file), "%s/lbd-ha.held", folder);
	f = fopen(file, "w");
	assert_non_null(f);
	(void)fputs(
	    "garbage\n 10.0.0.1/24\neth0 10.0.0.1/33\nabcdefghijklmnopqrstuvw 10.0.0.1/24\neth1 ::5/128\neth0 10",
	    f);
	(void)fclose(f);
	record_read(&p, &back);
	assert_int_equal(back.n, 1);
	assert_string_equal(back.a[0].ifname, "eth1");
	places_fini(&back);
	places_fini(&mine);
	record_remove(&p);
	assert_int_equal(rmdir(folder), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address_plan),
		cmocka_unit_test(test_record_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
