/* Certificates for QUIC, whose handshake is GnuTLS's (OpenSSL 3.0 has no QUIC): each context that clients may meet has its certificate and
 * key in GnuTLS's form beside it. And what is asked of a connection's TLS, of one that came so. */
#include "tls_quic.h"

#include "base/must.h"

#include "net/conn.h"
#include "net/worker.h"
#include "tls_priv.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static int place = -1;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
free_creds(void *parent, void *p, CRYPTO_EX_DATA *ad, int i, long argl, void *argp)
{
	(void)parent;
	(void)ad;
	(void)i;
	(void)argl;
	(void)argp;
	if (p != NULL)
		gnutls_certificate_free_credentials(p);
}

static void
make_place(void)
{
	place = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_creds);
	must(place >= 0);
}

/* The chain, leaf first, and the key, as PEM. */
static bool
write_pem(SSL_CTX *x, BIO *chain, BIO *key)
{
	STACK_OF(X509) *more = NULL;
	bool ok = PEM_write_bio_X509(chain, SSL_CTX_get0_certificate(x)) == 1;

	(void)SSL_CTX_get0_chain_certs(x, &more);
	for (int i = 0; ok && i < sk_X509_num(more); i++)
		ok = PEM_write_bio_X509(chain, sk_X509_value(more, i)) == 1;
	return ok && PEM_write_bio_PKCS8PrivateKey(
			 key, SSL_CTX_get0_privatekey(x), NULL, NULL, 0, NULL, NULL) == 1;
}

static gnutls_datum_t
bytes_of(BIO *b)
{
	char *p;
	long n = BIO_get_mem_data(b, &p);

	return (gnutls_datum_t){ (unsigned char *)p, (unsigned)n };
}

int
tls_quic_use(struct ssl_ctx_st *x, const char *name, struct err *err)
{
	BIO *chain = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_secmem());
	gnutls_certificate_credentials_t creds = NULL;
	gnutls_datum_t c, k;
	int code;

	must(chain != NULL && key != NULL && pthread_once(&once, make_place) == 0);
	must(write_pem(x, chain, key));
	must(gnutls_certificate_allocate_credentials(&creds) == 0);
	c = bytes_of(chain);
	k = bytes_of(key);
	code = gnutls_certificate_set_x509_key_mem2(creds, &c, &k, GNUTLS_X509_FMT_PEM, NULL, 0);
	BIO_free(chain);
	BIO_free(key);
	if (code < 0) {
		gnutls_certificate_free_credentials(creds);
		return err_set(err, ERR_INVALID, "certificate \"%s\" for http3: %s", name,
		    gnutls_strerror(code));
	}
	must(SSL_CTX_set_ex_data(x, place, creds) == 1);
	return 0;
}

void *
tls_quic_creds(const struct tls_ctx *x, const char *name)
{
	SSL_CTX *s = name[0] == 0 ? NULL : tls_ctx_host(x, name);

	if (s == NULL && x->strict)
		return NULL;
	return place < 0 ? NULL : SSL_CTX_get_ex_data(s == NULL ? x->ssl : s, place);
}

int
tls_quic_begin(struct conn *c, struct tls_ctx *x)
{
	struct tls_engine *e = c->w->tls;
	struct tls_conn *t = slab_get(&e->conns);

	if (t == NULL)
		return -ENOMEM;
	t->away = slab_get(&e->aways);
	if (t->away == NULL) {
		slab_put(&e->conns, t);
		return -ENOMEM;
	}
	t->e = e;
	t->ctx = tls_ctx_ref(x);
	t->up = true;
	t->away->said_end = true;
	t->away->cipher = "";
	c->tls = t;
	return 0;
}

void
tls_quic_told(struct tls_conn *t, const char *cipher, const char *name)
{
	struct tls_away *a = t->away;

	a->cipher = cipher;
	if (name[0] != 0 && a->name == NULL)
		a->name =
		    strlen(name) < sizeof(a->name_here) ? strcpy(a->name_here, name) : strdup(name);
}
