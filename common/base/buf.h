/* buf.h - bytes: a growing writer and a bounded reader. All length arithmetic on foreign bytes is here. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Growing writer; { 0 } is empty. Control plane: ends the process when memory is out. */
struct buf {
	uint8_t *p;
	size_t len, cap;
};
void buf_fini(struct buf *b);
void buf_put(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_put_be(struct buf *b, uint64_t v, unsigned bytes);
void buf_patch_be(struct buf *b, size_t at, uint64_t v, unsigned bytes);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *buf_text(struct buf *b); /* borrowed until the next write, ends with NUL */

/* Bounded reader: a read past the end sets bad, returns zeros, and so does every later read. */
struct rd {
	const uint8_t *p;
	size_t left;
	bool bad;
};
uint64_t rd_be(struct rd *r, unsigned bytes);
const void *rd_bytes(struct rd *r, size_t n); /* borrowed; NULL when bad */
struct rd rd_sub(struct rd *r, size_t n);

#endif
