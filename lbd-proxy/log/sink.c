/* Where lines go: a file, and a collector of syslog messages (RFC 5424; local0, severity 6). Both belong to the writer's
 * thread.
 *
 * A target that fails is told of once in the journal, and once when it works again; lines that it did not get are
 * counted. The file is opened when the first line comes, and after a reopen, so who moves it away gets none in the old one.
 * A socket without a collector is tried once a second. */
#include "logs_priv.h"

#include "base/mono.h"
#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define FILE_NAME "access.log"
#define QUEUE_SIZE (1024 * 1024)
#define HEADER_MOST 200 /* of a message */
#define AGAIN_MS 1000
#define BATCH 64
#define REFUSED_MS 10000 /* without a refusal until a collector by UDP counts as there */

/* ---- file ----------------------------------------------------------------------------------- */

static void
file_works(struct file_sink *s, const char *folder, int code)
{
	if (code != 0 && !s->faulty)
		log_err("access log: %s/" FILE_NAME ": %s; lines are lost", folder, strerror(code));
	else if (code == 0 && s->faulty)
		log_info("access log: %s/" FILE_NAME " is written again", folder);
	s->faulty = code != 0;
}

static int
file_open(struct file_sink *s, const char *folder)
{
	char path[300], *slash;

	(void)snprintf(path, sizeof(path), "%s", folder);
	for (slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0755); /* open says what is wrong */
		*slash = '/';
	}
	(void)mkdir(path, 0750);
	(void)snprintf(path, sizeof(path), "%s/" FILE_NAME, folder);
	s->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
	return s->fd == -1 ? errno : 0;
}

void
file_sink_flush(struct file_sink *s, const char *folder, struct sunk *n)
{
	size_t sent = 0;
	int code = s->len > 0 && s->fd == -1 ? file_open(s, folder) : 0;
	ssize_t got;

	if (s->len == 0)
		return;
	while (code == 0 && sent < s->len) {
		got = write(s->fd, s->buf + sent, s->len - sent);
		if (got == -1 && errno != EINTR)
			code = errno;
		else if (got > 0)
			sent += (size_t)got;
	}
	if (code == 0)
		n->written += s->waiting;
	else
		n->dropped += s->waiting;
	file_works(s, folder, code);
	if (code != 0)
		file_sink_close(s);
	s->len = 0;
	s->waiting = 0;
}

void
file_sink_take(struct file_sink *s, const char *folder, const struct ring_line *l, struct sunk *n)
{
	if (s->len + l->n + 1 > sizeof(s->buf))
		file_sink_flush(s, folder, n);
	memcpy(s->buf + s->len, l->p, l->n);
	s->len += l->n;
	s->buf[s->len++] = '\n';
	s->waiting++;
}

void
file_sink_close(struct file_sink *s)
{
	if (s->fd != -1)
		(void)close(s->fd);
	s->fd = -1;
}

/* ---- syslog ----------------------------------------------------------------------------------- */

static void
target_text(const struct log_target *t, char out[LOG_PATH_MAX + 1])
{
	char host[ADDR_TEXT];

	if (t->addr.family == 0) {
		(void)snprintf(out, LOG_PATH_MAX + 1, "%s", t->path);
		return;
	}
	addr_format(&t->addr, ADDR_HOST, host);
	(void)snprintf(
	    out, LOG_PATH_MAX + 1, t->addr.family == 6 ? "[%s]:%u" : "%s:%u", host, t->port);
}

static void
syslog_works(struct syslog_sink *s, int code)
{
	char text[LOG_PATH_MAX + 1];

	target_text(&s->target, text);
	if (code != 0 && !s->faulty)
		log_err("access log: syslog %s: %s", text, strerror(code));
	else if (code == 0 && s->faulty)
		log_info("access log: syslog %s takes lines again", text);
	s->faulty = code != 0;
}

static void
syslog_close(struct syslog_sink *s)
{
	if (s->fd != -1)
		(void)close(s->fd);
	s->fd = -1;
}

static uint64_t
waiting(const struct ring *r)
{
	size_t at = ring_tail(r);
	struct ring_line line;
	uint64_t n = 0;

	while (ring_made(r) && ring_next(r, &at, &line))
		n++;
	return n;
}

void
syslog_sink_set(struct syslog_sink *s, const struct log_target *t, struct sunk *n)
{
	if (memcmp(&s->target, t, sizeof(*t)) == 0)
		return;
	n->dropped += waiting(&s->queue);
	syslog_close(s);
	ring_fini(&s->queue);
	memset(s, 0, sizeof(*s));
	s->fd = -1;
	s->target = *t;
	s->pid = (int)getpid();
	(void)gethostname(s->host, sizeof(s->host) - 1);
	s->on = t->addr.family != 0 || t->path[0] != '\0';
}

static int
syslog_connect(struct syslog_sink *s)
{
	struct sockaddr_storage sa = { 0 };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	bool udp = s->target.addr.family != 0;
	const void *to = &un;
	socklen_t len = sizeof(un);

	if (udp) {
		len = addr_sockaddr(&s->target.addr, s->target.port, &sa);
		to = &sa;
	} else {
		memcpy(un.sun_path, s->target.path, sizeof(un.sun_path) - 1);
	}
	s->fd = socket(udp ? sa.ss_family : AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd != -1 && connect(s->fd, to, len) == 0)
		return 0;
	len = (socklen_t)errno;
	syslog_close(s);
	return (int)len;
}

/* HEADER and SD of RFC 5424 section 6: priority 134 is local0 and info. */
void
syslog_sink_take(struct syslog_sink *s, const struct ring_line *l, struct sunk *n)
{
	int64_t second = l->ms / 1000;
	char *out;
	int len;

	if (!ring_made(&s->queue) && ring_init(&s->queue, QUEUE_SIZE) != 0) {
		n->dropped++;
		return;
	}
	out = ring_reserve(&s->queue, HEADER_MOST + l->n);
	if (out == NULL) {
		n->dropped++;
		return;
	}
	line_clock_set(&s->clock, second);
	len = snprintf(out, HEADER_MOST, "<134>1 %s.%03dZ %s lbd-proxy %d access - ", s->clock.utc,
	    (int)(l->ms % 1000), s->host[0] != '\0' ? s->host : "-", s->pid);
	memcpy(out + len, l->p, l->n);
	ring_commit(&s->queue, (size_t)len + l->n, l->ms);
}

/* Some messages; how many were taken, or -errno. */
static int
send_some(struct syslog_sink *s, size_t *at)
{
	struct mmsghdr m[BATCH];
	struct iovec v[BATCH];
	struct ring_line line;
	size_t end[BATCH], next = *at;
	unsigned n = 0;
	int sent;

	while (n < BATCH && ring_next(&s->queue, &next, &line)) {
		v[n] = (struct iovec){ (void *)(uintptr_t)line.p, line.n };
		m[n] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &v[n], .msg_iovlen = 1 } };
		end[n++] = next;
	}
	if (n == 0)
		return 0;
	sent = sendmmsg(s->fd, m, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent > 0)
		*at = end[sent - 1];
	else if (errno == EMSGSIZE || (errno == ECONNREFUSED && s->target.addr.family != 0))
		*at = end[0]; /* this one, or by UDP one before, is lost */
	return sent > 0 ? sent : -errno;
}

void
syslog_sink_flush(struct syslog_sink *s, int64_t now_ms, struct sunk *n)
{
	size_t at;
	int code;

	if (ring_empty(&s->queue))
		return;
	if (s->fd == -1) {
		if (now_ms < s->again_ms)
			return;
		s->again_ms = now_ms + AGAIN_MS;
		code = syslog_connect(s);
		if (code != 0) {
			syslog_works(s, code);
			return;
		}
	}
	for (at = ring_tail(&s->queue); (code = send_some(s, &at)) != 0;) {
		ring_release(&s->queue, at);
		if (code > 0) {
			n->written += (uint64_t)code;
			continue;
		}
		if (code == -EMSGSIZE || (code == -ECONNREFUSED && s->target.addr.family != 0)) {
			n->dropped++;
			s->refused_ms = now_ms;
			syslog_works(s, -code);
			continue;
		}
		if (code == -EAGAIN || code == -ENOBUFS || code == -EINTR)
			return; /* it does not take them now */
		syslog_works(s, -code);
		syslog_close(s);
		s->again_ms = now_ms + AGAIN_MS;
		return;
	}
	if (s->refused_ms == 0 || now_ms - s->refused_ms > REFUSED_MS)
		syslog_works(s, 0);
}
