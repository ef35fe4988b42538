/* The quorum of a service: a row of steps, each the weights that are known to be fit and those that are unknown, and
 * what is told then; and what counts, from a store with orders. */
#include "store_help.h"

#include "lbd-check/members.h"
#include "lbd-check/quorum.h"

/* A step: "3" a weight that is fit, "3?2" with 2 more unknown (which count as fit, "3!2" as unfit). Then what was
 * told: u met, d not met, w another weight, - nothing. */
static const struct {
	uint32_t quorum, hysteresis;
	const char *row, *why;
} rows[] = {
	{ 1, 0, "1u 0d 1u", "one fit server is enough" },
	{ 1, 0, "0d 5u 5- 4w", "none, several, and less of them" },
	{ 3, 1, "3u 2w 1d", "met until below quorum - hysteresis" },
	{ 3, 1, "2d 3w 4u", "not met until quorum + hysteresis" },
	{ 3, 1, "4u 2w 3w 2w 1d 3w 4u", "the band holds both ways" },
	{ 3, 2, "3u 1w 0d 4w 5u", "the widest band" },
	{ 2, 0, "0?2- 1?1- 1d", "after a start: unknown ones could decide" },
	{ 2, 0, "0?2- 1?1- 2u", "until they are known" },
	{ 2, 0, "2?3u", "they could not: enough are fit" },
	{ 4, 0, "0?3d", "they could not: too few even with them" },
	{ 2, 0, "2u 1d 1?1u 1!1d", "later the unknown count as their check says" },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct service svc = { .quorum = rows[i].quorum,
			.quorum_hysteresis = rows[i].hysteresis };
		struct quorum q = { 0 };
		int64_t wall = 1000;

		for (const char *p = rows[i].row; *p != '\0'; wall++) {
			static const char told[] = { [QUORUM_SAME] = '-', [QUORUM_WEIGHT] = 'w' };
			struct quorum_weight w = { 0 };
			char *end, kind, got;
			enum quorum_news news;

			w.least = w.most = w.sum = strtoul(p, &end, 10);
			kind = *end;
			if (kind == '?' || kind == '!') {
				w.most += strtoul(end + 1, &end, 10);
				w.sum = kind == '?' ? w.most : w.least;
			}
			news = quorum_feed(&q, &svc, &w, wall);
			got = news == QUORUM_TURNED ? (q.met ? 'u' : 'd') : told[news];
			if (got != *end)
				fail_msg("%s: %s: %c at \"%s\"", rows[i].why, rows[i].row, got, p);
			if (news == QUORUM_TURNED)
				assert_int_equal(q.since, wall);
			if (news != QUORUM_SAME)
				assert_int_equal(q.weight, w.sum);
			p = end + 1 + (end[1] == ' ');
		}
	}
}

static enum verdict verdicts[100];

static enum verdict
verdict_of(void *arg, uint32_t server)
{
	(void)arg;
	return verdicts[server % 100];
}

static uint32_t
id_of(struct snapshot *s, const char *path)
{
	return ((const struct server *)snapshot_find_path(s, KIND_server, path))->id;
}

static void
order(const char *path, int state, int64_t weight)
{
	struct snapshot *s = look();
	const struct order o = { .server = id_of(s, path), .state = state, .weight = weight };

	snapshot_unref(s);
	assert_good(store_order(st, &o, 1, &by_test, NULL, &err));
}

static void
test_what_counts(void **state)
{
	struct quorum_weight w;
	struct snapshot *s;

	(void)state;
	assert_good(
	    edit("create check sure assume=down; create vip v address=10.0.0.1 ports=80; "
		 "create rip v/a address=10.1.0.1 weight=1; create rip v/b address=10.1.0.2 "
		 "weight=20; create rip v/c address=10.1.0.3 weight=300 check=sure; "
		 "create rip v/d address=10.1.0.4 weight=4000; create rip v/e "
		 "address=10.1.0.5 weight=50000"));
	order("v/d", admin_state_drain, -1);
	order("v/e", admin_state_online, 7);
	s = look();
	verdicts[id_of(s, "v/a") % 100] = VERDICT_UP;
	verdicts[id_of(s, "v/d") % 100] = VERDICT_UP;
	quorum_weigh(s, snapshot_find_path(s, KIND_service, "v"), verdict_of, NULL, &w);
	assert_int_equal(w.least, 1);
	assert_int_equal(w.sum, 1 + 20 + 7);
	assert_int_equal(w.most, 1 + 20 + 300 + 7);
	verdicts[id_of(s, "v/e") % 100] = VERDICT_DOWN;
	quorum_weigh(s, snapshot_find_path(s, KIND_service, "v"), verdict_of, NULL, &w);
	assert_int_equal(w.most, 1 + 20 + 300);
	snapshot_unref(s);
}

static struct {
	struct loop *loop;
	unsigned told, turned, stop_at;
	struct quorum last;
} seen;

static void
on_told(void *arg, uint32_t service, const struct quorum *q, bool turned)
{
	(void)arg;
	(void)service;
	seen.told++;
	seen.turned += turned;
	seen.last = *q;
}

static void
stop(void *arg)
{
	loop_stop(arg);
}

static void
turn(void)
{
	struct loop_timer t;

	loop_timer_init(&t, seen.loop, stop, seen.loop);
	loop_timer_set(&t, DUR_MS(1));
	assert_int_equal(loop_run(seen.loop), 0);
	loop_timer_fini(&t);
}

/* Many verdicts in one turn are told once; orders, weights and rows that come and go are followed. */
static void
test_members_follow(void **state)
{
	static const struct members_ops ops = { .verdict = verdict_of, .told = on_told };
	struct snapshot *s, *next;
	struct members *m;
	uint32_t id;

	(void)state;
	memset(verdicts, 0, sizeof(verdicts));
	seen.loop = loop_new();
	m = members_new(seen.loop, &ops, NULL);
	assert_good(edit("create vip v address=10.0.0.1 ports=80 quorum=150; "
			 "create rip v/a address=10.1.0.1; create rip v/b address=10.1.0.2"));
	s = look();
	id = ((const struct service *)snapshot_find_path(s, KIND_service, "v"))->id;
	members_apply(m, NULL, s);
	turn();
	assert_int_equal(seen.told, 0); /* both are unknown */
	verdicts[id_of(s, "v/a") % 100] = verdicts[id_of(s, "v/b") % 100] = VERDICT_UP;
	members_touch(m, id_of(s, "v/a"));
	members_touch(m, id_of(s, "v/b"));
	members_touch(m, 99999);
	turn();
	assert_int_equal(seen.told, 1);
	assert_true(seen.last.met && seen.last.weight == 200);
	assert_true(members_find(m, id)->met);

	order("v/a", admin_state_halt, -1);
	next = look();
	members_apply(m, s, next);
	snapshot_unref(s);
	s = next;
	turn();
	assert_int_equal(seen.told, 2);
	assert_true(!seen.last.met && seen.last.weight == 100);

	assert_good(edit("set vip v quorum=100"));
	next = look();
	members_apply(m, s, next);
	snapshot_unref(s);
	s = next;
	turn();
	assert_true(seen.told == 3 && seen.last.met);

	assert_good(edit("set rip v/b weight=120; set vip v comment=x"));
	next = look();
	members_apply(m, s, next);
	snapshot_unref(s);
	s = next;
	turn();
	assert_true(seen.told == 4 && seen.turned == 3 && seen.last.weight == 120);

	assert_good(edit("cascade vip v"));
	next = look();
	members_apply(m, s, next);
	snapshot_unref(s);
	turn();
	assert_int_equal(seen.told, 4);
	assert_null(members_find(m, id));
	members_free(m);
	snapshot_unref(next);
	loop_free(seen.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test_setup_teardown(test_what_counts, open_store, drop_dir),
		cmocka_unit_test_setup_teardown(test_members_follow, open_store, drop_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
