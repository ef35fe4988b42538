/* A configuration as YAML, lines of the kernel, and the service and server that each belongs to; then what a walk over a
 * file of such lines hands over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ipvs/conns/walk.h"
#include "plan/want.h"
#include "schema/yaml.h"
#include "tests/unit/store_help.h"

#include <errno.h>
#include <unistd.h>

#define YAML                                                                                         \
	"vips:\n"                                                                                    \
	"  web: {address: 10.9.0.1, ports: 80, mode: dr, persistence: source, persist_mask: 24}\n"   \
	"  dns: {address: 10.9.0.1, ports: 53, protocol: udp, mode: nat}\n"                          \
	"  many: {address: 10.9.0.2, ports: '80,443,8000-8010', mode: nat}\n"                        \
	"  range: {address: 10.9.1.1, more_addresses: '10.9.1.16/28,10.9.2.1-10.9.2.9', ports: 80, " \
	"protocol: tcp_udp, mode: dr}\n"                                                             \
	"  late: {address: 10.9.3.1, more_addresses: 10.9.2.5-10.9.2.200, ports: 81, mode: dr}\n"    \
	"  six: {address: 'fd09::1', ports: 80, mode: nat}\n"                                        \
	"  ftp: {address: 10.9.0.3, ports: 21, mode: nat}\n"                                         \
	"  own: {address: 10.9.0.4, ports: 80, mode: dr, mark: 7}\n"                                 \
	"  far: {address: 10.9.0.9, ports: 80, mode: http}\n"                                        \
	"rips:\n"                                                                                    \
	"  web/a: {address: 10.9.0.11}\n"                                                            \
	"  web/b: {address: 10.9.0.12}\n"                                                            \
	"  dns/a: {address: 10.9.0.11, port: 53}\n"                                                  \
	"  many/a: {address: 10.9.0.11}\n"                                                           \
	"  many/a1: {address: 10.9.0.13, port: 8080}\n"                                              \
	"  many/a2: {address: 10.9.0.13, port: 8081}\n"                                              \
	"  range/a: {address: 10.9.0.11}\n"                                                          \
	"  late/a: {address: 10.9.0.11}\n"                                                           \
	"  six/a: {address: 'fd09::11', port: 8080}\n"                                               \
	"  ftp/a: {address: 10.9.0.14}\n"                                                            \
	"  own/a: {address: 10.9.0.15}\n"                                                            \
	"  far/a: {address: 10.9.0.11, port: 80}\n"

#define C "0A010203 04D2 "
#define V6(a, b) a ":0000:0000:0000:0000:0000:0000:" b

static const struct {
	const char *why, *line, *path; /* path: of the server, or of the service with "-", or "" */
} rows[] = {
	{ "by address", "TCP " C "0A090001 0050 0A09000B 0050 ESTABLISHED 899", "web/a" },
	{ "the other server", "TCP " C "0A090001 0050 0A09000C 0050 ESTABLISHED 899", "web/b" },
	{ "a fallback", "TCP " C "0A090001 0050 0A0900C8 0050 ESTABLISHED 899", "web/-" },
	{ "another protocol", "UDP " C "0A090001 0035 0A09000B 0035 UDP 299", "dns/a" },
	{ "a port that nobody has", "TCP " C "0A090001 0051 0A0900C8 0051 ESTABLISHED 899", "" },
	{ "one of several ports", "TCP " C "0A090002 01BB 0A09000B 01BB ESTABLISHED 899",
	    "many/a" },
	{ "in a range of ports", "TCP " C "0A090002 1F4A 0A09000B 1F4A ESTABLISHED 899", "many/a" },
	{ "past it", "TCP " C "0A090002 1F4B 0A0900C8 1F4B ESTABLISHED 899", "" },
	{ "by the server's port", "TCP " C "0A090002 0050 0A09000D 1F91 ESTABLISHED 899",
	    "many/a2" },
	{ "a server's port that none has", "TCP " C "0A090002 0050 0A09000D 0001 ESTABLISHED 899",
	    "many/a1" },
	{ "its first address", "TCP " C "0A090101 0050 0A09000B 0050 ESTABLISHED 899", "range/a" },
	{ "in a network", "UDP " C "0A090113 0050 0A09000B 0050 UDP 299", "range/a" },
	{ "in a range of addresses", "TCP " C "0A090209 0050 0A09000B 0050 ESTABLISHED 899",
	    "range/a" },
	{ "in two ranges, by port", "TCP " C "0A090206 0051 0A09000B 0051 ESTABLISHED 899",
	    "late/a" },
	{ "past a range, within a longer one",
	    "TCP " C "0A0902C8 0051 0A09000B 0051 ESTABLISHED 899", "late/a" },
	{ "past both", "TCP " C "0A0902C9 0051 0A0900C8 0051 ESTABLISHED 899", "" },
	{ "IPv6",
	    "TCP " V6("fd01", "0002") " C350 " V6("fd09", "0001") " 0050 " V6(
		"fd09", "0011") " 1F90 ESTABLISHED 899",
	    "six/a" },
	{ "a template", "TCP 0A010200 0000 0A090001 0050 0A09000B 0050 NONE 49", "web/a" },
	{ "data of FTP: by the server", "TCP " C "0A090003 0014 0A09000E 0014 ESTABLISHED 899",
	    "ftp/a" },
	{ "a mark of the user's own: by the server",
	    "TCP " C "0A630001 0050 0A09000F 0050 ESTABLISHED 899", "own/a" },
	{ "a server of many services, and no service's address",
	    "TCP " C "0A630001 0050 0A09000B 0050 ESTABLISHED 899", "" },
	{ "layer 7 is not the kernel's", "TCP " C "0A090009 0050 0A09000B 0050 ESTABLISHED 899",
	    "" },
	{ "template of a mark", "IP  0A010200 0000 00000007 0000 0A09000F 0000 NONE 49", "own/a" },
	{ "a mark that nobody has", "IP  0A010200 0000 00000008 0000 0A09000F 0000 NONE 49", "" },
};

static struct snapshot *
load(void)
{
	struct doc d;

	doc_init(&d);
	assert_good(yaml_parse(&d, DOC_REPLACE, YAML, strlen(YAML), &err));
	assert_good(store_edit(st, &d, &by_test, NULL, &err));
	doc_fini(&d);
	return look();
}

static void
where(struct snapshot *s, uint32_t service, uint32_t server, char out[200])
{
	char path[160];

	if (service == 0)
		(void)snprintf(out, 200, "%s", "");
	else if (server == 0)
		(void)snprintf(out, 200, "%s/-", snapshot_path(s, KIND_service, service, path));
	else
		(void)snprintf(out, 200, "%s", snapshot_path(s, KIND_server, server, path));
}

static void
test_index_rows(void **state)
{
	struct snapshot *s = load();
	struct index *ix = index_new(s);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t service, server;
		struct entry e;
		char path[200];

		assert_true(entry_parse(rows[i].line, strlen(rows[i].line), &e));
		index_find(ix, &e, &service, &server);
		where(s, service, server, path);
		if (strcmp(path, rows[i].path) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", rows[i].why, path, rows[i].path);
	}
	index_unref(ix);
	snapshot_unref(s);
}

/* Marks of lbd's own follow from the row. */
static void
test_index_mark(void **state)
{
	struct snapshot *s = load();
	struct index *ix = index_new(s);
	const struct service *many = snapshot_find_path(s, KIND_service, "many");
	struct entry e = { .template = true,
		.mark = want_mark(many),
		.real = { .family = 4, .len = 32, .b = { 10, 9, 0, 11 } } };
	uint32_t service, server;
	char path[200];

	(void)state;
	assert_int_not_equal(e.mark, 0);
	index_find(ix, &e, &service, &server);
	where(s, service, server, path);
	assert_string_equal(path, "many/a");
	index_unref(ix);
	snapshot_unref(s);
}

static void
test_index_empty(void **state)
{
	struct snapshot *s = look();
	struct index *ix = index_new(s);
	struct entry e;
	uint32_t service, server;

	(void)state;
	assert_true(entry_parse(rows[0].line, strlen(rows[0].line), &e));
	index_find(ix, &e, &service, &server);
	assert_int_equal(service | server, 0);
	e.protocol = 0;
	index_find(ix, &e, &service, &server);
	assert_int_equal(service | server, 0);
	index_unref(ix);
	snapshot_unref(s);
}

/* ---- walks -------------------------------------------------------------------------------------- */

static struct snapshot *snap;
static struct index *ix;
static struct loop *loop;
static struct walks *walks;

struct got {
	struct walk *w;
	unsigned n, each, ended, most; /* most: rows until it is freed; 0 all */
	int code;
	char last[ENTRY_END];
};
static unsigned waiting;

static void
on_more(void *arg)
{
	struct got *g = arg;
	const struct walk_row *r;

	while ((r = walk_next(g->w)) != NULL) {
		g->n++;
		entry_end(&r->e.client, r->e.client_port, g->last);
		if (g->n == g->most)
			break;
	}
	if (g->n != g->most || g->most == 0) {
		if (!walk_ended(g->w, &g->code))
			return;
		assert_true(walk_cost(g->w) >= 0);
		g->ended++;
	}
	walk_free(g->w);
	if (--waiting == 0)
		loop_stop(loop);
}

static void
on_each(void *arg, const struct walk_row *row)
{
	struct got *g = arg;

	g->each += row->server != 0;
}

static void
begin(struct got *g, const struct walk_want *want, bool each)
{
	const struct walk_ops ops = { .more = on_more, .each = each ? on_each : NULL, .arg = g };

	waiting++;
	g->w = walk_new(walks, ix, want, &ops);
}

static void
walk_up(const char *path)
{
	snap = load();
	ix = index_new(snap);
	loop = loop_new();
	walks = walks_new(loop, path);
}

static void
walk_down(void)
{
	walks_free(walks);
	loop_free(loop);
	index_unref(ix);
	snapshot_unref(snap);
}

/* n connections of web, every fourth half open, every eighth at the other server; n/10 templates. */
static const char *
list_of(unsigned n)
{
	const char *path = file_in("ip_vs_conn");
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	(void)fputs(
	    "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n", f);
	for (unsigned i = 0; i < n; i++) {
		(void)fprintf(f, "TCP %08X %04X 0A090001 0050 %s 0050 %-11s %7u\n", 0x14000000 + i,
		    1024 + i % 60000, i % 8 == 0 ? "0A09000C" : "0A09000B",
		    i % 4 == 0 ? "SYN_RECV" : "ESTABLISHED", i % 900);
		if (i % 10 == 0)
			(void)fprintf(f,
			    "TCP %08X 0000 0A090001 0050 0A09000B 0050 NONE        %7u\n",
			    (0x15000000 + i) & 0xffffff00, i % 300);
	}
	assert_int_equal(fclose(f), 0);
	return path;
}

static struct addr
net(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, ADDR_NET, &a), 0);
	return a;
}

static void
test_walk_filters(void **state)
{
	const uint32_t b = 1;
	struct {
		struct walk_want want;
		unsigned n;
	} try[] = {
		{ { .kinds = WALK_CONNECTIONS }, 4000 },
		{ { .kinds = WALK_TEMPLATES }, 400 },
		{ { .kinds = WALK_CONNECTIONS | WALK_TEMPLATES }, 4400 },
		{ { .kinds = WALK_CONNECTIONS, .state = "syn_recv" }, 1000 },
		{ { .kinds = WALK_CONNECTIONS, .state = "SYN" }, 0 },
		{ { .kinds = WALK_CONNECTIONS, .server = b }, 500 },
		{ { .kinds = WALK_CONNECTIONS, .client = net("20.0.0.7") }, 1 },
		{ { .kinds = WALK_CONNECTIONS, .client = net("20.0.1.0/24") }, 256 },
		{ { .kinds = WALK_TEMPLATES, .client = net("21.0.1.99") }, 26 },
		{ { .kinds = WALK_TEMPLATES, .key = "abc" }, 0 },
		{ { .kinds = WALK_CONNECTIONS, .service = 99999 }, 0 },
	};
	struct got got[ARRAY_LEN(try)] = { 0 };

	(void)state;
	walk_up(list_of(4000));
	for (size_t i = 0; i < ARRAY_LEN(try); i++) {
		if (try[i].want.server != 0)
			try[i].want.server =
			    ((const struct server *)snapshot_find_path(snap, KIND_server, "web/b"))
				->id;
		begin(&got[i], &try[i].want, false);
	}
	assert_int_equal(loop_run(loop), 0);
	for (size_t i = 0; i < ARRAY_LEN(try); i++) {
		if (got[i].n != try[i].n || got[i].ended != 1 || got[i].code != 0)
			fail_msg("%zu: %u rows, not %u", i, got[i].n, try[i].n);
	}
	walk_down();
}

/* Early ends, counting without rows, and more walks than may run. */
static void
test_walk_ends(void **state)
{
	const struct walk_want all = { .kinds = WALK_CONNECTIONS };
	struct got got[9] = { 0 };
	struct walk *dropped[3];

	(void)state;
	walk_up(list_of(20000));
	for (unsigned i = 0; i < 9; i++) {
		got[i].most = i % 3 == 1 ? 5 + 300 * i : 0;
		begin(&got[i], &all, i % 3 == 2);
	}
	for (unsigned i = 0; i < 3; i++) { /* freed before they begin, and while they read */
		const struct walk_ops ops = {
			.more = on_more, .each = i == 2 ? on_each : NULL, .arg = &got[0]
		};

		dropped[i] = walk_new(walks, ix, &all, &ops);
	}
	for (unsigned i = 0; i < 3; i++)
		walk_free(dropped[i]);
	assert_int_equal(loop_run(loop), 0);
	for (unsigned i = 0; i < 9; i++) {
		assert_int_equal(got[i].n, i % 3 == 2 ? 0 : got[i].most != 0 ? got[i].most : 20000);
		assert_int_equal(got[i].each, i % 3 == 2 ? 20000 : 0);
	}
	assert_string_equal(got[0].last, "20.0.78.31:21023");
	for (unsigned i = 0; i < 3; i++) { /* still running when all ends */
		const struct walk_ops ops = {
			.more = on_more, .each = i == 2 ? on_each : NULL, .arg = &got[0]
		};

		dropped[i] = walk_new(walks, ix, &all, &ops);
	}
	for (unsigned i = 0; i < 3; i++)
		walk_free(dropped[i]);
	walk_down();
}

static void
test_walk_nothing(void **state)
{
	const struct walk_want all = { .kinds = WALK_CONNECTIONS };
	struct got got = { 0 };

	(void)state;
	walk_up(file_in("absent")); /* a kernel without ip_vs */
	begin(&got, &all, false);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(got.n + (unsigned)got.code, 0);
	walk_down();
	walk_up(dir); /* something that cannot be read */
	begin(&got, &all, false);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(got.code, -EISDIR);
	walk_down();
}

static void
test_walk_client(void **state)
{
	struct walk_want want = { 0 };

	(void)state;
	assert_good(walk_client(&want, "10.0.0.0/8", false, &err));
	assert_int_equal(want.client.len, 8);
	assert_good(walk_client(&want, "fd00::1", false, &err));
	assert_bad(
	    walk_client(&want, "10.0.0.1/8", false, &err), ERR_INVALID, "client: \"10.0.0.1/8\"");
	assert_bad(walk_client(&want, "abc@host", false, &err), ERR_INVALID, "neither an address");
	assert_good(walk_client(&want, "abc@host", true, &err));
	assert_string_equal(want.key, "abc@host");
	assert_int_equal(want.client.family, 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_index_rows, open_store, drop_dir),
		cmocka_unit_test_setup_teardown(test_index_mark, open_store, drop_dir),
		cmocka_unit_test_setup_teardown(test_index_empty, open_store, drop_dir),
		cmocka_unit_test_setup_teardown(test_walk_filters, open_store, drop_dir),
		cmocka_unit_test_setup_teardown(test_walk_ends, open_store, drop_dir),
		cmocka_unit_test_setup_teardown(test_walk_nothing, open_store, drop_dir),
		cmocka_unit_test(test_walk_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
