/* Two nodes in one process: identities, proofs, the channel and what it does with two connections, floods and silence. One file,
 * because all but the first tests stand on the same two nodes, and these are most of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ha/pair/peer_channel.h"
#include "base/mem.h"
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

static char dir[64];
static struct tls_identity *ids[3];
static struct loop *loop;

/* One node of the pair, with a listener as pairing.c has one. */
struct node {
	unsigned number;
	struct peer_channel *k;
	struct loop_fd io;
	int fd;
	uint16_t port;
	const struct tls_identity *pin;
	const uint8_t *code;
	/* what it was told */
	unsigned ups, downs, rooms, rows, unpairs, tried, by_code, refused;
	unsigned order[64], n; /* numbers of what came, in order */
	size_t blob;
	uint32_t sum;
	char why[200];
	struct tls_channel *guest;
};
static struct node one, two;
static bool (*until)(void);
static struct loop_timer check, limit;

static void
on_check(void *arg)
{
	(void)arg;
	if (until())
		loop_stop(loop);
	else
		loop_timer_set(&check, DUR_MS(2));
}

static void
on_limit(void *arg)
{
	(void)arg;
	fail_msg("not in time");
}

static void
run_until(bool (*fn)(void))
{
	until = fn;
	loop_timer_set(&check, 0);
	loop_timer_set(&limit, DUR_S(20));
	assert_int_equal(loop_run(loop), 0);
	loop_timer_cancel(&limit);
}

static void
on_up(void *arg, const struct msg_peer_hello *m)
{
	struct node *n = arg;

	n->ups++;
	assert_int_equal(m->node, 3 - n->number);
	assert_true(m->cluster == 77 && m->shared == 5 && m->shared_hash == 55);
}

static void
on_hello(void *arg, struct msg_peer_hello *m)
{
	(void)arg;
	m->shared = 5;
	m->shared_hash = 55;
}

static void
on_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct node *n = arg;

	assert_int_equal(row->number, MSG_PEER_ASK);
	assert_int_equal(m->peer_ask.above, 9);
	n->rows++;
}

static void
on_blob(void *arg, unsigned number, const uint8_t *p, size_t len)
{
	struct node *n = arg;

	if (n->n < 64)
		n->order[n->n] = number;
	n->n++;
	n->blob = len;
	n->sum = 0;
	for (size_t i = 0; i < len; i++)
		n->sum = n->sum * 31 + p[i];
}

static void
on_room(void *arg, enum peer_stream s)
{
	struct node *n = arg;

	assert_int_equal(s, PEER_BULK);
	n->rooms++;
}

static void
on_unpair(void *arg, bool done)
{
	struct node *n = arg;

	assert_false(done);
	n->unpairs++;
	peer_channel_free(n->k); /* within the callback */
	n->k = NULL;
}

static void
on_down(void *arg, const char *why)
{
	struct node *n = arg;

	n->downs++;
	(void)snprintf(n->why, sizeof(n->why), "%s", why);
}

static void
guest_up(void *arg, bool by_code)
{
	struct node *n = arg;
	struct tls_channel *t = n->guest;

	n->guest = NULL;
	n->by_code += by_code;
	if (!by_code && n->k != NULL)
		peer_channel_take(n->k, t);
	else
		tls_channel_free(t);
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
	struct node *n = arg;

	(void)text;
	n->refused += end != TLS_END_LOST;
	n->tried += tls_channel_tried(n->guest);
	tls_channel_free(n->guest);
	n->guest = NULL;
}

static const struct tls_channel_ops guest_ops = {
	.up = guest_up,
	.packet = guest_packet,
	.closed = guest_closed,
};

static void
on_guest(void *arg, unsigned ready)
{
	struct node *n = arg;
	int fd = accept4(n->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct tls_proof proof = { .me = ids[n->number], .code_key = n->code };

	(void)ready;
	if (fd == -1)
		return;
	if (n->guest != NULL) {
		(void)close(fd);
		return;
	}
	if (n->pin != NULL)
		proof.pin = tls_identity_cert(n->pin, &proof.pin_len);
	n->guest = tls_channel_start(loop, fd, true, &proof, &guest_ops, n);
}

static void
listen_at(struct node *n, unsigned number)
{
	struct sockaddr_in sa = { 0 };
	socklen_t len = sizeof(sa);
	struct err err = { 0 };
	struct addr a;

	*n = (struct node){ .number = number };
	assert_int_equal(addr_parse("127.0.0.1", ADDR_HOST, &a), 0);
	n->fd = sock_listen_tcp(&a, 0, 8, 0, &err);
	assert_true(n->fd >= 0);
	assert_int_equal(getsockname(n->fd, (struct sockaddr *)&sa, &len), 0);
	n->port = ntohs(sa.sin_port);
	loop_fd_init(&n->io, loop, n->fd, on_guest, n);
	loop_fd_want(&n->io, LOOP_READ);
}

static void
open_channel(struct node *n, const struct node *peer, const struct tls_identity *me,
    const struct tls_identity *pin)
{
	const struct peer_channel_ops ops = {
		.hello = on_hello,
		.up = on_up,
		.row = on_row,
		.blob = on_blob,
		.room = on_room,
		.unpair = on_unpair,
		.down = on_down,
		.arg = n,
	};
	struct cluster c = {
		.id = 77, .node = (uint8_t)n->number, .peer_port = peer->port, .addrs_n = 1
	};
	struct peer_config config = {
		.me = me, .cluster = &c, .name = "n", .port = n->port, .schema = 3
	};

	(void)snprintf(c.peer_name, sizeof(c.peer_name), "node%u", peer->number);
	assert_int_equal(addr_parse("127.0.0.1", ADDR_HOST, &c.addrs[0]), 0);
	config.cert = tls_identity_cert(pin, &config.cert_len);
	n->pin = pin;
	n->k = peer_channel_new(loop, &config, &ops);
}

static void
open_pair(void)
{
	listen_at(&one, 1);
	listen_at(&two, 2);
	open_channel(&one, &two, ids[1], ids[2]);
	open_channel(&two, &one, ids[2], ids[1]);
}

static void
close_node(struct node *n)
{
	peer_channel_free(n->k);
	tls_channel_free(n->guest);
	loop_fd_fini(&n->io);
	(void)close(n->fd);
}

static bool
both_up(void)
{
	return one.ups > 0 && two.ups > 0;
}

static bool
settled(void)
{
	return true;
}

static void
close_pair(void)
{
	close_node(&one);
	close_node(&two);
	run_until(settled);
}

/* ---- identities ---- */

static void
test_identity_stays(void **state)
{
	struct tls_identity *a = NULL, *b = NULL;
	struct err err = { 0 };
	char sub[80], path[100];
	uint8_t print[FINGERPRINT_BYTES];
	const uint8_t *der;
	struct stat sb;
	size_t len;

	(void)state;
	(void)snprintf(sub, sizeof(sub), "%s/id", dir);
	assert_int_equal(tls_identity_load(sub, "alpha", &a, &err), 0);
	assert_int_equal(tls_identity_load(sub, "other", &b, &err), 0);
	assert_memory_equal(tls_identity_print(a), tls_identity_print(b), FINGERPRINT_BYTES);
	der = tls_identity_cert(a, &len);
	assert_true(tls_cert_print(der, len, print));
	assert_memory_equal(print, tls_identity_print(a), FINGERPRINT_BYTES);
	for (size_t n = 0; n < len; n++)
		assert_false(tls_cert_print(der, n, print));
	(void)snprintf(path, sizeof(path), "%s/node.key", sub);
	assert_int_equal(stat(path, &sb), 0);
	assert_int_equal(sb.st_mode & 0777, 0600);
	tls_identity_free(b);
	b = NULL;
	/* One of the two files alone is a question for a person, not a new identity. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(tls_identity_load(sub, "alpha", &b, &err), ERR_STORE);
	assert_non_null(strstr(err.text, "node.key"));
	tls_identity_free(a);
}

static void
test_code_key(void **state)
{
	uint8_t bits[PAIR_CODE_BYTES] = { 1, 2, 3 }, a[TLS_CODE_KEY], b[TLS_CODE_KEY];

	(void)state;
	tls_code_key(bits, a);
	tls_code_key(bits, b);
	assert_memory_equal(a, b, sizeof(a));
	bits[9] ^= 1;
	tls_code_key(bits, b);
	assert_memory_not_equal(a, b, sizeof(a));
}

/* ---- by code ---- */

static struct {
	bool up, closed;
	enum tls_end end;
} dialled;

static void
dial_up(void *arg, bool by_code)
{
	(void)arg;
	assert_true(by_code);
	dialled.up = true;
}

static void
dial_closed(void *arg, enum tls_end end, const char *text)
{
	(void)arg;
	(void)text;
	dialled.closed = true;
	dialled.end = end;
}

static const struct tls_channel_ops dial_ops = {
	.up = dial_up,
	.packet = guest_packet,
	.closed = dial_closed,
};

static bool
dial_over(void)
{
	return (dialled.up || dialled.closed) && two.guest == NULL;
}

static void
dial(const uint8_t *key)
{
	struct tls_proof proof = { .me = ids[1], .code_key = key };
	struct tls_channel *t;
	struct addr a;

	memset(&dialled, 0, sizeof(dialled));
	assert_int_equal(addr_parse("127.0.0.1", ADDR_HOST, &a), 0);
	t = tls_channel_start(loop, sock_connect_tcp(&a, two.port), false, &proof, &dial_ops, NULL);
	run_until(dial_over);
	tls_channel_free(t);
	run_until(settled);
}

static void
test_code_right_and_wrong(void **state)
{
	uint8_t right[TLS_CODE_KEY] = { 7 }, wrong[TLS_CODE_KEY] = { 8 };

	(void)state;
	listen_at(&two, 2);
	two.code = right;
	dial(right);
	assert_true(dialled.up);
	assert_int_equal(two.by_code, 1);
	dial(wrong);
	assert_true(dialled.closed && !dialled.up && dialled.end == TLS_END_REFUSED);
	assert_int_equal(two.tried, 1);
	/* The node shows no code any more: its certificate is no answer to one. */
	two.code = NULL;
	dial(right);
	assert_true(dialled.closed && !dialled.up && dialled.end != TLS_END_LOST);
	assert_int_equal(two.tried, 1);
	two.pin = ids[1];
	dial(right);
	assert_true(dialled.closed && !dialled.up);
	close_node(&two);
	run_until(settled);
}

/* ---- the channel ---- */

static bool
got_three(void)
{
	return two.n >= 2 && two.rows > 0;
}

static void
test_channel_carries(void **state)
{
	struct msg_peer_ask ask = { .scope = 1, .above = 9 };
	size_t len = 3u << 20;
	uint8_t *big = mem_alloc(len);
	uint32_t sum = 0;

	(void)state;
	for (size_t i = 0; i < len; i++) {
		big[i] = (uint8_t)(i * 7 >> 3);
		sum = sum * 31 + big[i];
	}
	open_pair();
	assert_int_equal(peer_channel_send(one.k, MSG_PEER_ASK, &ask), ERR_AWAY);
	run_until(both_up);
	assert_int_equal(peer_channel_send_blob(one.k, MSG_PEER_REVISION, "", 0), 0);
	assert_int_equal(peer_channel_send_blob(one.k, MSG_PEER_DUMP, big, len), 0);
	assert_int_equal(peer_channel_send(one.k, MSG_PEER_ASK, &ask), 0);
	run_until(got_three);
	assert_int_equal(two.order[0], MSG_PEER_REVISION);
	assert_int_equal(two.order[1], MSG_PEER_DUMP);
	assert_int_equal(two.blob, len);
	assert_int_equal(two.sum, sum);
	free(big);
	close_pair();
}

static unsigned sent_bulk;

static bool
got_all(void)
{
	return two.n >= sent_bulk + 1;
}

/* A flood of bulk finds its bound, and what is sent after it as configuration comes long before its end. */
static void
test_channel_priority(void **state)
{
	static uint8_t data[30000];
	unsigned at = 0;
	int code;

	(void)state;
	open_pair();
	run_until(both_up);
	sent_bulk = 0;
	while ((code = peer_channel_send_blob(one.k, MSG_PEER_STICK, data, sizeof(data))) == 0)
		sent_bulk++;
	assert_int_equal(code, -ENOBUFS);
	assert_in_range(sent_bulk, 100, 200);
	assert_int_equal(peer_channel_send_blob(one.k, MSG_PEER_REVISION, "x", 1), 0);
	run_until(got_all);
	while (at < 64 && two.order[at] == MSG_PEER_STICK)
		at++;
	assert_in_range(at, 0, 20); /* at most a window and what the socket holds */
	assert_int_equal(one.rooms, 1);
	close_pair();
}

static void
test_channel_wins(void **state)
{
	(void)state;
	assert_true(peer_channel_wins(1, 1));
	assert_true(peer_channel_wins(2, 2));
	assert_true(peer_channel_wins(2, 1));
	assert_false(peer_channel_wins(1, 2));
}

static bool
two_opens(void)
{
	return both_up() && one.ups == 1;
}

/* Node 1 cannot reach node 2, so node 2 comes. */
static void
test_channel_other_way(void **state)
{
	uint16_t port;

	(void)state;
	listen_at(&one, 1);
	listen_at(&two, 2);
	port = two.port;
	two.port = 1; /* nobody */
	open_channel(&one, &two, ids[1], ids[2]);
	two.port = port;
	open_channel(&two, &one, ids[2], ids[1]);
	run_until(two_opens);
	assert_int_equal(one.downs + two.downs, 0);
	close_pair();
}

static bool
is_refused(void)
{
	struct peer_state a, b;

	peer_channel_state(one.k, &a);
	peer_channel_state(two.k, &b);
	return a.fault[0] != '\0' && two.refused > 0;
}

/* A third identity, in either direction, is not let in, and it is said why. */
static void
test_channel_stranger(void **state)
{
	struct peer_state st;

	(void)state;
	listen_at(&one, 1);
	listen_at(&two, 2);
	open_channel(&one, &two, ids[0], ids[2]); /* who dials is not who was paired */
	open_channel(&two, &one, ids[2], ids[1]);
	run_until(is_refused);
	peer_channel_state(one.k, &st);
	assert_non_null(strstr(st.fault, "does not accept this one"));
	assert_int_equal(one.ups + two.ups, 0);
	close_pair();
	listen_at(&one, 1);
	listen_at(&two, 2);
	open_channel(&one, &two, ids[1], ids[0]); /* who answers is not who was paired */
	open_channel(&two, &one, ids[2], ids[1]);
	run_until(is_refused);
	peer_channel_state(one.k, &st);
	assert_non_null(strstr(st.fault, "another certificate"));
	assert_int_equal(one.ups + two.ups, 0);
	close_pair();
}

static bool
back(void)
{
	return one.ups == 2 && two.ups == 2;
}

/* The other process is new: the channel comes again by itself. */
static void
test_channel_again(void **state)
{
	(void)state;
	open_pair();
	run_until(both_up);
	peer_channel_free(two.k);
	two.k = NULL;
	open_channel(&two, &one, ids[2], ids[1]);
	run_until(back);
	assert_int_equal(one.downs, 1);
	close_pair();
}

static struct tls_channel *second;

static void
second_up(void *arg, bool by_code)
{
	const unsigned *as = arg;
	struct msg_peer_hello m = { .cluster = 77,
		.node = (uint8_t)*as,
		.version = MSG_VERSION,
		.schema = 3,
		.boot = 1,
		.shared = 5,
		.shared_hash = 55 };

	assert_false(by_code);
	tls_channel_send(second, MSG_PEER_HELLO, &m);
}

static void
second_packet(void *arg, const uint8_t *p, size_t len)
{
	(void)arg;
	(void)p;
	(void)len;
}

static const struct tls_channel_ops second_ops = {
	.up = second_up,
	.packet = second_packet,
	.closed = dial_closed,
};

static bool
second_over(void)
{
	return dialled.closed || two.ups == 2;
}

/* One more connection of a node that is connected already. */
static void
dial_again(unsigned as, const struct node *to)
{
	struct tls_proof proof = { .me = ids[as] };
	struct addr a;

	memset(&dialled, 0, sizeof(dialled));
	proof.pin = tls_identity_cert(ids[to->number], &proof.pin_len);
	assert_int_equal(addr_parse("127.0.0.1", ADDR_HOST, &a), 0);
	second = tls_channel_start(
	    loop, sock_connect_tcp(&a, to->port), false, &proof, &second_ops, &as);
	run_until(second_over);
	tls_channel_free(second);
}

/* Node 2 comes to node 1, which has opened one: refused, and nobody notices. Node 1 comes once more: it takes the place. */
static void
test_channel_second_line(void **state)
{
	(void)state;
	open_pair();
	run_until(both_up);
	dial_again(2, &one);
	assert_true(dialled.closed);
	assert_int_equal(one.ups + two.ups, 2);
	assert_int_equal(one.downs + two.downs, 0);
	dial_again(1, &two);
	assert_int_equal(two.ups, 2);
	assert_int_equal(two.downs, 1);
	assert_string_equal(two.why, "another connection takes its place");
	close_pair();
}

static bool
unpaired(void)
{
	return two.unpairs == 1 && one.downs == 1;
}

static void
test_channel_unpair(void **state)
{
	struct msg_peer_unpair m = { .done = false };

	(void)state;
	open_pair();
	run_until(both_up);
	assert_int_equal(peer_channel_send(one.k, MSG_PEER_UNPAIR, &m), 0);
	run_until(unpaired);
	assert_null(two.k);
	close_pair();
}

/* The loop ends, as at the end of the process, while something still waits to be sent: finish() frees the loop. */
static void
test_channel_ends_with_the_loop(void **state)
{
	struct msg_peer_unpair m = { .done = true };

	(void)state;
	open_pair();
	run_until(both_up);
	assert_int_equal(peer_channel_send(one.k, MSG_PEER_UNPAIR, &m), 0);
	close_node(&one);
	close_node(&two);
}

static int
begin(void **state)
{
	struct err err = { 0 };
	char sub[80];

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	log_init("test");
	log_set_level(LOG_P_ERR);
	(void)snprintf(dir, sizeof(dir), "/tmp/lbd-peer-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	for (unsigned i = 0; i < 3; i++) {
		(void)snprintf(sub, sizeof(sub), "%s/%u", dir, i);
		if (tls_identity_load(sub, "n", &ids[i], &err) != 0)
			return -1;
	}
	loop = loop_new();
	loop_timer_init(&check, loop, on_check, NULL);
	loop_timer_init(&limit, loop, on_limit, NULL);
	return 0;
}

static int
finish(void **state)
{
	static const char *const names[] = { "node.key", "node.crt" };
	static const char *const subs[] = { "0", "1", "2", "id" };
	char path[120];

	(void)state;
	loop_timer_fini(&check);
	loop_timer_fini(&limit);
	loop_free(loop);
	for (unsigned i = 0; i < 3; i++)
		tls_identity_free(ids[i]);
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned k = 0; k < 2; k++) {
			(void)snprintf(path, sizeof(path), "%s/%s/%s", dir, subs[i], names[k]);
			(void)unlink(path);
		}
		(void)snprintf(path, sizeof(path), "%s/%s", dir, subs[i]);
		(void)rmdir(path);
	}
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity_stays), cmocka_unit_test(test_code_key),
		cmocka_unit_test(test_code_right_and_wrong), cmocka_unit_test(test_channel_carries),
		cmocka_unit_test(test_channel_priority), cmocka_unit_test(test_channel_wins),
		cmocka_unit_test(test_channel_other_way), cmocka_unit_test(test_channel_stranger),
		cmocka_unit_test(test_channel_again), cmocka_unit_test(test_channel_second_line),
		cmocka_unit_test(test_channel_unpair),
		cmocka_unit_test(
		    test_channel_ends_with_the_loop), /* the last: the loop is not run again */
	};

	return cmocka_run_group_tests(tests, begin, finish);
}
