/* http_squeeze.h - answers whose bodies become others on their way, as they are compressed (RFC 9110 section 8.4) or rules replace texts
 * in them: which, and how their bytes flow. */
#ifndef LBD_PROXY_HTTP_SQUEEZE_H
#define LBD_PROXY_HTTP_SQUEEZE_H

#include "net/flow.h"

#include "coding/accept.h"

struct http;
struct http_plan;
struct replacement;

/* What becomes of an answer's head. */
struct recode {
	bool
	    vary; /* it may be compressed for others: caches must know; false also when it says so itself */
	bool squeeze; /* it is compressed now */
	bool replace; /* texts are replaced in it */
	bool close; /* then its client knows no chunks: it lasts until the end of the connection */
};
/* recode_of - pure. types: of compress_types. head: parsed and framed. min: field compress_min. coding: what the client takes. */
struct recode recode_of(const struct h1_head *answer, const char *buf, const char *types,
    uint64_t min, enum coding coding);
/* recode_replaces - whether texts can be replaced in its body, of one of the types: it is whole and in no coding. Pure. */
bool recode_replaces(const struct h1_head *answer, const char *buf, const char *types);
/* recode_any - it is another body. */
static inline bool
recode_any(const struct recode *r)
{
	return r->squeeze || r->replace;
}
#define RECODE_LINES_MAX 96
/* Lines to put in; constant, shorter than RECODE_LINES_MAX. */
const char *recode_lines(struct recode r, enum coding coding);
/* recode_line - what becomes of a field line of an answer with another body. */
enum recode_line { RECODE_PASS, RECODE_CUT, RECODE_WEAKEN };
enum recode_line recode_line(const char *buf, const struct h1_header *f);

/* The bytes. */
struct squeeze;
/* squeeze_begin - the head of an answer is there: decides; *r says what becomes of the head. replace, n: what rules replace in it; n 0:
 * nothing. h->squeeze: NULL, or it becomes another. False: no memory for what rules want. */
bool squeeze_begin(struct http *h, const char *buf, const struct replacement *replace, unsigned n,
    struct recode *r);
/* squeeze_waits - more is to come of bytes that were read already. squeeze_closes - the body lasts until the end of the connection. */
bool squeeze_waits(const struct squeeze *q);
bool squeeze_closes(const struct squeeze *q);
/* squeeze_head - the first n bytes of the worker's output are the head that goes before. */
void squeeze_head(struct http *h, size_t n);
/* squeeze_run - as flow_run, a turn; what was read is on its way to the client when nothing more is there to read. */
enum flow_result squeeze_run(struct http *h);
void squeeze_free(struct squeeze *q); /* NULL is fine */

#endif
