/* tls_priv.h - what the files of this room share. */
#ifndef LBD_PROXY_TLS_PRIV_H
#define LBD_PROXY_TLS_PRIV_H

#include "base/slab.h"

#include "staple.h"
#include "tls.h"
#include "tls_record.h"

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
	bool detach; /* connections of TLS 1.3 go on without OpenSSL's object */
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
	struct record_gear *gear; /* of all that were detached; NULL: none yet */
	struct slab conns, aways; /* tls_conn, tls_away */
	uint8_t raw[64 * 1024];
};
/* tls_engine_put - bytes behind what is to be sent. -ENOMEM: none of them. */
int tls_engine_put(struct tls_engine *e, const void *p, size_t n);
/* tls_engine_reserve - room for n bytes behind what is to be sent. -ENOMEM. */
int tls_engine_reserve(struct tls_engine *e, size_t n);

/* A connection that was detached, and until then the secrets that OpenSSL told. */
struct tls_away {
	struct record_conn rec;
	size_t n_in, n_out; /* bytes of the secrets */
	struct chunk *rest; /* decrypted, and not taken: there was no room for it */
	const char *cipher;
	char *name; /* NULL: the client named no host; else here, or malloc's */
	char name_here[40];
	uint8_t session[TLS_SESSION_KEY];
	bool named : 1; /* the session has that key */
	bool resumed : 1;
	bool h2 : 1;
	bool said_end : 1;
};
struct tls_conn {
	struct tls_engine *e;  /* of its worker */
	SSL *ssl;	       /* NULL: detached */
	struct tls_away *away; /* NULL: it never is */
	struct tls_ctx *ctx;
	struct chunk *
	    left; /* received, not decrypted: there was no room for it, or it is a part of a record */
	struct chunk *held; /* to be sent with what is sent next */
	char *lines;	    /* tls_client_lines */
	bool up : 1;	    /* the handshake is complete */
	bool end : 1;	    /* the other side closed its stream as it should */
	bool bad : 1;	    /* nothing more can be said on it */
};
/* tls_append - bytes behind what a chunk has; it may be NULL. -ENOMEM. */
int tls_append(struct chunk **k, const uint8_t *p, size_t n);
/* tls_fetch - what one recv brings. Bytes, 0 nothing, -ENODATA the end, -errno. Sets can_read of c. */
ssize_t tls_fetch(struct conn *c, uint8_t *p, size_t most);

/* tls_detach_use - before connections: x tells their secrets to those that were prepared. tls_detach_prepare - of one that
 * begins; -ENOMEM. tls_detach - its handshake is complete, and what that gave is in the engine; if it can, it goes on without ssl. */
void tls_detach_use(SSL_CTX *x);
int tls_detach_prepare(struct tls_conn *t);
void tls_detach(struct tls_conn *t);
/* Of one that was detached. tls_away_recv - as tls_recv: 0, -ENODATA (with end: it was closed as it should), -errno; an alert may be
 * in the engine. tls_away_write - into the engine; a failure is the last word. tls_away_end - close_notify, once. */
int tls_away_recv(struct conn *c, void *p, size_t room, size_t *got);
int tls_away_write(struct tls_conn *t, const void *p, size_t n);
void tls_away_end(struct tls_conn *t);
void tls_away_free(struct tls_conn *t); /* away; NULL is fine */

/* tls_peer_lines - tls_client_lines of a connection, or of one without a certificate (NULL); the caller frees. NULL: no memory. */
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
