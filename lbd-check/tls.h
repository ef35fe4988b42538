/* tls.h - a probe of a server that is spoken to by TLS. The only place of lbd-check that knows OpenSSL. */
#ifndef CHECK_TLS_H
#define CHECK_TLS_H

#include "schema/schema.h"

#include <sys/types.h>

struct check_tls;
/* tls_new - on a connected, non-blocking descriptor, which stays the caller's. verify: the certificate must be signed by one of
 * ca (PEM; "" the system's) and be for name, which is also asked for (SNI); a literal address is only verified.
 * NULL: no memory, or ca is none; *why_out says which. */
struct check_tls *tls_new(
    int fd, bool verify, const char *ca, const char *name, const char **why_out);
void tls_free(struct check_tls *t); /* NULL is fine */

/* tls_shake - 1: the handshake is complete; 0: again when the descriptor is ready for *want_out (LOOP_READ or LOOP_WRITE); -1: it
 * failed, *why_out says how (constant). */
int tls_shake(struct check_tls *t, unsigned *want_out, const char **why_out);
/* As recv and send; -1 with EAGAIN or another errno. The end of a stream is 0 however it came. */
ssize_t tls_read(struct check_tls *t, void *p, size_t n);
ssize_t tls_write(struct check_tls *t, const void *p, size_t n);

#endif
