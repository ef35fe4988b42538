/* Values of conditions: texts, numbers, networks, words, patterns, names of lists. */
#include "schema/rule_when_priv.h"

#include "base/buf.h"
#include "base/must.h"
#include "schema/schema.h"

#include <stdlib.h>
#include <string.h>

#define VALUES_MOST 1000 /* of one term; more than the text can hold */

/* Text in quotes, or up to what ends a word; copied. */
static int
read_text(struct parse *p, struct when_value *v)
{
	const char *s = p->at, *from = s;
	char quote = *s == '"' || *s == '\'' ? *s : '\0', *out;

	if (quote == '\0') {
		size_t n = strcspn(s, " \t(),\"'");

		if (n == 0)
			return when_refuse(p, s, "a value");
		p->at += n;
		v->text = arena_text(p->a, s, n);
		v->len = (uint32_t)n;
		return 0;
	}
	out = arena_alloc(p->a, strlen(s) + 1);
	v->text = out;
	for (s++; *s != quote; s++) {
		if (*s == '\0')
			return err_set(p->err, ERR_INVALID,
			    "column %u: the quote that begins here has no end",
			    when_column(p, from));
		if (quote == '"' && *s == '\\' && (s[1] == '"' || s[1] == '\\'))
			s++;
		*out++ = *s;
	}
	*out = '\0';
	v->len = (uint32_t)(out - v->text);
	p->at = s + 1;
	return 0;
}

static int
value_text(struct parse *p, const char *at, const struct when_term *t, struct when_value *v)
{
	(void)p, (void)at;
	if (t->op == WHEN_UNDER && when_rows[t->source].type == WHEN_TEXT)
		while (v->len > 1 && v->text[v->len - 1] == '/') /* "/api/" is "/api" */
			v->len--;
	return 0;
}

static int
value_number(struct parse *p, const char *at, const struct when_term *t, struct when_value *v)
{
	size_t n = strspn(v->text, "0123456789");

	(void)t;
	if (n == 0 || n != v->len || n > 18)
		return err_set(p->err, ERR_INVALID,
		    "column %u: \"%.*s\" is no number; allowed is 0 "
		    "to 999999999999999999",
		    when_column(p, at), SHOWN, v->text);
	v->number = strtoull(v->text, NULL, 10);
	return 0;
}

static int
value_net(struct parse *p, const char *at, const struct when_term *t, struct when_value *v)
{
	(void)t;
	if (addr_parse(v->text, ADDR_NET, &v->net) == 0 && v->net.family != 0)
		return 0;
	return err_set(p->err, ERR_INVALID,
	    "column %u: \"%.*s\" is no address; allowed are addresses and networks as 10.0.0.0/8, with no "
	    "bits behind the prefix",
	    when_column(p, at), SHOWN, v->text);
}

static int
value_word(struct parse *p, const char *at, const struct when_term *t, struct when_value *v)
{
	const char *words = when_rows[t->source].words, *s = words;

	while (*s != '\0') {
		size_t n = strcspn(s, "|");

		if (n == v->len && memcmp(s, v->text, n) == 0)
			return 0;
		s += n + (s[n] == '|');
	}
	return err_set(p->err, ERR_INVALID, "column %u: %s is never \"%.*s\"; allowed is %s",
	    when_column(p, at), when_rows[t->source].name, SHOWN, v->text, words);
}

static int
value_pattern(struct parse *p, const char *at, const struct when_term *t, struct when_value *v)
{
	struct err why;

	(void)t;
	v->pattern = pattern_new(v->text, v->len, p->fast, &why);
	if (v->pattern == NULL)
		return err_set(p->err, ERR_INVALID, "column %u: %s", when_column(p, at), why.text);
	p->w->patterns = true;
	return 0;
}

/* "@office"; whether there is such a list, and of which kind, is for who knows the configuration. */
static int
value_list(struct parse *p, const char *at, const struct when_term *t, struct when_value *v)
{
	unsigned type = when_rows[t->source].type;

	if (type == WHEN_NUMBER || type == WHEN_WORD)
		return err_set(p->err, ERR_INVALID,
		    "column %u: %s is looked up in no list; allowed are values, and lists for texts and addresses",
		    when_column(p, at), when_rows[t->source].name);
	if (v->len < 2)
		return when_refuse(p, at, "the name of a list behind @");
	v->list = v->text + 1;
	return 0;
}

/* Kinds of operands: what reads them once their text is there. */
typedef int (*value_fn)(
    struct parse *p, const char *at, const struct when_term *t, struct when_value *v);
static const value_fn kinds[] = {
	[WHEN_TEXT] = value_text,
	[WHEN_NOCASE] = value_text,
	[WHEN_ADDR] = value_net,
	[WHEN_NUMBER] = value_number,
	[WHEN_WORD] = value_word,
};

static value_fn
kind_of(const struct when_term *t)
{
	switch (t->op) {
	case WHEN_MATCHES: return value_pattern;
	case WHEN_LESS:
	case WHEN_MORE:
	case WHEN_AT_MOST:
	case WHEN_AT_LEAST: return value_number;
	default: return kinds[when_rows[t->source].type];
	}
}

/* What needs not come after the first value. */
static bool
one_only(unsigned op)
{
	return op >= WHEN_LESS;
}

static unsigned
count_values(const char *s)
{
	unsigned n = 1;

	for (; *s != '\0' && n < VALUES_MOST; s++)
		n += *s == ',';
	return n;
}

int
when_read_values(struct parse *p, struct when_term *t)
{
	unsigned room = count_values(p->at);
	int rc;

	/* A term that has its values shows it, so that patterns are freed when a later one is wrong. */
	t->value = arena_alloc(p->a, room * sizeof(*t->value));
	do {
		struct when_value *v = &t->value[t->n];
		const char *at;

		when_skip(p);
		at = p->at;
		rc = read_text(p, v);
		if (rc == 0)
			rc = *at == '@' && t->op == WHEN_IS ? value_list(p, at, t, v)
							    : kind_of(t)(p, at, t, v);
		if (rc != 0)
			return rc;
		t->n++;
		when_skip(p);
	} while (*p->at == ',' && !one_only(t->op) && t->n < room && p->at++ != NULL);
	return 0;
}
