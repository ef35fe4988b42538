/* staple.h - what is known of a certificate by its responder (OCSP), between the control thread, which asks, and the
 * handshakes, which hand it out (RFC 6066 section 8). */
#ifndef LBD_PROXY_STAPLE_H
#define LBD_PROXY_STAPLE_H

#include "base/mono.h"

#include "ocsp.h"

#include <stdbool.h>

struct fetch;
struct staple;

/* staple_of - of a chain (PEM); a reference of the caller's, the same for equal chains. Control thread. staple_unref: any
 * thread; it is freed by the next staple_each. */
struct staple *staple_of(const char *chain);
struct staple *staple_ref(struct staple *s); /* NULL is fine */
void staple_unref(struct staple *s);
struct staple *staple_find(const char *chain); /* borrowed; NULL: nobody uses it */

/* What the control thread keeps with it. */
struct staple_job {
	struct ocsp *ocsp;     /* NULL: it cannot be asked; fault says why */
	struct ocsp_word word; /* the last one that counted, or that it is revoked */
	char fault[160];       /* "": none */
	mono_t due;	       /* when it is asked again */
	dur_t retry;
	struct fetch *fetch; /* NULL: it is not being asked */
};
struct staple_job *staple_job(struct staple *s);
/* staple_each - all that somebody uses; those that nobody does are freed, but while they are asked. */
void staple_each(void (*fn)(void *arg, struct staple *s), void *arg);
/* staple_put - what handshakes hand out until its end; len 0: nothing. Copied. */
void staple_put(struct staple *s, const uint8_t *p, size_t len, int64_t until_s);

#endif
