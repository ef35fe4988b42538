/* Carriers that really send: UDP over loopback and in a namespace (groups, IPv6, bound to an interface), and a serial line
 * that is a pair of pseudo terminals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ha/core/carrier_serial.h"
#include "lbd-ha/core/carrier_udp.h"

#include "sys/netlink.h"
#include "tests/unit/sandbox.h"

#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#define PORT 17848

static struct addr
addr(const char *text)
{
	struct addr a;

	if (addr_parse(text, ADDR_HOST, &a) != 0)
		abort();
	return a;
}

/* What came, one after the other. */
struct inbox {
	unsigned n, strangers;
	struct carrier_in last;
	char text[BEAT_MAX + 1];
};

static void
on_in(void *arg, const struct carrier_in *in)
{
	struct inbox *b = arg;

	b->strangers += in->stranger;
	if (in->stranger)
		return;
	b->n++;
	b->last = *in;
	memcpy(b->text, in->bytes, in->len);
	b->text[in->len] = '\0';
}

static bool
readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 200) == 1;
}

static void
pass_ms(int ms)
{
	(void)poll(NULL, 0, ms);
}

/* One datagram between two; false when anything differs. The kernel drops what is sent to an address of IPv6 that was
 * added a moment ago. */
static bool
pass(struct carrier_udp *from, struct carrier_udp *to, const char *text)
{
	struct inbox box = { 0 };
	mono_t before = 0;
	int rc = 0;

	for (int i = 0; i < 20 && rc == 0; i++) {
		before = mono_now();
		if (carrier_udp_send(from, text, strlen(text)) == 0 && readable(to->fd))
			rc = carrier_udp_read(to, on_in, &box);
	}
	return rc == 1 && box.n == 1 && strcmp(box.text, text) == 0 && box.last.at >= before - 20 &&
	       box.last.at <= mono_now();
}

static struct carrier_udp a, b, c;

/* When it came, not when it is read. The kernel begins to stamp some time after it was asked to. */
static bool
stamped(void)
{
	for (int i = 0; i < 40; i++) {
		struct inbox box = { 0 };
		mono_t sent = mono_now();

		(void)carrier_udp_send(&a, "late", 4);
		pass_ms(60);
		if (carrier_udp_read(&b, on_in, &box) != 1 || box.last.at < sent - 20)
			return false;
		if (box.last.at - sent < DUR_MS(30))
			return true;
	}
	return false;
}

static void
test_udp_loopback(void **state)
{
	struct carrier_udp_conf conf = {
		.local = addr("127.0.0.1"), .peer = addr("127.0.0.2"), .port = PORT
	};
	struct err err = { 0 };
	struct inbox box = { 0 };
	int value;
	socklen_t len = sizeof(value);

	(void)state;
	assert_int_equal(carrier_udp_open(&a, &conf, &err), 0);
	conf.local = addr("127.0.0.2");
	conf.peer = addr("127.0.0.1");
	assert_int_equal(carrier_udp_open(&b, &conf, &err), 0);
	assert_true(pass(&a, &b, "one"));
	assert_true(pass(&b, &a, "two"));
	assert_int_equal(carrier_udp_read(&a, on_in, &box), 0);
	assert_int_equal(getsockopt(a.fd, IPPROTO_IP, IP_TOS, &value, &len), 0);
	assert_int_equal(value, 0xc0);
	assert_int_equal(getsockopt(a.fd, SOL_SOCKET, SO_PRIORITY, &value, &len), 0);
	assert_true(value >= 6);
	assert_true(stamped());
	/* more than a batch */
	for (unsigned i = 0; i < CARRIER_BATCH + 3; i++)
		assert_int_equal(carrier_udp_send(&a, "x", 1), 0);
	box.n = 0;
	assert_int_equal(carrier_udp_read(&b, on_in, &box), CARRIER_BATCH);
	assert_int_equal(carrier_udp_read(&b, on_in, &box), 3);
	assert_int_equal(box.n, CARRIER_BATCH + 3);
	carrier_udp_close(&a);
	carrier_udp_close(&b);
}

static void
test_udp_strangers(void **state)
{
	struct carrier_udp_conf conf = {
		.local = addr("127.0.0.2"), .peer = addr("127.0.0.1"), .port = PORT
	};
	uint8_t big[BEAT_MAX + 1] = { 0 };
	struct inbox box = { 0 };

	(void)state;
	assert_int_equal(carrier_udp_open(&b, &conf, NULL), 0);
	conf.local = addr("127.0.0.3");
	conf.peer = addr("127.0.0.2");
	assert_int_equal(carrier_udp_open(&c, &conf, NULL), 0);
	conf.local = addr("127.0.0.1");
	assert_int_equal(carrier_udp_open(&a, &conf, NULL), 0);
	assert_int_equal(carrier_udp_send(&c, "evil", 4), 0);
	assert_int_equal(carrier_udp_send(&a, big, sizeof(big)), 0);
	assert_true(readable(b.fd));
	assert_int_equal(carrier_udp_read(&b, on_in, &box), 2);
	assert_int_equal(box.n, 0);
	assert_int_equal(box.strangers, 1);
	assert_int_equal(b.strangers, 1);
	assert_int_equal(b.cut, 1);
	carrier_udp_close(&c);
	/* nobody listens at c: no error comes back, neither from sending nor from reading */
	conf.local = addr("127.0.0.4");
	conf.peer = addr("127.0.0.3");
	assert_int_equal(carrier_udp_open(&c, &conf, NULL), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(carrier_udp_send(&c, "x", 1), 0);
	assert_int_equal(carrier_udp_read(&c, on_in, &box), 0);
	carrier_udp_close(&a);
	carrier_udp_close(&b);
	carrier_udp_close(&c);
}

static void
test_udp_refused(void **state)
{
	static const struct {
		const char *local, *peer, *group, *ifname;
		int want;
	} rows[] = {
		{ "", "", "", "", -EINVAL },
		{ "127.0.0.1", "::1", "", "", -EINVAL },
		{ "", "fe80::1", "", "", -EINVAL },
		{ "", "", "239.1.1.1", "", -EINVAL },
		{ "", "127.0.0.1", "", "nosuchif", -ENODEV },
		{ "203.0.113.77", "203.0.113.1", "", "", -EADDRNOTAVAIL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct carrier_udp_conf conf = { .local = addr(rows[i].local),
			.peer = addr(rows[i].peer),
			.group = addr(rows[i].group),
			.port = PORT };
		struct err err = { 0 };

		(void)snprintf(conf.ifname, sizeof(conf.ifname), "%s", rows[i].ifname);
		assert_int_equal(carrier_udp_open(&a, &conf, &err), rows[i].want);
		assert_int_equal(a.fd, -1);
		assert_true(err.text[0] != '\0');
	}
}

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			(void)fprintf(stderr, "line %d: %s (errno %d)\n", __LINE__, #cond, errno); \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static void
lo_multicast(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_UP | IFF_MULTICAST };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "lo");
	CHECK(ioctl(fd, SIOCSIFFLAGS, &ifr) == 0);
	(void)close(fd);
}

static void
in_groups(void)
{
	struct carrier_udp_conf conf = { .local = addr("127.0.0.1"),
		.peer = addr("127.0.0.2"),
		.group = addr("239.192.7.8"),
		.port = PORT,
		.ifname = "lo",
		.loop = true };
	struct inbox box = { 0 };

	lo_multicast();
	CHECK(carrier_udp_open(&a, &conf, NULL) == 0);
	conf.local = addr("127.0.0.2");
	conf.peer = addr("127.0.0.1");
	CHECK(carrier_udp_open(&b, &conf, NULL) == 0);
	CHECK(pass(&a, &b, "to all"));
	CHECK(readable(a.fd)); /* its own comes too, and is a stranger's */
	CHECK(carrier_udp_read(&a, on_in, &box) == 1 && box.n == 0 && a.strangers == 1);
	CHECK(pass(&b, &a, "to all again"));
	carrier_udp_close(&a);
	carrier_udp_close(&b);
}

static void
in_six(void)
{
	struct carrier_udp_conf conf = { .local = addr("fd00::1"),
		.peer = addr("fd00::2"),
		.port = PORT,
		.ifname = "lo",
		.hops = 3 };
	struct addr one = addr("fd00::1"), two = addr("fd00::2"), link = addr("fe80::7");
	int value;
	socklen_t len = sizeof(value);

	CHECK(netlink_address_add("lo", &one) == 0);
	CHECK(netlink_address_add("lo", &two) == 0);
	CHECK(netlink_address_add("lo", &link) == 0);
	CHECK(carrier_udp_open(&a, &conf, NULL) == 0);
	CHECK(getsockopt(a.fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &value, &len) == 0 && value == 3);
	CHECK(getsockopt(a.fd, IPPROTO_IPV6, IPV6_TCLASS, &value, &len) == 0 && value == 0xc0);
	conf.local = addr("fd00::2");
	conf.peer = addr("fd00::1");
	CHECK(carrier_udp_open(&b, &conf, NULL) == 0);
	CHECK(pass(&a, &b, "hello"));
	CHECK(pass(&b, &a, "hello back"));
	conf.local = conf.peer = link;
	CHECK(carrier_udp_open(&c, &conf, NULL) == 0);
	CHECK(pass(&c, &c, "with a scope"));
	/* an interface that is down is an error of sending, and none afterwards */
	{
		struct ifreq ifr = { .ifr_flags = 0 };
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "lo");
		CHECK(ioctl(fd, SIOCSIFFLAGS, &ifr) == 0);
		CHECK(carrier_udp_send(&a, "x", 1) < 0);
		(void)close(fd);
	}
	lo_multicast();
	CHECK(netlink_address_add("lo", &one) == 0);
	CHECK(netlink_address_add("lo", &two) == 0);
	CHECK(pass(&a, &b, "again"));
}

/* Two ports of one cable: a group of IPv6, and the addresses of the link itself. */
static void
in_cable(void)
{
	struct carrier_udp_conf conf = {
		.group = addr("ff15::7:8"), .port = PORT, .ifname = "hb0"
	};
	struct addr one = addr("fe80::1"), two = addr("fe80::2");

	if (system("ip link add hb0 type veth peer name hb1 && ip link set hb0 up && ip link set "
		   "hb1 up") != 0)
		_exit(SANDBOX_NONE);
	CHECK(netlink_address_add("hb0", &one) == 0);
	CHECK(netlink_address_add("hb1", &two) == 0);
	CHECK(carrier_udp_open(&a, &conf, NULL) == 0);
	(void)snprintf(conf.ifname, sizeof(conf.ifname), "hb1");
	CHECK(carrier_udp_open(&b, &conf, NULL) == 0);
	CHECK(pass(&a, &b, "to all of six"));
	CHECK(pass(&b, &a, "and back"));
	carrier_udp_close(&a);
	carrier_udp_close(&b);
}

static void
sandboxed(void (*fn)(void))
{
	int status;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (!sandbox_enter())
			_exit(SANDBOX_NONE);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SANDBOX_NONE)
		skip();
	assert_int_equal(status, 0);
}

static void
test_udp_groups(void **state)
{
	(void)state;
	sandboxed(in_groups);
}

static void
test_udp_six(void **state)
{
	(void)state;
	sandboxed(in_six);
}

static void
test_udp_cable(void **state)
{
	(void)state;
	sandboxed(in_cable);
}

static void
read_all(struct carrier_serial *s, struct inbox *box)
{
	int n;

	assert_true(readable(s->fd));
	while ((n = carrier_serial_read(s, on_in, box)) > 0)
		;
	assert_int_equal(n, 0);
}

static void
test_serial(void **state)
{
	static struct carrier_serial s;
	struct inbox box = { 0 };
	struct cobs far = { 0 };
	struct err err = { 0 };
	uint8_t wire[COBS_ROOM(5)], bytes[4096];
	char path[100];
	size_t len, got = 0;
	ssize_t n;
	int master, slave, rc;

	(void)state;
	assert_int_equal(openpty(&master, &slave, path, NULL, NULL), 0);
	assert_int_equal(carrier_serial_open(&s, path, 12345, &err), -EINVAL);
	assert_int_equal(carrier_serial_open(&s, "/dev/null", 115200, &err), -ENOTTY);
	assert_int_equal(carrier_serial_open(&s, path, 115200, &err), 0);
	/* to the other end */
	assert_int_equal(carrier_serial_send(&s, "a\0b\n\x11", 5), 0);
	assert_true(readable(master));
	n = read(master, bytes, sizeof(bytes));
	for (ssize_t i = 0; i < n && got == 0; i++)
		got = cobs_push(&far, bytes[i]);
	assert_int_equal(got, 5);
	assert_memory_equal(far.raw, "a\0b\n\x11", 5);
	/* from it, after noise, in two pieces */
	len = cobs_encode("later", 5, wire);
	assert_int_equal(write(master, "login: \r\n\0\xff\x03", 12), 12);
	assert_int_equal(write(master, wire, 4), 4);
	read_all(&s, &box);
	assert_int_equal(box.n, 0);
	assert_int_equal(write(master, wire + 4, len - 4), (ssize_t)len - 4);
	read_all(&s, &box);
	assert_int_equal(box.n, 1);
	assert_string_equal(box.text, "later");
	assert_true(s.in.garbage > 0);
	/* nobody reads: it says so, and waits for nothing */
	rc = 0;
	for (int i = 0; i < 100000 && rc == 0; i++)
		rc = carrier_serial_send(&s, bytes, 188);
	assert_int_equal(rc, -EAGAIN);
	while (n > 0) {
		struct pollfd p = { .fd = master, .events = POLLIN };

		n = poll(&p, 1, 50) == 1 ? read(master, bytes, sizeof(bytes)) : 0;
	}
	assert_int_equal(carrier_serial_send(&s, "x", 1), 0);
	/* the other end goes */
	(void)close(master);
	assert_int_equal(carrier_serial_read(&s, on_in, &box), -EIO);
	carrier_serial_close(&s);
	(void)close(slave);
	assert_true(carrier_serial_interval(115200) >= DUR_MS(50) &&
		    carrier_serial_interval(115200) < DUR_MS(52));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_udp_loopback),
		cmocka_unit_test(test_udp_strangers),
		cmocka_unit_test(test_udp_refused),
		cmocka_unit_test(test_udp_groups),
		cmocka_unit_test(test_udp_six),
		cmocka_unit_test(test_udp_cable),
		cmocka_unit_test(test_serial),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
