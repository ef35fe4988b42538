/* tls_ctx.h - what a service presents to its clients, and how it meets its servers: made of texts and keys, never changed.
 * Control thread. */
#ifndef LBD_PROXY_TLS_CTX_H
#define LBD_PROXY_TLS_CTX_H

#include "base/err.h"

#include "tls.h"

struct evp_pkey_st; /* EVP_PKEY */
struct tls_identity {
	const char *name;  /* of the certificate, for errors */
	const char *chain; /* PEM, leaf first */
	struct evp_pkey_st *key;
	const char *hosts; /* "a.example.com,*.b.example.com"; "": the DNS names of the leaf */
};
enum tls_client_auth { TLS_CLIENT_OFF, TLS_CLIENT_OPTIONAL, TLS_CLIENT_REQUIRED };
struct tls_front {
	const char *name; /* of the row, for errors */
	const struct tls_identity
	    *id; /* id[0] is for clients that ask for no name, or one that nobody has */
	unsigned n;
	bool strict; /* and those are refused instead */
	bool tls12;  /* TLS 1.2 too */
	bool http;   /* clients that offer protocols (ALPN) must offer http/1.1 */
	bool http2;  /* or h2, which is taken first */
	bool http3;  /* and QUIC takes its certificates too */
	bool tickets;
	bool detach;	     /* connections of TLS 1.3 go on without OpenSSL's object */
	bool stapling;	     /* certificates go out with the word of their responder */
	unsigned session_s;  /* how long a session can be resumed */
	const char *ciphers; /* of TLS 1.2, in OpenSSL's words; "" ours */
	const char *curves;  /* as "X25519:P-256"; "" ours */
	enum tls_client_auth auth;
	const char *ca, *crl; /* PEM; of clients. crl "": none is looked at */
};
struct tls_back {
	const char *name; /* of the service, for errors */
	bool verify;	  /* the chain and the name must be good */
	const char *ca;	  /* PEM; "": those of the system */
};
/* The reference is the caller's. NULL with the reason. */
struct tls_ctx *tls_front_new(const struct tls_front *f, struct err *err);
struct tls_ctx *tls_back_new(const struct tls_back *b, struct err *err);

/* tls_detach_tidy - every few seconds: the memory of handshakes whose connections left OpenSSL goes back to the system, when there
 * were many and it is calm again. */
void tls_detach_tidy(void);

/* tls_ticket_turn - once in a while: the keys of session tickets change when they are old enough. now_s: any clock; wall_s:
 * seconds since 1970. tls_ticket_share - from now on they are made of this secret and the clock, as the other node makes them;
 * what was made before is read for as long as the process lives. Copied. */
#define TLS_TICKET_SECRET 32
void tls_ticket_turn(int64_t now_s, int64_t wall_s);
void tls_ticket_share(const unsigned char secret[TLS_TICKET_SECRET], int64_t wall_s);
/* For the process that goes on after this one, on the same clock. tls_ticket_export - false: there are none yet.
 * tls_ticket_import - before the first tls_ticket_turn; what is not of this form is passed over. */
#define TLS_TICKET_BYTES 328
bool tls_ticket_export(uint8_t out[TLS_TICKET_BYTES]);
void tls_ticket_import(const void *p, size_t n);

#endif
