/* Names to addresses: the hosts file, a name server of the test's own, and names that do not
 * exist. Everything happens in namespaces of the test's own, with resolv.conf and hosts of its
 * own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/must.h"
#include "sys/resolve.h"
#include "tests/unit/sandbox.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/stat.h>

#define WAIT DUR_S(25)

static struct loop *l;
static struct loop_timer poll_timer;
static mono_t deadline;
static bool (*until)(void);

struct seen {
	unsigned calls;
	char addr[ADDR_TEXT], why[80];
};
static struct seen x, y;

static void
poll_it(void *arg)
{
	(void)arg;
	if (mono_now() > deadline || until())
		loop_stop(l);
	else
		loop_timer_set(&poll_timer, DUR_MS(5));
}

static bool
run_until(bool (*condition)(void))
{
	until = condition;
	deadline = mono_now() + WAIT;
	loop_timer_set(&poll_timer, 0);
	return loop_run(l) == 0 && mono_now() < deadline;
}

static void
on_addr(void *arg, const struct resolve_place *p, const char *why)
{
	struct seen *s = arg;

	s->calls++;
	addr_format(&p->addr, ADDR_HOST, s->addr);
	(void)snprintf(s->why, sizeof(s->why), "%s", why != NULL ? why : "");
}

static struct resolve *
watch(struct resolver *r, const char *name, struct seen *s)
{
	const struct resolve_want want = { .name = name };

	return resolver_watch(r, &want, on_addr, s);
}

static bool
x_called(void)
{
	return x.calls > 0;
}

static bool
x_twice(void)
{
	return x.calls > 1;
}

static bool
both_called(void)
{
	return x.calls > 0 && y.calls > 0;
}

/* ---- the name server: one A record for moving.test, NXDOMAIN for the rest */

static struct {
	struct loop_fd io;
	uint8_t last; /* 192.0.2.last; 0: no such name */
	bool two;     /* 192.0.2.1 beside it, in front */
	unsigned asked;
} dns;

static void
put_record(struct buf *b, uint8_t last)
{
	buf_put_be(b, 0xc00c, 2); /* the name of the question */
	buf_put_be(b, 1, 2);
	buf_put_be(b, 1, 2);
	buf_put_be(b, 1, 4); /* TTL: the least there is */
	buf_put_be(b, 4, 2);
	buf_put_be(b, 0xc0000200u | last, 4);
}

static void
on_question(void *arg, unsigned ready)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	uint8_t q[512];
	ssize_t n = recvfrom(dns.io.fd, q, sizeof(q), MSG_DONTWAIT, (struct sockaddr *)&from, &len);
	struct rd r = { .p = q, .left = n > 0 ? (size_t)n : 0 };
	struct buf b = { 0 };
	uint16_t id = (uint16_t)rd_be(&r, 2);
	unsigned type, records;
	bool known = n > 12 + 8 && memcmp(q + 13, "moving", 6) == 0 && dns.last != 0;

	(void)arg;
	(void)ready;
	(void)rd_be(&r, 2);
	(void)rd_be(&r, 8);
	while (!r.bad && r.left > 0 && *r.p != 0)
		(void)rd_bytes(&r, 1u + *r.p);
	(void)rd_be(&r, 1);
	type = (unsigned)rd_be(&r, 2);
	(void)rd_be(&r, 2);
	if (r.bad)
		return;
	dns.asked++;
	records = known && type == 1 ? (dns.two ? 2 : 1) : 0;
	buf_put_be(&b, id, 2);
	buf_put_be(&b, known ? 0x8180 : 0x8183, 2);
	buf_put_be(&b, 1, 2);
	buf_put_be(&b, records, 2);
	buf_put_be(&b, 0, 4);
	buf_put(&b, q + 12, (size_t)(r.p - q) - 12);
	if (records == 2)
		put_record(&b, 1);
	if (records > 0)
		put_record(&b, dns.last);
	(void)sendto(dns.io.fd, b.p, b.len, 0, (struct sockaddr *)&from, len);
	buf_fini(&b);
}

static bool
dns_up(void)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET, .sin_port = htons(53), .sin_addr = { htonl(INADDR_LOOPBACK) }
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == -1)
		return false;
	loop_fd_init(&dns.io, l, fd, on_question, NULL);
	loop_fd_want(&dns.io, LOOP_READ);
	return true;
}

static bool
put_file(const char *path, const char *text)
{
	char from[] = "/tmp/lbd-resolve-XXXXXX";
	int fd = mkstemp(from);
	bool ok;

	if (fd == -1)
		return false;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, 0644) == 0 &&
	     mount(from, path, NULL, MS_BIND, NULL) == 0;
	(void)close(fd);
	(void)unlink(from);
	return ok;
}

#define CHECK(cond)                                                              \
	do {                                                                     \
		if (!(cond)) {                                                   \
			(void)fprintf(stderr, "line %d: %s\n", __LINE__, #cond); \
			return 1;                                                \
		}                                                                \
	} while (0)

static int
names(struct resolver *r)
{
	struct resolve *w = watch(r, "moving.test", &x), *v;
	unsigned asked;

	CHECK(x.calls == 0); /* never from within */
	dns.last = 7;
	CHECK(run_until(x_called) && strcmp(x.addr, "192.0.2.7") == 0);
	/* It stays while the answers contain it. */
	dns.two = true;
	asked = dns.asked;
	x.calls = 1;
	dns.last = 7;
	v = watch(r, "nowhere.test", &y);
	CHECK(run_until(both_called) && y.addr[0] == '\0' && y.why[0] != '\0');
	resolver_unwatch(v);
	/* TTL is over (5 s at least): it moves. */
	dns.two = false;
	dns.last = 8;
	CHECK(run_until(x_twice) && strcmp(x.addr, "192.0.2.8") == 0);
	CHECK(dns.asked > asked);
	resolver_unwatch(w);
	/* Ended while the query is out. */
	w = watch(r, "moving.test", &x);
	(void)run_until(x_called);
	resolver_unwatch(w);
	return 0;
}

static int
in_sandbox(void)
{
	struct resolver *r;
	int code;

	if (!put_file("/etc/resolv.conf", "nameserver 127.0.0.1\n") ||
	    !put_file("/etc/hosts", "127.0.0.1 localhost\n192.0.2.99 inhosts.test\n"))
		return SANDBOX_NONE;
	l = loop_new();
	loop_timer_init(&poll_timer, l, poll_it, NULL);
	if (!dns_up())
		return SANDBOX_NONE;
	r = resolver_new(l);
	(void)watch(r, "inhosts.test", &x);
	(void)watch(r, "localhost", &y);
	CHECK(run_until(both_called));
	CHECK(strcmp(x.addr, "192.0.2.99") == 0);
	CHECK(strcmp(y.addr, "127.0.0.1") == 0 || strcmp(y.addr, "::1") == 0);
	CHECK(dns.asked == 0);
	resolver_free(r); /* with its watches */
	x = y = (struct seen){ 0 };
	r = resolver_new(l);
	code = names(r);
	/* Freed while queries are out. */
	(void)watch(r, "other.test", &y);
	loop_stop(l);
	(void)loop_run(l);
	resolver_free(r);
	loop_fd_fini(&dns.io);
	(void)close(dns.io.fd);
	loop_timer_fini(&poll_timer);
	loop_free(l);
	return code;
}

static void
test_names(void **state)
{
	int status = sandbox_run(in_sandbox);

	(void)state;
	if (status == SANDBOX_NONE)
		skip();
	assert_int_equal(status, 0);
}

static void
test_addresses_need_no_question(void **state)
{
	struct resolver *r;

	(void)state;
	l = loop_new();
	loop_timer_init(&poll_timer, l, poll_it, NULL);
	r = resolver_new(l);
	x = y = (struct seen){ 0 };
	(void)watch(r, "192.0.2.5", &x);
	resolver_unwatch(watch(r, "192.0.2.6", &y));
	(void)watch(r, "2001:db8::5", &y);
	assert_true(run_until(both_called));
	assert_string_equal(x.addr, "192.0.2.5");
	assert_string_equal(y.addr, "2001:db8::5");
	assert_int_equal(y.calls, 1);
	resolver_free(r);
	resolver_free(NULL);
	loop_timer_fini(&poll_timer);
	loop_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_addresses_need_no_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
