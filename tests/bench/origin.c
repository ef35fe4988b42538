/* The server behind the proxies in the benchmarks: "/" is a body of 100 bytes, "/b/N" one of N bytes by sendfile. It reads
 * only as much of a request as the load generator beside it writes, so that it costs less than what is measured.
 *
 * origin PORT [ADDRESS] */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY (8u << 20) /* the file that all large bodies are sent from, over and over */

struct conn {
	int fd;
	bool closing;
	unsigned have;
	unsigned long left; /* of a body that is on its way */
	char buf[4096];
};
enum result { DEAD, BLOCKED, FREE };

static int poller, file;
static char small[256];
static size_t small_len;

static void
watch(struct conn *c, uint32_t events, int op)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	epoll_ctl(poller, op, c->fd, &e);
}

static enum result
pump(struct conn *c)
{
	while (c->left > 0) {
		off_t off = 0;
		ssize_t n = sendfile(c->fd, file, &off, c->left < BODY ? c->left : BODY);
		if (n < 0 && errno == EAGAIN) {
			watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
			return BLOCKED;
		}
		if (n <= 0)
			return DEAD;
		c->left -= (unsigned long)n;
	}
	return FREE;
}

static bool
put(struct conn *c, const char *s, size_t len, int flags)
{
	return send(c->fd, s, len, flags | MSG_NOSIGNAL) == (ssize_t)len;
}

/* The request whose head ends before end. */
static enum result
answer(struct conn *c, const char *end)
{
	size_t len = (size_t)(end - c->buf);
	const char *target = memchr(c->buf, ' ', len);
	char head[160];

	if (target == NULL)
		return DEAD;
	c->closing = memmem(c->buf, len, "onnection: close", 16) != NULL;
	bool large = strncmp(target, " /b/", 4) == 0;
	if (!large && !c->closing)
		return put(c, small, small_len, 0) ? FREE : DEAD;
	c->left = large ? strtoul(target + 4, NULL, 10) : 4;
	int n = snprintf(head, sizeof(head),
	    "HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Length: %lu\r\n%s\r\n%s", c->left,
	    c->closing ? "Connection: close\r\n" : "", large ? "" : "bye\n");
	if (!large)
		c->left = 0;
	return put(c, head, (size_t)n, large ? MSG_MORE : 0) ? pump(c) : DEAD;
}

static enum result
serve(struct conn *c)
{
	const char *end;

	while ((end = memmem(c->buf, c->have, "\r\n\r\n", 4)) != NULL) {
		end += 4;
		enum result r = answer(c, end);
		c->have -= (unsigned)(end - c->buf);
		memmove(c->buf, end, c->have);
		if (r != FREE)
			return r;
		if (c->closing)
			return DEAD;
	}
	return c->have < sizeof(c->buf) ? FREE : DEAD;
}

static enum result
event(struct conn *c, uint32_t events)
{
	if (c->left > 0) {
		enum result r = pump(c);
		if (r != FREE)
			return r;
		watch(c, EPOLLIN, EPOLL_CTL_MOD);
		if (c->closing)
			return DEAD;
		if (c->have > 0 && (r = serve(c)) != FREE)
			return r;
	}
	if ((events & ~(uint32_t)EPOLLOUT) == 0)
		return FREE;
	ssize_t n = recv(c->fd, c->buf + c->have, sizeof(c->buf) - c->have, 0);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		return DEAD;
	c->have += n > 0 ? (unsigned)n : 0;
	return serve(c);
}

static void
accept_all(int listener)
{
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));
		if (c == NULL)
			abort();
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c->fd = fd;
		watch(c, EPOLLIN, EPOLL_CTL_ADD);
	}
}

static int
listen_on(const char *address, const char *port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = inet_addr(address) };

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 4096) != 0) {
		perror("origin: listen");
		exit(1);
	}
	return fd;
}

static void
prepare(void)
{
	struct rlimit files;

	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	small_len = (size_t)snprintf(small, sizeof(small),
	    "HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n%099d\n",
	    0);
	file = memfd_create("body", MFD_CLOEXEC);
	if (file < 0 || ftruncate(file, BODY) != 0)
		abort();
	char *m = mmap(NULL, BODY, PROT_WRITE, MAP_SHARED, file, 0);
	if (m == MAP_FAILED)
		abort();
	memset(m, 'x', BODY);
	munmap(m, BODY);
}

int
main(int argc, char **argv)
{
	struct epoll_event ev[512], e = { .events = EPOLLIN };

	if (argc < 2) {
		fprintf(stderr, "origin PORT [ADDRESS]\n");
		return 2;
	}
	prepare();
	poller = epoll_create1(EPOLL_CLOEXEC);
	int listener = listen_on(argc > 2 ? argv[2] : "127.0.0.1", argv[1]);
	epoll_ctl(poller, EPOLL_CTL_ADD, listener, &e);
	for (;;) {
		int n = epoll_wait(poller, ev, 512, -1);
		for (int i = 0; i < n; i++) {
			struct conn *c = ev[i].data.ptr;
			if (c == NULL) {
				accept_all(listener);
			} else if (event(c, ev[i].events) == DEAD) {
				close(c->fd);
				free(c);
			}
		}
	}
}
