/* Which names of pools stand in maps, and whether there are such pools.
 *
 * A rule takes the pool whose name its text pool_by makes of {value}: what stands behind the entry of the last list that its condition
 * found. So a list counts when it can be the last that is found on a way through the condition on which it holds. A text
 * with other parts of the request can be anything and is left to lbd-proxy, which counts what it does not find.
 *
 * Only what a commit brings is its fault: another rule, other entries, or a pool that is no more. */
#include "store/pool_names.h"

#include "base/arena.h"
#include "base/mem.h"
#include "schema/rule_text.h"
#include "schema/rule_when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTENTS_MOST 32 /* whose values are kept while one commit is looked at */

struct content {
	char of[72];
	int known; /* code of fn */
	struct buf values;
};
struct look_up {
	const struct snapshot *base, *s;
	map_values_fn fn;
	void *arg;
	struct content kept[CONTENTS_MOST];
	unsigned kept_n;
	bool pools_gone; /* one of base is none any more, or is called otherwise */
	struct err *err;
};
/* One rule and what is the same for all of its names. */
struct chooser {
	const struct content_rule *r;
	const struct service *svc, *svc_before; /* before: NULL, there was none */
	bool changed;				/* itself */
	struct rule_text by;
};

static bool
is_pool(const struct snapshot *s, const struct service *of, const char *name)
{
	const struct service *p = snapshot_find_path(s, KIND_service, name);

	return p != NULL && p->id != of->id && p->address.family == 0 && p->mode == of->mode;
}

/* ---- lists whose values can be meant ------------------------------------------------------------------ */

static bool
has_list(const struct when_term *t)
{
	for (unsigned k = 0; k < t->n; k++)
		if (t->value[k].list != NULL)
			return true;
	return false;
}

/* Whether the condition can hold from this place on without finding another list. Places only lead forward. */
static bool
can_hold(const struct when *w, uint16_t from)
{
	bool reached[WHEN_TERMS_MAX] = { false };

	if (from >= w->n)
		return from == WHEN_TRUE;
	reached[from] = true;
	for (uint16_t i = from; i < w->n; i++) {
		const struct when_term *t = &w->term[i];

		if (!reached[i])
			continue;
		if (t->no == WHEN_TRUE || (t->yes == WHEN_TRUE && !has_list(t)))
			return true;
		if (t->no < w->n)
			reached[t->no] = true;
		if (t->yes < w->n && !has_list(t))
			reached[t->yes] = true;
	}
	return false;
}

/* ---- names -------------------------------------------------------------------------------------------- */

/* Of {value} and literals alone. */
static bool
is_plain(const struct rule_text *t)
{
	bool value = false;

	for (unsigned i = 0; i < t->n; i++) {
		if (t->item[i].kind != RULE_TEXT_LITERAL && t->item[i].kind != RULE_TEXT_VALUE)
			return false;
		value |= t->item[i].kind == RULE_TEXT_VALUE;
	}
	return value;
}

static void
write_name(const struct rule_text *t, const char *value, char *out, size_t room)
{
	size_t at = 0;

	for (unsigned i = 0; i < t->n && at + 1 < room; i++) {
		const struct rule_text_item *p = &t->item[i];
		bool is = p->kind == RULE_TEXT_VALUE;

		at += (size_t)snprintf(out + at, room - at, "%.*s",
		    is ? (int)strlen(value) : (int)p->len, is ? value : p->text);
	}
}

static const struct content *
values_of(struct look_up *n, const struct itemlist *l)
{
	struct content *c;

	for (unsigned i = 0; i < n->kept_n; i++)
		if (strcmp(n->kept[i].of, l->content) == 0)
			return &n->kept[i];
	c = &n->kept[n->kept_n < CONTENTS_MOST ? n->kept_n++ : CONTENTS_MOST - 1];
	buf_fini(&c->values);
	*c = (struct content){ 0 };
	(void)snprintf(c->of, sizeof(c->of), "%s", l->content);
	c->known = n->fn(n->arg, l->name, l->content, &c->values);
	return c;
}

/* The first name that is not there, and how many there are. */
struct missing {
	char name[300];
	const char *key;
	unsigned all;
};

/* NULL: there is none that ends. */
static const char *
next_word(const char **p, const char *end)
{
	const char *word = *p, *nul = word < end ? memchr(word, '\0', (size_t)(end - word)) : NULL;

	if (nul != NULL)
		*p = nul + 1;
	return nul != NULL ? word : NULL;
}

static void
look_at_names(const struct look_up *n, const struct chooser *c, const struct content *v,
    bool brought, struct missing *out)
{
	const char *p = (const char *)v->values.p, *end = p + v->values.len, *key, *value;
	char name[sizeof(out->name)];

	while ((key = next_word(&p, end)) != NULL && (value = next_word(&p, end)) != NULL) {
		write_name(&c->by, value, name, sizeof(name));
		if (is_pool(n->s, c->svc, name) ||
		    (!brought && !is_pool(n->base, c->svc_before, name)))
			continue;
		if (out->all++ > 0)
			continue;
		(void)snprintf(out->name, sizeof(out->name), "%s", name);
		out->key = key;
	}
}

/* The object is what changed: the entries, else the rule. */
static int
refuse(const struct look_up *n, const struct chooser *c, const struct itemlist *l, bool entries,
    const struct missing *m)
{
	char rule[160], object[200], more[40] = "", what[140];

	(void)snapshot_path(n->s, KIND_content_rule, c->r->id, rule);
	if (entries && !c->changed)
		(void)snprintf(object, sizeof(object), "list %s", l->name);
	else
		(void)snprintf(object, sizeof(object), "rule %s", rule);
	if (m->all > 1)
		(void)snprintf(more, sizeof(more), ", and %u more", m->all - 1);
	if (m->name[0] != '\0')
		(void)snprintf(what, sizeof(what), "\"%.64s\"", m->name);
	else
		(void)snprintf(what, sizeof(what), "no name");
	return err_field(n->err, ERR_INVALID, object,
	    entries && !c->changed ? "content" : "pool_by",
	    "entry %.100s of list %s has %s, by which rule %s chooses a pool%s: allowed are names of virtual services "
	    "without address of mode %s",
	    m->key, l->name, what, rule, more, word_text(&mode_list, c->svc->mode));
}

static int
check_list(struct look_up *n, const struct chooser *c, const char *name)
{
	const struct itemlist *l = snapshot_find_path(n->s, KIND_itemlist, name), *old;
	const struct content *v;
	struct missing m = { .all = 0 };
	bool entries;

	if (l == NULL || l->content[0] == '\0')
		return 0;
	old = snapshot_find(n->base, KIND_itemlist, l->id);
	entries = old == NULL || strcmp(old->content, l->content) != 0;
	if (!entries && !c->changed && !n->pools_gone)
		return 0;
	v = values_of(n, l);
	if (v->known == 0)
		look_at_names(n, c, v, entries || c->changed, &m);
	return m.all == 0 ? 0 : refuse(n, c, l, entries, &m);
}

/* ---- rules -------------------------------------------------------------------------------------------- */

static bool
same_rule(const struct content_rule *a, const struct content_rule *b)
{
	return strcmp(a->pool_by, b->pool_by) == 0 && strcmp(a->when, b->when) == 0 &&
	       a->vip == b->vip && a->on == b->on;
}

static int
check_when(struct look_up *n, const struct chooser *c, const struct when *w)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < w->n; i++) {
		const struct when_term *t = &w->term[i];

		if (!has_list(t) || !can_hold(w, t->yes))
			continue;
		for (unsigned k = 0; rc == 0 && k < t->n; k++)
			if (t->value[k].list != NULL)
				rc = check_list(n, c, t->value[k].list);
	}
	return rc;
}

static int
check_rule(struct look_up *n, const struct content_rule *r)
{
	const struct content_rule *old = snapshot_find(n->base, KIND_content_rule, r->id);
	struct chooser c = { .r = r,
		.svc = snapshot_find(n->s, KIND_service, r->vip),
		.svc_before = snapshot_find(n->base, KIND_service, r->vip) };
	struct arena *a = arena_new(4096);
	struct when w = { 0 };
	unsigned where;
	int rc = 0;

	c.changed = old == NULL || c.svc_before == NULL || !same_rule(old, r) ||
		    c.svc_before->mode != c.svc->mode;
	where = c.svc->mode == mode_tcp ? W_TCP : W_REQUEST;
	if (when_parse(r->when, where, false, a, &w, NULL) == 0 &&
	    rule_text_parse(r->pool_by, where | W_VALUE, PATTERN_GROUPS, a, &c.by, NULL) == 0 &&
	    is_plain(&c.by))
		rc = check_when(n, &c, &w);
	when_fini(&w);
	arena_unref(a);
	return rc;
}

/* ---- the whole ---------------------------------------------------------------------------------------- */

static bool
pools_gone(const struct snapshot *base, const struct snapshot *s)
{
	for (uint32_t i = 0; i < snapshot_count(base, KIND_service); i++) {
		const struct service *was = snapshot_at(base, KIND_service, i), *is;

		if (was->address.family != 0)
			continue;
		is = snapshot_find(s, KIND_service, was->id);
		if (is == NULL || is->address.family != 0 || is->mode != was->mode ||
		    strcmp(is->name, was->name) != 0)
			return true;
	}
	return false;
}

int
pool_names_check(const struct snapshot *base, const struct snapshot *s, map_values_fn fn, void *arg,
    struct err *err)
{
	struct look_up n = { .base = base, .s = s, .fn = fn, .arg = arg, .err = err };
	bool looked = false;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < snapshot_count(s, KIND_content_rule); i++) {
		const struct content_rule *r = snapshot_at(s, KIND_content_rule, i);

		if (strstr(r->pool_by, "{value}") == NULL)
			continue;
		if (!looked)
			n.pools_gone = pools_gone(base, s);
		looked = true;
		rc = check_rule(&n, r);
	}
	for (unsigned i = 0; i < n.kept_n; i++)
		buf_fini(&n.kept[i].values);
	return rc;
}
