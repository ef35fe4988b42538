/* h1_parse.h - HTTP/1.1 heads and chunked bodies, strictly (RFC 9112); no I/O, no memory, no copies.
 * Results are offsets into the caller's buffer, which may move between calls. What could be read in two ways is refused. */
#ifndef H1_PARSE_H
#define H1_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define H1_HEAD_MAX 65536	 /* bytes; offsets are 16 bits */
#define H1_HEADERS_MAX 128	 /* field lines in a head */
#define H1_TARGET_MAX 8192	 /* bytes of the request target; more is 414 */
#define H1_METHOD_MAX 24	 /* bytes of the method; more is 501 */
#define H1_NAME_MAX 256		 /* bytes of a field name */
#define H1_NOMINATED_MAX 16	 /* field names listed in Connection */
#define H1_CHUNK_EXT_MAX 256	 /* bytes of extension in one chunk */
#define H1_CHUNK_EXT_TOTAL 16384 /* bytes of extension in one body */
#define H1_TRAILER_MAX 8192	 /* bytes of the trailer section */
#define H1_TRAILERS_MAX 32	 /* field lines in it */

/* Names that the proxy knows. The order is free, but fewer than 32. */
enum h1_id {
	H1_OTHER,
	H1_HOST,
	H1_CONNECTION,
	H1_CONTENT_LENGTH,
	H1_TRANSFER_ENCODING,
	H1_EXPECT,
	H1_UPGRADE,
	H1_COOKIE,
	H1_SET_COOKIE,
	H1_X_FORWARDED_FOR,
	H1_KEEP_ALIVE,
	H1_PROXY_CONNECTION,
	H1_TE,
	H1_TRAILER,
	H1_VIA,
	H1_AUTHORIZATION,
	H1_CACHE_CONTROL,
	H1_HTTP2_SETTINGS,
	H1_IDS
};
#define H1_BIT(id) (1u << (id))

enum h1_method {
	H1_M_OTHER, /* an unknown token; passed on */
	H1_M_GET,
	H1_M_HEAD,
	H1_M_POST,
	H1_M_PUT,
	H1_M_DELETE,
	H1_M_OPTIONS,
	H1_M_PATCH,
	H1_M_TRACE,
	H1_M_CONNECT, /* refused with 501 unless h1_head.connect is set */
};

enum h1_form {
	H1_ORIGIN, /* /path?query */
	H1_ABSOLUTE, /* http://host/path: equal to Host, or refused; forwarded as origin form but to proxies */
	H1_ASTERISK,  /* "*", with OPTIONS only */
	H1_AUTHORITY, /* host:port, with CONNECT only; its path is empty */
};

enum h1_framing {
	H1_NO_BODY,
	H1_LENGTH,	/* length bytes; may be 0 only where a Content-Length said so */
	H1_CHUNKED,	/* see struct h1_chunk */
	H1_UNTIL_CLOSE, /* answers only */
	H1_TUNNEL, /* 101, or 2xx to CONNECT: bytes in both directions until both sides closed */
};

struct h1_header {
	uint16_t name_off, name_len;
	uint16_t value_off, value_len; /* without the white space around it; may be empty */
	uint8_t id;		       /* enum h1_id */
};

/* Why a message was refused: what to answer a client, and words for the log. Constant, never freed. For a bad answer
 * of a server the client is told 502 instead. */
struct h1_error {
	uint16_t status; /* 400 414 417 431 501 505 */
	const char *text;
};

/* A head. Everything but header[] is zeroed by h1_head_init; header[0..n) is valid. */
struct h1_head {
	uint32_t length; /* bytes of the head, from the buffer's first to behind the empty line */
	uint32_t seen;	 /* H1_BIT(id) of every name that occurs */
	uint64_t body_length;	      /* Content-Length, with has_length */
	const struct h1_error *error; /* set when refused */
	uint16_t start;	 /* the start line: 2 after one empty line before a request, else 0 */
	uint16_t first;	 /* where the first field line begins */
	uint16_t n;	 /* field lines */
	uint16_t status; /* answers: 100 to 599 */
	uint16_t target_off, target_len;
	uint16_t path_off;	     /* target behind scheme and authority; may be its end */
	uint16_t host_off, host_len; /* Host, or what an absolute target says; 0: none (HTTP/1.0) */
	uint8_t method;		     /* enum h1_method; method_len bytes at start */
	uint8_t method_len;
	uint8_t form;	 /* enum h1_form */
	uint8_t framing; /* enum h1_framing; for an answer valid after h1_frame_answer */
	uint8_t minor;	 /* HTTP/1.minor: 0 or 1 */
	bool keep_alive; /* this message lets the connection persist */
	bool has_length;
	bool chunked;
	bool expect_continue; /* HTTP/1.1 with Expect: 100-continue */
	bool upgrade;	      /* Upgrade with Connection: upgrade, HTTP/1.1, no h2c */
	bool nominates;	      /* Connection lists names other than close, keep-alive, upgrade */
	bool
	    both; /* set after h1_head_init: a length beside the coding is no error, and frames nothing (h2/h2_head.h) */
	bool connect; /* set after h1_head_init: CONNECT is taken (RFC 9110 section 9.3.6) */
	/* where to go on; private */
	bool answer;
	uint8_t nominated, said, phase;
	uint32_t max, line, scan;
	struct h1_header header[H1_HEADERS_MAX];
};

enum h1_result {
	H1_DONE,
	H1_MORE, /* incomplete */
	H1_BAD,	 /* refused: see error */
};

/* h1_head_init - before the first byte of a message. max: largest head in bytes, at most H1_HEAD_MAX (service field head_max).
 * Costs about a hundred bytes of stores; the header table is not touched. */
void h1_head_init(struct h1_head *h, bool answer, uint32_t max);

/* h1_head_parse - read a head, or what is there of it.
 *
 * buf, len: everything received of this message so far, the head's first byte first; more may follow the head (body, next
 *           request). Borrowed, not kept.
 * Returns:  H1_DONE, head->length bytes belong to the head. H1_MORE: call again with the same bytes and more; work that was
 *           done is not repeated, so a head that arrives byte by byte costs linear time. H1_BAD: head->error says why; also
 *           when max bytes hold no complete head (431, or 414 inside the start line).
 * Source:   RFC 9112 sections 2 to 6, RFC 9110 sections 5, 7.2, 7.6.
 */
enum h1_result h1_head_parse(struct h1_head *h, const char *buf, size_t len);

/* h1_frame_answer - the body of an answer depends on the request (RFC 9112 section 6.3); sets framing.
 * method: of the request; any 2xx to CONNECT begins a tunnel, whatever it says of a body. upgrade: the request was forwarded
 * with Upgrade; else a 101 is refused.
 * client_minor: of the client's request; a chunked answer to HTTP/1.0 is refused, as nobody asked for it.
 * Returns 0, or -EPROTO with head->error. For 1xx other than 101 the framing is H1_NO_BODY: another head follows. */
int h1_frame_answer(struct h1_head *h, enum h1_method method, bool upgrade, unsigned client_minor);

/* The first field with this id, or NULL. Test h->seen & H1_BIT(id) first: it is nearly free. */
const struct h1_header *h1_find(const struct h1_head *h, enum h1_id id);
/* Where line i begins; i == n gives the place of the empty line. */
static inline uint32_t
h1_line(const struct h1_head *h, unsigned i)
{
	return i < h->n ? h->header[i].name_off : h->length - 2;
}
/* A character of a token (RFC 9110 section 5.6.2). */
bool h1_is_token(const char *s, size_t len);

/* A chunked body, byte by byte where it must be, whole runs where it can. The coding is checked, not removed: what was
 * consumed may be forwarded as it stands. Zeroed memory is a body that begins. */
struct h1_chunk {
	uint64_t left;	/* bytes of chunk data still to come, while h1_chunk_data */
	uint64_t total; /* data bytes so far, for limits */
	const struct h1_error *error;
	uint32_t ext_total;
	uint16_t ext, trailer;
	uint8_t state, digits, trailers, name_len;
	char name[20]; /* of a trailer field, as far as it matters */
};

/* h1_chunk_scan - check the next bytes of a body.
 * used_out: bytes consumed, all of them part of this body: len for H1_MORE, up to the end of the trailer section for
 *           H1_DONE, up to and not with the bad byte for H1_BAD. Not to be called again after these two.
 * A size is at most INT64_MAX. */
enum h1_result h1_chunk_scan(struct h1_chunk *c, const char *buf, size_t len, size_t *used_out);
/* Inside chunk data: the next c->left bytes need no look and may be spliced. */
bool h1_chunk_data(const struct h1_chunk *c);
/* n <= c->left bytes of data went another way (splice). */
void h1_chunk_skip(struct h1_chunk *c, uint64_t n);

#endif
