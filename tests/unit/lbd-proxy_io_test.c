/* What a worker waits on: edges, ends, urgent data, and descriptors that were closed while another process has them. */
#include "lbd-proxy/net/io.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"

struct seen {
	struct io io;
	unsigned times, ready;
	struct seen *closes; /* another one, when this is told */
	struct poller *p;
};

static void
on_edge(struct io *io, unsigned ready)
{
	struct seen *s = container_of(io, struct seen, io);

	s->times++;
	s->ready |= ready;
	if (s->closes != NULL)
		io_close(&s->closes->io, s->p);
}

/* One turn, which does not wait; how many edges the kernel had. */
static unsigned
turn(struct poller *p)
{
	unsigned n = poller_wait(p, 0);

	for (unsigned i = 0; i < n; i++)
		poller_tell(p, &p->ready[i]);
	return n;
}

/* A TCP connection; with_tcp[0] is ours. */
static void
connected(int with_tcp[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(l, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&a, &len), 0);
	with_tcp[1] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(with_tcp[1], (struct sockaddr *)&a, sizeof(a)), 0);
	with_tcp[0] = accept(l, NULL, NULL);
	assert_true(with_tcp[0] >= 0);
	(void)close(l);
}

static void
test_edges(void **state)
{
	struct poller p;
	struct seen s = { .p = &p };
	int fd[2];

	(void)state;
	assert_int_equal(poller_init(&p), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	io_init(&s.io, fd[0]);
	assert_false(io_watched(&s.io));
	assert_int_equal(io_watch(&s.io, &p, on_edge), 0);
	assert_true(io_watched(&s.io));
	assert_int_equal(turn(&p), 1);
	assert_int_equal(s.ready, IO_WRITE);
	assert_int_equal(turn(&p), 0); /* told once */
	assert_int_equal(write(fd[1], "x", 1), 1);
	assert_int_equal(turn(&p), 1);
	assert_int_equal(s.ready & IO_READ, IO_READ);
	assert_int_equal(s.ready & IO_CLOSED, 0);
	(void)close(fd[1]);
	assert_int_equal(turn(&p), 1);
	assert_int_equal(s.ready & IO_CLOSED, IO_CLOSED);
	io_close(&s.io, &p);
	assert_int_equal(io_fd(&s.io), -1);
	poller_fini(&p);
}

static void
test_urgent(void **state)
{
	struct poller p;
	struct seen s = { .p = &p };
	int fd[2];

	(void)state;
	assert_int_equal(poller_init(&p), 0);
	connected(fd);
	io_init(&s.io, fd[0]);
	assert_int_equal(io_watch(&s.io, &p, on_edge), 0);
	(void)turn(&p);
	assert_int_equal(s.ready & IO_URGENT, 0);
	assert_int_equal(send(fd[1], "abc", 3, MSG_OOB), 3);
	(void)close(fd[1]);
	assert_true(turn(&p) > 0);
	assert_int_equal(s.ready & (IO_URGENT | IO_CLOSED), IO_URGENT | IO_CLOSED);
	io_close(&s.io, &p);
	poller_fini(&p);
}

/* A listener tells as long as there is something, and no more when it is not watched. */
static void
test_level(void **state)
{
	struct poller p;
	struct seen s = { .p = &p };
	int fd[2];

	(void)state;
	assert_int_equal(poller_init(&p), 0);
	assert_int_equal(pipe(fd), 0);
	io_init(&s.io, fd[0]);
	assert_int_equal(io_watch_read(&s.io, &p, on_edge), 0);
	assert_int_equal(turn(&p), 0);
	assert_int_equal(write(fd[1], "x", 1), 1);
	assert_int_equal(turn(&p), 1);
	assert_int_equal(turn(&p), 1);
	io_unwatch(&s.io, &p);
	assert_int_equal(turn(&p), 0);
	assert_int_equal(io_watch_read(&s.io, &p, on_edge), 0);
	assert_int_equal(turn(&p), 1);
	assert_int_equal(s.times, 3);
	io_close(&s.io, &p);
	(void)close(fd[1]);
	poller_fini(&p);
}

/* Two are ready, and the first that is told closes the other. */
static void
test_closed_in_its_turn(void **state)
{
	struct poller p;
	struct seen a = { .p = &p }, b = { .p = &p };
	int x[2], y[2];

	(void)state;
	assert_int_equal(poller_init(&p), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, x), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, y), 0);
	io_init(&a.io, x[0]);
	io_init(&b.io, y[0]);
	a.closes = &b;
	b.closes = &a;
	assert_int_equal(io_watch(&a.io, &p, on_edge), 0);
	assert_int_equal(io_watch(&b.io, &p, on_edge), 0);
	assert_int_equal(turn(&p), 2);
	assert_int_equal(a.times + b.times, 1);
	io_close(&a.io, &p);
	io_close(&b.io, &p);
	(void)close(x[1]);
	(void)close(y[1]);
	poller_fini(&p);
}

/* Another process has a copy while it is being started: edges go on, and are nobody's, also when the number is used again. */
static void
test_copies(void **state)
{
	struct poller p;
	struct seen old = { .p = &p }, new = { .p = &p };
	int x[2], y[2], copy;

	(void)state;
	assert_int_equal(poller_init(&p), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, x), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, y), 0);
	io_init(&old.io, x[0]);
	assert_int_equal(io_watch(&old.io, &p, on_edge), 0);
	(void)turn(&p);
	copy = dup(x[0]);
	io_close(&old.io, &p);
	assert_int_equal(write(x[1], "x", 1), 1);
	assert_int_equal(turn(&p), 1); /* the kernel still has it */
	assert_int_equal(old.times, 1);
	assert_int_equal(dup2(y[0], x[0]), x[0]);
	io_init(&new.io, x[0]);
	assert_int_equal(io_watch(&new.io, &p, on_edge), 0);
	(void)turn(&p);
	assert_int_equal(new.times, 1);
	assert_int_equal(write(x[1], "x", 1), 1);
	assert_int_equal(turn(&p), 1);
	assert_int_equal(new.times, 1);
	assert_int_equal(write(y[1], "x", 1), 1);
	assert_int_equal(turn(&p), 1);
	assert_int_equal(new.times, 2);
	assert_int_equal(old.times, 1);
	io_close(&new.io, &p);
	(void)close(copy);
	(void)close(x[1]);
	(void)close(y[0]);
	(void)close(y[1]);
	poller_fini(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_urgent),
		cmocka_unit_test(test_level),
		cmocka_unit_test(test_closed_in_its_turn),
		cmocka_unit_test(test_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
