/* What an old and a new lbd-proxy say to each other: there and back, cut short anywhere, and from another version. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "upgrade/handed.h"
#include "upgrade/parcel.h"

static struct rd
reader(const struct buf *b)
{
	return (struct rd){ .p = b->p, .left = b->len };
}

static void
test_hello(void **state)
{
	struct parcel_hello h;
	struct buf b = { 0 };
	struct rd r;

	(void)state;
	parcel_hello(&b);
	r = reader(&b);
	assert_int_equal(parcel_hello_take(&r, &h), 0);
	assert_int_equal(h.version, PARCEL_VERSION);
	assert_string_equal(h.release, LBD_VERSION);
	r = (struct rd){ .p = b.p, .left = 2 };
	assert_int_not_equal(parcel_hello_take(&r, &h), 0);
	b.p[0] = PARCEL_GO;
	r = reader(&b);
	assert_int_not_equal(parcel_hello_take(&r, &h), 0);
	buf_fini(&b);
	/* A release longer than anybody writes is cut. */
	buf_put_be(&b, PARCEL_HELLO, 1);
	buf_put_be(&b, 77, 2);
	for (int i = 0; i < 100; i++)
		buf_puts(&b, "x");
	r = reader(&b);
	assert_int_equal(parcel_hello_take(&r, &h), 0);
	assert_int_equal(h.version, 77);
	assert_int_equal(strlen(h.release), sizeof(h.release) - 1);
	buf_fini(&b);
}

static void
test_sockets(void **state)
{
	const struct addr four = { .family = 4, .len = 32, .b = { 192, 0, 2, 1 } },
			  six = { .family = 6, .len = 128, .b = { 0xfd, [15] = 9 } };
	struct buf b = { 0 };
	struct addr a;
	uint16_t port;
	struct rd r;

	(void)state;
	parcel_socket(&b, &four, 80);
	parcel_socket(&b, &six, 65535);
	r = reader(&b);
	assert_int_equal(rd_be(&r, 1), PARCEL_SOCKETS);
	assert_true(parcel_socket_take(&r, &a, &port));
	assert_true(addr_same_host(&a, &four) && port == 80);
	assert_true(parcel_socket_take(&r, &a, &port));
	assert_true(addr_same_host(&a, &six) && port == 65535);
	assert_false(parcel_socket_take(&r, &a, &port));
	for (size_t cut = 1; cut < b.len; cut++) {
		unsigned n = 0;

		r = (struct rd){ .p = b.p, .left = cut };
		(void)rd_be(&r, 1);
		while (parcel_socket_take(&r, &a, &port))
			n++;
		assert_int_equal(n, (cut - 1) / 19);
	}
	b.p[1] = 5; /* no family */
	r = reader(&b);
	(void)rd_be(&r, 1);
	assert_false(parcel_socket_take(&r, &a, &port));
	buf_fini(&b);
}

static void
test_counts(void **state)
{
	struct parcel_count c = { .id = 7, .since = 123456789012 }, got;
	struct buf b = { 0 };
	struct rd r;

	(void)state;
	c.n.of_service.requests_total = UINT64_MAX;
	c.n.of_service.conns = 3;
	c.times.of[PHASES_TOTAL].count[4] = 99;
	parcel_count(&b, &c);
	r = reader(&b);
	assert_int_equal(parcel_count_take(&r, &got), 0);
	assert_memory_equal(&got, &c, sizeof(c));
	for (size_t cut = 0; cut < 16; cut++) {
		r = (struct rd){ .p = b.p, .left = cut };
		assert_int_not_equal(parcel_count_take(&r, &got), 0);
	}
	buf_fini(&b);
	c = (struct parcel_count){ .server = true, .id = 8 };
	c.n.of_server.cut = 5;
	parcel_count(&b, &c);
	r = reader(&b);
	assert_int_equal(parcel_count_take(&r, &got), 0);
	assert_true(got.server && got.id == 8 && got.n.of_server.cut == 5);
	buf_fini(&b);
}

/* Descriptors arrive as they were sent, with who sent them; an end is an end. */
static void
test_carried(void **state)
{
	uint8_t in[100];
	int pair[2], pipes[2], fds[PARCEL_FDS], pid, on = 1;
	unsigned n;
	char c;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(parcel_send(pair[0], "\x0b!", 2, pipes, 2), 0);
	assert_int_equal(parcel_recv(pair[1], in, sizeof(in), fds, &n, &pid), 2);
	assert_int_equal(n, 2);
	assert_int_equal(pid, getpid());
	assert_int_equal(write(fds[1], "y", 1), 1);
	assert_int_equal(read(pipes[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	assert_int_equal(parcel_recv(pair[1], in, sizeof(in), fds, &n, &pid), -EAGAIN);
	assert_int_equal(n, 0);
	for (unsigned i = 0; i < 2; i++) {
		(void)close(pipes[i]);
		(void)close(fds[i]);
	}
	(void)close(pair[0]);
	assert_int_equal(parcel_recv(pair[1], in, sizeof(in), fds, &n, &pid), 0);
	(void)close(pair[1]);
}

static void
test_handed(void **state)
{
	const struct addr a = { .family = 4, .len = 32, .b = { 192, 0, 2, 1 } },
			  b = { .family = 4, .len = 32, .b = { 192, 0, 2, 2 } };
	static struct handed h, to;
	int one[2], two[2];

	(void)state;
	assert_int_equal(pipe(one), 0);
	assert_int_equal(pipe(two), 0);
	handed_init(&h);
	handed_init(&to);
	assert_false(handed_has(&h, &a, 80));
	handed_put(&h, &a, 80, one[0]);
	handed_put(&h, &a, 80, one[1]);
	handed_put(&h, &b, 80, two[0]);
	handed_put(&h, &a, 81, two[1]);
	handed_move(&to, &h);
	assert_int_equal(handed_take(&h, &a, 80), -1);
	assert_int_equal(handed_take(&to, &a, 80), one[0]);
	assert_int_equal(handed_take(&to, &a, 80), one[1]);
	assert_int_equal(handed_take(&to, &a, 80), -1);
	assert_true(handed_has(&to, &b, 80));
	assert_int_equal(handed_close(&to), 2);
	assert_int_equal(close(two[0]), -1);
	(void)close(one[0]);
	(void)close(one[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_carried),
		cmocka_unit_test(test_handed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
