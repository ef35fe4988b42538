/* tls.h - TLS on a connection: what conn.c reads and writes through when the connection has one.
 *
 * A context says what is presented to clients, or how servers are met; it is made by the control thread (tls_ctx.h) and never
 * changes. The engine of a worker lends all its connections one buffer for what arrived and one for what is to be sent, so
 * that a silent connection has none. No type of OpenSSL appears here. */
#ifndef LBD_PROXY_TLS_H
#define LBD_PROXY_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct conn;
struct tls_conn;
struct tls_ctx;
struct tls_engine;

/* One for each worker. NULL: no memory. */
struct tls_engine *tls_engine_new(void);
void tls_engine_free(struct tls_engine *e); /* NULL is fine; all its connections are gone */

struct tls_ctx *tls_ctx_ref(struct tls_ctx *x); /* NULL gives NULL */
void tls_ctx_unref(struct tls_ctx *x);		/* NULL is fine; any thread */
bool tls_ctx_is_last(const struct tls_ctx *x);	/* nobody else refers to it */

/* tls_begin - from now on c speaks TLS; as a server to clients, as a client to servers. name: of the server, for SNI and, if
 * the context says so, for its certificate; a literal address is only verified. -ENOMEM. */
int tls_begin(struct conn *c, struct tls_ctx *x, const char *name);
/* tls_offer_h2 - to servers, right after tls_begin: ALPN offers HTTP/2, and HTTP/1.1 if that will do. -ENOMEM. */
int tls_offer_h2(struct tls_conn *t, bool or_h1);
/* tls_give - bytes that were received before TLS began. -ENOMEM. */
int tls_give(struct conn *c, const void *p, size_t n);
/* tls_step - goes on with the handshake. 1: it is complete; 0: an edge will tell; or -errno, -EPROTO for what the other side
 * did wrong; its alert is sent already. Fine when it is complete. */
int tls_step(struct conn *c);
/* tls_recv - as conn_recv without what was kept: bytes, 0, -ENODATA at the end of the stream, else -errno. A server's stream
 * that ends without being closed is -ECONNABORTED: it may have been cut short. Sets can_read and eof of c. */
ssize_t tls_recv(struct conn *c, void *p, size_t room);
/* tls_send - the handshake is complete. All n bytes are sent or kept, as conn_send. */
int tls_send(struct conn *c, const void *p, size_t n);
/* tls_end - we send no more: says so to the other side, if it still can be said. */
void tls_end(struct conn *c);
/* tls_free - after the socket's last use; NULL is fine. */
void tls_free(struct tls_conn *t);

const struct tls_ctx *tls_ctx_of(const struct tls_conn *t); /* NULL for NULL */
bool tls_is_up(const struct tls_conn *t);
bool tls_was_resumed(const struct tls_conn *t);
bool tls_is_h2(const struct tls_conn *t); /* agreed on by ALPN */
/* tls_protocol - "TLSv1.3"; tls_cipher - name in OpenSSL's words; tls_name - what the client asked for (SNI), "" none.
 * Constant, or as long as t. */
const char *tls_protocol(const struct tls_conn *t);
const char *tls_cipher(const struct tls_conn *t);
const char *tls_name(const struct tls_conn *t);

/* tls_session_key - what names the client's session: made at random with its first handshake, and kept in its ticket, so it is
 * the same whenever the session is resumed, by TLS 1.2 or 1.3. False: the client takes no tickets. Only of sessions that
 * began after tls_session_want. */
#define TLS_SESSION_KEY 16
bool tls_session_key(const struct tls_conn *t, uint8_t out[TLS_SESSION_KEY]);
/* tls_session_want - from now on sessions have a name; any thread. */
void tls_session_want(void);

/* tls_client_lines - complete field lines that tell a server of the client's certificate: X-SSL-Client-Verify (SUCCESS, or
 * NONE without one), and -Subject, -Issuer (RFC 2253), -Serial, -SHA256 (hex), -Not-After (YYYYMMDDHHMMSSZ), -Cert (DER in base64) and
 * -Chain (the same of each certificate between it and its root, with commas between them; not sent when there is none).
 * Made once, as long as t. "": no memory. */
const char *tls_client_lines(struct tls_conn *t, size_t *len_out);
/* tls_client_cn - whether the client has shown a good certificate, now or when its session began; out: the common name in it,
 * UTF-8, "" without one and when it does not fit. */
bool tls_client_cn(const struct tls_conn *t, char *out, size_t room);

#endif
