/* From rows to rules. What a row says was checked at the commit with the same parsers; a rule that cannot be read all the same (the
 * store of a newer build) is left out with a warning: it may neither end the process nor send clients where nobody meant. */
#include "rules.h"

#include "base/idmap.h"
#include "base/mem.h"
#include "base/must.h"
#include "sys/log.h"

#include "lists/lists.h"
#include "net/worker.h"
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

struct source {
	const struct content_rule *row;
	struct rules_pool pool;
};

static int
by_order(const void *a, const void *b)
{
	const struct content_rule *x = ((const struct source *)a)->row,
				  *y = ((const struct source *)b)->row;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* All that a rule is made of, so that two sets can be told apart. */
static void
put_key(struct buf *b, unsigned mode, const struct source *v, uint32_t n, uint64_t lists)
{
	buf_put_be(b, mode, 1);
	for (uint32_t i = 0; i < n; i++) {
		const struct content_rule *r = v[i].row;
		const char *const texts[] = { r->name, r->when, r->location, r->header, r->value,
			r->pattern, r->body, r->content_type, r->pool_by, r->find, r->replace,
			r->types };

		buf_put_be(b, r->id, 4);
		buf_put_be(b, (uint64_t)(uintptr_t)v[i].pool.svc, 8);
		buf_puts(b, v[i].pool.name == NULL ? "" : v[i].pool.name);
		buf_put_be(b, r->action, 1);
		buf_put_be(b, r->on, 1);
		buf_put_be(b, r->part, 1);
		buf_put_be(b, r->last, 1);
		buf_put_be(b, r->status, 2);
		buf_put_be(b, r->time, 4);
		buf_put_be(b, r->rate, 8);
		buf_put_be(b, (uint16_t)r->priority, 2);
		if (strchr(r->when, '@') != NULL)
			buf_put_be(b, lists, 8);
		for (unsigned k = 0; k < ARRAY_LEN(texts); k++)
			buf_put(b, texts[k], strlen(texts[k]) + 1);
	}
}

static void
put_named(struct buf *b, const struct rules_env *env)
{
	for (uint32_t i = 0; env != NULL && i < env->named_n; i++) {
		buf_put_be(b, (uint64_t)(uintptr_t)env->named[i].svc, 8);
		buf_put(b, env->named[i].name, strlen(env->named[i].name) + 1);
	}
}

static uint16_t
status_of(const struct content_rule *r)
{
	if (r->status != 0)
		return r->status;
	switch (r->action) {
	case rule_action_redirect: return 302;
	case rule_action_return: return 200;
	default: return 403;
	}
}

static const char *
keep(struct rules *x, const char *text)
{
	return arena_text(x->arena, text, strlen(text));
}

/* ---- lists and meters ------------------------------------------------------------------------- */

static bool
in_list(
    const void *set, unsigned type, const struct when_found *f, const char **value, uint32_t *len)
{
	struct item_value v;

	if (!(type == WHEN_ADDR ? itemset_has_addr(set, f->addr, &v)
				: itemset_has(set, f->text, f->len, &v)))
		return false;
	*value = v.at;
	*len = (uint32_t)v.len;
	return true;
}

/* The table of a service, made when its first rule counts. */
static struct rates *
table_of(struct svc *svc)
{
	if (svc->rates == NULL) {
		svc->rates = rates_new(RATES_KEYS, meters_seed(svc->id));
		must(svc->rates != NULL);
	}
	return svc->rates;
}

static void
bind_list(struct when_value *v, const struct rules_env *env)
{
	if (v->list == NULL || env == NULL)
		return;
	v->set = itemset_ref(lists_find(env->lists, v->list));
	v->has = in_list;
}

/* The sets of its lists as they are now, and places of its meters. False: there are too many, which the commit refuses. */
static bool
refer(struct rules *x, struct rule *r, const struct rules_env *env)
{
	for (unsigned i = 0; i < r->when.n; i++) {
		struct when_term *t = &r->when.term[i];

		for (unsigned k = 0; k < t->n; k++)
			bind_list(&t->value[k], env);
		if (t->meter == NULL)
			continue;
		if (env == NULL || !meters_add(&x->meters, t->meter, table_of(env->svc)))
			return false;
		if (t->op == WHEN_MORE || t->op == WHEN_AT_LEAST)
			meters_limit(
			    &x->meters, t->meter, t->value[0].number + (t->op == WHEN_MORE));
		if (r->retry_s == 0)
			r->retry_s = (t->meter->window_ms + 999) / 1000;
	}
	return true;
}

static void
unbind(struct when *w)
{
	for (unsigned i = 0; i < w->n; i++)
		for (unsigned k = 0; k < w->term[i].n; k++)
			if (w->term[i].value[k].list != NULL)
				itemset_unref((struct itemset *)(uintptr_t)w->term[i].value[k].set);
}

static int
compile(struct rules *x, unsigned where, const struct source *from, struct rule *r, struct err *err)
{
	const struct content_rule *row = from->row;
	int rc = when_parse(row->when, where, true, x->arena, &r->when, err);

	if (rc == 0)
		rc = rule_text_parse(row->action == rule_action_redirect ? row->location
				     : row->action == rule_action_use	 ? row->pool_by
									 : row->value,
		    where | W_VALUE, PATTERN_GROUPS, x->arena, &r->text, err);
	if (rc == 0 && row->pattern[0] != '\0') {
		r->pattern = pattern_new(row->pattern, strlen(row->pattern), true, err);
		rc = r->pattern == NULL ? ERR_INVALID : 0;
	}
	if (rc != 0) {
		when_fini(&r->when);
		return rc;
	}
	r->name = keep(x, row->name);
	r->id = row->id;
	r->action = row->action;
	r->part = row->part;
	r->last = row->last;
	r->status = status_of(row);
	r->header = keep(x, row->header);
	r->header_len = (uint8_t)strlen(row->header);
	r->body = keep(x, row->body);
	r->type = keep(x, row->content_type);
	r->time = DUR_MS(row->time);
	r->rate = row->rate;
	r->priority = row->priority;
	r->replace = (struct replacement){ keep(x, row->find), keep(x, row->replace),
		(uint32_t)strlen(row->find), (uint32_t)strlen(row->replace) };
	r->types = keep(x, row->types);
	r->pool = from->pool.svc == NULL ? NULL : svc_ref(from->pool.svc);
	r->pool_name = from->pool.name == NULL ? NULL : keep(x, from->pool.name);
	return 0;
}

static void
rule_fini(struct rule *r)
{
	unbind(&r->when);
	when_fini(&r->when);
	pattern_free(r->pattern);
	svc_unref(r->pool);
	rule_hits_unref(r->hits);
}

/* The counts of rules, by their ids. */
static void
know_hits(const struct rule *r, uint32_t n, struct idmap *out)
{
	for (uint32_t i = 0; i < n; i++)
		idmap_put(out, r[i].id, r[i].hits);
}

/* The counts that the rule had; those of a new one begin. */
static struct rule_hits *
hits_of(const struct idmap *old, const struct rules_env *env, uint32_t id)
{
	struct rule_hits *h = idmap_get(old, id);

	return h != NULL ? rule_hits_ref(h) : rule_hits_new(env != NULL ? env->svc->workers : 1);
}

/* Pools that rules may name, for as long as the set lasts. */
static void
keep_named(struct rules *x, const struct rules_env *env)
{
	uint32_t n = env == NULL ? 0 : env->named_n;

	x->named = arena_alloc(x->arena, (n + 1) * sizeof(*x->named));
	for (uint32_t i = 0; i < n; i++)
		x->named[x->named_n++] =
		    (struct rules_pool){ svc_ref(env->named[i].svc), keep(x, env->named[i].name) };
}

static void
add(struct rules *x, const struct service *of, const struct source *from,
    const struct rules_env *env, const struct idmap *hits)
{
	bool answer = from->row->on == rule_on_answer;
	unsigned where = of->mode == mode_tcp ? W_TCP : answer ? W_REQUEST | W_ANSWER : W_REQUEST;
	struct rule *r = answer ? &x->answer[x->answers] : &x->request[x->requests];
	uint32_t uses;
	struct err err;

	if (compile(x, where, from, r, &err) != 0) {
		log_warn("rule %s/%s: is left out: %s", of->name, from->row->name, err.text);
		*r = (struct rule){ 0 };
		return;
	}
	if (!refer(x, r, env)) {
		log_warn("rule %s/%s: is left out: it counts what has no place", of->name, r->name);
		rule_fini(r);
		*r = (struct rule){ 0 };
		return;
	}
	r->hits = hits_of(hits, env, r->id);
	uses = r->when.uses | r->text.uses;
	if (answer) {
		x->answers++;
		x->replaces = x->replaces || r->action == rule_action_replace_body;
		if (of->mode ==
		    mode_tcp) /* of the way back of a connection: looked at when it comes */
			x->uses |= uses;
		x->keeps_head =
		    x->keeps_head || (uses & ~(1u << WHEN_status | 1u << WHEN_answer_header)) != 0;
	} else {
		x->requests++;
		x->uses |= uses;
	}
}

/* A set of n rows, in their order. */
static struct rules *
make(const struct service *of, const struct source *v, uint32_t n, const struct rules_env *env,
    const struct rules *old)
{
	struct rules *x = mem_alloc(sizeof(*x));
	struct idmap hits = { 0 };

	atomic_init(&x->refs, 1);
	x->arena = arena_new(4096);
	x->request = arena_alloc(x->arena, n * sizeof(*x->request));
	x->answer = arena_alloc(x->arena, n * sizeof(*x->answer));
	if (old != NULL) {
		know_hits(old->request, old->requests, &hits);
		know_hits(old->answer, old->answers, &hits);
	}
	for (uint32_t i = 0; i < n; i++)
		add(x, of, &v[i], env, &hits);
	idmap_fini(&hits);
	keep_named(x, env);
	return x;
}

struct rules *
rules_new(const struct service *of, const void *const *rows, uint32_t n,
    const struct rules_pool *pools, const struct rules_env *env, struct rules *old)
{
	struct source *v = mem_alloc((n + 1) * sizeof(*v));
	struct buf key = { 0 };
	struct rules *x = NULL;
	uint32_t on = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct content_rule *r = rows[i];

		if (r->enabled)
			v[on++] = (struct source){ r, pools[i] };
	}
	qsort(v, on, sizeof(*v), by_order);
	put_key(&key, of->mode, v, on, env != NULL ? env->lists_now : 0);
	put_named(&key, env);
	if (on > 0 && old != NULL && old->key.len == key.len &&
	    memcmp(old->key.p, key.p, key.len) == 0) {
		x = rules_ref(old);
		buf_fini(&key);
	} else if (on > 0) {
		x = make(of, v, on, env, old);
		x->key = key;
	} else {
		buf_fini(&key);
	}
	free(v);
	return x;
}

struct rules *
rules_ref(struct rules *r)
{
	if (r != NULL)
		atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	return r;
}

void
rules_unref(struct rules *r)
{
	if (r == NULL || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (uint32_t i = 0; i < r->requests; i++)
		rule_fini(&r->request[i]);
	for (uint32_t i = 0; i < r->answers; i++)
		rule_fini(&r->answer[i]);
	for (uint32_t i = 0; i < r->named_n; i++)
		svc_unref(r->named[i].svc);
	meters_fini(&r->meters);
	buf_fini(&r->key);
	arena_unref(r->arena);
	free(r);
}

struct rules_scratch *
rules_scratch_new(void)
{
	struct rules_scratch *s = malloc(sizeof(*s));

	if (s == NULL)
		return NULL;
	s->match = pattern_match_new();
	if (s->match != NULL)
		return s;
	free(s);
	return NULL;
}

struct rules_scratch *
rules_scratch(struct worker *w)
{
	if (w->rules == NULL)
		w->rules = rules_scratch_new();
	return w->rules;
}

void
rules_scratch_free(struct rules_scratch *s)
{
	if (s == NULL)
		return;
	pattern_match_free(s->match);
	free(s);
}
