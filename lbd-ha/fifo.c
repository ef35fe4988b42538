/* fifo.c - the pipe RUN/ha.events: one line for each change of the role.
 *
 * It is held open for reading too, so a line is written whether somebody reads or not, and a reader that was started
 * again, or is late, finds what it has missed. What does not fit into the pipe waits here, FIFO_LINES at most; then the
 * oldest of those gives way, and the next line that is written says how many were lost. A line is shorter than what the
 * kernel writes whole (PIPE_BUF), so lines never mix. */
#include "fifo.h"

#include "role_turn.h"

#include "base/mem.h"
#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIFO_LINES 256
#define FIFO_BYTES 4096 /* of the pipe */

struct fifo {
	int fd; /* -1: there is none */
	struct loop_fd io;
	unsigned first, n; /* lines that wait */
	uint64_t lost;	   /* before the first of them */
	char line[FIFO_LINES][TURN_LINE];
};

/* True: it is in the pipe, or can never be. */
static bool
put_out(struct fifo *f, const char *text, size_t len)
{
	ssize_t n;

	do
		n = write(f->fd, text, len);
	while (n == -1 && errno == EINTR);
	return n != -1 || errno != EAGAIN;
}

static void
flush(struct fifo *f)
{
	char text[TURN_LINE];

	if (f->lost > 0 && put_out(f, text, turn_lost(f->lost, text)))
		f->lost = 0;
	while (f->lost == 0 && f->n > 0) {
		const char *line = f->line[f->first];

		if (!put_out(f, line, strlen(line)))
			break;
		f->first = (f->first + 1) % FIFO_LINES;
		f->n--;
	}
	loop_fd_want(&f->io, f->n > 0 ? LOOP_WRITE : 0);
}

static void
on_room(void *arg, unsigned ready)
{
	(void)ready;
	flush(arg);
}

void
fifo_put(struct fifo *f, const char *line, size_t len)
{
	char *to;

	if (f->fd == -1 || len >= TURN_LINE)
		return;
	if (f->n == FIFO_LINES) {
		f->first = (f->first + 1) % FIFO_LINES;
		f->n--;
		f->lost++;
	}
	to = f->line[(f->first + f->n++) % FIFO_LINES];
	memcpy(to, line, len);
	to[len] = '\0';
	flush(f);
}

static int
open_pipe(const char *path)
{
	struct stat st;
	int fd;

	if (mkfifo(path, 0600) == -1 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode)) {
		(void)fcntl(fd, F_SETPIPE_SZ, FIFO_BYTES); /* fails when more lies in it already */
		return fd;
	}
	(void)close(fd);
	return -EEXIST;
}

struct fifo *
fifo_new(struct loop *l, const char *path)
{
	struct fifo *f = mem_alloc(sizeof(*f));

	f->fd = open_pipe(path);
	if (f->fd < 0) {
		log_warn("%s: no pipe can be made: %s", path, strerror(-f->fd));
		f->fd = -1;
		return f;
	}
	loop_fd_init(&f->io, l, f->fd, on_room, f);
	return f;
}

void
fifo_free(struct fifo *f)
{
	if (f == NULL)
		return;
	if (f->fd != -1) {
		loop_fd_fini(&f->io);
		(void)close(f->fd);
	}
	free(f);
}
