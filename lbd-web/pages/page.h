/* page.h - HTML, JSON and URLs are written here, and escaped in one place. */
#ifndef PAGE_H
#define PAGE_H

#include "base/buf.h"

/* page_add - markup with values. The format is ours and goes out as it is; every %s is escaped for text and for
 * quoted attributes. Also %d %u %ld %lu %lld %llu %zu %c and %.1f, with width and precision as in printf. */
void page_add(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void page_text(struct buf *b, const char *text); /* escaped */
void page_url(struct buf *b,
    const char *text); /* percent-encoded for one value of a query; safe in attributes */

/* Numbers for people. */
void page_count(struct buf *b, uint64_t n);	   /* 15,750 */
void page_bits(struct buf *b, double bytes_per_s); /* "312&nbsp;Mb/s" */
void page_time(
    struct buf *b, int64_t seconds); /* <time datetime>21 Nov 2026, 14:06:31 UTC</time> */
void page_clock(struct buf *b, int64_t seconds);   /* 14:06, with the date when it is not today's */
void page_lasting(struct buf *b, int64_t seconds); /* 4 min 32 s */

#endif
