/* The bus for programs that may wait: lbctl asks one daemon, and reads rows until RESULT.
 *
 * All waiting is done in one place (await), against an instant. The connection itself never blocks.
 * Rows are handed on as they come, so an answer of any length needs the memory of one packet;
 * credit is granted behind every GRANT rows.
 *
 * Many daemons at once: client_announce.c. */
#include "msg/client.h"
#include "base/mem.h"
#include "msg/client_priv.h"
#include "sys/sock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOVES_MOST 8 /* processes of a daemon that follow one another while we ask */

#define HELLO_WAIT DUR_S(5)
#define SEND_WAIT DUR_S(5)
#define BUSY_WAIT DUR_S(2) /* for a full backlog */
#define GRANT 64

const char *const client_daemons[] = { "lbd-check", "lbd-proxy", "lbd-ipvs", "lbd-ha", "lbd-web",
	NULL };

/* Until events, 0, or -ETIMEDOUT at the deadline. */
static int
await(int fd, short events, mono_t deadline)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		mono_t left = deadline - mono_now();
		int n;

		if (left <= 0)
			return -ETIMEDOUT;
		n = poll(&p, 1, (int)(left / 1000) + 1);
		if (n == -1 && errno != EINTR)
			return -errno;
		if (n > 0)
			return 0;
	}
}

static int
dial(struct client *c, struct err *err)
{
	const struct timespec nap = { .tv_nsec = 20 * 1000 * 1000 };
	mono_t deadline = mono_now() + BUSY_WAIT;

	/* There is nothing to wait on for room in a backlog. */
	while ((c->fd = sock_connect_unix(c->path)) == -EAGAIN && mono_now() < deadline)
		(void)nanosleep(&nap, NULL);
	if (c->fd == -EACCES || c->fd == -EPERM)
		return err_set(err, ERR_DENIED, "%s: %s: %s", c->daemon, c->path, strerror(-c->fd));
	if (c->fd == -EAGAIN)
		return err_set(err, ERR_AWAY, "%s does not answer (%s)", c->daemon, c->path);
	if (c->fd < 0)
		return err_set(err, ERR_AWAY, "%s does not run (%s: %s)", c->daemon, c->path,
		    strerror(-c->fd));
	return 0;
}

int
client_connect(const struct paths *p, const char *daemon, struct client *c, struct err *err)
{
	(void)snprintf(c->daemon, sizeof(c->daemon), "%s", daemon);
	paths_socket(p, daemon, c->path);
	return dial(c, err);
}

int
client_send(struct client *c, unsigned number, uint32_t seq, const void *payload, struct err *err)
{
	mono_t deadline = mono_now() + SEND_WAIT;
	struct buf packet = { 0 };
	int code = 0;

	msg_encode(number, seq, payload, &packet);
	while (code == 0 && send(c->fd, packet.p, packet.len, MSG_NOSIGNAL) == -1) {
		if (errno == EAGAIN)
			code = await(c->fd, POLLOUT, deadline);
		else if (errno != EINTR)
			code = -errno;
	}
	if (msg_is_key(number) && packet.p != NULL)
		explicit_bzero(packet.p, packet.cap);
	buf_fini(&packet);
	if (code == -ETIMEDOUT)
		return err_set(err, code, "%s does not read what it is sent", c->daemon);
	if (code != 0)
		return err_set(err, ERR_AWAY, "%s went away (%s)", c->daemon, strerror(-code));
	return 0;
}

int
client_send_hello(struct client *c, struct err *err)
{
	struct msg_hello m = {
		.program = SPAN(CLIENT_PROGRAM),
		.version = MSG_VERSION,
		.release = SPAN(LBD_VERSION),
		.pid = (uint32_t)getpid(),
	};

	return client_send(c, MSG_HELLO, 0, &m, err);
}

int
client_take(struct client *c, const struct msg_row **row_out, uint32_t *seq_out, union msg_any *out,
    struct err *err)
{
	for (;;) {
		ssize_t n = recv(c->fd, c->in, sizeof(c->in), MSG_TRUNC);
		unsigned number;
		int code;

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN)
			return -EAGAIN;
		if (n <= 0) {
			(void)err_set(err, ERR_AWAY, "%s went away%s%s", c->daemon,
			    n == -1 ? ": " : "", n == -1 ? strerror(errno) : "");
			return ERR_AWAY;
		}
		if ((size_t)n > sizeof(c->in)) {
			(void)err_set(err, ERR_PROTO, "%s: a packet of %zd bytes", c->daemon, n);
			return ERR_PROTO;
		}
		if (msg_peek(c->in, (size_t)n, &number, seq_out) && msg_row(number) == NULL)
			continue;
		code = msg_decode(c->in, (size_t)n, row_out, seq_out, out, err);
		if (code != 0)
			(void)err_prefix(err, "%s: ", c->daemon);
		return code;
	}
}

/* The next packet, waiting for it. */
static int
next(struct client *c, mono_t deadline, const struct msg_row **row_out, uint32_t *seq_out,
    union msg_any *out, struct err *err)
{
	int code;

	while ((code = client_take(c, row_out, seq_out, out, err)) == -EAGAIN) {
		code = await(c->fd, POLLIN, deadline);
		if (code == 0)
			continue;
		(void)err_set(err, code, "%s%s%s", c->daemon, code == -ETIMEDOUT ? " " : ": ",
		    code == -ETIMEDOUT ? "does not answer in time" : strerror(-code));
		return code;
	}
	return code;
}

static int
result_code(struct client *c, const struct msg_result *m, struct err *err)
{
	char text[500];

	span_text(m->text, text, sizeof(text));
	if (m->code == 0)
		return err_set(err, 0, "%s", text);
	return err_set(
	    err, m->code, "%s: %s", c->daemon, text[0] != '\0' ? text : "refused without a reason");
}

int
client_welcome(struct client *c, const struct msg_row *row, const union msg_any *m, struct err *err)
{
	int code;

	if (row->number == MSG_RESULT && (code = result_code(c, &m->result, err)) != 0)
		return code;
	if (row->number != MSG_HELLO)
		return err_set(err, ERR_PROTO, "%s: %s came before HELLO", c->daemon, row->name);
	if (m->hello.version != MSG_VERSION)
		return err_set(err, ERR_PROTO,
		    "%s speaks version %u of the protocol, this program version %u", c->daemon,
		    m->hello.version, MSG_VERSION);
	return 0;
}

static int
greet(struct client *c, struct err *err)
{
	const struct msg_row *row;
	union msg_any m;
	uint32_t seq;
	int code;

	/* A connection that was refused is closed with the reason in it: read before complaining
	 * of the send. */
	(void)client_send_hello(c, NULL);
	code = next(c, mono_now() + HELLO_WAIT, &row, &seq, &m, err);
	return code != 0 ? code : client_welcome(c, row, &m, err);
}

int
client_open(const struct paths *p, const char *daemon, struct client **out, struct err *err)
{
	struct client *c = mem_alloc(sizeof(*c));
	int code = client_connect(p, daemon, c, err);

	if (code == 0)
		code = greet(c, err);
	if (code != 0) {
		client_close(c);
		return code;
	}
	*out = c;
	return 0;
}

void
client_close(struct client *c)
{
	if (c == NULL)
		return;
	if (c->fd >= 0)
		(void)close(c->fd);
	free(c);
}

int
client_fd(const struct client *c)
{
	return c->fd;
}

static int
grant(struct client *c, uint32_t seq, unsigned *taken, struct err *err)
{
	struct msg_credit m = { .rows = GRANT };

	if (++*taken < GRANT)
		return 0;
	*taken = 0;
	return client_send(c, MSG_CREDIT, seq, &m, err);
}

/* To the process that answers now. */
static int
connect_again(struct client *c, struct err *err)
{
	int code;

	(void)close(c->fd);
	code = dial(c, err);
	return code != 0 ? code : greet(c, err);
}

int
client_call(struct client *c, unsigned number, const void *payload, client_row_fn on_row, void *arg,
    dur_t wait, struct err *err)
{
	uint32_t ours = ++c->seq, seq;
	const struct msg_row *row;
	union msg_any m;
	unsigned taken = 0, moves = MOVES_MOST;
	int code = client_send(c, number, ours, payload, err);

	while (code == 0) {
		code = next(c, mono_now() + wait, &row, &seq, &m, err);
		if (code != 0 || (seq != ours && row->number != MSG_RESULT))
			continue;
		/* RESULT with sequence 0: the daemon turns us away. */
		if (row->number == MSG_RESULT && seq == ours && m.result.code == MSG_MOVED &&
		    moves-- > 0) {
			code = connect_again(c, err);
			if (code == 0)
				code = client_send(c, number, ours, payload, err);
			continue;
		}
		if (row->number == MSG_RESULT && (seq == ours || seq == 0))
			return result_code(c, &m.result, err);
		if (seq != ours)
			continue;
		if (on_row != NULL)
			code = on_row(arg, row, &m);
		if (code == 0)
			code = grant(c, seq, &taken, err);
	}
	return code;
}

int
client_follow(struct client *c, client_row_fn on_row, void *arg, dur_t wait, struct err *err)
{
	mono_t deadline = mono_now() + wait;
	const struct msg_row *row;
	union msg_any m;
	unsigned taken = 0;
	uint32_t seq;
	int code = 0;

	while (code == 0) {
		code = next(c, deadline, &row, &seq, &m, err);
		if (code == -ETIMEDOUT)
			return 0;
		if (code != 0)
			return code;
		if (row->number == MSG_RESULT && m.result.code != 0)
			return result_code(c, &m.result, err);
		if (row->number == MSG_RESULT || row->number == MSG_HELLO)
			continue;
		code = on_row(arg, row, &m);
		if (code == 0 && seq != 0)
			code = grant(c, seq, &taken, err);
	}
	return code;
}
