/* tls_identity.h - who this node is: an Ed25519 key and a self-signed certificate, made once. */
#ifndef HA_TLS_IDENTITY_H
#define HA_TLS_IDENTITY_H

#include "pair_code.h"

#include "base/err.h"

#define TLS_CODE_KEY 48 /* as long as the hash of the one cipher suite in use */

struct tls_identity; /* key and certificate */
/* tls_identity_load - from dir/node.key and dir/node.crt; made there when neither is. name goes into the certificate,
 * for people only. ERR_STORE: one is missing or damaged, and which. Caller frees. */
int tls_identity_load(
    const char *dir, const char *name, struct tls_identity **out, struct err *err);
void tls_identity_free(struct tls_identity *id); /* NULL is fine */
const uint8_t *tls_identity_cert(
    const struct tls_identity *id, size_t *len_out);		  /* DER; borrowed */
const uint8_t *tls_identity_print(const struct tls_identity *id); /* fingerprint; borrowed */

/* tls_cert_print - fingerprint of a certificate from anywhere: SHA-256 of its public key (SubjectPublicKeyInfo).
 * false: these bytes are no certificate with an Ed25519 key. */
bool tls_cert_print(const void *der, size_t len, uint8_t out[FINGERPRINT_BYTES]);
/* tls_code_key - the key of the first connection from the bits of the one-time code. RFC 5869. */
void tls_code_key(const uint8_t bits[PAIR_CODE_BYTES], uint8_t out[TLS_CODE_KEY]);
void tls_random_bytes(void *p, size_t len);
bool tls_equal(const void *a, const void *b, size_t len); /* in constant time */

/* Inside of pair/ only: what OpenSSL calls them. */
struct evp_pkey_st *tls_identity_key(const struct tls_identity *id);
struct x509_st *tls_identity_x509(const struct tls_identity *id);

#endif
