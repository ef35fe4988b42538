/* Which conditions hold whenever another one does.
 *
 * The later condition is walked along each of its ways to "true"; the terms on the way are facts. The earlier one must hold by these
 * facts, whatever its other terms are. A fact says something of a term of the same source: "path is /a/b" makes "path under /a"
 * true, and where "path under /a" is false "path is /a/b" is too. A source may have many values (header fields): one that fits
 * is enough for both, so that holds for them too. Lists are known by their name, patterns by their text. */
#include "store/rule_covers.h"

#include "base/buf.h"
#include "schema/schema.h"

#include <string.h>
#include <strings.h>

struct fact {
	const struct when_term *t;
	bool holds;
};
struct search {
	const struct when *earlier, *later;
	struct fact fact[2 * WHEN_TERMS_MAX];
	unsigned n, *steps;
	bool any; /* there is a way */
};

static bool
may_go_on(struct search *s)
{
	if (*s->steps > 0)
		--*s->steps;
	return *s->steps > 0;
}

static bool
same_meter(const struct when_meter *a, const struct when_meter *b)
{
	struct buf x = { 0 }, y = { 0 };
	bool same;

	if (a == NULL || b == NULL)
		return a == b;
	rule_meter_format(a, &x);
	rule_meter_format(b, &y);
	same = x.len == y.len && memcmp(x.p, y.p, x.len) == 0;
	buf_fini(&x);
	buf_fini(&y);
	return same;
}

static bool
same_source(const struct when_term *a, const struct when_term *b)
{
	return a->source == b->source && a->name_len == b->name_len &&
	       (a->name_len == 0 || strncasecmp(a->name, b->name, a->name_len) == 0) &&
	       same_meter(a->meter, b->meter) &&
	       /* Names of cookies and parameters are not those of header fields. */
	       (a->name_len == 0 || a->source == WHEN_header || a->source == WHEN_answer_header ||
		   memcmp(a->name, b->name, a->name_len) == 0);
}

/* ---- values ------------------------------------------------------------------------------------ */

static bool
is_order(unsigned op)
{
	return op == WHEN_LESS || op == WHEN_MORE || op == WHEN_AT_MOST || op == WHEN_AT_LEAST;
}

/* From lo to hi; false: none. */
static bool
interval(unsigned op, uint64_t n, uint64_t *lo, uint64_t *hi)
{
	*lo = op == WHEN_IS || op == WHEN_AT_LEAST ? n : op == WHEN_MORE ? n + 1 : 0;
	*hi = op == WHEN_IS || op == WHEN_AT_MOST ? n : op == WHEN_LESS ? n - 1 : UINT64_MAX;
	return (op != WHEN_MORE || n < UINT64_MAX) && (op != WHEN_LESS || n > 0);
}

static bool
number_within(unsigned op, uint64_t n, unsigned in_op, uint64_t in)
{
	uint64_t lo, hi, in_lo, in_hi;

	if (!interval(op, n, &lo, &hi))
		return true;
	return interval(in_op, in, &in_lo, &in_hi) && lo >= in_lo && hi <= in_hi;
}

/* All texts that fit x by op fit y by in_op. */
static bool
text_within(const struct when_term *t, const struct when_value *x, const struct when_term *in,
    const struct when_value *y)
{
	bool host = when_rows[t->source].type == WHEN_NOCASE, path_end;
	unsigned op = t->op, in_op = in->op;

	if (!when_fits(in, y, x->text, x->len))
		return false;
	if (op == WHEN_IS || in_op == WHEN_CONTAINS)
		return true;
	/* Now both are about the beginning, or both about the end. */
	if (in_op == WHEN_STARTS)
		return op == WHEN_STARTS || (op == WHEN_UNDER && !host);
	if (in_op == WHEN_ENDS)
		return op == WHEN_ENDS || (op == WHEN_UNDER && host);
	if (in_op != WHEN_UNDER)
		return false;
	path_end = y->len > 0 && y->text[y->len - 1] == '/';
	return op == WHEN_UNDER ||
	       (op == (host ? WHEN_ENDS : WHEN_STARTS) && (x->len > y->len || (!host && path_end)));
}

static bool
value_within(const struct when_term *t, const struct when_value *x, const struct when_term *in,
    const struct when_value *y)
{
	unsigned type = when_rows[t->source].type;

	if (x->list != NULL || y->list != NULL)
		return x->list != NULL && y->list != NULL && strcmp(x->list, y->list) == 0 &&
		       t->op == in->op;
	if (t->op == WHEN_MATCHES || in->op == WHEN_MATCHES)
		return t->op == in->op && x->len == y->len && memcmp(x->text, y->text, x->len) == 0;
	if (type == WHEN_NUMBER || (is_order(t->op) && is_order(in->op)))
		return number_within(t->op, x->number, in->op, y->number);
	if (is_order(t->op) || is_order(in->op))
		return false;
	if (type == WHEN_ADDR)
		return y->net.len <= x->net.len && addr_contains(&y->net, &x->net);
	return text_within(t, x, in, y);
}

/* Whenever t holds, so does in. */
static bool
term_within(struct search *s, const struct when_term *t, const struct when_term *in)
{
	if (!same_source(t, in))
		return false;
	if (in->op == WHEN_EXISTS || t->op == WHEN_EXISTS)
		return in->op == WHEN_EXISTS;
	for (unsigned i = 0; i < t->n; i++) {
		bool found = false;

		for (unsigned k = 0; !found && k < in->n; k++) {
			if (!may_go_on(s))
				return false;
			found = value_within(t, &t->value[i], in, &in->value[k]);
		}
		if (!found)
			return false;
	}
	return true;
}

/* ---- ways -------------------------------------------------------------------------------------- */

/* 1 holds, 0 does not, -1 is not known. */
static int
known(struct search *s, const struct when_term *t)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct fact *f = &s->fact[i];

		if (f->t->source != t->source)
			continue;
		if (f->holds && term_within(s, f->t, t))
			return 1;
		if (!f->holds && term_within(s, t, f->t))
			return 0;
	}
	return -1;
}

static bool sure_with(struct search *s, const struct when_term *t, bool holds);

/* By the facts, the earlier condition holds from this term on. */
static bool
sure(struct search *s, uint16_t at)
{
	const struct when_term *t;
	int is;

	if (at == WHEN_TRUE || at == WHEN_FALSE)
		return at == WHEN_TRUE;
	if (!may_go_on(s))
		return false;
	t = &s->earlier->term[at];
	is = known(s, t);
	return (is == 0 || sure_with(s, t, true)) && (is == 1 || sure_with(s, t, false));
}

static bool
sure_with(struct search *s, const struct when_term *t, bool holds)
{
	bool is;

	s->fact[s->n++] = (struct fact){ t, holds };
	is = sure(s, holds ? t->yes : t->no);
	s->n--;
	return is;
}

/* On each way on which the later condition holds from this term on. */
static bool
each_way(struct search *s, uint16_t at)
{
	const struct when_term *t;
	bool all = true;
	int is;

	if (at == WHEN_FALSE)
		return true;
	if (at == WHEN_TRUE) {
		s->any = true;
		return sure(s, 0);
	}
	if (!may_go_on(s))
		return false;
	t = &s->later->term[at];
	is = known(s, t);
	for (int way = 1; all && way >= 0; way--) {
		if (is == !way)
			continue;
		s->fact[s->n++] = (struct fact){ t, way == 1 };
		all = each_way(s, way == 1 ? t->yes : t->no);
		s->n--;
	}
	return all;
}

bool
rule_covers(const struct when *earlier, const struct when *later, unsigned *steps)
{
	struct search s;

	if (earlier->n == 0)
		return true;
	if (later->n == 0 || (earlier->uses & later->uses) == 0)
		return false; /* what always holds is no fact about anything */
	s.earlier = earlier;
	s.later = later;
	s.n = 0;
	s.steps = steps;
	s.any = false;
	/* What can never hold is another mistake than this one. */
	return each_way(&s, 0) && s.any && *steps > 0;
}

void
rule_seat_init(
    struct rule_seat *s, const struct content_rule *r, const struct when *when, unsigned *turns)
{
	*s = (struct rule_seat){ *when, r->on == rule_on_answer, rule_ends(r), 0 };
	if (!s->answer)
		s->turn = *turns;
	*turns += r->action == rule_action_rewrite;
}

bool
rule_sees_same(const struct rule_seat *earlier, const struct rule_seat *later)
{
	const uint32_t target =
	    1u << WHEN_path | 1u << WHEN_url | 1u << WHEN_query | 1u << WHEN_param;

	return earlier->answer == later->answer &&
	       (earlier->turn == later->turn || (earlier->when.uses & target) == 0);
}

bool
rule_hides(const struct rule_seat *earlier, const struct rule_seat *later, unsigned *steps)
{
	return earlier->ends && rule_sees_same(earlier, later) &&
	       rule_covers(&earlier->when, &later->when, steps);
}
