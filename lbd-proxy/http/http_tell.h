/* http_tell.h - what a server is told of the client's request beside X-Forwarded-For: X-Forwarded-Proto, -Host and -Port,
 * Forwarded (RFC 7239), Via (RFC 9110 section 7.6.3) and X-Request-ID; and what becomes of such fields that the client sent. Pure.
 * Used by http_plan_request; everything is borrowed until the plan was written. */
#ifndef HTTP_TELL_H
#define HTTP_TELL_H

#include "http_msg.h"

#define HTTP_ID_MIN 8 /* bytes of a request id of a client */
#define HTTP_ID_MAX 128

struct http_tell {
	bool x_forwarded, forwarded, via;
	bool h2;		 /* the client speaks HTTP/2 */
	bool h3;		 /* or HTTP/3 */
	bool distrust;		 /* what the client sent of the first two is cut */
	uint8_t policy;		 /* enum forwarded: of the first two */
	uint8_t request_id;	 /* enum request_id */
	uint16_t port;		 /* that the client came to */
	const char *scheme;	 /* of the client: "http" or "https" */
	const char *client, *by; /* addresses as http_client_text makes them */
	uint8_t client_len, by_len;
	bool client_v6, by_v6;
	const char
	    *id; /* ours; with request_id keep that of the client, after the plan, when it counts */
	uint8_t id_len;
	bool
	    ssl_client; /* fields X-SSL-Client-... of the client are cut, and these lines are added */
	const char *lines;
	uint32_t lines_len;
	/* while the plan is made */
	bool id_kept;
	unsigned seen; /* that stay */
	uint16_t used;
	char room[512];
};

/* http_tell_id - the request id of a client that counts with request_id keep; NULL: none. */
const struct h1_header *http_tell_id(const char *buf, const struct h1_head *h);

enum http_told { HTTP_TOLD_PASS, HTTP_TOLD_CUT, HTTP_TOLD_EXTEND };
/* http_tell_line - what becomes of field line i, whose name the parser does not know. HTTP_TOLD_EXTEND: our element of Forwarded goes
 * behind its value (http_tell_element). */
enum http_told http_tell_line(
    struct http_tell *t, const char *buf, const struct h1_head *h, unsigned i);

/* Pieces of text, in order: at most HTTP_TELL_PIECES. Returns how many. http_tell_element - ", for=..."; http_tell_lines - what
 * is added at the end of the head. */
#define HTTP_TELL_PIECES 6
struct http_piece {
	const char *p;
	uint32_t n;
};
unsigned http_tell_element(struct http_tell *t, const char *buf, const struct h1_head *h,
    struct http_piece out[HTTP_TELL_PIECES]);
unsigned http_tell_lines(struct http_tell *t, const char *buf, const struct h1_head *h,
    struct http_piece out[HTTP_TELL_PIECES]);

#endif
