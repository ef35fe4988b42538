/* Rules of TLS: what a service needs before its clients or servers can be spoken to so, and what cannot go together.
 * Pure; the certificates themselves are looked at where they are committed (x509_check.c). */
#include "store/object_checks_priv.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HOST_MOST 253

/* "www.example.org" or "*.example.org"; the first n characters of s. */
static bool
is_host(const char *s, size_t n)
{
	size_t label = 0;

	if (n == 0 || n > HOST_MOST)
		return false;
	if (n > 2 && s[0] == '*' && s[1] == '.') {
		s += 2;
		n -= 2;
	}
	for (size_t i = 0; i < n; i++) {
		bool letter = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
			      (s[i] >= '0' && s[i] <= '9');

		if (s[i] == '.' ? label == 0 : !letter && s[i] != '-' && s[i] != '_')
			return false;
		label = s[i] == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return label > 0;
}

/* The next name of a list; its length, 0 at the end. Spaces after a comma are passed over. */
static size_t
next_host(const char **list)
{
	*list += strspn(*list, ", ");
	return strcspn(*list, ",");
}

static int
check_hosts(struct look *l, const struct sni *s)
{
	const char *p = s->hosts;
	size_t n = strlen(p);

	if (n > 0 && (p[0] == ',' || p[n - 1] == ',' || strstr(p, ",,") != NULL))
		return look_bad(l, KIND_sni, s, "hosts",
		    "\"%.100s\" is not allowed: names with one comma between two", p);
	while ((n = next_host(&p)) > 0) {
		if (!is_host(p, n))
			return look_bad(l, KIND_sni, s, "hosts",
			    "\"%.*s\" is not allowed: names of hosts, as www.example.org and "
			    "*.example.org",
			    n < 100 ? (int)n : 100, p);
		p += n;
	}
	return 0;
}

static bool
names_host(const char *list, const char *host, size_t len)
{
	size_t n;

	while ((n = next_host(&list)) > 0) {
		if (n == len && strncasecmp(list, host, n) == 0)
			return true;
		list += n;
	}
	return false;
}

/* No host has two certificates. */
static int
check_twice(struct look *l, const struct sni *s, const struct sni *other)
{
	const char *p = s->hosts;
	char path[160];
	size_t n;

	for (; (n = next_host(&p)) > 0; p += n)
		if (names_host(other->hosts, p, n))
			return look_bad(l, KIND_sni, s, "hosts",
			    "\"%.*s\" is in sni %s already; allowed are others",
			    n < 100 ? (int)n : 100, p,
			    snapshot_path(l->s, KIND_sni, other->id, path));
	return 0;
}

static int
check_snis(struct look *l, const struct tls *t)
{
	const void *const *rows;
	uint32_t n;
	int rc = 0;

	rows = snapshot_children(l->s, KIND_sni, t->id, &n);
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		const struct sni *s = rows[i];
		const struct cert *c = snapshot_find(l->s, KIND_cert, s->cert);

		rc = check_hosts(l, s);
		if (rc == 0 && c != NULL && c->chain[0] == '\0')
			rc = look_bad(l, KIND_sni, s, "cert",
			    "\"%s\" waits for the answer to its request; allowed is a certificate with "
			    "its chain",
			    c->name);
		for (uint32_t k = 0; rc == 0 && k < i; k++)
			rc = check_twice(l, s, rows[k]);
	}
	return rc;
}

/* Names of OpenSSL, with colons; which there are is asked in x509_tls.c. */
static int
check_names(struct look *l, const struct tls *t, const char *field, const char *text)
{
	static const char known[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_:+!@=.";

	if (text[strspn(text, known)] == '\0')
		return 0;
	return look_bad(l, KIND_tls, t, field,
	    "\"%.100s\" is not allowed: names of OpenSSL with colons between them", text);
}

static int
check_settings(struct look *l, const struct tls *t)
{
	const struct cert *c = snapshot_find(l->s, KIND_cert, t->cert);
	int rc = check_names(l, t, "ciphers", t->ciphers);

	if (rc == 0)
		rc = check_names(l, t, "curves", t->curves);
	if (rc == 0 && t->profile == tls_profile_modern && t->ciphers[0] != '\0')
		rc = look_bad(l, KIND_tls, t, "ciphers",
		    "is not possible with profile modern, which has TLS 1.3 only; allowed is nothing, or "
		    "profile intermediate");
	if (rc == 0 && t->hsts_subdomains && t->hsts == 0)
		rc = look_bad(l, KIND_tls, t, "hsts_subdomains",
		    "is not possible with hsts 0s, which tells browsers nothing; allowed is no, or a time in "
		    "hsts");
	if (rc == 0 && t->client_auth != client_auth_off && t->client_ca == 0)
		rc = look_bad(l, KIND_tls, t, "client_ca",
		    "is required with client_auth %s: without it no certificate of a client is good",
		    word_text(&client_auth_list, t->client_auth));
	if (rc == 0 && t->client_auth == client_auth_off && t->client_headers)
		rc = look_bad(l, KIND_tls, t, "client_headers",
		    "is not possible with client_auth off, as clients show no certificate; allowed is no, "
		    "or client_auth optional or required");
	if (rc == 0 && c != NULL && c->chain[0] == '\0')
		rc = look_bad(l, KIND_tls, t, "cert",
		    "\"%s\" waits for the answer to its request; allowed is a certificate with its chain",
		    c->name);
	return rc != 0 ? rc : check_snis(l, t);
}

/* ---- services ---------------------------------------------------------------------------------------------------- */

static int
check_clients(struct look *l, const struct service *s)
{
	const struct tls *t = snapshot_find(l->s, KIND_tls, s->tls);

	if (t != NULL && t->cert == 0)
		return look_bad(l, KIND_service, s, "tls",
		    "\"%s\" has no certificate for clients that name no host; allowed are TLS settings with "
		    "a cert",
		    t->name);
	if (s->https_redirect != https_redirect_off && s->mode != mode_http)
		return look_bad(l, KIND_service, s, "https_redirect",
		    "is not possible in mode %s; allowed is off, or mode http",
		    word_text(&mode_list, s->mode));
	if (s->https_redirect != https_redirect_off && s->tls != 0)
		return look_bad(l, KIND_service, s, "https_redirect",
		    "is not possible with tls: clients that came by https would be sent there again; allowed "
		    "is off, or no tls");
	if (s->h2c && s->mode != mode_http)
		return look_bad(l, KIND_service, s, "h2c",
		    "is not possible in mode %s; allowed is no, or mode http",
		    word_text(&mode_list, s->mode));
	if (s->h2c && s->tls != 0)
		return look_bad(l, KIND_service, s, "h2c",
		    "is not possible with tls: HTTP/2 is agreed on by ALPN there; allowed is no, or no tls");
	if (s->http3 && s->mode != mode_http)
		return look_bad(l, KIND_service, s, "http3",
		    "is not possible in mode %s; allowed is no, or mode http",
		    word_text(&mode_list, s->mode));
	if (s->http3 && s->tls == 0)
		return look_bad(l, KIND_service, s, "http3",
		    "is not possible without tls: QUIC is never in clear; allowed is no, or tls");
	if (s->http3 && t != NULL && t->client_auth != client_auth_off)
		return look_bad(l, KIND_service, s, "http3",
		    "is not possible with TLS settings \"%s\", which ask clients for a certificate; allowed "
		    "is no, or TLS settings with client_auth off",
		    t->name);
	return 0;
}

static int
check_servers(struct look *l, const struct service *s)
{
	bool tls = s->server_tls != server_tls_off;

	if (tls && s->transparent)
		return look_bad(l, KIND_service, s, "server_tls",
		    "\"%s\" is not possible with transparent: a connection to a server would belong to one "
		    "client, and be kept for others; allowed is off, or transparent no",
		    word_text(&server_tls_list, s->server_tls));
	if (s->server_http != server_http_1 && s->mode != mode_http)
		return look_bad(l, KIND_service, s, "server_http",
		    "\"%s\" is not possible in mode %s; allowed is 1, or mode http",
		    word_text(&server_http_list, s->server_http), word_text(&mode_list, s->mode));
	if (s->server_ca != 0 && s->server_tls != server_tls_verify)
		return look_bad(l, KIND_service, s, "server_ca",
		    "is not possible with server_tls %s, which asks nobody; allowed is nothing, or "
		    "server_tls verify",
		    word_text(&server_tls_list, s->server_tls));
	if (s->server_name[0] != '\0' && !tls)
		return look_bad(l, KIND_service, s, "server_name",
		    "is not possible with server_tls off; allowed is nothing, or server_tls on or verify");
	if (s->server_name[0] != '\0' &&
	    (s->server_name[0] == '*' || !is_host(s->server_name, strlen(s->server_name))))
		return look_bad(l, KIND_service, s, "server_name",
		    "\"%s\" is not allowed: the name of a host", s->server_name);
	return 0;
}

int
check_tls(struct look *l)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < snapshot_count(l->s, KIND_tls); i++)
		rc = check_settings(l, snapshot_at(l->s, KIND_tls, i));
	for (uint32_t i = 0; rc == 0 && i < snapshot_count(l->s, KIND_service); i++) {
		const struct service *s = snapshot_at(l->s, KIND_service, i);

		if (service_layer(s) != 7)
			continue;
		rc = check_clients(l, s);
		if (rc == 0)
			rc = check_servers(l, s);
	}
	return rc;
}
