/* http-request, http-response, tcp-request, redirect and their older forms as content rules.
 *
 * HAProxy's "allow" ends the rules of its section, and ours would end the choice of a backend too; so it becomes nothing
 * but a condition on the rules that follow it. What a rule does that ours cannot is said, and the rule is left out. */
#include "import/haproxy.h"
#include "import/text.h"

#include "base/must.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* One line while it is read. */
struct rule {
	struct hap *h;
	struct hap_proxy *p;
	const struct hap_line *l;
	unsigned from, end; /* of the arguments of the action */
	bool answer, tcp;   /* tcp: tcp-request */
	const char *when;
	const char *difference;
	struct hap_rule_rows *out;
};
/* Lines of defaults are rules of many sections, and said once. */
static void tell(const struct rule *r, enum taken how, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* NULL: good; else why it cannot be taken. */
typedef const char *(*rule_fn)(struct rule *r);

void
hap_rule(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	hap_later(h, &p->rules, l);
}

void
hap_use_backend(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	if ((p->section & (HAP_FRONTEND | HAP_LISTEN)) == 0)
		import_say(
		    h->im, l->at, TAKEN, l->what, "not looked at in a backend, there and here");
	else
		hap_later(h, &p->uses, l);
}

static void
tell(const struct rule *r, enum taken how, const char *fmt, ...)
{
	char text[500];
	va_list ap;

	if (*r->l->said)
		return;
	*r->l->said = true;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	import_say(r->h->im, r->l->at, how, r->l->what, "%s", text);
}

static const char *
arg(const struct rule *r, unsigned i)
{
	return r->from + i < r->end ? r->l->w[r->from + i] : "";
}

static struct import_row *
add(struct rule *r, const char *action)
{
	struct hap_rule_row *row = arena_alloc(r->h->im->a, sizeof(*row));

	row->l = r->l;
	row->row = (struct import_row){ .o = object_of(KIND_content_rule), .at = r->l->at };
	row->when = r->when;
	row->answer = r->answer;
	import_putf(r->h->im, &row->row, "action", "%s", action);
	if (r->answer)
		import_putf(r->h->im, &row->row, "on", "answer");
	*r->out->last = row;
	r->out->last = &row->next;
	return &row->row;
}

/* The value into the field; why not, in the arena. */
static const char *
put(struct rule *r, struct import_row *row, const char *field, const char *value)
{
	struct err err = { 0 };

	if (value == NULL)
		return "a part of its value has no counterpart";
	if (import_put(r->h->im, row, field, value, &err) == 0)
		return NULL;
	return arena_text(r->h->im->a, err.text, strlen(err.text));
}

/* The argument behind a word; NULL: it is not there. */
static const char *
option(const struct rule *r, unsigned from, const char *word)
{
	for (unsigned i = from; r->from + i + 1 < r->end; i++)
		if (strcmp(arg(r, i), word) == 0)
			return arg(r, i + 1);
	return NULL;
}

static bool
flag(const struct rule *r, unsigned from, const char *word)
{
	for (unsigned i = from; r->from + i < r->end; i++)
		if (strcmp(arg(r, i), word) == 0)
			return true;
	return false;
}

/* ---- what ends ------------------------------------------------------------------------------------------------ */

static bool
is_denial(const char *status)
{
	static const char *const can[] = { "400", "403", "404", "405", "408", "410", "413", "414",
		"429", "431", "451", "500", "501", "502", "503", "504" };

	for (unsigned i = 0; i < ARRAY_LEN(can); i++)
		if (strcmp(can[i], status) == 0)
			return true;
	return false;
}

static const char *
do_deny(struct rule *r)
{
	const char *status = option(r, 0, "deny_status");
	struct import_row *row;

	if (status == NULL)
		status = option(r, 0, "status");
	if (r->answer)
		return "an answer is passed on; only its header fields are changed";
	row = add(r, strcmp(r->l->w[r->from - 1], "tarpit") == 0 ? "tarpit" : "deny");
	if (strcmp(r->l->w[r->from - 1], "tarpit") == 0 && status == NULL)
		status = "500";
	if (status != NULL && is_denial(status))
		(void)put(r, row, "status", status);
	else if (status != NULL)
		r->difference = "action deny: with status 403";
	if (flag(r, 0, "string") || flag(r, 0, "lf-string") || flag(r, 0, "file") ||
	    flag(r, 0, "errorfile") || flag(r, 0, "hdr"))
		r->difference = "action deny: the answer is a page of lbd";
	return NULL;
}

static const char *
do_drop(struct rule *r)
{
	if (r->answer)
		return "an answer is passed on; only its header fields are changed";
	(void)add(r, "drop");
	if (strcmp(r->l->w[r->from - 1], "silent-drop") == 0)
		r->difference = "action drop: the connection is closed";
	return NULL;
}

static const char *
do_return(struct rule *r)
{
	const char *status = option(r, 0, "status"), *type = option(r, 0, "content-type");
	const char *body = option(r, 0, "string"), *why = NULL;
	struct import_row *row;

	if (r->answer)
		return "an answer is passed on; only its header fields are changed";
	if (body == NULL && (body = option(r, 0, "lf-string")) != NULL && strchr(body, '%') != NULL)
		return "the text of action return is the same for all";
	if (flag(r, 0, "file") || flag(r, 0, "lf-file") || flag(r, 0, "errorfile") ||
	    flag(r, 0, "errorfiles") || flag(r, 0, "default-errorfiles"))
		return "the text of action return is in the rule, not in a file";
	if (flag(r, 0, "hdr"))
		r->difference = "action return: without further header fields";
	row = add(r, "return");
	if (status != NULL)
		why = put(r, row, "status", status);
	if (why == NULL && type != NULL)
		why = put(r, row, "content_type", type);
	if (why == NULL && body != NULL)
		why = put(r, row, "body", body);
	return why;
}

static const char *
do_redirect(struct rule *r)
{
	const char *kind = arg(r, 0), *code = option(r, 2, "code");
	const char *to = hap_template(r->h, arg(r, 1), false), *why;
	struct import_row *row;
	struct buf b = { 0 };

	if (r->answer)
		return "an answer is passed on; only its header fields are changed";
	if (to == NULL)
		return "a part of its location has no counterpart";
	if (strcmp(kind, "location") == 0)
		buf_puts(&b, to);
	else if (strcmp(kind, "prefix") == 0)
		buf_printf(&b, "%s%s", strcmp(to, "/") == 0 ? "" : to,
		    flag(r, 2, "drop-query") ? "{path}" : "{url}");
	else if (strcmp(kind, "scheme") == 0)
		buf_printf(
		    &b, "%s://{header(Host)}%s", to, flag(r, 2, "drop-query") ? "{path}" : "{url}");
	else
		return "where to is said by location, prefix or scheme";
	row = add(r, "redirect");
	why = put(r, row, "location", buf_text(&b));
	buf_fini(&b);
	if (why == NULL && code != NULL)
		why = put(r, row, "status", code);
	if (flag(r, 2, "set-cookie") || flag(r, 2, "clear-cookie"))
		r->difference = "action redirect: without a cookie";
	if (flag(r, 2, "append-slash"))
		r->difference = "action redirect: without a slash at the end";
	return why;
}

/* Nothing of its own: later rules of the section are for what it does not let pass. */
static const char *
do_allow(struct rule *r)
{
	(void)r;
	return NULL;
}

/* ---- header fields and the target -------------------------------------------------------------------------------- */

static const char *
do_header(struct rule *r)
{
	bool set = strncmp(r->l->w[r->from - 1], "set-", 4) == 0;
	struct import_row *row = add(r, set ? "set_header" : "add_header");
	const char *why = put(r, row, "header", arg(r, 0));
	const char *value = arg(r, 1);

	/* words without quotes, as some write them */
	if (r->from + 2 < r->end)
		return "a name and one value are needed";
	return why != NULL ? why : put(r, row, "value", hap_template(r->h, value, r->answer));
}

static const char *
do_del_header(struct rule *r)
{
	if (option(r, 1, "-m") != NULL && strcmp(option(r, 1, "-m"), "str") != 0)
		return "header fields are known by their whole name";
	return put(r, add(r, "del_header"), "header", arg(r, 0));
}

/* HAProxy matches anywhere and replaces all of it; ours replaces what matches. */
static const char *
whole_pattern(struct rule *r, const char *regex)
{
	struct buf b = { 0 };
	const char *text;

	buf_printf(&b, "^.*?(?:%s).*$", regex);
	text = arena_text(r->h->im->a, buf_text(&b), b.len);
	buf_fini(&b);
	return text;
}

static const char *
do_replace_header(struct rule *r)
{
	struct import_row *row = add(r, "replace_header");
	bool parts = strcmp(r->l->w[r->from - 1], "replace-value") == 0;
	const char *why = put(r, row, "header", arg(r, 0));

	if (parts)
		r->difference =
		    "action replace_header: the field as a whole, not each part between commas";
	if (why == NULL)
		why = put(r, row, "pattern", whole_pattern(r, arg(r, 1)));
	return why != NULL ? why
			   : put(r, row, "value", hap_replacement(r->h, arg(r, 2), r->answer));
}

static const char *
part_of(const char *action)
{
	if (strstr(action, "query") != NULL)
		return "query";
	return strstr(action, "pathq") != NULL || strstr(action, "uri") != NULL ? "url" : "path";
}

static const char *
do_set_target(struct rule *r)
{
	const char *action = r->l->w[r->from - 1];
	const char *value = hap_template(r->h, arg(r, 0), false);
	struct import_row *row = add(r, "rewrite");

	import_putf(r->h->im, row, "part", "%s", part_of(action));
	if (value != NULL && value[0] != '/' && strcmp(part_of(action), "query") != 0) {
		/* {path} at the beginning brings its slash */
		if (strncmp(value, "{path}", 6) != 0 && strncmp(value, "{url}", 5) != 0)
			return "a path begins with a slash";
		import_putf(r->h->im, row, "pattern", "^.*$");
	}
	return put(r, row, "value", value);
}

static const char *
do_replace_target(struct rule *r)
{
	struct import_row *row = add(r, "rewrite");
	const char *action = r->l->w[r->from - 1], *why;

	import_putf(r->h->im, row, "part", "%s", part_of(action));
	if (strcmp(action, "replace-uri") == 0)
		r->difference = "action rewrite: path and query, without scheme and host";
	why = put(r, row, "pattern", whole_pattern(r, arg(r, 0)));
	return why != NULL ? why : put(r, row, "value", hap_replacement(r->h, arg(r, 1), false));
}

static const struct {
	const char *word;
	rule_fn fn;
} actions[] = {
	{ "accept", do_allow },
	{ "add-header", do_header },
	{ "allow", do_allow },
	{ "del-header", do_del_header },
	{ "deny", do_deny },
	{ "redirect", do_redirect },
	{ "reject", do_drop },
	{ "replace-header", do_replace_header },
	{ "replace-path", do_replace_target },
	{ "replace-pathq", do_replace_target },
	{ "replace-uri", do_replace_target },
	{ "replace-value", do_replace_header },
	{ "return", do_return },
	{ "set-header", do_header },
	{ "set-path", do_set_target },
	{ "set-pathq", do_set_target },
	{ "set-query", do_set_target },
	{ "silent-drop", do_drop },
	{ "tarpit", do_deny },
};

/* ---- older forms ---------------------------------------------------------------------------------------------------- */

/* "reqadd Name: value" */
static const char *
do_reqadd(struct rule *r)
{
	const char *text = arg(r, 0), *colon = strchr(text, ':'), *why;
	struct import_row *row;

	if (colon == NULL)
		return "a name and a value are needed";
	row = add(r, "add_header");
	why = put(r, row, "header", arena_text(r->h->im->a, text, (size_t)(colon - text)));
	colon += 1 + strspn(colon + 1, " ");
	return why != NULL ? why : put(r, row, "value", hap_template(r->h, colon, r->answer));
}

/* "reqidel ^Name:.*": a literal name alone. */
static const char *
do_reqdel(struct rule *r)
{
	const char *s = arg(r, 0) + (arg(r, 0)[0] == '^');
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
	const char *rest = s + n;

	if (arg(r, 0)[0] != '^' || n == 0 || *rest != ':' ||
	    (strcmp(rest, ":") != 0 && strcmp(rest, ":.*") != 0 && strcmp(rest, ": .*") != 0))
		return "header fields are known by their whole name";
	return put(r, add(r, "del_header"), "header", arena_text(r->h->im->a, s, n));
}

static const char *
do_block(struct rule *r)
{
	(void)add(r, "deny");
	return NULL;
}

static const char *
do_monitor(struct rule *r)
{
	struct import_row *row;
	struct buf b = { 0 };

	buf_puts(&b, "url is ");
	hap_when_value(arg(r, 0), &b);
	r->when = arena_text(r->h->im->a, buf_text(&b), b.len);
	buf_fini(&b);
	row = add(r, "return");
	import_putf(r->h->im, row, "body", "OK");
	r->difference = "action return: status 200, whatever the state of the servers";
	return NULL;
}

/* ---- a line ---------------------------------------------------------------------------------------------------------- */

enum phase {
	P_MONITOR,
	P_CONNECTION,
	P_CONTENT,
	P_OLD,
	P_HTTP,
	P_REDIRECT,
	P_ANSWER,
	P_NONE,
	PHASES
};

/* When it is looked at, and where its arguments begin. */
static enum phase
phase_of(const struct hap_line *l, unsigned *from_out, rule_fn *fn_out)
{
	const char *w = l->w[0];

	*from_out = 1;
	*fn_out = NULL;
	if (strcmp(w, "monitor-uri") == 0)
		*fn_out = do_monitor;
	else if (strcmp(w, "block") == 0)
		*fn_out = do_block;
	else if (strcmp(w, "reqadd") == 0 || strcmp(w, "rspadd") == 0)
		*fn_out = do_reqadd;
	else if (strcmp(w, "redirect") == 0)
		*fn_out = do_redirect;
	else if (strstr(w, "del") != NULL)
		*fn_out = do_reqdel;
	if (*fn_out != NULL)
		return *fn_out == do_monitor	    ? P_MONITOR
		       : *fn_out == do_redirect	    ? P_REDIRECT
		       : w[0] == 'r' && w[1] == 's' ? P_ANSWER
						    : P_OLD;
	*from_out = strcmp(w, "tcp-request") == 0 ? 3 : 2;
	for (unsigned i = 0; i < ARRAY_LEN(actions); i++)
		if (strcmp(actions[i].word, l->w[*from_out - 1]) == 0)
			*fn_out = actions[i].fn;
	if (strcmp(w, "http-request") == 0)
		return P_HTTP;
	if (strcmp(w, "http-response") == 0)
		return P_ANSWER;
	if (strcmp(w, "tcp-request") == 0)
		return strcmp(l->w[1], "content") == 0 ? P_CONTENT : P_CONNECTION;
	return P_NONE;
}

/* "src in A,B": the list; NULL: something else. */
static const char *
source_list(const char *when)
{
	if (strncmp(when, "src in ", 7) == 0 && strpbrk(when + 7, " ()'\"") == NULL)
		return when + 7;
	if (strncmp(when, "src is ", 7) == 0 && strpbrk(when + 7, " ()'\"") == NULL)
		return when + 7;
	return NULL;
}

/* What has no action of ours, but means something. false: nothing of that. */
static bool
take_other(struct rule *r, enum phase phase)
{
	const char *why = NULL, *when;

	if (phase == P_CONNECTION && strcmp(r->l->w[1], "inspect-delay") == 0) {
		tell(r, TAKEN,
		    "the beginning of TLS is waited for as long as it takes, within limits");
		return true;
	}
	if (phase == P_CONNECTION && strcmp(r->l->w[2], "expect-proxy") == 0) {
		when = hap_when(r->h, r->p, r->l, hap_when_at(r->l, 3), &why);
		if (why != NULL || source_list(when) == NULL)
			tell(r, NOT_TAKEN,
			    "vip.proxy_from: a list of addresses that stand in front is needed");
		else
			(void)import_take(r->h->im, &r->p->vip, r->l->at, r->l->what, "proxy_from",
			    source_list(when), NULL);
		return true;
	}
	/* what everybody writes to wait for TLS */
	if (phase == P_CONTENT && strcmp(r->l->w[2], "accept") == 0 &&
	    strstr(r->l->what, "ssl_hello_type 1") != NULL) {
		tell(r, TAKEN, "the beginning of TLS is read when a rule asks for it");
		return true;
	}
	return false;
}

static const char *
no_action(const struct hap_line *l, unsigned from)
{
	const char *w = l->w[from - 1];

	if (strcmp(l->w[0], "use-server") == 0)
		return "a rule leads to a pool (action use), not to one server of it";
	if (strncmp(w, "track-sc", 8) == 0 || strncmp(w, "sc-", 3) == 0)
		return "counters and rates of clients are not kept; vip.syn_rate is a limit of new connections";
	if (strcmp(w, "auth") == 0)
		return "clients are not asked for passwords";
	if (strcmp(w, "capture") == 0)
		return "log_format has words for Host, Referer and User-Agent (%host, %referer, %agent)";
	if (strncmp(w, "set-var", 7) == 0 || strncmp(w, "unset-var", 9) == 0)
		return "there are no variables";
	if (strncmp(w, "cache-", 6) == 0)
		return "nothing is cached";
	if (strcmp(w, "set-src") == 0)
		return "the client's address is that of its connection, or of a PROXY header (vip.proxy_from)";
	if (strstr(w, "lua.") == w || strcmp(w, "use-service") == 0)
		return "no programs run inside of the proxy";
	return "there is no such action";
}

/* What the rules so far let pass for good, by family; "!": nothing. */
struct passed {
	const char *tcp, *http, *redirect, *answer;
};

static const char **
passed_of(struct passed *x, enum phase phase)
{
	if (phase == P_CONNECTION || phase == P_CONTENT)
		return &x->tcp;
	return phase == P_ANSWER ? &x->answer : phase == P_REDIRECT ? &x->redirect : &x->http;
}

static void
say_rule(const struct rule *r, const char *why)
{
	if (why != NULL)
		tell(r, NOT_TAKEN, "rule: %s", why);
	else if (strcmp(r->when, HAP_NEVER) == 0)
		tell(r, TAKEN, "its condition never holds");
	else if (r->difference != NULL)
		tell(r, TAKEN_OTHERWISE, "rule: %s", r->difference);
	else
		tell(r, TAKEN, "rule");
}

/* Whatever a line has added that cannot be whole is taken back. */
static void
take_line(struct rule *r, enum phase phase, rule_fn fn, struct passed *passed)
{
	struct hap_rule_row **mark = r->out->last;
	const char **past = passed_of(passed, phase), *why = NULL;

	r->end = hap_when_at(r->l, r->from);
	r->when = hap_when(r->h, r->p, r->l, r->end, &why);
	r->answer = phase == P_ANSWER;
	r->tcp = phase == P_CONNECTION || phase == P_CONTENT;
	if (why == NULL && fn == do_allow)
		*past = hap_when_or(r->h, *past, r->when);
	else if (why == NULL && strcmp(r->when, HAP_NEVER) != 0) {
		r->when = hap_when_and(r->h, r->when, hap_when_not(r->h, *past));
		why = fn(r);
	}
	if (why == NULL && r->tcp && !r->p->http && fn == do_drop &&
	    strcmp(r->l->w[r->from - 1], "reject") == 0 && *mark != NULL)
		import_putf(r->h->im, &(*mark)->row, "action", "deny");
	if (why == NULL && r->tcp && r->p->http && fn == do_drop)
		r->difference = "action drop: each request is looked at, not the connection";
	if (why != NULL || strcmp(r->when, HAP_NEVER) == 0) {
		*mark = NULL;
		r->out->last = mark;
	}
	say_rule(r, why);
}

static void
read_phase(struct hap *h, struct hap_proxy *p, enum phase phase, struct passed *passed,
    struct hap_rule_rows *out)
{
	for (const struct hap_later *x = p->rules.first; x != NULL; x = x->next) {
		struct rule r = { .h = h, .p = p, .l = &x->l, .out = out, .when = "" };
		rule_fn fn;

		if (phase_of(r.l, &r.from, &fn) != phase ||
		    (phase == P_MONITOR && p->section == HAP_BACKEND))
			continue;
		if (take_other(&r, phase))
			continue;
		if (fn == NULL)
			tell(&r, NOT_TAKEN, "%s", no_action(r.l, r.from));
		else if (!p->http && phase != P_CONNECTION && phase != P_CONTENT)
			tell(&r, TAKEN, "not looked at in mode tcp, there and here");
		else
			take_line(&r, phase, fn, passed);
	}
}

const struct hap_rule_rows *
hap_rules_of(struct hap *h, struct hap_proxy *p)
{
	struct passed passed = { HAP_NEVER, HAP_NEVER, HAP_NEVER, HAP_NEVER };

	if (p->ruled)
		return &p->rows;
	p->ruled = true;
	p->rows.last = &p->rows.first;
	for (unsigned phase = P_MONITOR; phase < PHASES; phase++)
		read_phase(h, p, phase, &passed, &p->rows);
	return &p->rows;
}
