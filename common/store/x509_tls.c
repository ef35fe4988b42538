/* What only OpenSSL knows of TLS settings: names of ciphers and curves, and whether certificates are for the hosts that they are
 * chosen for.
 *
 * Of names in a list it passes over those that it does not know as long as it knows another one, so each is asked for by itself.
 * Only rows that differ from those in force are looked at. */
#include "store/x509_priv.h"

#include "base/must.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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

/* Names that take away what the others have put there leave nothing, which OpenSSL refuses when the list is used. */
static int
check_any(const struct tls *t, SSL_CTX *x, struct err *err)
{
	char object[100];

	if (t->ciphers[0] == '\0' || SSL_CTX_set_cipher_list(x, t->ciphers) == 1)
		return 0;
	ERR_clear_error();
	(void)snprintf(object, sizeof(object), "tls %s", t->name);
	return err_field(err, ERR_INVALID, object, "ciphers",
	    "\"%.100s\" leaves no cipher; allowed is a list of which openssl ciphers shows one at least",
	    t->ciphers);
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
		rc = check_any(t, x, err);
	if (rc == 0)
		rc = check_list(t, "curves", t->curves, is_curve, x, err);
	SSL_CTX_free(x);
	return rc;
}

/* Whether a certificate's name is for a host, or for all that a host with "*." stands for (RFC 6125 section 6.4.3). */
static bool
is_for(const char *name, size_t name_len, const char *host, size_t len)
{
	if (name_len > 2 && name[0] == '*' && name[1] == '.' && host[0] != '*') {
		const char *dot = memchr(host, '.', len);

		if (dot == NULL || dot == host)
			return false;
		len -= (size_t)(dot - host);
		host = dot;
		name++;
		name_len--;
	}
	return name_len == len && strncasecmp(name, host, len) == 0;
}

static bool
any_for(const char *names, const char *host, size_t len)
{
	for (const char *p = names; *p != '\0'; p += strspn(p, ",")) {
		size_t n = strcspn(p, ",");

		if (is_for(p, n, host, len))
			return true;
		p += n;
	}
	return false;
}

int
x509_check_sni(const struct sni *s, const struct tls *t, const struct cert *c, struct err *err)
{
	struct x509_face face;
	char object[200];

	if (!t->strict || c == NULL || s->hosts[0] == '\0' || x509_face(c->chain, 0, &face) != 0 ||
	    face.more)
		return 0;
	for (const char *p = s->hosts; *p != '\0';) {
		size_t n;

		p += strspn(p, ", ");
		n = strcspn(p, ", ");
		if (n > 0 && !any_for(face.names, p, n)) {
			(void)snprintf(object, sizeof(object), "sni %s/%s", t->name, s->name);
			return err_field(err, ERR_INVALID, object, "hosts",
			    "\"%.*s\" is none that cert %s is for, and its tls is strict; allowed are "
			    "%.200s",
			    n < 100 ? (int)n : 100, p, c->name, face.names);
		}
		p += n;
	}
	return 0;
}
