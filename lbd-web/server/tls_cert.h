/* tls_cert.h - the panel's own certificate, and the two pieces of cryptography that sessions need. */
#ifndef TLS_CERT_H
#define TLS_CERT_H

#include "base/buf.h"
#include "base/err.h"
#include "store/x509.h"

struct iface_list;
/* Where it is kept, and what one that is made here names beside localhost. */
struct tls_cert_place {
	const char *dir, *hostname;
	const struct iface_list *addresses;
};
/* tls_cert_load - certificate and key in PEM from DIR/panel-cert.pem and DIR/panel-key.pem. When neither file is
 * there they are made: EC P-256, self-signed, for 397 days. Both files have mode 0600. *made tells. ERR_STORE: a file
 * cannot be read or written; the text names it. */
int tls_cert_load(const struct tls_cert_place *at, struct buf *cert, struct buf *key, bool *made,
    struct err *err);
/* tls_cert_due - why a certificate of the panel is made anew; NULL: it stays. f: the first in its file; more: there are others.
 * now: seconds since 1970. Only one that was made here ever is. Pure. */
const char *tls_cert_due(const struct x509_face *f, bool more, int64_t now);
/* tls_cert_renew - when it is due: another by the same key, in the file and in cert; *why tells, NULL: it was not due. ERR_STORE, ERR_INVALID:
 * it was, and could not be; file and cert are as before. */
int tls_cert_renew(const struct tls_cert_place *at, int64_t now, struct buf *cert,
    const struct buf *key, const char **why, struct err *err);

#define SHA256_LEN 32
void tls_sha256(const void *p, size_t len, uint8_t out[SHA256_LEN]);
void tls_random(void *p, size_t len);
bool tls_same(const void *a, const void *b, size_t len); /* in constant time */

#endif
