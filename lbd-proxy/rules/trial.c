/* Trials of content rules. A connection is made up of what was said of it, the request is written down and read by the parser that
 * reads clients', and the rules decide; what they noted is told in words. */
#include "trial.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"

#include "decide.h"
#include "hello.h"
#include "net/worker.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SHOWN 80 /* bytes of what was asked that an error shows */

struct attempt {
	const struct view *v;
	const struct trial *t;
	trial_say_fn say;
	void *arg;
	struct wsvc svc;
	struct conn conn;
	struct subject_said said;
	struct hello hello;
	struct h1_head head;
	struct buf text; /* of the head */
	struct edit e;
	struct metering metering;
};

static void __attribute__((format(printf, 4, 5)))
say(struct attempt *a, uint32_t rule, const char *what, const char *fmt, ...)
{
	struct buf b = { 0 };
	char text[1200];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_puts(&b, text);
	a->say(a->arg, rule, what, buf_text(&b), b.len);
	buf_fini(&b);
}

/* ---- rules that hold --------------------------------------------------------------------------- */

/* Header fields of that name with what they are now. */
static void
say_changed(struct attempt *a, const struct rule *r)
{
	const struct http_edits *d = &a->e.w->edits;
	struct buf b = { 0 };

	for (unsigned i = 0; i < d->changed_n; i++) {
		const struct h1_header *f = &a->head.header[d->changed[i].line];
		const char *name = buf_text(&a->text) + f->name_off;

		if (f->name_len != r->header_len || strncasecmp(name, r->header, f->name_len) != 0)
			continue;
		buf_puts(&b, b.len > 0 ? ", " : "");
		buf_put(&b, name, f->name_len);
		buf_puts(&b, ": ");
		buf_put(&b, d->changed[i].text, d->changed[i].len);
	}
	a->say(a->arg, r->id, "replace_header", buf_text(&b), b.len);
	buf_fini(&b);
}

static void
say_edit(struct attempt *a, const struct rule *r, const struct edit *e, const char *action)
{
	const struct http_edits *d = &e->w->edits;

	switch (r->action) {
	case rule_action_set_header:
	case rule_action_add_header:
		if (d->added_n > 0)
			a->say(a->arg, r->id, action, d->added[d->added_n - 1].text,
			    d->added[d->added_n - 1].len - 2);
		break;
	case rule_action_del_header: say(a, r->id, action, "%s", r->header); break;
	case rule_action_replace_header: say_changed(a, r); break;
	case rule_action_rewrite: a->say(a->arg, r->id, action, e->s.url, e->s.url_len); break;
	case rule_action_limit_bandwidth:
		say(a, r->id, action, "%" PRIu64 " bytes a second", r->rate);
		break;
	case rule_action_replace_body: say(a, r->id, action, "%s", r->replace.find); break;
	default: say(a, r->id, action, "%d", r->priority); break;
	}
}

static void
on_rule(void *arg, const struct rule *r, const struct edit *e, const struct decision *d)
{
	struct attempt *a = arg;
	const char *action = word_text(&rule_action_list, r->action);

	if (d->status != 0)
		say(a, r->id, action, "is refused with status %u", d->status);
	else if (r->action == rule_action_use && d->unknown)
		say(a, r->id, action, "names a pool that there is none of%s%s",
		    d->pool.name != NULL ? "; takes " : ", so it does not hold",
		    d->pool.name != NULL ? d->pool.name : "");
	else if (r->action == rule_action_use)
		say(a, r->id, action, "%s", d->pool.name != NULL ? d->pool.name : "");
	else if (r->action == rule_action_tarpit)
		say(a, r->id, action, "%" PRIi64 " ms", (int64_t)(r->time / DUR_MS(1)));
	else if (decide_final(r))
		say(a, r->id, action, "%s", "");
	else
		say_edit(a, r, e, action);
}

/* ---- what comes of it -------------------------------------------------------------------------- */

static void
say_head(struct attempt *a)
{
	const struct http_edits *d = &a->e.w->edits;
	const char *buf = buf_text(&a->text);

	if (d->target != NULL)
		a->say(a->arg, 0, "target", d->target, d->target_len);
	for (unsigned i = 0; a->e.any && i < a->head.n; i++) {
		const struct h1_header *f = &a->head.header[i];
		bool changed = false;

		for (unsigned k = 0; k < d->changed_n; k++)
			changed = changed || d->changed[k].line == i;
		if (http_edit_cuts(d, i) || changed)
			a->say(a->arg, 0, "cut", buf + f->name_off,
			    (size_t)f->value_off + f->value_len - f->name_off);
	}
	for (unsigned i = 0; i < d->changed_n; i++) {
		const struct h1_header *f = &a->head.header[d->changed[i].line];
		struct buf line = { 0 };

		if (http_edit_cuts(d, d->changed[i].line))
			continue;
		buf_put(&line, buf + f->name_off, f->name_len);
		buf_puts(&line, ": ");
		buf_put(&line, d->changed[i].text, d->changed[i].len);
		a->say(a->arg, 0, "header", buf_text(&line), line.len);
		buf_fini(&line);
	}
	for (unsigned i = 0; i < d->added_n; i++)
		a->say(a->arg, 0, "header", d->added[i].text, d->added[i].len - 2);
}

/* Of those whose client goes on to a server. */
static void
say_way(struct attempt *a, const char *pool, bool served)
{
	say(a, 0, "pool", "%s", pool);
	if (!served)
		say(a, 0, "note", "the pool is not served now");
	if (a->e.priority != 0)
		say(a, 0, "priority", "%d", a->e.priority);
	if (a->e.rate != 0)
		say(a, 0, "rate", "%" PRIu64, a->e.rate);
	if (a->head.length > 0)
		say_head(a);
}

static void
say_answer(struct attempt *a, struct decision *d)
{
	const char *to;
	size_t n;

	if (a->head.length > 0 && d->end->action != rule_action_drop)
		say(a, 0, "status", "%u", d->end->status);
	if (d->end->action != rule_action_redirect)
		return;
	to = edit_text(&a->e, &d->end->text, &d->groups, &n);
	if (to != NULL)
		a->say(a->arg, 0, "location", to, n);
}

static void
say_end(struct attempt *a, struct decision *d)
{
	if (d->status != 0) {
		say(a, 0, "action", "refuse");
		say(a, 0, "status", "%u", d->status);
		return;
	}
	if (d->end == NULL || !decide_final(d->end) || d->end->action == rule_action_allow) {
		say(a, 0, "action", "allow");
		say_way(a, a->v->name, true);
		return;
	}
	say(a, 0, "action", "%s", word_text(&rule_action_list, d->end->action));
	if (d->end->action == rule_action_use)
		say_way(a, d->pool.name, d->pool.svc != NULL);
	else
		say_answer(a, d);
}

/* ---- what is asked about ------------------------------------------------------------------------ */

/* Host of a whole URL, and what stands behind it. */
static bool
whole_url(const char *url, bool *tls, const char **host, size_t *host_len, const char **rest)
{
	size_t skip = strncasecmp(url, "https://", 8) == 0  ? 8
		      : strncasecmp(url, "http://", 7) == 0 ? 7
							    : 0;

	if (skip == 0)
		return false;
	*tls = skip == 8;
	*host = url + skip;
	*host_len = strcspn(url + skip, "/?");
	*rest = url + skip + *host_len;
	return true;
}

static bool
has_header(const char *lines, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = lines; p != NULL && *p != '\0'; p = strchr(p, '\n'), p += p != NULL)
		if (strncasecmp(p, name, n) == 0 && p[n] == ':')
			return true;
	return false;
}

static bool
is_word(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f)
			return false;
	return true;
}

static int
write_head(struct attempt *a, struct err *err)
{
	const struct trial *t = a->t;
	const char *host = NULL, *rest = t->url[0] != '\0' ? t->url : "/";
	char own[ADDR_TEXT];
	size_t host_len = 0;

	if (!is_word(t->method) || !is_word(t->url))
		return err_set(err, ERR_INVALID,
		    "%s: \"%.*s\" has spaces or control characters; allowed is one word",
		    is_word(t->method) ? "url" : "method", SHOWN,
		    is_word(t->method) ? t->url : t->method);
	if (whole_url(t->url, &a->said.tls, &host, &host_len, &rest) && a->said.tls &&
	    a->said.sni == NULL) {
		a->said.sni = host;
		a->said.sni_len = (uint32_t)strcspn(host, ":/?");
	}
	addr_format(&a->v->address, ADDR_HOST, own);
	buf_printf(&a->text, "%s %s%s HTTP/1.1\r\n", t->method[0] != '\0' ? t->method : "GET",
	    rest[0] == '/' || rest[0] == '*' ? "" : "/", rest);
	if (!has_header(t->headers, "Host")) {
		buf_puts(
		    &a->text, a->v->address.family == 6 && host == NULL ? "Host: [" : "Host: ");
		buf_put(&a->text, host != NULL ? host : own, host != NULL ? host_len : strlen(own));
		buf_puts(&a->text, a->v->address.family == 6 && host == NULL ? "]\r\n" : "\r\n");
	}
	buf_puts(&a->text, t->headers);
	if (t->body_len > 0 && !has_header(t->headers, "Content-Length") &&
	    !has_header(t->headers, "Transfer-Encoding"))
		buf_printf(&a->text, "Content-Length: %zu\r\n", t->body_len);
	buf_puts(&a->text, "\r\n");
	return 0;
}

static int
read_head(struct attempt *a, struct err *err)
{
	const char *buf = buf_text(&a->text);

	h1_head_init(&a->head, false, a->v->head_max);
	a->head.connect = a->v->tunnels;
	switch (h1_head_parse(&a->head, buf, a->text.len)) {
	case H1_DONE: break;
	case H1_BAD:
		return err_set(err, ERR_INVALID, "the request would be refused: %s (status %u)",
		    a->head.error->text, a->head.error->status);
	default: return err_set(err, ERR_INVALID, "the request has no end");
	}
	if (a->head.length != a->text.len)
		return err_set(err, ERR_INVALID,
		    "header: an empty line ends the head; allowed are field lines");
	subject_request(&a->e.s, &a->conn, buf, &a->head);
	a->e.s.body = a->t->body;
	a->e.s.body_len =
	    a->t->body_len < WHEN_BODY ? (uint32_t)a->t->body_len : (uint32_t)WHEN_BODY;
	a->e.buf = buf;
	a->e.head = &a->head;
	return 0;
}

static void
offer(struct attempt *a)
{
	const char *p = a->t->alpn;

	a->hello.sni = a->said.sni;
	a->hello.sni_len = a->said.sni_len;
	while (*p != '\0' && a->hello.alpn_n < HELLO_ALPN_MAX) {
		size_t n = strcspn(p, ",");

		a->hello.alpn[a->hello.alpn_n].p = p;
		a->hello.alpn[a->hello.alpn_n++].len = (uint32_t)n;
		p += n + (p[n] == ',');
	}
	a->e.s = (struct subject){ .c = &a->conn };
	if (a->v->front == NULL && (a->said.sni != NULL || a->hello.alpn_n > 0))
		a->e.s.hello = &a->hello;
}

/* Which texts would be replaced in an answer of a server, as far as that is known without the answer: by rules whose conditions look at
 * the request alone. */
static void
say_bodies(struct attempt *a, const struct decide_note *note, const struct decision *d)
{
	const uint32_t unseen = 1u << WHEN_status | 1u << WHEN_answer_header;
	const struct rules *x = a->v->rules;
	struct decision none = { 0 };

	if (d->status != 0 ||
	    (d->end != NULL && decide_final(d->end) && d->end->action != rule_action_allow &&
		d->end->action != rule_action_use))
		return;
	for (uint32_t i = 0; i < x->answers; i++) {
		const struct rule *r = &x->answer[i];

		if (r->action == rule_action_replace_body && (r->when.uses & unseen) == 0 &&
		    when_test(&r->when, subject_get, &a->e.s, a->e.w->match, &none.groups))
			note->fn(a, r, &a->e, &none);
	}
}

static void
decide(struct attempt *a, mono_t now)
{
	const struct decide_note note = { .fn = on_rule, .arg = a };
	const struct rules *x = a->v->rules;
	struct decision d = { 0 };

	a->e.s.said = &a->said;
	edit_begin(&a->e);
	if (x != NULL && x->meters.n > 0) {
		meters_peek(&x->meters, &a->e.s, now, &a->metering);
		a->e.s.meters = &a->metering;
	}
	if (x != NULL)
		decide_request(x, &a->e, &note, &d);
	if (x != NULL && x->replaces)
		say_bodies(a, &note, &d);
	say_end(a, &d);
	if (x == NULL || a->v->mode != mode_tcp)
		return;
	a->e.rate = 0;
	decide_answer(x, &a->e, &note, &d);
	if (a->e.rate != 0)
		say(a, 0, "rate_down", "%" PRIu64, a->e.rate);
}

static int
attempt(struct attempt *a, mono_t now, struct err *err)
{
	const struct view *v = a->v;
	int rc;

	if (v->mode == mode_tcp) {
		offer(a);
		decide(a, now);
		return 0;
	}
	rc = write_head(a, err);
	if (rc == 0)
		rc = read_head(a, err);
	if (rc != 0)
		return rc;
	if (v->maintenance)
		say(a, 0, "note",
		    "maintenance: only clients of maintenance_bypass come to the rules");
	if (v->redirect != 0) {
		say(a, 0, "action", "https_redirect");
		say(a, 0, "status", "%u", v->redirect);
		return 0;
	}
	decide(a, now);
	return 0;
}

int
trial_run(const struct view *v, const struct trial *t, mono_t now, trial_say_fn fn, void *arg,
    struct err *err)
{
	struct attempt *a = mem_alloc(sizeof(*a));
	int rc;

	*a = (struct attempt){ .v = v, .t = t, .say = fn, .arg = arg };
	a->svc.view = (struct view *)(uintptr_t)v;
	a->conn.svc = &a->svc;
	a->conn.addr = t->client;
	a->conn.port = t->port;
	a->said.tls = v->front != NULL || t->sni[0] != '\0';
	if (t->sni[0] != '\0') {
		a->said.sni = t->sni;
		a->said.sni_len = (uint32_t)strlen(t->sni);
	}
	a->e.w = rules_scratch_new();
	must(a->e.w != NULL);
	rc = attempt(a, now, err);
	rules_scratch_free(a->e.w);
	buf_fini(&a->text);
	free(a);
	return rc;
}
