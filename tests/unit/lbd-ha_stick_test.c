/* The mirror in its place: two of them as a pair over a channel with credit, breaks and resumes; the seed; the files over
 * a restart; and what lbd-proxy is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mirror_file.h"
#include "msg/bus_priv.h"
#include "stick.h"
#include "tests/unit/bus_rig.h"

#include <sys/stat.h>

/* One node's end of the channel: what it was given for the other one. */
struct end {
	struct stick_mirror *s, *to;
	unsigned batches, records, lose;
	uint64_t seq;
};
static struct end end[2];

static struct stick_record
record(uint32_t client, uint32_t server, uint64_t stamp)
{
	struct stick_record r = { .kind = STICK_PERSIST,
		.service = 1,
		.value = server,
		.flags = server == 0 ? STICK_GONE : 0,
		.left_ms = 600000,
		.stamp = stamp };

	memcpy(r.key, &client, sizeof(client));
	return r;
}

/* As if it came from a peer that is not there. */
static void
feed(struct stick_mirror *s, uint32_t from, uint32_t n, uint64_t stamp)
{
	struct buf b = { 0 };
	struct stick_record r;

	for (uint32_t i = 0; i < n;) {
		stick_batch_begin(&b);
		while (i < n && (r = record(from + i, 1, stamp + i), stick_batch_put(&b, &r)))
			i++;
		assert_true(stick_mirror_from_peer(s, 99, 1, b.p, b.len) >= 0);
	}
	buf_fini(&b);
}

/* As lbd-proxy would say it: no answer is wanted. */
static void
learn(struct stick_mirror *s, uint32_t from, uint32_t n, uint64_t stamp)
{
	static struct bus_peer nobody = { .magic = PEER_MAGIC };
	const struct bus_request rq = { .peer = &nobody };
	struct msg_stick_learned m;
	struct buf b = { 0 };
	struct stick_record r;

	for (uint32_t i = 0; i < n;) {
		stick_batch_begin(&b);
		while (i < n && (r = record(from + i, 1, stamp + i), stick_batch_put(&b, &r)))
			i++;
		m.batch = (struct span){ b.p, b.len };
		stick_mirror_on_learned(s, &rq, &m);
	}
	buf_fini(&b);
}

static void
on_batch(void *arg, uint64_t seq, const void *batch, size_t len)
{
	struct end *e = arg;
	int n;

	e->batches++;
	if (e->lose > 0) {
		e->lose--;
		return;
	}
	n = stick_mirror_from_peer(e->to, stick_mirror_boot(e->s), seq, batch, len);
	assert_true(n >= 0);
	e->records += (unsigned)n;
	e->seq = seq;
}

static void
pair_up(void)
{
	static char roots[2][48];

	for (unsigned i = 0; i < 2; i++) {
		struct stick_mirror_ops ops = { .to_peer = on_batch, .arg = &end[i] };
		struct paths p;

		(void)snprintf(roots[i], sizeof(roots[i]), "%s/n%u", rig.dir, i);
		assert_int_equal(paths_init(&p, roots[i], NULL), 0);
		assert_int_equal(paths_make(&p, NULL), 0);
		end[i] = (struct end){ .s = stick_mirror_new(rig.loop, NULL, &p, &ops) };
	}
	end[0].to = end[1].s;
	end[1].to = end[0].s;
}

static void
pair_down(void)
{
	char cmd[100];

	stick_mirror_free(end[0].s);
	stick_mirror_free(end[1].s);
	(void)snprintf(cmd, sizeof(cmd), "rm -r %s/n0 %s/n1", rig.dir, rig.dir);
	assert_int_equal(system(cmd), 0);
}

static bool
quiet(void)
{
	return !stick_mirror_peer_due(end[0].s) && !stick_mirror_peer_due(end[1].s);
}

static bool
three_batches(void)
{
	return end[0].batches == 3;
}

static void
test_pair(void **state)
{
	(void)state;
	pair_up();
	learn(end[0].s, 0, 10000, 1);
	stick_mirror_peer_up(end[0].s, 0, 0, 1000);
	stick_mirror_peer_up(end[1].s, 0, 0, 1000);
	assert_true(rig_until(quiet));
	assert_int_equal(end[0].records, 10000);
	assert_int_equal(end[1].records, 0); /* nothing comes back */
	assert_int_equal(stick_mirror_count(end[1].s), 10000);
	learn(end[1].s, 20000, 5, 20000);
	learn(end[0].s, 30000, 7, 30000);
	assert_true(rig_until(quiet));
	assert_int_equal(stick_mirror_count(end[0].s), 10012);
	assert_int_equal(stick_mirror_count(end[1].s), 10012);
	pair_down();
}

/* Credit holds it; a break in the middle goes on where it was; another boot gets it all. */
static void
test_credit_and_resume(void **state)
{
	uint64_t boot, seq;

	(void)state;
	pair_up();
	learn(end[0].s, 0, 14000, 1); /* ten batches */
	stick_mirror_peer_up(end[0].s, 0, 0, 3);
	assert_true(rig_until(three_batches));
	assert_true(stick_mirror_peer_due(end[0].s));
	assert_int_equal(end[0].records, 4200);
	stick_mirror_peer_down(end[0].s);
	assert_false(stick_mirror_peer_due(end[0].s));
	stick_mirror_peer_seen(end[1].s, &boot, &seq);
	assert_true(boot == stick_mirror_boot(end[0].s) && seq == end[0].seq && seq == 4200);
	stick_mirror_peer_up(end[0].s, boot, seq, 0);
	stick_mirror_peer_more(end[0].s, 1);
	end[0].lose = 1; /* the channel breaks with a batch on its way */
	end[0].batches = 2;
	assert_true(rig_until(three_batches));
	stick_mirror_peer_down(end[0].s);
	stick_mirror_peer_seen(end[1].s, &boot, &seq);
	stick_mirror_peer_up(end[0].s, boot, seq, UINT32_MAX);
	stick_mirror_peer_more(end[0].s, UINT32_MAX);
	assert_true(rig_until(quiet));
	assert_int_equal(end[0].records, 14000);
	stick_mirror_peer_down(end[0].s);
	end[0].batches = 0;
	stick_mirror_peer_up(end[0].s, boot + 1, seq, 100);
	assert_true(rig_until(quiet));
	assert_int_equal(end[0].batches, 10);
	assert_int_equal(stick_mirror_from_peer(end[0].s, 1, 1, "x", 1), ERR_PROTO);
	pair_down();
}

static void
unlink_state(void)
{
	char path[320];

	(void)snprintf(path, sizeof(path), "%s/persist.db", rig.paths.state);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/persist.seed", rig.paths.state);
	(void)unlink(path);
}

static void
test_restart(void **state)
{
	struct stick_mirror *s = stick_mirror_new(rig.loop, NULL, &rig.paths, NULL);
	uint64_t seed = stick_mirror_seed(s), boot = stick_mirror_boot(s);

	(void)state;
	feed(s, 0, 30000, 1);
	stick_mirror_free(s);
	s = stick_mirror_new(rig.loop, NULL, &rig.paths, NULL);
	assert_int_equal(stick_mirror_count(s), 30000);
	assert_true(stick_mirror_seed(s) == seed && stick_mirror_boot(s) != boot);
	stick_mirror_free(s);
	stick_mirror_free(NULL);
	unlink_state();
}

/* The pair's seed replaces ours: cookies of the old one go, what else there is stays; it outlives the process. */
static void
test_seed(void **state)
{
	struct stick_mirror *s = stick_mirror_new(rig.loop, NULL, &rig.paths, NULL);
	struct stick_record r = record(5, 1, 50);
	struct buf b = { 0 };
	uint64_t seed = stick_mirror_seed(s);
	char path[320];

	(void)state;
	feed(s, 0, 3, 1);
	r.key_kind = STICK_COOKIE;
	stick_batch_begin(&b);
	assert_true(stick_batch_put(&b, &r));
	assert_int_equal(stick_mirror_from_peer(s, 1, 1, b.p, b.len), 1);
	assert_int_equal(stick_mirror_set_seed(s, seed), 0);
	assert_int_equal(stick_mirror_count(s), 4);
	assert_int_equal(stick_mirror_set_seed(s, UINT64_C(0x0123456789abcdef)), 0);
	assert_int_equal(stick_mirror_count(s), 3);
	stick_mirror_free(s);
	(void)snprintf(path, sizeof(path), "%s/persist.seed", rig.paths.state);
	s = stick_mirror_new(rig.loop, NULL, &rig.paths, NULL);
	assert_true(stick_mirror_seed(s) == UINT64_C(0x0123456789abcdef));
	stick_mirror_free(s);
	assert_int_equal(mirror_file_save(path, "0123456789ABCDEF\n", 17), 0);
	s = stick_mirror_new(rig.loop, NULL, &rig.paths, NULL); /* not one of ours */
	assert_true(stick_mirror_seed(s) != UINT64_C(0x0123456789abcdef));
	stick_mirror_free(s);
	buf_fini(&b);
	unlink_state();
}

/* ---- lbd-proxy, over the bus ---------------------------------------------------------------------------- */

static struct stick_mirror *mirror;

static void
on_follow(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	stick_mirror_on_follow(mirror, rq, &m->stick_follow);
}

static void
on_learned(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	stick_mirror_on_learned(mirror, rq, &m->stick_learned);
}

static const struct bus_handler handlers[] = {
	{ MSG_STICK_FOLLOW, on_follow },
	{ MSG_STICK_LEARNED, on_learned },
	{ 0, NULL },
};
static const struct bus_ops ops = { .program = "lbd-ha", .handlers = handlers };

static struct {
	struct bus_link *link;
	unsigned seeds, records, synced, results, ended;
	uint64_t seed, boot, seq;
	uint32_t generation;
	int code;
} proxy;

static void
proxy_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct stick_batch in;

	(void)arg;
	if (row->number == MSG_STICK_SEED) {
		proxy.seeds++;
		proxy.seed = m->stick_seed.seed;
		proxy.boot = m->stick_seed.boot;
		proxy.generation = m->stick_seed.generation;
		return;
	}
	assert_int_equal(row->number, MSG_STICK_SET);
	proxy.synced += m->stick_set.synced;
	proxy.seq = m->stick_set.seq;
	if (m->stick_set.batch.p == NULL)
		return;
	assert_int_equal(stick_batch_open(m->stick_set.batch.p, m->stick_set.batch.len, &in), 0);
	proxy.records += in.left;
}

static void
proxy_end(void *arg, int code, const char *text)
{
	(void)arg;
	(void)code;
	(void)text;
	proxy.ended++;
}

static void
proxy_learned(void *arg, int code, const char *text)
{
	(void)arg;
	(void)text;
	proxy.code = code;
	proxy.results++;
}

static void
proxy_up(void *arg)
{
	const struct msg_stick_follow m = {
		.kinds = 1u << STICK_PERSIST, .boot = proxy.boot, .seq = proxy.seq
	};

	(void)arg;
	assert_int_equal(
	    bus_link_ask(proxy.link, MSG_STICK_FOLLOW, &m, proxy_row, proxy_end, NULL), 0);
}

static bool
synced(void)
{
	return proxy.synced == 1;
}
static bool
two_results(void)
{
	return proxy.results == 2;
}
static bool
records_6(void)
{
	return proxy.records >= 300006 && proxy.seeds == 2;
}

static void
test_proxy(void **state)
{
	const struct bus_link_ops link_ops = { .daemon = "lbd-ha", .up = proxy_up };
	struct msg_stick_learned m = { .batch = SPAN("no batch") };
	struct stick_record r = record(999999, 3, 1);
	struct buf b = { 0 };
	struct err err;

	(void)state;
	memset(&proxy, 0, sizeof(proxy));
	assert_int_equal(bus_open(rig.loop, &rig.paths, &ops, &rig.bus, &err), 0);
	mirror = stick_mirror_new(rig.loop, rig.bus, &rig.paths, NULL);
	feed(mirror, 0, 300000, 1); /* far more than the socket and the first credit hold */
	proxy.link = bus_link_new(rig.loop, &rig.paths, "lbd-proxy", &link_ops);
	assert_true(rig_until(synced));
	assert_int_equal(proxy.records, 300000);
	assert_int_equal(proxy.seeds, 1);
	assert_true(proxy.seed == stick_mirror_seed(mirror));
	assert_int_equal(
	    bus_link_ask(proxy.link, MSG_STICK_LEARNED, &m, NULL, proxy_learned, NULL), 0);
	stick_batch_begin(&b);
	assert_true(stick_batch_put(&b, &r));
	m.batch = (struct span){ b.p, b.len };
	assert_int_equal(
	    bus_link_ask(proxy.link, MSG_STICK_LEARNED, &m, NULL, proxy_learned, NULL), 0);
	assert_true(rig_until(two_results));
	assert_int_equal(proxy.code, 0);
	assert_int_equal(stick_mirror_count(mirror), 300001);
	feed(mirror, 400000, 6, 900000); /* the peer's news come, its own do not */
	stick_mirror_set_generation(mirror, 4);
	stick_mirror_set_generation(mirror, 3);
	assert_true(rig_until(records_6));
	assert_int_equal(proxy.records, 300006);
	assert_int_equal(proxy.generation, 4);
	assert_int_equal(proxy.ended, 0);
	bus_link_free(proxy.link); /* and back again: only what it missed */
	feed(mirror, 500000, 3, 950000);
	proxy.records = proxy.synced = 0;
	proxy.link = bus_link_new(rig.loop, &rig.paths, "lbd-proxy", &link_ops);
	assert_true(rig_until(synced));
	assert_int_equal(proxy.records, 3);
	stick_mirror_free(mirror);
	bus_link_free(proxy.link);
	buf_fini(&b);
	unlink_state();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pair, rig_up, rig_down),
		cmocka_unit_test_setup_teardown(test_credit_and_resume, rig_up, rig_down),
		cmocka_unit_test_setup_teardown(test_restart, rig_up, rig_down),
		cmocka_unit_test_setup_teardown(test_seed, rig_up, rig_down),
		cmocka_unit_test_setup_teardown(test_proxy, rig_up, rig_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
