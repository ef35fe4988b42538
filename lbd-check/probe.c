/* probe.c - what all probes share: the connection, the end, the steps that people may watch.
 *
 * A probe connects, then its kind leads the dialogue on the one descriptor. It ends once, with a reason of
 * reasons.def; what follows is deferred to the end of the loop's turn, so neither the kind nor the owner frees
 * a descriptor inside that descriptor's callback. An owner that gives a probe up in between leaves it to the
 * deferred call to end it.
 *
 * A failure of this node (no descriptor, no port, no memory) is told apart from one of the server: it says
 * nothing about the server. Does not decide what a result means (verdict.c) nor when to probe (sched.c). */
#include "probe.h"

#include "base/mem.h"
#include "base/must.h"
#include "msg/msg.h"
#include "sys/sock.h"

#include "tls.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROBE_MAGIC 0x9b0be001

struct probing {
	unsigned magic;
	int fd;
	struct probe_ask ask;
	const struct probe_kind *kind;
	struct loop_fd io;
	struct check_tls *tls; /* NULL: plain */
	bool shaken;	       /* its handshake is complete */
	mono_t started;
	struct result result;
	bool connected, ended;
	bool told;  /* done was called */
	bool freed; /* the owner gave it up between the end and that */
	_Alignas(16) char state[];
};

static const struct probe_kind *const kinds[] = {
	[probe_tcp] = &probe_kind_tcp,
	[probe_http] = &probe_kind_http,
};

static int
reason_of(int error, bool connected)
{
	switch (error) {
	case ECONNREFUSED: return REASON_refused;
	case ECONNRESET:
	case EPIPE: return connected ? REASON_reset : REASON_refused;
	case ETIMEDOUT: return connected ? REASON_timeout : REASON_connect_timeout;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EADDRNOTAVAIL:
	case EAGAIN: return REASON_resources;
	default: return REASON_unreachable;
	}
}

static void
release(struct probing *p)
{
	p->kind->fini(p->state);
	tls_free(p->tls);
	loop_fd_fini(&p->io);
	if (p->fd != -1)
		(void)close(p->fd);
	p->magic = 0;
	free(p);
}

/* After the turn in which it ended. */
static void
finish(void *arg)
{
	struct probing *p = arg;

	must_obj(p, PROBE_MAGIC);
	if (p->freed) {
		release(p);
		return;
	}
	p->told = true;
	p->ask.done(p->ask.arg, &p->result); /* frees p */
}

void
probe_end(struct probing *p, int reason, unsigned detail)
{
	if (p->ended)
		return;
	p->ended = true;
	p->result = (struct result){ .reason = (uint16_t)reason,
		.detail = (uint16_t)detail,
		.latency_us = (uint32_t)(mono_now() - p->started) };
	loop_fd_want(&p->io, 0);
	loop_defer(p->ask.loop, finish, p);
}

void
probe_end_errno(struct probing *p, int error)
{
	probe_say(p, NULL, 0, false, "%s", strerror(error));
	probe_end(p, reason_of(error, p->connected), 0);
}

void
probe_late(struct probing *p)
{
	probe_say(p, NULL, 0, false, "the time is over");
	probe_end(p, p->connected ? REASON_timeout : REASON_connect_timeout, 0);
}

/* A server that is told of its clients by the PROXY protocol (sections 2.1, 2.2) is told that there is none: UNKNOWN, LOCAL. */
static int
introduce(struct probing *p)
{
	static const char v1[] = "PROXY UNKNOWN\r\n";
	static const char v2[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
	const char *head = p->ask.proxy_to == proxy_to_v1 ? v1 : v2;
	size_t len = p->ask.proxy_to == proxy_to_v1 ? sizeof(v1) - 1 : sizeof(v2) - 1;
	ssize_t n;

	if (p->ask.proxy_to == proxy_to_off)
		return 0;
	n = send(p->fd, head, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n != (ssize_t)len)
		return n < 0 ? -errno : -ENOBUFS; /* a new socket takes that much */
	probe_say(p, head, len, true, "PROXY header");
	return 0;
}

/* The handshake of a server that is spoken to by TLS; true: it is complete. */
static bool
shake(struct probing *p)
{
	const char *why;
	unsigned want;
	int r = tls_shake(p->tls, &want, &why);

	if (r == 0)
		loop_fd_want(&p->io, want);
	if (r >= 0) {
		p->shaken = r == 1;
		return p->shaken;
	}
	probe_say(p, NULL, 0, false, "TLS: %s", why);
	probe_end(p, REASON_tls, 0);
	return false;
}

static void
on_ready(void *arg, unsigned ready)
{
	struct probing *p = arg;
	int code;

	must_obj(p, PROBE_MAGIC);
	if (p->ended)
		return;
	if (!p->connected) {
		code = sock_error(p->fd);
		if (code != 0) {
			probe_end_errno(p, -code);
			return;
		}
		p->connected = true;
		probe_say(p, NULL, 0, false, "connected");
		code = introduce(p);
		if (code != 0) {
			probe_end_errno(p, -code);
			return;
		}
	}
	if (p->tls != NULL && !p->shaken) {
		if (!shake(p))
			return;
		ready = LOOP_WRITE;
	}
	p->kind->step(p, p->state, ready);
}

/* A server that nobody can have a word with by TLS is not fit for a service that speaks it. Another port that is only connected
 * to may be of something else. */
static bool
wants_tls(const struct probe_ask *ask, const struct probe_kind *kind)
{
	return ask->server_tls != server_tls_off && (kind->talks || ask->check->port == 0);
}

/* Now, while the rows of the configuration are there. */
static bool
secure(struct probing *p)
{
	const struct probe_ask *ask = &p->ask;
	const char *why;

	p->tls = tls_new(p->fd, ask->server_tls == server_tls_verify, ask->ca, ask->tls_name, &why);
	if (p->tls == NULL)
		probe_say(p, NULL, 0, false, "TLS: %s", why);
	return p->tls != NULL;
}

struct probing *
probe_start(const struct probe_ask *ask, struct result *out)
{
	const struct probe_kind *kind = kinds[ask->check->kind];
	char where[ADDR_TEXT];
	struct probing *p = mem_alloc(sizeof(*p) + kind->size);

	*p = (struct probing){
		.magic = PROBE_MAGIC, .ask = *ask, .kind = kind, .started = mono_now()
	};
	kind->init(p, p->state);
	addr_format(&ask->addr, ADDR_HOST, where);
	probe_say(p, NULL, 0, false, "connecting to %s port %u", where, ask->port);
	p->fd = sock_connect_tcp(&ask->addr, ask->port);
	if (p->fd < 0) {
		int error = -p->fd;

		probe_say(p, NULL, 0, false, "%s", strerror(error));
		*out = (struct result){ .reason = (uint16_t)reason_of(error, false),
			.latency_us = (uint32_t)(mono_now() - p->started) };
		p->fd = -1;
		release(p);
		return NULL;
	}
	loop_fd_init(&p->io, ask->loop, p->fd, on_ready, p);
	if (wants_tls(ask, kind) && !secure(p)) {
		*out = (struct result){ .reason = REASON_tls,
			.latency_us = (uint32_t)(mono_now() - p->started) };
		release(p);
		return NULL;
	}
	loop_fd_want(&p->io, LOOP_WRITE);
	return p;
}

void
probe_free(struct probing *p)
{
	if (p == NULL)
		return;
	must_obj(p, PROBE_MAGIC);
	if (p->ended && !p->told)
		p->freed = true; /* finish is still to come */
	else
		release(p);
}

const struct probe_ask *
probe_asked(const struct probing *p)
{
	return &p->ask;
}

ssize_t
probe_recv(struct probing *p, void *to, size_t n)
{
	return p->tls != NULL ? tls_read(p->tls, to, n) : recv(p->fd, to, n, 0);
}

ssize_t
probe_send(struct probing *p, const void *from, size_t n)
{
	return p->tls != NULL ? tls_write(p->tls, from, n) : send(p->fd, from, n, MSG_NOSIGNAL);
}

void
probe_want(struct probing *p, unsigned want)
{
	if (!p->ended)
		loop_fd_want(&p->io, want);
}

bool
probe_watched(const struct probing *p)
{
	return p->ask.step != NULL;
}

void
probe_say(struct probing *p, const void *data, size_t len, bool sent, const char *fmt, ...)
{
	struct probe_step step = { .data = data, .len = len, .sent = sent };
	char text[200];
	va_list ap;

	if (!p->ask.step)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	step.at = mono_now() - p->started;
	step.text = text;
	if (step.len > PROBE_DATA_MAX)
		step.len = PROBE_DATA_MAX;
	p->ask.step(p->ask.arg, &step);
}
