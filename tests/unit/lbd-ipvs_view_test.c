/* What layer 4 shows: counters of kernel services summed up, the kernel's table over many turns of the loop while it
 * changes, and topic L4. The mirror of the kernel and the connections are played. */
#include "bus_rig.h"
#include "store_help.h"

#include "lbd-ipvs/view/view.h"
#include "msg/counters.h"

#include <linux/ip_vs.h>
#include <netinet/in.h>

static struct ipvs_table mirror;
static struct snapshot *snap;
static struct services *sv;
static struct hints *hints;
static struct hand hand;
static struct buf said;

/* Instead of apply/, conns/ and the skeleton. */
const struct ipvs_table *
reconcile_have(const struct reconcile *r, mono_t *at_out)
{
	(void)r, (void)at_out;
	return &mirror;
}

uint64_t
conns_cut_total(const struct conns *c, uint32_t server)
{
	(void)c, (void)server;
	return 1;
}

struct snapshot *
daemon_snapshot(struct daemon *d)
{
	(void)d;
	return snap;
}

static const struct view_source source;

static void
on_counters(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	view_counters(&(struct view_source){ .services = sv }, rq, &m->select);
}

static void
on_table(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	view_table(&source, rq, &m->select);
}

static void
on_subscribe(void *arg, const struct bus_request *rq, unsigned topics)
{
	(void)arg;
	if ((topics & TOPIC_L4) != 0)
		view_snapshot(sv, hints, rq);
}

static const struct bus_handler handlers[] = { { MSG_COUNTERS, on_counters },
	{ MSG_KERNEL_TABLE, on_table }, { 0, NULL } };
static const struct bus_ops bus_ops = {
	.program = "lbd-ipvs", .handlers = handlers, .snapshot = on_subscribe
};

static void
on_want(void *arg, uint32_t service, struct ipvs_table *t)
{
	(void)arg, (void)service;
	table_fini(t);
}

static void
nothing(void *arg)
{
	(void)arg;
}

static void
on_told(void *arg, const struct service_state *s, bool gone)
{
	(void)arg;
	view_service(rig.bus, s, gone);
}

static void
on_templates(void *arg, bool stay)
{
	(void)arg, (void)stay;
}

static int
up(void **state)
{
	static const struct services_ops ops = {
		.want = on_want, .send = nothing, .told = on_told, .templates = on_templates
	};
	const struct msg_hello hello = { .program = SPAN("lbctl"), .version = MSG_VERSION };
	char path[280];

	if (open_store(state) != 0 || rig_up(state) != 0)
		return -1;
	assert_good(bus_open(rig.loop, &rig.paths, &bus_ops, &rig.bus, &err));
	sv = services_new(rig.loop, &ops);
	hints = hints_new();
	memset(&hand, 0, sizeof(hand));
	paths_socket(&rig.paths, "lbd-ipvs", path);
	hand.fd = sock_connect_unix(path);
	hand_send(&hand, MSG_HELLO, 0, &hello);
	return 0;
}

static int
down(void **state)
{
	(void)close(hand.fd);
	services_free(sv);
	hints_free(hints);
	snapshot_unref(snap);
	snap = NULL;
	table_fini(&mirror);
	buf_fini(&said);
	return rig_down(state) + drop_dir(state);
}

static void
apply(const char *lines)
{
	struct snapshot *old = snap;

	assert_good(edit(lines));
	snap = look();
	services_apply(sv, old, snap);
	services_start(sv);
	snapshot_unref(old);
}

/* ---- what came -------------------------------------------------------------------------------- */

static const char *
name_of(unsigned kind, uint32_t id)
{
	const struct object *o = object_of(kind);
	const void *row = snapshot_find(snap, kind, id);

	return row != NULL ? *(const char *const *)((const char *)row + o->f[0].offset) : "?";
}

static void
put_counters(const struct msg_counts *m, bool server)
{
	uint64_t v[64] = { 0 };
	const struct counter *rows = server ? server_counters : service_counters;
	unsigned n = server ? server_counters_n : service_counters_n;

	must(counters_take(rows, n, m->values.p, m->values.len, v) == 0);
	buf_printf(&said, "%s:", name_of(server ? KIND_server : KIND_service, m->id));
	for (unsigned i = 0; i < n; i++)
		if (v[i] != 0)
			buf_printf(&said, " %s=%llu", rows[i].name, (unsigned long long)v[i]);
	if (m->since != 0)
		buf_printf(&said, " since=%lld", (long long)m->since);
	buf_puts(&said, "; ");
}

static void
put_row(const struct hand *h)
{
	char key[KEY_TEXT], more[KEY_TEXT], text[80];
	const union msg_any *m = &h->m;

	switch (h->row->number) {
	case MSG_SERVICE_COUNTS: put_counters(&m->counts, false); return;
	case MSG_SERVER_COUNTS: put_counters(&m->counts, true); return;
	case MSG_KERNEL_ROW:
		span_text(m->kernel_row.key, key, sizeof(key));
		span_text(m->kernel_row.real ? m->kernel_row.forward : m->kernel_row.scheduler,
		    more, sizeof(more));
		if (m->kernel_row.real)
			buf_printf(&said, "%s %s %u %u/%u rip %u; ", key, more,
			    m->kernel_row.weight, m->kernel_row.active, m->kernel_row.inactive,
			    m->kernel_row.server);
		else
			buf_printf(&said, "%s %s keep %u vip %u; ", key, more,
			    m->kernel_row.persist, m->kernel_row.service);
		return;
	case MSG_L4_SERVICE:
		span_text(m->l4_service.fault, text, sizeof(text));
		buf_printf(&said, "%s%s%s %s mark %u; ",
		    name_of(KIND_service, m->l4_service.service),
		    m->l4_service.loaded ? " loaded" : "",
		    m->l4_service.fallback ? " fallback" : "", text, m->l4_service.mark != 0);
		return;
	case MSG_L4_HINT:
		span_text(m->l4_hint.text, text, sizeof(text));
		buf_printf(&said, "%s %s %s%s; ", name_of(KIND_server, m->l4_hint.server),
		    finding_name[m->l4_hint.what], text, m->l4_hint.since != 0 ? " since" : "");
		return;
	default: return;
	}
}

static unsigned grants; /* rows that were granted beyond the first */

/* One packet, as put_row says it. */
static bool
take(struct hand *h)
{
	ssize_t n = recv(h->fd, h->in, sizeof(h->in), MSG_DONTWAIT);

	if (n <= 0)
		return false;
	must(msg_decode(h->in, (size_t)n, &h->row, &h->seq, &h->m, &err) == 0);
	if (h->row->number == MSG_RESULT) {
		h->results++;
	} else if (h->row->number != MSG_HELLO) {
		put_row(h);
		h->rows++;
		if (grants > 0 && h->seq != 0) {
			struct msg_credit c = { .rows = 1 };

			hand_send(h, MSG_CREDIT, h->seq, &c);
		}
	}
	return true;
}

static bool
answered(void)
{
	while (take(&hand))
		continue;
	return hand.results > 0;
}

static const char *
ask(unsigned number, const void *payload)
{
	static uint32_t seq;

	said.len = 0;
	hand.rows = hand.results = 0;
	grants = 1;
	hand_send(&hand, number, ++seq, payload);
	assert_true(rig_until(answered));
	assert_int_equal(hand.m.result.code, 0);
	return buf_text(&said);
}

/* ---- the mirror ------------------------------------------------------------------------------- */

static void
have(const char *address, uint16_t port, uint32_t service, uint32_t n, uint32_t server)
{
	struct ipvs_dest *d = mem_alloc((n + 1) * sizeof(*d));
	struct ipvs_service s = { .key = { .family = 4, .protocol = IPPROTO_TCP, .port = port },
		.scheduler = "rr",
		.service = service,
		.n = n,
		.dest = d,
		.netmask = 32,
		.counts = { 7, 70, 60, 700, 600 } };

	assert_int_equal(addr_parse(address, ADDR_HOST, &s.key.addr), 0);
	for (uint32_t i = 0; i < n; i++) {
		d[i] = (struct ipvs_dest){ .port = 80,
			.weight = i,
			.server = server != 0 ? server + 2 * i : 0,
			.active = 2,
			.inactive = 3,
			.persistent = 1,
			.counts = { 4, 40, 30, 400, 300 } };
		d[i].addr =
		    (struct addr){ 4, 32, { 10, 1, (uint8_t)(i / 200), (uint8_t)(i % 200) } };
	}
	table_add(&mirror, &s);
	free(d);
}

static uint32_t
id(unsigned kind, const char *path)
{
	return *(const uint32_t *)snapshot_find_path(snap, kind, path);
}

static void
test_counters(void **state)
{
	const struct msg_select all = { 0 };
	struct msg_select one = { 0 };
	uint32_t web, a;
	struct ipvs_service *k;

	(void)state;
	apply(
	    "create vip web address=10.0.0.1 ports=80 mode=nat; create rip web/a address=10.1.0.0; "
	    "create rip web/b address=10.1.0.1; create vip other address=10.0.0.2 ports=80 mode=nat; "
	    "create vip page address=10.0.0.3 ports=80");
	web = id(KIND_service, "web");
	a = id(KIND_server, "web/a");
	have("10.0.0.1", 80, web, 3, a);
	k = &mirror.service[0];
	assert_int_equal(k->n, 3);
	k->dest[1].server = id(KIND_server, "web/b");
	k->dest[2].server = 0; /* the fallback counts for the service only */
	assert_string_equal(ask(MSG_COUNTERS, &all),
	    "web: conns=6 conns_total=7 bytes_in=700 bytes_out=600 persist_entries=3 "
	    "packets_in=70 packets_out=60 inactive=9; "
	    "a: conns=2 conns_total=4 bytes_in=400 bytes_out=300 cut=1 packets_in=40 "
	    "packets_out=30 inactive=3 persistent=1; "
	    "b: conns=2 conns_total=4 bytes_in=400 bytes_out=300 cut=1 packets_in=40 "
	    "packets_out=30 inactive=3 persistent=1; other:; ");
	one.service = id(KIND_service, "other");
	services_flushed(sv, one.service, 1234);
	assert_string_equal(ask(MSG_COUNTERS, &one), "other: since=1234; ");
	one.service = id(KIND_service, "page"); /* the proxy's */
	assert_string_equal(ask(MSG_COUNTERS, &one), "");
	one = (struct msg_select){ .most = 2 };
	(void)ask(MSG_COUNTERS, &one);
	assert_in_range(hand.rows, 2, 3);
}

/* Both families of one service are one row. */
static void
test_counters_are_summed(void **state)
{
	static const uint32_t ids[] = { 3, 5, 7 };
	struct service_counters sum = { 0 };
	struct server_counters at[3] = { { 0 } };

	(void)state;
	have("10.0.0.1", 80, 1, 2, 5);
	have("10.0.0.2", 80, 1, 2, 7); /* 7 and 9, which is not among them */
	view_add(&mirror.service[0], &sum, 3, ids, at);
	view_add(&mirror.service[1], &sum, 3, ids, at);
	assert_int_equal(sum.conns, 8);
	assert_int_equal(sum.inactive, 12);
	assert_int_equal(sum.persist_entries, 4);
	assert_int_equal(sum.conns_total, 14);
	assert_int_equal(sum.bytes_out, 1200);
	assert_int_equal(at[0].conns_total, 0);
	assert_int_equal(at[1].conns_total, 4);
	assert_int_equal(at[2].conns_total, 8);
	assert_int_equal(at[2].persistent, 2);
}

static void
test_table(void **state)
{
	const struct msg_select all = { 0 }, one = { .service = 5 }, few = { .most = 2 };

	(void)state;
	assert_string_equal(ask(MSG_KERNEL_TABLE, &all), "");
	have("10.0.0.1", 80, 5, 2, 11);
	have("10.0.0.2", 53, 0, 1, 0);
	mirror.service[0].flags = IP_VS_SVC_F_PERSISTENT;
	mirror.service[0].timeout_s = 60;
	assert_string_equal(ask(MSG_KERNEL_TABLE, &all),
	    "TCP 10.0.0.1:80 rr keep 60 vip 5; 10.1.0.0:80 Masq 0 2/3 rip 11; "
	    "10.1.0.1:80 Masq 1 2/3 rip 13; TCP 10.0.0.2:53 rr keep 0 vip 0; 10.1.0.0:80 Masq 0 2/3 "
	    "rip 0; ");
	assert_string_equal(ask(MSG_KERNEL_TABLE, &one),
	    "TCP 10.0.0.1:80 rr keep 60 vip 5; 10.1.0.0:80 Masq 0 2/3 rip 11; "
	    "10.1.0.1:80 Masq 1 2/3 rip 13; ");
	(void)ask(MSG_KERNEL_TABLE, &few);
	assert_int_equal(hand.rows, 2);
}

/* More rows than a step, an answer's first credit, or what may be held for a peer: all come, once, in order. */
static void
test_long_answers(void **state)
{
	const struct msg_select all = { 0 };
	uint32_t web, server;
	char line[200];

	(void)state;
	apply("create vip web address=10.0.0.1 ports=80 mode=nat");
	for (unsigned i = 0; i < 400; i += 100) {
		buf_fini(&said);
		for (unsigned k = i; k < i + 100; k++) {
			(void)snprintf(line, sizeof(line),
			    "%screate rip web/r%u address=10.1.%u.%u", k > i ? "; " : "", k,
			    k / 200, k % 200);
			buf_puts(&said, line);
		}
		apply(buf_text(&said));
	}
	web = id(KIND_service, "web");
	server = id(KIND_server, "web/r0");
	have("10.0.0.1", 80, web, 400, server);
	(void)ask(MSG_COUNTERS, &all);
	assert_int_equal(hand.rows, 401);
	for (unsigned i = 0; i < 300; i++) {
		(void)snprintf(line, sizeof(line), "10.2.%u.%u", i / 200, i % 200);
		have(line, 80, 0, 2, 0);
	}
	(void)ask(MSG_KERNEL_TABLE, &all);
	assert_int_equal(hand.rows, 401 + 300 * 3);
}

static struct ipvs_key gone;
static unsigned turns;

static bool
answered_while_it_changes(void)
{
	if (take(&hand) && ++turns % 100 == 0 && mirror.n > 100) {
		/* what was shown goes, and something before it comes */
		gone = mirror.service[0].key;
		table_remove(&mirror, &gone);
		have("10.0.0.1", (uint16_t)(1000 + turns), 0, 0, 0);
	}
	return hand.results > 0;
}

static void
test_table_that_changes_meanwhile(void **state)
{
	const struct msg_select all = { 0 };
	unsigned kept = 0;
	char line[40];

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		(void)snprintf(line, sizeof(line), "10.2.%u.%u", i / 200, i % 200);
		have(line, 80, 0, 2, 0);
	}
	said.len = hand.results = hand.rows = 0;
	grants = 1;
	hand_send(&hand, MSG_KERNEL_TABLE, 99, &all);
	assert_true(rig_until(answered_while_it_changes));
	for (unsigned i = 100; i < 300; i++) { /* none of these went */
		const char *at;

		(void)snprintf(line, sizeof(line), "TCP 10.2.%u.%u:80 ", i / 200, i % 200);
		at = strstr(buf_text(&said), line);
		kept += at != NULL && strstr(at + 1, line) == NULL;
	}
	assert_int_equal(kept, 200);
}

static bool
told(void)
{
	(void)answered();
	return said.len > 0;
}

static void
test_topic(void **state)
{
	const struct msg_subscribe topics = { .topics = TOPIC_L4 };
	uint32_t web, a;

	(void)state;
	apply("create vip web address=10.0.0.1 ports=80,443 mode=nat; create rip web/a "
	      "address=10.1.0.0; create vip new address=10.0.0.2 ports=80 mode=nat");
	web = id(KIND_service, "web");
	a = id(KIND_server, "web/a");
	services_fault(sv, web, "no scheduler");
	hints_set(hints, rig.bus, a, FINDING_half_open, "5 of 9");
	assert_string_equal(
	    ask(MSG_SUBSCRIBE, &topics), "web no scheduler mark 1; a half_open 5 of 9 since; ");
	said.len = 0;
	hints_set(hints, rig.bus, a, FINDING_half_open, "5 of 9"); /* nothing new */
	services_fault(sv, web, NULL);
	assert_true(rig_until(told));
	assert_string_equal(buf_text(&said), "web loaded  mark 1; ");
	said.len = 0;
	hints_set(hints, rig.bus, a, FINDING_none, NULL);
	hints_set(hints, rig.bus, a, FINDING_none, NULL);
	assert_true(rig_until(told));
	assert_string_equal(buf_text(&said), "a none ; ");
	hints_set(hints, rig.bus, a, FINDING_half_open, "1 of 2");
	assert_true(rig_until(told));
	apply("delete rip web/a");
	said.len = 0;
	hints_prune(hints, rig.bus, snap);
	assert_true(rig_until(told));
	assert_string_equal(buf_text(&said), "? none ; ");
	said.len = 0;
	apply("delete vip web");
	assert_true(rig_until(told));
	assert_string_equal(buf_text(&said), "?  mark 0; ");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
	const struct CMUnitTest tests[] = {
		T(test_counters),
		T(test_counters_are_summed),
		T(test_table),
		T(test_long_answers),
		T(test_table_that_changes_meanwhile),
		T(test_topic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
