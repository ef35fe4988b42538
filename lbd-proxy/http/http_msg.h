/* http_msg.h - what a proxy changes in a head: hop-by-hop fields out, ours in (RFC 9110 section 7.6).
 * A plan is a short list of edits; everything between two edits is copied as it came, so cost follows the number of changes.
 * No I/O, no memory of its own. */
#ifndef HTTP_MSG_H
#define HTTP_MSG_H

#include <sys/uio.h>

#include "base/addr.h"
#include "h1_parse.h"
#include "http_edit.h"

#define HTTP_EDITS_MAX (H1_HEADERS_MAX + 24 + HTTP_ADDED_MAX)
#define HTTP_CLIENT_TEXT 48 /* longest textual address and a bit */
#define HTTP_IOV_MAX (2 * HTTP_EDITS_MAX + 1)

/* At source offset off: leave out cut bytes, put text there (borrowed; NULL when len is 0). Rising, never overlapping. */
struct http_edit {
	uint32_t off, cut;
	uint32_t len;
	const char *text;
};

struct http_plan {
	uint32_t start, end; /* source bytes that are forwarded, before edits */
	uint32_t out_len;    /* bytes of the head that comes out */
	uint16_t n;
	uint16_t used;	/* of room */
	uint16_t extra; /* edits beyond one for each line */
	struct http_edit edit[HTTP_EDITS_MAX];
	char room[128]; /* for inserted text that is made here */
};

/* What happens to requests of a service. Text is borrowed until the plan was written. */
struct http_request_policy {
	const char *client; /* the client's address as http_client_text makes it */
	uint8_t client_len;
	uint8_t forwarded;	/* enum forwarded (schema/enums.def) */
	uint8_t cookie_len;	/* 0: no cookie of ours to take out */
	uint8_t cut;		/* CUT_ of http_look.h */
	bool close;		/* ask the server to close after this request */
	bool distrust;		/* what the client sent of X-Forwarded-For is cut */
	bool absolute;		/* the server is a proxy: a target in absolute form keeps it */
	bool cookie_prefix;	/* only the token before its value is taken off (cookie_prefix) */
	const char *cookie;	/* name of our persistence cookie: the server never sees it */
	struct http_tell *tell; /* what else the server is told (http_tell.h); NULL: nothing */
	const struct http_edits *edits; /* of content rules; NULL: none */
};

/* What happens to a cookie that the server sets (persist_answer). */
enum http_cookie { HTTP_COOKIE_KEEP, HTTP_COOKIE_CUT, HTTP_COOKIE_REPLACE, HTTP_COOKIE_PREFIX };

/* What happens to answers. */
struct http_answer_policy {
	const char *insert; /* complete field lines with CRLF (persist_answer), or NULL */
	uint16_t insert_len;
	uint8_t client_minor; /* of the request: HTTP/1.0 needs its keep-alive said */
	bool recode;	      /* its body is compressed (http_squeeze.h) */
	bool hsts;	      /* Strict-Transport-Security of the server is taken out */
	bool keep_alive;      /* the client's connection stays open after this answer */
	uint8_t set_cookie;   /* enum http_cookie; of the name that follows */
	uint8_t cookie_len;
	const char *cookie;
	char token[16]; /* 13 that replace a value; with the mark behind it, 14 before one */
	const struct http_edits *edits; /* of content rules; NULL: none */
};

/* http_plan_request - the head that goes to the server.
 * buf is where h was parsed. Out: Connection, Keep-Alive, Proxy-Connection, TE, HTTP2-Settings, fields listed in Connection
 * (but never Host, framing, Cookie, Authorization, Cache-Control, Via, X-Forwarded-For: naming those is an attack); Upgrade
 * unless h->upgrade; our cookie; X-Forwarded-For by policy. In: X-Forwarded-For; Connection where it is needed; an absolute
 * target becomes origin form, unless by policy. The version stays the client's: a server never gets HTTP/1.1 on behalf of an HTTP/1.0 client,
 * so it never answers in a coding that the client cannot read.
 * Expect is passed on. Via is added only when it is asked for: common servers stop compressing when they see one.
 * h->length must be the head's whole length (H1_DONE). Never fails. */
void http_plan_request(struct http_plan *p, const char *buf, const struct h1_head *h,
    const struct http_request_policy *policy);

/* http_plan_answer - the head that goes to the client; after h1_frame_answer. Hop-by-hop out; Content-Length and
 * Transfer-Encoding out of 1xx, 204 and what begins a tunnel; HTTP/1.0 becomes HTTP/1.1; insert goes last, but not into 1xx. */
void http_plan_answer(struct http_plan *p, const char *buf, const struct h1_head *h,
    const struct http_answer_policy *policy);

/* http_plan_write - flat copy; out holds p->out_len bytes and does not overlap buf. Returns p->out_len. */
size_t http_plan_write(const struct http_plan *p, const char *buf, char *out);
/* http_plan_iov - the same for writev; returns how many entries were filled, 0 when max is too small (HTTP_IOV_MAX always
 * suffices). Entries point into buf and into texts that the plan borrows. */
unsigned http_plan_iov(const struct http_plan *p, const char *buf, struct iovec *iov, unsigned max);

/* http_client_text - canonical text of an address, fast; out holds HTTP_CLIENT_TEXT bytes, not terminated. Returns its length. */
size_t http_client_text(const struct addr *a, char *out);

/* http_error_answer - a whole answer with a short body, Content-Length and Connection: close; constant bytes.
 * Statuses: 400 403 404 405 408 410 413 414 417 429 431 451 500 501 502 503 504 505; any other gives 500's. head: the request was HEAD, so no body. */
const char *http_error_answer(unsigned status, bool head, size_t *len_out);
/* http_redirect_answer - sends the client to the same place by https (RFC 9110 section 15.4): the host without its port,
 * the path as it was asked for. out holds HTTP_REDIRECT_MAX bytes. Returns the length; 0: the request names no host. */
#define HTTP_REDIRECT_MAX (H1_TARGET_MAX + 1024)
size_t http_redirect_answer(unsigned status, const char *buf, const struct h1_head *h, char *out);
/* http_page_answer - the fallback page: status 503, a page for people. */
const char *http_page_answer(bool head, size_t *len_out);
/* "HTTP/1.1 100 Continue", for a service that answers Expect itself. */
const char *http_continue(size_t *len_out);

#endif
