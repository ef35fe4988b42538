/* Control packets through the kernel, on the loopback of a network namespace of the test's own, without any capability. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sandbox.h"

#include "bfd/bfd_sock.h"

#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

static const uint8_t bytes[BFD_BYTES] = { 0x20, 0x40, 3, 24, 0, 0, 0, 1 };

static struct addr
host(const char *text)
{
	struct addr a;

	if (addr_parse(text, ADDR_HOST, &a) != 0)
		abort();
	return a;
}

static bool
drop_capabilities(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	return syscall(SYS_capset, &h, none) == 0;
}

static unsigned
port_of(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr a;
	uint16_t port = 0;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0 ||
	    addr_from_sockaddr((struct sockaddr *)&ss, &a, &port) != 0)
		return 0;
	return port;
}

/* One packet of n bytes and that TTL is there, and nothing else. */
static bool
arrives(int rx, const struct addr *from, size_t n, unsigned ttl)
{
	struct pollfd p = { .fd = rx, .events = POLLIN };
	struct bfd_frame f;

	return poll(&p, 1, 2000) == 1 && bfd_sock_receive(rx, &f) == 1 && f.n == n &&
	       memcmp(f.bytes, bytes, n < sizeof(bytes) ? n : sizeof(bytes)) == 0 && f.ttl == ttl &&
	       f.ifindex == 1 && addr_same_host(&f.src, from) && bfd_sock_receive(rx, &f) == 0;
}

/* What strangers send, of any length and with the TTL of others. */
static bool
strange(uint8_t family, const struct addr *to, size_t n)
{
	uint8_t long_one[100] = { 0 };
	struct sockaddr_storage ss;
	int fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
	socklen_t len = addr_sockaddr(to, BFD_PORT, &ss);
	bool sent;

	memcpy(long_one, bytes, sizeof(bytes));
	sent = sendto(fd, long_one, n, 0, (struct sockaddr *)&ss, len) == (ssize_t)n;
	(void)close(fd);
	return sent;
}

static int
there(uint8_t family, const char *address, const char *away)
{
	const struct addr a = host(address), far = host(away);
	int rx = bfd_sock_listen(family), tx = bfd_sock_open(family, 7),
	    other = bfd_sock_open(family, 7);

	if (rx < 0 || tx < 0 || other < 0 || bfd_sock_listen(family) != -EADDRINUSE)
		return 1;
	if (port_of(tx) != BFD_SOURCE_LEAST + 7 || port_of(other) != BFD_SOURCE_LEAST + 8)
		return 2;
	if (bfd_sock_send(tx, &a, "", bytes) != 0 || !arrives(rx, &a, BFD_BYTES, BFD_TTL))
		return 3;
	if (bfd_sock_send(tx, &a, "lo", bytes) != 0 || !arrives(rx, &a, BFD_BYTES, BFD_TTL))
		return 4;
	if (bfd_sock_send(tx, &a, "nothing0", bytes) != -ENODEV ||
	    bfd_sock_send(tx, &far, "", bytes) != -ENETUNREACH)
		return 5;
	if (!strange(family, &a, 1) || !arrives(rx, &a, 1, 64) || !strange(family, &a, 100) ||
	    !arrives(rx, &a, 64, 64))
		return 6;
	(void)close(rx);
	(void)close(tx);
	(void)close(other);
	tx = bfd_sock_open(family, UINT32_MAX); /* the last port is one too */
	return tx >= 0 && port_of(tx) >= BFD_SOURCE_LEAST && close(tx) == 0 ? 0 : 7;
}

static int
both(void)
{
	int rc;

	if (!drop_capabilities())
		return 30;
	rc = there(4, "127.0.0.1", "10.7.7.7");
	return rc != 0 ? rc : there(6, "::1", "fd00:7::7") == 0 ? 0 : 10;
}

static void
test_send_and_receive(void **state)
{
	int rc = sandbox_run(both);

	(void)state;
	if (rc == SANDBOX_NONE)
		skip();
	assert_int_equal(rc, 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_send_and_receive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
