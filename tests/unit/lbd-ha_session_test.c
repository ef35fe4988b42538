/* Pairings between two nodes in one process: with a configuration that is dumped and replaced, with faults at each end, and
 * ended from outside at each step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ha/pair/session.h"
#include "sys/log.h"
#include "sys/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DUMP_LEN 300000
#define STEPS 16

static const uint8_t bits[PAIR_CODE_BYTES] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };
static char top[64];
static struct loop *loop;
static struct loop_timer limit, rest;

struct side {
	char dir[80];
	struct tls_identity *me;
	struct session_self self;
	struct session *s;
	struct session_ops ops;
	unsigned steps, stop_at; /* stop_at: session_stop within that step */
	bool stopped;
	char words[STEPS][16];
	bool committed, ended;
	int code;
	char text[600];
	uint32_t sum;
	int fault; /* of dump or replace */
};
static struct side a, b;
static int listener;
static uint16_t port;
static struct loop_fd listening;
static struct tls_channel *guest;
static uint8_t key[TLS_CODE_KEY];

static void
look(void)
{
	if (a.ended && guest == NULL && (b.ended || b.s == NULL))
		loop_stop(loop);
}

static void
on_step(void *arg, const char *word, const char *text, bool ask)
{
	struct side *x = arg;

	(void)text;
	assert_true(x->steps < STEPS);
	(void)snprintf(x->words[x->steps++], sizeof(x->words[0]), "%s", word);
	assert_false(ask); /* all of these are without a person */
	if (x->stop_at == x->steps) {
		x->stopped = true;
		session_stop(x->s, "stopped");
	}
}

static void
on_committed(void *arg)
{
	struct side *x = arg;

	x->committed = true;
}

static void
on_ended(void *arg, int code, const char *text)
{
	struct side *x = arg;

	assert_false(x->ended);
	x->ended = true;
	x->code = code;
	(void)snprintf(x->text, sizeof(x->text), "%s", text);
	session_free(x->s);
	look();
}

static uint32_t
sum_of(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = sum * 31 + p[i];
	return sum;
}

static int
on_dump(void *arg, struct buf *out, struct err *err)
{
	struct side *x = arg;

	if (x->fault != 0)
		return err_set(err, x->fault, "the store cannot be read");
	for (unsigned i = 0; i < DUMP_LEN; i++)
		buf_put_be(out, i * 7 >> 2 & 0xff, 1);
	x->sum = sum_of(out->p, out->len);
	return 0;
}

static int
on_replace(void *arg, const void *p, size_t len, struct err *err)
{
	struct side *x = arg;

	x->sum = sum_of(p, len);
	return x->fault != 0 ? err_set(err, x->fault, "the disk is full") : 0;
}

static void
guest_up(void *arg, bool by_code)
{
	struct tls_channel *t = guest;

	(void)arg;
	assert_true(by_code);
	guest = NULL;
	b.s = session_show(loop, &b.self, t, &b.ops);
}

static void
guest_packet(void *arg, const uint8_t *p, size_t len)
{
	(void)arg;
	(void)p;
	(void)len;
	fail();
}

static void
guest_closed(void *arg, enum tls_end end, const char *text)
{
	(void)arg;
	(void)end;
	(void)text;
	tls_channel_free(guest);
	guest = NULL;
	look();
}

static const struct tls_channel_ops guest_ops = {
	.up = guest_up,
	.packet = guest_packet,
	.closed = guest_closed,
};

static void
on_guest(void *arg, unsigned ready)
{
	struct tls_proof proof = { .me = b.me, .code_key = key };
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)arg;
	(void)ready;
	if (fd >= 0)
		guest = tls_channel_start(loop, fd, true, &proof, &guest_ops, NULL);
}

static void
on_limit(void *arg)
{
	(void)arg;
	fail_msg("not in time");
}

static void
prepare(struct side *x, const char *name)
{
	struct err err = { 0 };
	struct side fresh = { .me = x->me };

	*x = fresh;
	(void)snprintf(x->dir, sizeof(x->dir), "%s/%s", top, name);
	if (x->me == NULL)
		assert_int_equal(tls_identity_load(x->dir, name, &x->me, &err), 0);
	assert_int_equal(cluster_forget(x->dir, &err), 0);
	x->self = (struct session_self){ .me = x->me, .dir = x->dir, .name = name, .port = 9444 };
	x->ops = (struct session_ops){
		.step = on_step, .committed = on_committed, .ended = on_ended, .arg = x
	};
}

static void
nothing(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
pair_with(const uint8_t code[PAIR_CODE_BYTES])
{
	struct addr at;

	tls_code_key(bits, key);
	assert_int_equal(addr_parse("127.0.0.1", ADDR_HOST, &at), 0);
	loop_timer_set(&limit, DUR_S(20));
	a.s = session_ask(loop, &a.self, &at, port, code, true, &a.ops);
	assert_int_equal(loop_run(loop), 0);
	loop_timer_cancel(&limit);
	loop_timer_set(&rest, DUR_MS(20)); /* what was freed goes, and who came late */
	assert_int_equal(loop_run(loop), 0);
}

static void
begin_both(void)
{
	prepare(&a, "alpha");
	prepare(&b, "beta");
}

/* -ENOENT, 0 for a file that is whole. */
static int
has(const struct side *x, enum cluster_form form, struct cluster *out)
{
	struct buf cert = { 0 };
	struct err err = { 0 };
	int code = cluster_read(x->dir, form, out, &cert, &err);

	buf_fini(&cert);
	return code;
}

static void
test_session_whole(void **state)
{
	struct cluster one, two;

	(void)state;
	begin_both();
	a.ops.dump = on_dump;
	b.ops.replace = on_replace;
	pair_with(bits);
	assert_int_equal(a.code, 0);
	assert_int_equal(b.code, 0);
	assert_true(a.committed && b.committed);
	assert_true(a.sum != 0 && a.sum == b.sum);
	assert_int_equal(has(&a, CLUSTER_COUNTS, &one), 0);
	assert_int_equal(has(&b, CLUSTER_COUNTS, &two), 0);
	assert_true(one.id == two.id && one.id != 0 && one.node == 1 && two.node == 2);
	assert_memory_equal(one.secret, two.secret, CLUSTER_SECRET);
	assert_memory_equal(one.peer_key, tls_identity_print(b.me), FINGERPRINT_BYTES);
	assert_memory_equal(two.peer_key, tls_identity_print(a.me), FINGERPRINT_BYTES);
	assert_string_equal(one.peer_name, "beta");
	assert_int_equal(one.peer_port, port); /* by which it was reached */
	assert_int_equal(two.peer_port, 9444); /* on which it says that it listens */
	assert_string_equal(a.words[a.steps - 1], PAIR_STEP_DONE);
	assert_int_equal(has(&a, CLUSTER_PREPARED, &one), -ENOENT);
	assert_int_equal(has(&b, CLUSTER_PREPARED, &two), -ENOENT);
}

static void
test_session_wrong_code(void **state)
{
	uint8_t wrong[PAIR_CODE_BYTES] = { 9 };
	struct cluster c;

	(void)state;
	begin_both();
	pair_with(wrong);
	assert_int_equal(a.code, ERR_DENIED);
	assert_non_null(strstr(a.text, "the code is wrong or no longer valid"));
	assert_null(b.s);
	assert_int_equal(has(&a, CLUSTER_COUNTS, &c), -ENOENT);
}

/* The pair stands all the same: the channel brings the configuration. */
static void
test_session_dump_and_replace_fail(void **state)
{
	struct cluster c;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		begin_both();
		a.ops.dump = on_dump;
		b.ops.replace = on_replace;
		(i == 0 ? &a : &b)->fault = ERR_STORE;
		pair_with(bits);
		assert_int_equal(a.code, 0);
		assert_int_equal(b.code, 0);
		if (i == 1)
			assert_non_null(strstr(a.text, "the disk is full"));
		else
			assert_non_null(strstr(a.text, "the store cannot be read"));
		assert_int_equal(has(&a, CLUSTER_COUNTS, &c), 0);
		assert_int_equal(has(&b, CLUSTER_COUNTS, &c), 0);
	}
}

/* Nothing can be written on one side: neither is paired. */
static void
test_session_no_disk(void **state)
{
	struct cluster c;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct side *x;

		begin_both();
		x = i == 0 ? &a : &b;
		x->self.dir = "/proc/nowhere/ha";
		pair_with(bits);
		assert_int_equal(a.code, ERR_STORE);
		assert_int_not_equal(b.code, 0);
		assert_non_null(strstr(a.text, "/proc/nowhere"));
		assert_non_null(strstr(b.text, "/proc/nowhere"));
		for (unsigned form = 0; form < 2; form++) {
			assert_int_equal(has(&a, form, &c), -ENOENT);
			assert_int_equal(has(&b, form, &c), -ENOENT);
		}
	}
}

/* Stopped within each step of either side: what counts, counts on both, or on alpha with beta in doubt, whom alpha tells
 * when they meet. Alpha that is told by beta to stop is single even when it had committed. */
static void
test_session_stopped_anywhere(void **state)
{
	struct cluster c;

	(void)state;
	for (unsigned who = 0; who < 2; who++)
		for (unsigned at = 1; at < STEPS; at++) {
			bool here, there;

			begin_both();
			(who == 0 ? &a : &b)->stop_at = at;
			pair_with(bits);
			here = has(&a, CLUSTER_COUNTS, &c) == 0;
			there = has(&b, CLUSTER_COUNTS, &c) == 0;
			assert_true(a.committed || !here);
			assert_int_equal(has(&a, CLUSTER_PREPARED, &c), -ENOENT);
			if (here != there) /* only beta can be late, and then it waits for alpha */
				assert_true(here && has(&b, CLUSTER_PREPARED, &c) == 0);
			if (a.code == 0)
				assert_true(here && there);
			if (b.ended && b.code == 0)
				assert_true(there);
			if (!(who == 0 ? &a : &b)->stopped)
				break; /* no such step */
		}
}

static int
begin(void **state)
{
	struct sockaddr_in sa = { 0 };
	socklen_t len = sizeof(sa);
	struct err err = { 0 };
	struct addr any;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	log_init("test");
	log_set_level(LOG_P_ERR);
	(void)snprintf(top, sizeof(top), "/tmp/lbd-session-XXXXXX");
	if (mkdtemp(top) == NULL || addr_parse("127.0.0.1", ADDR_HOST, &any) != 0)
		return -1;
	loop = loop_new();
	loop_timer_init(&limit, loop, on_limit, NULL);
	loop_timer_init(&rest, loop, nothing, NULL);
	listener = sock_listen_tcp(&any, 0, 8, 0, &err);
	if (listener < 0 || getsockname(listener, (struct sockaddr *)&sa, &len) != 0)
		return -1;
	port = ntohs(sa.sin_port);
	loop_fd_init(&listening, loop, listener, on_guest, NULL);
	loop_fd_want(&listening, LOOP_READ);
	return 0;
}

static int
finish(void **state)
{
	static const char *const files[] = { "node.key", "node.crt", "cluster", "cluster.prepared",
		"peer.crt" };
	char path[160];

	(void)state;
	loop_fd_fini(&listening);
	(void)close(listener);
	loop_timer_fini(&limit);
	loop_timer_fini(&rest);
	loop_free(loop);
	for (struct side *x = &a; x != NULL; x = x == &a ? &b : NULL) {
		tls_identity_free(x->me);
		for (unsigned i = 0; i < sizeof(files) / sizeof(*files); i++) {
			(void)snprintf(path, sizeof(path), "%s/%s", x->dir, files[i]);
			(void)unlink(path);
		}
		(void)rmdir(x->dir);
	}
	return rmdir(top);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session_whole),
		cmocka_unit_test(test_session_wrong_code),
		cmocka_unit_test(test_session_dump_and_replace_fail),
		cmocka_unit_test(test_session_no_disk),
		cmocka_unit_test(test_session_stopped_anywhere),
	};

	return cmocka_run_group_tests(tests, begin, finish);
}
