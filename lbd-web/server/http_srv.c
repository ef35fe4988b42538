/* The only place that knows libmicrohttpd. Each listener is one of its daemons in epoll mode without threads:
 * its epoll descriptor is watched by our loop, and after every run the time it wants to be called again becomes
 * a timer. A request object is made when the request line is there, filled with the body up to the allowed size,
 * handed to the program once, and freed when the library says that the exchange is over.
 *
 * Bodies are kept whole; the library's own decoders of forms, cookies and percent signs are not used (decode.c
 * does that). Connections that wait for an answer or for the next event are suspended: the library neither polls
 * them nor times them out, so whoever suspends one must wake it. */
#include "http_srv.h"
#include "base/mem.h"
#include "base/must.h"
#include "sys/log.h"
#include "tls_serve.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SWALLOW_MAX ((size_t)1 << 20) /* of a body that is too long, before the connection is cut */
#define CLOSE_GRACE DUR_S(15)	      /* for the requests of a listener that goes away */
/* Forward secrecy and AEAD alone, as the services' profile "intermediate" has them. */
#define TLS_PRIORITIES                                                             \
	"SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-DHE-RSA:-CIPHER-ALL:" \
	"+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305"

struct header {
	struct list in;
	char *name, *value;
};
/* A pulled answer; the library may free it after the request. */
struct http_flow {
	struct http_rq *rq;
	const struct http_pull *pull;
	void *state;
	struct buf piece;
	size_t at;
};
struct http_port {
	struct list in_srv;
	struct http_srv *srv;
	struct MHD_Daemon *d;
	struct loop_fd fd;
	struct loop_timer timer;
	struct list requests;
	bool tls, adopted, closing;
	uint16_t port;
	mono_t close_at;
};
struct http_srv {
	struct loop *loop;
	struct http_ops ops;
	struct list ports;
};

static void port_free(void *arg);

/* ---- requests ---- */

static void *
request_new(void *arg, const char *uri, struct MHD_Connection *conn)
{
	struct http_port *p = arg;
	struct http_rq *rq = mem_alloc(sizeof(*rq));
	size_t n = strcspn(uri, "?");

	rq->path = mem_text(uri);
	rq->path[n] = '\0';
	rq->query = mem_text(uri[n] == '?' ? uri + n + 1 : "");
	rq->port = p;
	rq->conn = conn;
	rq->tls = p->tls;
	list_init(&rq->headers);
	list_push(&p->requests, &rq->in_port);
	return rq;
}

static void
request_free(struct http_rq *rq)
{
	struct list *it, *n;

	list_each_safe(it, n, &rq->headers)
	{
		struct header *h = container_of(it, struct header, in);

		free(h->name);
		free(h->value);
		free(h);
	}
	if (rq->flow != NULL)
		rq->flow->rq = NULL;
	if (rq->response != NULL)
		MHD_destroy_response(rq->response);
	list_del(&rq->in_port);
	buf_fini(&rq->body);
	free(rq->path);
	free(rq->query);
	free(rq);
}

static void
completed(void *arg, struct MHD_Connection *conn, void **state, enum MHD_RequestTerminationCode why)
{
	(void)arg;
	(void)conn;
	(void)why;
	if (*state != NULL)
		request_free(*state);
	*state = NULL;
}

static void
take_source(struct http_rq *rq)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(rq->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	uint16_t port;

	if (info != NULL && info->client_addr != NULL)
		(void)addr_from_sockaddr(info->client_addr, &rq->source, &port); /* else family 0 */
}

static enum MHD_Result
queue(struct http_rq *rq)
{
	struct MHD_Response *r = rq->response;
	enum MHD_Result ok;

	rq->queued = true;
	rq->response = NULL;
	ok = MHD_queue_response(rq->conn, rq->status, r);
	MHD_destroy_response(r); /* the connection has a reference of its own */
	return ok;
}

static enum MHD_Result
hand_over(struct http_rq *rq)
{
	const struct http_ops *ops = &rq->port->srv->ops;

	ops->request(ops->arg, rq);
	if (rq->answered)
		return queue(rq);
	MHD_suspend_connection(rq->conn);
	rq->suspended = true;
	return MHD_YES;
}

static enum MHD_Result
begin(struct http_rq *rq, const char *method)
{
	const struct http_ops *ops = &rq->port->srv->ops;
	const char *length = http_header(rq, "Content-Length");

	rq->begun = true;
	rq->method = method;
	take_source(rq);
	if (strlen(rq->path) + strlen(rq->query) > HTTP_URI_MAX)
		return MHD_NO;
	if (length != NULL && strtoull(length, NULL, 10) > ops->body_max(ops->arg, rq)) {
		rq->too_large = true;
		return hand_over(rq); /* before the body: the connection is closed after it */
	}
	return MHD_YES;
}

static enum MHD_Result
on_access(void *arg, struct MHD_Connection *conn, const char *url, const char *method,
    const char *version, const char *data, size_t *size, void **state)
{
	struct http_rq *rq = *state;
	const struct http_ops *ops = &((struct http_port *)arg)->srv->ops;

	(void)conn;
	(void)url;
	(void)version;
	if (rq == NULL)
		return MHD_NO;
	if (!rq->begun)
		return begin(rq, method);
	if (*size > 0) {
		if (rq->body.len + *size <= ops->body_max(ops->arg, rq) && !rq->too_large) {
			buf_put(&rq->body, data, *size);
		} else {
			rq->body.len = rq->too_large ? rq->body.len + *size : *size;
			rq->too_large = true;
			if (rq->body.len > SWALLOW_MAX)
				return MHD_NO;
		}
		*size = 0;
		return MHD_YES;
	}
	if (rq->too_large)
		rq->body.len = 0;
	if (rq->answered && !rq->queued)
		return queue(rq);
	return hand_over(rq);
}

const char *
http_header(const struct http_rq *rq, const char *name)
{
	return MHD_lookup_connection_value(rq->conn, MHD_HEADER_KIND, name);
}

/* ---- answers ---- */

void
http_set(struct http_rq *rq, const char *name, const char *value)
{
	struct header *h = mem_alloc(sizeof(*h));

	h->name = mem_text(name);
	h->value = mem_text(value);
	for (char *p = h->value; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' '; /* nothing that a header is made of may split it */
	list_push(&rq->headers, &h->in);
}

static void
resume(struct http_rq *rq)
{
	if (!rq->suspended)
		return;
	rq->suspended = false;
	MHD_resume_connection(rq->conn);
	loop_timer_set(&rq->port->timer, 0);
}

static void
answer(struct http_rq *rq, unsigned status, struct MHD_Response *r)
{
	struct list *it;

	must(!rq->answered && r != NULL);
	list_each(it, &rq->headers)
	{
		struct header *h = container_of(it, struct header, in);

		/* refused when it is empty or not plain: then it is left out, since it may stem from the request */
		(void)MHD_add_response_header(r, h->name, h->value);
	}
	rq->response = r;
	rq->status = status;
	rq->answered = true;
	resume(rq); /* does nothing within the handler */
}

void
http_send(struct http_rq *rq, unsigned status, struct buf *b)
{
	if (b->p == NULL)
		buf_put(b, "", 0);
	answer(rq, status,
	    b->p == NULL
		? MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT)
		: MHD_create_response_from_buffer(b->len, b->p, MHD_RESPMEM_MUST_FREE));
	*b = (struct buf){ 0 };
}

void
http_send_static(struct http_rq *rq, unsigned status, const void *p, size_t len)
{
	answer(rq, status,
	    MHD_create_response_from_buffer(len, (void *)(uintptr_t)p, MHD_RESPMEM_PERSISTENT));
}

void
http_later(struct http_rq *rq)
{
	must(!rq->answered);
}

/* Pieces are made at the program's size and given out at the library's. */
static ssize_t
on_pull(void *arg, uint64_t pos, char *out, size_t room)
{
	struct http_flow *f = arg;
	size_t n;

	(void)pos;
	if (f->at == f->piece.len) {
		enum http_more more;

		f->piece.len = f->at = 0;
		more =
		    f->rq == NULL || f->rq->ending ? HTTP_END : f->pull->more(f->state, &f->piece);
		if (more == HTTP_END)
			return MHD_CONTENT_READER_END_OF_STREAM;
		if (more == HTTP_WAIT) {
			MHD_suspend_connection(f->rq->conn);
			f->rq->suspended = true;
			return 0;
		}
		must(f->piece.len > 0);
	}
	n = f->piece.len - f->at;
	n = n < room ? n : room;
	memcpy(out, f->piece.p + f->at, n);
	f->at += n;
	return (ssize_t)n;
}

static void
pull_end(void *arg)
{
	struct http_flow *f = arg;

	f->pull->fini(f->state);
	if (f->rq != NULL)
		f->rq->flow = NULL;
	buf_fini(&f->piece);
	free(f);
}

void
http_send_pull(struct http_rq *rq, unsigned status, const struct http_pull *pull, void *state)
{
	struct http_flow *f = mem_alloc(sizeof(*f));

	*f = (struct http_flow){ .rq = rq, .pull = pull, .state = state };
	rq->flow = f;
	answer(rq, status,
	    MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, on_pull, f, pull_end));
}

void
http_wake(struct http_rq *rq)
{
	resume(rq);
}

/* ---- listeners ---- */

static void
run(struct http_port *p)
{
	MHD_UNSIGNED_LONG_LONG ms;

	(void)MHD_run(p->d); /* MHD_NO only for daemons with threads */
	if (MHD_get_timeout(p->d, &ms) == MHD_YES)
		loop_timer_set(&p->timer, DUR_MS(ms));
	else
		loop_timer_cancel(&p->timer);
}

static void
closing_step(struct http_port *p)
{
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(p->d, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	if (info->num_connections == 0 || mono_now() > p->close_at)
		loop_defer(p->srv->loop, port_free, p);
	else
		loop_timer_set(&p->timer, DUR_MS(200));
}

static void
on_ready(void *arg, unsigned ready)
{
	(void)ready;
	run(arg);
}

static void
on_timer(void *arg)
{
	struct http_port *p = arg;

	run(p);
	if (p->closing)
		closing_step(p);
}

static size_t
keep_encoded(void *arg, struct MHD_Connection *conn, char *text)
{
	(void)arg;
	(void)conn;
	return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void
on_log(void *arg, const char *fmt, va_list ap)
{
	char line[300];

	(void)arg;
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	log_debug("http: %s", line);
}

static int
listen_socket(int family, uint16_t port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, off = 0,
	    saved;
	bool v6 = family == AF_INET6;

	if (fd == -1)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1 ||
	    (v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == -1) ||
	    (v6 ? bind(fd, (struct sockaddr *)&six, sizeof(six))
		: bind(fd, (struct sockaddr *)&four, sizeof(four))) == -1 ||
	    listen(fd, 128) == -1) {
		saved = errno;
		(void)close(fd);
		return -saved;
	}
	return fd;
}

static int
port_daemon(struct http_port *p, int fd, struct err *err)
{
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
			 (p->tls ? MHD_USE_TLS : 0);
	struct MHD_OptionItem tls[] = { { MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, tls_serve_hook() },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES },
		{ MHD_OPTION_END, 0, NULL } };
	struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };

	p->d = MHD_start_daemon(flags, p->port, NULL, NULL, on_access, p,
	    MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_URI_LOG_CALLBACK, request_new, p, MHD_OPTION_NOTIFY_COMPLETED, completed, p,
	    MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, NULL, MHD_OPTION_CONNECTION_LIMIT,
	    HTTP_CONNS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT, HTTP_CONNS_SOURCE_MAX,
	    MHD_OPTION_CONNECTION_TIMEOUT, HTTP_IDLE_S, MHD_OPTION_STRICT_FOR_CLIENT, 1,
	    MHD_OPTION_ARRAY, p->tls ? tls : none, MHD_OPTION_END);
	if (p->d == NULL)
		return err_set(err, -EIO, "port %u: the HTTP server did not start", p->port);
	return 0;
}

static int
port_new(struct http_srv *s, bool tls, bool adopted, uint16_t port, int fd, struct err *err)
{
	struct http_port *p = mem_alloc(sizeof(*p));
	int rc;

	p->srv = s;
	p->tls = tls;
	p->adopted = adopted;
	p->port = port;
	list_init(&p->requests);
	rc = port_daemon(p, fd, err);
	if (rc != 0) {
		free(p);
		return rc;
	}
	loop_timer_init(&p->timer, s->loop, on_timer, p);
	loop_fd_init(&p->fd, s->loop, MHD_get_daemon_info(p->d, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
	    on_ready, p);
	loop_fd_want(&p->fd, LOOP_READ);
	list_push(&s->ports, &p->in_srv);
	loop_timer_set(&p->timer, 0);
	return 0;
}

/* Everything that rests must be awake before the library may be stopped. */
static void
end_all(struct http_port *p)
{
	struct list *it, *n;

	list_each_safe(it, n, &p->requests)
	{
		struct http_rq *rq = container_of(it, struct http_rq, in_port);

		rq->ending = true;
		if (rq->answered)
			resume(rq);
	}
}

static void
port_free(void *arg)
{
	struct http_port *p = arg;
	struct list *it;

	end_all(p);
	list_each(it, &p->requests) resume(container_of(it, struct http_rq, in_port));
	loop_fd_fini(&p->fd);
	loop_timer_cancel(&p->timer);
	MHD_stop_daemon(p->d);
	loop_timer_fini(&p->timer);
	list_del(&p->in_srv);
	free(p);
}

static void
port_close(struct http_port *p)
{
	int fd = MHD_quiesce_daemon(p->d);

	if (fd >= 0)
		(void)close(fd);
	p->closing = true;
	p->close_at = mono_now() + CLOSE_GRACE;
	end_all(p);
	loop_timer_set(&p->timer, 0);
}

int
http_srv_listen(struct http_srv *s, bool tls, uint16_t port, struct err *err)
{
	struct http_port *old = NULL;
	struct list *it;
	int fd, rc;

	list_each(it, &s->ports)
	{
		struct http_port *p = container_of(it, struct http_port, in_srv);

		if (!p->closing && p->port == port && p->tls == tls)
			return 0;
		if (!p->closing && !p->adopted && p->tls == tls)
			old = p;
	}
	fd = listen_socket(AF_INET6, port);
	if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)
		fd = listen_socket(AF_INET, port);
	if (fd < 0)
		return err_set(err, fd, "port %u cannot be listened on: %s", port, strerror(-fd));
	rc = port_new(s, tls, false, port, fd, err);
	if (rc != 0)
		(void)close(fd);
	else if (old != NULL)
		port_close(old);
	return rc;
}

int
http_srv_adopt(struct http_srv *s, bool tls, int fd, struct err *err)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr a;
	uint16_t port;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1)
		return err_set(
		    err, -errno, "socket %d that was handed over: %s", fd, strerror(errno));
	if (addr_from_sockaddr((struct sockaddr *)&ss, &a, &port) != 0)
		return err_set(
		    err, ERR_INVALID, "socket %d that was handed over is not TCP over IP", fd);
	return port_new(s, tls, true, port, fd, err);
}

struct http_srv *
http_srv_new(struct loop *l, const struct http_ops *ops)
{
	struct http_srv *s = mem_alloc(sizeof(*s));

	s->loop = l;
	s->ops = *ops;
	list_init(&s->ports);
	return s;
}

void
http_srv_free(struct http_srv *s)
{
	struct list *it, *n;

	if (s == NULL)
		return;
	list_each_safe(it, n, &s->ports) port_free(container_of(it, struct http_port, in_srv));
	free(s);
}
