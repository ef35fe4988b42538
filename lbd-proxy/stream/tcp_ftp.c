/* FTP through the proxy.
 *
 * The control connection is read line by line. When the client asks for a data connection (PASV, EPSV) and the server answers where
 * it waits, we wait in its place, at the virtual address, and the client is told that. Only that client is taken there, and is
 * connected to the address of its own server whatever the server has said, so that nobody can be led elsewhere. The server's word is
 * good for one connection, and for as long as the control connection lasts and asks for no other. */
#include "tcp_ftp.h"

#include "base/mem.h"
#include "base/must.h"
#include "sys/sock.h"

#include "ftp_text.h"
#include "net/listener.h"
#include "tcp_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FTP_MAGIC 0x6f747e11
#define FTP_READ (16 * 1024)
#define FTP_ASKED 64 /* of a client that does not wait for answers so many are remembered */

struct ftp {
	uint32_t magic;
	unsigned users;	   /* the control connection and its data connections */
	struct tcp *owner; /* NULL: it has ended */
	unsigned asked;	   /* PASV and EPSV without their answer */
	struct ftp_replies replies;
	bool cut[2];  /* to the server, to the client: in the middle of a line that is too long */
	struct io io; /* waits for the client; -1: for nobody */
	uint16_t at;  /* port where it waits */
	uint16_t server_port; /* where the server does */
};

struct ftp *
ftp_new(struct tcp *control)
{
	struct ftp *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->magic = FTP_MAGIC;
	f->users = 1;
	f->owner = control;
	io_init(&f->io, -1);
	return f;
}

static void
wait_no_more(struct ftp *f)
{
	struct worker *w = f->owner->c->w;

	if (io_fd(&f->io) == -1)
		return;
	io_close(&f->io, &w->poller);
	proxy_fd_give(w->px, 1);
}

void
ftp_leave(struct ftp *f, const struct tcp *t)
{
	if (f == NULL)
		return;
	must_obj(f, FTP_MAGIC);
	if (t != NULL && f->owner == t) {
		wait_no_more(f);
		f->owner = NULL;
	}
	if (--f->users > 0)
		return;
	f->magic = 0;
	free(f);
}

bool
ftp_busy(const struct ftp *f)
{
	return f->users > 1;
}

uint32_t
ftp_server(const struct ftp *f)
{
	const struct wsrv *s = f->owner != NULL ? f->owner->seat.srv : NULL;

	return s != NULL ? s->srv->id : 0;
}

static void
on_client(struct io *io, unsigned ready)
{
	struct ftp *f = container_of(io, struct ftp, io);
	struct tcp *t = f->owner;
	struct conn *c;

	(void)ready;
	must_obj(f, FTP_MAGIC);
	if (listener_accept(io, t->c->svc, f->at, &c) != 0)
		return; /* told again in the next turn, unless nobody is there any more */
	if (!addr_same_host(&c->addr, &t->c->addr)) {
		COUNT(c->svc->n->refused_total);
		conn_reset(c);
		return;
	}
	wait_no_more(f);
	f->users++;
	tcp_begin_data(c, f, t, f->server_port);
}

/* Where the client finds us, at the address that it came to. 0: nowhere. */
static uint16_t
wait_for_client(struct ftp *f, struct addr *at)
{
	struct conn *c = f->owner->c;
	const struct view *v = c->svc->view;
	uint16_t port;
	int fd;

	wait_no_more(f);
	if (sock_name(io_fd(&c->io), at, &port) != 0 || !proxy_fd_take(c->w->px, 1))
		return 0;
	fd = sock_listen_free(at, v->ftp_low, v->ftp_high, (unsigned)c->w->serial, &f->at);
	if (fd < 0) {
		proxy_fd_give(c->w->px, 1);
		return 0;
	}
	io_init(&f->io, fd);
	if (io_watch_read(&f->io, &c->w->poller, on_client) != 0) {
		wait_no_more(f);
		return 0;
	}
	return f->at;
}

/* A line of the server; bytes written at out. */
static size_t
answer(struct ftp *f, const char *line, size_t n, char *out)
{
	unsigned code = ftp_reply(&f->replies, line, n);
	uint16_t port = ftp_port(code, line, n);
	struct addr at = { 0 };

	if (f->asked == 0 || (code != 227 && code != 229)) {
		memcpy(out, line, n);
		return n;
	}
	f->asked--;
	f->server_port = port;
	return ftp_say(code, &at, port != 0 ? wait_for_client(f, &at) : 0, out);
}

/* A line of the client. */
static size_t
command(struct ftp *f, const char *line, size_t n, char *out)
{
	const char *other = ftp_instead(line, n);

	if (ftp_asks(line, n) && f->asked < FTP_ASKED)
		f->asked++;
	if (other != NULL) {
		line = other;
		n = strlen(other);
	}
	memcpy(out, line, n);
	return n;
}

/* Lines at p, to out; how many bytes of p were used. all: no more comes. */
static size_t
convert(struct ftp *f, bool up, const char *p, size_t n, bool all, char *out, size_t *len_out)
{
	const char *at = p, *end = p + n;
	char *to = out;

	while (at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		size_t line = lf != NULL ? (size_t)(lf - at) + 1 : (size_t)(end - at);

		if (lf == NULL && !all && !f->cut[up] && line < FTP_LINE_MAX)
			break;
		if (lf == NULL || f->cut[up]) {
			memcpy(to, at, line);
			to += line;
			f->cut[up] = lf == NULL;
		} else if (up) {
			to += command(f, at, line, to);
		} else {
			to += answer(f, at, line, to);
		}
		at += line;
	}
	*len_out = (size_t)(to - out);
	return (size_t)(at - p);
}

/* No command of ours is longer than four times what it stands for, and so many answers can be. */
_Static_assert(4 * FTP_READ + FTP_ASKED * FTP_SAY_MAX <= SCRATCH_OUT, "out is too small");

enum flow_result
ftp_run(struct ftp *f, struct flow *flow)
{
	struct conn *from = flow->from, *to = flow->to;
	struct worker *w = from->w;
	size_t used, len;
	ssize_t n;
	int code = conn_flush(to);

	must_obj(f, FTP_MAGIC);
	flow->moved = false;
	if (code != 0)
		return code < 0 ? FLOW_TO : FLOW_FULL;
	n = conn_recv(from, w->in, FTP_READ);
	if (n == -ENODATA)
		return FLOW_END;
	if (n < 0)
		return FLOW_FROM;
	if (n == 0)
		return conn_watch(from) ? FLOW_EMPTY : FLOW_FROM;
	flow->moved = true;
	used = convert(
	    f, from->client, (const char *)w->in, (size_t)n, from->eof, (char *)w->out, &len);
	if (conn_keep(from, w->in + used, (size_t)n - used) != 0)
		return FLOW_FROM;
	code = len > 0 ? conn_send(to, w->out, len) : 0;
	if (code != 0)
		return code < 0 ? FLOW_TO : FLOW_FULL;
	if (from->eof && conn_kept(from) == 0)
		return FLOW_END;
	if (from->can_read)
		return FLOW_TURN;
	return conn_watch(from) ? FLOW_EMPTY : FLOW_FROM;
}
