/* A connection that speaks TLS.
 *
 * What arrives is read from the socket into the engine, decrypted into the caller's room, and what the caller has no room
 * for is put aside, encrypted as it came. What OpenSSL has to say goes out by one send after the call. With TLS 1.3 the
 * session tickets of a handshake wait for the first answer, so that they cost no packet of their own. A connection owns
 * memory for bytes only while something is put aside or waits.
 *
 * A handshake is asked on by tls_step, nothing else: a stream begins when it is complete. Errors of OpenSSL become
 * -EPROTO; its error queue is empty before every call. */
#include "tls_priv.h"

#include "base/must.h"

#include "net/conn.h"
#include "net/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define ONE_RECORD 16384
#define OVERHEAD 512 /* of the records that fill the caller's room, roughly */

int
tls_begin(struct conn *c, struct tls_ctx *x, const char *name)
{
	struct tls_engine *e = c->w->tls;
	struct tls_conn *t = slab_get(&e->conns);
	struct in6_addr scratch;
	bool literal;

	if (t == NULL)
		return -ENOMEM;
	t->ssl = SSL_new(x->ssl);
	if (t->ssl == NULL) {
		slab_put(&e->conns, t);
		ERR_clear_error();
		return -ENOMEM;
	}
	t->e = e;
	t->ctx = tls_ctx_ref(x);
	c->tls = t;
	(void)BIO_up_ref(e->bio); /* both directions have it, and one reference (SSL_set_bio(3)) */
	SSL_set_bio(t->ssl, e->bio, e->bio);
	if (x->server) {
		SSL_set_accept_state(t->ssl);
		return x->detach ? tls_detach_prepare(t) : 0;
	}
	SSL_set_connect_state(t->ssl);
	if (name == NULL || name[0] == 0)
		return 0;
	literal =
	    inet_pton(AF_INET, name, &scratch) == 1 || inet_pton(AF_INET6, name, &scratch) == 1;
	if ((!literal && SSL_ctrl(t->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
			     (void *)(uintptr_t)name) != 1) ||
	    (x->verify && literal &&
		X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), name) != 1) ||
	    (x->verify && !literal && SSL_set1_host(t->ssl, name) != 1)) {
		ERR_clear_error();
		return -ENOMEM;
	}
	return 0;
}

int
tls_offer_h2(struct tls_conn *t, bool or_h1)
{
	static const unsigned char offer[] = "\x02h2\x08http/1.1";

	return SSL_set_alpn_protos(t->ssl, offer, or_h1 ? sizeof(offer) - 1 : 3) == 0 ? 0 : -ENOMEM;
}

int
tls_append(struct chunk **k, const uint8_t *p, size_t n)
{
	size_t have = *k == NULL ? 0 : (*k)->len;
	struct chunk *more = realloc(*k, sizeof(*more) + have + n);

	if (more == NULL)
		return -ENOMEM;
	if (*k == NULL)
		more->off = 0;
	memcpy(more->b + have, p, n);
	more->len = more->room = (uint32_t)(have + n);
	*k = more;
	return 0;
}

int
tls_give(struct conn *c, const void *p, size_t n)
{
	return n == 0 ? 0 : tls_append(&c->tls->left, p, n);
}

/* What OpenSSL wrote, to the socket; records that are held were made before, and go first. */
static int
say(struct conn *c)
{
	struct tls_engine *e = c->w->tls;
	struct chunk *k = c->tls->held;
	int code;

	if (e->out_len == 0)
		return 0;
	if (k != NULL) {
		c->tls->held = NULL;
		code = conn_send_raw(c, k->b, k->len);
		free(k);
		if (code < 0)
			return code;
	}
	code = conn_send_raw(c, e->out, e->out_len);
	e->out_len = 0;
	return code;
}

ssize_t
tls_fetch(struct conn *c, uint8_t *p, size_t most)
{
	ssize_t n;

	if (!c->can_read)
		return 0;
	n = io_recv(&c->io, p, most);
	if (n == 0)
		return -ENODATA;
	if (n < 0) {
		if (n == -EAGAIN)
			c->can_read = false;
		return n == -EAGAIN || n == -EINTR ? 0 : n;
	}
	if ((size_t)n < most && !conn_gone(c))
		c->can_read = false;
	return n;
}

/* What arrived, to OpenSSL: what was put aside, else what one recv brings. Bytes, 0 nothing, -ENODATA, -errno. */
static ssize_t
feed(struct conn *c, size_t most)
{
	struct tls_engine *e = c->w->tls;
	struct chunk *k = c->tls->left;
	ssize_t n;

	if (k != NULL) {
		n = k->len - k->off < sizeof(e->raw) ? (ssize_t)(k->len - k->off)
						     : (ssize_t)sizeof(e->raw);
		memcpy(e->raw, k->b + k->off, (size_t)n);
		k->off += (uint32_t)n;
		if (k->off == k->len) {
			free(k);
			c->tls->left = NULL;
		}
	} else {
		n = tls_fetch(c, e->raw, most < sizeof(e->raw) ? most : sizeof(e->raw));
		if (n <= 0)
			return n;
	}
	e->in = e->raw;
	e->in_len = (size_t)n;
	return n;
}

/* What is left of the input is put aside, in front of what already is. */
static int
put_aside(struct conn *c)
{
	struct tls_engine *e = c->w->tls;
	struct chunk *k = c->tls->left, *more;
	size_t have = k == NULL ? 0 : k->len - k->off;

	if (e->in_len == 0)
		return 0;
	if (k != NULL && k->off >= e->in_len) { /* it came from there */
		k->off -= (uint32_t)e->in_len;
		memcpy(k->b + k->off, e->in, e->in_len);
	} else {
		more = malloc(sizeof(*more) + e->in_len + have);
		if (more == NULL)
			return -ENOMEM;
		more->off = 0;
		more->len = more->room = (uint32_t)(e->in_len + have);
		memcpy(more->b, e->in, e->in_len);
		if (have > 0)
			memcpy(more->b + e->in_len, k->b + k->off, have);
		free(k);
		c->tls->left = more;
	}
	e->in_len = 0;
	return 0;
}

/* Why a call did not do: 0 it wants more bytes, else -errno. */
static int
why(struct conn *c, int result)
{
	struct tls_conn *t = c->tls;
	int code = -EPROTO;

	switch (SSL_get_error(t->ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE: return 0;
	case SSL_ERROR_ZERO_RETURN: t->end = true; return -ENODATA;
	case SSL_ERROR_SYSCALL: code = -ECONNRESET; break;
	default: break;
	}
	ERR_clear_error();
	t->bad = true;
	return code;
}

static void
completed(struct conn *c)
{
	struct tls_conn *t = c->tls;
	struct tls_engine *e = c->w->tls;

	bool tickets = t->ctx->server && e->out_len > 0 && SSL_version(t->ssl) == TLS1_3_VERSION;

	t->up = true;
	if (t->away != NULL)
		tls_detach(t);
	if (!tickets)
		return;
	if (tls_append(&t->held, e->out, e->out_len) == 0) /* else they go at once */
		e->out_len = 0;
}

int
tls_step(struct conn *c)
{
	struct tls_conn *t = c->tls;
	ssize_t n;
	int r, code, sent;
	bool first;

	if (t->up)
		return 1;
	first = SSL_in_before(t->ssl);
	if (c->out != NULL) {
		code = conn_flush(c);
		if (code < 0)
			return code;
	}
	do {
		n = first && !t->ctx->server ? 0 : feed(c, ONE_RECORD);
		if (n < 0) {
			t->bad = true;
			return n == -ENODATA ? -ECONNRESET : (int)n;
		}
		if (n == 0 && !(first && !t->ctx->server))
			return 0;
		first = false;
		r = SSL_do_handshake(t->ssl);
		code = r == 1 ? 1 : why(c, r);
		if (code == 1)
			completed(c);
		if (put_aside(c) != 0)
			return -ENOMEM;
		sent = say(c);
		if (sent < 0)
			return sent;
	} while (code == 0 && (c->can_read || t->left != NULL));
	if (code == 1 && (t->left != NULL || (t->ssl != NULL && SSL_has_pending(t->ssl))))
		c->can_read = true; /* no edge will tell of it */
	return code == -ENODATA ? -ECONNRESET : code;
}

/* Decrypts into p what the input gives. Bytes; *code_out: 0, or why no more will come. */
static size_t
decrypt(struct conn *c, uint8_t *p, size_t room, int *code_out)
{
	size_t got = 0, n;
	int r;

	*code_out = 0;
	while (got < room) {
		r = SSL_read_ex(c->tls->ssl, p + got, room - got, &n);
		if (r != 1) {
			*code_out = why(c, 0);
			break;
		}
		got += n;
	}
	return got;
}

/* By OpenSSL: bytes to *got. 0, -ENODATA at the end, with or without a word, else -errno. */
static int
ssl_recv(struct conn *c, uint8_t *p, size_t room, size_t *got)
{
	struct tls_conn *t = c->tls;
	int code = 0;
	ssize_t n = 0;

	if (SSL_has_pending(t->ssl))
		*got = decrypt(c, p, room, &code);
	while (code == 0 && *got < room) {
		bool aside = t->left != NULL;

		if (*got > 0 && !aside) /* one recv a call is enough */
			break;
		n = feed(c, room - *got + OVERHEAD);
		if (n <= 0)
			break;
		*got += decrypt(c, p + *got, room - *got, &code);
		if (put_aside(c) != 0)
			return -ENOMEM;
	}
	if (code == 0 && (t->left != NULL || SSL_has_pending(t->ssl)))
		c->can_read = true; /* no edge will tell of it */
	return code == 0 && n < 0 ? (int)n : code;
}

ssize_t
tls_recv(struct conn *c, void *p, size_t room)
{
	struct tls_conn *t = c->tls;
	size_t got = 0;
	int code;

	if (t->bad)
		return -EPROTO;
	code = t->ssl == NULL ? tls_away_recv(c, p, room, &got) : ssl_recv(c, p, room, &got);
	if (c->w->tls->out_len > 0 && say(c) < 0) /* an alert, or an answer to a change of keys */
		t->bad = true;
	if (got > 0) {
		if (code != 0)
			c->can_read = true; /* the end is told by the next call */
		return (ssize_t)got;
	}
	if (t->end) {
		c->eof = true;
		return -ENODATA;
	}
	if (code == -ENODATA) { /* without a word */
		t->bad = true;
		c->eof = t->ctx->server;
		return t->ctx->server ? -ENODATA : -ECONNABORTED;
	}
	return code;
}

/* Into the engine: all of it, or -errno. */
static int
ssl_write(struct conn *c, const void *p, size_t n)
{
	size_t done;
	int code;

	if (SSL_write_ex(c->tls->ssl, p, n, &done) != 1) {
		code = why(c, 0);
		return code == 0 ? -EPROTO : code;
	}
	must(done == n);
	return 0;
}

int
tls_send(struct conn *c, const void *p, size_t n)
{
	struct tls_conn *t = c->tls;
	struct tls_engine *e = c->w->tls;
	struct chunk *k = t->held;
	int code;

	must(t->up);
	if (t->bad)
		return -EPIPE;
	if (k != NULL) {
		code = tls_engine_put(e, k->b, k->len);
		if (code != 0)
			return code;
		t->held = NULL;
		free(k);
	}
	code = t->ssl == NULL ? tls_away_write(t, p, n) : ssl_write(c, p, n);
	if (code != 0) {
		e->out_len = 0;
		t->bad = true;
		return code;
	}
	conn_count_out(c, n);
	return say(c);
}

void
tls_end(struct conn *c)
{
	struct tls_conn *t = c->tls;

	if (t->bad || !t->up)
		return;
	if (t->ssl == NULL)
		tls_away_end(t);
	else if ((SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN) == 0 && SSL_shutdown(t->ssl) < 0)
		ERR_clear_error();
	(void)say(c); /* who has gone need not hear it */
}

void
tls_free(struct tls_conn *t)
{
	if (t == NULL)
		return;
	SSL_free(t->ssl);
	tls_away_free(t);
	tls_ctx_unref(t->ctx);
	free(t->left);
	free(t->held);
	free(t->lines);
	slab_put(&t->e->conns, t);
}

const struct tls_ctx *
tls_ctx_of(const struct tls_conn *t)
{
	return t == NULL ? NULL : t->ctx;
}

bool
tls_is_up(const struct tls_conn *t)
{
	return t->up;
}

bool
tls_was_resumed(const struct tls_conn *t)
{
	return t->ssl == NULL ? t->away->resumed : SSL_session_reused(t->ssl) == 1;
}

bool
tls_is_h2(const struct tls_conn *t)
{
	const unsigned char *name;
	unsigned n;

	if (t->ssl == NULL)
		return t->away->h2;
	SSL_get0_alpn_selected(t->ssl, &name, &n);
	return n == 2 && memcmp(name, "h2", 2) == 0;
}

const char *
tls_protocol(const struct tls_conn *t)
{
	return t->ssl == NULL ? "TLSv1.3" : SSL_get_version(t->ssl);
}

const char *
tls_cipher(const struct tls_conn *t)
{
	return t->ssl == NULL ? t->away->cipher : SSL_get_cipher_name(t->ssl);
}

const char *
tls_name(const struct tls_conn *t)
{
	const char *name =
	    t->ssl == NULL ? t->away->name : SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name);

	return name == NULL ? "" : name;
}

bool
tls_session_key(const struct tls_conn *t, uint8_t out[TLS_SESSION_KEY])
{
	if (t->ssl != NULL)
		return tls_session_of(t->ssl, out);
	if (t->away->named)
		memcpy(out, t->away->session, TLS_SESSION_KEY);
	return t->away->named;
}

const char *
tls_client_lines(struct tls_conn *t, size_t *len_out)
{
	if (t->lines == NULL)
		t->lines = tls_peer_lines(t->ssl);
	*len_out = t->lines == NULL ? 0 : strlen(t->lines);
	return t->lines == NULL ? "" : t->lines;
}

bool
tls_client_cn(const struct tls_conn *t, char *out, size_t room)
{
	return tls_peer_cn(t->ssl, out, room);
}
