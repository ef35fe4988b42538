/* What the core is told: a configuration as YAML, the known addresses of the other node, and the carriers as text
 * "number name [local] port device interval/dead/agreed", with ping nodes and ignored interfaces. */

#include "want.h"

#include "base/buf.h"
#include "store_help.h"

#include <stdio.h>
#include <string.h>

#define MAIN "0 udp 10.0.0.2 [10.0.0.1] 9444 20/80/80; "

static const struct {
	const char *why, *yaml, *known, *carriers;
} rows[] = {
	{ "none is configured", "{}", "10.0.0.2", MAIN },
	{ "several are known", "{}", "10.0.0.2 10.1.0.2 fd00::2",
	    MAIN "1 udp 10.1.0.2 [10.1.0.1] 9444 20/80/80; 2 udp fd00::2 [] 9444 20/80/80; " },
	{ "two by one address of ours: one socket only", "{}", "10.0.0.2 10.0.0.3", MAIN },
	{ "one is added", "carrier: {x: {peer: 10.1.0.2}}", "10.0.0.2",
	    MAIN "7 x: udp 10.1.0.2 [10.1.0.1] 9444 20/80/80; " },
	{ "one that the routes lead to, beside what is known", "carrier: {x: {peer: 10.99.0.2}}",
	    "10.0.0.2", MAIN "7 x: udp 10.99.0.2 [] 9444 20/80/80; " },
	{ "by name, and none of them moves what is known",
	    "carrier: {b: {peer: 10.1.0.2}, a: {kind: serial, device: /dev/ttyS0, speed: 921600}}",
	    "10.0.0.2",
	    MAIN
	    "6 b: udp 10.1.0.2 [10.1.0.1] 9444 20/80/80; 7 a: serial /dev/ttyS0 [] 9444 /dev/ttyS0 20/80/80; " },
	{ "a row has the number of the address that it names", "carrier: {x: {peer: 10.1.0.2}}",
	    "10.1.0.2 10.0.0.2", MAIN "1 x: udp 10.1.0.2 [10.1.0.1] 9444 20/80/80; " },
	{ "a row stands in the place of a known one",
	    "carrier: {x: {peer: 10.0.0.2, port: 9999, interface: eth0}}", "10.0.0.2",
	    "0 x: udp 10.0.0.2 [] 9999 eth0 20/80/80; " },
	{ "also one that is off", "carrier: {x: {peer: 10.0.0.2, enabled: no}}", "10.0.0.2", "" },
	{ "a group", "carrier: {x: {kind: multicast, interface: eth1, group: 239.1.1.1}}", "",
	    "7 x: multicast 239.1.1.1 [] 9444 eth1 20/80/80; " },
	{ "a line has times of its own", "carrier: {x: {kind: serial, device: /dev/ttyS0}}", "",
	    "7 x: serial /dev/ttyS0 [] 9444 /dev/ttyS0 50/203/203; " },
	{ "and a faster one shorter ones",
	    "carrier: {x: {kind: serial, device: /dev/ttyS0, speed: 921600}}", "",
	    "7 x: serial /dev/ttyS0 [] 9444 /dev/ttyS0 20/80/80; " },
	{ "the settings", "setting: {ha_interval: 100ms, ha_dead: 1s}", "10.0.0.2",
	    "0 udp 10.0.0.2 [10.0.0.1] 9444 100/1000/1000; " },
	{ "a longer dead time is this node's own", "carrier: {x: {peer: 10.0.0.2, dead: 500ms}}",
	    "", "7 x: udp 10.0.0.2 [10.0.0.1] 9444 20/500/80; " },
	{ "a shorter one is not taken", "carrier: {x: {peer: 10.0.0.2, dead: 40ms}}", "",
	    "7 x: udp 10.0.0.2 [10.0.0.1] 9444 20/80/80; " },
	{ "nor an interval that the lease would not outlast",
	    "carrier: {x: {peer: 10.0.0.2, interval: 100ms, dead: 500ms}}", "",
	    "7 x: udp 10.0.0.2 [10.0.0.1] 9444 20/500/80; " },
	{ "a shorter interval is", "carrier: {x: {peer: 10.0.0.2, interval: 5ms}}", "",
	    "7 x: udp 10.0.0.2 [10.0.0.1] 9444 5/80/80; " },
};

static void
know(const char *words, struct cluster *c)
{
	char text[200], *save = NULL;

	*c = (struct cluster){ .node = 1, .peer_port = 9444 };
	(void)snprintf(text, sizeof(text), "%s", words);
	for (char *w = strtok_r(text, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		assert_int_equal(addr_parse(w, ADDR_HOST, &c->addrs[c->addrs_n++]), 0);
}

static void
kernel(struct iface_list *out)
{
	static struct iface_addr a[3];
	static const char *const text[] = { "10.0.0.1/24", "10.1.0.1/24", "10.1.0.50/24" };

	for (unsigned i = 0; i < 3; i++) {
		a[i] = (struct iface_addr){ .up = true, .ours = i == 2, .index = (int)i + 1 };
		(void)snprintf(a[i].name, sizeof(a[i].name), "eth%u", i == 0 ? 0 : 1);
		assert_int_equal(addr_parse(text[i], ADDR_CIDR, &a[i].addr), 0);
	}
	*out = (struct iface_list){ 3, a };
}

static void
put(struct buf *out, unsigned i, const struct shared_carrier *k, const char *name)
{
	char local[ADDR_TEXT] = "";

	if (k->local.family != 0)
		addr_format(&k->local, ADDR_HOST, local);
	buf_printf(out, "%u %s [%s] %u %s%s%d/%d/%d; ", i, name, local, k->port, k->device,
	    k->device[0] != '\0' ? " " : "", (int)(k->conf.interval / 1000),
	    (int)(k->conf.dead / 1000), (int)(k->agreed / 1000));
}

static void
test_carriers(void **state)
{
	static struct shared_want w;
	struct iface_list l;

	(void)state;
	kernel(&l);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct snapshot *s = snapshot_of(rows[i].yaml);
		struct want_names names;
		struct cluster c;
		struct buf out = { 0 };

		know(rows[i].known, &c);
		memset(&w, 0, sizeof(w));
		want_carriers(&w, &names, &c, s, &l);
		for (unsigned k = 0; k < CARRIER_SET; k++) {
			assert_int_equal(
			    names.carrier[k][0] == '\0', w.carrier[k].kind == SHARED_UNUSED);
			if (names.carrier[k][0] != '\0')
				put(&out, k, &w.carrier[k], names.carrier[k]);
		}
		if (strcmp(buf_text(&out), rows[i].carriers) != 0)
			fail_msg("%s:\n%s\nnot\n%s", rows[i].why, buf_text(&out), rows[i].carriers);
		buf_fini(&out);
		snapshot_unref(s);
	}
}

static void
test_pings_and_groups(void **state)
{
	static struct shared_want w;
	struct snapshot *s =
	    snapshot_of("pingnode: {a: {address: 10.0.0.9, enabled: no}, b: {address: "
			"10.0.0.8, interval: 50ms, rise: 2, fall: 4}}");
	struct want_names names;
	struct cluster c;

	(void)state;
	know("10.0.0.2", &c);
	memset(&w, 0, sizeof(w));
	want_groups(&w, &c, s);
	assert_true(w.group[0].preferred && !w.group[1].preferred);
	assert_true(w.group[0].lease < w.group[0].dead);
	want_pings(&w, &names, s);
	assert_string_equal(names.ping[0], "b 10.0.0.8");
	assert_string_equal(names.ping[1], "");
	assert_true(w.ping[0].interval == DUR_MS(50) && w.ping[0].rise == 2 && w.ping[0].fall == 4);
	assert_int_equal(w.ping[1].addr.family, 0);
	assert_true(w.group[0].pings && w.group[1].pings);
	snapshot_unref(s);
	s = snapshot_of("{}");
	want_pings(&w, &names, s);
	assert_false(w.group[0].pings);
	snapshot_unref(s);
}

static void
test_ignored_interfaces(void **state)
{
	struct snapshot *s = snapshot_of("node: {ha_ignore: 'eth1,eth2.7'}");

	(void)state;
	assert_true(want_counts(s, "eth0"));
	assert_false(want_counts(s, "eth1"));
	assert_false(want_counts(s, "eth2.7"));
	assert_true(want_counts(s, "eth2"));
	assert_true(want_counts(s, "eth11"));
	snapshot_unref(s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_carriers),
		cmocka_unit_test(test_pings_and_groups),
		cmocka_unit_test(test_ignored_interfaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
