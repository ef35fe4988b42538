/* Ping nodes: rise and fall in virtual time, answers that are none, the packets' bytes; and sockets in a namespace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ha/core/ping_socket.h"

#include "base/must.h"
#include "tests/unit/sandbox.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T0 DUR_S(100)

static struct addr
addr(const char *text)
{
	struct addr a;

	if (addr_parse(text, ADDR_HOST, &a) != 0)
		abort();
	return a;
}

static struct ping_conf
conf(const char *text)
{
	return (
	    struct ping_conf){ .addr = addr(text), .interval = DUR_MS(100), .rise = 2, .fall = 3 };
}

/* The echo of a question. */
static void
reply(const uint8_t q[PING_LEN], uint8_t out[PING_LEN])
{
	memcpy(out, q, PING_LEN);
	out[0] = q[0] == 8 ? 0 : 129;
}

static void
test_ping_rise_fall(void **state)
{
	static const struct {
		bool answered, reachable;
	} rows[] = {
		{ true, false },
		{ false, false },
		{ true, false },
		{ true, true }, /* two in a row */
		{ false, true },
		{ false, true },
		{ true, true },
		{ false, true },
		{ false, true },
		{ false, false }, /* three in a row */
		{ false, false },
		{ true, false },
		{ true, true },
	};
	const struct ping_conf c = conf("192.0.2.1");
	const struct addr from = addr("192.0.2.1");
	struct ping p;
	uint8_t q[PING_LEN], a[PING_LEN];

	(void)state;
	ping_init(&p, 77);
	assert_true(ping_deadline(&p) == PING_NEVER);
	ping_set(&p, 3, &c, T0);
	assert_int_equal(ping_count(&p), 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mono_t now = T0 + DUR_MS(100) * (mono_t)i;

		assert_true(ping_deadline(&p) == now);
		assert_int_equal(ping_due(&p, now - 1), -1);
		assert_int_equal(ping_due(&p, now), 3);
		/* a miss counts when the next is due: so the row before shows here */
		assert_int_equal(ping_reachable(&p), i > 0 && rows[i - 1].reachable ? 8 : 0);
		ping_packet(&p, 3, q);
		ping_sent(&p, 3, now, 0);
		assert_int_equal(ping_due(&p, now), -1);
		reply(q, a);
		if (rows[i].answered) {
			assert_int_equal(ping_answer(&p, a, sizeof(a), &from, now + DUR_MS(99)), 3);
			assert_int_equal(ping_reachable(&p), rows[i].reachable ? 8 : 0);
			assert_int_equal(p.target[3].rtt, DUR_MS(99));
		}
	}
	assert_int_equal(p.target[3].sent, ARRAY_LEN(rows));
	ping_set(&p, 3, NULL, T0);
	assert_int_equal(ping_count(&p), 0);
	assert_int_equal(ping_reachable(&p), 0);
}

static void
test_ping_no_answer(void **state)
{
	static const struct {
		unsigned at;
		uint8_t to;
		size_t len;
		const char *from;
		dur_t after;
		int want;
	} rows[] = {
		{ 0, 0, PING_LEN, "192.0.2.1", DUR_MS(99), 0 },
		{ 0, 8, PING_LEN, "192.0.2.1", 1, -1 },	  /* the question itself */
		{ 0, 129, PING_LEN, "192.0.2.1", 1, -1 }, /* of the other family */
		{ 1, 1, PING_LEN, "192.0.2.1", 1, -1 },
		{ 8, 0, PING_LEN, "192.0.2.1", 1, -1 },	   /* not ours */
		{ 19, 1, PING_LEN, "192.0.2.1", 1, -1 },   /* a wrong cookie */
		{ 23, 1, PING_LEN, "192.0.2.1", 1, -1 },   /* of another target */
		{ 20, 200, PING_LEN, "192.0.2.1", 1, -1 }, /* of none */
		{ 27, 9, PING_LEN, "192.0.2.1", 1, -1 },   /* another number */
		{ 0, 0, 27, "192.0.2.1", 1, -1 },	   /* cut */
		{ 0, 0, 0, "192.0.2.1", 1, -1 },
		{ 0, 0, PING_LEN, "192.0.2.2", 1, -1 },		  /* from somebody else */
		{ 0, 0, PING_LEN, "192.0.2.1", DUR_MS(100), -1 }, /* too late */
	};
	const struct ping_conf c = conf("192.0.2.1"), other = conf("192.0.2.9");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct addr from = addr(rows[i].from);
		uint8_t q[PING_LEN], a[PING_LEN];
		struct ping p;

		ping_init(&p, 77);
		ping_set(&p, 0, &c, T0);
		ping_set(&p, 1, &other, T0);
		ping_packet(&p, 0, q);
		ping_sent(&p, 0, T0, 0);
		reply(q, a);
		a[rows[i].at] = rows[i].to;
		assert_int_equal(
		    ping_answer(&p, a, rows[i].len, &from, T0 + rows[i].after), rows[i].want);
		if (rows[i].want == 0) /* once */
			assert_int_equal(ping_answer(&p, a, rows[i].len, &from, T0 + 1), -1);
	}
}

static void
test_ping_bytes(void **state)
{
	const struct ping_conf four = conf("192.0.2.1"), six = conf("2001:db8::1");
	uint8_t q[PING_LEN];
	struct ping p;
	uint32_t s = 0;

	(void)state;
	ping_init(&p, 0x1122334455667788);
	ping_set(&p, 0, &four, T0);
	ping_set(&p, 5, &six, T0);
	ping_packet(&p, 0, q);
	assert_memory_equal(q, "\x08\0", 2);
	assert_memory_equal(
	    q + 4, "\x77\x88\0\x01lbdp\x11\x22\x33\x44\x55\x66\x77\x88\0\0\0\0\0\0\0\x01", 24);
	for (unsigned i = 0; i < PING_LEN; i += 2)
		s += (uint32_t)q[i] << 8 | q[i + 1];
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	assert_int_equal(s, 0xffff);
	ping_packet(&p, 5, q);
	assert_memory_equal(q, "\x80\0\0\0", 4);
	assert_int_equal(q[23], 5);
}

static void
test_ping_set(void **state)
{
	struct ping_conf c = conf("192.0.2.1");
	struct ping p;

	(void)state;
	ping_init(&p, 1);
	ping_set(&p, 0, &c, T0);
	p.target[0].reachable = true;
	c.rise = c.fall = 0;
	c.interval = 0;
	ping_set(&p, 0, &c, T0 + 5); /* the same address goes on */
	assert_true(p.target[0].reachable);
	assert_true(p.target[0].next == T0);
	assert_true(p.target[0].conf.interval == DUR_MS(10) && p.target[0].conf.rise == 1 &&
		    p.target[0].conf.fall == 1);
	c = conf("192.0.2.2");
	ping_set(&p, 0, &c, T0 + 9);
	assert_false(p.target[0].reachable);
	assert_true(p.target[0].next == T0 + 9);
}

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			(void)fprintf(stderr, "line %d: %s (errno %d)\n", __LINE__, #cond, errno); \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

/* Of three targets two answer, on lo; the third is nowhere. */
static int
ask_around(bool raw)
{
	static const char *const targets[] = { "127.0.0.1", "::1", "192.0.2.1" };
	struct ping_socket s;
	struct ping p;
	mono_t start = mono_now(), now = start;

	CHECK(ping_socket_open(&s, NULL) == 0);
	ping_init(&p, 0x123456789abcdef);
	for (unsigned i = 0; i < 3; i++) {
		struct ping_conf c = conf(targets[i]);

		c.interval = DUR_MS(20);
		if (i == 1)
			(void)snprintf(c.ifname, sizeof(c.ifname), "lo");
		ping_set(&p, i, &c, now);
	}
	while (now < start + DUR_S(5) && ping_reachable(&p) != 3) {
		struct pollfd fd[] = { { .fd = s.fd[0], .events = POLLIN },
			{ .fd = s.fd[1], .events = POLLIN } };

		ping_socket_send(&s, &p, now);
		(void)poll(fd, 2, 2);
		now = mono_now();
		(void)ping_socket_read(&s, &p, now);
	}
	CHECK(ping_reachable(&p) == 3);
	CHECK(p.target[2].fault == -ENETUNREACH);
	CHECK(p.target[0].rtt > 0 && p.target[0].rtt < DUR_MS(20));
	CHECK(s.raw[0] == raw && s.raw[1] == raw);
	ping_socket_close(&s);
	return 0;
}

static int
with_raw(void)
{
	sandbox_write("/proc/sys/net/ipv4/ping_group_range", "1 0");
	return ask_around(true);
}

static int
with_ping(void)
{
	sandbox_write("/proc/sys/net/ipv4/ping_group_range", "0 0");
	return ask_around(false);
}

static void
test_ping_sockets(void **state)
{
	int (*const ways[])(void) = { with_raw, with_ping };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		int status;

		(void)fflush(NULL);
		status = sandbox_run(ways[i]);
		if (status == SANDBOX_NONE)
			skip();
		assert_int_equal(status, 0);
	}
}

/* While the lease hangs on answers they are asked for sooner; not of one that is far away. */
static void
test_ping_hurry(void **state)
{
	const struct ping_conf c = conf("192.0.2.1");
	const struct addr from = addr("192.0.2.1");
	uint8_t q[PING_LEN], a[PING_LEN];
	struct ping p;

	(void)state;
	for (int far = 0; far < 2; far++) {
		ping_init(&p, 77);
		ping_set(&p, 0, &c, T0);
		assert_int_equal(ping_due(&p, T0), 0);
		ping_packet(&p, 0, q);
		ping_sent(&p, 0, T0, 0);
		reply(q, a);
		assert_int_equal(
		    ping_answer(&p, a, sizeof(a), &from, T0 + (far ? DUR_MS(15) : DUR_MS(1))), 0);
		assert_true(ping_deadline(&p) == T0 + DUR_MS(100));
		ping_hurry(&p, DUR_MS(20));
		assert_true(ping_deadline(&p) == T0 + (far ? DUR_MS(100) : DUR_MS(20)));
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ping_rise_fall),
		cmocka_unit_test(test_ping_no_answer),
		cmocka_unit_test(test_ping_bytes),
		cmocka_unit_test(test_ping_set),
		cmocka_unit_test(test_ping_hurry),
		cmocka_unit_test(test_ping_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
