/* What the core is told of virtual routers: a configuration as YAML, and each as text: name, number, priority, interval,
 * what it advertises, from where, and where its addresses are; or what it lacks. */

#include "address.h"
#include "want_vrrp.h"

#include "base/buf.h"
#include "store_help.h"

#include <stdio.h>
#include <string.h>

#define V(more) "vrrp: {v: {interface: eth0, vrid: 51" more "}}\n"
#define FIP(name, address, more) "  " name ": {address: '" address "'" more "}\n"

static const struct {
	const char *why, *yaml, *want;
} rows[] = {
	{ "addresses of the group on the interface",
	    V("") "fips:\n" FIP("b", "10.0.0.101", "") FIP("a", "10.0.0.100/24", ""),
	    "v 51 p100 1000ms: 10.0.0.100 10.0.0.101 from 10.0.0.1; on eth0 eth0; " },
	{ "a service's too, and not another group's",
	    V("") "vips: {a: {address: 10.0.0.50, ports: 80}}\nfips:\n" FIP(
		"b", "10.0.0.101", ", group: 2"),
	    "v 51 p100 1000ms: 10.0.0.50 from 10.0.0.1; on eth0 alone:eth0; " },
	{ "what is elsewhere or of the other family moves, and is not advertised",
	    V("") "fips:\n" FIP("a", "10.0.0.100", "") FIP("b", "10.1.0.100", "")
		FIP("c", "2001:db8::7", ""),
	    "v 51 p100 1000ms: 10.0.0.100 from 10.0.0.1; on eth0 eth1 eth0; " },
	{ "none of its own", V("") "fips:\n" FIP("b", "10.1.0.100", ""),
	    "v: no floating IPv4 address of group 1 is on eth0; on eth1; " },
	{ "one that is off has none", V(", enabled: no") "fips:\n" FIP("a", "10.0.0.100", ""),
	    "on alone:eth0; " },
	{ "no such interface",
	    "vrrp: {v: {interface: eth9, vrid: 1}}\nfips:\n" FIP("a", "10.0.0.100", ""),
	    "v: interface eth9 does not exist, or has no address; on eth0; " },
	{ "two interfaces",
	    "vrrp: {v: {interface: eth0, vrid: 1}, w: {interface: eth1, vrid: 2}}\nfips:\n" FIP(
		"a", "10.0.0.100", "") FIP("b", "10.1.0.100", ""),
	    "v 1 p100 1000ms: 10.0.0.100 from 10.0.0.1; w 2 p100 1000ms: 10.1.0.100 from 10.1.0.1; "
	    "on eth0 eth1; " },
	{ "IPv6: the link-local one first",
	    V(", family: ipv6, interval: 50ms, priority: 7") "fips:\n" FIP("a", "2001:db8::7", "")
		FIP("b", "fe80::7", ", interface: eth0"),
	    "v 51 p7 50ms: fe80::7 2001:db8::7 from fe80::1; on eth0 eth0; " },
	{ "IPv6 without one", V(", family: ipv6") "fips:\n" FIP("a", "2001:db8::7", ""),
	    "v: addresses: the first IPv6 address must be link-local (fe80::/10); on eth0; " },
	{ "virtual MAC: on its macvlan, as a host",
	    V(", virtual_mac: yes") "fips:\n" FIP("a", "10.0.0.100/24", "")
		FIP("b", "10.1.0.9", ""),
	    "v 51 p100 1000ms: 10.0.0.100 from 10.0.0.1; on lbd4.51.2 eth1; " },
	{ "ipvlan: on its device, as a host",
	    V(", ipvlan: yes") "fips:\n" FIP("a", "10.0.0.100/24", "") FIP("b", "10.1.0.9", ""),
	    "v 51 p100 1000ms: 10.0.0.100 from 10.0.0.1; on lbi4.51.2 eth1; " },
	{ "unicast",
	    V(", way: unicast, peers: '10.0.0.8/31,10.0.0.3', source: 10.0.0.77, min_ttl: 9") "fips:\n" FIP(
		"a", "10.0.0.100", ""),
	    "v 51 p100 1000ms to 10.0.0.8 10.0.0.9 10.0.0.3 ttl 9: 10.0.0.100 from 10.0.0.77; on eth0; " },
	{ "an address that an interface has is not advertised",
	    V("") "fips:\n" FIP("a", "10.0.0.1", "") FIP("b", "10.0.0.100", ""),
	    "v 51 p100 1000ms: 10.0.0.100 from 10.0.0.1; on eth0 eth0; " },
};

static void
kernel(struct iface_list *out)
{
	static struct iface_addr a[6];
	static const char *const text[] = { "10.0.0.99/24", "10.0.0.1/24", "fe80::1/64",
		"2001:db8::1/64", "10.1.0.1/24", "fe80::2/64" };

	for (unsigned i = 0; i < 6; i++) {
		a[i] = (struct iface_addr){ .up = true, .ours = i == 0, .index = i < 4 ? 2 : 3 };
		(void)snprintf(a[i].name, sizeof(a[i].name), "eth%u", i < 4 ? 0 : 1);
		assert_int_equal(addr_parse(text[i], ADDR_CIDR, &a[i].addr), 0);
	}
	*out = (struct iface_list){ 6, a };
}

static void
put_list(struct buf *out, const char *head, const struct addr *a, unsigned n)
{
	char text[ADDR_TEXT];

	buf_puts(out, n > 0 ? head : "");
	for (unsigned i = 0; i < n; i++) {
		addr_format(&a[i], ADDR_HOST, text);
		buf_printf(out, " %s", text);
	}
}

static void
put_router(struct buf *out, const struct vrouter *row, const struct shared_vrrp *v, const char *why)
{
	if (why[0] != '\0') {
		assert_int_equal(v->self.family, 0);
		buf_printf(out, "%s: %s; ", row->name, why);
		return;
	}
	assert_int_equal(v->id, row->id);
	assert_int_equal(v->index, strcmp(v->ifname, "eth0") == 0 ? 2 : 3);
	buf_printf(out, "%s %u p%u %dms", row->name, v->conf.vrid, v->conf.priority,
	    (int)(v->conf.interval / 1000));
	put_list(out, " to", v->conf.peer, v->conf.peers);
	if (v->conf.way == VRRP_UNICAST)
		buf_printf(out, " ttl %u", v->conf.min_ttl);
	put_list(out, ":", v->conf.addr, v->conf.n);
	put_list(out, " from", &v->self, 1);
	buf_puts(out, "; ");
}

static void
test_want_vrrp(void **state)
{
	struct iface_list l;

	(void)state;
	kernel(&l);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct snapshot *s = snapshot_of(rows[i].yaml);
		struct address_plan plan;
		struct places none = { 0 };
		struct buf out = { 0 };

		address_plan(s, &l, &none, &plan);
		for (uint32_t k = 0; k < snapshot_count(s, KIND_vrouter); k++) {
			const struct vrouter *row = snapshot_at(s, KIND_vrouter, k);
			struct shared_vrrp v = { 0 };
			char why[WANT_WHY];

			if (!row->enabled)
				continue;
			want_vrrp(&v, row, snapshot_setting(s), plan.want, plan.n, &l, why);
			put_router(&out, row, &v, why);
		}
		buf_puts(&out, "on");
		for (uint32_t k = 0; k < plan.n; k++)
			buf_printf(&out, " %s%s",
			    plan.want[k].router != 0 ? "" : "alone:", plan.want[k].ifname);
		buf_puts(&out, "; ");
		if (strcmp(buf_text(&out), rows[i].want) != 0)
			fail_msg("%s:\n%s\nnot\n%s", rows[i].why, buf_text(&out), rows[i].want);
		buf_fini(&out);
		address_plan_fini(&plan);
		snapshot_unref(s);
	}
}

static void
test_settings_reach_it(void **state)
{
	struct snapshot *s = snapshot_of("setting: {ha_refresh: 7s}\n" V(
	    ", version: 2, interval: 2s, preempt: no, preempt_delay: 3s, startup_delay: 4s, "
	    "password: secret, down_adverts: 5, any_addresses: yes, virtual_mac: yes, base_transmit: yes, "
	    "group: 2, way: broadcast"));
	struct iface_list l;
	struct shared_vrrp v = { 0 };
	const struct vrrp_conf *c = &v.conf;
	char why[WANT_WHY];

	(void)state;
	kernel(&l);
	want_vrrp(&v, snapshot_at(s, KIND_vrouter, 0), snapshot_setting(s), NULL, 0, &l, why);
	assert_true(c->version == 2 && c->interval == DUR_S(2) && !c->preempt);
	assert_true(c->preempt_delay == DUR_S(3) && c->startup_delay == DUR_S(4));
	assert_true(c->auth_type == VRRP_AUTH_PASS && memcmp(c->auth, "secret\0\0", 8) == 0);
	assert_true(c->down_adverts == 5 && c->any_addrs && c->refresh == DUR_S(7));
	assert_true(v.on_base && v.group == 1 && c->way == VRRP_BROADCAST && c->family == 4);
	assert_false(v.ipvlan);
	snapshot_unref(s);
}

/* Its hardware address is the interface's: advertisements leave by that. */
static void
test_ipvlan_sends_by_the_interface(void **state)
{
	struct snapshot *s = snapshot_of(V(", ipvlan: yes"));
	struct iface_list l;
	struct shared_vrrp v = { 0 };
	char why[WANT_WHY];

	(void)state;
	kernel(&l);
	want_vrrp(&v, snapshot_at(s, KIND_vrouter, 0), snapshot_setting(s), NULL, 0, &l, why);
	assert_true(v.ipvlan && v.on_base);
	snapshot_unref(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_want_vrrp),
		cmocka_unit_test(test_settings_reach_it),
		cmocka_unit_test(test_ipvlan_sends_by_the_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
