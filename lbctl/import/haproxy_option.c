/* "option X", how a server is chosen, and what keeps a client at it. */
#include "import/haproxy.h"
#include "import/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static void
say(struct hap *h, const struct hap_line *l, enum taken how, const char *why)
{
	import_say(h->im, l->at, how, l->what, "%s", why);
}

static bool
take(struct hap *h, struct hap_proxy *p, const struct hap_line *l, const char *field,
    const char *value, const char *difference)
{
	return import_take(h->im, &p->vip, l->at, l->what, field, value, difference);
}

/* ---- options --------------------------------------------------------------------------------------------------------- */

static void
on_forwardfor(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	bool all = true;

	for (unsigned i = 2; i < l->n; i++) {
		const char *w = l->w[i];

		if (strcmp(w, "header") == 0 && strcasecmp(l->w[i + 1], "X-Forwarded-For") == 0) {
			i++;
		} else if (strcmp(w, "header") == 0) {
			say(h, l, NOT_TAKEN,
			    "vip.forwarded_for: the field is X-Forwarded-For; Forwarded is possible too");
			return;
		} else if (strcmp(w, "except") == 0 || strcmp(w, "if-none") == 0) {
			i += w[0] == 'e';
			all = false;
		}
	}
	p->forwardfor = true;
	(void)take(h, p, l, "forwarded_for", "append",
	    all ? NULL : "the client's address is always added, whoever the client is");
}

static void
on_forwarded(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	p->forwarded = true;
	(void)take(h, p, l, "forwarded", "yes",
	    l->n > 2 ? "for, proto, host and by are in it, in a form of lbd's own" : NULL);
}

static void
on_log_form(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	bool http = strcmp(l->w[1], "tcplog") != 0;

	*(http ? &p->http_log : &p->tcp_log) = true;
	if (strcmp(l->w[2], "clf") == 0)
		(void)take(h, p, l, "log", "combined", "as Apache's combined log");
	else
		say(h, l, TAKEN, "vip.log, when the section logs");
}

/* "no option X" as far as it means something to us. */
static void
on_close(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	bool both = strcmp(l->w[1], "http-server-close") != 0;

	p->close |= both;
	p->server_close = true;
	import_putf(h->im, &p->vip, "pool_timeout", "0s");
	say(h, l, TAKEN, both ? "vip.keep_timeout, vip.pool_timeout" : "vip.pool_timeout");
}

static void
on_redispatch(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	p->redispatch = true;
	say(h, l, l->n > 2 ? TAKEN_OTHERWISE : TAKEN,
	    l->n > 2 ? "vip.retries: each further try is at another server" : "vip.retries");
}

static void
on_allbackups(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	p->all_backups = true;
	say(h, l, TAKEN, "rip.backup: all backup servers take clients when no other is fit");
}

void
hap_option(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	static const struct {
		const char *word;
		hap_fn fn;
	} rows[] = {
		{ "forwardfor", on_forwardfor },
		{ "forwarded", on_forwarded },
		{ "httplog", on_log_form },
		{ "tcplog", on_log_form },
		{ "httpslog", on_log_form },
		{ "httpclose", on_close },
		{ "forceclose", on_close },
		{ "http-server-close", on_close },
		{ "redispatch", on_redispatch },
		{ "allbackups", on_allbackups },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strcmp(rows[i].word, l->w[1]) == 0) {
			rows[i].fn(h, p, l);
			return;
		}
	if (!hap_check_option(h, p, l) && !hap_strict_option(h, p, l) &&
	    !hap_note(h, p->section, l))
		say(h, l, NOT_TAKEN, "there is nothing like it");
}

/* ---- balance ---------------------------------------------------------------------------------------------------------- */

/* "name(argument)": the argument, in the arena; NULL: another name. */
static const char *
argument_of(struct hap *h, const char *word, const char *name)
{
	size_t n = strlen(name), len = strlen(word);

	if (strncmp(word, name, n) != 0 || word[n] != '(' || word[len - 1] != ')')
		return NULL;
	return arena_text(h->im->a, word + n + 1, len - n - 2);
}

static bool
has_word(const struct hap_line *l, unsigned from, const char *word)
{
	for (unsigned i = from; i < l->n; i++)
		if (strcmp(l->w[i], word) == 0)
			return true;
	return false;
}

static void
scheduler(struct hap *h, struct hap_proxy *p, const struct hap_line *l, const char *word,
    const char *key, const char *difference)
{
	struct err err = { 0 };

	if (key != NULL && import_put(h->im, &p->vip, "hash_key", key, &err) != 0) {
		import_say(h->im, l->at, NOT_TAKEN, l->what, "vip %s", err.text);
		return;
	}
	if (key == NULL)
		p->vip.text[field_find(p->vip.o, "hash_key") - p->vip.o->f] = NULL;
	(void)take(h, p, l, "scheduler", word, difference);
}

static void
on_uri(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	bool whole = has_word(l, 2, "whole");

	scheduler(h, p, l, whole ? "uri" : "path", NULL,
	    has_word(l, 2, "len") || has_word(l, 2, "depth") ? "the whole path is hashed" : NULL);
}

/* balance hash EXPRESSION, as far as a scheduler hashes the same. */
static bool
on_hash(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	static const char *const headers[] = { "req.hdr", "hdr", "req.fhdr" };
	const char *w = l->w[2], *key;

	for (unsigned i = 0; i < 3; i++)
		if ((key = argument_of(h, w, headers[i])) != NULL) {
			scheduler(h, p, l, "header", key, NULL);
			return true;
		}
	key = argument_of(h, w, "url_param");
	if (key == NULL)
		key = argument_of(h, w, "urlp");
	if (key != NULL)
		scheduler(h, p, l, "url_param", key, NULL);
	else if (strcmp(w, "path") == 0)
		scheduler(h, p, l, "path", NULL, NULL);
	else if (strcmp(w, "url") == 0 || strcmp(w, "pathq") == 0)
		scheduler(h, p, l, "uri", NULL, NULL);
	else if (strcmp(w, "src") == 0)
		scheduler(h, p, l, "sh", NULL, NULL);
	else
		return false;
	return true;
}

void
hap_balance(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	static const struct {
		const char *word, *scheduler, *why;
	} rows[] = {
		{ "roundrobin", "wrr", NULL },
		{ "static-rr", "wrr", NULL },
		{ "leastconn", "wlc", NULL },
		{ "first", "first", "servers without maxconn get the most there is" },
		{ "source", "sh", NULL },
		{ "random", "twos", NULL },
		{ "random(2)", "twos", NULL },
		{ "rdp-cookie", "rdp_cookie", NULL },
		{ "rdp-cookie(mstshash)", "rdp_cookie", NULL },
	};
	const char *w = l->w[1], *key;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strcmp(rows[i].word, w) == 0) {
			scheduler(h, p, l, rows[i].scheduler, NULL, rows[i].why);
			return;
		}
	if (strcmp(w, "uri") == 0)
		on_uri(h, p, l);
	else if (strcmp(w, "url_param") == 0 && l->n > 2)
		scheduler(h, p, l, "url_param", l->w[2],
		    has_word(l, 3, "check_post") ? "bodies are not searched for it" : NULL);
	else if ((key = argument_of(h, w, "hdr")) != NULL)
		scheduler(h, p, l, "header", key,
		    has_word(l, 2, "use_domain_only") ? "the whole value is hashed" : NULL);
	else if (argument_of(h, w, "random") != NULL)
		scheduler(h, p, l, "twos", NULL, "two are drawn");
	else if (strcmp(w, "hash") != 0 || !on_hash(h, p, l))
		say(h, l, NOT_TAKEN,
		    "vip.scheduler: hashed are source, path, path with query, a parameter, a header field, or the "
		    "user of RDP; it is wrr");
}

void
hap_hash_type(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	(void)p;
	say(h, l, TAKEN_OTHERWISE,
	    "the hash is lbd's own and consistent: few clients move when a server goes, and clients are at other "
	    "servers than before");
}

/* ---- persistence ------------------------------------------------------------------------------------------------------- */

/* A time in seconds into a field. */
static void
take_seconds(struct hap *h, struct hap_proxy *p, const struct hap_line *l, const char *word,
    const char *field, const char *value)
{
	struct err err = { 0 };
	char text[24];
	uint32_t ms;

	if (!hap_time(value, 1000, &ms))
		ms = 0;
	(void)snprintf(text, sizeof(text), "%us", ms / 1000);
	if (ms == 0 || import_put(h->im, &p->vip, field, text, &err) != 0)
		import_say(
		    h->im, l->at, NOT_TAKEN, word, "vip.%s: a time is needed, as 30m", field);
}

/* Arguments of a cookie that is ours; its attributes as one text. */
static void
cookie_arguments(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	struct buf attributes = { 0 };
	struct err err = { 0 };

	buf_puts(&attributes, "Path=/");
	import_putf(h->im, &p->vip, "cookie_server", "%s",
	    has_word(l, 2, "preserve")	 ? "preserve"
	    : has_word(l, 2, "indirect") ? "hidden"
					 : "shown");
	for (unsigned i = 2; i < l->n; i++) {
		const char *w = l->w[i], *value = l->w[i + 1];

		if (strcmp(w, "httponly") == 0)
			buf_puts(&attributes, "; HttpOnly");
		else if (strcmp(w, "secure") == 0)
			buf_puts(&attributes, "; Secure");
		else if (strcmp(w, "attr") == 0)
			buf_printf(&attributes, "; %s", value);
		else if (strcmp(w, "domain") == 0)
			buf_printf(&attributes, "; Domain=%s", value + (value[0] == '.'));
		else if (strcmp(w, "maxidle") == 0)
			take_seconds(h, p, l, w, "cookie_idle", value);
		else if (strcmp(w, "maxlife") == 0)
			take_seconds(h, p, l, w, "cookie_life", value);
		else if (strcmp(w, "postonly") == 0)
			import_say(h->im, l->at, NOT_TAKEN, w,
			    "vip.persistence: every request without the cookie gets it");
		i += strcmp(w, "attr") == 0 || strcmp(w, "domain") == 0 ||
		     strcmp(w, "maxidle") == 0 || strcmp(w, "maxlife") == 0;
	}
	if (import_put(h->im, &p->vip, "cookie_attributes", buf_text(&attributes), &err) != 0)
		import_say(h->im, l->at, NOT_TAKEN, buf_text(&attributes), "vip %s", err.text);
	buf_fini(&attributes);
}

void
hap_cookie(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	struct err err = { 0 };

	if (import_put(h->im, &p->vip, "cookie", l->w[1], &err) != 0) {
		import_say(h->im, l->at, NOT_TAKEN, l->what, "vip %s", err.text);
		return;
	}
	if (has_word(l, 2, "insert")) {
		cookie_arguments(h, p, l);
		(void)take(h, p, l, "persistence", "cookie",
		    "the cookie names servers in a way of lbd's own; answers that set it are private to caches");
	} else if (has_word(l, 2, "rewrite")) {
		(void)take(h, p, l, "persistence", "rewrite",
		    "the value that clients see names servers in a way of lbd's own");
	} else if (has_word(l, 2, "prefix")) {
		(void)take(h, p, l, "persistence", "prefix",
		    "what stands before the value names servers in a way of lbd's own");
	} else {
		(void)take(h, p, l, "persistence", "app_cookie",
		    "the server of a value is remembered when it sets it");
	}
}

void
hap_appsession(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	struct err err = { 0 };
	uint32_t ms;

	if (import_put(h->im, &p->vip, "cookie", l->w[1], &err) != 0) {
		import_say(h->im, l->at, NOT_TAKEN, l->what, "vip %s", err.text);
		return;
	}
	for (unsigned i = 2; i + 1 < l->n; i++)
		if (strcmp(l->w[i], "timeout") == 0 && hap_time(l->w[i + 1], 1, &ms) &&
		    ms >= 1000 && ms <= 2592000000)
			import_putf(h->im, &p->vip, "persist_timeout", "%ums", ms);
	(void)take(h, p, l, "persistence", "app_cookie",
	    has_word(l, 2, "request-learn") ? "values are learnt from answers only" : NULL);
}

/* Addresses as keys are what there is. */
void
hap_stick_table(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	bool address = has_word(l, 1, "ip") || has_word(l, 1, "ipv6");
	uint32_t ms;

	for (unsigned i = 1; i + 1 < l->n; i++)
		if (strcmp(l->w[i], "store") == 0 && strcmp(l->w[i + 1], "server_id") != 0) {
			p->counts = true;
			hap_rate_table(h, l, l->w[i + 1]);
			return;
		}
	for (unsigned i = 1; i + 1 < l->n; i++)
		if (strcmp(l->w[i], "expire") == 0 && hap_time(l->w[i + 1], 1, &ms) && ms >= 1000 &&
		    ms <= 2592000000)
			import_putf(h->im, &p->vip, "persist_timeout", "%ums", ms);
	say(h, l, address ? TAKEN : TAKEN_OTHERWISE,
	    address ? "vip.persist_timeout; the table is shared by the nodes of a pair"
		    : "vip.persist_timeout: what is a key is said by vip.persistence");
}

/* What can be a key, and where its name goes; a word that ends in ( has one. */
static const struct {
	const char *key, *persistence, *field;
} sticks[] = {
	{ "src", "source", NULL },
	{ "url_param(", "url_param", "persist_key" },
	{ "urlp(", "url_param", "persist_key" },
	{ "hdr(", "header", "persist_key" },
	{ "req.hdr(", "header", "persist_key" },
	{ "cookie(", "app_cookie", "cookie" },
	{ "req.cook(", "app_cookie", "cookie" },
	{ "res.cook(", "app_cookie", "cookie" },
	{ "query", "query", NULL },
	{ "hdr_ip(x-forwarded-for,-1)", "forwarded_for", NULL },
	{ "req.hdr_ip(x-forwarded-for,-1)", "forwarded_for", NULL },
	{ "ssl_fc_session_id", "tls_session", NULL },
	{ "ssl_fc_sni", "server_name", NULL },
	{ "rdp_cookie(mstshash)", "rdp_cookie", NULL },
	{ "req.rdp_cookie(mstshash)", "rdp_cookie", NULL },
};

void
hap_stick(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	const char *key = l->w[2], *name;

	if (has_word(l, 3, "table") || has_word(l, 3, "if") || has_word(l, 3, "unless"))
		import_say(h->im, l->at, NOT_TAKEN, hap_join(h, l, 3),
		    "vip.persistence: the table is that of the service, for all of its requests");
	if (strncmp(key, "src,ipmask(", 11) == 0) {
		(void)take(h, p, l, "persistence", "source", "all bits of the address count");
		return;
	}
	for (unsigned i = 0; i < sizeof(sticks) / sizeof(*sticks); i++) {
		size_t n = strlen(sticks[i].key);
		char word[40];

		(void)snprintf(word, sizeof(word), "%.*s", (int)(n - (sticks[i].field != NULL)),
		    sticks[i].key);
		name = sticks[i].field != NULL ? argument_of(h, key, word) : NULL;
		if (sticks[i].field == NULL ? strcasecmp(key, sticks[i].key) != 0 : name == NULL)
			continue;
		if (name != NULL && import_put(h->im, &p->vip, sticks[i].field, name, NULL) != 0)
			break;
		(void)take(h, p, l, "persistence", sticks[i].persistence,
		    strcmp(sticks[i].persistence, "app_cookie") == 0
			? "the value is learnt when the server sets it"
			: NULL);
		return;
	}
	say(h, l, NOT_TAKEN,
	    "vip.persistence: kept at their server are addresses, cookies, parameters, header fields, TLS "
	    "sessions and names, and users of RDP");
}
