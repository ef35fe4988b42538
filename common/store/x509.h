/* x509.h - certificates and private keys: what is in them, whether they belong together, how they are made and read
 * from what people have. x509*.c are the only ones that know how. Nothing here keeps a key or tells anybody of one. */
#ifndef STORE_X509_H
#define STORE_X509_H

#include "base/buf.h"
#include "base/err.h"
#include "store/snapshot.h"

#include <stdbool.h>
#include <stdint.h>

struct evp_pkey_st; /* a key; libcrypto's */

#define X509_HEX 65		  /* SHA-256 in hex, and a NUL */
#define X509_FILE_MOST (4u << 20) /* longest file that is read */
#define X509_KEY_MOST 32768	  /* longest private key, as PEM */

/* ---- x509.c: looking ------------------------------------------------------------------------------------------- */

/* One certificate, as people want to see it. Texts are cut where they are too long. */
struct x509_face {
	char subject[256], issuer[256], serial[64];
	char key[X509_HEX];    /* of its public key (SubjectPublicKeyInfo) */
	char digest[X509_HEX]; /* of all of it */
	char kind[32];	       /* "RSA 2048", "EC prime256v1" */
	char names
	    [2048]; /* DNS names and addresses, commas between them; the CN when there is none */
	int64_t from, until; /* seconds since 1970 */
	bool authority, own; /* it may sign others; it has signed itself */
	bool more;	     /* it has names that did not fit into names */
};
/* x509_face - the nth certificate of a PEM text, from 0. -ENOENT: there are fewer; -EBADMSG: it cannot be read. */
int x509_face(const char *pem, unsigned nth, struct x509_face *out);
/* x509_digest - SHA-256 of any bytes. */
void x509_digest(const void *p, size_t n, char out[X509_HEX]);
/* x509_responder - who is asked for the word (OCSP) about the first certificate of a chain: true with the first of its responders
 * that is named by http, which is how they are asked (RFC 6960 appendix A.1). Else false, out is the first of any other
 * kind, or "" without. */
bool x509_responder(const char *chain, char out[256]);
/* x509_until - when the first of a chain that ends, ends; 0: there is none, or it cannot be read. */
int64_t x509_until(const char *chain);
/* x509_ends - how near that is: every surface warns at the same times. */
enum x509_end { X509_FAR, X509_MONTH, X509_WEEK, X509_DAY, X509_EXPIRED };
enum x509_end x509_ends(int64_t until, int64_t now);

/* ---- x509_check.c: what a commit may not bring ------------------------------------------------------------------- */

/* x509_check - rows of cert and ca that are not as in base (NULL: all). ERR_INVALID. Not a rule of snapshot_check:
 * a daemon that only reads the configuration has no use for it. */
int x509_check(const struct snapshot *base, const struct snapshot *s, struct err *err);

/* ---- x509_key.c ------------------------------------------------------------------------------------------------ */

/* x509_key_read - PEM or DER, in any form that libcrypto knows; pass may be NULL. NULL: err has the reason, never a
 * byte of it. */
struct evp_pkey_st *x509_key_read(const void *bytes, size_t len, const char *pass, struct err *err);
/* x509_key_make - kind: rsa2048, rsa4096, p256, p384. NULL: ERR_INVALID, and what is allowed. */
struct evp_pkey_st *x509_key_make(const char *kind, struct err *err);
/* x509_key_write - PKCS#8, PEM, not encrypted; wipe it (x509_wipe). */
void x509_key_write(struct evp_pkey_st *key, struct buf *out);
void x509_key_name(struct evp_pkey_st *key, char out[X509_HEX]);
bool x509_key_is_name(const char *text);     /* 64 hex digits, lower case */
void x509_key_free(struct evp_pkey_st *key); /* NULL is fine */
void x509_wipe(struct buf *b);		     /* all that it ever held, and free it */

/* ---- x509_make.c ----------------------------------------------------------------------------------------------- */

struct x509_wish {
	const char *cn;
	const char *san; /* DNS names and addresses, commas between them; NULL or "": the cn */
	const char *org; /* NULL: none */
	unsigned days;
};
/* x509_wish_again - for a request by the key of a certificate that is there: a cn or san that is NULL becomes what the first of
 * its chain has, else name is the cn. A cn that is said is the only name unless a san is. f and first are the room that w then
 * points to. ERR_INVALID: the certificate has more names than are read. */
int x509_wish_again(const char *name, const char *chain, struct x509_wish *w, struct x509_face *f,
    char first[65], struct err *err);
/* A certificate that is signed by its own key, and a request to an authority; PEM. ERR_INVALID: a name that no host
 * can have. */
int x509_self_signed(
    struct evp_pkey_st *key, const struct x509_wish *w, struct buf *out, struct err *err);
int x509_request(
    struct evp_pkey_st *key, const struct x509_wish *w, struct buf *out, struct err *err);

/* ---- x509_import.c ----------------------------------------------------------------------------------------------- */

struct x509_import {
	struct buf chain;	 /* PEM, in order; without a root */
	struct evp_pkey_st *key; /* NULL: there was none */
	char name[X509_HEX];	 /* of the key of the first certificate */
	char subject[256];	 /* of it */
	unsigned left;		 /* certificates that do not belong to it */
};
/* x509_import - from PEM (certificates and key in one or two files), DER or PKCS#12. pass: for whichever is encrypted.
 * key, key_len: another file with the key; NULL: none. ERR_INVALID: nothing of use, another key than the certificate's,
 * a password that is wrong; ERR_DENIED: it needs a password, and pass is NULL. */
int x509_import(const void *file, size_t len, const void *key, size_t key_len, const char *pass,
    struct x509_import *out, struct err *err);
void x509_import_fini(struct x509_import *i);

#endif
