/* Rules are looked at in their order; header actions, rewrite, limit_bandwidth, set_priority and replace_body are noted and go on, every other
 * action ends the evaluation. */
#include "decide.h"

#include "base/must.h"

#include "http/http_squeeze.h"
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

struct name {
	const char *p;
	size_t len;
};

static int
compare(const void *key, const void *row)
{
	const struct name *k = key;
	const struct rules_pool *r = row;
	int cmp = strncmp(k->p, r->name, k->len);

	return cmp != 0 ? cmp : r->name[k->len] != '\0' ? -1 : 0;
}

/* Where action use leads. False: nowhere, so the rule does not hold. */
static bool
leads(const struct rules *x, const struct rule *r, struct edit *e, struct decision *d)
{
	size_t used = e->w->used;
	const struct rules_pool *found;
	struct name key;

	d->pool = (struct rules_pool){ r->pool, r->pool_name };
	if (r->text.n == 0)
		return true;
	key.p = edit_text(e, &r->text, &d->groups, &key.len);
	e->w->used = used;
	found = key.p == NULL || x->named_n == 0 || memchr(key.p, '\0', key.len) != NULL
		    ? NULL
		    : bsearch(&key, x->named, x->named_n, sizeof(*x->named), compare);
	d->unknown = found == NULL;
	if (found != NULL)
		d->pool = *found;
	return found != NULL || r->pool_name != NULL;
}

static void
tell(const struct decide_note *note, const struct rule *r, const struct edit *e,
    const struct decision *d, bool held)
{
	struct rule_counts *n;

	if (note->fn != NULL) {
		note->fn(note->arg, r, e, d);
		return;
	}
	n = &r->hits->of[note->worker].n;
	if (held)
		COUNT(n->held);
	if (d->unknown)
		COUNT(n->unknown);
}

/* What is in a coding, or of another type, is not touched; such a rule does not hold, so its count says how many bodies it was for. */
static bool
replaces(const struct rule *r, const struct edit *e)
{
	return e->w->replaces < REPLACER_MOST &&
	       recode_replaces(e->s.answer, e->s.answer_buf, r->types);
}

/* One that holds. */
static void
apply(const struct rules *x, const struct rule *r, struct edit *e, const struct decide_note *note,
    struct decision *d)
{
	unsigned status;

	d->unknown = false;
	if (r->action == rule_action_use && !leads(x, r, e, d)) {
		tell(note, r, e, d, false);
		return;
	}
	if (r->action == rule_action_replace_body && !replaces(r, e))
		return;
	if (decide_final(r)) {
		d->end = r;
	} else {
		status = edit_apply(e, r, &d->groups);
		if (e->s.answer == NULL)
			d->status = status;
		if (r->last)
			d->end = r;
	}
	tell(note, r, e, d, true);
}

static void
walk(const struct rules *x, const struct rule *list, uint32_t n, struct edit *e,
    const struct decide_note *note, struct decision *d)
{
	d->end = NULL;
	d->status = 0;
	d->pool = (struct rules_pool){ 0 };
	d->unknown = false;
	for (uint32_t i = 0; i < n && d->end == NULL && d->status == 0; i++) {
		d->groups.n = 0;
		d->groups.value.p = NULL;
		if (when_test(&list[i].when, subject_get, &e->s, e->w->match, &d->groups))
			apply(x, &list[i], e, note, d);
	}
}

void
decide_request(
    const struct rules *x, struct edit *e, const struct decide_note *note, struct decision *out)
{
	walk(x, x->request, x->requests, e, note, out);
}

void
decide_answer(
    const struct rules *x, struct edit *e, const struct decide_note *note, struct decision *out)
{
	walk(x, x->answer, x->answers, e, note, out);
}
