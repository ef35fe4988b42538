/* tls_cert.h - the panel's own certificate, and the two pieces of cryptography that sessions need. */
#ifndef TLS_CERT_H
#define TLS_CERT_H

#include "base/buf.h"
#include "base/err.h"

struct iface_list;
/* tls_cert_load - certificate and key in PEM from DIR/panel-cert.pem and DIR/panel-key.pem. When neither file is
 * there they are made: EC P-256, self-signed, ten years, for hostname, localhost and the addresses. Both files
 * have mode 0600. *made tells. ERR_STORE: a file cannot be read or written; the text names it. */
int tls_cert_load(const char *dir, const char *hostname, const struct iface_list *addresses,
    struct buf *cert, struct buf *key, bool *made, struct err *err);

#define SHA256_LEN 32
void tls_sha256(const void *p, size_t len, uint8_t out[SHA256_LEN]);
void tls_random(void *p, size_t len);
bool tls_same(const void *a, const void *b, size_t len); /* in constant time */

#endif
