/* The live view: verdicts, counters and orders over a snapshot that changes; staleness; the status objects. */
#include "store_help.h"

#include "msg/view.h"

static struct view *view;

static struct snapshot *
load(void)
{
	struct snapshot *s = NULL;

	assert_good(store_snapshot(st, &s, &err));
	return s;
}

static int
begin(void **state)
{
	struct snapshot *s;

	if (open_store(state) != 0)
		return -1;
	edit(
	    "create vip web address=192.0.2.1 ports=80; create rip web/a address=10.0.0.1 port=80; "
	    "create rip web/b address=10.0.0.2 port=80; create vip old address=192.0.2.1 ports=81 enabled=no");
	s = load();
	view = view_new();
	view_clock(view, DUR_S(100));
	view_use(view, s);
	snapshot_unref(s);
	return 0;
}

static int
end(void **state)
{
	view_free(view);
	return drop_dir(state);
}

static const struct server *
rip(const char *path)
{
	return snapshot_find_path(view_snapshot(view), KIND_server, path);
}

static const struct service *
vip(const char *name)
{
	return snapshot_find_path(view_snapshot(view), KIND_service, name);
}

static bool
health(const char *path, int verdict, const char *text)
{
	union msg_any m = { .health = { .server = rip(path)->id,
				.verdict = (uint8_t)verdict,
				.reason = verdict == VERDICT_UP ? REASON_ok : REASON_refused,
				.since = 1767225600,
				.at = 1767225601,
				.latency = 212,
				.probes = 7,
				.failed = 3,
				.turns = 1,
				.text = SPAN(text) } };

	return view_row(view, msg_row(MSG_HEALTH), &m);
}

static void
counts(unsigned number, uint32_t id, uint64_t conns, uint64_t total)
{
	struct service_counters s = { .conns = conns, .conns_total = total };
	struct server_counters r = { .conns = conns, .conns_total = total };
	struct buf blob = { 0 };
	union msg_any m = { .counts = { .id = id } };

	if (number == MSG_SERVICE_COUNTS)
		counters_put(service_counters, service_counters_n, &s, &blob);
	else
		counters_put(server_counters, server_counters_n, &r, &blob);
	m.counts.values = (struct span){ .p = blob.p, .len = blob.len };
	(void)view_row(view, msg_row(number), &m);
	buf_fini(&blob);
}

static void
test_colours_follow_verdicts(void **state)
{
	struct service_view t;

	(void)state;
	assert_int_equal(view_service_status(view, vip("web"), &t), ST_UNK);
	assert_int_equal(t.unknown, 2);
	view_here(view, "lbd-check", true);
	assert_true(health("web/a", VERDICT_UP, "ok"));
	assert_false(health("web/a", VERDICT_UP, "ok again"));
	assert_true(health("web/b", VERDICT_DOWN, "refused"));
	assert_int_equal(view_service_status(view, vip("web"), &t), ST_WARN);
	assert_int_equal(t.up, 1);
	assert_int_equal(t.down, 1);
	assert_string_equal(view_server(view, rip("web/a")->id)->text, "ok again");
	assert_int_equal(view_service_status(view, vip("old"), NULL), ST_OFF);
}

/* What lbd-check said counts for a while after it is gone, then nobody knows. */
static void
test_verdicts_grow_stale(void **state)
{
	(void)state;
	assert_int_equal(view_verdict(view, rip("web/a")->id), VERDICT_UNKNOWN);
	view_here(view, "lbd-check", true);
	(void)health("web/a", VERDICT_UP, "ok");
	view_clock(view, DUR_S(110));
	view_here(view, "lbd-check", false);
	assert_int_equal(view_verdict(view, rip("web/a")->id), VERDICT_UP);
	view_clock(view, DUR_S(110) + VIEW_STALE);
	assert_int_equal(view_verdict(view, rip("web/a")->id), VERDICT_UP);
	view_clock(view, DUR_S(110) + VIEW_STALE + 1);
	assert_int_equal(view_verdict(view, rip("web/a")->id), VERDICT_UNKNOWN);
	view_here(view, "lbd-check", true);
	assert_int_equal(view_verdict(view, rip("web/a")->id), VERDICT_UP);
}

/* lbd-check has a new server sooner than we have: what it says of it counts once we have it too. */
static void
test_what_is_said_early_counts_later(void **state)
{
	union msg_any m = { .health = { .verdict = VERDICT_UP, .reason = REASON_ok } };
	union msg_any q = { .quorum = { .met = true, .weight = 100 } };
	struct snapshot *s;

	(void)state;
	view_here(view, "lbd-check", true);
	edit(
	    "create vip late address=192.0.2.9 ports=80; create rip late/a address=10.0.0.9 port=80");
	s = load();
	m.health.server = ((const struct server *)snapshot_find_path(s, KIND_server, "late/a"))->id;
	q.quorum.service =
	    ((const struct service *)snapshot_find_path(s, KIND_service, "late"))->id;
	assert_false(view_row(view, msg_row(MSG_HEALTH), &m));
	assert_false(view_row(view, msg_row(MSG_QUORUM), &q));
	view_use(view, s);
	snapshot_unref(s);
	assert_int_equal(view_verdict(view, rip("late/a")->id), VERDICT_UP);
	assert_true(view_quorum(view, vip("late")->id)->quorum_met);
	assert_int_equal(view_service_status(view, vip("late"), NULL), ST_OK);
	/* Of a row that never comes it is dropped, and with a link that comes anew. */
	m.health.server = q.quorum.service = 9999;
	(void)view_row(view, msg_row(MSG_HEALTH), &m);
	for (int i = 0; i < 5; i++)
		view_use(view, view_snapshot(view));
	(void)view_row(view, msg_row(MSG_QUORUM), &q);
	view_here(view, "lbd-check", true);
}

/* Rows that stay keep what is known of them; rows that go are forgotten, rows that come are unknown. */
static void
test_a_new_snapshot_keeps_what_stays(void **state)
{
	struct snapshot *s;
	uint32_t b = rip("web/b")->id;

	(void)state;
	view_here(view, "lbd-check", true);
	(void)health("web/a", VERDICT_UP, "ok");
	(void)health("web/b", VERDICT_DOWN, "refused");
	counts(MSG_SERVER_COUNTS, rip("web/a")->id, 5, 50);
	edit("delete rip web/b; create rip web/c address=10.0.0.3 port=80; rename rip web/a first");
	s = load();
	view_use(view, s);
	snapshot_unref(s);
	assert_int_equal(view_server_state(view, rip("web/first")), SRV_UP);
	assert_int_equal(view_server(view, rip("web/first")->id)->counts.conns, 5);
	assert_int_equal(view_server_state(view, rip("web/c")), SRV_UNKNOWN);
	assert_null(view_server(view, b));
	assert_null(view_server(view, 999999));
}

static void
test_rates_need_two_counts(void **state)
{
	uint32_t id = vip("web")->id;

	(void)state;
	counts(MSG_SERVICE_COUNTS, id, 1, 1000);
	assert_true(view_service(view, id)->rate.conns == 0);
	view_clock(view, DUR_S(102));
	counts(MSG_SERVICE_COUNTS, id, 2, 1100);
	assert_true(view_service(view, id)->rate.conns > 49.9f &&
		    view_service(view, id)->rate.conns < 50.1f);
	view_clock(view, DUR_S(103));
	counts(MSG_SERVICE_COUNTS, id, 2, 4); /* the proxy was restarted */
	assert_true(view_service(view, id)->rate.conns == 0);
}

static void
test_orders_win_and_power_off_is_safe_when_idle(void **state)
{
	struct order o = { .server = rip("web/a")->id, .state = admin_state_drain, .weight = -1 };
	struct snapshot *s;

	(void)state;
	view_here(view, "lbd-check", true);
	(void)health("web/a", VERDICT_UP, "ok");
	assert_false(view_safe_to_power_off(view, rip("web/a")));
	assert_good(store_order(st, &o, 1, &by_test, NULL, &err));
	s = load();
	view_use(view, s);
	snapshot_unref(s);
	assert_int_equal(view_server_state(view, rip("web/a")), SRV_DRAIN);
	assert_false(view_safe_to_power_off(view, rip("web/a"))); /* nobody has counted yet */
	counts(MSG_SERVER_COUNTS, rip("web/a")->id, 3, 3);
	assert_false(view_safe_to_power_off(view, rip("web/a")));
	counts(MSG_SERVER_COUNTS, rip("web/a")->id, 0, 3);
	assert_true(view_safe_to_power_off(view, rip("web/a")));
}

static bool
checked(uint8_t number, const char *name, const char *state, const char *text)
{
	union msg_any m = { .ha_check = { .number = number,
				.name = SPAN(name),
				.what = SPAN("file"),
				.state = SPAN(state),
				.text = SPAN(text) } };

	return view_row(view, msg_row(MSG_HA_CHECK), &m);
}

static void
test_checks_of_the_pair_come_and_go(void **state)
{
	const struct view_check *k = view_checks(view);
	struct buf out = { 0 };

	(void)state;
	assert_true(checked(9, "state /run/x", "good", "says \"0\""));
	assert_false(checked(9, "state /run/x", "good", "says \"00\"")); /* no other state */
	assert_true(checked(9, "state /run/x", "bad", "no such file"));
	assert_string_equal(k[9].name, "state /run/x");
	assert_string_equal(k[9].text, "no such file");
	view_json_ha(&out, view);
	assert_non_null(strstr(buf_text(&out),
	    "\"checks\":[{\"number\":9,\"name\":\"state /run/x\",\"what\":\"file\",\"state\":\"bad\","
	    "\"text\":\"no such file\",\"since\":null}]"));
	buf_fini(&out);
	assert_true(checked(9, "", "gone", ""));
	assert_false(checked(9, "", "gone", ""));
	assert_string_equal(k[9].name, "");
	assert_false(checked(VIEW_CHECKS, "x", "bad", "")); /* there is no such place */
}

static bool
routed(uint8_t number, const char *name, const char *state, uint64_t sent, const char *discarded)
{
	union msg_any m = { .ha_vrrp = { .number = number,
				.name = SPAN(name),
				.state = SPAN(state),
				.vrid = 51,
				.sent = sent,
				.discarded = SPAN(discarded) } };

	return view_row(view, msg_row(MSG_HA_VRRP), &m);
}

static void
test_virtual_routers_come_and_go(void **state)
{
	char words[100], advice[200];
	struct buf out = { 0 };

	(void)state;
	assert_true(routed(3, "front", "backup", 0, ""));
	assert_false(routed(3, "front", "backup", 7, "ttl=1,other addresses=12"));
	view_json_ha(&out, view);
	assert_non_null(strstr(buf_text(&out), "\"vrrps\":[{\"vrid\":51,"));
	assert_non_null(strstr(buf_text(&out), "\"sent\":7,"));
	assert_non_null(
	    strstr(buf_text(&out), "\"discarded\":{\"ttl\":1,\"other addresses\":12},\"since\""));
	view_role_words(view, words, advice);
	assert_non_null(strstr(words, "Master of 0 of 1 virtual routers"));
	assert_true(routed(3, "front", "master", 8, "cut off,in the mid"));
	out.len = 0;
	view_json_ha(&out, view);
	assert_non_null(strstr(buf_text(&out), "\"discarded\":{},"));
	view_role_words(view, words, advice);
	assert_non_null(strstr(words, "VRRP | "));
	assert_non_null(strstr(words, "Master of 1 of 1 virtual routers"));
	assert_true(routed(3, "", "gone", 0, ""));
	assert_false(routed(3, "", "gone", 0, ""));
	assert_string_equal(view_vrrps(view)[3].name, "");
	assert_false(routed(VIEW_VRRPS, "x", "master", 0, "")); /* there is no such place */
	buf_fini(&out);
}

static void
floating(const char *address, bool held, bool manual, uint32_t services)
{
	union msg_any m = { .floating = { .address = SPAN(address),
				.interface = SPAN("lo"),
				.held = held,
				.manual = manual,
				.services = services } };

	(void)view_row(view, msg_row(MSG_FLOATING), &m);
}

static void
test_floating_addresses_come_and_go(void **state)
{
	const struct view_floating *f;

	(void)state;
	floating("192.0.2.2/32", true, false, 1);
	floating("192.0.2.1/32", true, false, 2);
	floating("192.0.2.3/32", false, true, 0);
	f = view_floating(view);
	assert_string_equal(f->address, "192.0.2.1/32");
	assert_string_equal(f->next->address, "192.0.2.2/32");
	assert_false(f->next->next->held);
	floating("192.0.2.2/32", false, false, 0);
	f = view_floating(view);
	assert_string_equal(f->next->address, "192.0.2.3/32");
	assert_null(f->next->next);
}

static void
test_status_objects(void **state)
{
	struct buf out = { 0 };

	(void)state;
	view_here(view, "lbd-check", true);
	(void)health("web/a", VERDICT_UP, "said \"ok\"\n");
	(void)health("web/b", VERDICT_DOWN, "refused");
	assert_true(view_json_status(view, object_of(KIND_service), vip("web"), &out));
	assert_string_equal(buf_text(&out),
	    "{\"state\":\"warn\",\"colour\":\"yellow\",\"word\":\"Degraded\",\"note\":\"\","
	    "\"servers\":{\"total\":2,\"up\":1,\"warning\":0,\"down\":1,\"drain\":0,\"halt\":0,\"unknown\":0},"
	    "\"quorum\":null,\"fallback\":false,\"kernel\":null,\"counters\":null}");
	out.len = 0;
	assert_true(view_json_status(view, object_of(KIND_server), rip("web/a"), &out));
	assert_string_equal(buf_text(&out),
	    "{\"state\":\"up\",\"colour\":\"green\",\"word\":\"Healthy\",\"weight\":100,\"safe_to_power_off\":false,"
	    "\"check\":{\"verdict\":\"up\",\"reason\":\"ok\",\"text\":\"said \\\"ok\\\"\\n\","
	    "\"since\":\"2026-01-01T00:00:00Z\",\"at\":\"2026-01-01T00:00:01Z\",\"latency_us\":212,\"probes\":7,"
	    "\"failed\":3,\"turns\":1,\"by\":\"lbd-check\"},\"name\":null,\"hint\":null,\"order\":null,\"counters\":null}");
	out.len = 0;
	assert_false(view_json_status(
	    view, object_of(KIND_setting), snapshot_setting(view_snapshot(view)), &out));
	assert_int_equal(out.len, 0);
	view_json_row(view, object_of(KIND_server), rip("web/b"), &out);
	assert_non_null(strstr(buf_text(&out), "{\"name\":\"b\""));
	assert_non_null(strstr(buf_text(&out), ",\"status\":{\"state\":\"down\""));
	buf_fini(&out);
}

static void
test_totals(void **state)
{
	struct view_totals t;

	(void)state;
	view_here(view, "lbd-check", true);
	(void)health("web/a", VERDICT_UP, "ok");
	(void)health("web/b", VERDICT_UP, "ok");
	counts(MSG_SERVICE_COUNTS, vip("web")->id, 4, 4);
	view_totals(view, &t);
	assert_int_equal(t.services[ST_OK], 1);
	assert_int_equal(t.services[ST_OFF], 1);
	assert_int_equal(t.servers[SRV_UP], 2);
	assert_int_equal(t.conns, 4);
}

static bool
quorum(const char *name, bool met, uint64_t weight)
{
	union msg_any m = { .quorum = { .service = vip(name)->id,
				.met = met,
				.weight = weight,
				.since = 1767225600 } };

	return view_row(view, msg_row(MSG_QUORUM), &m);
}

static bool
carried(const char *name, bool loaded, bool fallback, const char *fault)
{
	union msg_any m = { .l4_service = { .service = vip(name)->id,
				.loaded = loaded,
				.fallback = fallback,
				.mark = 268435460,
				.fault = SPAN(fault) } };

	return view_row(view, msg_row(MSG_L4_SERVICE), &m);
}

static bool
hint(const char *path, unsigned what, const char *text)
{
	union msg_any m = { .l4_hint = { .server = rip(path)->id,
				.what = (uint16_t)what,
				.since = 1767225600,
				.text = SPAN(text) } };

	return view_row(view, msg_row(MSG_L4_HINT), &m);
}

/* A store with a service of layer 4, both daemons here, and its servers up. */
static int
begin_l4(void **state)
{
	struct snapshot *s;

	if (begin(state) != 0)
		return -1;
	assert_good(edit("create vip four address=192.0.2.4 ports=80 mode=nat fallback=10.0.0.9; "
			 "create rip four/a address=10.0.0.1; create rip four/b address=10.0.0.2; "
			 "set vip web fallback=sorry.example quorum=150"));
	s = load();
	view_use(view, s);
	snapshot_unref(s);
	view_here(view, "lbd-check", true);
	view_here(view, "lbd-ipvs", true);
	(void)health("four/a", VERDICT_UP, "ok");
	(void)health("four/b", VERDICT_UP, "ok");
	(void)health("web/a", VERDICT_UP, "ok");
	return 0;
}

static void
test_quorum_and_fallback(void **state)
{
	struct service_view t;
	char note[VIEW_NOTE];

	(void)state;
	(void)health("web/b", VERDICT_UP, "ok");
	assert_null(view_quorum(view, vip("web")->id));
	assert_true(quorum("web", true, 200));
	assert_false(quorum("web", true, 200));
	assert_int_equal(view_service_status(view, vip("web"), NULL), ST_OK);
	assert_false(view_note(view, vip("web"), note));
	assert_true(quorum("web", false, 100));
	assert_true(view_fallback(view, vip("web"))); /* layer 7: while the quorum is not met */
	assert_int_equal(view_service_status(view, vip("web"), &t), ST_WARN);
	assert_string_equal(status_word(ST_WARN, &t), "Fallback");
	assert_true(view_note(view, vip("web"), note));
	assert_string_equal(
	    note, "the fallback sorry.example takes the clients; no quorum: weight 100 of 150");
	assert_true(quorum("four", false, 0)); /* layer 4: as lbd-ipvs says */
	assert_false(view_fallback(view, vip("four")));
	assert_true(carried("four", true, true, ""));
	assert_true(view_fallback(view, vip("four")));
	view_here(view, "lbd-check", false);
	view_clock(view, DUR_S(100) + VIEW_STALE + 1);
	assert_null(view_quorum(view, vip("web")->id));
	assert_false(view_fallback(view, vip("web")));
}

static void
test_what_the_kernel_does_not_carry_is_red(void **state)
{
	struct buf out = { 0 };
	struct service_view t;

	(void)state;
	assert_true(carried("four", true, false, ""));
	assert_false(carried("four", true, false, ""));
	assert_int_equal(view_service_status(view, vip("four"), NULL), ST_OK);
	assert_true(carried("four", false, false, "no module ip_vs_mh"));
	assert_int_equal(view_service_status(view, vip("four"), &t), ST_DOWN);
	assert_string_equal(status_word(ST_DOWN, &t), "Not in force");
	assert_true(view_json_status(view, object_of(KIND_service), vip("four"), &out));
	assert_non_null(strstr(
	    buf_text(&out), "\"note\":\"the kernel does not carry it: no module ip_vs_mh\""));
	assert_non_null(strstr(buf_text(&out),
	    "\"fallback\":false,\"kernel\":{\"loaded\":false,\"mark\":268435460,"
	    "\"fault\":\"no module ip_vs_mh\"}"));
	buf_fini(&out);
	assert_true(carried("four", false, false, "")); /* not layer 4 any more */
	assert_null(view_l4(view, vip("four")->id));
	assert_false(carried("four", false, false, ""));
}

static void
test_hints_make_a_server_yellow(void **state)
{
	struct buf out = { 0 };
	struct view_totals t;

	(void)state;
	assert_true(hint("four/a", FINDING_half_open, "12 of 12 half open"));
	assert_false(hint("four/a", FINDING_half_open, "13 of 13 half open"));
	assert_int_equal(view_server_state(view, rip("four/a")), SRV_WARN);
	assert_int_equal(view_service_status(view, vip("four"), NULL), ST_WARN);
	view_totals(view, &t);
	assert_int_equal(t.servers[SRV_WARN], 1);
	assert_true(view_json_status(view, object_of(KIND_server), rip("four/a"), &out));
	assert_non_null(strstr(buf_text(&out),
	    "\"hint\":{\"what\":\"half_open\",\"means\":\"connections to the server stay half open\","
	    "\"text\":\"13 of 13 half open\",\"since\":\"2026-01-01T00:00:00Z\"}"));
	assert_non_null(strstr(buf_text(&out), "{\"state\":\"warning\",\"colour\":\"yellow\""));
	buf_fini(&out);
	assert_true(hint("four/a", FINDING_none, ""));
	assert_int_equal(view_server_state(view, rip("four/a")), SRV_UP);
}

/* What is not said again after a restart is not so any more; until then, and for a while without lbd-ipvs, it is. */
static void
test_a_new_link_sweeps(void **state)
{
	(void)state;
	(void)hint("four/a", FINDING_half_open, "x");
	(void)hint("four/b", FINDING_half_open, "y");
	(void)carried("four", false, true, "fault");
	view_here(view, "lbd-ipvs", false);
	view_clock(view, DUR_S(100) + VIEW_STALE);
	assert_non_null(view_hint(view, rip("four/a")->id));
	view_clock(view, DUR_S(100) + VIEW_STALE + 1);
	assert_null(view_hint(view, rip("four/a")->id));
	assert_null(view_l4(view, vip("four")->id));
	view_here(view, "lbd-ipvs", true);
	assert_non_null(view_hint(view, rip("four/a")->id));
	assert_false(hint("four/b", FINDING_half_open, "y"));
	view_synced(view, "lbd-check");
	assert_non_null(view_hint(view, rip("four/a")->id));
	view_synced(view, "lbd-ipvs");
	assert_null(view_hint(view, rip("four/a")->id));
	assert_non_null(view_hint(view, rip("four/b")->id));
	assert_null(view_l4(view, vip("four")->id));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_colours_follow_verdicts, begin, end),
		cmocka_unit_test_setup_teardown(test_verdicts_grow_stale, begin, end),
		cmocka_unit_test_setup_teardown(test_what_is_said_early_counts_later, begin, end),
		cmocka_unit_test_setup_teardown(test_a_new_snapshot_keeps_what_stays, begin, end),
		cmocka_unit_test_setup_teardown(test_rates_need_two_counts, begin, end),
		cmocka_unit_test_setup_teardown(
		    test_orders_win_and_power_off_is_safe_when_idle, begin, end),
		cmocka_unit_test_setup_teardown(test_floating_addresses_come_and_go, begin, end),
		cmocka_unit_test_setup_teardown(test_status_objects, begin, end),
		cmocka_unit_test_setup_teardown(test_totals, begin, end),
		cmocka_unit_test_setup_teardown(test_quorum_and_fallback, begin_l4, end),
		cmocka_unit_test_setup_teardown(
		    test_what_the_kernel_does_not_carry_is_red, begin_l4, end),
		cmocka_unit_test_setup_teardown(test_checks_of_the_pair_come_and_go, begin, end),
		cmocka_unit_test_setup_teardown(test_virtual_routers_come_and_go, begin, end),
		cmocka_unit_test_setup_teardown(test_hints_make_a_server_yellow, begin_l4, end),
		cmocka_unit_test_setup_teardown(test_a_new_link_sweeps, begin_l4, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
