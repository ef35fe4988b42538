/* Rules of a frontend and of all its backends become the rules of one service, and its further backends pools.
 *
 * A pool has no rules of its own, so those of a backend stand before the rule that leads to it, with its condition; those of
 * the backend that takes the rest stand at the end. Rules for answers are looked at when the choice is over, so they have
 * the conditions of their backend and not those of the ones before it. */
#include "import/haproxy.h"

#include "base/must.h"

#include <stdio.h>
#include <string.h>

#define ORDER_STEP 10

struct emit {
	struct hap *h;
	struct import_service *s;
	bool first, tls;
	bool done; /* a rule for every request ends it: no later one is looked at */
	unsigned order;
	struct textmap ended; /* conditions of rules that end it */
};

static void
set_ref(struct import_row *r, const char *field, const char *name)
{
	r->text[field_find(r->o, field) - r->o->f] = name;
}

/* Rules times services have an end too. */
static bool
step(struct hap *h, const struct hap_line *l)
{
	if (h->rc == 0 && ++h->steps > HAP_STEPS_MAX)
		h->rc = err_set(h->err, ERR_INVALID,
		    "line %u: the rules of all services are more than %d", l->at.line,
		    HAP_STEPS_MAX);
	return h->rc == 0;
}

/* Whether a service with or without TLS could meet the condition. */
static bool
can_hold(const struct emit *e, const char *when)
{
	if (strcmp(when, HAP_NEVER) == 0)
		return false;
	return strcmp(when, e->tls ? "not scheme is https" : "scheme is https") != 0;
}

static bool
is_final(const struct import_row *r)
{
	const char *action = import_value(r, "action");

	return strstr(action, "_header") == NULL && strcmp(action, "rewrite") != 0;
}

/* The one rule that has a field of its own. */
static bool
is_https_redirect(const struct import_row *r)
{
	const char *to = import_value(r, "location");

	return strcmp(import_value(r, "action"), "redirect") == 0 && to != NULL &&
	       strcmp(to, "https://{header(Host)}{url}") == 0;
}

/* Whether requests can get as far as this rule; from then on, whether they can get past it. */
static bool
is_reached(struct emit *e, const struct import_row *r, const char *when, bool answer)
{
	struct buf key = { 0 };
	bool was;

	buf_printf(&key, "%u %s", answer, when);
	was = textmap_get(&e->ended, buf_text(&key)) != NULL || (e->done && !answer);
	if (!was && is_final(r))
		(void)textmap_put(&e->ended, arena_text(e->h->im->a, buf_text(&key), key.len), e);
	e->done |= !was && is_final(r) && when[0] == '\0';
	buf_fini(&key);
	return !was;
}

static void
put_rule(struct emit *e, const struct hap_line *l, const struct import_row *from, const char *when,
    bool answer)
{
	struct import_row *r;
	struct err err = { 0 };
	const char *status;
	char name[40];

	if (!step(e->h, l) || !can_hold(e, when))
		return;
	if (strcmp(when, e->tls ? "scheme is https" : "not scheme is https") == 0)
		when = "";
	if (!is_reached(e, from, when, answer))
		return;
	status = import_value(from, "status");
	if (when[0] == '\0' && e->order == 0 && !e->tls && is_https_redirect(from) &&
	    import_put(
		e->h->im, &e->s->row, "https_redirect", status != NULL ? status : "302", NULL) == 0)
		return;
	r = import_kid_new(e->h->im, &e->s->row, KIND_content_rule, l->at);
	memcpy(r->text, from->text, sizeof(r->text));
	if (when[0] != '\0' && import_put(e->h->im, r, "when", when, &err) != 0) {
		if (e->first)
			import_say(e->h->im, l->at, NOT_TAKEN, l->what, "rule %s", err.text);
		r->left_out = true;
		return;
	}
	e->order += ORDER_STEP;
	import_putf(e->h->im, r, "order", "%u", e->order);
	(void)snprintf(name, sizeof(name), "%04u-%s", e->order, import_value(r, "action"));
	for (char *p = name; *p != '\0'; p++)
		*p = *p == '_' ? '-' : *p;
	import_kid_name(e->h->im, r, &e->s->row, name);
}

static void
put_rules(struct emit *e, const struct hap_rule_rows *rows, bool answer, const char *when)
{
	for (const struct hap_rule_row *r = rows->first; r != NULL && e->h->rc == 0; r = r->next)
		if (r->answer == answer)
			put_rule(e, r->l, &r->row, hap_when_and(e->h, when, r->when), answer);
}

/* ---- backends --------------------------------------------------------------------------------------------------- */

/* One use_backend. */
struct use {
	struct use *next;
	const struct hap_line *l;
	struct hap_proxy *back;
	const char *when;
};

static struct hap_proxy *
find_backend(struct hap *h, const char *name)
{
	struct buf key = { 0 };
	struct hap_proxy *p;

	buf_printf(&key, "backend %s", name);
	p = textmap_get(&h->by_name, buf_text(&key));
	buf_fini(&key);
	return p;
}

/* NULL: cannot be taken, which is said the first time. */
static struct use *
read_use(struct hap *h, struct hap_proxy *front, const struct hap_line *l, bool first)
{
	struct use *u;
	const char *why = NULL, *changed;

	if (!step(h, l))
		return NULL;
	u = arena_alloc(h->im->a, sizeof(*u));

	u->l = l;
	u->back = find_backend(h, l->w[1]);
	u->when = hap_when(h, front, l, hap_when_at(l, 2), &why);
	if (why == NULL && strchr(l->w[1], '%') != NULL)
		why = "each name is a rule of its own: the backend is not made of the request";
	else if (why == NULL && u->back == NULL)
		why = "there is no such backend";
	else if (why == NULL && u->back->http != front->http)
		why = "a pool has the mode of the service";
	if (why != NULL && first)
		import_say(h->im, l->at, NOT_TAKEN, l->what, "rule (action use): %s", why);
	changed = why == NULL ? hap_rules_changed(h, front, u->when) : NULL;
	if (why == NULL && first)
		import_say(h->im, l->at, changed != NULL ? TAKEN_OTHERWISE : TAKEN, l->what,
		    "rule (action use)%s%s", changed != NULL ? ": " : "",
		    changed != NULL ? changed : "");
	return why == NULL && strcmp(u->when, HAP_NEVER) != 0 ? u : NULL;
}

/* The rule that leads to a backend; its servers are those of the service when it takes the rest too. */
static void
put_use(struct emit *e, const struct use *u, const struct hap_proxy *rest)
{
	struct import_row row = { .o = object_of(KIND_content_rule) };
	const char *pool;

	if (!can_hold(e, u->when))
		return;
	if (u->back == rest) {
		import_putf(e->h->im, &row, "action", "allow");
	} else {
		pool = hap_pool_of(e->h, u->back);
		if (pool == NULL)
			return;
		import_putf(e->h->im, &row, "action", "use");
		set_ref(&row, "pool", pool);
	}
	put_rule(e, u->l, &row, u->when, false);
}

void
hap_rules_finish(struct hap *h, struct hap_proxy *front, struct hap_proxy *back,
    struct import_service *s, bool tls, bool first)
{
	struct emit e = { .h = h, .s = s, .tls = tls, .first = first };
	struct use *uses = NULL, **last = &uses;
	const char *taken = HAP_NEVER;

	for (const struct hap_later *x = front->uses.first; x != NULL; x = x->next) {
		*last = read_use(h, front, &x->l, first);
		if (*last != NULL)
			last = &(*last)->next;
	}
	put_rules(&e, hap_rules_of(h, front), false, "");
	for (const struct use *u = uses; u != NULL && h->rc == 0; u = u->next) {
		put_rules(&e, hap_rules_of(h, u->back), false, u->when);
		put_use(&e, u, back);
	}
	if (back != front)
		put_rules(&e, hap_rules_of(h, back), false, "");
	put_rules(&e, hap_rules_of(h, front), true, "");
	for (const struct use *u = uses; u != NULL; u = u->next) {
		put_rules(&e, hap_rules_of(h, u->back), true,
		    hap_when_and(h, u->when, hap_when_not(h, taken)));
		taken = hap_when_or(h, taken, u->when);
	}
	if (back != front)
		put_rules(&e, hap_rules_of(h, back), true, hap_when_not(h, taken));
	textmap_fini(&e.ended);
}
