/* The only place that knows GnuTLS, which libmicrohttpd serves TLS with. Its hook has no argument of ours, so the pair is one of the
 * process. Each handshake is given copies of its own, which the library frees: nothing has to outlive a change. */
#include "tls_serve.h"

#include "base/mem.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_MOST 16

static char *cert_pem, *key_pem;

static gnutls_datum_t
datum(char *pem)
{
	return (gnutls_datum_t){ .data = (unsigned char *)pem, .size = (unsigned)strlen(pem) };
}

static void
list_free(gnutls_pcert_st *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		gnutls_pcert_deinit(&list[i]);
	gnutls_free(list);
}

static int
make_pair(
    char *cert, char *key, gnutls_pcert_st **list_out, unsigned *n_out, gnutls_privkey_t *key_out)
{
	gnutls_datum_t c = datum(cert), k = datum(key);
	gnutls_pcert_st *list = gnutls_calloc(CHAIN_MOST, sizeof(*list));
	unsigned n = CHAIN_MOST;
	int rc;

	if (list == NULL)
		return GNUTLS_E_MEMORY_ERROR;
	rc = gnutls_pcert_list_import_x509_raw(
	    list, &n, &c, GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_SORT);
	if (rc < 0) {
		gnutls_free(list);
		return rc;
	}
	rc = gnutls_privkey_init(key_out);
	if (rc < 0) {
		list_free(list, n);
		return rc;
	}
	rc = gnutls_privkey_import_x509_raw(*key_out, &k, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (rc < 0) {
		gnutls_privkey_deinit(*key_out);
		list_free(list, n);
		return rc;
	}
	*list_out = list;
	*n_out = n;
	return 0;
}

static int
give(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **list,
    unsigned *n, gnutls_ocsp_data_st **ocsp, unsigned *ocsp_n, gnutls_privkey_t *key,
    unsigned *flags)
{
	(void)session;
	(void)info;
	*ocsp = NULL;
	*ocsp_n = 0;
	*flags = GNUTLS_CERT_RETR_DEINIT_ALL;
	return cert_pem == NULL || make_pair(cert_pem, key_pem, list, n, key) != 0 ? -1 : 0;
}

void *
tls_serve_hook(void)
{
	gnutls_certificate_retrieve_function3 *fn = give;
	void *p;

	memcpy(&p, &fn, sizeof(p));
	return p;
}

/* Whether they belong together, which nothing asks once a handshake wants them. */
static int
try_pair(char *cert, char *key)
{
	gnutls_certificate_credentials_t both;
	gnutls_datum_t c = datum(cert), k = datum(key);
	gnutls_privkey_t kept;
	gnutls_pcert_st *list;
	unsigned n;
	int rc = gnutls_certificate_allocate_credentials(&both);

	if (rc < 0)
		return rc;
	rc = gnutls_certificate_set_x509_key_mem(both, &c, &k, GNUTLS_X509_FMT_PEM);
	gnutls_certificate_free_credentials(both);
	if (rc < 0)
		return rc;
	rc = make_pair(cert, key, &list, &n, &kept);
	if (rc == 0) {
		gnutls_privkey_deinit(kept);
		list_free(list, n);
	}
	return rc;
}

int
tls_serve_set(const char *cert, const char *key, struct err *err)
{
	char *c = mem_text(cert), *k = mem_text(key);
	int rc = try_pair(c, k);

	if (rc < 0) {
		explicit_bzero(k, strlen(k));
		free(c);
		free(k);
		return err_set(err, ERR_INVALID,
		    "certificate and key of the panel cannot be used: %s", gnutls_strerror(rc));
	}
	tls_serve_forget();
	cert_pem = c;
	key_pem = k;
	return 0;
}

void
tls_serve_forget(void)
{
	if (key_pem != NULL)
		explicit_bzero(key_pem, strlen(key_pem));
	free(cert_pem);
	free(key_pem);
	cert_pem = key_pem = NULL;
}
