/* TLS of probes.
 *
 * Contexts are made once for each bundle of authorities and kept: reading one takes longer than a probe. A bundle that
 * changed is another one; the least recently made gives way. Sessions are not resumed, so that a probe proves that the
 * server can still do the whole handshake. */
#include "tls.h"

#include "base/mem.h"
#include "base/must.h"
#include "sys/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#define CONTEXTS 32

struct check_tls {
	SSL *ssl;
};
static struct context {
	char *ca; /* NULL: without verification */
	SSL_CTX *ssl;
} made[CONTEXTS];
static unsigned next;

static bool
trust(SSL_CTX *x, const char *ca)
{
	BIO *b;
	X509 *c;
	bool ok = true;
	unsigned n = 0;

	if (ca[0] == '\0')
		return SSL_CTX_set_default_verify_paths(x) == 1;
	b = BIO_new_mem_buf(ca, -1);
	must(b != NULL);
	while (ok && (c = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL) {
		ok = X509_STORE_add_cert(SSL_CTX_get_cert_store(x), c) == 1;
		X509_free(c);
		n++;
	}
	BIO_free(b);
	ERR_clear_error();
	return ok && n > 0;
}

static SSL_CTX *
context(const char *ca)
{
	struct context *c;
	SSL_CTX *x;

	for (c = made; c < made + CONTEXTS; c++)
		if (c->ssl != NULL &&
		    (ca == NULL ? c->ca == NULL : c->ca != NULL && strcmp(c->ca, ca) == 0))
			return c->ssl;
	x = SSL_CTX_new(TLS_client_method());
	must(x != NULL);
	(void)SSL_CTX_set_min_proto_version(x, TLS1_2_VERSION);
	(void)SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_mode(
	    x, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (ca != NULL) {
		if (!trust(x, ca)) {
			SSL_CTX_free(x);
			return NULL;
		}
		SSL_CTX_set_verify(x, SSL_VERIFY_PEER, NULL);
	}
	c = &made[next++ % CONTEXTS];
	SSL_CTX_free(c->ssl); /* connections that have it keep it */
	free(c->ca);
	*c = (struct context){ ca != NULL ? mem_text(ca) : NULL, x };
	return x;
}

struct check_tls *
tls_new(int fd, bool verify, const char *ca, const char *name, const char **why_out)
{
	SSL_CTX *x = context(verify ? ca : NULL);
	struct check_tls *t;
	struct in6_addr any;
	bool literal = inet_pton(AF_INET, name, &any) == 1 || inet_pton(AF_INET6, name, &any) == 1,
	     ok;

	*why_out = "the authorities of the service cannot be used";
	if (x == NULL)
		return NULL;
	*why_out = "no memory";
	t = mem_alloc(sizeof(*t));
	t->ssl = SSL_new(x);
	ok = t->ssl != NULL && SSL_set_fd(t->ssl, fd) == 1;
	if (ok && !literal)
		ok = SSL_ctrl(t->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
			 (void *)(uintptr_t)name) == 1;
	if (ok && verify)
		ok = literal ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), name) == 1
			     : SSL_set1_host(t->ssl, name) == 1;
	if (!ok) {
		ERR_clear_error();
		tls_free(t);
		return NULL;
	}
	SSL_set_connect_state(t->ssl);
	return t;
}

void
tls_free(struct check_tls *t)
{
	if (t == NULL)
		return;
	if (t->ssl != NULL && SSL_is_init_finished(t->ssl))
		(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
	SSL_free(t->ssl);
	free(t);
}

int
tls_shake(struct check_tls *t, unsigned *want_out, const char **why_out)
{
	int r = SSL_do_handshake(t->ssl);
	long verdict;

	if (r == 1)
		return 1;
	switch (SSL_get_error(t->ssl, r)) {
	case SSL_ERROR_WANT_READ: *want_out = LOOP_READ; return 0;
	case SSL_ERROR_WANT_WRITE: *want_out = LOOP_WRITE; return 0;
	default: break;
	}
	verdict = SSL_get_verify_result(t->ssl);
	*why_out = verdict != X509_V_OK ? X509_verify_cert_error_string(verdict)
					: ERR_reason_error_string(ERR_peek_error());
	if (*why_out == NULL)
		*why_out = "the server ended it";
	ERR_clear_error();
	return -1;
}

/* What a call that did not do comes to. */
static ssize_t
result(struct check_tls *t)
{
	int error = SSL_get_error(t->ssl, 0);

	ERR_clear_error();
	switch (error) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE: errno = EAGAIN; return -1;
	case SSL_ERROR_ZERO_RETURN: return 0;
	case SSL_ERROR_SYSCALL:
		if (errno != 0)
			return -1;
		return 0;
	default: return 0; /* without close_notify, or nonsense: the answer ends here */
	}
}

ssize_t
tls_read(struct check_tls *t, void *p, size_t n)
{
	size_t done;

	errno = 0;
	return SSL_read_ex(t->ssl, p, n, &done) == 1 ? (ssize_t)done : result(t);
}

ssize_t
tls_write(struct check_tls *t, const void *p, size_t n)
{
	size_t done;
	ssize_t r;

	errno = 0;
	if (SSL_write_ex(t->ssl, p, n, &done) == 1)
		return (ssize_t)done;
	r = result(t);
	if (r == 0) {
		errno = EPIPE;
		r = -1;
	}
	return r;
}
