/* retry_words.h - which failures let a request go to another server: field retry_on, as connect,empty,503. Read here for the
 * check of a commit and for lbd-proxy alike. Pure. */
#ifndef SCHEMA_RETRY_WORDS_H
#define SCHEMA_RETRY_WORDS_H

#include "base/err.h"

#include <stdint.h>

#define RETRY_CONNECT 1u /* no connection, or the server has looked at nothing */
#define RETRY_EMPTY 2u	 /* the connection ended before the first byte of an answer */
#define RETRY_JUNK 4u	 /* what came is no answer of HTTP */
#define RETRY_TIMEOUT 8u /* no answer in time */

/* retry_words_parse - the bits of all words of the text. 0, or ERR_INVALID with a reason; err may be NULL. */
int retry_words_parse(const char *text, uint32_t *out, struct err *err);

/* retry_status_bit - of an answer's status; 0: it is none that can be named. */
uint32_t retry_status_bit(unsigned status);

#endif
