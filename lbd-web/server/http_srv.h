/* http_srv.h - HTTP and HTTPS through libmicrohttpd, inside our loop. Hands over whole requests (head and body)
 * and takes whole answers, answers that are pulled piece by piece, or none yet (http_later). */
#ifndef HTTP_SRV_H
#define HTTP_SRV_H

#include "base/addr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "sys/loop.h"

#define HTTP_URI_MAX 8192
#define HTTP_CONNS_MAX 512	  /* of one listener */
#define HTTP_CONNS_SOURCE_MAX 128 /* of one client address */
#define HTTP_IDLE_S 30

struct MHD_Connection;
struct MHD_Response;
struct http_srv;
struct http_port;
struct http_flow;

/* One request; lives until its answer is sent or its connection is gone. */
struct http_rq {
	const char *method; /* borrowed from the library */
	char *path, *query; /* as sent, still encoded; query "" when absent */
	struct addr source; /* of the client */
	bool tls;
	bool too_large; /* the body is longer than ops.body_max allows: it was not kept */
	struct buf body;
	/* of http_srv.c alone */
	struct list in_port;
	struct http_port *port;
	struct MHD_Connection *conn;
	struct MHD_Response *response;
	struct list headers;
	unsigned status;
	bool begun, answered, queued, suspended, ending;
	struct http_flow *flow;
};

struct http_ops {
	void (*request)(void *arg, struct http_rq *rq);
	size_t (*body_max)(void *arg, const struct http_rq *rq); /* asked when the head is here */
	void *arg;
};
struct http_srv *http_srv_new(struct loop *l, const struct http_ops *ops);
void http_srv_free(struct http_srv *s); /* cuts what is open; NULL is fine */

/* http_srv_listen - answer on a port of every address; with tls by the certificate of tls_serve.h. The listener of the same kind (tls or not) that was opened
 * so before is closed once the new one stands; its requests may finish. The same port again: nothing happens.
 * Returns 0 or a code with err; then the old one goes on. */
int http_srv_listen(struct http_srv *s, bool tls, uint16_t port, struct err *err);
/* http_srv_adopt - answer on a listening socket that was handed over as well; it is ours from now on. */
int http_srv_adopt(struct http_srv *s, bool tls, int fd, struct err *err);

const char *http_header(const struct http_rq *rq, const char *name);	/* of the request; NULL */
void http_set(struct http_rq *rq, const char *name, const char *value); /* for the answer; copied */
/* http_send - answer with this body, which is taken (b is empty afterwards). Exactly one answer per request. */
void http_send(struct http_rq *rq, unsigned status, struct buf *b);
void http_send_static(
    struct http_rq *rq, unsigned status, const void *p, size_t len); /* borrowed for ever */
/* http_later - the answer follows after the handler's return; until then the connection rests. */
void http_later(struct http_rq *rq);

enum http_more { HTTP_MORE, HTTP_WAIT, HTTP_END };
struct http_pull {
	/* Append something and return HTTP_MORE; or nothing: HTTP_WAIT rests until http_wake, HTTP_END ends. */
	enum http_more (*more)(void *state, struct buf *out);
	void (*fini)(void *state); /* once, however it ends */
};
void http_send_pull(struct http_rq *rq, unsigned status, const struct http_pull *pull, void *state);
void http_wake(struct http_rq *rq); /* a resting pull has something again */

#endif
