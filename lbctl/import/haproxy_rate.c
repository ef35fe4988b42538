/* Stick tables that count, and what asks for it: sc_http_req_rate(0), src_conn_cur and their like as rate and conns of our
 * conditions.
 *
 * With HAProxy a table says what is counted and within which time, a rule (track-sc) by which key, and a test names the number
 * of that rule; ours says all three in the condition. Tables and rules may stand anywhere, so they are looked for before
 * anything else is read. Pure. */
#include "import/haproxy.h"

#include "base/must.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define STORES_MAX 16

/* What is counted: by the word of a table, and by the end of a test. */
static const struct {
	const char *word, *ours; /* ours NULL: conns */
	bool window, by_src;	 /* by_src: ours counts it by address alone */
} counts[] = {
	{ "http_req_rate", "requests", true, false },
	{ "http_err_rate", "errors", true, false },
	{ "bytes_in_rate", "bytes_in", true, false },
	{ "bytes_out_rate", "bytes_out", true, false },
	{ "conn_rate", "connections", true, true },
	{ "sess_rate", "connections", true, true },
	{ "conn_cur", NULL, false, true },
};

struct counting {
	unsigned n;
	struct {
		const char *word; /* of counts */
		uint32_t ms;
	} store[STORES_MAX];
};
struct tracked {
	const char *key;   /* as in our conditions; NULL: there is nothing like it */
	const char *table; /* whose it is */
};

/* ---- what is there --------------------------------------------------------------------------------------------------- */

static void *
find(struct hap *h, const char *what, const char *section, const char *name)
{
	struct buf key = { 0 };
	void *found;

	buf_printf(&key, "%s %s %s", what, section, name);
	found = textmap_get(&h->counted, buf_text(&key));
	buf_fini(&key);
	return found;
}

static void
keep(struct hap *h, const char *what, const char *section, const char *name, void *value)
{
	struct buf key = { 0 };

	buf_printf(&key, "%s %s %s", what, section, name);
	(void)textmap_put(&h->counted, arena_text(h->im->a, buf_text(&key), key.len), value);
	buf_fini(&key);
}

/* "http_req_rate(10s)": the row of counts, and the time; -1: it is none of them. */
static int
count_of(const char *word, size_t n, uint32_t *ms_out)
{
	size_t name = 0;
	char time[20];

	while (name < n && word[name] != '(')
		name++;
	*ms_out = 0;
	for (unsigned i = 0; i < ARRAY_LEN(counts); i++) {
		if (strlen(counts[i].word) != name || memcmp(counts[i].word, word, name) != 0)
			continue;
		(void)snprintf(time, sizeof(time), "%.*s", n > name + 2 ? (int)(n - name - 2) : 0,
		    word + name + 1);
		if (counts[i].window && !hap_time(time, 1, ms_out))
			return -1;
		return (int)i;
	}
	return -1;
}

static void
scan_table(struct hap *h, const char *section, const struct hap_line *l)
{
	struct counting *t = arena_alloc(h->im->a, sizeof(*t));
	const char *p = "";

	for (unsigned i = 1; i + 1 < l->n; i++)
		if (strcmp(l->w[i], "store") == 0)
			p = l->w[i + 1];
	while (*p != '\0' && t->n < STORES_MAX) {
		size_t n = strcspn(p, ",");
		uint32_t ms;
		int i = count_of(p, n, &ms);

		if (i >= 0) {
			t->store[t->n].word = counts[i].word;
			t->store[t->n++].ms = ms;
		}
		p += n + (p[n] == ',');
	}
	keep(h, "table", section, "", t);
}

/* The argument of "hdr(NAME)"; NULL: it is another fetch. The occurrence behind a comma says little of one that is counted by. */
static const char *
argument_of(struct hap *h, const char *key, const char *fetch)
{
	size_t n = strlen(fetch), len;

	if (strncmp(key, fetch, n) != 0 || key[n] != '(')
		return NULL;
	len = strcspn(key + n + 1, ",)");
	return key[n + 1 + strcspn(key + n + 1, ")")] == ')' && key[strlen(key) - 1] == ')'
		   ? arena_text(h->im->a, key + n + 1, len)
		   : NULL;
}

static const char *
key_text(struct hap *h, const char *field, const char *name)
{
	struct buf b = { 0 };
	const char *text;

	if (strcmp(field, "header") == 0 && strcasecmp(name, "host") == 0)
		return "host";
	buf_printf(&b, "%s(%s)", field, name);
	text = arena_text(h->im->a, buf_text(&b), b.len);
	buf_fini(&b);
	return text;
}

/* What is counted by, in our words; NULL: nothing like it. */
static const char *
key_of(struct hap *h, const char *key)
{
	static const char *const whole[][2] = { { "src", "src/32/128" }, { "path", "path" },
		{ "url", "url" }, { "pathq", "url" }, { "query", "query" }, { "method", "method" },
		{ "ssl_fc_sni", "sni" }, { "req.hdr(host),lower", "host" },
		{ "hdr(host),lower", "host" } };
	static const char *const named[][2] = { { "hdr", "header" }, { "req.hdr", "header" },
		{ "req.fhdr", "header" }, { "hdr_ip", "header" }, { "req.hdr_ip", "header" },
		{ "cook", "cookie" }, { "cookie", "cookie" }, { "req.cook", "cookie" },
		{ "url_param", "param" }, { "urlp", "param" } };
	unsigned bits4, bits6 = 128;
	char end;
	struct buf b = { 0 };
	const char *name;

	for (unsigned i = 0; i < ARRAY_LEN(whole); i++)
		if (strcmp(key, whole[i][0]) == 0)
			return whole[i][1];
	for (unsigned i = 0; i < ARRAY_LEN(named); i++)
		if ((name = argument_of(h, key, named[i][0])) != NULL)
			return key_text(h, named[i][1], name);
	if ((sscanf(key, "src,ipmask(%u%c", &bits4, &end) == 2 && end == ')') ||
	    (sscanf(key, "src,ipmask(%u,%u%c", &bits4, &bits6, &end) == 3 && end == ')')) {
		if (bits4 > 32 || bits6 > 128)
			return NULL;
		buf_printf(&b, "src/%u/%u", bits4, bits6);
		name = arena_text(h->im->a, buf_text(&b), b.len);
		buf_fini(&b);
		return name;
	}
	return NULL;
}

/* Where "track-sc0" stands; 0: nowhere. */
static unsigned
track_at(const struct hap_line *l)
{
	for (unsigned i = 1; i < 3 && i + 1 < l->n; i++)
		if (strncmp(l->w[i], "track-sc", 8) == 0)
			return i;
	return 0;
}

static void
scan_track(struct hap *h, const char *section, const struct hap_line *l, unsigned at)
{
	struct tracked *t = arena_alloc(h->im->a, sizeof(*t));
	const char *number = l->w[at] + 8;

	t->key = key_of(h, l->w[at + 1]);
	t->table = section;
	if (strcmp(l->w[at + 2], "table") == 0)
		t->table = l->w[at + 3];
	keep(h, "track", section, number, t);
	keep(h, "track", "", number, t); /* asked for by backends, too; the first one stays */
}

void
hap_rates_scan(struct hap *h, const char *text, size_t len)
{
	const char *section = "";
	struct hap_line l;

	if (strstr(text, "stick-table") == NULL)
		return;
	for (const char *p = text, *end = text + len; p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = nl != NULL ? (size_t)(nl - p) : (size_t)(end - p);
		unsigned at;

		if (memchr(p, '\0', n) == NULL &&
		    hap_words(h->im, (struct place){ 0 }, p, n, &l, NULL) == 0 && l.n > 1) {
			if (strcmp(l.w[0], "frontend") == 0 || strcmp(l.w[0], "backend") == 0 ||
			    strcmp(l.w[0], "listen") == 0 || strcmp(l.w[0], "defaults") == 0)
				section = l.w[1];
			else if (strcmp(l.w[0], "stick-table") == 0)
				scan_table(h, section, &l);
			else if ((at = track_at(&l)) != 0)
				scan_track(h, section, &l, at);
		}
		p += n + (nl != NULL);
	}
}

/* ---- tests ------------------------------------------------------------------------------------------------------------ */

/* One test taken apart: "sc_http_req_rate(0,table)", "sc0_conn_cur", "src_conn_rate(table)". */
struct asked {
	unsigned what;	/* row of counts */
	char number[8]; /* of the rule; "": by address */
	const char *table;
};

static const char *
table_argument(struct hap *h, const char *p, const char *end)
{
	return p < end ? arena_text(h->im->a, p, (size_t)(end - p)) : NULL;
}

/* false: it is not about counts. why_out: it is, but not about any of ours. */
static bool
read_asked(struct hap *h, const char *word, struct asked *a, const char **why_out)
{
	size_t n = strcspn(word, "("), skip = 0;
	size_t digits = n < 2 ? 0 : strspn(word + 2, "0123456789");
	const char *args = word[n] == '(' ? word + n + 1 : "", *end = strchr(args, ')'), *name;
	bool by_src = strncmp(word, "src_", 4) == 0;

	if (!by_src && (strncmp(word, "sc", 2) != 0 || digits > 3 || word[2 + digits] != '_'))
		return false;
	name = word + (by_src ? 4 : 3 + digits);
	for (a->what = 0; a->what < ARRAY_LEN(counts); a->what++)
		if (strlen(counts[a->what].word) == (size_t)(word + n - name) &&
		    strncmp(counts[a->what].word, name, strlen(counts[a->what].word)) == 0)
			break;
	if (a->what == ARRAY_LEN(counts)) {
		if (by_src && strstr(name, "gpc") == NULL && strstr(name, "gpt") == NULL &&
		    strstr(name, "_cnt") == NULL && strstr(name, "kbytes") == NULL)
			return false; /* src_port and the like */
		*why_out =
		    "counted are requests, errors, bytes and connections within a time, and connections "
		    "that are there (rate and conns)";
		return true;
	}
	end = end != NULL ? end : args;
	(void)snprintf(a->number, sizeof(a->number), "%.*s", (int)digits, word + 2);
	if (!by_src && digits == 0) {
		skip = strspn(args, "0123456789");
		(void)snprintf(
		    a->number, sizeof(a->number), "%.*s", skip < 8 ? (int)skip : 7, args);
		skip += args[skip] == ',';
	}
	if (by_src)
		a->number[0] = '\0';
	a->table = table_argument(h, args + skip, end);
	return true;
}

/* The time within which a table counts it; 0: it does not. */
static uint32_t
window_of(struct hap *h, const char *table, unsigned what)
{
	const struct counting *t = find(h, "table", table, "");

	for (unsigned i = 0; t != NULL && i < t->n; i++)
		if (strcmp(t->store[i].word, counts[what].word) == 0)
			return t->store[i].ms;
	return 0;
}

bool
hap_rate_field(struct hap *h, const char *word, char *field, size_t room, const char **why_out)
{
	const char *section = h->asking != NULL ? h->asking->name : "", *key = "src/32/128";
	struct asked a = { 0 };
	const struct tracked *t;
	uint32_t ms;

	if (!read_asked(h, word, &a, why_out))
		return false;
	if (*why_out != NULL)
		return true;
	if (a.number[0] != '\0') {
		t = find(h, "track", section, a.number);
		t = t != NULL ? t : find(h, "track", "", a.number);
		key = t != NULL ? t->key : NULL;
		a.table = a.table != NULL ? a.table : t != NULL ? t->table : NULL;
		if (t == NULL)
			*why_out = "no track-sc rule says by what it is counted";
		else if (key == NULL)
			*why_out =
			    "it is not counted by that: src, path, url, host, a header field, a cookie or a "
			    "parameter are possible";
	}
	if (*why_out == NULL && counts[a.what].by_src && strncmp(key, "src", 3) != 0)
		*why_out = "connections are counted by address";
	if (*why_out != NULL)
		return true;
	if (!counts[a.what].window) {
		(void)snprintf(field, room, "conns(%s)", key);
		return true;
	}
	ms = window_of(h, a.table != NULL ? a.table : section, a.what);
	if (ms < 1000 || ms > 86400000 || ms % 1000 != 0)
		*why_out = ms == 0 ? "no stick-table of that name counts it"
				   : "the time of a rate is whole seconds, from 1s to 1d";
	else if ((size_t)snprintf(
		     field, room, "rate(%s, %s, %us)", counts[a.what].ours, key, ms / 1000) >= room)
		*why_out = "the name of what is counted by is too long";
	return true;
}

/* ---- the report ------------------------------------------------------------------------------------------------------- */

void
hap_rate_table(struct hap *h, const struct hap_line *l, const char *stores)
{
	struct buf lost = { 0 };

	for (const char *p = stores; *p != '\0';) {
		size_t n = strcspn(p, ",");
		uint32_t ms;

		if (count_of(p, n, &ms) < 0)
			buf_printf(&lost, "%s%.*s", lost.len > 0 ? ", " : "", (int)n, p);
		p += n + (p[n] == ',');
	}
	if (lost.len == 0)
		import_say(h->im, l->at, TAKEN_OTHERWISE, l->what,
		    "rule.when (rate, conns): a table for each service, by the last 262144 keys");
	else
		import_say(h->im, l->at, NOT_TAKEN, l->what,
		    "rule.when (rate, conns) counts the rest; there is nothing like %s",
		    buf_text(&lost));
	buf_fini(&lost);
}

const char *
hap_rate_track(struct hap *h, const struct hap_line *l, enum taken *how_out)
{
	unsigned at = track_at(l);
	const char *key = at != 0 ? key_of(h, l->w[at + 1]) : NULL;

	*how_out = NOT_TAKEN;
	if (at == 0)
		return "there is no such action";
	if (key == NULL)
		return "it is not counted by that: src, path, url, host, a header field, a cookie or a parameter "
		       "are possible";
	*how_out = TAKEN_OTHERWISE;
	if (hap_when_at(l, at + 2) < l->n)
		return "rule.when (rate, conns) counts by it every request or connection, whatever its "
		       "condition";
	if (strchr(l->w[at + 1], ',') != NULL && strncmp(key, "header", 6) == 0)
		return "rule.when (rate) counts by the first field of that name";
	*how_out = TAKEN;
	return "rule.when (rate, conns) counts by it";
}
