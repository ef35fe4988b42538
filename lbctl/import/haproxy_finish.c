/* What was read becomes services: a frontend or listen with the servers of its backend, once for each address and TLS
 * settings that it is bound to.
 *
 * Fields of the client's side are those of the frontend, all others those of the backend. Where HAProxy's default is
 * another than ours, it is put. */
#include "import/haproxy_finish.h"

#include <stdio.h>
#include <string.h>

/* One service: an address, with TLS or without. */
struct out {
	struct out *next;
	struct addr addr;
	const struct hap_bind *tls; /* NULL: without */
	struct place at;
	bool h2; /* prior knowledge */
	struct ports {
		struct ports *next;
		uint16_t lo, hi;
	} * ports; /* rising */
};

/* ---- places --------------------------------------------------------------------------------------------------------- */

static void
add_place(struct hap *h, struct out **first, const struct hap_bind *b, const struct hap_place *p)
{
	struct out **o = first;
	struct ports **at, *own = arena_alloc(h->im->a, sizeof(*own));

	while (*o != NULL &&
	       (!addr_same_host(&(*o)->addr, &p->addr) || (*o)->tls != (b->ssl ? b : NULL)))
		o = &(*o)->next;
	if (*o == NULL) {
		*o = arena_alloc(h->im->a, sizeof(**o));
		(*o)->addr = p->addr;
		(*o)->tls = b->ssl ? b : NULL;
		(*o)->at = b->at;
	}
	for (at = &(*o)->ports; *at != NULL && (*at)->lo < p->lo; at = &(*at)->next)
		;
	(*o)->h2 |= b->h2;
	*own = (struct ports){ *at, p->lo, p->hi };
	*at = own;
}

/* Rising ranges that do not touch. */
static void
ports_text(const struct out *o, struct buf *text)
{
	unsigned lo, hi;

	for (const struct ports *p = o->ports; p != NULL;) {
		lo = p->lo;
		hi = p->hi;
		for (p = p->next; p != NULL && p->lo <= hi + 1; p = p->next)
			hi = p->hi > hi ? p->hi : hi;
		buf_printf(text, hi == lo ? "%s%u" : "%s%u-%u", text->len > 0 ? "," : "", lo, hi);
	}
}

/* ---- fields ----------------------------------------------------------------------------------------------------------- */

/* Of the client's side; the rest is of the server's. Of either: whoever says it. */
static const char *const front_fields[] = { "enabled", "comment", "max_conns", "client_timeout",
	"request_timeout", "keep_timeout", "log", "log_format", "https_redirect", "proxy_from" };
static const char *const either_fields[] = { "forwarded_for", "forwarded", "request_id",
	"x_forwarded", "transparent", "pool_timeout", "error_pages", "compress", "compress_types",
	"compress_min", "header_names", "wait_body" };

static void
merge_fields(struct import_row *r, const struct hap_proxy *front, const struct hap_proxy *back)
{
	struct import_row from = front->vip;

	memcpy(r->text, back->vip.text, sizeof(r->text));
	for (unsigned i = 0; i < sizeof(front_fields) / sizeof(*front_fields); i++)
		*import_text(r, front_fields[i]) = *import_text(&from, front_fields[i]);
	for (unsigned i = 0; i < sizeof(either_fields) / sizeof(*either_fields); i++)
		if (*import_text(r, either_fields[i]) == NULL)
			*import_text(r, either_fields[i]) = *import_text(&from, either_fields[i]);
}

static uint32_t
first_said(uint32_t a, uint32_t b)
{
	return a != HAP_UNSAID ? a : b;
}

static void
put_ms(struct hap *h, struct import_row *r, const char *field, uint32_t ms)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%ums", ms);
	if (ms != HAP_UNSAID)
		(void)import_put(h->im, r, field, text, NULL);
}

/* Timeouts that HAProxy takes from others when they are not said. */
static void
put_timeouts(struct hap *h, struct import_row *r, const struct hap_proxy *front,
    const struct hap_proxy *back, bool http)
{
	uint32_t client = front->timeout[HAP_client], server = back->timeout[HAP_server];
	uint32_t request = first_said(front->timeout[HAP_request], client);

	if (*import_text(r, "queue_timeout") == NULL)
		put_ms(h, r, "queue_timeout", back->timeout[HAP_connect]);
	if (!http) {
		*import_text(r, "request_timeout") = NULL;
		if (*import_text(r, "tunnel_timeout") == NULL)
			put_ms(h, r, "tunnel_timeout", client < server ? client : server);
		return;
	}
	if (*import_text(r, "request_timeout") == NULL)
		put_ms(h, r, "request_timeout", request);
	if (front->close || back->close)
		put_ms(h, r, "keep_timeout", 0);
	else if (*import_text(r, "keep_timeout") == NULL)
		put_ms(h, r, "keep_timeout", request);
}

static void
put_log(struct hap *h, struct import_row *r, const struct hap_proxy *front)
{
	const char **log = import_text(r, "log"), **format = import_text(r, "log_format");

	if (!front->logs) {
		*log = *format = NULL;
		return;
	}
	if (*log == NULL || strcmp(*log, "custom") != 0)
		*format = NULL;
	if (*log == NULL || (strcmp(*log, "combined") == 0 && !front->http))
		import_putf(h->im, r, "log", "haproxy");
}

/* What only requests have. */
static void
drop_http(struct hap *h, struct import_row *r, const struct hap_proxy *back, bool first)
{
	static const char *const fields[] = { "client_timeout", "server_timeout", "keep_timeout",
		"pool_timeout", "forwarded_for", "forwarded", "request_id", "x_forwarded",
		"https_redirect", "compress", "compress_types", "compress_min", "error_pages",
		"header_names", "wait_body", "retry_on", "cookie", "cookie_attributes",
		"cookie_idle", "cookie_life", "cookie_server", "persist_key" };
	const char **persistence = import_text(r, "persistence"),
		   **scheduler = import_text(r, "scheduler");

	for (unsigned i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		*import_text(r, fields[i]) = NULL;
	if (*persistence != NULL && strcmp(*persistence, "source") != 0 &&
	    strcmp(*persistence, "rdp_cookie") != 0 && strcmp(*persistence, "tls_session") != 0 &&
	    strcmp(*persistence, "server_name") != 0) {
		*persistence = NULL;
		if (first)
			import_say(h->im, back->at, TAKEN_OTHERWISE, "cookie",
			    "vip.persistence: none, as no cookie is looked at in mode tcp, there and here");
	}
	if (*scheduler != NULL &&
	    strchr("puh", (*scheduler)[0]) != NULL) { /* path, uri, url_param, header */
		import_putf(h->im, r, "scheduler", "wrr");
		*import_text(r, "hash_key") = *import_text(r, "balance_factor") = NULL;
		if (first)
			import_say(h->im, back->at, TAKEN_OTHERWISE, "balance",
			    "vip.scheduler: wrr, as requests are not read in mode tcp");
	}
}

void
hap_put_fields(struct hap *h, struct import_service *s, const struct hap_proxy *front,
    const struct hap_proxy *back, bool first)
{
	struct import_row *r = &s->row;
	bool http = front->http || back->http;

	merge_fields(r, front, back);
	hap_error_merge(h, r, front, back, first);
	import_putf(h->im, r, "mode", http ? "http" : "tcp");
	if (*import_text(r, "scheduler") == NULL)
		import_putf(h->im, r, "scheduler", "wrr");
	if (strcmp(*import_text(r, "scheduler"), "sh") != 0 &&
	    strchr("puhd", **import_text(r, "scheduler")) == NULL &&
	    strcmp(*import_text(r, "scheduler"), "rdp_cookie") != 0)
		*import_text(r, "balance_factor") = NULL;
	if (back->disabled)
		import_putf(h->im, r, "enabled", "no");
	put_timeouts(h, r, front, back, http);
	put_log(h, r, front);
	if (!http)
		drop_http(h, r, back, first);
	else if (front->forwarded || back->forwarded)
		import_putf(h->im, r, "forwarded_for", "append");
	else if (!front->forwardfor && !back->forwardfor)
		import_putf(h->im, r, "forwarded_for", "off");
}

static void
say_timeouts(struct hap *h, const struct hap_proxy *front, const struct hap_proxy *back)
{
	bool client = front->timeout[HAP_client] == HAP_UNSAID;
	bool server = back->timeout[HAP_server] == HAP_UNSAID;
	bool connect = back->timeout[HAP_connect] == HAP_UNSAID;

	if (client || server || connect)
		import_say(h->im, front->at, TAKEN_OTHERWISE, front->what,
		    "timeouts that are not said are those of lbd:%s%s%s",
		    client ? " client 60s" : "", server ? " server 60s" : "",
		    connect ? " connect 5s" : "");
}

/* ---- servers ------------------------------------------------------------------------------------------------------------ */

static void
put_server_tls(struct hap *h, struct import_service *s, const struct hap_server *with)
{
	bool verify = with->verify == HAP_VERIFY_REQUIRED ||
		      (with->verify == HAP_VERIFY_UNSAID && !h->verify_none);
	const char *ca = verify && with->ca != NULL && strcmp(with->ca, "@system-ca") != 0
			     ? hap_ca_of(h, with->at, with->ca, with->crl)
			     : NULL;
	struct err err = { 0 };

	import_putf(h->im, &s->row, "server_tls", verify ? "verify" : "on");
	if (ca != NULL)
		*import_text(&s->row, "server_ca") = ca;
	if (with->sni != NULL && import_put(h->im, &s->row, "server_name", with->sni, &err) != 0)
		import_say(h->im, with->at, NOT_TAKEN, with->sni, "vip %s", err.text);
}

/* Of vip.server_http. */
static const char *
server_http(const struct hap_server *s)
{
	return s->h2 ? "2" : s->tls && s->alpn_h2 ? "auto" : "1";
}

/* Servers of one service are spoken to alike. */
static bool
is_like(const struct hap_server *a, const struct hap_server *b)
{
	return a->tls == b->tls && a->proxy == b->proxy && (!a->tls || a->verify == b->verify) &&
	       strcmp(server_http(a), server_http(b)) == 0;
}

static bool
put_server(struct hap *h, struct import_service *s, struct hap_proxy *back,
    const struct hap_server *from, bool weights, unsigned number)
{
	struct import_server *r = import_output_server(h->im, s, from->at, h->err);
	const char *scheduler = import_value(&s->row, "scheduler");
	char prefix[100];
	struct buf name = { 0 };

	if (r == NULL) {
		h->rc = ERR_INVALID;
		return false;
	}
	memcpy(r->row.text, from->row.text, sizeof(r->row.text));
	import_putf(h->im, &r->row, "address", "%s", from->host);
	if (from->port != 0)
		import_putf(h->im, &r->row, "port", "%u", from->port);
	if (weights && !from->weighted)
		import_putf(h->im, &r->row, "weight", "1");
	if (from->disabled)
		import_putf(h->im, &r->row, "weight", "0");
	if (from->backup)
		import_putf(h->im, &r->row, "backup", "yes");
	if (strcmp(scheduler, "first") == 0 && import_value(&r->row, "max_conns") == NULL)
		import_putf(h->im, &r->row, "max_conns", "1000000");
	r->check = hap_check_of(h, back, from);
	name_clean(from->name, HAP_NAME_LEN, &name);
	if (number > 0) {
		buf_printf(&name, "%u", number);
		import_putf(h->im, &r->row, "resolve", from->host[0] == '_' ? "srv" : "each");
	}
	(void)snprintf(prefix, sizeof(prefix), "rip %s/", s->row.name);
	import_name(h->im, &r->row, prefix, buf_text(&name));
	buf_fini(&name);
	return true;
}

void
hap_put_servers(struct hap *h, struct import_service *s, struct hap_proxy *back, bool first)
{
	const struct hap_server *with = back->servers;
	bool weights = false, cut = false;
	uint32_t slow = 0;
	unsigned backups = 0;

	for (const struct hap_server *r = with; r != NULL; r = r->next) {
		weights |= r->weighted;
		cut |= r->cut;
		slow = r->slow_start > slow ? r->slow_start : slow;
		backups += r->backup;
	}
	if (slow > 0)
		put_ms(h, &s->row, "slow_start", slow);
	if (cut)
		import_putf(h->im, &s->row, "drop_on_failure", "yes");
	if (with != NULL && with->tls)
		put_server_tls(h, s, with);
	if (with != NULL && strcmp(server_http(with), "1") != 0 &&
	    strcmp(import_value(&s->row, "mode"), "http") == 0)
		import_putf(h->im, &s->row, "server_http", "%s", server_http(with));
	if (with != NULL && with->proxy > 0)
		import_putf(h->im, &s->row, "proxy_to", with->proxy == 1 ? "v1" : "v2");
	if (first && backups > 1 && !back->all_backups)
		import_say(h->im, back->at, TAKEN_OTHERWISE, "backup",
		    "rip.backup: all backup servers take clients when no other is fit, not the first alone");
	for (const struct hap_server *r = back->servers; r != NULL && h->rc == 0; r = r->next) {
		if (is_like(r, with))
			for (unsigned i = r->first; i <= r->last; i++)
				if (!put_server(h, s, back, r, weights || r->disabled, i))
					break;
		if (is_like(r, with))
			continue;
		if (first)
			import_say(h->im, r->at, NOT_TAKEN, r->name,
			    "left out: the servers of a vip are spoken to alike, by TLS or not, with a PROXY header "
			    "or not, by one version of HTTP (vip.server_tls, vip.proxy_to, vip.server_http); make another "
			    "vip for it");
	}
	import_output_checks(h->im, s);
}

/* ---- the service --------------------------------------------------------------------------------------------------------- */

static void
put_tls(struct hap *h, struct import_service *s, const struct out *o)
{
	const struct import_row *tls = hap_tls_of(h, o->tls, s->row.name);

	*import_text(&s->row, "https_redirect") = NULL;
	if (tls != NULL) {
		*import_text(&s->row, "tls") = tls->name;
		return;
	}
	import_putf(h->im, &s->row, "enabled", "no");
	import_say(h->im, o->at, NOT_TAKEN, s->row.name,
	    "vip.tls: without its certificate (or the authorities of its clients) the service is not enabled; bring "
	    "the files and import again, or make kinds cert and tls and set tls and enabled");
}

/* Services with the servers of one backend keep clients as one. */
void
hap_put_keeper(struct hap *h, struct import_service *s, struct hap_proxy *back)
{
	const char *persistence = import_value(&s->row, "persistence");

	if (persistence == NULL || strcmp(persistence, "none") == 0)
		return;
	if (back->keeper == NULL)
		back->keeper = s->row.name;
	else
		import_putf(h->im, &s->row, "persist_with", "%s", back->keeper);
}

static void
name_service(struct hap *h, struct import_service *s, const struct hap_proxy *front,
    const struct out *o, bool alone)
{
	struct buf name = { 0 };

	name_clean(front->name, HAP_NAME_LEN, &name);
	if (!alone)
		buf_printf(&name, "-%u", o->ports->lo);
	import_name(h->im, &s->row, "vip ", buf_text(&name));
	buf_fini(&name);
}

static void
make_service(struct hap *h, struct hap_proxy *front, struct hap_proxy *back, struct out *o,
    bool first, bool alone)
{
	struct import_service *s = import_output_new(h->im, front->at, h->err);
	struct buf ports = { 0 };
	struct err err = { 0 };
	char host[ADDR_TEXT];

	if (s == NULL) {
		h->rc = ERR_INVALID;
		return;
	}
	ports_text(o, &ports);
	name_service(h, s, front, o, alone);
	hap_put_fields(h, s, front, back, first);
	addr_format(&o->addr, ADDR_HOST, host);
	import_putf(h->im, &s->row, "address", "%s", host);
	if (import_put(h->im, &s->row, "ports", buf_text(&ports), &err) != 0) {
		import_say(h->im, o->at, NOT_TAKEN, s->row.name, "vip %s: the service is left out",
		    err.text);
		s->row.left_out = true;
	}
	buf_fini(&ports);
	if (o->tls != NULL)
		put_tls(h, s, o);
	if (o->tls != NULL && o->tls->h1_only && (front->http || back->http))
		import_putf(h->im, &s->row, "http2", "no");
	if (o->tls != NULL && !o->tls->alpn && front->http)
		import_say(h->im, o->at, TAKEN_OTHERWISE, o->tls->what,
		    "vip.http2: clients may speak HTTP/2 too, as with HAProxy from 2.8 on");
	if (o->tls == NULL && o->h2 && (front->http || back->http))
		import_putf(h->im, &s->row, "h2c", "yes");
	hap_put_servers(h, s, back, first);
	hap_put_keeper(h, s, back);
	hap_rules_finish(h, front, back, s, o->tls != NULL, first);
}

/* The backend that takes what no rule sends elsewhere; the frontend itself when there is none. */
static struct hap_proxy *
backend_of(struct hap *h, struct hap_proxy *front)
{
	struct hap_proxy *back = NULL;
	struct buf key = { 0 };

	if (front->to == NULL)
		return front;
	buf_printf(&key, "backend %s", front->to->w[1]);
	back = textmap_get(&h->by_name, buf_text(&key));
	buf_fini(&key);
	if (back == NULL) {
		import_say(h->im, front->to->at, NOT_TAKEN, front->to->what,
		    "there is no such backend: the service has no servers");
		return front;
	}
	back->used = true;
	import_say(h->im, front->to->at, TAKEN, front->to->what, "its servers are those of vip");
	return back;
}

static void
finish_front(struct hap *h, struct hap_proxy *front)
{
	struct hap_proxy *back = backend_of(h, front);
	struct out *all = NULL;
	unsigned n = 0;

	for (const struct hap_bind *b = front->binds; b != NULL; b = b->next)
		for (const struct hap_place *p = b->places; p != NULL; p = p->next) {
			if (++n > IMPORT_ENDS_MAX) {
				h->rc = err_set(h->err, ERR_INVALID,
				    "line %u: more than %u addresses and ranges in one service",
				    b->at.line, IMPORT_ENDS_MAX);
				return;
			}
			add_place(h, &all, b, p);
		}
	if (back->servers == NULL && front->to == NULL && front->uses.first == NULL &&
	    front->rules.first == NULL) {
		import_say(h->im, front->at, front->stats ? TAKEN_OTHERWISE : NOT_TAKEN,
		    front->what, "the service is left out: it has no servers and no rules");
		return;
	}
	if (all == NULL) {
		import_say(h->im, front->at, NOT_TAKEN, front->what,
		    "the service is left out: it has no address that can be taken");
		return;
	}
	front->used = true;
	if (all->next != NULL)
		import_say(h->im, front->at, TAKEN_OTHERWISE, front->what,
		    "vip: one for each address, with TLS and without; limits and queues are those of each");
	else
		import_say(h->im, front->at, TAKEN, front->what, "vip");
	say_timeouts(h, front, back);
	(void)hap_rules_of(h, front); /* some of them are fields */
	(void)hap_rules_of(h, back);
	for (struct out *o = all; o != NULL && h->rc == 0; o = o->next)
		make_service(h, front, back, o, o == all, all->next == NULL);
}

/* Lines of a section that nobody has read: it is left out, and so are they. */
static void
say_left_out(struct hap *h, const struct hap_proxy *p)
{
	for (const struct hap_later *x = p->rules.first; x != NULL && !p->ruled; x = x->next)
		if (!*x->l.said) {
			*x->l.said = true;
			import_say(
			    h->im, x->l.at, NOT_TAKEN, x->l.what, "left out with its section");
		}
	for (const struct hap_later *x = p->uses.first; x != NULL && !p->used; x = x->next)
		import_say(h->im, x->l.at, NOT_TAKEN, x->l.what, "left out with its section");
}

int
hap_finish(struct hap *h)
{
	for (struct hap_proxy *p = h->proxies; p != NULL && h->rc == 0; p = p->next)
		if (p->section != HAP_BACKEND && (p->section == HAP_FRONTEND || p->binds != NULL))
			finish_front(h, p);
	for (struct hap_proxy *p = h->proxies; p != NULL && h->rc == 0; p = p->next)
		if (p->section != HAP_FRONTEND && (p->section == HAP_BACKEND || p->binds == NULL))
			import_say(h->im, p->at,
			    p->used || (p->counts && p->servers == NULL) ? TAKEN : NOT_TAKEN,
			    p->what,
			    p->pool != NULL ? "vip without address: a pool for content rules"
			    : p->used	    ? "its servers are those of a vip"
			    : p->counts && p->servers == NULL
				? "its table counts: rule.when (rate, conns)"
				: "left out: no frontend sends to it");
	for (const struct hap_proxy *p = h->proxies; p != NULL && h->rc == 0; p = p->next)
		say_left_out(h, p);
	return h->rc;
}
