/* How HAProxy tests servers, as checks of ours: a page of HTTP or a connection.
 *
 * What a section says is one check without times; each server adds its own. A dialog that we do not speak becomes a
 * connection, and is said. HAProxy's own defaults are put where ours are others. */
#include "import/haproxy.h"
#include "import/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define INTER_MS 2000
#define TIMEOUT_MOST 600000

/* What http-check has said stays, whichever comes first. */
static void
set_kind(struct hap *h, struct hap_proxy *p, const char *kind)
{
	import_putf(h->im, &p->check, "kind", "%s", kind);
	*import_text(&p->check, "method") = *import_text(&p->check, "path") = NULL;
	*import_text(&p->check, "host") = NULL;
}

/* A path begins with a slash. */
static bool
put_path(struct hap *h, struct import_row *check, const char *path, struct err *err)
{
	if (path[0] != '/') {
		(void)err_set(
		    err, ERR_INVALID, "path: a path that begins with a slash is asked for");
		return false;
	}
	return import_put(h->im, check, "path", path, err) == 0;
}

/* ---- option httpchk ----------------------------------------------------------------------------------------------- */

/* The value of Host in text of further lines; false: there is more than that. */
static bool
take_lines(struct hap *h, struct import_row *check, const char *text)
{
	bool alone = true;

	while (*text != '\0') {
		size_t n = strcspn(text, "\r\n");
		char host[256];

		if (strncasecmp(text, "Host:", 5) == 0 && n < sizeof(host)) {
			(void)snprintf(host, sizeof(host), "%.*s", (int)(n - 5), text + 5);
			if (import_put(h->im, check, "host", host + strspn(host, " "), NULL) != 0)
				alone = false;
		} else if (n > 0 && strncasecmp(text, "Connection:", 11) != 0) {
			alone = false;
		}
		text += n;
		text += strspn(text, "\r\n");
	}
	return alone;
}

static void
on_httpchk(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	const char *method = l->n > 3 ? l->w[2] : "OPTIONS", *path = l->n > 3 ? l->w[3] : l->w[2];
	const char *lines = l->n > 4 ? strpbrk(l->w[4], "\r\n") : NULL;
	struct err err = { 0 };
	bool all = true;

	set_kind(h, p, "http");
	if (import_put(h->im, &p->check, "method", method, &err) != 0) {
		import_putf(h->im, &p->check, "method", "GET");
		import_say(h->im, l->at, TAKEN_OTHERWISE, method, "check %s; it is GET", err.text);
	}
	if (path[0] != '\0' && !put_path(h, &p->check, path, &err))
		import_say(h->im, l->at, NOT_TAKEN, path, "check %s", err.text);
	if (lines != NULL)
		all = take_lines(h, &p->check, lines);
	if (l->n > 5)
		all = take_lines(h, &p->check, hap_join(h, l, 5)) && all;
	if (all)
		import_say(h->im, l->at, TAKEN, l->what, "check.kind, check.method, check.path");
	else
		import_say(h->im, l->at, TAKEN_OTHERWISE, l->what,
		    "check.path, check.host: no other field of the head is sent");
}

bool
hap_check_option(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	static const char *const dialogs[] = { "ssl-hello-chk", "smtpchk", "mysql-check",
		"pgsql-check", "ldap-check", "redis-check", "spop-check" };

	if (strcmp(l->w[1], "httpchk") == 0) {
		on_httpchk(h, p, l);
		return true;
	}
	if (strcmp(l->w[1], "tcp-check") == 0) {
		set_kind(h, p, "tcp");
		import_say(h->im, l->at, TAKEN, l->what, "check.kind: a connection");
		return true;
	}
	for (unsigned i = 0; i < sizeof(dialogs) / sizeof(*dialogs); i++)
		if (strcmp(l->w[1], dialogs[i]) == 0) {
			set_kind(h, p, "tcp");
			import_say(h->im, l->at, TAKEN_OTHERWISE, l->what,
			    "check.kind: a connection is tested, not the dialog; kinds are tcp and http");
			return true;
		}
	return false;
}

/* ---- http-check ---------------------------------------------------------------------------------------------------- */

static void
take(struct hap *h, struct hap_proxy *p, const struct hap_line *l, const char *field,
    const char *value)
{
	(void)import_take(h->im, &p->check, l->at, l->what, field, value, NULL);
}

/* All statuses but those of a rising list of numbers and ranges. */
static void
all_but(const char *list, struct buf *out)
{
	unsigned next = 100;

	for (const char *p = list; *p != '\0';) {
		char *end;
		unsigned lo = (unsigned)strtoul(p, &end, 10), hi = lo;

		if (*end == '-')
			hi = (unsigned)strtoul(end + 1, &end, 10);
		if (end == p || lo < next || hi < lo || hi > 599)
			return;
		if (lo > next)
			buf_printf(out, "%s%u-%u", out->len > 0 ? "," : "", next, lo - 1);
		next = hi + 1;
		p = *end == ',' ? end + 1 : end;
		if (*end != ',' && *end != '\0')
			return;
	}
	if (next <= 599)
		buf_printf(out, "%s%u-599", out->len > 0 ? "," : "", next);
}

/* "^2", "^[23]", "[23][0-9][0-9]", "200": which statuses; "" when it is none of these. */
static void
status_of_regex(const char *r, struct buf *out)
{
	const char *digits;
	uint32_t n;

	r += *r == '^';
	if (text_number(r, 599, &n) && strlen(r) == 3) {
		buf_puts(out, r);
		return;
	}
	if (*r == '(' && r[strlen(r) - 1] == ')') {
		for (const char *p = r + 1; *p != ')' && *p != '\0'; p++)
			buf_printf(out, "%c", *p == '|' ? ',' : *p);
		return;
	}
	digits = *r == '[' ? r + 1 : r;
	for (; *digits >= '1' && *digits <= '5'; digits++) {
		buf_printf(out, "%s%c00-%c99", out->len > 0 ? "," : "", *digits, *digits);
		if (*r != '[') {
			digits++;
			break;
		}
	}
	digits += *digits == ']';
	if (*digits != '\0' && strcmp(digits, "[0-9][0-9]") != 0 && strcmp(digits, "..") != 0 &&
	    strcmp(digits, "..$") != 0 && strcmp(digits, ".*") != 0)
		out->len = 0;
}

static void
on_status(struct hap *h, struct hap_proxy *p, const struct hap_line *l, const char *how,
    const char *value, bool not )
{
	struct buf list = { 0 }, rest = { 0 };

	if (strcmp(how, "rstatus") == 0)
		status_of_regex(value, &list);
	else
		buf_puts(&list, value);
	if (not )
		all_but(buf_text(&list), &rest);
	if ((not ? rest.len : list.len) == 0)
		import_say(h->im, l->at, NOT_TAKEN, l->what,
		    "check.status: ranges, as 200-299,304; lbctl set check NAME status=...");
	else
		take(h, p, l, "status", buf_text(not ? &rest : &list));
	buf_fini(&list);
	buf_fini(&rest);
}

static void
on_string(struct hap *h, struct hap_proxy *p, const struct hap_line *l, const char *how,
    const char *value, bool not )
{
	char literal[1100];

	if (strcmp(how, "rstring") == 0) {
		if (!text_literal(value, literal, sizeof(literal))) {
			import_say(h->im, l->at, NOT_TAKEN, l->what,
			    "check.expect: no regular expressions: choose a plain text with lbctl set check "
			    "NAME expect=TEXT");
			return;
		}
		value = literal;
	}
	/* with a text alone HAProxy does not look at the status */
	if (import_value(&p->check, not ? "reject" : "expect") != NULL) {
		import_say(h->im, l->at, NOT_TAKEN, l->what, "check.%s: one text, and there is one",
		    not ? "reject" : "expect");
		return;
	}
	if (import_value(&p->check, "status") == NULL)
		import_putf(h->im, &p->check, "status", "100-599");
	take(h, p, l, not ? "reject" : "expect", value);
}

static void
on_expect(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	unsigned i = 2;
	bool not ;

	while (i + 1 < l->n &&
	       (strcmp(l->w[i], "min-recv") == 0 || strcmp(l->w[i], "comment") == 0 ||
		   strcmp(l->w[i], "ok-status") == 0 || strcmp(l->w[i], "error-status") == 0 ||
		   strcmp(l->w[i], "tout-status") == 0 || strcmp(l->w[i], "on-success") == 0 ||
		   strcmp(l->w[i], "on-error") == 0 || strcmp(l->w[i], "status-code") == 0))
		i += 2;
	p->expected = true;
	not = strcmp(l->w[i], "!") == 0;
	i += not ;
	if (strcmp(l->w[i], "status") == 0 || strcmp(l->w[i], "rstatus") == 0)
		on_status(h, p, l, l->w[i], hap_join(h, l, i + 1), not );
	else if (strcmp(l->w[i], "string") == 0 || strcmp(l->w[i], "rstring") == 0)
		on_string(h, p, l, l->w[i], hap_join(h, l, i + 1), not );
	else
		import_say(h->im, l->at, NOT_TAKEN, l->what,
		    "check.status, check.expect and check.reject are what an answer is judged by");
}

static void
on_send(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	struct err err = { 0 };
	bool all = true;

	for (unsigned i = 2; i < l->n; i += 2) {
		const char *w = l->w[i], *v = l->w[i + 1];

		if (strcmp(w, "meth") == 0)
			all = import_put(h->im, &p->check, "method", v, &err) == 0 && all;
		else if (strcmp(w, "uri") == 0)
			all = put_path(h, &p->check, v, &err) && all;
		else if (strcmp(w, "hdr") == 0) {
			bool host = strcasecmp(v, "Host") == 0;

			all = host &&
			      import_put(h->im, &p->check, "host", l->w[i + 2], &err) == 0 && all;
			i++;
		} else if (strcmp(w, "ver") != 0 && strcmp(w, "comment") != 0)
			all = false;
	}
	if (all)
		import_say(h->im, l->at, TAKEN, l->what, "check.method, check.path, check.host");
	else
		import_say(h->im, l->at, TAKEN_OTHERWISE, l->what,
		    "check: a method (GET, HEAD or OPTIONS), a path and Host are sent, nothing else");
}

static void
on_connect(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	bool all = true;

	for (unsigned i = 2; i < l->n; i++) {
		if (strcmp(l->w[i], "port") == 0 && l->n > i + 1)
			all = import_put(h->im, &p->check, "port", l->w[++i], NULL) == 0 && all;
		else if (strcmp(l->w[i], "default") != 0 && strcmp(l->w[i], "linger") != 0)
			all = false;
	}
	if (all)
		import_say(h->im, l->at, TAKEN, l->what, "check.port");
	else
		import_say(h->im, l->at, TAKEN_OTHERWISE, l->what,
		    "check.port: probes speak TLS and send a PROXY header as the traffic does");
}

/* A section with rules of its own has none of its defaults'. */
static void
begin_own(struct hap_proxy *p)
{
	if (!p->checked)
		*import_text(&p->check, "status") = *import_text(&p->check, "expect") =
		    *import_text(&p->check, "reject") = NULL;
	p->checked = true;
}

void
hap_http_check(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	begin_own(p);
	if (p->expected && (strcmp(l->w[1], "send") == 0 || strcmp(l->w[1], "connect") == 0)) {
		import_say(h->im, l->at, NOT_TAKEN, l->what,
		    "a check sends one request and judges its answer; this is another one");
		p->further = true;
		return;
	}
	if (p->further && strcmp(l->w[1], "expect") == 0) {
		import_say(
		    h->im, l->at, NOT_TAKEN, l->what, "it is of another request than the first");
		return;
	}
	if (strcmp(l->w[1], "expect") == 0)
		on_expect(h, p, l);
	else if (strcmp(l->w[1], "send") == 0)
		on_send(h, p, l);
	else if (strcmp(l->w[1], "connect") == 0)
		on_connect(h, p, l);
	else if (strcmp(l->w[1], "comment") == 0)
		import_say(h->im, l->at, TAKEN, l->what, "%s", "");
	else
		import_say(h->im, l->at, NOT_TAKEN, l->what,
		    strcmp(l->w[1], "disable-on-404") == 0
			? "a server that answers 404 is judged by check.status; lbctl drain takes its new clients"
			: "a check sends one request and judges its answer");
}

void
hap_tcp_check(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	if (strcmp(l->w[1], "connect") == 0)
		on_connect(h, p, l);
	else if (strcmp(l->w[1], "comment") == 0)
		import_say(h->im, l->at, TAKEN, l->what, "%s", "");
	else
		import_say(h->im, l->at, NOT_TAKEN, l->what,
		    "only a connection is tested, not the dialog; kinds are tcp and http");
}

/* ---- the check of a server ------------------------------------------------------------------------------------------- */

static void
put_ms(struct hap *h, struct import_row *r, const char *field, uint32_t ms, uint32_t least,
    uint32_t most)
{
	import_putf(h->im, r, field, "%ums", ms < least ? least : ms > most ? most : ms);
}

/* Fields that do not go together with what the check is: there they are not looked at either, but for the last. */
static void
make_sound(struct hap *h, struct hap_proxy *p, struct import_row *r)
{
	static const char *const pages[] = { "method", "path", "host", "status", "expect",
		"reject" };
	const char *kind = import_value(r, "kind"), *method = import_value(r, "method");
	const char **expect = import_text(r, "expect");

	if (kind == NULL || strcmp(kind, "http") != 0)
		for (unsigned i = 0; i < sizeof(pages) / sizeof(*pages); i++)
			*import_text(r, pages[i]) = NULL;
	if (*expect == NULL || method == NULL || strcmp(method, "HEAD") != 0)
		return;
	*expect = NULL;
	if (!p->head_said)
		import_say(h->im, p->at, NOT_TAKEN, "http-check expect",
		    "check.expect: the answer to HEAD has no body");
	p->head_said = true;
}

struct import_check *
hap_check_of(struct hap *h, struct hap_proxy *p, const struct hap_server *s)
{
	struct import_row r = p->check;
	uint32_t inter = s->inter != HAP_UNSAID ? s->inter : INTER_MS;
	uint32_t timeout;

	r.o = object_of(KIND_check);
	r.at = p->at;
	make_sound(h, p, &r);
	if (!s->check)
		return import_untested(h->im, p->at);
	inter = inter < 100 ? 100 : inter;
	timeout = p->timeout[HAP_check];
	if (timeout > inter) /* one probe at a time; or it is not said */
		timeout = inter;
	put_ms(h, &r, "interval", inter, 100, 86400000);
	put_ms(h, &r, "timeout", timeout, 50, TIMEOUT_MOST);
	if (s->fastinter != HAP_UNSAID)
		put_ms(h, &r, "fast", s->fastinter, 100, 86400000);
	if (s->downinter != HAP_UNSAID)
		put_ms(h, &r, "slow", s->downinter, 100, 86400000);
	import_putf(h->im, &r, "rise", "%u", s->rise != HAP_UNSAID ? s->rise : 2);
	import_putf(h->im, &r, "fall", "%u", s->fall != HAP_UNSAID ? s->fall : 3);
	if (h->jitter != HAP_UNSAID)
		import_putf(h->im, &r, "jitter", "%u%%", h->jitter);
	if (s->check_port != 0)
		import_putf(h->im, &r, "port", "%u", s->check_port);
	return import_check_intern(h->im, &r);
}
