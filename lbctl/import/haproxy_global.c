/* Section global, and where logs go. */
#include "import/haproxy.h"
#include "import/text.h"

#include "schema/log_format.h"

#include <stdio.h>
#include <string.h>

static struct import_row *
setting(struct hap *h, const struct hap_line *l)
{
	if (h->setting == NULL) {
		h->setting = import_extra_new(h->im, KIND_setting, l->at);
		import_name(h->im, h->setting, "setting ", "main");
	}
	return h->setting;
}

/* "127.0.0.1", "udp@127.0.0.1:514", "[fd00::1]:514", "/dev/log" as a target of ours. */
static bool
target_text(const char *s, char out[128])
{
	struct log_target t;
	struct addr a;

	if (strncmp(s, "udp@", 4) == 0 || strncmp(s, "ipv4@", 5) == 0 ||
	    strncmp(s, "ipv6@", 5) == 0)
		s = strchr(s, '@') + 1;
	if (strncmp(s, "unix@", 5) == 0)
		s += 5;
	if (text_host(s, &a))
		(void)snprintf(out, 128, a.family == 6 ? "[%s]:514" : "%s:514", s);
	else
		(void)snprintf(out, 128, "%s", s);
	return strlen(s) < 110 && log_target_parse(out, &t, NULL) == 0 &&
	       (t.path[0] != '\0' || t.addr.family != 0);
}

/* "log TARGET [len N] [format F] FACILITY [LEVEL]" */
static void
on_log(struct hap *h, const struct hap_line *l)
{
	char text[128];

	if (!target_text(l->w[1], text)) {
		import_say(h->im, l->at, NOT_TAKEN, l->what,
		    "setting.access_syslog: /dev/log or another socket's path, or address:port for UDP; "
		    "access.log in /var/log/lbd is written in any case");
		return;
	}
	if (h->syslog != NULL && strcmp(h->syslog, text) != 0) {
		import_say(h->im, l->at, NOT_TAKEN, l->what,
		    "setting.access_syslog: there is one target, and it is %s", h->syslog);
		return;
	}
	h->syslog = arena_text(h->im->a, text, strlen(text));
	(void)import_take(h->im, setting(h, l), l->at, l->what, "access_syslog", text,
	    "by syslog as in RFC 5424, facility local0; access.log in /var/log/lbd is written too");
}

static void
on_maxconn(struct hap *h, const struct hap_line *l)
{
	(void)import_take(h->im, setting(h, l), l->at, l->what, "proxy_conns", l->w[1], NULL);
}

static void
on_nbthread(struct hap *h, const struct hap_line *l)
{
	(void)import_take(h->im, setting(h, l), l->at, l->what, "threads", l->w[1], NULL);
}

static void
on_base(struct hap *h, const struct hap_line *l)
{
	*(l->w[0][1] == 'a' ? &h->ca_base : &h->crt_base) = l->w[1];
	import_say(h->im, l->at, TAKEN, l->what, "where certificates are looked for");
}

static void
on_spread(struct hap *h, const struct hap_line *l)
{
	if (!text_number(l->w[1], 50, &h->jitter)) {
		import_say(h->im, l->at, NOT_TAKEN, l->what, "check.jitter: allowed is 0 to 50");
		h->jitter = HAP_UNSAID;
		return;
	}
	import_say(h->im, l->at, TAKEN_OTHERWISE, l->what,
	    "check.jitter: intervals are shorter by a random share, never longer");
}

static void
on_server_verify(struct hap *h, const struct hap_line *l)
{
	h->verify_none = strcmp(l->w[1], "none") == 0;
	import_say(h->im, l->at, TAKEN, l->what, "vip.server_tls");
}

/* ssl-default-bind-ciphers, -curves, -options: as if each bind line said them. */
static void
on_tls(struct hap *h, const struct hap_line *l)
{
	struct hap_line own = *l;

	if (strcmp(l->w[0], "ssl-default-bind-options") == 0) {
		for (unsigned i = 1, n; i < l->n; i += n) {
			n = hap_tls_word(h, &h->tls, l, i);
			if (n == 0)
				import_say(h->im, l->at, TAKEN_OTHERWISE, l->w[i],
				    "tls.profile says what is spoken");
			n += n == 0;
		}
		import_say(h->im, l->at, TAKEN, l->what, "tls.profile, tls.tickets");
		return;
	}
	own.w[0] = strcmp(l->w[0], "ssl-default-bind-curves") == 0 ? "curves" : "ciphers";
	if (hap_tls_word(h, &h->tls, &own, 0) > 0)
		import_say(h->im, l->at, TAKEN, l->what, "tls.%s", own.w[0]);
}

void
hap_global(struct hap *h, const struct hap_line *l)
{
	static const struct {
		const char *word;
		void (*fn)(struct hap *h, const struct hap_line *l);
	} rows[] = {
		{ "log", on_log },
		{ "maxconn", on_maxconn },
		{ "nbthread", on_nbthread },
		{ "ca-base", on_base },
		{ "crt-base", on_base },
		{ "spread-checks", on_spread },
		{ "ssl-server-verify", on_server_verify },
		{ "ssl-default-bind-ciphers", on_tls },
		{ "ssl-default-bind-curves", on_tls },
		{ "ssl-default-bind-options", on_tls },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strcmp(rows[i].word, l->w[0]) == 0) {
			rows[i].fn(h, l);
			return;
		}
	if (!hap_note(h, HAP_GLOBAL, l))
		import_say(h->im, l->at, NOT_TAKEN, l->what, "there is nothing like it");
}
