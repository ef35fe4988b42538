/* tls_priv.h - what the files of this room share. */
#ifndef LBD_PROXY_TLS_PRIV_H
#define LBD_PROXY_TLS_PRIV_H

#include "staple.h"
#include "tls.h"

#include <openssl/ssl.h>
#include <stdatomic.h>

/* A name that clients may ask for, and the context that has its certificate. */
struct tls_host {
	char *name; /* lower case; "*.example.com" stands for one label */
	SSL_CTX *ssl;
};
struct tls_ctx {
	atomic_uint refs;
	SSL_CTX *ssl;	/* to clients: with the default certificate */
	SSL_CTX **more; /* one for each further certificate */
	unsigned n_more;
	struct staple **staple; /* references; of as many contexts as have one */
	unsigned n_staples;
	struct tls_host *host; /* sorted by name; exact ones and wildcards */
	unsigned n_hosts;
	bool server; /* we are the server */
	bool http2;  /* clients that offer it (ALPN) speak HTTP/2 */
	bool strict; /* a client that asks for none of the names is refused */
	bool verify; /* of a server: the certificate must be good for the name */
};

/* tls_ctx_host - the context for a name that a client asked for; NULL: it is none of ours. */
SSL_CTX *tls_ctx_host(const struct tls_ctx *x, const char *name);

/* The engine's buffers. In and out belong to the call that is being made; nothing stays there between two callbacks. */
struct tls_engine {
	BIO *bio; /* of all connections of the worker: reads in, writes out */
	const uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t out_len, out_room;
	uint8_t raw[64 * 1024];
};
/* tls_engine_put - bytes behind what is to be sent. -ENOMEM: none of them. */
int tls_engine_put(struct tls_engine *e, const void *p, size_t n);

/* tls_peer_lines - tls_client_lines of a connection; the caller frees. NULL: no memory. */
char *tls_peer_lines(SSL *s);
/* tls_peer_cn - tls_client_cn of a connection. */
bool tls_peer_cn(SSL *s, char *out, size_t room);
/* tls_ticket_use - the session tickets of x are made with the keys of tls_ticket.c, which change with time. */
int tls_ticket_use(SSL_CTX *x);
/* tls_session_use - sessions of x have names; tls_session_of - that of s. */
int tls_session_use(SSL_CTX *x);
bool tls_session_of(SSL *s, uint8_t out[TLS_SESSION_KEY]);
/* staple_use - clients of x that ask for it are handed the staple, while there is one; x does not take the reference. */
void staple_use(struct staple *s, SSL_CTX *x);

#endif
