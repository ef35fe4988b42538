/* bind: where clients come to, and TLS as they meet it. One line of the report for the line, and one for each argument
 * that cannot be kept. */
#include "import/haproxy.h"
#include "import/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- TLS -------------------------------------------------------------------------------------------------------- */

static void
say_tls(struct hap *h, const struct hap_line *l, const char *word, enum taken how, const char *why)
{
	import_say(h->im, l->at, how, word, "%s", why);
}

static unsigned
on_min_version(struct hap *h, struct import_row *tls, const struct hap_line *l, const char *version)
{
	if (strcmp(version, "TLSv1.3") == 0)
		import_putf(h->im, tls, "profile", "modern");
	else if (strcmp(version, "TLSv1.2") != 0)
		say_tls(
		    h, l, version, NOT_TAKEN, "tls.profile: TLS 1.2 is the oldest that is spoken");
	return 2;
}

static unsigned
put_tls(
    struct hap *h, struct import_row *tls, const struct hap_line *l, unsigned i, const char *field)
{
	struct err err = { 0 };

	if (import_put(h->im, tls, field, l->w[i + 1], &err) != 0)
		import_say(h->im, l->at, NOT_TAKEN, l->w[i], "tls %s", err.text);
	return 2;
}

unsigned
hap_tls_word(struct hap *h, struct import_row *tls, const struct hap_line *l, unsigned i)
{
	const char *w = l->w[i];

	if (strcmp(w, "ssl-min-ver") == 0)
		return on_min_version(h, tls, l, l->w[i + 1]);
	if (strcmp(w, "ssl-max-ver") == 0) {
		if (strcmp(l->w[i + 1], "TLSv1.3") != 0)
			say_tls(h, l, w, NOT_TAKEN, "tls.profile: TLS 1.3 is always spoken");
		return 2;
	}
	if (strcmp(w, "ciphers") == 0)
		return put_tls(h, tls, l, i, "ciphers");
	if (strcmp(w, "curves") == 0)
		return put_tls(h, tls, l, i, "curves");
	if (strcmp(w, "ocsp-update") == 0) {
		import_putf(h->im, tls, "stapling", strcmp(l->w[i + 1], "on") == 0 ? "yes" : "no");
		return 2;
	}
	if (strcmp(w, "strict-sni") == 0)
		import_putf(h->im, tls, "strict", "yes");
	else if (strcmp(w, "no-strict-sni") == 0)
		import_putf(h->im, tls, "strict", "no");
	else if (strcmp(w, "no-tls-tickets") == 0)
		import_putf(h->im, tls, "tickets", "no");
	else if (strcmp(w, "tls-tickets") == 0)
		import_putf(h->im, tls, "tickets", "yes");
	else if (strcmp(w, "force-tlsv13") == 0 || strcmp(w, "no-tlsv12") == 0)
		import_putf(h->im, tls, "profile", "modern");
	else if (strcmp(w, "no-tlsv13") == 0 || strcmp(w, "force-tlsv12") == 0)
		say_tls(h, l, w, TAKEN_OTHERWISE, "tls.profile: TLS 1.3 is always spoken");
	else if (strcmp(w, "force-tlsv10") == 0 || strcmp(w, "force-tlsv11") == 0 ||
		 strcmp(w, "force-sslv3") == 0)
		say_tls(h, l, w, NOT_TAKEN, "tls.profile: TLS 1.2 is the oldest that is spoken");
	else if (strcmp(w, "no-sslv3") != 0 && strcmp(w, "no-tlsv10") != 0 &&
		 strcmp(w, "no-tlsv11") != 0 && strcmp(w, "prefer-client-ciphers") != 0)
		return 0;
	return 1;
}

/* ---- places ----------------------------------------------------------------------------------------------------- */

static bool
take_ports(const char *s, uint16_t *lo, uint16_t *hi)
{
	const char *dash = strchr(s, '-');
	char first[8];

	if (dash == NULL)
		return text_port(s, "tcp", lo) && (*hi = *lo) != 0;
	if ((size_t)(dash - s) >= sizeof(first))
		return false;
	memcpy(first, s, (size_t)(dash - s));
	first[dash - s] = '\0';
	return text_port(first, "tcp", lo) && text_port(dash + 1, "tcp", hi) && *lo <= *hi;
}

/* Digits that no port has. */
static bool
is_no_port(const char *s)
{
	const char *colon = strrchr(s, ':'), *p = colon == NULL ? NULL : colon + 1;

	if (p == NULL || p[0] == '\0' || p[strspn(p, "0123456789-")] != '\0')
		return false;
	for (; *p != '\0'; p += strcspn(p, "-"), p += *p == '-')
		if (strtoul(p, NULL, 10) == 0 || strtoul(p, NULL, 10) > UINT16_MAX)
			return true;
	return false;
}

/* "*:80", ":80-89", "10.0.0.1:80", "[fd00::1]:80", "fd00::1:80", "ipv4@..."; the last colon is before the port. */
static bool
take_place(struct hap *h, char *s, struct hap_place *out)
{
	char *colon, *host;

	*out = (struct hap_place){ 0 };
	if (strncmp(s, "ipv4@", 5) == 0 || strncmp(s, "ipv6@", 5) == 0 ||
	    strncmp(s, "tcp4@", 5) == 0 || strncmp(s, "tcp6@", 5) == 0)
		s += 5;
	colon = strrchr(s, ':');
	if (colon == NULL || !take_ports(colon + 1, &out->lo, &out->hi))
		return false;
	*colon = '\0';
	host = s;
	if (host[0] == '[' && colon[-1] == ']') {
		host++;
		colon[-1] = '\0';
	}
	if (host[0] == '\0' || strcmp(host, "*") == 0 || strcmp(host, "0.0.0.0") == 0 ||
	    strcmp(host, "::") == 0) {
		out->addr = h->im->mark_address;
		return true;
	}
	return text_host(host, &out->addr);
}

/* The list of addresses; what cannot be taken is said. */
static void
take_places(struct hap *h, struct hap_bind *b, const struct hap_line *l, const char *list)
{
	struct hap_place **last = &b->places, p;
	char *text = arena_text(h->im->a, list, strlen(list)), *end;

	for (; text != NULL; text = end) {
		const char *what = arena_text(h->im->a, text, strcspn(text, ","));

		end = strchr(text, ',');
		if (end != NULL)
			*end++ = '\0';
		if (is_no_port(what))
			import_say(h->im, l->at, NOT_TAKEN, what,
			    "vip.ports: \"%s\" is not allowed: 1 to 65535", strrchr(what, ':') + 1);
		else if (!take_place(h, text, &p))
			import_say(h->im, l->at, NOT_TAKEN, what,
			    "vip.address: an address and ports are needed; names are not resolved, and there are "
			    "no sockets with a path");
		else if (p.addr.family == 0)
			import_say(h->im, l->at, NOT_TAKEN, what,
			    "left out: a vip has one address, which floats; say with --address which one all "
			    "addresses of the machine mean");
		else {
			*last = arena_alloc(h->im->a, sizeof(p));
			**last = p;
			last = &(*last)->next;
		}
	}
}

static bool
is_wildcard(const char *list)
{
	return list[0] == ':' || strchr(list, '*') != NULL || strstr(list, ",:") != NULL ||
	       strstr(list, "0.0.0.0:") != NULL || strstr(list, "[::]:") != NULL;
}

/* ---- the line --------------------------------------------------------------------------------------------------- */

static unsigned
on_verify(struct hap *h, struct hap_bind *b, const struct hap_line *l, unsigned i)
{
	const char *w = l->w[i + 1];

	if (strcmp(w, "required") == 0 || strcmp(w, "optional") == 0)
		import_putf(h->im, &b->tls, "client_auth", "%s", w);
	else if (strcmp(w, "none") != 0)
		import_say(
		    h->im, l->at, NOT_TAKEN, w, "tls.client_auth: none, optional or required");
	return 2;
}

/* One argument, and how many words it took. */
static unsigned
on_argument(struct hap *h, struct hap_bind *b, const struct hap_line *l, unsigned i)
{
	const struct hap_note *o = hap_note_word(HAP_BIND_WORD, l->w[i]);
	unsigned n;

	b->alpn |= strcmp(l->w[i], "alpn") == 0 || strcmp(l->w[i], "no-alpn") == 0;
	b->h1_only |= strcmp(l->w[i], "no-alpn") == 0;
	b->h1_only |= strcmp(l->w[i], "alpn") == 0 && strstr(l->w[i + 1], "h2") == NULL;
	b->h2 |= strcmp(l->w[i], "proto") == 0 && strcmp(l->w[i + 1], "h2") == 0;
	if (strcmp(l->w[i], "ssl") == 0)
		b->ssl = true;
	else if (strcmp(l->w[i], "crt") == 0)
		hap_crt(h, b, l, l->w[i + 1]);
	else if (strcmp(l->w[i], "crt-list") == 0)
		hap_crt_list(h, b, l, l->w[i + 1]);
	else if (strcmp(l->w[i], "ca-file") == 0)
		b->ca = l->w[i + 1];
	else if (strcmp(l->w[i], "crl-file") == 0)
		b->crl = l->w[i + 1];
	else if (strcmp(l->w[i], "ca-verify-file") == 0)
		import_say(h->im, l->at, NOT_TAKEN, "ca-verify-file",
		    "tls.client_ca: clients are told of the authorities that are trusted");
	else if (strcmp(l->w[i], "verify") == 0)
		return on_verify(h, b, l, i);
	else if (strcmp(l->w[i], "accept-proxy") == 0)
		import_say(h->im, l->at, NOT_TAKEN, "accept-proxy",
		    "vip.proxy_from: say which balancers stand in front: lbctl set vip NAME proxy_from=ADDRESSES; "
		    "until then what they send is not understood");
	else if ((n = hap_tls_word(h, &b->tls, l, i)) > 0)
		return n;
	else if (o == NULL)
		import_say(h->im, l->at, NOT_TAKEN, l->w[i], "there is nothing like it");
	else if (o->how != TAKEN)
		import_say(h->im, l->at, o->how, l->w[i], "%s", o->why);
	if (o != NULL)
		return 1 + (unsigned)o->args;
	n = strcmp(l->w[i], "ssl") != 0 && strcmp(l->w[i], "accept-proxy") != 0;
	return 1 +
	       (n > 0 && strstr("crt crt-list ca-file crl-file ca-verify-file", l->w[i]) != NULL);
}

void
hap_bind(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	struct hap_bind *b = arena_alloc(h->im->a, sizeof(*b));

	if ((p->section & (HAP_FRONTEND | HAP_LISTEN)) == 0) {
		import_say(h->im, l->at, NOT_TAKEN, l->what, "belongs to a frontend or listen");
		return;
	}
	*b = (struct hap_bind){ .at = l->at, .what = l->what };
	b->tls = h->tls;
	b->tls.o = object_of(KIND_tls);
	b->tls.at = l->at;
	for (unsigned i = 2; i < l->n;)
		i += on_argument(h, b, l, i);
	take_places(h, b, l, l->w[1]);
	if (b->places == NULL)
		return;
	if (is_wildcard(l->w[1]))
		import_say(h->im, l->at, TAKEN_OTHERWISE, l->what,
		    "vip.address, vip.ports%s: all addresses of the machine are the one of --address",
		    b->ssl ? ", vip.tls" : "");
	else
		import_say(h->im, l->at, TAKEN, l->what, "vip.address, vip.ports%s",
		    b->ssl ? ", vip.tls" : "");
	*p->last_bind = b;
	p->last_bind = &b->next;
}
