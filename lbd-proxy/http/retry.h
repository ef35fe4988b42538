/* retry.h - whether a request that a server failed may go to another one. Pure. */
#ifndef LBD_PROXY_RETRY_H
#define LBD_PROXY_RETRY_H

#include "h1_parse.h"
#include "schema/retry_words.h"

/* retry_idempotent - twice is as once, by the method (RFC 9110 section 9.2.2). */
static inline bool
retry_idempotent(unsigned method)
{
	return method == H1_M_GET || method == H1_M_HEAD || method == H1_M_PUT ||
	       method == H1_M_DELETE || method == H1_M_OPTIONS || method == H1_M_TRACE;
}

/* retry_may - on: bits of field retry_on. failure: one of them; 0: of no kind that is tried again. repeatable: the request is
 * idempotent and all of it was kept. told: the client has the beginning of an answer. */
static inline bool
retry_may(uint32_t on, uint32_t failure, bool repeatable, bool told)
{
	return (on & failure) != 0 && !told && (repeatable || failure == RETRY_CONNECT);
}

#endif
