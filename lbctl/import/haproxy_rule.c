/* http-request, http-response, tcp-request, redirect and their older forms as content rules.
 *
 * HAProxy's "allow" ends the rules of its section, and ours would end the choice of a backend too; so it becomes nothing
 * but a condition on the rules that follow it. What a rule does that ours cannot is said, and the rule is left out. */
#include "import/haproxy_rule.h"

#include "base/must.h"
#include "schema/rule_when.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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

/* Lines of defaults are rules of many sections, and said once. */
static void tell(const struct hap_rule *r, enum taken how, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void
tell(const struct hap_rule *r, enum taken how, const char *fmt, ...)
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
phase_of(const struct hap_line *l, unsigned *from_out, hap_action_fn *fn_out)
{
	const char *w = l->w[0];

	*from_out = 1;
	*fn_out = hap_old_action(w);
	if (*fn_out != NULL)
		return strcmp(w, "monitor-uri") == 0 ? P_MONITOR
		       : strcmp(w, "redirect") == 0  ? P_REDIRECT
		       : strncmp(w, "rsp", 3) == 0   ? P_ANSWER
						     : P_OLD;
	*from_out = strcmp(w, "tcp-request") == 0 ? 3 : 2;
	*fn_out = hap_action(l->w[*from_out - 1]);
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
take_other(struct hap_rule *r, enum phase phase)
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
	if (strcmp(r->l->w[0], "force-persist") == 0 || strcmp(r->l->w[0], "ignore-persist") == 0) {
		when = hap_when(r->h, r->p, r->l, hap_when_at(r->l, 1), &why);
		if (why != NULL || source_list(when) == NULL)
			tell(r, NOT_TAKEN,
			    "vip.persist_force, vip.persist_ignore: a list of clients' addresses is needed");
		else
			(void)import_take(r->h->im, &r->p->vip, r->l->at, r->l->what,
			    r->l->w[0][0] == 'f' ? "persist_force" : "persist_ignore",
			    source_list(when), NULL);
		return true;
	}
	if (strncmp(r->l->w[r->from - 1], "track-sc", 8) == 0) {
		enum taken how;

		why = hap_rate_track(r->h, r->l, &how);
		tell(r, how, "%s", why);
		return true;
	}
	if (phase == P_HTTP && strcmp(r->l->w[1], "wait-for-body") == 0 &&
	    hap_when_at(r->l, 2) == r->l->n) {
		(void)import_take(r->h->im, &r->p->vip, r->l->at, r->l->what, "wait_body", "16K",
		    "the first 16 KiB of a body, within vip.request_timeout");
		return true;
	}
	if (phase == P_CONTENT && strcmp(r->l->w[2], "accept") == 0 &&
	    strcmp(r->l->w[4], "RDP_COOKIE") == 0) {
		tell(r, TAKEN, "the beginning of RDP is read when persistence asks for it");
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
	if (strncmp(w, "sc-", 3) == 0)
		return "there are no counters of one's own; rate and conns of rule.when count what comes";
	if (strcmp(w, "auth") == 0)
		return "clients are not asked for passwords";
	if (strcmp(w, "capture") == 0)
		return "log_format has words for Host, Referer and User-Agent (%host, %referer, %agent)";
	if (strncmp(w, "set-var", 7) == 0 || strncmp(w, "unset-var", 9) == 0)
		return "there are no variables";
	if (strncmp(w, "cache-", 6) == 0)
		return "nothing is cached";
	if (strcmp(w, "set-priority-offset") == 0)
		return "action set_priority says who goes first, not for how long";
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

/* Without it more is reached than before. */
#define LET_IN "; what it keeps out gets in"
static bool
keeps_out(const struct hap_rule *r)
{
	static const char *const words[] = { "deny", "tarpit", "reject", "silent-drop", "auth" };

	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(r->l->w[r->from - 1], words[i]) == 0)
			return true;
	return strcmp(r->l->w[0], "block") == 0;
}

static void
say_rule(const struct hap_rule *r, const char *why)
{
	if (why != NULL)
		tell(r, NOT_TAKEN, "rule: %s%s", why, keeps_out(r) ? LET_IN : "");
	else if (strcmp(r->when, HAP_NEVER) == 0)
		tell(r, TAKEN, "its condition never holds");
	else if (r->difference != NULL)
		tell(r, TAKEN_OTHERWISE, "rule: %s", r->difference);
	else
		tell(r, TAKEN, "%s", r->field != NULL ? r->field : "rule");
}

/* Why the store would refuse it; in the arena. NULL: it would not, as far as one rule goes. */
static const char *
refused(const struct hap_rule *r, const struct hap_rule_row *row)
{
	static const char *const framing[] = { "Connection", "Content-Length", "Expect",
		"HTTP2-Settings", "Keep-Alive", "Proxy-Connection", "TE", "Trailer",
		"Transfer-Encoding", "Upgrade" };
	const char *pattern = import_value(&row->row, "pattern");
	const char *header = import_value(&row->row, "header");
	unsigned where = !r->p->http ? W_TCP : r->answer ? W_REQUEST | W_ANSWER : W_REQUEST;
	struct pattern *p = NULL;
	struct when when = { 0 };
	struct err err = { 0 };

	if (when_parse(row->when, where, false, r->h->im->a, &when, &err) == 0)
		when_fini(&when);
	if (err.code == 0 && pattern != NULL) {
		p = pattern_new(pattern, strlen(pattern), false, &err);
		pattern_free(p);
	}
	for (unsigned i = 0; header != NULL && i < sizeof(framing) / sizeof(*framing); i++)
		if (strcasecmp(header, framing[i]) == 0)
			return "the field says how a message is sent, which is the proxy's business";
	return err.code != 0 ? arena_text(r->h->im->a, err.text, strlen(err.text)) : NULL;
}

/* HAProxy looks at what earlier rules have made of header fields, ours at what the client wrote. */
static const char *
changed_before(const struct hap_rule_rows *rows, const char *when)
{
	const char *header, *at;
	unsigned n = 0;

	for (const struct hap_rule_row *x = rows->first; x != NULL && n < 1000; x = x->next, n++) {
		if (x->answer || x->when == when)
			continue;
		header = import_value(&x->row, "header");
		if (header != NULL && strcasecmp(header, "Host") == 0 &&
		    strstr(when, "host ") != NULL)
			return "its condition is on the host as the client wrote it";
		for (at = strstr(when, "header("); header != NULL && at != NULL;
		     at = strstr(at + 1, "header("))
			if (strncasecmp(at + 7, header, strlen(header)) == 0 &&
			    at[7 + strlen(header)] == ')')
				return "its condition is on the header fields as the client wrote them";
	}
	return NULL;
}

const char *
hap_rules_changed(struct hap *h, struct hap_proxy *p, const char *when)
{
	return changed_before(hap_rules_of(h, p), when);
}

/* Whatever a line has added that cannot be whole is taken back. */
static void
take_line(struct hap_rule *r, enum phase phase, hap_action_fn fn, struct passed *passed)
{
	struct hap_rule_row **mark = r->out->last;
	const char **past = passed_of(passed, phase), *why = NULL;
	bool by_host;

	r->end = hap_when_at(r->l, r->from);
	r->when = hap_when(r->h, r->p, r->l, r->end, &why);
	by_host = r->h->by_host;
	r->answer = phase == P_ANSWER;
	r->tcp = phase == P_CONNECTION || phase == P_CONTENT;
	if (why == NULL && hap_is_allow(fn))
		*past = hap_when_or(r->h, *past, r->when);
	else if (why == NULL && strcmp(r->when, HAP_NEVER) != 0) {
		r->when = hap_when_and(r->h, r->when, hap_when_not(r->h, *past));
		r->difference = r->answer ? NULL : changed_before(r->out, r->when);
		why = fn(r);
		if (why == NULL && *mark != NULL)
			why = refused(r, *mark);
	}
	if (why == NULL && r->tcp && !r->p->http && hap_is_drop(fn) &&
	    strcmp(r->l->w[r->from - 1], "reject") == 0 && *mark != NULL)
		import_putf(r->h->im, &(*mark)->row, "action", "deny");
	if (why == NULL && r->tcp && r->p->http && hap_is_drop(fn))
		r->difference = "action drop: each request is looked at, not the connection";
	if (why == NULL && r->difference == NULL && by_host)
		r->difference = HAP_BY_HOST;
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
		struct hap_rule r = { .h = h, .p = p, .l = &x->l, .out = out, .when = "" };
		hap_action_fn fn;

		if (phase_of(r.l, &r.from, &fn) != phase ||
		    (phase == P_MONITOR && p->section == HAP_BACKEND))
			continue;
		if (take_other(&r, phase))
			continue;
		if (fn == NULL)
			tell(&r, NOT_TAKEN, "%s%s", no_action(r.l, r.from),
			    keeps_out(&r) ? LET_IN : "");
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
