/* Contexts of OpenSSL.
 *
 * To clients: one context for each certificate, alike but for that; a connection begins with the first, and the name that the
 * client asks for moves it to another (RFC 6066 section 3). Names are sorted; an exact one is better than a wildcard, which
 * stands for one label (RFC 6125 section 6.4.3). To servers: one context, which remembers nothing.
 *
 * Only what is safe today can be asked for: TLS 1.2 with forward secrecy and AEAD, TLS 1.3; no compression, no
 * renegotiation, no early data. */
#include "tls_ctx.h"

#include "base/mem.h"
#include "base/must.h"

#include "tls_priv.h"
#include "tls_quic.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define CIPHERS                                                      \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define CURVES "X25519:P-256:P-384"
#define HOST_MAX 253

struct tls_ctx *
tls_ctx_ref(struct tls_ctx *x)
{
	if (x != NULL)
		atomic_fetch_add_explicit(&x->refs, 1, memory_order_relaxed);
	return x;
}

void
tls_ctx_unref(struct tls_ctx *x)
{
	unsigned i;

	if (x == NULL || atomic_fetch_sub_explicit(&x->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (i = 0; i < x->n_hosts; i++)
		free(x->host[i].name);
	for (i = 0; i < x->n_more; i++)
		SSL_CTX_free(x->more[i]);
	for (i = 0; i < x->n_staples; i++)
		staple_unref(x->staple[i]);
	free(x->host);
	free(x->more);
	free(x->staple);
	SSL_CTX_free(x->ssl);
	free(x);
}

bool
tls_ctx_is_last(const struct tls_ctx *x)
{
	return atomic_load_explicit(&x->refs, memory_order_acquire) == 1;
}

/* The first error of OpenSSL's queue, which is empty afterwards. */
static int
refused(struct err *err, const char *what, const char *name)
{
	const char *why = ERR_reason_error_string(ERR_get_error());

	ERR_clear_error();
	return err_set(err, ERR_INVALID, "%s \"%s\": %s", what, name,
	    why != NULL ? why : "not taken by OpenSSL");
}

static X509 *
next_cert(BIO *b)
{
	X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);

	if (x == NULL && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
		ERR_clear_error(); /* the end */
	return x;
}

static int
put_identity(SSL_CTX *x, const struct tls_identity *id, struct err *err)
{
	BIO *b = BIO_new_mem_buf(id->chain, -1);
	X509 *c;
	int ok;

	must(b != NULL);
	c = next_cert(b);
	ok = c != NULL && SSL_CTX_use_certificate(x, c) == 1;
	X509_free(c);
	while (ok && (c = next_cert(b)) != NULL) {
		ok = SSL_CTX_add1_chain_cert(x, c) == 1;
		X509_free(c);
	}
	BIO_free(b);
	ok = ok && ERR_peek_error() == 0 && SSL_CTX_use_PrivateKey(x, id->key) == 1 &&
	     SSL_CTX_check_private_key(x) == 1;
	return ok ? 0 : refused(err, "certificate", id->name);
}

static int
compare_hosts(const void *a, const void *b)
{
	return strcmp(((const struct tls_host *)a)->name, ((const struct tls_host *)b)->name);
}

static const struct tls_host *
find(const struct tls_ctx *x, const char *name)
{
	struct tls_host key = { .name = (char *)(uintptr_t)name };

	return bsearch(&key, x->host, x->n_hosts, sizeof(key), compare_hosts);
}

SSL_CTX *
tls_ctx_host(const struct tls_ctx *x, const char *name)
{
	char low[HOST_MAX + 2];
	const struct tls_host *h;
	size_t i, n = strlen(name);
	char *dot;

	if (n > 0 && name[n - 1] == '.')
		n--;
	if (n == 0 || n > HOST_MAX || x->n_hosts == 0)
		return NULL;
	for (i = 0; i < n; i++)
		low[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
	low[n] = 0;
	h = find(x, low);
	if (h == NULL && (dot = strchr(low, '.')) != NULL && dot > low) {
		dot[-1] = '*';
		h = find(x, dot - 1);
	}
	return h == NULL ? NULL : h->ssl;
}

static int
on_name(SSL *s, int *alert, void *arg)
{
	const struct tls_ctx *x = arg;
	const char *name = SSL_get_servername(s, TLSEXT_NAMETYPE_host_name);
	SSL_CTX *ssl = name == NULL ? NULL : tls_ctx_host(x, name);

	if (ssl != NULL) {
		if (ssl != x->ssl && SSL_set_SSL_CTX(s, ssl) == NULL) {
			*alert = SSL_AD_INTERNAL_ERROR;
			return SSL_TLSEXT_ERR_ALERT_FATAL;
		}
		return SSL_TLSEXT_ERR_OK;
	}
	if (x->strict) {
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	return name == NULL ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_OK;
}

static int
on_alpn(SSL *s, const unsigned char **out, unsigned char *len, const unsigned char *in, unsigned n,
    void *arg)
{
	static const unsigned char ours[] = "\x02h2\x08http/1.1";
	const struct tls_ctx *x = arg;
	unsigned skip = x->http2 ? 0 : 3;
	unsigned char *picked;

	(void)s;
	if (SSL_select_next_proto(&picked, len, ours + skip, (unsigned)sizeof(ours) - 1 - skip, in,
		n) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = picked;
	return SSL_TLSEXT_ERR_OK;
}

/* Certificates of PEM into a store; how many there were, -1 for bad ones. */
static int
put_cas(X509_STORE *store, STACK_OF(X509_NAME) * names, const char *pem)
{
	BIO *b = BIO_new_mem_buf(pem, -1);
	X509 *c;
	int n = 0;

	must(b != NULL);
	while (n >= 0 && (c = next_cert(b)) != NULL) {
		n = X509_STORE_add_cert(store, c) == 1 ? n + 1 : -1;
		if (n > 0 && names != NULL) {
			X509_NAME *name = X509_NAME_dup(X509_get_subject_name(c));

			must(name != NULL && sk_X509_NAME_push(names, name) > 0);
		}
		X509_free(c);
	}
	BIO_free(b);
	return ERR_peek_error() == 0 ? n : -1;
}

static int
put_crls(X509_STORE *store, const char *pem)
{
	BIO *b = BIO_new_mem_buf(pem, -1);
	X509_CRL *c;
	int n = 0;

	must(b != NULL);
	while (n >= 0 && (c = PEM_read_bio_X509_CRL(b, NULL, NULL, NULL)) != NULL) {
		n = X509_STORE_add_crl(store, c) == 1 ? n + 1 : -1;
		X509_CRL_free(c);
	}
	BIO_free(b);
	if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
		ERR_clear_error();
	return ERR_peek_error() == 0 ? n : -1;
}

static int
ask_clients(SSL_CTX *x, const struct tls_front *f, struct err *err)
{
	X509_STORE *store = SSL_CTX_get_cert_store(x);
	STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
	unsigned flags = SSL_VERIFY_PEER;

	must(names != NULL);
	if (f->auth == TLS_CLIENT_REQUIRED)
		flags |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	if (put_cas(store, names, f->ca) <= 0) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return refused(err, "certificates of clients' authorities for", f->name);
	}
	SSL_CTX_set_client_CA_list(x, names); /* takes it */
	if (f->crl[0] != 0) {
		if (put_crls(store, f->crl) <= 0)
			return refused(err, "revocation list for", f->name);
		(void)X509_STORE_set_flags(
		    store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	}
	SSL_CTX_set_verify(x, (int)flags, NULL);
	return 0;
}

/* The macro of OpenSSL for it drops a const. */
static bool
set_curves(SSL_CTX *x, const char *list)
{
	return SSL_CTX_ctrl(x, SSL_CTRL_SET_GROUPS_LIST, 0, (void *)(uintptr_t)list) == 1;
}

static void
common_settings(SSL_CTX *x)
{
	(void)SSL_CTX_set_mode(x, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	(void)SSL_CTX_set_options(x, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_PRIORITIZE_CHACHA);
	(void)SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_OFF);
}

/* A session stands for what its handshake found of the client: it goes on only where the same was asked by the same authorities
 * and revocation lists, since a session that goes on shows no certificate again (RFC 8446 section 2.2). Both nodes of a pair
 * come to the same. */
static void
set_session_context(SSL_CTX *x, const struct tls_front *f)
{
	const char *part[] = { f->name, f->auth != TLS_CLIENT_OFF ? f->ca : "",
		f->auth != TLS_CLIENT_OFF ? f->crl : "" };
	const unsigned char auth = (unsigned char)f->auth;
	unsigned char sum[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *d = EVP_MD_CTX_new();
	unsigned n = 0;

	must(d != NULL && EVP_DigestInit_ex(d, EVP_sha256(), NULL) == 1);
	must(EVP_DigestUpdate(d, &auth, 1) == 1);
	for (unsigned i = 0; i < ARRAY_LEN(part); i++)
		must(EVP_DigestUpdate(d, part[i], strlen(part[i]) + 1) == 1);
	must(EVP_DigestFinal_ex(d, sum, &n) == 1 && n <= SSL_MAX_SID_CTX_LENGTH);
	EVP_MD_CTX_free(d);
	must(SSL_CTX_set_session_id_context(x, sum, n) == 1);
}

static SSL_CTX *
front_one(
    struct tls_ctx *x, const struct tls_front *f, const struct tls_identity *id, struct err *err)
{
	SSL_CTX *s = SSL_CTX_new(TLS_server_method());

	must(s != NULL);
	common_settings(s);
	(void)SSL_CTX_set_min_proto_version(s, f->tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
	set_session_context(s, f);
	(void)SSL_CTX_set_timeout(s, f->session_s);
	(void)SSL_CTX_set_num_tickets(s, f->tickets ? 1 : 0);
	if (!f->tickets)
		(void)SSL_CTX_set_options(s, SSL_OP_NO_TICKET);
	else
		must(tls_ticket_use(s) == 0 && tls_session_use(s) == 0);
	if (f->detach)
		tls_detach_use(s);
	(void)SSL_CTX_set_tlsext_servername_callback(s, on_name);
	(void)SSL_CTX_set_tlsext_servername_arg(s, x);
	if (f->http)
		SSL_CTX_set_alpn_select_cb(s, on_alpn, x);
	(void)SSL_CTX_set_dh_auto(s, 1); /* for ciphers of the row that have DHE; ours have none */
	if (SSL_CTX_set_cipher_list(s, f->ciphers[0] != 0 ? f->ciphers : CIPHERS) != 1) {
		(void)refused(err, "ciphers of", f->name);
	} else if (!set_curves(s, f->curves[0] != 0 ? f->curves : CURVES)) {
		(void)refused(err, "curves of", f->name);
	} else if (put_identity(s, id, err) == 0 &&
		   (f->auth == TLS_CLIENT_OFF || ask_clients(s, f, err) == 0) &&
		   (!f->http3 || tls_quic_use(s, id->name, err) == 0)) {
		return s;
	}
	SSL_CTX_free(s);
	return NULL;
}

static void
add_host(struct tls_ctx *x, const char *name, size_t n, SSL_CTX *ssl)
{
	char *low;
	size_t i;

	while (n > 0 && (*name == ' ')) {
		name++;
		n--;
	}
	while (n > 0 && name[n - 1] == ' ')
		n--;
	if (n == 0 || n > HOST_MAX || memchr(name, 0, n) != NULL)
		return;
	low = mem_alloc(n + 1);
	for (i = 0; i < n; i++)
		low[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
	for (i = 0; i < x->n_hosts; i++)
		if (strcmp(x->host[i].name, low) == 0) { /* the first one has it */
			free(low);
			return;
		}
	x->host = mem_grow(x->host, (x->n_hosts + 1) * sizeof(x->host[0]));
	x->host[x->n_hosts++] = (struct tls_host){ low, ssl };
}

/* The names that a certificate is for, as told or as it says itself. */
static void
add_hosts(struct tls_ctx *x, const struct tls_identity *id, SSL_CTX *ssl)
{
	const char *p = id->hosts, *comma;
	GENERAL_NAMES *names;
	int i;

	for (; *p != 0; p = comma + 1) {
		comma = strchr(p, ',');
		if (comma == NULL) {
			add_host(x, p, strlen(p), ssl);
			break;
		}
		add_host(x, p, (size_t)(comma - p), ssl);
	}
	if (id->hosts[0] != 0)
		return;
	names = X509_get_ext_d2i(SSL_CTX_get0_certificate(ssl), NID_subject_alt_name, NULL, NULL);
	for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);

		if (g->type == GEN_DNS)
			add_host(x, (const char *)ASN1_STRING_get0_data(g->d.dNSName),
			    (size_t)ASN1_STRING_length(g->d.dNSName), ssl);
	}
	GENERAL_NAMES_free(names);
}

static void
add_staple(struct tls_ctx *x, const char *chain, SSL_CTX *ssl)
{
	x->staple = mem_grow(x->staple, (x->n_staples + 1) * sizeof(struct staple *));
	x->staple[x->n_staples] = staple_of(chain);
	staple_use(x->staple[x->n_staples++], ssl);
}

struct tls_ctx *
tls_front_new(const struct tls_front *f, struct err *err)
{
	struct tls_ctx *x = mem_alloc(sizeof(*x));
	unsigned i;

	must(f->n > 0);
	atomic_init(&x->refs, 1);
	x->server = true;
	x->strict = f->strict;
	x->http2 = f->http2;
	x->detach = f->detach;
	x->more = mem_alloc(f->n * sizeof(x->more[0]));
	for (i = 0; i < f->n; i++) {
		SSL_CTX *s = front_one(x, f, &f->id[i], err);

		if (s == NULL) {
			tls_ctx_unref(x);
			return NULL;
		}
		if (i == 0)
			x->ssl = s;
		else
			x->more[x->n_more++] = s;
		add_hosts(x, &f->id[i], s);
		if (f->stapling)
			add_staple(x, f->id[i].chain, s);
	}
	qsort(x->host, x->n_hosts, sizeof(x->host[0]), compare_hosts);
	return x;
}

struct tls_ctx *
tls_back_new(const struct tls_back *b, struct err *err)
{
	struct tls_ctx *x = mem_alloc(sizeof(*x));
	bool ok = true;

	atomic_init(&x->refs, 1);
	x->verify = b->verify;
	x->ssl = SSL_CTX_new(TLS_client_method());
	must(x->ssl != NULL);
	common_settings(x->ssl);
	(void)SSL_CTX_set_min_proto_version(x->ssl, TLS1_2_VERSION);
	must(set_curves(x->ssl, CURVES));
	if (b->verify) {
		ok = b->ca[0] != 0 ? put_cas(SSL_CTX_get_cert_store(x->ssl), NULL, b->ca) > 0
				   : SSL_CTX_set_default_verify_paths(x->ssl) == 1;
		SSL_CTX_set_verify(x->ssl, SSL_VERIFY_PEER, NULL);
	}
	if (ok)
		return x;
	(void)refused(err, "authorities of the servers of", b->name);
	tls_ctx_unref(x);
	return NULL;
}
