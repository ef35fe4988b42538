/* line.h - one line of the access log: a format, compiled once for each view, and a record of what happened. No I/O, no memory
 * of its own but the compiled format. */
#ifndef LBD_PROXY_LINE_H
#define LBD_PROXY_LINE_H

#include "base/addr.h"
#include "schema/schema.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Longest line. With LINE_... of the texts even JSON whose every byte is escaped is shorter; a custom line that repeats
 * words may not be, and ends there. */
#define LINE_MAX_BYTES 16384
#define LINE_ROOM (LINE_MAX_BYTES + 128) /* line_write may touch it */
#define LINE_TARGET 1024		 /* bytes of each text that are kept */
#define LINE_TEXT 256

/* Most texts are short, and a call costs more than copying them: two moves that may overlap. */
static inline void
line_copy(char *to, const char *from, size_t n)
{
	uint64_t a, b;
	uint32_t c, d;

	if (n > 16) {
		memcpy(to, from, n);
	} else if (n >= 8) {
		memcpy(&a, from, 8);
		memcpy(&b, from + n - 8, 8);
		memcpy(to, &a, 8);
		memcpy(to + n - 8, &b, 8);
	} else if (n >= 4) {
		memcpy(&c, from, 4);
		memcpy(&d, from + n - 4, 4);
		memcpy(to, &c, 4);
		memcpy(to + n - 4, &d, 4);
	} else {
		for (size_t i = 0; i < n; i++)
			to[i] = from[i];
	}
}

struct line_text {
	const char *p;
	uint32_t n;
};
enum { PHASE_REQUEST, PHASE_QUEUE, PHASE_CONNECT, PHASE_ANSWER, PHASE_TOTAL, PHASES };
struct line_record {
	struct line_text service, server, version; /* words of ours: never escaped */
	struct line_text method, target, host, referer, agent, id;
	struct line_text rule, pool;	  /* names too; empty: none */
	const struct addr *client, *real; /* real NULL: no server was reached */
	uint16_t client_port, port, real_port;
	uint16_t status; /* 0: none */
	bool http;
	bool elsewhere;			    /* another server was tried */
	char state[5];			    /* termination: "----" */
	int64_t began_ms, accepted_ms;	    /* wall clock, since 1970 */
	int64_t phase_ms[PHASES];	    /* -1: not come to */
	int64_t open_ms;		    /* since the client was accepted */
	uint64_t bytes_in, bytes_out, body; /* body: bytes_out without the answer's head */
	uint32_t conns, service_conns, server_conns, tries, server_queue, queue, number;
};

/* Times as text, of the second that was asked for last. One for each thread. */
struct line_clock {
	int64_t second;
	bool ready;
	char local[24], zone[8], utc[24];
};

/* line_clock_set - seconds since 1970; line_clock_move when they are others than before. */
void line_clock_move(struct line_clock *c, int64_t second);
static inline void
line_clock_set(struct line_clock *c, int64_t second)
{
	if (!c->ready || c->second != second)
		line_clock_move(c, second);
}

struct line_format;
/* line_format_new - of a service; NULL: it logs nothing. The template was checked at the commit. Control plane. */
struct line_format *line_format_new(unsigned word, bool http, const char *custom);
void line_format_free(struct line_format *f); /* NULL is fine */
bool line_format_same(
    const struct line_format *a, const struct line_format *b); /* both may be NULL */

/* What of a head a line needs beside the request line. */
enum { LINE_NEEDS_FIELDS = 1 }; /* Host, Referer, User-Agent */
unsigned line_needs(const struct line_format *f);

/* line_write - at most LINE_MAX_BYTES at out, without an end of line. Every text of a client or server is escaped: a line
 * holds no control character, and JSON stays JSON. Returns the length. */
size_t line_write(const struct line_format *f, struct line_clock *clock,
    const struct line_record *r, char out[LINE_ROOM]);

#endif
