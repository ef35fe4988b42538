/* Directives of defaults, frontend, listen and backend: a table of words. What becomes a field of a service at once is
 * put into the section's own row; the rest is kept until the whole file is known. */
#include "import/haproxy.h"
#include "import/text.h"

#include "base/must.h"
#include "schema/log_format.h"
#include "schema/retry_words.h"

#include <stdio.h>
#include <string.h>

static void
say(struct hap *h, const struct hap_line *l, enum taken how, const char *why)
{
	import_say(h->im, l->at, how, l->what, "%s", why);
}

static void
on_mode(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	bool http = strcmp(l->w[1], "http") == 0;

	if (!http && strcmp(l->w[1], "tcp") != 0) {
		say(h, l, NOT_TAKEN, "vip.mode: http or tcp");
		p->disabled = true;
		return;
	}
	p->http = http;
	say(h, l, TAKEN, "vip.mode");
}

static void
on_comment(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	(void)import_take(h->im, &p->vip, l->at, l->what, "comment", hap_join(h, l, 1), NULL);
}

static void
on_disabled(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	p->disabled = true;
	(void)import_take(h->im, &p->vip, l->at, l->what, "enabled", "no", NULL);
}

/* ---- timeouts ---------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *word, *old, *field;
} timeouts[HAP_TIMEOUTS] = {
	[HAP_connect] = { "connect", "contimeout", "connect_timeout" },
	[HAP_client] = { "client", "clitimeout", "client_timeout" },
	[HAP_server] = { "server", "srvtimeout", "server_timeout" },
	[HAP_queue] = { "queue", NULL, "queue_timeout" },
	[HAP_request] = { "http-request", NULL, "request_timeout" },
	[HAP_keep] = { "http-keep-alive", NULL, "keep_timeout" },
	[HAP_tunnel] = { "tunnel", NULL, "tunnel_timeout" },
	[HAP_check] = { "check", NULL, NULL },
};

static void
take_timeout(
    struct hap *h, struct hap_proxy *p, const struct hap_line *l, unsigned t, const char *value)
{
	struct err err = { 0 };
	char text[24];
	uint32_t ms;

	if (!hap_time(value, 1, &ms)) {
		say(h, l, NOT_TAKEN, "a time is needed, as 5000, 5s or 1m");
		return;
	}
	(void)snprintf(text, sizeof(text), "%ums", ms);
	if (timeouts[t].field != NULL &&
	    import_put(h->im, &p->vip, timeouts[t].field, text, &err) != 0) {
		import_say(h->im, l->at, NOT_TAKEN, l->what, "vip %s", err.text);
		return;
	}
	p->timeout[t] = ms;
	if (timeouts[t].field == NULL)
		say(h, l, TAKEN, "check.timeout");
	else
		import_say(h->im, l->at, TAKEN, l->what, "vip.%s", timeouts[t].field);
}

static void
on_timeout(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	for (unsigned t = 0; t < HAP_TIMEOUTS; t++)
		if (strcmp(timeouts[t].word, l->w[1]) == 0) {
			take_timeout(h, p, l, t, l->w[2]);
			return;
		}
	say(h, l, NOT_TAKEN,
	    strcmp(l->w[1], "tarpit") == 0
		? "content rules hold clients (action tarpit)"
		: "vip.client_timeout, server_timeout and tunnel_timeout count until a "
		  "connection has ended");
}

static void
on_old_timeout(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	for (unsigned t = 0; t < HAP_TIMEOUTS; t++)
		if (timeouts[t].old != NULL && strcmp(timeouts[t].old, l->w[0]) == 0)
			take_timeout(h, p, l, t, l->w[1]);
}

/* ---- limits and retries -------------------------------------------------------------------------------------------------- */

static void
on_maxconn(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	if ((p->section & HAP_BACKEND) != 0)
		say(h, l, TAKEN, "not looked at in a backend, there and here");
	else
		(void)import_take(h->im, &p->vip, l->at, l->what, "max_conns", l->w[1], NULL);
}

static void
on_retries(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	(void)import_take(h->im, &p->vip, l->at, l->what, "retries", l->w[1],
	    p->redispatch ? NULL : "each further try is at another server");
}

static void
on_redisp(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	p->redispatch = true;
	say(h, l, TAKEN, "vip.retries");
}

static void
on_stats(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	p->stats = true;
	say(h, l, TAKEN_OTHERWISE,
	    "the panel, the API and lbctl status show what goes on; who may look is in kind user");
}

/* The word of retry_on; "": it says nothing, NULL: there is none. */
static const char *
retry_word(const char *w)
{
	static const char *const words[][2] = {
		{ "none", "" },
		{ "0rtt-rejected", "" },
		{ "conn-failure", "connect" },
		{ "empty-response", "empty" },
		{ "junk-response", "junk" },
		{ "response-timeout", "timeout" },
		{ "all-retryable-errors", "connect,empty,junk,timeout,500,502,503,504" },
	};
	uint32_t bits;

	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(w, words[i][0]) == 0)
			return words[i][1];
	return *w >= '0' && *w <= '9' && retry_words_parse(w, &bits, NULL) == 0 ? w : NULL;
}

static void
on_retry_on(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	char text[200] = "";
	size_t used = 0;

	for (unsigned i = 1; i < l->n; i++) {
		const char *w = retry_word(l->w[i]);
		size_t n = w == NULL ? 0 : strlen(w);

		if (w == NULL || used + n + 2 > sizeof(text)) {
			import_say(h->im, l->at, NOT_TAKEN, l->what,
			    "vip.retry_on: there is no \"%s\"", l->w[i]);
			return;
		}
		if (n > 0)
			used += (size_t)snprintf(
			    text + used, sizeof(text) - used, "%s%s", used > 0 ? "," : "", w);
	}
	(void)import_take(h->im, &p->vip, l->at, l->what, "retry_on", text,
	    strcmp(text, "") == 0 || strcmp(text, "connect") == 0
		? NULL
		: "only requests whose method may be repeated: not POST");
}

static void
on_reuse(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	if (strcmp(l->w[1], "never") == 0)
		(void)import_take(h->im, &p->vip, l->at, l->what, "pool_timeout", "0s", NULL);
	else
		say(h, l, TAKEN, "idle connections to servers are shared: vip.pool_timeout");
}

static void
on_factor(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	(void)import_take(h->im, &p->vip, l->at, l->what, "balance_factor", l->w[1], NULL);
}

/* ---- logs ------------------------------------------------------------------------------------------------------------------ */

static void
on_log(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	p->logs = true;
	if (strcmp(l->w[1], "global") == 0)
		say(h, l, TAKEN, "vip.log");
	else
		hap_global(h, l);
}

static void
on_log_format(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	struct log_item items[LOG_ITEMS_MAX];
	struct err err = { 0 };
	const char *text = hap_join(h, l, 1);

	if (log_format_parse(text, items, &err) < 0) {
		import_say(h->im, l->at, NOT_TAKEN, l->what,
		    "vip.log_format %s; the form is haproxy", err.text);
		return;
	}
	if (import_take(h->im, &p->vip, l->at, l->what, "log_format", text, NULL))
		import_putf(h->im, &p->vip, "log", "custom");
}

/* ---- the rest ---------------------------------------------------------------------------------------------------------------- */

static void
on_unique_id(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	(void)import_take(h->im, &p->vip, l->at, l->what, "request_id", "replace",
	    "X-Request-ID, in a form of lbd's own");
}

static void
on_default_backend(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	if ((p->section & HAP_FRONT) == 0) {
		say(h, l, TAKEN, "not looked at in a backend, there and here");
		return;
	}
	p->to = arena_alloc(h->im->a, sizeof(*p->to));
	*p->to = *l;
}

/* "hdr_ip(x-forwarded-for,-1)": the last address; false: it is something else. */
static bool
last_address(const char *s, char name[65])
{
	size_t n = strncmp(s, "hdr_ip(", 7) == 0 ? strcspn(s + 7, ",)") : 0;

	if (n == 0 || n > 64 || (strcmp(s + 7 + n, ")") != 0 && strcmp(s + 7 + n, ",-1)") != 0))
		return false;
	memcpy(name, s + 7, n);
	name[n] = '\0';
	return true;
}

/* "source 0.0.0.0 usesrc clientip" */
static void
on_source(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	char name[65];

	if (strcmp(l->w[2], "usesrc") == 0 &&
	    (strcmp(l->w[3], "clientip") == 0 || strcmp(l->w[3], "client") == 0))
		(void)import_take(h->im, &p->vip, l->at, l->what, "transparent", "yes",
		    strcmp(l->w[3], "client") == 0 ? "the port is another than the client's"
						   : NULL);
	else if (strcmp(l->w[2], "usesrc") == 0 && last_address(l->w[3], name))
		import_say(h->im, l->at, NOT_TAKEN, l->what,
		    "vip.source_header: %s, with transparent=yes, and the proxies in front in forwarded_from",
		    name);
	else if (strcmp(l->w[2], "usesrc") == 0 || strcmp(l->w[2], "interface") == 0)
		say(h, l, NOT_TAKEN,
		    "vip.source: an address of this node, or the client's (vip.transparent)");
	else
		(void)import_take(h->im, &p->vip, l->at, l->what, "source", l->w[1], NULL);
}

/* "persist rdp-cookie": the token of a connection broker. */
static void
on_persist(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	if (strcmp(l->w[1], "rdp-cookie") == 0 || strcmp(l->w[1], "rdp-cookie(msts)") == 0)
		(void)import_take(h->im, &p->vip, l->at, l->what, "rdp_token", "yes", NULL);
	else
		say(h, l, NOT_TAKEN, "vip.rdp_token: the token is in the cookie msts");
}

static const struct {
	const char *word;
	unsigned sections;
	hap_fn fn;
} directives[] = {
	{ "acl", HAP_PROXY, hap_acl },
	{ "appsession", HAP_BACK, hap_appsession },
	{ "balance", HAP_BACK, hap_balance },
	{ "bind", HAP_PROXY, hap_bind },
	{ "block", HAP_PROXY, hap_rule },
	{ "clitimeout", HAP_PROXY, on_old_timeout },
	{ "compression", HAP_PROXY, hap_compression },
	{ "contimeout", HAP_PROXY, on_old_timeout },
	{ "cookie", HAP_PROXY, hap_cookie },
	{ "default-server", HAP_PROXY, hap_default_server },
	{ "default_backend", HAP_PROXY, on_default_backend },
	{ "description", HAP_PROXY, on_comment },
	{ "disabled", HAP_PROXY, on_disabled },
	{ "errorfile", HAP_PROXY, hap_errorfile },
	{ "errorfiles", HAP_PROXY, hap_errorfiles },
	{ "errorloc", HAP_PROXY, hap_errorloc },
	{ "errorloc302", HAP_PROXY, hap_errorloc },
	{ "errorloc303", HAP_PROXY, hap_errorloc },
	{ "force-persist", HAP_BACK, hap_rule },
	{ "hash-balance-factor", HAP_PROXY, on_factor },
	{ "hash-type", HAP_PROXY, hap_hash_type },
	{ "http-check", HAP_PROXY, hap_http_check },
	{ "http-error", HAP_PROXY, hap_http_error },
	{ "http-request", HAP_PROXY, hap_rule },
	{ "http-response", HAP_PROXY, hap_rule },
	{ "http-reuse", HAP_PROXY, on_reuse },
	{ "ignore-persist", HAP_BACK, hap_rule },
	{ "log", HAP_PROXY, on_log },
	{ "log-format", HAP_PROXY, on_log_format },
	{ "maxconn", HAP_PROXY, on_maxconn },
	{ "mode", HAP_PROXY, on_mode },
	{ "monitor-uri", HAP_PROXY, hap_rule },
	{ "option", HAP_PROXY, hap_option },
	{ "persist", HAP_BACK, on_persist },
	{ "redirect", HAP_PROXY, hap_rule },
	{ "redisp", HAP_PROXY, on_redisp },
	{ "redispatch", HAP_PROXY, on_redisp },
	{ "reqadd", HAP_PROXY, hap_rule },
	{ "reqdel", HAP_PROXY, hap_rule },
	{ "reqidel", HAP_PROXY, hap_rule },
	{ "retries", HAP_PROXY, on_retries },
	{ "retry-on", HAP_PROXY, on_retry_on },
	{ "rspadd", HAP_PROXY, hap_rule },
	{ "rspdel", HAP_PROXY, hap_rule },
	{ "rspidel", HAP_PROXY, hap_rule },
	{ "server", HAP_PROXY, hap_server },
	{ "server-template", HAP_PROXY, hap_server_template },
	{ "source", HAP_PROXY, on_source },
	{ "srvtimeout", HAP_PROXY, on_old_timeout },
	{ "stats", HAP_PROXY, on_stats },
	{ "stick", HAP_PROXY, hap_stick },
	{ "stick-table", HAP_PROXY, hap_stick_table },
	{ "tcp-check", HAP_PROXY, hap_tcp_check },
	{ "tcp-request", HAP_PROXY, hap_rule },
	{ "tcp-response", HAP_PROXY, hap_rule },
	{ "timeout", HAP_PROXY, on_timeout },
	{ "unique-id-header", HAP_PROXY, on_unique_id },
	{ "use-server", HAP_PROXY, hap_rule },
	{ "use_backend", HAP_PROXY, hap_use_backend },
};

/* "no option X", "no log": what was said before, or in defaults, does not count. */
static void
on_no(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	const char *w = strcmp(l->w[1], "option") == 0 ? l->w[2] : l->w[1];

	if (strcmp(w, "log") == 0)
		p->logs = false;
	else if (strcmp(w, "forwardfor") == 0)
		p->forwardfor = false;
	else if (strcmp(w, "httplog") == 0)
		p->http_log = false;
	else if (strcmp(w, "tcplog") == 0)
		p->tcp_log = false;
	else if (strcmp(w, "redispatch") == 0)
		p->redispatch = false;
	else if (strcmp(w, "allbackups") == 0)
		p->all_backups = false;
	else if (strcmp(w, "httpchk") == 0 || strcmp(w, "tcp-check") == 0)
		p->check = (struct import_row){ .o = object_of(KIND_check) };
	else if (strcmp(w, "httpclose") == 0 || strcmp(w, "forceclose") == 0)
		p->close = p->server_close = false;
	else if (strcmp(w, "http-server-close") == 0)
		p->server_close = p->close;
	if (!p->server_close)
		p->vip.text[field_find(p->vip.o, "pool_timeout") - p->vip.o->f] = NULL;
	say(h, l, TAKEN, "what was said before does not count");
}

void
hap_directive(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	if (strcmp(l->w[0], "no") == 0) {
		on_no(h, p, l);
		return;
	}
	for (unsigned i = 0; i < sizeof(directives) / sizeof(*directives); i++)
		if (strcmp(directives[i].word, l->w[0]) == 0) {
			if ((p->section & directives[i].sections) != 0)
				directives[i].fn(h, p, l);
			else
				say(h, l, TAKEN, "not looked at in a frontend, there and here");
			return;
		}
	if (!hap_note(h, p->section, l))
		say(h, l, NOT_TAKEN, "there is nothing like it");
}
