/* keystore.h - private keys on disk: STATE/keys, a file for each, known by the SHA-256 of its public half. Nobody but
 * this process reads them. Not thread-safe: the control thread's. */
#ifndef LBD_PROXY_KEYSTORE_H
#define LBD_PROXY_KEYSTORE_H

#include "store/x509.h"

struct digest_dir;
struct keystore; /* a digest_dir */

/* keystore_open - the folder is made when it is missing (0700). -errno, with err: it cannot be, or others can read it. */
int keystore_open(const char *state, struct keystore **out, struct err *err);
void keystore_close(struct keystore *k); /* NULL is fine */

/* keystore_put - a key as PEM or DER, in any form (x509_key_read); one that is there stays. name_out: what it is known by.
 * ERR_INVALID, ERR_DENIED: as x509_key_read; -errno: it is not kept. */
int keystore_put(struct keystore *k, const void *bytes, size_t len, const char *pass,
    char name_out[X509_HEX], struct err *err);
/* keystore_get - a key for use; x509_key_free. NULL: it is not here, or its file is damaged. */
struct evp_pkey_st *keystore_get(struct keystore *k, const char *name);
bool keystore_has(const struct keystore *k, const char *name);
/* keystore_read - the same as PEM, for the other node; x509_wipe. -ENOENT, -EBADMSG, -errno. */
int keystore_read(struct keystore *k, const char *name, struct buf *out);
/* keystore_files - the folder, to list and forget what is in it; borrowed. */
struct digest_dir *keystore_files(const struct keystore *k);

#endif
