/* Conditions of HAProxy as the field when of content rules: acl lines by name, tests in braces, if and unless. Pure. */
#include "import/haproxy.h"

#include "base/must.h"

#include <stdio.h>
#include <string.h>

/* Names that are there without an acl. */
static const struct {
	const char *name, *when; /* NULL: never */
} known[] = {
	{ "TRUE", "" },
	{ "FALSE", NULL },
	{ "HTTP", "" },
	{ "HTTP_1.0", "version is 1.0" },
	{ "HTTP_1.1", "version is 1.1" },
	{ "HTTP_2.0", "version is 2.0" },
	{ "HTTP_CONTENT", "header(content-length) > 0" },
	{ "LOCALHOST", "src in 127.0.0.0/8,::1" },
	{ "METH_CONNECT", "method is CONNECT" },
	{ "METH_DELETE", "method is DELETE" },
	{ "METH_GET", "method in GET,HEAD" },
	{ "METH_HEAD", "method is HEAD" },
	{ "METH_OPTIONS", "method is OPTIONS" },
	{ "METH_POST", "method is POST" },
	{ "METH_PUT", "method is PUT" },
	{ "METH_TRACE", "method is TRACE" },
	{ "REQ_CONTENT", "" },
	{ "WAIT_END", "" },
};

/* ---- acl --------------------------------------------------------------------------------------------------------- */

/* What an acl has become; its lines are alternatives. */
struct acl {
	const char *when, *why; /* why: cannot be taken */
};

void
hap_acl(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	struct buf b = { 0 }, key = { 0 };
	const char *why, *when;
	struct acl *a;

	h->asking = p;
	why = hap_when_test(h, l, 2, l->n, &b);
	buf_printf(&key, "acl %p %s", (void *)p, l->w[1]);
	a = textmap_get(&h->by_name, buf_text(&key));
	when = arena_text(h->im->a, buf_text(&b), b.len);
	b.len = 0;
	if (a == NULL) {
		a = arena_alloc(h->im->a, sizeof(*a));
		a->when = when;
		(void)textmap_put(&h->by_name, arena_text(h->im->a, buf_text(&key), key.len), a);
	} else if (why == NULL && a->why == NULL && strcmp(when, HAP_NEVER) != 0) {
		if (strcmp(a->when, HAP_NEVER) == 0) {
			a->when = when;
		} else if (a->when[0] != '\0') {
			buf_printf(&b, "%s or %s", a->when, when);
			a->when =
			    when[0] == '\0' ? when : arena_text(h->im->a, buf_text(&b), b.len);
		}
	}
	if (why == NULL && strlen(a->when) > HAP_WHEN_MAX)
		why = "it is longer than a condition can be (2000 bytes)";
	if (why != NULL) {
		a->why = why;
		a->when = "";
		import_say(h->im, l->at, NOT_TAKEN, l->what, "rule.when: %s", why);
	} else if (strncmp(when, "host under ", 11) == 0) {
		import_say(h->im, l->at, TAKEN_OTHERWISE, l->what, "rule.when: %s", HAP_BY_DOMAIN);
	} else if (strncmp(when, "host ", 5) == 0) {
		import_say(h->im, l->at, TAKEN_OTHERWISE, l->what, "rule.when: %s", HAP_BY_HOST);
	} else if (strstr(when, "rate(errors, ") != NULL) {
		import_say(h->im, l->at, TAKEN_OTHERWISE, l->what,
		    "rule.when: answers 4xx and 5xx are errors");
	} else {
		import_say(h->im, l->at, TAKEN, l->what, "rule.when");
	}
	buf_fini(&b);
	buf_fini(&key);
}

/* ---- if, unless -------------------------------------------------------------------------------------------------- */

struct reading {
	struct hap *h;
	const struct hap_proxy *p;
	const struct hap_line *l;
	unsigned i;
	const char *why;
};

static bool
is_or(const char *w)
{
	return strcmp(w, "or") == 0 || strcmp(w, "||") == 0 || strcmp(w, "OR") == 0;
}

static const char *
named(struct reading *r, const char *name)
{
	const struct acl *a = NULL;
	struct buf key = { 0 };

	for (const struct hap_proxy *p = r->p; p != NULL && a == NULL; p = p->from) {
		key.len = 0;
		buf_printf(&key, "acl %p %s", (const void *)p, name);
		a = textmap_get(&r->h->by_name, buf_text(&key));
	}
	buf_fini(&key);
	if (a != NULL && a->why != NULL)
		r->why = "an acl of its condition cannot be taken";
	if (a != NULL)
		return a->when;
	for (unsigned i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].when != NULL ? known[i].when : HAP_NEVER;
	r->why = "its condition names an acl that is not there";
	return "";
}

/* One term: a name, or a test in braces; with ! before it. In the arena. */
static const char *
read_term(struct reading *r)
{
	const char *w = r->l->w[r->i], *text;
	struct buf b = { 0 };
	bool not = false;

	while (*w == '!') {
		not = !not ;
		w = w[1] != '\0' ? w + 1 : r->l->w[++r->i];
	}
	r->i++;
	if (strcmp(w, "{") == 0) {
		unsigned end = r->i;

		while (end < r->l->n && strcmp(r->l->w[end], "}") != 0)
			end++;
		r->why = hap_when_test(r->h, r->l, r->i, end, &b);
		r->i = end + 1;
		text = arena_text(r->h->im->a, buf_text(&b), b.len);
		r->h->by_host |= strncmp(text, "host ", 5) == 0;
	} else {
		text = named(r, w);
	}
	if (not )
		text = hap_when_not(r->h, text);
	buf_fini(&b);
	return text;
}

/* What is too long for a rule stays too long, and no more. */
static const char *
bounded(struct hap *h, struct buf *b)
{
	const char *text = arena_text(
	    h->im->a, buf_text(b), b->len < 2 * HAP_WHEN_MAX ? b->len : 2 * HAP_WHEN_MAX);

	buf_fini(b);
	return text;
}

const char *
hap_when_and(struct hap *h, const char *a, const char *b)
{
	struct buf out = { 0 };

	if (strcmp(a, HAP_NEVER) == 0 || strcmp(b, HAP_NEVER) == 0)
		return HAP_NEVER;
	if (a[0] == '\0' || b[0] == '\0')
		return a[0] == '\0' ? b : a;
	buf_printf(&out, strstr(a, " or ") != NULL ? "(%s) and " : "%s and ", a);
	buf_printf(&out, strstr(b, " or ") != NULL ? "(%s)" : "%s", b);
	return bounded(h, &out);
}

const char *
hap_when_or(struct hap *h, const char *a, const char *b)
{
	struct buf out = { 0 };

	if (a[0] == '\0' || b[0] == '\0')
		return "";
	if (strcmp(a, HAP_NEVER) == 0 || strcmp(b, HAP_NEVER) == 0)
		return strcmp(a, HAP_NEVER) == 0 ? b : a;
	buf_printf(&out, "%s or %s", a, b);
	return bounded(h, &out);
}

const char *
hap_when_not(struct hap *h, const char *a)
{
	struct buf out = { 0 };

	if (a[0] == '\0')
		return HAP_NEVER;
	if (strcmp(a, HAP_NEVER) == 0)
		return "";
	buf_printf(&out,
	    strstr(a, " and ") == NULL && strstr(a, " or ") == NULL && strncmp(a, "not ", 4) != 0
		? "not %s"
		: "not (%s)",
	    a);
	return bounded(h, &out);
}

unsigned
hap_when_at(const struct hap_line *l, unsigned from)
{
	while (from < l->n && strcmp(l->w[from], "if") != 0 && strcmp(l->w[from], "unless") != 0)
		from++;
	return from;
}

const char *
hap_when(struct hap *h, const struct hap_proxy *p, const struct hap_line *l, unsigned at,
    const char **why_out)
{
	struct reading r = { .h = h, .p = p, .l = l, .i = at + 1 };
	const char *any = HAP_NEVER, *all;

	h->asking = p;
	h->by_host = false;
	if (at >= l->n)
		return "";
	while (r.i < l->n && r.why == NULL) {
		all = "";
		while (r.i < l->n && !is_or(l->w[r.i]) && r.why == NULL)
			all = hap_when_and(h, all, read_term(&r));
		any = hap_when_or(h, any, all);
		r.i++;
	}
	if (r.why == NULL && l->w[at][0] == 'u')
		any = hap_when_not(h, any);
	if (r.why == NULL && strlen(any) > HAP_WHEN_MAX)
		r.why = "its condition is longer than one can be (2000 bytes)";
	*why_out = r.why;
	return any;
}

/* ---- the target as the client wrote it --------------------------------------------------------------------------- */

/* Behind a value or a list of them: quotes as in conditions. */
static const char *
skip_values(const char *s)
{
	for (; *s != '\0' && *s != ' ' && *s != ')'; s++) {
		char quote = *s;

		if (quote != '\'' && quote != '"')
			continue;
		for (s++; *s != '\0' && *s != quote; s++)
			s += quote == '"' && *s == '\\' && s[1] != '\0';
		if (*s == '\0')
			return s;
	}
	return s;
}

/* Behind a field, with what stands in parentheses. */
static const char *
skip_field(const char *s)
{
	while (*s != '\0' && *s != ' ' && *s != '(')
		s++;
	if (*s == '(')
		while (*s != '\0' && *s++ != ')')
			;
	return s;
}

static bool
is_target(const char *s)
{
	return strncmp(s, "path ", 5) == 0 || strncmp(s, "url ", 4) == 0 ||
	       strncmp(s, "query ", 6) == 0 || strncmp(s, "param(", 6) == 0;
}

/* From one comparison to the next; *target: whether it is about the target. out may be NULL. */
static const char *
take_comparison(const char *s, struct buf *out, bool *target)
{
	const char *from = s, *end = skip_field(s);

	*target |= is_target(s);
	if (out != NULL && is_target(s))
		buf_puts(out, "asked.");
	if (*end == ' ' && strncmp(end, " exists", 7) == 0)
		end += 7;
	else if (*end == ' ') /* the operator, and what is compared */
		end = skip_values(end + 1 + strcspn(end + 1, " ") + (end[1] != '\0'));
	if (out != NULL)
		buf_put(out, from, (size_t)(end - from));
	return end;
}

/* A condition that we made ourselves: comparisons, with words, spaces and parentheses between them. */
static bool
walk(const char *s, struct buf *out)
{
	static const char *const between[] = { "and ", "or ", "not ", "(", ")", " " };
	bool target = false;

	while (*s != '\0') {
		size_t n = 0;

		for (unsigned i = 0; n == 0 && i < ARRAY_LEN(between); i++)
			if (strncmp(s, between[i], strlen(between[i])) == 0)
				n = strlen(between[i]);
		if (n == 0) {
			s = take_comparison(s, out, &target);
			continue;
		}
		if (out != NULL)
			buf_put(out, s, n);
		s += n;
	}
	return target;
}

bool
hap_when_is_on_target(const char *when)
{
	return walk(when, NULL);
}

const char *
hap_when_asked(struct hap *h, const char *when)
{
	struct buf out = { 0 };

	if (!walk(when, NULL))
		return when;
	(void)walk(when, &out);
	return bounded(h, &out);
}
