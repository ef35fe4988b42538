/* h2_head.h - heads between the fields of HTTP/2 and the text of HTTP/1.1 (RFC 9113 section 8); no I/O, no memory.
 * What is malformed there is refused here, so that no byte of a field can become a line of its own. */
#ifndef H2_HEAD_H
#define H2_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/h1_parse.h"
#include "websocket.h"

#define H2_ANSWER_FIELDS (H1_HEADERS_MAX + 1)

/* A field as it was decoded; not terminated. */
struct h2_field {
	const char *name, *value;
	uint32_t name_len, value_len;
};

/* Of a request: its pseudo-header fields, borrowed from the list, NULL where there is none. */
struct h2_request {
	const struct h2_field *method, *scheme, *authority, *path, *protocol;
	bool has_length; /* Content-Length */
	bool announces;	 /* Trailer: fields that follow the body */
	bool has_cookie;
	bool tunnel; /* extended CONNECT for a WebSocket (RFC 8441) */
	uint8_t
	    h1_method; /* enum h1_method, as far as framing needs it: H1_M_HEAD, H1_M_CONNECT (not the extended one) or H1_M_OTHER */
};

/* h2_request_read - 0, or -EPROTO: malformed (RFC 9113 sections 8.1.1, 8.2, 8.3), a stream error. */
int h2_request_read(const struct h2_field *f, unsigned n, struct h2_request *out);

/* How it becomes text. */
struct h2_request_about {
	bool ended;	 /* no body follows */
	bool absolute;	 /* its target is a URL, but for "*", WebSockets and CONNECT */
	const char *key; /* of a tunnel: value of Sec-WebSocket-Key */
};
#define H2_TEXT_MORE \
	256 /* bytes of the text beyond those of the fields, 4 for each of them apart */

/* h2_request_length - the text has the body's length, and its body no coding.
 * h2_request_text - the request as HTTP/1.1, with Connection: close as the stream carries one request only; a body has
 * Transfer-Encoding: chunked unless its length is told, that of a tunnel none; a length gives way to trailers that are announced, as
 * HTTP/1.1 has no place for both (RFC 9112 section 6.3). :authority becomes Host, the crumbs of a cookie
 * one field. A CONNECT stays one, without a body: its DATA is the tunnel (RFC 9113 section 8.5). An extended CONNECT for anything
 * else keeps its method and a path: the parser of HTTP/1.1 refuses it.
 * out holds what h2_request_room says. Returns the length. */
bool h2_request_length(const struct h2_request *r, bool ended);
size_t h2_request_room(const struct h2_field *f, unsigned n);
size_t h2_request_text(const struct h2_request *r, const struct h2_field *f, unsigned n,
    const struct h2_request_about *about, char *out);
/* h2_request_large - a head that is too large to be kept becomes one with more lines than H1_HEADERS_MAX, which the parser
 * answers with 431. out holds H2_LARGE bytes. */
#define H2_LARGE (4 * H1_HEADERS_MAX + 64)
size_t h2_request_large(char *out);

/* h2_trailer_text - the end of a chunked body: last chunk, trailer fields, empty line. 0: a field is malformed, or must not stand
 * there. out holds h2_request_room. */
size_t h2_trailer_text(const struct h2_field *f, unsigned n, char *out);

/* h2_answer_fields - of an answer's head, h as h1_head_parse left it with buf; tunnel: its 101 becomes 200 (RFC 8441). Names in lower case
 * go into names, which holds h->length + 8 bytes; values stay in buf. What belongs to one connection of HTTP/1.1 is left out.
 * out holds H2_ANSWER_FIELDS. Returns how many there are; the first is :status. */
unsigned h2_answer_fields(
    const char *buf, const struct h1_head *h, bool tunnel, struct h2_field *out, char *names);
/* h2_trailer_fields - of a trailer section that h1_chunk_scan took, with its empty line. names holds len bytes; out as before, max
 * fields at most. */
unsigned h2_trailer_fields(
    const char *text, size_t len, struct h2_field *out, unsigned max, char *names);

/* ---- of servers: h2_head_back.c ---- */

/* A request as it goes to a server of HTTP/1.1, and what becomes of it. */
struct h2_ask {
	bool tls;      /* in: the connection to the server */
	bool trailers; /* in: the client takes trailers (TE) */
	bool
	    both; /* in: whoever reads the answer knows one with a length that is chunked all the same (h1_head.both) */
	bool tunnel; /* in: it asks for a WebSocket, and becomes an extended CONNECT (RFC 8441) */
	/* out */
	bool chunked, head, old;	    /* old: HTTP/1.0 */
	char accept[WEBSOCKET_ACCEPT_ROOM]; /* of a tunnel: for the client; may be empty */
	uint64_t length;		    /* of its body; 0 also when chunked */
};
#define H2_ASK_MORE 5 /* fields beyond one a line */

/* h2_ask_lines - how many lines the head at text has; 0: it does not end within len bytes. *end_out: its length.
 * h2_ask_fields - its fields; out holds lines + H2_ASK_MORE of them, names as many bytes as the head has, which stays as long as
 * they are used. Host becomes :authority; what belongs to one connection of HTTP/1.1 is left out. Returns how many; 0: not a head. */
unsigned h2_ask_lines(const char *text, size_t len, size_t *end_out);
unsigned h2_ask_fields(
    const char *text, size_t end, struct h2_ask *a, struct h2_field *out, char *names);

/* An answer's head. */
struct h2_answer {
	uint16_t status;
	bool has_length;
	bool chunked; /* by h2_answer_text: its body is to be read with the coding */
};
/* A body of HTTP/2 may have a length and trailers; one of HTTP/1.1 has them when it is chunked, and then no length. So the text of an
 * answer that goes to a client of HTTP/2 (ask->both) has Content-Length and the coding, which its parser is told, and which never
 * leaves the proxy.
 * Of a tunnel any 2xx says that it stands, and becomes 101.
 * h2_answer_read - 0, or -EPROTO: malformed (RFC 9113 sections 8.1.1, 8.2, 8.3.2); 101 has no place there either (section 8.6).
 * h2_answer_text - as HTTP/1.1; ended: no body follows; ask: of its request. out holds what h2_request_room says; the length. */
int h2_answer_read(const struct h2_field *f, unsigned n, struct h2_answer *out);
size_t h2_answer_text(struct h2_answer *a, const struct h2_field *f, unsigned n, bool ended,
    const struct h2_ask *ask, char *out);

/* h2_field_ok - of a field that is no pseudo-header field: its bytes, and that it has a place in HTTP/2. */
bool h2_field_ok(const struct h2_field *f);

#endif
