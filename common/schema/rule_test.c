/* Whether a condition holds. Each term is tested against every value that its source has now; one that fits is enough. A source that
 * is not there fits nothing. Pure: where values come from is the caller's business. */
#include "schema/rule_when.h"

#include <string.h>
#include <strings.h>

static bool
same(const char *a, const char *b, size_t n, bool nocase)
{
	return nocase ? strncasecmp(a, b, n) == 0 : memcmp(a, b, n) == 0;
}

static bool
contains(const char *s, size_t len, const char *what, size_t n, bool nocase)
{
	if (!nocase)
		return memmem(s, len, what, n) != NULL;
	for (size_t i = 0; i + n <= len; i++)
		if (strncasecmp(s + i, what, n) == 0)
			return true;
	return false;
}

/* A path by whole segments; a host by whole labels from the right. */
static bool
is_under(const char *s, size_t len, const struct when_value *v, bool host)
{
	size_t n = v->len;

	if (len < n)
		return false;
	if (host)
		return same(s + len - n, v->text, n, true) &&
		       (len == n || n == 0 || s[len - n - 1] == '.');
	if (!same(s, v->text, n, false))
		return false;
	return len == n || s[n] == '/' || s[n] == '?' || (n > 0 && s[n - 1] == '/');
}

/* A number in text: digits and nothing else. */
static bool
number_of(const struct when_found *f, bool text, uint64_t *out)
{
	uint64_t n = 0;

	*out = f->number;
	if (!text)
		return true;
	if (f->len == 0 || f->len > 18)
		return false;
	for (uint32_t i = 0; i < f->len; i++) {
		if (f->text[i] < '0' || f->text[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(f->text[i] - '0');
	}
	*out = n;
	return true;
}

static bool
compares(unsigned op, uint64_t a, uint64_t b)
{
	switch (op) {
	case WHEN_LESS: return a < b;
	case WHEN_MORE: return a > b;
	case WHEN_AT_MOST: return a <= b;
	default: return a >= b;
	}
}

static bool
found_match(const struct when_value *v, const struct when_found *f, struct pattern_match *m,
    struct when_groups *groups)
{
	size_t off, len;

	if (!pattern_find(v->pattern, m, f->text, f->len, 0))
		return false;
	if (groups == NULL)
		return true;
	groups->n = PATTERN_GROUPS;
	for (unsigned i = 0; i < PATTERN_GROUPS; i++) {
		bool there = pattern_group(m, i, &off, &len);

		groups->of[i] =
		    (struct when_group){ there ? f->text + off : NULL, there ? (uint32_t)len : 0 };
	}
	return true;
}

static bool
in_list(const struct when_value *v, unsigned type, const struct when_found *f,
    struct when_groups *groups)
{
	struct when_group value = { 0 };

	if (v->set == NULL || !v->has(v->set, type, f, &value.p, &value.len))
		return false;
	if (groups != NULL)
		groups->value = value;
	return true;
}

/* One value of a term against one of its source. */
static bool
fits(const struct when_term *t, const struct when_value *v, const struct when_found *f,
    struct pattern_match *m, struct when_groups *groups)
{
	unsigned type = when_rows[t->source].type;
	bool nocase = type == WHEN_NOCASE;
	uint64_t number;

	switch ((enum when_op)t->op) {
	case WHEN_IS:
		if (v->list != NULL)
			return in_list(v, type, f, groups);
		if (type == WHEN_ADDR)
			return addr_contains(&v->net, f->addr);
		if (type == WHEN_NUMBER)
			return f->number == v->number;
		return f->len == v->len && same(f->text, v->text, v->len, nocase);
	case WHEN_STARTS: return f->len >= v->len && same(f->text, v->text, v->len, nocase);
	case WHEN_ENDS:
		return f->len >= v->len && same(f->text + f->len - v->len, v->text, v->len, nocase);
	case WHEN_CONTAINS: return contains(f->text, f->len, v->text, v->len, nocase);
	case WHEN_UNDER: return is_under(f->text, f->len, v, nocase);
	case WHEN_MATCHES: return found_match(v, f, m, groups);
	case WHEN_LESS:
	case WHEN_MORE:
	case WHEN_AT_MOST:
	case WHEN_AT_LEAST:
		return number_of(f, type != WHEN_NUMBER, &number) &&
		       compares(t->op, number, v->number);
	case WHEN_EXISTS:
	case WHEN_OPS: break;
	}
	return false;
}

bool
when_fits(const struct when_term *t, const struct when_value *v, const char *text, uint32_t len)
{
	const struct when_found f = { .text = text, .len = len };

	return fits(t, v, &f, NULL, NULL);
}

static bool
holds(const struct when_term *t, when_get_fn get, void *arg, struct pattern_match *m,
    struct when_groups *groups)
{
	const char *name = t->meter != NULL ? (const void *)t->meter : t->name;
	struct when_found f = { 0 };

	for (unsigned nth = 0; get(arg, t->source, name, t->name_len, nth, &f); nth++) {
		if (t->op == WHEN_EXISTS)
			return true;
		for (unsigned i = 0; i < t->n; i++)
			if (fits(t, &t->value[i], &f, m, groups))
				return true;
	}
	return false;
}

bool
when_test(const struct when *w, when_get_fn get, void *arg, struct pattern_match *m,
    struct when_groups *groups)
{
	uint16_t at = 0;

	if (w->n == 0)
		return true;
	while (at < w->n)
		at = holds(&w->term[at], get, arg, m, groups) ? w->term[at].yes : w->term[at].no;
	return at == WHEN_TRUE;
}
