/* The state machine of a virtual router: every row, then timers, delays, weights, checksums and what is admitted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vrrp/vrrp_fsm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW DUR_S(1000)

static struct vrrp_conf conf;
static struct vrrp v;
static struct vrrp_out out;
static struct vrrp_packet packet;

static struct addr
host(const char *text)
{
	struct addr a;

	if (addr_parse(text, ADDR_HOST, &a) != 0)
		abort();
	return a;
}

static void
fresh(void)
{
	struct addr self = host("10.0.0.2");

	vrrp_conf_default(&conf);
	conf.vrid = 51;
	conf.n = 2;
	conf.addr[0] = host("10.0.0.100");
	conf.addr[1] = host("10.0.0.101");
	conf.linger = false;
	vrrp_init(&v, &conf, &self);
}

static void
event(enum vrrp_event_kind kind, mono_t now)
{
	vrrp_step(&v, (struct vrrp_event){ .kind = kind }, now, &out);
}

static void
weight(int w, mono_t now)
{
	vrrp_step(&v, (struct vrrp_event){ .kind = VRRP_EV_WEIGHT, .weight = w }, now, &out);
}

static struct vrrp_ip
from(const char *src)
{
	return (struct vrrp_ip){ .src = host(src), .dst = vrrp_group4, .ttl = 255 };
}

static enum vrrp_bad
hear(const char *src, unsigned priority, mono_t now)
{
	struct vrrp_ip ip = from(src);
	enum vrrp_bad bad;

	packet.priority = (uint8_t)priority;
	bad = vrrp_admit(&v, &packet, &ip);
	if (bad == VRRP_GOOD)
		vrrp_step(&v, vrrp_received(&v, &packet, &ip), now, &out);
	return bad;
}

static void
to_state(enum vrrp_state s)
{
	fresh();
	conf.linger = s == VRRP_LEAVING;
	vrrp_advert(&v, 100, &packet);
	if (s == VRRP_INIT)
		return;
	if (s == VRRP_FAULT)
		event(VRRP_EV_DOWN, NOW);
	event(VRRP_EV_START, NOW);
	if (s == VRRP_MASTER || s == VRRP_LEAVING)
		event(VRRP_EV_TIMER, v.deadline);
	if (s == VRRP_LEAVING)
		event(VRRP_EV_STOP, v.advert_at - DUR_S(1));
	assert_int_equal(v.state, s);
}

/* Orders as text: "a100" an advertisement, "a100-" with the plain MAC, "+" take, "-" drop, "!" announce. */
static const char *
orders(void)
{
	static char text[80];
	size_t n = 0;

	for (unsigned i = 0; i < out.n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "a%u%s ", out.advert[i].priority,
		    out.advert[i].plain_mac ? "-" : "");
	(void)snprintf(text + n, sizeof(text) - n, "%s%s%s", out.take ? "+" : "",
	    out.drop ? "-" : "", out.announce ? "!" : "");
	n = strlen(text);
	if (n > 0 && text[n - 1] == ' ')
		text[n - 1] = '\0';
	return text;
}

static void
feed(enum vrrp_event_kind k, mono_t now)
{
	switch (k) {
	case VRRP_EV_ZERO: (void)hear("10.0.0.3", 0, now); break;
	case VRRP_EV_LESS: (void)hear("10.0.0.3", 99, now); break;
	case VRRP_EV_TIE_LESS: (void)hear("10.0.0.1", 100, now); break;
	case VRRP_EV_TIE_MORE: (void)hear("10.0.0.3", 100, now); break;
	case VRRP_EV_MORE: (void)hear("10.0.0.1", 101, now); break;
	default: event(k, now);
	}
}

#define I VRRP_INIT
#define F VRRP_FAULT
#define B VRRP_BACKUP
#define M VRRP_MASTER
#define L VRRP_LEAVING

/* For each state in its order (init, fault, backup, master, leaving): the next one and the orders. TIMER comes when the
 * deadline does. */
static void
test_every_row(void **state)
{
	static const struct {
		enum vrrp_event_kind kind;
		struct {
			enum vrrp_state next;
			const char *orders;
		} want[VRRP_STATES];
	} rows[] = {
		{ VRRP_EV_START, { { B, "" }, { F, "" }, { B, "" }, { M, "" }, { L, "" } } },
		{ VRRP_EV_STOP, { { I, "" }, { I, "" }, { I, "" }, { I, "a0 -" }, { I, "-" } } },
		{ VRRP_EV_TIMER,
		    { { I, "" }, { F, "" }, { M, "a100 +!" }, { M, "!" }, { I, "-" } } },
		{ VRRP_EV_DOWN, { { I, "" }, { F, "" }, { F, "" }, { F, "a0 -" }, { I, "-" } } },
		{ VRRP_EV_UP, { { I, "" }, { B, "" }, { B, "" }, { M, "" }, { L, "" } } },
		{ VRRP_EV_HOLD, { { I, "" }, { F, "" }, { F, "" }, { F, "a0 -" }, { I, "-" } } },
		{ VRRP_EV_RELEASE, { { I, "" }, { F, "" }, { B, "" }, { M, "" }, { L, "" } } },
		{ VRRP_EV_TAKE, { { I, "" }, { F, "" }, { M, "a100 +!" }, { M, "" }, { L, "" } } },
		{ VRRP_EV_YIELD, { { I, "" }, { F, "" }, { B, "" }, { B, "a0 -" }, { I, "-" } } },
		{ VRRP_EV_WEIGHT, { { I, "" }, { F, "" }, { B, "" }, { M, "a100" }, { L, "" } } },
		{ VRRP_EV_ZERO, { { I, "" }, { F, "" }, { B, "" }, { M, "a100" }, { L, "" } } },
		{ VRRP_EV_LESS, { { I, "" }, { F, "" }, { B, "" }, { M, "a100 !" }, { I, "-" } } },
		{ VRRP_EV_TIE_LESS,
		    { { I, "" }, { F, "" }, { B, "" }, { M, "a100 !" }, { I, "-" } } },
		{ VRRP_EV_TIE_MORE,
		    { { I, "" }, { F, "" }, { B, "" }, { B, "a100- -" }, { I, "-" } } },
		{ VRRP_EV_MORE, { { I, "" }, { F, "" }, { B, "" }, { B, "a100- -" }, { I, "-" } } },
	};

	(void)state;
	assert_int_equal(sizeof(rows) / sizeof(rows[0]), VRRP_EVENTS);
	for (unsigned i = 0; i < VRRP_EVENTS; i++)
		for (enum vrrp_state s = 0; s < VRRP_STATES; s++) {
			enum vrrp_event_kind k = rows[i].kind;

			to_state(s);
			assert_non_null(vrrp_rule(s, k));
			feed(k, v.deadline == VRRP_NEVER ? NOW + DUR_S(5) : v.deadline);
			if (v.state != rows[i].want[s].next ||
			    strcmp(orders(), rows[i].want[s].orders) != 0)
				fail_msg("%s, event %u: %s \"%s\"", vrrp_state_name(s), k,
				    vrrp_state_name(v.state), orders());
			assert_int_equal(out.changed, v.state != s);
		}
}

/* RFC 9568 section 6.1: skew and down interval in the master's intervals; RFC 3768: skew of a second. */
static void
test_timers(void **state)
{
	static const struct {
		unsigned version, priority;
		dur_t own, heard, skew, down;
	} rows[] = {
		{ 3, 100, DUR_S(1), DUR_S(1), 609375, 3609375 },
		{ 3, 254, DUR_S(1), DUR_MS(10), 78, 30078 },
		{ 3, 1, DUR_MS(10), DUR_MS(40950), 40790039, 163640039 },
		{ 2, 100, DUR_S(5), DUR_S(5), 609375, 15609375 },
		{ 2, 1, DUR_S(1), DUR_S(1), 996093, 3996093 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fresh();
		conf.version = (uint8_t)rows[i].version;
		conf.priority = (uint8_t)rows[i].priority;
		conf.interval = rows[i].own;
		event(VRRP_EV_START, NOW);
		vrrp_advert(&v, 0, &packet);
		packet.interval = rows[i].heard;
		assert_int_equal(hear("10.0.0.1", 255, NOW), VRRP_GOOD);
		assert_int_equal(vrrp_skew(&v), rows[i].skew);
		assert_int_equal(vrrp_down_interval(&v), rows[i].down);
		assert_int_equal(v.deadline, NOW + rows[i].down);
		assert_int_equal(hear("10.0.0.1", 0, NOW + 5), VRRP_GOOD);
		assert_int_equal(v.deadline, NOW + 5 + rows[i].skew);
	}
	fresh();
	conf.down_adverts = 10;
	event(VRRP_EV_START, NOW);
	assert_int_equal(v.deadline, NOW + DUR_S(10) + 609375);
}

static void
test_owner(void **state)
{
	(void)state;
	fresh();
	conf.priority = VRRP_OWNER;
	conf.preempt = false;
	event(VRRP_EV_START, NOW);
	assert_string_equal(orders(), "a255 +!");
	assert_int_equal(v.deadline, NOW + DUR_MS(50));
	weight(-100, NOW);
	assert_string_equal(orders(), "a255");
	/* RFC 9568 section 6.1: it preempts although that is switched off. */
	to_state(VRRP_BACKUP);
	conf.priority = VRRP_OWNER;
	conf.preempt = false;
	event(VRRP_EV_TIMER, v.deadline - 1);
	assert_int_equal(v.state, VRRP_BACKUP);
	(void)hear("10.0.0.1", 254, NOW + DUR_S(1));
	assert_int_equal(v.deadline, NOW + DUR_S(3) + 609375);
}

static void
test_preempt(void **state)
{
	mono_t before;

	(void)state;
	to_state(VRRP_BACKUP);
	before = v.deadline;
	(void)hear("10.0.0.1", 99, NOW + DUR_S(2));
	assert_int_equal(v.deadline, before);
	conf.preempt = false;
	(void)hear("10.0.0.1", 99, NOW + DUR_S(2));
	assert_int_equal(v.deadline, NOW + DUR_S(5) + 609375);
	/* With a delay the lower master is followed until it is over. */
	to_state(VRRP_BACKUP);
	conf.preempt_delay = DUR_S(10);
	for (unsigned s = 0; s < 10; s++)
		(void)hear("10.0.0.1", 99, NOW + DUR_S(s));
	assert_int_equal(v.deadline, NOW + DUR_S(12) + 609375);
	(void)hear("10.0.0.1", 99, NOW + DUR_S(10));
	assert_int_equal(v.deadline, NOW + DUR_S(12) + 609375);
	/* A better one in between: it begins again. */
	(void)hear("10.0.0.1", 101, NOW + DUR_S(11));
	(void)hear("10.0.0.1", 99, NOW + DUR_S(12));
	assert_int_equal(v.deadline, NOW + DUR_S(15) + 609375);
}

static void
test_startup_delay(void **state)
{
	(void)state;
	fresh();
	conf.startup_delay = DUR_S(20);
	event(VRRP_EV_START, NOW);
	assert_int_equal(v.state, VRRP_BACKUP);
	assert_int_equal(v.deadline, NOW + DUR_S(20));
	vrrp_advert(&v, 0, &packet);
	(void)hear("10.0.0.1", 99, NOW + DUR_S(18)); /* does not preempt yet */
	assert_int_equal(v.deadline, NOW + DUR_S(21) + 609375);
	(void)hear("10.0.0.1", 0, NOW + DUR_S(19));
	assert_int_equal(v.deadline, NOW + DUR_S(20));
	event(VRRP_EV_TIMER, NOW + DUR_S(20));
	assert_int_equal(v.state, VRRP_MASTER);
	fresh();
	conf.startup_delay = DUR_S(20);
	conf.priority = VRRP_OWNER;
	event(VRRP_EV_START, NOW);
	assert_int_equal(v.deadline, NOW + DUR_S(20));
}

static void
test_weights(void **state)
{
	static const struct {
		int priority, weight, want;
	} rows[] = { { 100, 10, 110 }, { 100, -99, 1 }, { 100, -500, 1 }, { 200, 100, 254 },
		{ 255, -10, 255 } };
	dur_t before;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fresh();
		conf.priority = (uint8_t)rows[i].priority;
		weight(rows[i].weight, NOW);
		assert_int_equal(vrrp_priority(&v), rows[i].want);
	}
	to_state(VRRP_BACKUP);
	before = v.deadline;
	weight(100, NOW + 1);
	assert_int_equal(v.deadline, before - 390625);
	to_state(VRRP_MASTER);
	weight(-50, NOW + DUR_S(4));
	assert_string_equal(orders(), "a50");
	assert_int_equal(v.advert_at, NOW + DUR_S(5));
	(void)hear("10.0.0.1", 60, NOW + DUR_S(4));
	assert_int_equal(v.state, VRRP_BACKUP);
}

static void
test_master_works(void **state)
{
	mono_t took;
	unsigned adverts = 0, announcements = 1;

	(void)state;
	to_state(VRRP_MASTER);
	took = v.advert_at - DUR_S(1);
	while (v.deadline <= took + DUR_S(62)) {
		event(VRRP_EV_TIMER, v.deadline);
		adverts += out.n;
		announcements += out.announce;
		if (out.n > 0)
			assert_int_equal(v.advert_at % DUR_S(1), took % DUR_S(1));
	}
	assert_int_equal(adverts, 62);
	assert_int_equal(announcements, 3 + 2); /* at once, 50 ms, 1 s; 31 s, 61 s */
	assert_int_equal(v.counts.sent, 63);
}

/* Answers are no amplifier: at most one in VRRP_ANSWER_GAP, and one by the timer; but none is forgotten. */
static void
test_answers_are_bounded(void **state)
{
	unsigned answers = 0, by_timer = 0;
	mono_t t = NOW + DUR_S(4);

	(void)state;
	to_state(VRRP_MASTER);
	for (unsigned us = 0; us < 100000; us += 100) {
		(void)hear("10.0.0.1", us % 200 ? 99 : 0, t + us);
		answers += out.n;
		if (v.deadline <= t + us) {
			event(VRRP_EV_TIMER, t + us);
			by_timer += out.n;
		}
	}
	assert_int_equal(answers, 10);
	assert_true(by_timer <= 10);
	to_state(VRRP_MASTER);
	(void)hear("10.0.0.1", 0, t);
	assert_string_equal(orders(), "a100");
	(void)hear("10.0.0.1", 99, t + DUR_MS(1));
	assert_string_equal(orders(), "");
	assert_int_equal(v.deadline, t + VRRP_ANSWER_GAP);
	event(VRRP_EV_TIMER, v.deadline);
	assert_string_equal(orders(), "a100 !");
	assert_int_equal(v.deadline, t + VRRP_ANSWER_GAP + DUR_MS(50));
}

static void
test_stalls(void **state)
{
	mono_t due;

	(void)state;
	to_state(VRRP_BACKUP);
	due = v.deadline;
	event(VRRP_EV_TIMER, due + DUR_S(60));
	assert_int_equal(v.state, VRRP_BACKUP);
	assert_int_equal(v.deadline, due + DUR_S(61));
	event(VRRP_EV_TIMER, due + DUR_S(61));
	assert_int_equal(v.state, VRRP_MASTER);
	event(VRRP_EV_TIMER, v.deadline);
	event(VRRP_EV_TIMER, v.advert_at + DUR_S(60));
	assert_string_equal(orders(), "a100 !");
	assert_int_equal(v.counts.stalls, 2);
}

static void
test_linger(void **state)
{
	(void)state;
	to_state(VRRP_MASTER);
	conf.linger = true;
	event(VRRP_EV_STOP, NOW + DUR_S(4));
	assert_string_equal(orders(), "a0");
	assert_int_equal(v.state, VRRP_LEAVING);
	assert_int_equal(v.deadline, NOW + DUR_S(5));
	(void)hear("10.0.0.1", 1, NOW + DUR_S(4) + 600000);
	assert_string_equal(orders(), "-");
	assert_int_equal(v.state, VRRP_INIT);
	assert_int_equal(v.deadline, VRRP_NEVER);
}

static void
test_checksum_follows_the_peer(void **state)
{
	(void)state;
	to_state(VRRP_BACKUP);
	assert_int_equal(v.sum, VRRP_SUM_PSEUDO);
	packet.sum = VRRP_SUM_PLAIN;
	(void)hear("10.0.0.1", 120, NOW);
	assert_int_equal(v.sum, VRRP_SUM_PLAIN);
	assert_int_equal(v.counts.adapted, 1);
	packet.sum = VRRP_SUM_PSEUDO;
	(void)hear("10.0.0.1", 120, NOW);
	assert_int_equal(v.sum, VRRP_SUM_PSEUDO);
	conf.sum = VRRP_SUM_USE_PSEUDO;
	packet.sum = VRRP_SUM_PLAIN;
	(void)hear("10.0.0.1", 120, NOW);
	assert_int_equal(v.sum, VRRP_SUM_PSEUDO);
	conf.sum = VRRP_SUM_USE_PLAIN;
	vrrp_init(&v, &conf, &v.self);
	assert_int_equal(v.sum, VRRP_SUM_PLAIN);
}

static void
test_admit(void **state)
{
	struct vrrp_packet p;
	struct vrrp_ip ip;
	enum vrrp_bad bad = VRRP_GOOD;

	(void)state;
	for (unsigned i = 0; i <= 18; i++) {
		to_state(VRRP_BACKUP);
		ip = from("10.0.0.1");
		if (i >= 11) {
			conf.version = 2;
			conf.auth_type = VRRP_AUTH_PASS;
			memcpy(conf.auth, "secret", 6);
		} else if (i >= 6) {
			conf.way = VRRP_UNICAST;
			conf.peers = 1;
			conf.peer[0] = host("10.0.0.1");
			ip.dst = v.self;
		}
		vrrp_advert(&v, 100, &p);
		bad = VRRP_GOOD;
		switch (i) {
		case 0: break;
		case 1:
			p.vrid = 52;
			bad = VRRP_BAD_VRID;
			break;
		case 2:
			p.version = 2;
			bad = VRRP_BAD_OTHER_VERSION;
			break;
		case 3:
			ip.src = v.self;
			bad = VRRP_BAD_OWN;
			break;
		case 4: /* unicast to an instance of multicast */
			ip.dst = v.self;
			bad = VRRP_BAD_SOURCE;
			break;
		case 5: /* the order does not count */
			p.addr[0] = conf.addr[1];
			p.addr[1] = conf.addr[0];
			break;
		case 6: break;
		case 7:
			ip.src = host("10.0.0.9");
			bad = VRRP_BAD_SOURCE;
			break;
		case 8:
			ip.dst = vrrp_group4;
			bad = VRRP_BAD_SOURCE;
			break;
		case 9:
			ip.src = host("10.0.0.9");
			conf.any_source = true;
			break;
		case 10:
			p.addr[1] = p.addr[0];
			bad = VRRP_BAD_ADDRS;
			break;
		case 11: break;
		case 12:
			p.auth[0] = 'S';
			bad = VRRP_BAD_AUTH;
			break;
		case 13:
			p.auth_type = VRRP_AUTH_NONE;
			bad = VRRP_BAD_AUTH;
			break;
		case 14:
			p.interval = DUR_S(2);
			bad = VRRP_BAD_OTHER_INTERVAL;
			break;
		case 15:
			p.n = 1;
			bad = VRRP_BAD_ADDRS;
			break;
		case 16: /* RFC 3768 section 7.1 */
			p.n = 1;
			p.priority = VRRP_OWNER;
			break;
		case 17:
			p.n = 1;
			conf.any_addrs = true;
			break;
		default: /* broadcast is as good as the group */ ip.dst = host("255.255.255.255");
		}
		if (vrrp_admit(&v, &p, &ip) != bad)
			fail_msg("case %u: not %s", i, vrrp_bad_name(bad));
		assert_int_equal(v.counts.received, bad == VRRP_GOOD);
		assert_int_equal(v.counts.bad[bad], bad != VRRP_GOOD);
	}
}

/* A process that was started again soon enough, and other settings for one that goes on. */
static void
test_resume_and_set(void **state)
{
	struct vrrp_conf other;
	struct addr self = host("10.0.0.3");

	(void)state;
	to_state(VRRP_INIT);
	vrrp_resume(&v, NOW, &out);
	assert_int_equal(v.state, VRRP_MASTER);
	assert_string_equal(orders(), "a100 +!");
	assert_true(out.changed && v.deadline == NOW + DUR_MS(50)); /* announces again */
	other = conf;
	other.priority = 90;
	other.sum = VRRP_SUM_USE_PLAIN;
	vrrp_conf_set(&v, &other, &self);
	assert_int_equal(v.state, VRRP_MASTER);
	assert_true(v.sum == VRRP_SUM_PLAIN && addr_same_host(&v.master, &self));
	event(VRRP_EV_TIMER, v.advert_at);
	assert_int_equal(out.advert[0].priority, 90);
	v.sum = VRRP_SUM_PSEUDO; /* as if learned: the same setting does not forget it */
	vrrp_conf_set(&v, &other, &self);
	assert_int_equal(v.sum, VRRP_SUM_PSEUDO);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_preempt),
		cmocka_unit_test(test_startup_delay),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_master_works),
		cmocka_unit_test(test_answers_are_bounded),
		cmocka_unit_test(test_stalls),
		cmocka_unit_test(test_linger),
		cmocka_unit_test(test_checksum_follows_the_peer),
		cmocka_unit_test(test_admit),
		cmocka_unit_test(test_resume_and_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
