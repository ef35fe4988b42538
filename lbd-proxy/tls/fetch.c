/* A POST: name, connect, send, read until the end, each when the socket is ready, all within one time. HTTP/1.0, so that the
 * end of the answer is the end of the stream and nothing is sent in chunks. The head is read by the strict parser. */
#include "fetch.h"

#include "base/buf.h"
#include "base/mem.h"
#include "http/h1_parse.h"
#include "sys/sock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct fetch {
	struct loop *loop;
	struct resolve *name;
	struct loop_timer timer;
	struct loop_fd io;
	int fd; /* -1: none */
	uint16_t port;
	bool over;
	struct buf out, in;
	size_t sent;
	fetch_fn fn;
	void *arg;
};

static void
release(void *arg)
{
	struct fetch *f = arg;

	resolver_unwatch(f->name);
	loop_timer_fini(&f->timer);
	if (f->fd != -1) {
		loop_fd_fini(&f->io);
		(void)close(f->fd);
	}
	buf_fini(&f->out);
	buf_fini(&f->in);
	free(f);
}

/* Objects end after the callback that they are in. */
static void
end(struct fetch *f, const char *why, const uint8_t *p, size_t len)
{
	f->over = true;
	loop_timer_cancel(&f->timer);
	if (f->fd != -1)
		loop_fd_want(&f->io, 0);
	f->fn(f->arg, why, p, len);
	loop_defer(f->loop, release, f);
}

static void
answered(struct fetch *f)
{
	struct h1_head *h = mem_alloc(sizeof(*h));
	char why[60];
	size_t body;

	h1_head_init(h, true, FETCH_MOST);
	if (h1_head_parse(h, (const char *)f->in.p, f->in.len) != H1_DONE) {
		end(f, "the responder does not speak HTTP", NULL, 0);
	} else if (h->status != 200) {
		(void)snprintf(why, sizeof(why), "the responder answers with status %u", h->status);
		end(f, why, NULL, 0);
	} else {
		body = f->in.len - h->length;
		if (h->chunked || (h->has_length && h->body_length > body))
			end(f, "the answer of the responder is cut short", NULL, 0);
		else
			end(f, NULL, f->in.p + h->length,
			    h->has_length ? (size_t)h->body_length : body);
	}
	free(h);
}

static void
receive(struct fetch *f)
{
	uint8_t part[4096];
	ssize_t n = recv(f->fd, part, sizeof(part), MSG_DONTWAIT);

	if (n > 0 && f->in.len + (size_t)n <= FETCH_MOST)
		buf_put(&f->in, part, (size_t)n);
	else if (n > 0)
		end(f, "the answer of the responder is too long", NULL, 0);
	else if (n == 0)
		answered(f);
	else if (errno != EAGAIN && errno != EINTR)
		end(f, strerror(errno), NULL, 0);
}

static void
on_ready(void *arg, unsigned ready)
{
	struct fetch *f = arg;
	int code = f->sent == 0 ? sock_error(f->fd) : 0;
	ssize_t n;

	if (f->over)
		return;
	if (code != 0) {
		end(f, strerror(-code), NULL, 0);
		return;
	}
	if (f->sent == f->out.len) {
		if ((ready & LOOP_READ) != 0)
			receive(f);
		return;
	}
	n = send(f->fd, f->out.p + f->sent, f->out.len - f->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		f->sent += (size_t)n;
	else if (n == -1 && errno != EAGAIN && errno != EINTR)
		end(f, strerror(errno), NULL, 0);
	if (!f->over && f->sent == f->out.len)
		loop_fd_want(&f->io, LOOP_READ);
}

static void
on_name(void *arg, const struct resolve_place *p, const char *why)
{
	struct fetch *f = arg;

	if (f->over || f->fd != -1)
		return;
	if (p->addr.family == 0) {
		end(f, why, NULL, 0);
		return;
	}
	f->fd = sock_connect_tcp(&p->addr, f->port);
	if (f->fd < 0) {
		int code = f->fd;

		f->fd = -1;
		end(f, strerror(-code), NULL, 0);
		return;
	}
	loop_fd_init(&f->io, f->loop, f->fd, on_ready, f);
	loop_fd_want(&f->io, LOOP_WRITE);
}

static void
on_timer(void *arg)
{
	end(arg, "the responder did not answer in time", NULL, 0);
}

/* http://HOST[:PORT][/PATH]; an IPv6 address in brackets. false: it is something else. */
static bool
split(const char *url, char host[RESOLVE_HOST], uint16_t *port, const char **path)
{
	const char *at, *end;
	unsigned long n = 80;
	char *stop;

	if (strncmp(url, "http://", 7) != 0 || strpbrk(url, " \t\r\n#") != NULL)
		return false;
	at = url + 7;
	end = at[0] == '[' ? strchr(at, ']') : at + strcspn(at, ":/?@");
	if (end == NULL || *end == '@' || *end == '?')
		return false;
	if (at[0] == '[')
		at++;
	if (end == at || end - at >= RESOLVE_HOST)
		return false;
	memcpy(host, at, (size_t)(end - at));
	host[end - at] = '\0';
	if (*end == ']')
		end++;
	if (*end == ':') {
		n = strtoul(end + 1, &stop, 10);
		if (stop == end + 1 || n == 0 || n > UINT16_MAX)
			return false;
		end = stop;
	}
	*port = (uint16_t)n;
	*path = *end == '\0' ? "/" : end;
	return *end == '\0' || *end == '/';
}

struct fetch *
fetch_post(struct loop *l, struct resolver *r, const char *url, const char *type, const void *body,
    size_t len, fetch_fn fn, void *arg, const char **why_out)
{
	char host[RESOLVE_HOST];
	const struct resolve_want want = { .name = host };
	const char *path;
	struct fetch *f;
	uint16_t port;

	*why_out = NULL;
	if (!split(url, host, &port, &path)) {
		*why_out = "the address of the responder is none";
		return NULL;
	}
	f = mem_alloc(sizeof(*f));
	f->loop = l;
	f->fd = -1;
	f->port = port;
	f->fn = fn;
	f->arg = arg;
	buf_printf(&f->out,
	    "POST %s HTTP/1.0\r\nHost: %.*s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
	    path, (int)strcspn(url + 7, "/"), url + 7, type, len);
	buf_put(&f->out, body, len);
	loop_timer_init(&f->timer, l, on_timer, f);
	loop_timer_set(&f->timer, FETCH_WAIT);
	f->name = resolver_watch(r, &want, on_name, f);
	return f;
}

void *
fetch_cancel(struct fetch *f)
{
	void *arg = f != NULL && !f->over ? f->arg : NULL;

	if (arg != NULL)
		release(f);
	return arg;
}
