/* bus_rig.h - a bus to test against: a loop, a server that plays lbd-check, and peers made by
 * hand. */
#ifndef TESTS_UNIT_BUS_RIG_H
#define TESTS_UNIT_BUS_RIG_H

#include "base/must.h"
#include "msg/bus.h"
#include "sys/sock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RIG_WAIT DUR_S(20)

static struct rig {
	char dir[32];
	struct paths paths;
	struct loop *loop;
	struct bus *bus;
	bool (*until)(void);
	mono_t deadline;
	bool late;
	struct loop_timer poll;
} rig;

static inline void
rig_poll(void *arg)
{
	(void)arg;
	rig.late = mono_now() > rig.deadline;
	if (rig.late || rig.until())
		loop_stop(rig.loop);
	else
		loop_timer_set(&rig.poll, DUR_MS(1));
}

/* Runs the loop until the condition holds; false: it did not in time. */
static inline bool
rig_until(bool (*condition)(void))
{
	rig.until = condition;
	rig.deadline = mono_now() + RIG_WAIT;
	loop_timer_set(&rig.poll, 0);
	if (loop_run(rig.loop) != 0)
		return false;
	return !rig.late;
}

static inline int
rig_up(void **state)
{
	(void)state;
	memset(&rig, 0, sizeof(rig));
	(void)snprintf(rig.dir, sizeof(rig.dir), "/tmp/lbd-bus-XXXXXX");
	if (mkdtemp(rig.dir) == NULL || paths_init(&rig.paths, rig.dir, NULL) != 0 ||
	    paths_make(&rig.paths, NULL) != 0)
		return 1;
	rig.loop = loop_new();
	loop_timer_init(&rig.poll, rig.loop, rig_poll, NULL);
	return 0;
}

static inline int
rig_down(void **state)
{
	static const char *const made[] = { "etc/lbd", "etc", "var/lib/lbd", "var/lib", "var",
		"run/lbd", "run", "" };
	char path[100];

	(void)state;
	bus_close(rig.bus);
	loop_timer_fini(&rig.poll);
	loop_free(rig.loop);
	for (unsigned i = 0; i < ARRAY_LEN(made); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", rig.dir, made[i]);
		if (rmdir(path) == -1)
			(void)fprintf(stderr, "%s: %m\n", path);
	}
	return 0;
}

/* A peer made by hand: nothing is answered by itself. */
struct hand {
	int fd;
	uint8_t in[MSG_MAX];
	const struct msg_row *row; /* of the last packet */
	uint32_t seq;
	union msg_any m;
	unsigned rows, results; /* packets so far */
	bool closed;
};

static inline void
hand_send_raw(struct hand *h, const void *p, size_t len)
{
	(void)send(h->fd, p, len, MSG_NOSIGNAL);
}

static inline void
hand_send(struct hand *h, unsigned number, uint32_t seq, const void *payload)
{
	struct buf b = { 0 };

	msg_encode(number, seq, payload, &b);
	hand_send_raw(h, b.p, b.len);
	buf_fini(&b);
}

/* Whatever is there; the last one stays in row and m. */
static inline void
hand_read(struct hand *h)
{
	struct err err;
	ssize_t n;

	while (!h->closed && (n = recv(h->fd, h->in, sizeof(h->in), MSG_DONTWAIT)) != -1) {
		if (n == 0) {
			h->closed = true;
			return;
		}
		must(msg_decode(h->in, (size_t)n, &h->row, &h->seq, &h->m, &err) == 0);
		if (h->row->number == MSG_RESULT)
			h->results++;
		else if (h->row->number != MSG_HELLO)
			h->rows++;
	}
	if (!h->closed && errno != EAGAIN)
		h->closed = true;
}

static inline void
hand_open(struct hand *h)
{
	char path[280];

	memset(h, 0, sizeof(*h));
	paths_socket(&rig.paths, "lbd-check", path);
	h->fd = sock_connect_unix(path);
	must(h->fd >= 0);
}

static inline void
hand_hello(struct hand *h, const char *program)
{
	struct msg_hello m = { .program = SPAN(program), .version = MSG_VERSION };

	hand_open(h);
	hand_send(h, MSG_HELLO, 0, &m);
}

static inline void
hand_close(struct hand *h)
{
	(void)close(h->fd);
	h->fd = -1;
}

#endif
