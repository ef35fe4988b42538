/* use_backend with a name that is made of the request: %[req.hdr(host),lower,map_dom(FILE,DEFAULT)] and its like.
 *
 * A file whose entries a list can have as they are becomes that list, and one rule with pool_by={value}; it can be changed as with
 * HAProxy. Where the first entry counts and not the best, where an entry is a pattern, or where backends have rules of their own,
 * each run of entries with one value becomes a rule. With HAProxy a name of no backend ends the choice: the default backend
 * takes it, and no later line is looked at. */
#include "import/haproxy_switch.h"

#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MOST 500 /* that become rules */
#define RUN_MOST 30	 /* entries in one condition */

#define LIST_WHY "the list can be changed: lbctl list add"

/* What stands in a line. */
struct asked {
	struct hap *h;
	const struct hap_proxy *front;
	struct hap_proxy *rest;
	const struct hap_line *l;
	const char *when;
	struct hap_uses *out;
	const char *before, *after;   /* of the name, around what is made of the request */
	const char *fetch;	      /* with its converters, but for the map */
	const char *method;	      /* of the map; NULL: there is none */
	const char *file, *otherwise; /* otherwise: its default; NULL */
	const struct hap_map *map;
	bool nocase; /* letters of either case are alike to the field */
};

static const char *
text_of(struct hap *h, const char *p, size_t n)
{
	return arena_text(h->im->a, p, n);
}

/* ---- the word --------------------------------------------------------------------------------------------------------- */

/* The end of what stands at s up to a comma or a bracket that is not within parentheses. */
static const char *
part_end(const char *s, char stop)
{
	int depth = 0;

	for (; *s != '\0' && (depth > 0 || *s != stop); s++)
		depth += *s == '(' ? 1 : *s == ')' ? -1 : 0;
	return s;
}

/* "map_beg(FILE,DEFAULT)" of n bytes. NULL: good; else why not. */
static const char *
read_map(struct asked *q, const char *p, size_t n)
{
	const char *open = memchr(p, '(', n), *comma;
	size_t name = open != NULL ? (size_t)(open - p) : 0, args;

	if (open == NULL || p[n - 1] != ')')
		return "a map needs the name of its file";
	q->method = name > 4 ? text_of(q->h, p + 4, name - 4) : "str";
	args = (size_t)(p + n - 1 - (open + 1));
	comma = memchr(open + 1, ',', args);
	q->file = text_of(q->h, open + 1, comma != NULL ? (size_t)(comma - open - 1) : args);
	if (comma != NULL)
		q->otherwise = text_of(q->h, comma + 1, (size_t)(p + n - 1 - (comma + 1)));
	return NULL;
}

/* "BEFORE%[FETCH,map(FILE,DEFAULT)]AFTER" */
static const char *
read_word(struct asked *q)
{
	const char *w = q->l->w[1], *open = strstr(w, "%["), *end, *p, *comma = NULL;

	if (open == NULL || memchr(w, '%', (size_t)(open - w)) != NULL)
		return "the name is made of one field of the request";
	p = open + 2;
	end = part_end(p, ']');
	if (*end == '\0' || strchr(end, '%') != NULL)
		return "the name is made of one field of the request";
	q->before = text_of(q->h, w, (size_t)(open - w));
	q->after = end + 1;
	for (const char *s = part_end(p, ','); s < end; s = part_end(s + 1, ','))
		comma = s;
	if (comma == NULL ||
	    (strncmp(comma + 1, "map(", 4) != 0 && strncmp(comma + 1, "map_", 4) != 0)) {
		q->fetch = text_of(q->h, p, (size_t)(end - p));
		return NULL;
	}
	q->fetch = text_of(q->h, p, (size_t)(comma - p));
	return read_map(q, comma + 1, (size_t)(end - comma - 1));
}

/* ---- backends ----------------------------------------------------------------------------------------------------------- */

static struct hap_proxy *
backend_of(const struct asked *q, const char *value)
{
	struct buf name = { 0 };
	struct hap_proxy *back;

	buf_printf(&name, "%s%s%s", q->before, value, q->after);
	back = hap_backend(q->h, buf_text(&name));
	buf_fini(&name);
	return back != NULL && back->http == q->front->http ? back : NULL;
}

/* Whether pool_by finds it by the name that it has with HAProxy, and nothing else belongs to it. */
static bool
is_plain(const struct asked *q, struct hap_proxy *back)
{
	const char *pool;

	if (back == q->rest)
		return true; /* what no rule takes is its */
	if (hap_rules_of(q->h, back)->first != NULL)
		return false;
	pool = hap_pool_of(q->h, q->front, back);
	return pool != NULL && strcmp(pool, back->name) == 0;
}

static bool
answers_matter(const struct asked *q)
{
	if (q->rest == q->front)
		return false;
	for (const struct hap_rule_row *r = hap_rules_of(q->h, q->rest)->first; r != NULL;
	     r = r->next)
		if (r->answer)
			return true;
	return false;
}

/* ---- conditions --------------------------------------------------------------------------------------------------------- */

static void
put_word(struct hap_line *l, const char *word)
{
	if (l->n < IMPORT_WORDS_MAX)
		l->w[l->n++] = word;
}

/* FETCH -m METHOD WORD..., as an acl would say it. NULL: it cannot be taken. */
static const char *
test_of(const struct asked *q, const struct hap_line *l, const char **why)
{
	struct buf b = { 0 };
	const char *text;

	*why = hap_when_test(q->h, l, 0, l->n, &b);
	text = *why == NULL ? text_of(q->h, buf_text(&b), b.len) : NULL;
	buf_fini(&b);
	return text;
}

static struct hap_line
test_line(const struct asked *q)
{
	struct hap_line l = { .at = q->l->at };

	for (unsigned i = 0; i <= IMPORT_WORDS_MAX; i++)
		l.w[i] = "";
	put_word(&l, q->fetch);
	put_word(&l, "-m");
	put_word(&l, q->method != NULL ? q->method : "str");
	return l;
}

static bool
has_capital(const char *s)
{
	return s[strcspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] != '\0';
}

static bool
is_lowered(const struct asked *q)
{
	return strstr(q->fetch, ",lower") != NULL;
}

/* ---- a list ---------------------------------------------------------------------------------------------------------- */

/* Entries with this key or what it is below come before, with another value: with HAProxy they count. */
static bool
is_shadowed(const struct textmap *seen, const struct hap_entry *e, bool domain)
{
	const struct hap_entry *x = textmap_get(seen, e->key);

	if (x != NULL && strcmp(x->value, e->value) != 0)
		return true;
	for (const char *p = strchr(e->key, '.'); domain && p != NULL; p = strchr(p + 1, '.')) {
		x = textmap_get(seen, p + 1);
		if (x != NULL && strcmp(x->value, e->value) != 0)
			return true;
	}
	return false;
}

/* Whether lbctl list load takes the line for the same. */
static bool
is_entry(const struct asked *q, const struct hap_entry *e)
{
	static const char name[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	bool domain = strcmp(q->method, "dom") == 0, address = strcmp(q->method, "ip") == 0;
	struct addr a;

	if (e->key[0] == '"' || e->key[0] == '#' || e->value[0] == '\0' ||
	    e->value[strspn(e->value, name)] != '\0')
		return false;
	if (address)
		return addr_parse(e->key, ADDR_NET, &a) == 0 && a.family != 0;
	if (domain && (strchr(e->key, '.') == NULL || e->key[0] == '.' ||
			  e->key[strspn(e->key, name)] != '\0'))
		return false;
	return !has_capital(e->key) || (!q->nocase && !is_lowered(q));
}

/* NULL: a list of ours finds what HAProxy finds. */
static const char *
no_list(const struct asked *q)
{
	bool domain = strcmp(q->method, "dom") == 0;
	struct textmap seen = { 0 };
	const char *why = NULL;

	if (strcmp(q->method, "str") != 0 && strcmp(q->method, "beg") != 0 && !domain &&
	    strcmp(q->method, "ip") != 0)
		why = "the first entry counts";
	for (const struct hap_entry *e = q->map->first; e != NULL && why == NULL; e = e->next) {
		struct hap_proxy *back = backend_of(q, e->value);

		if (!is_entry(q, e))
			why = "a list cannot have an entry as it is";
		else if (is_shadowed(&seen, e, domain))
			why = "the first entry counts, not the longest";
		else if (back == NULL)
			why = "an entry names no backend, and a list with it is refused";
		else if (back == q->rest)
			why = "an entry names the default backend, which is no pool here";
		else if (!is_plain(q, back))
			why = "a backend has rules of its own, or another name here";
		(void)textmap_put(&seen, e->key, (void *)(uintptr_t)e);
	}
	textmap_fini(&seen);
	return why;
}

/* FIELD in @LIST. NULL: good. */
static const char *
use_list(struct asked *q, const char **difference, const char **found)
{
	struct hap_line l = test_line(q);
	const char *why, *in;
	struct hap_use *u;
	struct buf by = { 0 };

	put_word(&l, "-f");
	put_word(&l, q->file);
	in = test_of(q, &l, &why);
	if (in == NULL)
		return why;
	if (strlen(q->before) + strlen(q->after) > 190 || strpbrk(q->before, "{}") != NULL ||
	    strpbrk(q->after, "{}") != NULL)
		return "no pool has such a name";
	u = hap_use_add(q->h, q->out, q->l, hap_when_and(q->h, q->when, in));
	buf_printf(&by, "%s{value}%s", q->before, q->after);
	u->pool_by = text_of(q->h, buf_text(&by), by.len);
	*found = in;
	buf_fini(&by);
	if (strcmp(q->method, "dom") == 0)
		*difference =
		    "pool_by={value}: names that end in an entry, not those that have it in their middle; a host "
		    "without its port; " LIST_WHY;
	else if (strncmp(in, "host ", 5) == 0)
		*difference =
		    "pool_by={value}: a host without its port, letters of either case alike; " LIST_WHY;
	return NULL;
}

/* ---- rules --------------------------------------------------------------------------------------------------------------- */

static unsigned
prefix_of(const char *key)
{
	struct addr a;

	return addr_parse(key, ADDR_NET, &a) == 0 ? a.len : 0;
}

static int
by_length(const void *a, const void *b)
{
	const struct hap_entry *x = *(const struct hap_entry *const *)a,
			       *y = *(const struct hap_entry *const *)b;
	size_t m = strlen(x->key), n = strlen(y->key);

	return m != n ? (m > n ? -1 : 1) : x->at < y->at ? -1 : 1;
}

static int
by_prefix(const void *a, const void *b)
{
	const struct hap_entry *x = *(const struct hap_entry *const *)a,
			       *y = *(const struct hap_entry *const *)b;
	unsigned m = prefix_of(x->key), n = prefix_of(y->key);

	return m != n ? (m > n ? -1 : 1) : x->at < y->at ? -1 : 1;
}

/* The entries in the order in which they count. */
static const struct hap_entry **
in_order(const struct asked *q)
{
	const struct hap_entry **v = arena_alloc(q->h->im->a, ((size_t)q->map->n + 1) * sizeof(*v));
	unsigned n = 0;

	for (const struct hap_entry *e = q->map->first; e != NULL; e = e->next)
		v[n++] = e;
	if (n > 1 && strcmp(q->method, "beg") == 0)
		qsort(v, n, sizeof(*v), by_length);
	if (n > 1 && strcmp(q->method, "ip") == 0)
		qsort(v, n, sizeof(*v), by_prefix);
	return v;
}

/* Whoever a name of no backend takes: its own answer is that of the rest, and no later rule is looked at. */
static void
add_use(const struct asked *q, const char *when, struct hap_proxy *back)
{
	hap_use_add(q->h, q->out, q->l, when)->back = back != NULL ? back : q->rest;
}

static const char *
use_rules(struct asked *q, const char *no_list_why, const char **difference)
{
	const struct hap_entry **v = in_order(q);
	struct hap_line l = test_line(q);
	bool plain = strcmp(q->method, "reg") != 0 && is_lowered(q);
	struct buf said = { 0 };
	const char *why;
	unsigned first;

	put_word(&l, "--");
	first = l.n;
	for (unsigned i = 0; i < q->map->n; i++) {
		bool last = i + 1 == q->map->n || strcmp(v[i]->value, v[i + 1]->value) != 0;
		const char *in;

		if (!plain || !has_capital(v[i]->key)) /* else it is never found */
			put_word(&l, v[i]->key);
		if (l.n == first || (!last && l.n < first + RUN_MOST))
			continue;
		in = test_of(q, &l, &why);
		if (in == NULL)
			return why;
		add_use(q, hap_when_and(q->h, q->when, in), backend_of(q, v[i]->value));
		l.n = first;
	}
	buf_printf(&said, "the entries that the map has now, as rules (%s)", no_list_why);
	*difference = text_of(q->h, buf_text(&said), said.len);
	buf_fini(&said);
	return NULL;
}

/* What the map does not have; found: what it has, as far as rules before may leave that to later ones. */
static void
use_otherwise(const struct asked *q, const char *found)
{
	struct hap_proxy *back = q->otherwise != NULL ? backend_of(q, q->otherwise) : NULL;

	if (back != NULL && back != q->rest)
		add_use(q, hap_when_and(q->h, q->when, hap_when_not(q->h, found)), back);
}

/* Whether there is such a field, and what its letters are. NULL: good. */
static const char *
know_field(struct asked *q)
{
	bool address = strncmp(q->fetch, "src", 3) == 0 || strncmp(q->fetch, "dst", 3) == 0;
	struct hap_line l = test_line(q);
	const char *why, *in;

	l.w[2] = "found";
	in = test_of(q, &l, &why);
	if (in == NULL)
		return why;
	q->nocase = strncmp(in, "host ", 5) == 0 || strncmp(in, "sni ", 4) == 0;
	return address != (strcmp(q->method, "ip") == 0)
		   ? "addresses are looked up by map_ip, and nothing else is"
		   : NULL;
}

static const char *
use_map(struct asked *q, const char **difference)
{
	const char *found = HAP_NEVER, *no, *why = know_field(q);
	struct hap_use **mark = q->out->last;

	if (why != NULL)
		return why;
	q->map = hap_map_of(q->h, q->file);
	if (q->map->why != NULL)
		return "bring the file of its map, and import again";
	if (!hap_step(q->h, q->l, 1 + q->map->n / 64))
		return NULL;
	no = no_list(q);
	if (no == NULL)
		no = use_list(q, difference, &found);
	if (no != NULL)
		why = q->map->n > ENTRIES_MOST
			  ? "its map has more than 500 entries that cannot be a list"
			  : use_rules(q, no, difference);
	if (why == NULL)
		use_otherwise(q, found);
	else {
		*mark = NULL;
		q->out->last = mark;
	}
	return why;
}

/* ---- without a map --------------------------------------------------------------------------------------------------------- */

/* The name as a template; each backend that it may mean is a pool, and one with rules of its own has a rule before it. */
static const char *
use_template(struct asked *q)
{
	const char *by = hap_template(q->h, q->l->w[1], false), *why = NULL, *in;
	size_t before = strlen(q->before), after = strlen(q->after);

	if (by == NULL || strlen(by) > 200)
		return "what its name is made of has no counterpart";
	for (struct hap_proxy *b = q->h->proxies; b != NULL && hap_step(q->h, q->l, 1);
	     b = b->next) {
		size_t n = strlen(b->name);
		struct hap_line l = test_line(q);

		if (b->section == HAP_FRONTEND || b->http != q->front->http || b == q->front ||
		    n <= before + after || strncmp(b->name, q->before, before) != 0 ||
		    strcmp(b->name + n - after, q->after) != 0 || hap_backend(q->h, b->name) != b)
			continue;
		if (is_plain(q, b) && (b != q->rest || !answers_matter(q)))
			continue;
		put_word(&l, "--");
		put_word(&l, text_of(q->h, b->name + before, n - before - after));
		in = test_of(q, &l, &why);
		if (in == NULL)
			return why;
		add_use(q, hap_when_and(q->h, q->when, in), b);
	}
	hap_use_add(q->h, q->out, q->l, q->when)->pool_by = by;
	return NULL;
}

const char *
hap_map_uses(struct hap *h, const struct hap_proxy *front, struct hap_proxy *rest,
    const struct hap_line *l, const char *when, struct hap_uses *out, const char **difference_out)
{
	struct asked q = { .h = h, .front = front, .rest = rest, .l = l, .when = when, .out = out };
	const char *why = read_word(&q);

	if (why != NULL || strcmp(when, HAP_NEVER) == 0)
		return why;
	return q.method != NULL ? use_map(&q, difference_out) : use_template(&q);
}
