/* tls_serve.h - which certificate the TLS listeners of this process show: asked for by each handshake, so that another takes its
 * place without a listener or a connection noticing. */
#ifndef TLS_SERVE_H
#define TLS_SERVE_H

#include "base/err.h"

/* tls_serve_set - chain and key in PEM, for handshakes that begin from now on; copied. ERR_INVALID: they cannot be read or do not
 * belong together; then the one before stays. */
int tls_serve_set(const char *cert, const char *key, struct err *err);
void tls_serve_forget(void); /* wipes them */
/* tls_serve_hook - what the library that serves TLS asks: a gnutls_certificate_retrieve_function3. */
void *tls_serve_hook(void);

#endif
