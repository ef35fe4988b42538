/* Rules of a frontend and of all its backends become the rules of one service, and its further backends pools.
 *
 * A pool has no rules of its own, so those of a backend stand before the rule that leads to it, with its condition; those of
 * the backend that takes the rest stand at the end. Rules for answers are looked at when the choice is over, so they have
 * the conditions of their backend and not those of the ones before it. */
#include "import/haproxy_switch.h"

#include "base/must.h"

#include <stdio.h>
#include <string.h>

#define ORDER_STEP 10

struct emit {
	struct hap *h;
	struct import_service *s;
	bool first, tls;
	bool done; /* a rule for every request ends it: no later one is looked at */
	const struct hap_proxy *front;
	const char *rest; /* the condition of what no use_backend takes */
	unsigned order;
	struct textmap ended; /* conditions of rules that end it */
};

bool
hap_step(struct hap *h, const struct hap_line *l, uint32_t n)
{
	h->steps += h->steps > HAP_STEPS_MAX ? 0 : n;
	if (h->rc == 0 && h->steps > HAP_STEPS_MAX)
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

	if (strcmp(action, "use") == 0 && import_value(r, "pool") == NULL)
		return false; /* there may be no pool of the name */
	return strstr(action, "_header") == NULL && strcmp(action, "rewrite") != 0 &&
	       strcmp(action, "set_priority") != 0;
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

	if (!hap_step(e->h, l, 1) || !can_hold(e, when))
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

struct hap_use *
hap_use_add(struct hap *h, struct hap_uses *to, const struct hap_line *l, const char *when)
{
	struct hap_use *u = arena_alloc(h->im->a, sizeof(*u));

	*u = (struct hap_use){ .l = l, .when = when };
	*to->last = u;
	to->last = &u->next;
	return u;
}

struct hap_proxy *
hap_backend(struct hap *h, const char *name)
{
	struct buf key = { 0 };
	struct hap_proxy *p;

	buf_printf(&key, "backend %s", name);
	p = textmap_get(&h->by_name, buf_text(&key));
	buf_fini(&key);
	return p;
}

static bool
rewrites(const struct hap_rule_rows *rows)
{
	for (const struct hap_rule_row *r = rows->first; r != NULL; r = r->next)
		if (strcmp(import_value(&r->row, "action"), "rewrite") == 0)
			return true;
	return false;
}

static bool
answers(const struct hap_rule_rows *rows)
{
	for (const struct hap_rule_row *r = rows->first; r != NULL; r = r->next)
		if (r->answer)
			return true;
	return false;
}

/* All of a frontend while they are read. */
struct reading {
	struct hap *h;
	struct hap_proxy *front, *rest;
	bool first; /* what becomes of each is said */
	const char
	    *closed; /* whom one with a name of the request has taken: no later one is looked at */
	struct hap_uses uses;
};

/* NULL: good; else why it cannot be taken. */
static const char *
read_named(struct reading *r, const struct hap_line *l, const char *when)
{
	struct hap_proxy *back = hap_backend(r->h, l->w[1]);

	if (back == NULL)
		return "there is no such backend";
	if (back->http != r->front->http)
		return "a pool has the mode of the service";
	if (strcmp(when, HAP_NEVER) != 0)
		hap_use_add(r->h, &r->uses, l, when)->back = back;
	return NULL;
}

static void
say_use(const struct reading *r, const struct hap_line *l, const char *why, const char *difference)
{
	if (!r->first)
		return;
	if (why != NULL)
		import_say(r->h->im, l->at, NOT_TAKEN, l->what, "rule (action use): %s", why);
	else
		import_say(r->h->im, l->at, difference != NULL ? TAKEN_OTHERWISE : TAKEN, l->what,
		    "rule (action use)%s%s", difference != NULL ? ": " : "",
		    difference != NULL ? difference : "");
}

/* Rules of a backend that rewrite come before the rule that leads to it, so its condition is on what the client wrote; with HAProxy
 * it is on what the frontend has made of that. Rules for answers know no more than that, either. */
static const char *
changed_target(struct reading *r, const struct hap_use *from, const char *when)
{
	if (!hap_when_is_on_target(when) || !rewrites(hap_rules_of(r->h, r->front)))
		return NULL;
	for (const struct hap_use *u = from; u != NULL; u = u->next)
		if (u->back != NULL && u->back != r->front &&
		    (rewrites(hap_rules_of(r->h, u->back)) || answers(hap_rules_of(r->h, u->back))))
			return "for the rules of its backend the path and query are those that the client wrote";
	return NULL;
}

static void
read_use(struct reading *r, const struct hap_line *l)
{
	struct hap_use **mark = r->uses.last;
	const char *why = NULL, *difference = NULL, *when, *all;
	bool made = strchr(l->w[1], '%') != NULL, by_host;

	if (!hap_step(r->h, l, 1))
		return;
	all = hap_when(r->h, r->front, l, hap_when_at(l, 2), &why);
	by_host = r->h->by_host;
	when = hap_when_and(r->h, all, hap_when_not(r->h, r->closed));
	if (why == NULL && strlen(when) > HAP_WHEN_MAX)
		why = "its condition is longer than one can be (2000 bytes)";
	if (why == NULL && strcmp(all, HAP_NEVER) != 0 && strcmp(when, HAP_NEVER) == 0) {
		if (r->first)
			import_say(r->h->im, l->at, TAKEN, l->what,
			    "never reached: a use_backend before it takes all, there and here");
		return;
	}
	if (why == NULL)
		why = made ? hap_map_uses(r->h, r->front, r->rest, l, when, &r->uses, &difference)
			   : read_named(r, l, when);
	if (why == NULL && made)
		r->closed = hap_when_or(r->h, r->closed, all);
	if (why == NULL && difference == NULL)
		difference = hap_rules_changed(r->h, r->front, when);
	if (why == NULL && difference == NULL)
		difference = changed_target(r, *mark, when);
	if (why == NULL && difference == NULL && by_host)
		difference = HAP_BY_HOST;
	say_use(r, l, why, difference);
}

/* The rule that leads to a backend; its servers are those of the service when it takes the rest too. */
static void
put_use(struct emit *e, const struct hap_use *u, const char *when, const struct hap_proxy *rest)
{
	struct import_row row = { .o = object_of(KIND_content_rule) };
	const char *pool;

	if (!can_hold(e, when))
		return;
	if (u->back == NULL) {
		import_putf(e->h->im, &row, "action", "use");
		(void)import_put(e->h->im, &row, "pool_by", u->pool_by, NULL);
	} else if (u->back == rest) {
		import_putf(e->h->im, &row, "action", "allow");
	} else {
		pool = hap_pool_of(e->h, e->front, u->back);
		if (pool == NULL)
			return;
		import_putf(e->h->im, &row, "action", "use");
		*import_text(&row, "pool") = pool;
	}
	put_rule(e, u->l, &row, when, false);
}

/* Rules of the backends that requests are sent to, before the rules that lead there; or those for their answers. */
static void
put_backends(struct emit *e, const struct hap_uses *uses, const struct hap_proxy *back, bool answer)
{
	const char *taken = HAP_NEVER;
	struct hap *h = e->h;

	for (const struct hap_use *u = uses->first; u != NULL && h->rc == 0; u = u->next) {
		const struct hap_rule_rows *rows =
		    u->back != NULL && u->back != e->front ? hap_rules_of(h, u->back) : NULL;
		const char *when = u->when;

		if (answer)
			when = hap_when_and(h, when, hap_when_not(h, taken));
		else if (rows != NULL && rewrites(rows))
			when = hap_when_asked(h, when);
		if (rows != NULL)
			put_rules(e, rows, answer, when);
		if (!answer)
			put_use(e, u, when, back);
		taken = hap_when_or(h, taken, u->when);
	}
	e->rest = hap_when_not(h, taken);
}

void
hap_rules_finish(struct hap *h, struct hap_proxy *front, struct hap_proxy *back,
    struct import_service *s, bool tls, bool first)
{
	struct emit e = { .h = h, .s = s, .front = front, .tls = tls, .first = first };
	struct reading r = {
		.h = h, .front = front, .rest = back, .first = first, .closed = HAP_NEVER
	};

	r.uses.last = &r.uses.first;
	for (const struct hap_later *x = front->uses.first; x != NULL; x = x->next)
		read_use(&r, &x->l);
	put_rules(&e, hap_rules_of(h, front), false, "");
	put_backends(&e, &r.uses, back, false);
	if (back != front)
		put_rules(&e, hap_rules_of(h, back), false, "");
	put_rules(&e, hap_rules_of(h, front), true, "");
	put_backends(&e, &r.uses, back, true);
	if (back != front)
		put_rules(&e, hap_rules_of(h, back), true, e.rest);
	textmap_fini(&e.ended);
}
