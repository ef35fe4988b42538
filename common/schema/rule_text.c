/* Templates of content rules: reading and writing. */
#include "schema/rule_text.h"

#include "base/buf.h"
#include "schema/schema.h"

#include <stdio.h>
#include <string.h>

#define WORD_MOST 40

struct parse {
	const char *text;
	unsigned where, groups;
	struct arena *a;
	struct err *err;
	struct rule_text_item *item;
	unsigned n;
	uint32_t uses;
};

static int
no_word(struct parse *p, const char *at, const char *word)
{
	const char *names[WHEN_SOURCES], *near;
	struct buf all = { 0 };
	unsigned have = 0;
	int rc;

	for (unsigned i = 0; i < WHEN_SOURCES; i++) {
		if ((when_rows[i].where & p->where) == 0 || i == WHEN_body)
			continue;
		names[have++] = when_rows[i].name;
		buf_printf(&all, "%s{%s}", have > 1 ? ", " : "", when_rows[i].name);
	}
	near = words_nearest(names, have, word);
	rc = err_set(p->err, ERR_INVALID,
	    "column %u: {%s} is no part of a request%s%s%s; allowed are {0} to {9} and %s",
	    (unsigned)(at - p->text) + 1, word, near != NULL ? ", perhaps {" : "",
	    near != NULL ? near : "", near != NULL ? "}" : "", buf_text(&all));
	buf_fini(&all);
	return rc;
}

static int
read_group(struct parse *p, const char *at, char digit)
{
	unsigned g = (unsigned)(digit - '0');

	if (p->groups == 0)
		return err_set(p->err, ERR_INVALID,
		    "column %u: {%u} is a part of what a pattern matched, and the rule has none; allowed with "
		    "the operator matches, or with a pattern",
		    (unsigned)(at - p->text) + 1, g);
	if (g >= p->groups)
		return err_set(p->err, ERR_INVALID,
		    "column %u: {%u} is more than the patterns of the rule have; allowed is {0} to {%u}",
		    (unsigned)(at - p->text) + 1, g, p->groups - 1);
	p->item[p->n++] = (struct rule_text_item){ .kind = RULE_TEXT_GROUP, .what = (uint8_t)g };
	return 0;
}

/* What stands between braces; n bytes. */
static int
read_word(struct parse *p, const char *at, const char *s, size_t n)
{
	size_t name = strcspn(s, "(}"), k;
	char word[WORD_MOST + 1];
	unsigned i;

	if (n == 1 && s[0] >= '0' && s[0] <= '9')
		return read_group(p, at, s[0]);
	k = n < WORD_MOST ? n : WORD_MOST;
	memcpy(word, s, k);
	word[k] = '\0';
	for (i = 0; i < WHEN_SOURCES; i++)
		if (strlen(when_rows[i].name) == name && memcmp(when_rows[i].name, s, name) == 0)
			break;
	if (i == WHEN_SOURCES || i == WHEN_body || (when_rows[i].where & p->where) == 0)
		return no_word(p, at, word);
	if ((when_rows[i].argument != NULL) != (name < n) ||
	    (name < n && (s[n - 1] != ')' || n - name < 3)))
		return err_set(p->err, ERR_INVALID,
		    "column %u: {%s} is not allowed; allowed is {%s%s}",
		    (unsigned)(at - p->text) + 1, word, when_rows[i].name,
		    when_rows[i].argument != NULL ? "(NAME)" : "");
	p->uses |= 1u << i;
	p->item[p->n] = (struct rule_text_item){ .kind = RULE_TEXT_SOURCE, .what = (uint8_t)i };
	if (name < n) {
		p->item[p->n].len = (uint16_t)(n - name - 2);
		p->item[p->n].text = arena_text(p->a, s + name + 1, n - name - 2);
	}
	p->n++;
	return 0;
}

int
rule_text_parse(const char *text, unsigned where, unsigned groups, struct arena *a,
    struct rule_text *out, struct err *err)
{
	struct rule_text_item item[RULE_TEXT_ITEMS];
	struct parse p = { text, where, groups, a, err, item, 0, 0 };

	for (const char *s = text; *s != '\0';) {
		size_t n = strcspn(s, "{}");
		int rc;

		if (p.n == RULE_TEXT_ITEMS)
			return err_set(err, ERR_INVALID,
			    "more than %d words and texts between them", RULE_TEXT_ITEMS);
		if (n > 0 || s[0] == s[1]) {
			size_t len = n > 0 ? n : 1;

			item[p.n++] = (struct rule_text_item){ .kind = RULE_TEXT_LITERAL,
				.len = (uint16_t)len,
				.text = arena_text(a, s, len) };
			s += n > 0 ? n : 2;
			continue;
		}
		n = strcspn(s, "}");
		if (s[0] == '}' || s[n] == '\0')
			return err_set(err, ERR_INVALID,
			    "column %u: a brace alone; allowed is {WORD}, and two braces for one",
			    (unsigned)(s - text) + 1);
		rc = read_word(&p, s, s + 1, n - 1);
		if (rc != 0)
			return rc;
		s += n + 1;
	}
	*out = (struct rule_text){ .n = (uint16_t)p.n, .uses = p.uses };
	out->item = arena_alloc(a, (p.n + 1) * sizeof(*item));
	memcpy(out->item, item, p.n * sizeof(*item));
	return 0;
}

static bool
put(char *out, size_t *at, size_t room, const char *p, size_t n)
{
	if (n > room - *at)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		out[*at + i] = c < ' ' || c == 0x7f ? ' ' : p[i];
	}
	*at += n;
	return true;
}

/* A value that is no text. */
static void
as_text(unsigned source, struct when_found *f, char text[ADDR_TEXT])
{
	if (when_rows[source].type == WHEN_ADDR)
		addr_format(f->addr, ADDR_HOST, text);
	else if (when_rows[source].type == WHEN_NUMBER)
		(void)snprintf(text, ADDR_TEXT, "%llu", (unsigned long long)f->number);
	else
		return;
	f->text = text;
	f->len = (uint32_t)strlen(text);
}

long
rule_text_write(const struct rule_text *t, when_get_fn get, void *arg,
    const struct when_groups *groups, char *out, size_t room)
{
	size_t at = 0;

	for (unsigned i = 0; i < t->n; i++) {
		const struct rule_text_item *it = &t->item[i];
		struct when_found f = { .text = it->text, .len = it->len };
		char text[ADDR_TEXT];

		if (it->kind == RULE_TEXT_GROUP) {
			if (groups == NULL || it->what >= groups->n ||
			    groups->of[it->what].p == NULL)
				continue;
			f.text = groups->of[it->what].p;
			f.len = groups->of[it->what].len;
		} else if (it->kind == RULE_TEXT_SOURCE) {
			if (!get(arg, it->what, it->text, it->len, 0, &f))
				continue;
			as_text(it->what, &f, text);
		}
		if (!put(out, &at, room, f.text, f.len))
			return -1;
	}
	return (long)at;
}
