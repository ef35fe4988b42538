/* coder.h - a body into gzip (RFC 1952) or br (RFC 7932), piece by piece; the adapter of zlib and libbrotli. Bodies are never
 * decoded here.
 *
 * Memory of one stream is bounded by its window and level, and less when the length of the body is known and small: see
 * lbd-proxy_coder_test. All streams together may take CODER_ROOM: from half of it on br is made with level 1, in 400 KB; what comes
 * when it is used up stays plain. */
#ifndef LBD_PROXY_CODER_H
#define LBD_PROXY_CODER_H

#include "accept.h"

#include <sys/types.h>

#define CODER_ROOM (256u << 20) /* bytes of all streams of the process */
#define CODER_GZIP_WINDOW 15	/* log2 of bytes a copy may reach back */
#define CODER_BR_WINDOW 16
#define CODER_GZIP_MOST (264u << 10) /* bytes of one stream */
#define CODER_BR_MOST (2560u << 10)  /* at level 9; 960 KB at level 3 */

struct coder;
enum coder_op {
	CODER_GO,    /* more comes: out gets what it likes to give */
	CODER_FLUSH, /* all that went in can be read by who gets what came out */
	CODER_END,   /* nothing comes any more */
};

/* coder_new - level: 1 to 9. length: of the body, UINT64_MAX unknown. NULL: no room. */
struct coder *coder_new(enum coding coding, unsigned level, uint64_t length);
void coder_free(struct coder *c); /* NULL is fine */

/* coder_step - bytes in, bytes out.
 * in, n:  moved on by what was taken. out, room: where to; room > 0.
 * Returns how many bytes came out; when that is less than room, all of in was taken and op is done. -EIO: the coder broke. */
ssize_t coder_step(
    struct coder *c, enum coder_op op, const uint8_t **in, size_t *n, uint8_t *out, size_t room);

/* Bytes that all streams hold now. */
size_t coder_used(void);

#endif
