/* x509_priv.h - what x509*.c share, in libcrypto's terms. */
#ifndef STORE_X509_PRIV_H
#define STORE_X509_PRIV_H

#include "store/x509.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

int x509_no_password(char *buf, int size, int rwflag, void *arg); /* a pem_password_cb: none */
void x509_hex(const uint8_t *p, size_t n, char *out);		  /* 2n + 1 characters */
void x509_spki(EVP_PKEY *key, char out[X509_HEX]);
/* All certificates of a text, in order; NULL: one cannot be read. */
STACK_OF(X509) * x509_read_pem(const char *pem, size_t len);
void x509_name_text(const X509_NAME *name, char *out, size_t room);
int64_t x509_time(const ASN1_TIME *t); /* seconds since 1970; 0: it is none */
/* Whether one has signed the other: name, rights and signature. */
bool x509_signed_by(X509 *x, X509 *issuer);
/* x509_check_tls - old: the row in force, NULL none. 0, or ERR_INVALID with the name that nobody knows. */
int x509_check_tls(const struct tls *t, const struct tls *old, struct err *err);
/* x509_check_sni - with strict settings the certificate is for each host that it is chosen for. 0 or ERR_INVALID. */
int x509_check_sni(const struct sni *s, const struct tls *t, const struct cert *c, struct err *err);

#endif
