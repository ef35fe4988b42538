/* server, default-server, server-template. A server begins as the default-server of its section, then says its own.
 *
 * One line of the report for the server: mapped, or with the differences of its arguments; and one for each argument
 * that cannot be kept. */
#include "import/haproxy.h"
#include "import/text.h"

#include "schema/value.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct reader {
	struct hap *h;
	const struct hap_line *l;
	struct hap_server *s;
	struct buf notes; /* differences */
	unsigned i;	  /* the argument */
};

void
hap_server_init(struct hap_server *s)
{
	*s = (struct hap_server){ .inter = HAP_UNSAID,
		.fastinter = HAP_UNSAID,
		.downinter = HAP_UNSAID,
		.rise = HAP_UNSAID,
		.fall = HAP_UNSAID,
		.slow_start = 0 };
	s->row.o = object_of(KIND_server);
}

static void
note(struct reader *r, const char *text)
{
	if (strstr(buf_text(&r->notes), text) == NULL)
		buf_printf(&r->notes, "%s%s", r->notes.len > 0 ? "; " : "", text);
}

static void
refuse(struct reader *r, const char *why)
{
	char what[120];

	(void)snprintf(what, sizeof(what), "%.60s: %.50s",
	    r->s->name != NULL ? r->s->name : r->l->w[0], r->l->w[r->i]);
	import_say(r->h->im, r->l->at, NOT_TAKEN, what, "%s", why);
}

/* ---- arguments: each returns how many words it took ---------------------------------------------------------------- */

static unsigned
take_time(struct reader *r, uint32_t *out)
{
	if (!hap_time(r->l->w[r->i + 1], 1, out))
		refuse(r, "a time is needed, as 2000, 2s or 1m");
	return 2;
}

static unsigned
take_count(struct reader *r, uint32_t max, uint32_t *out)
{
	uint32_t v;

	if (!text_number(r->l->w[r->i + 1], max, &v) || v == 0)
		refuse(r, max == 100 ? "allowed is 1 to 100" : "allowed is 1 to 65535");
	else
		*out = v;
	return 2;
}

static unsigned
take_field(struct reader *r, const char *field)
{
	struct err err = { 0 };

	if (import_put(r->h->im, &r->s->row, field, r->l->w[r->i + 1], &err) != 0)
		refuse(r, err.text);
	return 2;
}

static unsigned
on_weight(struct reader *r)
{
	r->s->weighted = true;
	return take_field(r, "weight");
}

static unsigned
on_sni(struct reader *r)
{
	const char *w = r->l->w[r->i + 1];
	char host[256];

	if (strncmp(w, "str(", 4) == 0 && w[strlen(w) - 1] == ')' && strlen(w) < sizeof(host)) {
		(void)snprintf(host, sizeof(host), "%.*s", (int)strlen(w) - 5, w + 4);
		r->s->sni = arena_text(r->h->im->a, host, strlen(host));
	} else {
		refuse(r, "vip.server_name: one name for all requests, as str(www.example.org)");
	}
	return 2;
}

/* Whether a list of ALPN has a protocol. */
static bool
alpn_has(const char *list, const char *protocol)
{
	size_t n = strlen(protocol), len;

	for (;; list += len + 1) {
		len = strcspn(list, ",");
		if (len == n && memcmp(list, protocol, n) == 0)
			return true;
		if (list[len] == '\0')
			return false;
	}
}

static unsigned
on_alpn(struct reader *r)
{
	r->s->alpn_h2 = alpn_has(r->l->w[r->i + 1], "h2");
	return 2;
}

static unsigned
on_proto(struct reader *r)
{
	const char *w = r->l->w[r->i + 1];

	r->s->h2 = strcmp(w, "h2") == 0;
	if (strcmp(w, "h1") == 0)
		r->s->alpn_h2 = false;
	else if (!r->s->h2)
		refuse(r, "vip.server_http: HTTP/1.1 (h1) or HTTP/2 (h2)");
	return 2;
}

static unsigned
on_verify(struct reader *r)
{
	r->s->verify =
	    strcmp(r->l->w[r->i + 1], "none") == 0 ? HAP_VERIFY_NONE : HAP_VERIFY_REQUIRED;
	return 2;
}

static unsigned
on_down(struct reader *r)
{
	r->s->cut = strcmp(r->l->w[r->i + 1], "shutdown-sessions") == 0;
	if (r->s->cut)
		note(r, "vip.drop_on_failure is for all servers");
	return 2;
}

static unsigned
on_source(struct reader *r)
{
	bool clients = strcmp(r->l->w[r->i + 2], "usesrc") == 0;

	refuse(r,
	    clients
		? "vip.transparent is for all servers: source 0.0.0.0 usesrc clientip in the section"
		: "the kernel chooses the address that servers see");
	return clients ? 4 : 2;
}

static unsigned
on_flag(struct reader *r)
{
	struct hap_server *s = r->s;
	const char *w = r->l->w[r->i];

	if (strcmp(w, "check") == 0)
		s->check = true;
	else if (strcmp(w, "no-check") == 0)
		s->check = false;
	else if (strcmp(w, "backup") == 0)
		s->backup = true;
	else if (strcmp(w, "no-backup") == 0)
		s->backup = false;
	else if (strcmp(w, "disabled") == 0)
		s->disabled = true;
	else if (strcmp(w, "enabled") == 0)
		s->disabled = false;
	else if (strcmp(w, "ssl") == 0)
		s->tls = true;
	else if (strcmp(w, "no-ssl") == 0)
		s->tls = false;
	else if (strcmp(w, "send-proxy") == 0)
		s->proxy = 1;
	else if (strncmp(w, "send-proxy-v2", 13) == 0)
		s->proxy = 2;
	else if (strcmp(w, "no-send-proxy") == 0 || strcmp(w, "no-send-proxy-v2") == 0)
		s->proxy = 0;
	else
		return 0;
	return 1;
}

static unsigned
on_value(struct reader *r)
{
	struct hap_server *s = r->s;
	const char *w = r->l->w[r->i], *value = r->l->w[r->i + 1];
	uint32_t port = 0;

	if (strcmp(w, "inter") == 0)
		return take_time(r, &s->inter);
	if (strcmp(w, "fastinter") == 0)
		return take_time(r, &s->fastinter);
	if (strcmp(w, "downinter") == 0)
		return take_time(r, &s->downinter);
	if (strcmp(w, "rise") == 0)
		return take_count(r, 100, &s->rise);
	if (strcmp(w, "fall") == 0)
		return take_count(r, 100, &s->fall);
	if (strcmp(w, "port") == 0) {
		(void)take_count(r, UINT16_MAX, &port);
		s->check_port = port;
		return 2;
	}
	if (strcmp(w, "weight") == 0)
		return on_weight(r);
	if (strcmp(w, "maxconn") == 0)
		return take_field(r, "max_conns");
	if (strcmp(w, "minconn") == 0)
		return take_field(r, "min_conns");
	if (strcmp(w, "slowstart") == 0) {
		if (!hap_time(value, 1000, &s->slow_start))
			refuse(r, "a time is needed, as 30s");
		else
			note(r, "vip.slow_start is for all servers");
		return 2;
	}
	if (strcmp(w, "cookie") == 0) {
		note(r,
		    "cookies name servers in a way of lbd's own: clients that come with older ones are "
		    "balanced anew");
		return 2;
	}
	if (strcmp(w, "verifyhost") == 0) {
		s->sni = value;
		note(r, "vip.server_name is sent as SNI too");
		return 2;
	}
	if (strcmp(w, "ca-file") == 0)
		s->ca = value;
	else if (strcmp(w, "crl-file") == 0)
		s->crl = value;
	else
		return 0;
	return 2;
}

/* What the check does that the traffic does not. */
static unsigned
on_check_way(struct reader *r)
{
	const char *w = r->l->w[r->i];

	if (strcmp(w, "check-ssl") != 0 && strcmp(w, "check-send-proxy") != 0 &&
	    strcmp(w, "no-check-ssl") != 0 && strcmp(w, "no-check-send-proxy") != 0)
		return 0;
	note(r, "probes speak TLS and send a PROXY header as the traffic does");
	return 1;
}

static unsigned
on_argument(struct reader *r)
{
	const char *w = r->l->w[r->i];
	const struct hap_note *o;
	unsigned n = on_flag(r);

	if (n == 0)
		n = on_value(r);
	if (n == 0)
		n = on_check_way(r);
	if (n > 0)
		return n;
	if (strcmp(w, "sni") == 0)
		return on_sni(r);
	if (strcmp(w, "verify") == 0)
		return on_verify(r);
	if (strcmp(w, "alpn") == 0)
		return on_alpn(r);
	if (strcmp(w, "proto") == 0)
		return on_proto(r);
	if (strcmp(w, "on-marked-down") == 0)
		return on_down(r);
	if (strcmp(w, "source") == 0)
		return on_source(r);
	o = hap_note_word(HAP_SERVER_WORD, w);
	if (o == NULL)
		refuse(r, "there is nothing like it");
	else if (o->how == NOT_TAKEN)
		refuse(r, o->why);
	else if (o->how == TAKEN_OTHERWISE)
		note(r, o->why);
	return 1 + (o != NULL ? (unsigned)o->args : 0);
}

/* ---- the lines ------------------------------------------------------------------------------------------------------ */

static bool
is_host_name(const char *s)
{
	struct err err;
	struct import_row row = { .o = object_of(KIND_server) };
	struct arena *a = arena_new(1024);
	struct cell c;
	bool good =
	    value_parse(field_find(row.o, "address"), s, NULL, a, &c, &err) == 0 && *s != '\0';

	arena_unref(a);
	return good;
}

/* HOST, HOST:PORT, [IPv6]:PORT. NULL: good; else why not. */
static const char *
take_address(struct hap *h, struct hap_server *s, const char *text)
{
	char *t, *colon;

	if (strncmp(text, "ipv4@", 5) == 0 || strncmp(text, "ipv6@", 5) == 0 ||
	    strncmp(text, "tcp@", 4) == 0)
		text = strchr(text, '@') + 1;
	if (text[0] == '/' || strchr(text, '@') != NULL)
		return "rip.address: an address or a name; there are no sockets with a path";
	t = arena_text(h->im->a, text, strlen(text));
	colon = strrchr(t, ':');
	if (colon != NULL && (colon[1] == '+' || colon[1] == '-'))
		return "rip.port: a port, or none for that of the client; none that follows from it";
	if (colon != NULL) {
		*colon = '\0';
		if (colon[1] != '\0' && !text_port(colon + 1, "tcp", &s->port))
			return "rip.port: 1 to 65535";
	}
	if (t[0] == '[' && strlen(t) > 2 && t[strlen(t) - 1] == ']') {
		t[strlen(t) - 1] = '\0';
		t++;
	}
	s->host = t;
	return is_host_name(t) ? NULL : "rip.address: an address or the name of a host";
}

static void
read_arguments(struct reader *r, unsigned from)
{
	for (r->i = from; r->i < r->l->n;)
		r->i += on_argument(r);
}

static void
say_server(struct reader *r)
{
	if (r->s->disabled)
		note(r, "weight 0: lbctl halt keeps a server out and shows it");
	if (isalpha((unsigned char)r->s->host[strlen(r->s->host) - 1]) &&
	    strchr(r->s->host, ':') == NULL)
		note(r, "its name is asked for again whenever its TTL has passed");
	if (r->notes.len > 0)
		import_say(r->h->im, r->l->at, TAKEN_OTHERWISE, r->l->what, "rip: %s",
		    buf_text(&r->notes));
	else
		import_say(r->h->im, r->l->at, TAKEN, r->l->what, "rip");
}

static void
add_server(struct hap *h, struct hap_proxy *p, const struct hap_line *l, unsigned from,
    const char *difference)
{
	struct hap_server *s = arena_alloc(h->im->a, sizeof(*s));
	struct reader r = { .h = h, .l = l, .s = s };
	const char *why;

	*s = p->base;
	s->at = l->at;
	s->what = l->what;
	s->name = l->w[1];
	if ((p->section & (HAP_BACKEND | HAP_LISTEN)) == 0 || l->n <= from) {
		import_say(h->im, l->at, NOT_TAKEN, l->what,
		    l->n <= from ? "rip: a name and an address are needed"
				 : "belongs to a backend or listen");
		return;
	}
	why = take_address(h, s, l->w[from]);
	if (why != NULL) {
		import_say(h->im, l->at, NOT_TAKEN, l->what, "%s", why);
		return;
	}
	if (difference != NULL)
		note(&r, difference);
	read_arguments(&r, from + 1);
	say_server(&r);
	buf_fini(&r.notes);
	*p->last_server = s;
	p->last_server = &s->next;
}

void
hap_server(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	add_server(h, p, l, 2, NULL);
}

/* "5" or "2-6": how many, and their numbers. */
static bool
take_numbers(const char *text, uint32_t *first, uint32_t *last)
{
	const char *dash = strchr(text, '-');
	char lo[12] = "1";

	if (dash != NULL)
		(void)snprintf(lo, sizeof(lo), "%.*s", (int)(dash - text), text);
	return text_number(lo, 65535, first) &&
	       text_number(dash != NULL ? dash + 1 : text, 65535, last) && *first > 0 &&
	       *first <= *last;
}

void
hap_server_template(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	struct hap_server **mark = p->last_server;
	uint32_t first, last;

	if (!take_numbers(l->w[2], &first, &last)) {
		import_say(
		    h->im, l->at, NOT_TAKEN, l->what, "rip: how many is needed, as 5 or 1-5");
		return;
	}
	add_server(
	    h, p, l, 3, "rip.resolve: each is another address, or place, of the name's answer");
	if (*mark == NULL)
		return;
	(*mark)->first = first;
	(*mark)->last = last;
}

void
hap_default_server(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	struct reader r = { .h = h, .l = l, .s = &p->base };

	read_arguments(&r, 1);
	if (r.notes.len > 0)
		import_say(h->im, l->at, TAKEN_OTHERWISE, l->what, "%s", buf_text(&r.notes));
	else
		import_say(h->im, l->at, TAKEN, l->what, "rip, check");
	buf_fini(&r.notes);
}
