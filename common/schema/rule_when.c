/* Conditions as programs.
 *
 * A condition becomes a flat list of terms in the order in which they were written; each says where to go on when it holds and when
 * not, so "and", "or" and "not" cost nothing later. While it is read, the ends of a part that lead nowhere yet are chained through
 * the terms themselves: an end is the number of a term times two, plus one for its "no", plus one; 0 ends the chain. */
#include "schema/rule_when_priv.h"

#include "base/buf.h"
#include "base/must.h"
#include "schema/schema.h"

#include <stdlib.h>
#include <string.h>

#define TEXT .type = WHEN_TEXT
#define NOCASE .type = WHEN_NOCASE
#define ADDR .type = WHEN_ADDR
#define NUMBER .type = WHEN_NUMBER
#define WORD(list) .type = WHEN_WORD, .words = list
#define SOURCE(id, n, t, a, w, h) { .name = n, t, .argument = a, .where = w, .help = h },
const struct when_row when_rows[WHEN_SOURCES] = {
#include "schema/rule_words.def"
};
#undef SOURCE
_Static_assert(WHEN_SOURCES <= 32, "uses of a condition and of a template has a bit for each");

#define WORD_MOST 40  /* bytes of a field or an operator */
#define NAME_MOST 100 /* of a header, cookie or parameter */

struct part {
	uint16_t first;	  /* term */
	uint32_t yes, no; /* chains of ends */
};

/* ---- words ------------------------------------------------------------------------------------ */

static const struct op {
	const char *text;
	uint8_t op;
	uint8_t types; /* a bit for each type that can do it */
} ops[] = {
#define TEXTS (1u << WHEN_TEXT | 1u << WHEN_NOCASE)
	{ "is", WHEN_IS, 0xff },
	{ "in", WHEN_IS, 0xff },
	{ "starts", WHEN_STARTS, TEXTS },
	{ "ends", WHEN_ENDS, TEXTS },
	{ "contains", WHEN_CONTAINS, TEXTS },
	{ "matches", WHEN_MATCHES, TEXTS },
	{ "under", WHEN_UNDER, TEXTS },
	{ "exists", WHEN_EXISTS, 0xff },
	{ "<=", WHEN_AT_MOST, TEXTS | 1u << WHEN_NUMBER },
	{ ">=", WHEN_AT_LEAST, TEXTS | 1u << WHEN_NUMBER },
	{ "<", WHEN_LESS, TEXTS | 1u << WHEN_NUMBER },
	{ ">", WHEN_MORE, TEXTS | 1u << WHEN_NUMBER },
};

unsigned
when_column(const struct parse *p, const char *at)
{
	return (unsigned)(at - p->text) + 1;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

void
when_skip(struct parse *p)
{
	while (is_space(*p->at))
		p->at++;
}

/* Bytes of a word: of a field, or of an operator in letters. */
static size_t
word_len(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-@");
}

/* The word "and", "or" or "not" stands here; it is read over. */
static bool
take_word(struct parse *p, const char *word)
{
	size_t n = strlen(word);

	when_skip(p);
	if (word_len(p->at) != n || memcmp(p->at, word, n) != 0)
		return false;
	p->at += n;
	return true;
}

/* What stands at a place, for people. */
int
when_refuse(struct parse *p, const char *at, const char *allowed)
{
	size_t n = strcspn(at, " \t(),");

	if (n == 0 && *at != '\0')
		n = 1;
	if (*at == '\0')
		return err_set(p->err, ERR_INVALID, "column %u: it ends here; allowed is %s",
		    when_column(p, at), allowed);
	return err_set(p->err, ERR_INVALID, "column %u: \"%.*s\" has no place here; allowed is %s",
	    when_column(p, at), (int)(n < SHOWN ? n : SHOWN), at, allowed);
}

/* ---- ends ------------------------------------------------------------------------------------- */

static uint16_t *
end_at(const struct when *w, uint32_t end)
{
	struct when_term *t = &w->term[(end - 1) / 2];

	return (end - 1) % 2 == 0 ? &t->yes : &t->no;
}

static void
lead(const struct when *w, uint32_t chain, uint16_t to)
{
	while (chain != 0) {
		uint16_t *at = end_at(w, chain);

		chain = *at;
		*at = to;
	}
}

static uint32_t
join(const struct when *w, uint32_t a, uint32_t b)
{
	uint32_t last = a;

	if (a == 0)
		return b;
	while (*end_at(w, last) != 0)
		last = *end_at(w, last);
	*end_at(w, last) = (uint16_t)b;
	return a;
}

/* ---- terms ------------------------------------------------------------------------------------ */

static int
no_field(struct parse *p, const char *at, size_t n)
{
	const char *names[WHEN_SOURCES], *near;
	struct buf all = { 0 };
	char word[WORD_MOST + 1];
	unsigned have = 0;
	int rc;

	for (unsigned i = 0; i < WHEN_SOURCES; i++) {
		if ((when_rows[i].where & p->where) == 0)
			continue;
		names[have++] = when_rows[i].name;
		buf_printf(&all, "%s%s", have > 1 ? ", " : "", when_rows[i].name);
	}
	n = n < WORD_MOST ? n : WORD_MOST;
	memcpy(word, at, n);
	word[n] = '\0';
	near = words_nearest(names, have, word);
	rc = err_set(p->err, ERR_INVALID,
	    "column %u: \"%s\" is no field of a condition%s%s; allowed are %s", when_column(p, at),
	    word, near != NULL ? ", perhaps " : "", near != NULL ? near : "", buf_text(&all));
	buf_fini(&all);
	return rc;
}

static int
misplaced(struct parse *p, const char *at, const struct when_row *r)
{
	return err_set(p->err, ERR_INVALID, "column %u: %s is not known %s", when_column(p, at),
	    r->name,
	    (p->where & W_TCP) != 0 ? "in mode tcp, where requests are not read"
	    : (r->where & W_TCP) != 0 && (r->where & W_REQUEST) == 0 ? "in mode http"
	    : (r->where & W_ANSWER) != 0
		? "before there is an answer; allowed are rules with on=answer"
		: "any more when the answer comes; allowed are rules with on=request");
}

static int
read_meter(struct parse *p, struct when_term *t)
{
	struct err why;
	int rc;

	t->meter = arena_alloc(p->a, sizeof(*t->meter));
	rc = rule_meter_parse(
	    p->at, p->where, t->source == WHEN_conns, p->a, t->meter, &p->at, &why);
	return rc == 0 ? 0 : err_set(p->err, rc, "column %u: %s", when_column(p, p->at), why.text);
}

/* The name in parentheses. */
static int
read_argument(struct parse *p, struct when_term *t)
{
	const char *argument = when_rows[t->source].argument;
	size_t n;

	if (t->source == WHEN_rate || t->source == WHEN_conns)
		return read_meter(p, t);
	if (argument == NULL)
		return *p->at == '(' ? when_refuse(p, p->at, "an operator") : 0;
	if (*p->at != '(')
		return err_set(p->err, ERR_INVALID,
		    "column %u: the name is missing; allowed is %s(%s)", when_column(p, p->at),
		    when_rows[t->source].name, argument);
	p->at++;
	n = strcspn(p->at, ") \t\"'(");
	if (n == 0 || n > NAME_MOST || p->at[n] != ')')
		return when_refuse(
		    p, p->at, "a name of up to 100 bytes, and a parenthesis that closes");
	t->name = arena_text(p->a, p->at, n);
	t->name_len = (uint16_t)n;
	p->at += n + 1;
	return 0;
}

static int
read_source(struct parse *p, struct when_term *t)
{
	const char *at = p->at;
	size_t n = word_len(at);
	unsigned i;

	if (n == 0)
		return when_refuse(p, at, "a field, not or a parenthesis");
	for (i = 0; i < WHEN_SOURCES; i++)
		if (strlen(when_rows[i].name) == n && memcmp(when_rows[i].name, at, n) == 0)
			break;
	if (i == WHEN_SOURCES)
		return no_field(p, at, n);
	if ((when_rows[i].where & p->where) == 0 ||
	    ((i == WHEN_body || i == WHEN_rate || i == WHEN_conns) && (p->where & W_ANSWER) != 0))
		return misplaced(p, at, &when_rows[i]);
	t->source = (uint8_t)i;
	p->at += n;
	p->w->uses |= 1u << i;
	return read_argument(p, t);
}

static int
no_operator(struct parse *p, const struct when_term *t, const char *at, size_t n)
{
	const char *names[ARRAY_LEN(ops)], *near;
	struct buf all = { 0 };
	char word[WORD_MOST + 1];
	unsigned have = 0;
	int rc;

	for (unsigned i = 0; i < ARRAY_LEN(ops); i++) {
		if ((ops[i].types & 1u << when_rows[t->source].type) == 0)
			continue;
		names[have++] = ops[i].text;
		buf_printf(&all, "%s%s", have > 1 ? ", " : "", ops[i].text);
	}
	n = n < WORD_MOST ? n : WORD_MOST;
	memcpy(word, at, n);
	word[n] = '\0';
	near = words_nearest(names, have, word);
	rc = err_set(p->err, ERR_INVALID,
	    "column %u: \"%s\" is no operator of %s%s%s; allowed are %s", when_column(p, at), word,
	    when_rows[t->source].name, near != NULL ? ", perhaps " : "", near != NULL ? near : "",
	    buf_text(&all));
	buf_fini(&all);
	return rc;
}

static int
read_operator(struct parse *p, struct when_term *t)
{
	const char *at;
	size_t n;

	when_skip(p);
	at = p->at;
	n = word_len(at);
	if (n == 0)
		n = strspn(at, "<>=");
	for (unsigned i = 0; i < ARRAY_LEN(ops); i++) {
		if (strlen(ops[i].text) != n || memcmp(ops[i].text, at, n) != 0 ||
		    (ops[i].types & 1u << when_rows[t->source].type) == 0)
			continue;
		t->op = ops[i].op;
		p->at += n;
		return 0;
	}
	if (n == 0)
		return when_refuse(p, at,
		    "an operator: is, in, starts, ends, contains, matches, under, exists, "
		    "<, >, <=, >=");
	return no_operator(p, t, at, n);
}

static int
read_term(struct parse *p, struct part *out)
{
	struct when *w = p->w;
	struct when_term *t;
	int rc;

	if (w->n == WHEN_TERMS_MAX)
		return err_set(p->err, ERR_INVALID, "column %u: more than %d comparisons",
		    when_column(p, p->at), WHEN_TERMS_MAX);
	out->first = w->n;
	out->yes = 2u * w->n + 1;
	out->no = 2u * w->n + 2;
	t = &w->term[w->n++];
	rc = read_source(p, t);
	if (rc == 0)
		rc = read_operator(p, t);
	if (rc == 0 && t->op != WHEN_EXISTS)
		rc = when_read_values(p, t);
	return rc;
}

/* ---- and, or, not ----------------------------------------------------------------------------- */

static int read_or(struct parse *p, struct part *out);

static int
read_not(struct parse *p, struct part *out)
{
	bool turned = false;
	uint32_t yes;
	int rc;

	*out = (struct part){ .first = 0 };
	while (take_word(p, "not"))
		turned = !turned;
	if (*p->at == '(') {
		if (p->depth == WHEN_DEPTH_MAX)
			return err_set(p->err, ERR_INVALID,
			    "column %u: more than %d parentheses within each other",
			    when_column(p, p->at), WHEN_DEPTH_MAX);
		p->depth++;
		p->at++;
		rc = read_or(p, out);
		p->depth--;
		if (rc == 0 && *p->at != ')')
			rc = when_refuse(p, p->at, "and, or, or a parenthesis that closes");
		p->at += rc == 0;
	} else {
		rc = read_term(p, out);
	}
	when_skip(p);
	if (rc != 0 || !turned)
		return rc;
	yes = out->yes;
	out->yes = out->no;
	out->no = yes;
	return 0;
}

static int
read_and(struct parse *p, struct part *out)
{
	struct part next = { .first = 0 };
	int rc = read_not(p, out);

	while (rc == 0 && take_word(p, "and")) {
		rc = read_not(p, &next);
		if (rc != 0)
			break;
		lead(p->w, out->yes, next.first);
		out->yes = next.yes;
		out->no = join(p->w, out->no, next.no);
	}
	return rc;
}

static int
read_or(struct parse *p, struct part *out)
{
	struct part next = { .first = 0 };
	int rc = read_and(p, out);

	while (rc == 0 && take_word(p, "or")) {
		rc = read_and(p, &next);
		if (rc != 0)
			break;
		lead(p->w, out->no, next.first);
		out->no = next.no;
		out->yes = join(p->w, out->yes, next.yes);
	}
	return rc;
}

int
when_parse(
    const char *text, unsigned where, bool fast, struct arena *a, struct when *out, struct err *err)
{
	struct when_term term[WHEN_TERMS_MAX] = { 0 };
	struct when w = { .term = term };
	struct parse p = {
		.text = text, .at = text, .where = where, .fast = fast, .a = a, .err = err, .w = &w
	};
	struct part all = { .first = 0 };
	int rc;

	*out = (struct when){ 0 };
	when_skip(&p);
	if (*p.at == '\0')
		return 0;
	rc = read_or(&p, &all);
	if (rc == 0 && *p.at != '\0')
		rc = when_refuse(&p, p.at, *p.at == ',' ? "one value here" : "and, or, or the end");
	if (rc != 0) {
		when_fini(&w);
		return rc;
	}
	lead(&w, all.yes, WHEN_TRUE);
	lead(&w, all.no, WHEN_FALSE);
	w.term = arena_alloc(a, w.n * sizeof(*w.term));
	memcpy(w.term, term, w.n * sizeof(*w.term));
	*out = w;
	return 0;
}

void
when_fini(struct when *w)
{
	for (unsigned i = 0; w->patterns && i < w->n; i++)
		for (unsigned k = 0; k < w->term[i].n; k++)
			pattern_free(w->term[i].value[k].pattern);
	*w = (struct when){ 0 };
}
