/* answer.h - reads an HTTP/1 answer byte by byte and judges it. Pure: no descriptor, no clock.
 * Source: RFC 9112 sections 2.2, 4, 5, 6.3, 7.1; RFC 9110 section 15.2 (interim answers). */
#ifndef CHECK_ANSWER_H
#define CHECK_ANSWER_H

#include "schema/schema.h"

#define ANSWER_LINE 256	      /* bytes of a line that are kept; framing headers must fit */
#define ANSWER_LINE_MAX 16384 /* longest line of a head or chunk */
#define ANSWER_HEAD_MAX 65536 /* head and trailers of one answer, interim ones included */

/* Finds a text in bytes that come in pieces (Knuth, Morris, Pratt). */
struct search {
	const char *text; /* borrowed; NULL or "": nothing is searched */
	uint16_t len, at;
	bool found;
	uint16_t *back; /* owned */
};

struct answer {
	/* rules; all borrowed */
	const struct ranges *good; /* statuses that are good */
	struct search expect, reject;
	uint64_t most; /* bytes that are read */
	bool headless; /* the request was HEAD: no body follows */
	/* state */
	uint16_t status; /* of the answer, 0 until it is known */
	uint8_t state;	 /* enum answer_state, in answer.c */
	bool old;	 /* HTTP/1.0 */
	bool has_length, chunked, cr;
	uint64_t bytes, head_bytes; /* read so far */
	uint64_t left;		    /* of the body or chunk */
	uint64_t body;		    /* bytes of body so far */
	uint32_t line_len;	    /* of the line so far; more than ANSWER_LINE are not kept */
	char line[ANSWER_LINE];
};

/* answer_init - texts and ranges are borrowed until answer_fini. expect, reject: NULL or "" for none. */
void answer_init(struct answer *a, const struct check *rule);
void answer_fini(struct answer *a);
/* answer_feed - the next n bytes. Returns REASON_none while more must come, else the verdict on the answer;
 * then nothing more may be fed.
 *
 * The answer is good when its status is; a body must be whole, or longer than `most`. expect is looked for
 * until it is found (then, without reject, the rest does not matter) or the body or `most` ends; reject
 * until the body or `most` ends. */
int answer_feed(struct answer *a, const void *p, size_t n);
/* answer_end - the server closed the connection. Never REASON_none. */
int answer_end(struct answer *a);

#endif
