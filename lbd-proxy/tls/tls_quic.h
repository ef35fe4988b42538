/* tls_quic.h - TLS as far as QUIC (h3/) asks for it: certificates by name, and what the rest of the proxy asks of a client's TLS. No type of
 * GnuTLS appears here. */
#ifndef LBD_PROXY_TLS_QUIC_H
#define LBD_PROXY_TLS_QUIC_H

#include "base/err.h"

struct conn;
struct ssl_ctx_st;
struct tls_conn;
struct tls_ctx;

/* tls_quic_use - the certificate of x, name, is to be shown by QUIC too. Control thread. ERR_INVALID: GnuTLS does not take it. */
int tls_quic_use(struct ssl_ctx_st *x, const char *name, struct err *err);
/* tls_quic_creds - for the name that a client asks for, "" for none: gnutls_certificate_credentials_t, borrowed; NULL: it is refused. */
void *tls_quic_creds(const struct tls_ctx *x, const char *name);
/* tls_quic_begin - c->tls, to be asked and freed, never to be read or written through. -ENOMEM. tls_quic_told - its handshake is complete;
 * cipher: in OpenSSL's words, constant; name is copied. */
int tls_quic_begin(struct conn *c, struct tls_ctx *x);
void tls_quic_told(struct tls_conn *t, const char *cipher, const char *name);

#endif
