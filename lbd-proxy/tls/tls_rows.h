/* tls_rows.h - from rows of the configuration to contexts. A context is made again only when what it is made of has changed:
 * connections keep the one they began with. Control thread. */
#ifndef LBD_PROXY_TLS_ROWS_H
#define LBD_PROXY_TLS_ROWS_H

#include "store/snapshot.h"

#include "tls.h"

struct evp_pkey_st;
/* tls_key_fn - the private key of that SHA-256 (64 hex digits), a reference of the caller's; NULL: it is not here. */
typedef struct evp_pkey_st *(*tls_key_fn)(void *arg, const char *hex);

struct tls_rows;
struct tls_rows *tls_rows_new(tls_key_fn key, void *arg);
void tls_rows_free(struct tls_rows *r);

/* What a service presents to its clients, and how it meets its servers; NULL: without TLS. 0, references in *front and
 * *back; else both are as they were: ERR_AWAY a key is not here (yet), ERR_INVALID what OpenSSL does not take. */
int tls_rows_of(struct tls_rows *r, const struct snapshot *s, const struct service *row,
    struct tls_ctx **front, struct tls_ctx **back, struct err *err);
/* tls_rows_touch - whether a difference of that row can change any of them. */
bool tls_rows_touch(unsigned kind);

#endif
