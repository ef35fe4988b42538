/* Names of ciphers and curves in TLS settings, which OpenSSL knows: it passes over a name of a list that it does not know as long
 * as it knows another one, so each is asked for by itself. Only rows that differ from those in force are looked at. */
#include "store/x509_priv.h"

#include "base/must.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

typedef int name_fn(SSL_CTX *x, const char *name);

static int
is_cipher(SSL_CTX *x, const char *name)
{
	/* "!aNULL", "-RC4", "+ECDH" and "@STRENGTH" change what others have put there. */
	if (name[0] == '!' || name[0] == '-' || name[0] == '+')
		name++;
	if (name[0] == '@')
		return strcmp(name, "@STRENGTH") == 0;
	return SSL_CTX_set_cipher_list(x, name);
}

static int
is_curve(SSL_CTX *x, const char *name)
{
	/* The macro of OpenSSL for it drops a const. */
	return SSL_CTX_ctrl(x, SSL_CTRL_SET_GROUPS_LIST, 0, (void *)(uintptr_t)name) == 1;
}

static int
check_list(const struct tls *t, const char *field, const char *list, name_fn *known, SSL_CTX *x,
    struct err *err)
{
	char name[100], object[100];

	(void)snprintf(object, sizeof(object), "tls %s", t->name);
	for (const char *p = list; *p != '\0'; p += strspn(p, ":")) {
		size_t n = strcspn(p, ":");

		(void)snprintf(name, sizeof(name), "%.*s", n < sizeof(name) ? (int)n : 0, p);
		if (name[0] == '\0' || known(x, name) != 1) {
			ERR_clear_error();
			return err_field(err, ERR_INVALID, object, field,
			    "\"%.*s\" is none that OpenSSL has here; allowed are %s",
			    n < 100 ? (int)n : 100, p,
			    known == is_curve ? "X25519, X448, P-256, P-384, P-521 and others"
					      : "what openssl ciphers lists");
		}
		p += n;
	}
	return 0;
}

int
x509_check_tls(const struct tls *t, const struct tls *old, struct err *err)
{
	SSL_CTX *x;
	int rc;

	if (old != NULL && strcmp(old->ciphers, t->ciphers) == 0 &&
	    strcmp(old->curves, t->curves) == 0)
		return 0;
	if (t->ciphers[0] == '\0' && t->curves[0] == '\0')
		return 0;
	x = SSL_CTX_new(TLS_server_method());
	must(x != NULL);
	rc = check_list(t, "ciphers", t->ciphers, is_cipher, x, err);
	if (rc == 0)
		rc = check_list(t, "curves", t->curves, is_curve, x, err);
	SSL_CTX_free(x);
	return rc;
}
