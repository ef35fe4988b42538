/* From what is known to what is wanted: who is asked for anew and when, cuts, slow start by the clock, quorums, and what
 * is told. The kernel's side is played: what it would be given is written down as words. */
#include "lbd-ipvs/services.h"
#include "store_help.h"

static struct loop *loop;
static struct services *sv;
static struct snapshot *snap;
static struct buf said;
static unsigned waits;

static void
on_want(void *arg, uint32_t service, struct ipvs_table *t)
{
	const struct service *row = snapshot_find(snap, KIND_service, service);

	(void)arg;
	buf_printf(&said, "%s:", row != NULL ? row->name : "?");
	for (uint32_t i = 0; i < t->n; i++) {
		for (uint32_t k = 0; k < t->service[i].n; k++) {
			const struct ipvs_dest *d = &t->service[i].dest[k];
			const struct server *r = snapshot_find(snap, KIND_server, d->server);

			buf_printf(&said, " %s=%u", r != NULL ? r->name : "fallback", d->weight);
		}
	}
	buf_puts(&said, "; ");
	table_fini(t);
}

static void
on_send(void *arg)
{
	(void)arg;
	buf_puts(&said, "send; ");
}

static void
on_cut(void *arg, uint32_t server, const char *why)
{
	(void)arg;
	buf_printf(&said, "cut %s, %s; ",
	    ((const struct server *)snapshot_find(snap, KIND_server, server))->name, why);
}

static void
on_told(void *arg, const struct service_state *s, bool gone)
{
	const struct service *row = snapshot_find(snap, KIND_service, s->id);

	(void)arg;
	buf_printf(&said, "%s is %s%s%s; ", row != NULL ? row->name : "?",
	    gone	? "gone"
	    : s->loaded ? "loaded"
			: s->fault,
	    s->fallback ? ", fallback" : "", s->mark != 0 ? ", marked" : "");
}

static void
on_templates(void *arg, bool stay)
{
	(void)arg;
	buf_puts(&said, stay ? "templates stay; " : "templates go; ");
}

static void
stop(void *arg)
{
	loop_stop(arg);
}

/* What was said since, when the loop has turned once. */
static const char *
words(void)
{
	static char out[2000];

	loop_defer(loop, stop, loop);
	assert_int_equal(loop_run(loop), 0);
	(void)snprintf(out, sizeof(out), "%s", buf_text(&said));
	said.len = 0;
	return out;
}

static void
on_tick(void *arg)
{
	waits++;
	loop_stop(arg);
}

/* Turns the loop until something was said; fails after twenty seconds. */
static const char *
wait_words(void)
{
	struct loop_timer t = { 0 };
	static char out[2000];
	mono_t end = mono_now() + DUR_S(20);

	loop_timer_init(&t, loop, on_tick, loop);
	while (said.len == 0) {
		assert_true(mono_now() < end);
		loop_timer_set(&t, DUR_MS(5));
		assert_int_equal(loop_run(loop), 0);
	}
	loop_timer_fini(&t);
	(void)snprintf(out, sizeof(out), "%s", buf_text(&said));
	said.len = 0;
	return out;
}

static void
apply(const char *lines)
{
	struct snapshot *old = snap;

	if (lines != NULL)
		assert_good(edit(lines));
	snap = look();
	services_apply(sv, old, snap);
	snapshot_unref(old);
}

static void
order(const char *path, int state, int64_t until)
{
	const struct server *r = snapshot_find_path(snap, KIND_server, path);

	assert_good(
	    store_order(st, &(struct order){ r->id, state, -1, until }, 1, &by_test, NULL, &err));
	apply(NULL);
}

static uint32_t
id_of(unsigned kind, const char *path)
{
	return *(const uint32_t *)snapshot_find_path(snap, kind, path);
}

static void
verdict(const char *path, enum verdict v)
{
	services_verdict(sv, id_of(KIND_server, path), v, "as tested", true);
}

static void
quorum(const char *name, bool enough)
{
	services_quorum(sv, id_of(KIND_service, name), enough);
}

/* vip web with servers a and b, vip mail with server m. */
static int
begin(void **state)
{
	static const struct services_ops ops = { .want = on_want,
		.send = on_send,
		.cut = on_cut,
		.told = on_told,
		.templates = on_templates };

	if (open_store(state) != 0)
		return -1;
	loop = loop_new();
	sv = services_new(loop, &ops);
	services_check_away(sv, false);
	snap = NULL;
	apply(
	    "create check late assume=down; "
	    "create vip web address=10.0.0.1 ports=80 mode=nat; create rip web/a address=10.0.0.11; "
	    "create rip web/b address=10.0.0.12; "
	    "create vip mail address=10.0.0.2 ports=25 mode=nat; create rip mail/m address=10.0.0.21; "
	    "create vip page address=10.0.0.3 ports=80 mode=http; create rip page/p address=10.0.0.31");
	return 0;
}

static int
started(void **state)
{
	if (begin(state) != 0)
		return -1;
	services_start(sv);
	(void)words();
	return 0;
}

static int
end(void **state)
{
	services_free(sv);
	snapshot_unref(snap);
	loop_free(loop);
	buf_fini(&said);
	return drop_dir(state);
}

static void
test_nothing_before_the_start(void **state)
{
	(void)state;
	verdict("web/a", VERDICT_DOWN);
	assert_string_equal(words(), "");
	services_start(sv);
	assert_string_equal(words(), "web: a=0 b=100; mail: m=100; templates go; ");
	services_start(sv);
	assert_string_equal(words(), "");
}

static void
test_a_turn_is_one_answer(void **state)
{
	(void)state;
	verdict("web/a", VERDICT_DOWN);
	verdict("web/b", VERDICT_DOWN);
	verdict("web/b", VERDICT_UP);
	assert_string_equal(buf_text(&said), "");
	assert_string_equal(words(), "web: a=0 b=100; ");
	verdict("web/a", VERDICT_DOWN);
	verdict("page/p", VERDICT_DOWN); /* the proxy's */
	assert_string_equal(words(), "");
	verdict("web/a", VERDICT_UP);
	verdict("mail/m", VERDICT_DOWN);
	assert_string_equal(words(), "web: a=100 b=100; mail: m=0; ");
}

static void
test_only_what_changed(void **state)
{
	static const struct {
		const char *edits, *want;
	} rows[] = {
		{ "set rip web/a weight=7", "web: a=7 b=100; " },
		{ "set vip mail scheduler=rr", "mail: m=100; " },
		{ "set vip page comment=x", "" },
		{ "set rip page/p weight=3", "" },
		{ "create rip mail/n address=10.0.0.22", "mail: m=100 n=100; " },
		{ "delete rip web/b", "web: a=7; " },
		{ "set setting main tcp_timeout=5s", "" },
		{ "set check late comment=x", "" },
		{ "set check late assume=up", "web: a=7; mail: m=100 n=100; " },
		{ "set setting main sorry_port=9999", "web: a=7; mail: m=100 n=100; " },
		{ "set vip page mode=nat", "page: p=3; " },
		{ "set vip page mode=http", "page:; " },
		{ "create vip late address=10.0.0.4 ports=80 mode=nat", "late:; " },
		{ "rename rip web/a c", "web: c=7; " },
		{ "cascade vip web", "?:; " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		apply(rows[i].edits);
		/* wanted when services_apply returns; order of two is that of touching */
		if (i == 8 || i == 9)
			assert_int_equal(said.len, strlen(rows[i].want));
		else
			assert_string_equal(buf_text(&said), rows[i].want);
		(void)words();
	}
}

/* S194, A018 */
static void
test_cut_once_after_the_kernel_knows(void **state)
{
	(void)state;
	apply("set vip web drop_on_failure=yes");
	(void)words();
	verdict("web/a", VERDICT_DOWN);
	assert_string_equal(words(), "web: a=0 b=100; send; cut a, its check fails; ");
	apply("set vip web comment=x");
	assert_string_equal(words(), "web: a=0 b=100; ");
	verdict("web/a", VERDICT_UP);
	assert_string_equal(words(), "web: a=100 b=100; ");
	verdict("web/a", VERDICT_DOWN);
	verdict("web/b", VERDICT_DOWN);
	assert_string_equal(
	    words(), "web: a=0 b=0; send; cut a, its check fails; cut b, its check fails; ");
}

/* S190 */
static void
test_orders_end_by_themselves(void **state)
{
	(void)state;
	order("web/a", admin_state_halt, mono_wall_ms() / 1000 + 2);
	assert_string_equal(words(), "web: a=0 b=100; ");
	assert_string_equal(wait_words(), "web: a=0 b=100; send; cut a, it is halted; ");
	order("web/a", admin_state_online, 0);
	assert_string_equal(words(), "web: a=100 b=100; ");
	order("web/a", admin_state_drain, mono_wall_ms() / 1000);
	assert_string_equal(words(), "web: a=0 b=100; send; cut a, the time to drain has passed; ");
	order("web/a", admin_state_halt, 0); /* it has no connections any more */
	assert_string_equal(words(), "web: a=0 b=100; ");
}

/* The weight of a that was wanted last; a slow machine may have wanted several since. */
static unsigned
weight_of_a(const char *text)
{
	const char *last = NULL;

	while ((text = strstr(text, "a=")) != NULL)
		last = text++;
	assert_non_null(last);
	return (unsigned)atoi(last + 2);
}

static void
test_slow_start_goes_on_by_itself(void **state)
{
	unsigned was = 0, now, steps = 0;

	(void)state;
	apply("set vip web slow_start=1s");
	(void)words();
	verdict("web/a", VERDICT_DOWN);
	(void)words();
	verdict("web/a", VERDICT_UP);
	was = weight_of_a(words());
	assert_in_range(was, 1, 50);
	while (was < 100) {
		now = weight_of_a(wait_words());
		assert_true(now >= was && now <= 100);
		steps += now > was; /* one that came a millisecond early finds nothing to do */
		was = now;
	}
	assert_in_range(steps, 1, SLOW_STEPS);
	assert_string_equal(words(), "");
}

/* What a new link begins with is no recovery; that lbd-check was away for a while hides none. */
static void
test_slow_start_only_after_a_failure(void **state)
{
	(void)state;
	apply("set vip web slow_start=1h check=late");
	assert_string_equal(words(), "web: a=0 b=0; ");
	services_verdict(sv, id_of(KIND_server, "web/a"), VERDICT_UP, "", false);
	assert_string_equal(words(), "web: a=100 b=0; ");
	verdict("web/b", VERDICT_UP); /* proven now: it was cold */
	assert_string_equal(words(), "web: a=100 b=1; ");
	verdict("web/a", VERDICT_DOWN);
	services_verdict(sv, id_of(KIND_server, "web/a"), VERDICT_UP, "", false);
	assert_string_equal(words(), "web: a=1 b=1; ");
}

/* A014, A016 */
static void
test_quorum(void **state)
{
	(void)state;
	apply("set vip web fallback=10.0.0.99");
	services_fault(sv, id_of(KIND_service, "web"), NULL);
	assert_string_equal(words(), "web: a=100 b=100; web is loaded; ");
	quorum("web", false);
	assert_string_equal(words(), "web: a=0 b=0 fallback=1; web is loaded, fallback; ");
	quorum("web", false);
	assert_string_equal(words(), "");
	quorum("web", true);
	assert_string_equal(words(), "web: a=100 b=100; web is loaded; ");
	/* said of a service before it came to layer 4 */
	quorum("page", false);
	verdict("page/p", VERDICT_UP);
	assert_string_equal(words(), "");
	apply("set vip page mode=nat fallback=10.0.0.99");
	assert_string_equal(words(), "page: p=0 fallback=1; ");
	/* away: it holds until an order or a row changes, and is not known then */
	quorum("web", false);
	(void)words();
	services_check_away(sv, true);
	apply("set vip web comment=y");
	assert_string_equal(words(), "web: a=0 b=0 fallback=1; ");
	order("web/a", admin_state_drain, 0);
	assert_string_equal(words(), "web: a=0 b=100; web is loaded; ");
}

/* A018: persistence must not bring clients to a failed server, but to one that drains. */
static void
test_templates(void **state)
{
	(void)state;
	apply("set vip web persistence=source; set vip mail persistence=source");
	(void)words();
	verdict("mail/m", VERDICT_DOWN);
	assert_string_equal(words(), "mail: m=0; ");
	order("web/a", admin_state_drain, 0);
	assert_string_equal(words(), "web: a=0 b=100; templates stay; web: a=0 b=100; mail:; ");
	order("web/a", admin_state_online, 0);
	assert_string_equal(
	    words(), "web: a=100 b=100; templates go; web: a=100 b=100; mail: m=0; ");
	order("web/a", admin_state_drain, 0);
	(void)words();
	apply("cascade vip web");
	assert_string_equal(words(), "?:; templates go; mail: m=0; ");
}

static void
test_told(void **state)
{
	uint32_t web = id_of(KIND_service, "web"), n, faults, at = 0;
	const struct service_state *first;

	(void)state;
	assert_null(services_next(sv, &at));
	services_fault(sv, web, "no scheduler");
	services_fault(sv, web, "no scheduler");
	services_fault(sv, 12345, "nobody's");
	assert_string_equal(words(), "web is no scheduler; ");
	services_count(sv, &n, &faults, &first);
	assert_int_equal(n, 2);
	assert_int_equal(faults, 1);
	assert_int_equal(first->id, web);
	at = 0;
	assert_ptr_equal(services_next(sv, &at), first);
	assert_null(services_next(sv, &at));
	services_whole_fault(sv, "no ip_vs");
	assert_non_null(strstr(words(), "mail is no ip_vs; "));
	services_whole_fault(sv, NULL);
	assert_string_equal(words(), "web is no scheduler; "); /* of mail nothing is known */
	services_fault(sv, web, NULL);
	assert_string_equal(words(), "web is loaded; ");
	apply("set vip web ports=80,443");
	assert_string_equal(words(), "web: a=100 b=100; web is loaded, marked; ");
	assert_int_equal(services_find(sv, web)->keys, 1);
	apply("set vip web enabled=no");
	assert_string_equal(words(), "web:; ");
	assert_int_equal(services_find(sv, web)->keys, 0);
	apply("set vip web mode=http ports=80");
	assert_string_equal(words(), "web:; web is gone; ");
	assert_null(services_find(sv, web));
	/* one that is switched off from the start has nothing to wait for */
	apply("create vip off address=10.0.0.9 ports=80 mode=nat enabled=no");
	assert_string_equal(words(), "off:; off is loaded; ");
}

static void
test_refused(void **state)
{
	uint32_t web = id_of(KIND_service, "web");

	(void)state;
	services_fault(sv, web, "no scheduler");
	assert_null(services_refused(sv)); /* not by this change */
	apply("set vip web scheduler=mh");
	assert_int_equal(services_refused(sv)->id, web);
	apply("set vip mail comment=x");
	assert_null(services_refused(sv));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_before_the_start, begin, end),
		cmocka_unit_test_setup_teardown(test_a_turn_is_one_answer, started, end),
		cmocka_unit_test_setup_teardown(test_only_what_changed, started, end),
		cmocka_unit_test_setup_teardown(test_cut_once_after_the_kernel_knows, started, end),
		cmocka_unit_test_setup_teardown(test_orders_end_by_themselves, started, end),
		cmocka_unit_test_setup_teardown(test_slow_start_goes_on_by_itself, started, end),
		cmocka_unit_test_setup_teardown(test_slow_start_only_after_a_failure, started, end),
		cmocka_unit_test_setup_teardown(test_quorum, started, end),
		cmocka_unit_test_setup_teardown(test_templates, started, end),
		cmocka_unit_test_setup_teardown(test_told, started, end),
		cmocka_unit_test_setup_teardown(test_refused, started, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
