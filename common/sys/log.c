/* Log lines: to the journal in its native protocol (one datagram of NAME=value fields) when systemd
 * connected stderr to it, else to stderr as "lbd-check: text". A terminal and a file get the time
 * in front, a pipe does not: who reads it has a clock.
 *
 * A warning or error with the same text as one of the last LOG_QUIET_S seconds is counted, not
 * written. When the time is over, one line says how often it came. The text is compared whole:
 * messages that differ in a name or number are different.
 *
 * It does not block on a full journal socket (the line then goes to stderr), and it never ends
 * the process. */
#include "sys/log.h"
#include "base/mono.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024
#define HELD 32 /* different warnings that are remembered */
#define JOURNAL_SOCKET "/run/systemd/journal/socket"

struct held {
	char text[LINE_MAX_BYTES];
	enum log_priority priority;
	mono_t since; /* 0: free */
	unsigned more;
};

static struct {
	char program[32];
	int journal; /* -1: stderr */
	bool stamp;
	atomic_int most;
	pthread_mutex_t lock; /* of held */
	struct held held[HELD];
} lg = { .program = "lbd", .journal = -1, .most = LOG_P_INFO, .lock = PTHREAD_MUTEX_INITIALIZER };

/* JOURNAL_STREAM is "DEVICE:INODE" of the stream that systemd made; it must still be our stderr. */
static bool
stderr_is_journal(const struct stat *st)
{
	const char *text = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;

	return text != NULL && sscanf(text, "%llu:%llu", &dev, &ino) == 2 && dev == st->st_dev &&
	       ino == st->st_ino;
}

static int
open_journal(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd != -1 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == -1) {
		(void)close(fd);
		fd = -1;
	}
	return fd;
}

void
log_init(const char *program)
{
	struct stat st;
	bool known = fstat(STDERR_FILENO, &st) == 0;

	(void)snprintf(lg.program, sizeof(lg.program), "%s", program);
	if (lg.journal != -1)
		(void)close(lg.journal);
	lg.journal = known && stderr_is_journal(&st) ? open_journal() : -1;
	lg.stamp = known && (S_ISREG(st.st_mode) || isatty(STDERR_FILENO) == 1);
}

void
log_set_level(enum log_priority most)
{
	atomic_store_explicit(&lg.most, (int)most, memory_order_relaxed);
}

bool
log_wants(enum log_priority p)
{
	return (int)p <= atomic_load_explicit(&lg.most, memory_order_relaxed);
}

/* Text is cleaned of newlines and other control characters before, so every field is
 * "NAME=value\n". */
static bool
to_journal(enum log_priority p, const char *fields, const char *text)
{
	char head[96];
	int n = snprintf(
	    head, sizeof(head), "PRIORITY=%d\nSYSLOG_IDENTIFIER=%s\nMESSAGE=", (int)p, lg.program);
	struct iovec io[] = {
		{ head, (size_t)n },
		{ (char *)(uintptr_t)text, strlen(text) },
		{ (char *)(uintptr_t) "\n", 1 },
		{ (char *)(uintptr_t)fields, fields != NULL ? strlen(fields) : 0 },
	};
	struct msghdr m = { .msg_iov = io, .msg_iovlen = 4 };

	return sendmsg(lg.journal, &m, MSG_NOSIGNAL) != -1;
}

static void
to_stderr(const char *text)
{
	char line[LINE_MAX_BYTES + 96], stamp[40] = "";
	int64_t now = mono_wall_ms();
	time_t s = (time_t)(now / 1000);
	struct tm tm;
	int n;

	if (lg.stamp && localtime_r(&s, &tm) != NULL) {
		size_t at = strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &tm);

		(void)snprintf(stamp + at, sizeof(stamp) - at, ".%03d ", (int)(now % 1000));
	}
	n = snprintf(line, sizeof(line), "%s%s: %s\n", stamp, lg.program, text);
	(void)!write(STDERR_FILENO, line, (size_t)n); /* nowhere left to say that it failed */
}

static void
put_line(enum log_priority p, const char *fields, const char *text)
{
	if (lg.journal == -1 || !to_journal(p, fields, text))
		to_stderr(text);
}

static void
end_held(struct held *h)
{
	char line[LINE_MAX_BYTES + 64];

	h->since = 0;
	if (h->more == 0)
		return;
	(void)snprintf(line, sizeof(line), "%.*s (%u times more in %d s)", LINE_MAX_BYTES - 64,
	    h->text, h->more, LOG_QUIET_S);
	put_line(h->priority, NULL, line);
}

static void
sweep(mono_t now)
{
	for (struct held *h = lg.held; h < lg.held + HELD; h++)
		if (h->since != 0 && now - h->since >= DUR_S(LOG_QUIET_S))
			end_held(h);
}

/* Whether the same was written a moment ago; else it is remembered, in place of the oldest. */
static bool
hold_back(enum log_priority p, const char *text, mono_t now)
{
	struct held *slot = lg.held;

	for (struct held *h = lg.held; h < lg.held + HELD; h++) {
		if (h->since != 0 && h->priority == p && strcmp(h->text, text) == 0) {
			h->more++;
			return true;
		}
		if (h->since < slot->since)
			slot = h;
	}
	if (slot->since != 0)
		end_held(slot);
	(void)snprintf(slot->text, sizeof(slot->text), "%s", text);
	slot->priority = p;
	slot->since = now;
	slot->more = 0;
	return false;
}

void
log_flush(void)
{
	(void)pthread_mutex_lock(&lg.lock);
	sweep(mono_now());
	(void)pthread_mutex_unlock(&lg.lock);
}

void
log_at(enum log_priority p, const char *fields, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	int error = errno; /* for %m */
	bool quiet;
	va_list ap;

	if (!log_wants(p))
		return;
	va_start(ap, fmt);
	errno = error;
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' '; /* names from outside must not forge lines or fields */
	(void)pthread_mutex_lock(&lg.lock);
	sweep(mono_now());
	quiet = p <= LOG_P_WARN && hold_back(p, text, mono_now());
	(void)pthread_mutex_unlock(&lg.lock);
	if (!quiet)
		put_line(p, fields, text);
	errno = error;
}
