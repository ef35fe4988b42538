/* Header fields and targets as rules make them. A rule sees the target that those before it have made, and header fields as they
 * came; what a rule adds, a later one may take away. */
#include "edit.h"

#include "base/must.h"

#include <string.h>
#include <strings.h>

static bool
put(struct rules_scratch *w, const char *p, size_t n)
{
	if (n > sizeof(w->room) - w->used)
		return false;
	memcpy(w->room + w->used, p, n);
	w->used += n;
	return true;
}

static bool
put_text(struct edit *e, const struct rule_text *t, const struct when_groups *g)
{
	struct rules_scratch *w = e->w;
	long n =
	    rule_text_write(t, subject_get, &e->s, g, w->room + w->used, sizeof(w->room) - w->used);

	if (n < 0)
		return false;
	w->used += (size_t)n;
	return true;
}

void
edit_begin(struct edit *e)
{
	struct http_edits *d = &e->w->edits;

	memset(d->cut, 0, sizeof(d->cut));
	d->changed_n = d->added_n = 0;
	d->target = NULL;
	e->w->used = 0;
	e->w->replaces = 0;
	e->any = false;
	e->rate = 0;
	e->priority = 0;
}

const char *
edit_text(struct edit *e, const struct rule_text *t, const struct when_groups *g, size_t *len_out)
{
	const char *from = e->w->room + e->w->used;

	if (!put_text(e, t, g))
		return NULL;
	*len_out = (size_t)(e->w->room + e->w->used - from);
	return from;
}

/* ---- patterns --------------------------------------------------------------------------------- */

static void
groups_at(const struct pattern_match *m, const char *in, struct when_groups *g)
{
	size_t off, n;

	g->n = PATTERN_GROUPS;
	for (unsigned i = 0; i < PATTERN_GROUPS; i++)
		g->of[i] = pattern_group(m, i, &off, &n)
			       ? (struct when_group){ in + off, (uint32_t)n }
			       : (struct when_group){ NULL, 0 };
}

/* Every place that the pattern finds becomes the text. 1: done; 0: it finds none; -1: no room. */
static int
substitute(struct edit *e, const struct rule *r, const char *in, size_t len, const char **out,
    size_t *len_out)
{
	struct rules_scratch *w = e->w;
	size_t at = 0, from = 0, off, n, start = w->used;
	struct when_groups g = { .value = e->value };

	while (from <= len && pattern_find(r->pattern, w->match, in, len, from) &&
	       pattern_group(w->match, 0, &off, &n)) {
		groups_at(w->match, in, &g);
		if (!put(w, in + at, off - at) || !put_text(e, &r->text, &g))
			return -1;
		at = off + n;
		from = n > 0 ? at : at + 1;
	}
	if (from == 0)
		return 0;
	if (!put(w, in + at, len - at))
		return -1;
	*out = w->room + start;
	*len_out = w->used - start;
	return 1;
}

/* ---- header fields ---------------------------------------------------------------------------- */

static bool
is_named(const struct edit *e, unsigned line, const struct rule *r)
{
	const struct h1_header *f = &e->head->header[line];

	return f->name_len == r->header_len &&
	       strncasecmp(e->buf + f->name_off, r->header, r->header_len) == 0;
}

/* All of that name go: those that came, and those that were added. */
static void
take_out(struct edit *e, const struct rule *r)
{
	struct http_edits *d = &e->w->edits;
	unsigned kept = 0;

	for (unsigned i = 0; i < e->head->n; i++)
		if (is_named(e, i, r))
			d->cut[i / 64] |= UINT64_C(1) << i % 64;
	for (unsigned i = 0; i < d->added_n; i++)
		if (d->added[i].name_len != r->header_len ||
		    strncasecmp(d->added[i].text, r->header, r->header_len) != 0)
			d->added[kept++] = d->added[i];
	d->added_n = (uint8_t)kept;
}

/* host [ ":" port ], as far as bytes go. */
static bool
is_host(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'z') ||
			(p[i] >= 'A' && p[i] <= 'Z') || strchr("-._~:[]", p[i]) != NULL))
			return false;
	return n > 0 && n <= 255;
}

static unsigned
put_in(struct edit *e, const struct rule *r, const struct when_groups *g)
{
	struct rules_scratch *w = e->w;
	struct http_edits *d = &w->edits;
	size_t start = w->used, value;

	if (d->added_n == HTTP_ADDED_MAX || !put(w, r->header, r->header_len) || !put(w, ": ", 2))
		return 500;
	value = w->used;
	if (!put_text(e, &r->text, g))
		return 500;
	if (r->header_len == 4 && strcasecmp(r->header, "host") == 0 && e->s.answer == NULL &&
	    !is_host(w->room + value, w->used - value))
		return 400;
	if (!put(w, "\r\n", 2))
		return 500;
	if (r->action == rule_action_set_header)
		take_out(e, r);
	d->added[d->added_n++] = (struct http_added){ .name_len = r->header_len,
		.len = (uint32_t)(w->used - start),
		.text = w->room + start };
	return 0;
}

static struct http_change *
change_of(struct http_edits *d, unsigned line)
{
	for (unsigned i = 0; i < d->changed_n; i++)
		if (d->changed[i].line == line)
			return &d->changed[i];
	return NULL;
}

static unsigned
replace(struct edit *e, const struct rule *r)
{
	struct http_edits *d = &e->w->edits;

	for (unsigned i = 0; i < e->head->n; i++) {
		const struct h1_header *f = &e->head->header[i];
		struct http_change *old;
		const char *text = e->buf + f->value_off;
		size_t len = f->value_len;
		int rc;

		if (!is_named(e, i, r) || http_edit_cuts(d, i))
			continue;
		old = change_of(d, i);
		if (old != NULL) {
			text = old->text;
			len = old->len;
		}
		rc = substitute(e, r, text, len, &text, &len);
		if (rc == 0)
			continue;
		if (rc < 0 || (old == NULL && d->changed_n == HTTP_CHANGES_MAX))
			return 500;
		if (old == NULL)
			old = &d->changed[d->changed_n++];
		*old = (struct http_change){ (uint8_t)i, (uint32_t)len, text };
		e->any = true;
	}
	return 0;
}

/* ---- targets ---------------------------------------------------------------------------------- */

/* What cannot stand in a target is encoded (RFC 3986 section 2.1); a question mark in a path too. */
static bool
put_part(struct rules_scratch *w, const char *p, size_t n, bool path)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];
		char code[3] = { '%', hex[c >> 4], hex[c & 15] };
		bool bad = c <= ' ' || c >= 0x7f || c == '#' || c == '"' || (path && c == '?');

		if (!put(w, bad ? code : p + i, bad ? 3 : 1))
			return false;
	}
	return true;
}

/* The part of the target that the rule is about. */
static void
part_of(const struct subject *s, unsigned part, const char **p, size_t *n)
{
	*p = s->url;
	*n = part == rule_part_path ? s->path_len : s->url_len;
	if (part != rule_part_query)
		return;
	*p = s->url + s->path_len + (s->path_len < s->url_len);
	*n = s->url_len - s->path_len - (s->path_len < s->url_len);
}

static unsigned
rewrite(struct edit *e, const struct rule *r, const struct when_groups *g)
{
	struct rules_scratch *w = e->w;
	struct subject *s = &e->s;
	const char *text, *rest = s->url + s->path_len;
	size_t n, start, rest_n = s->url_len - s->path_len;
	bool whole = true;
	int rc = 1;

	part_of(s, r->part, &text, &n);
	if (r->pattern != NULL)
		rc = substitute(e, r, text, n, &text, &n);
	else
		text = edit_text(e, &r->text, g, &n);
	if (rc == 0 || s->head->form == H1_ASTERISK || s->head->form == H1_AUTHORITY)
		return 0;
	if (rc < 0 || text == NULL)
		return 500;
	start = w->used;
	if (r->part == rule_part_query)
		whole = put(w, s->url, s->path_len) && (n == 0 || put(w, "?", 1)) &&
			put_part(w, text, n, false);
	else
		whole = (n > 0 && text[0] == '/' ? true : put(w, "/", 1)) &&
			put_part(w, text, n, r->part == rule_part_path) &&
			(r->part == rule_part_url || put(w, rest, rest_n));
	if (!whole)
		return 500;
	if (w->used - start > H1_TARGET_MAX)
		return 414;
	subject_url(s, w->room + start, (uint32_t)(w->used - start));
	w->edits.target = s->url;
	w->edits.target_len = s->url_len;
	e->any = true;
	return 0;
}

unsigned
edit_apply(struct edit *e, const struct rule *r, const struct when_groups *g)
{
	e->value = g->value;
	switch (r->action) {
	case rule_action_set_header:
	case rule_action_add_header: e->any = true; return put_in(e, r, g);
	case rule_action_del_header:
		e->any = true;
		take_out(e, r);
		return 0;
	case rule_action_replace_header: return replace(e, r);
	case rule_action_limit_bandwidth: e->rate = r->rate; return 0;
	case rule_action_set_priority: e->priority = r->priority; return 0;
	case rule_action_replace_body: e->w->replace[e->w->replaces++] = r->replace; return 0;
	case rule_action_rewrite: return rewrite(e, r, g);
	default: return 0;
	}
}
