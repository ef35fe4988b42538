/* One test of an acl as a term of a condition of content rules.
 *
 * A fetch (path, hdr(host), src) is a field of ours, its suffix or -m an operator; what has no exact counterpart is refused
 * with a reason, never guessed. -i becomes a pattern, but for hosts, where letters of either case are alike with us too.
 * Pure. */
#include "import/haproxy.h"
#include "import/text.h"

#include "base/must.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum match {
	M_STR,
	M_BEG,
	M_END,
	M_SUB,
	M_DIR,
	M_DOM,
	M_REG,
	M_FOUND,
	M_INT,
	M_LEN,
	M_BOOL,
	M_OTHER
};
static const char *const methods[] = { "str", "beg", "end", "sub", "dir", "dom", "reg", "found",
	"int", "len", "bool" };

enum value_type { T_TEXT, T_HOST, T_ADDR, T_NUMBER, T_FLAG };
static const struct fetch {
	const char *word, *field; /* field: NULL: always; of T_FLAG: the whole term */
	uint8_t type;
	bool argument; /* the name in parentheses is that of the field */
	uint8_t method;
} fetches[] = {
	{ "path", "path", T_TEXT, false, M_STR },
	{ "url", "url", T_TEXT, false, M_STR },
	{ "pathq", "url", T_TEXT, false, M_STR },
	{ "capture.req.uri", "asked.url", T_TEXT, false, M_STR },
	{ "query", "query", T_TEXT, false, M_STR },
	{ "method", "method", T_TEXT, false, M_STR },
	{ "capture.req.method", "method", T_TEXT, false, M_STR },
	{ "hdr", "header", T_TEXT, true, M_STR },
	{ "req.hdr", "header", T_TEXT, true, M_STR },
	{ "req.fhdr", "header", T_TEXT, true, M_STR },
	{ "hdr_cnt", "header", T_TEXT, true, M_OTHER },
	{ "req.hdr_cnt", "header", T_TEXT, true, M_OTHER },
	{ "hdr_val", "header", T_TEXT, true, M_INT },
	{ "req.hdr_val", "header", T_TEXT, true, M_INT },
	{ "shdr", "answer_header", T_TEXT, true, M_STR },
	{ "res.hdr", "answer_header", T_TEXT, true, M_STR },
	{ "res.fhdr", "answer_header", T_TEXT, true, M_STR },
	{ "url_param", "param", T_TEXT, true, M_STR },
	{ "urlp", "param", T_TEXT, true, M_STR },
	{ "urlp_val", "param", T_TEXT, true, M_INT },
	{ "cook", "cookie", T_TEXT, true, M_STR },
	{ "cookie", "cookie", T_TEXT, true, M_STR },
	{ "req.cook", "cookie", T_TEXT, true, M_STR },
	{ "req.cook_val", "cookie", T_TEXT, true, M_INT },
	{ "src", "src", T_ADDR, false, M_STR },
	{ "src_port", "src.port", T_NUMBER, false, M_INT },
	{ "dst", "dst", T_ADDR, false, M_STR },
	{ "dst_port", "port", T_NUMBER, false, M_INT },
	{ "fc_dst_port", "port", T_NUMBER, false, M_INT },
	{ "status", "status", T_NUMBER, false, M_INT },
	{ "ssl_fc_sni", "sni", T_HOST, false, M_STR },
	{ "req.ssl_sni", "sni", T_HOST, false, M_STR },
	{ "req_ssl_sni", "sni", T_HOST, false, M_STR },
	{ "req.ssl_alpn", "alpn", T_TEXT, false, M_STR },
	{ "ssl_fc", "scheme is https", T_FLAG, false, M_BOOL },
	{ "ssl_fc_has_crt", "cert is yes", T_FLAG, false, M_BOOL },
	{ "ssl_c_used", "cert is yes", T_FLAG, false, M_BOOL },
	{ "always_true", "", T_FLAG, false, M_BOOL },
	{ "always_false", NULL, T_FLAG, false, M_BOOL },
	{ "req.proto_http", "", T_FLAG, false, M_BOOL },
	{ "req_proto_http", "", T_FLAG, false, M_BOOL },
	{ "ssl_c_s_dn", "cert.subject", T_TEXT, false, M_STR },
	{ "ssl_c_i_dn", "cert.issuer", T_TEXT, false, M_STR },
	{ "req.body", "body", T_TEXT, false, M_STR },
	{ "req_ver", "version", T_TEXT, false, M_STR },
	{ "req.ver", "version", T_TEXT, false, M_STR },
};
static const struct fetch counted = { "", "", T_NUMBER, false, M_INT };
/* One test while it is read. */
struct test {
	struct hap *h;
	const struct fetch *f;
	char field[200]; /* as it is written */
	uint8_t type, method;
	bool nocase;
	const char *values[IMPORT_WORDS_MAX];
	unsigned n;
	const char *files[IMPORT_WORDS_MAX]; /* of values */
	unsigned files_n;
	struct buf *out;
	const char *why; /* refused */
};

/* ---- values ---------------------------------------------------------------------------------------------------- */

void
hap_when_value(const char *s, struct buf *out)
{
	if (*s != '\0' && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "._-/:*@%&=?+~!;") == strlen(s)) {
		buf_puts(out, s);
		return;
	}
	if (strchr(s, '\'') == NULL) {
		buf_printf(out, "'%s'", s);
		return;
	}
	buf_puts(out, "\"");
	for (; *s != '\0'; s++)
		buf_printf(out, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
	buf_puts(out, "\"");
}

static void
literal(const char *s, struct buf *out)
{
	for (; *s != '\0'; s++)
		buf_printf(out, strchr("\\^$.[]|()?*+{}", *s) != NULL ? "\\%c" : "%c", *s);
}

/* A text as the pattern that finds it where the method says. */
static void
pattern_of(const struct test *t, const char *value, struct buf *out)
{
	static const struct {
		const char *before, *after;
	} around[] = { [M_STR] = { "^", "$" },
		[M_BEG] = { "^", "" },
		[M_END] = { "", "$" },
		[M_SUB] = { "", "" },
		[M_DIR] = { "(^|[/?])", "([/?]|$)" },
		[M_DOM] = { "(^|[/?.:])", "([/?.:]|$)" } };
	struct buf b = { 0 };

	if (t->nocase)
		buf_puts(&b, "(?i)");
	if (t->method == M_REG) {
		buf_puts(&b, value);
	} else {
		while ((t->method == M_DIR || t->method == M_DOM) &&
		       (*value == '/' || (t->method == M_DOM && *value == '.')))
			value++;
		buf_puts(&b, around[t->method].before);
		literal(value, &b);
		buf_puts(&b, around[t->method].after);
	}
	hap_when_value(buf_text(&b), out);
	buf_fini(&b);
}

static void
put_list(struct test *t, const char *operator, bool patterns)
{
	buf_printf(
	    t->out, "%s %s ", t->field, strcmp(operator, "is") == 0 && t->n > 1 ? "in" : operator);
	for (unsigned i = 0; i < t->n; i++) {
		if (i > 0)
			buf_puts(t->out, ",");
		if (patterns)
			pattern_of(t, t->values[i], t->out);
		else
			hap_when_value(t->values[i], t->out);
	}
}

/* ---- kinds of tests -------------------------------------------------------------------------------------------- */

/* Names with a dot are ends of hosts; one label may stand anywhere. */
static bool
all_have_dots(const struct test *t)
{
	for (unsigned i = 0; i < t->n; i++)
		if (strchr(t->values[i], '.') == NULL || t->values[i][0] == '.')
			return false;
	return true;
}

static void
put_text(struct test *t)
{
	static const char *const operators[] = {
		[M_STR] = "is", [M_BEG] = "starts", [M_END] = "ends", [M_SUB] = "contains"
	};

	if (t->method == M_LEN || t->method == M_OTHER || t->method == M_BOOL)
		t->why = "lengths, counts and truth of a text are not tested";
	else if (t->type == T_HOST && t->method == M_DOM && all_have_dots(t))
		put_list(t, "under", false);
	else if (t->method <= M_SUB && (!t->nocase || t->type == T_HOST))
		put_list(t, operators[t->method], false);
	else
		put_list(t, "matches", true);
}

static void
put_addresses(struct test *t)
{
	struct addr a;

	for (unsigned i = 0; i < t->n; i++)
		if (addr_parse(t->values[i], ADDR_NET, &a) != 0 || a.family == 0) {
			t->why =
			    "addresses and networks are compared, as 10.0.0.0/8, with no bits behind the "
			    "prefix; names are not resolved";
			return;
		}
	put_list(t, "in", false);
}

/* "80", "1024:", ":1023", "80:90"; "ge 400". */
static void
put_number(struct test *t, const char *field, const char *operator, const char * value)
{
	const char *colon = strchr(value, ':');
	uint32_t lo = 0, hi = UINT32_MAX;
	char first[16];

	if (colon == NULL) {
		if (!text_number(value, UINT32_MAX, &lo))
			t->why = "a number is compared";
		else if (strcmp(operator, "=") == 0 && t->type != T_NUMBER)
			buf_printf(t->out, "%s >= %u and %s <= %u", field, lo, field, lo);
		else
			buf_printf(t->out, "%s %s %u", field,
			    strcmp(operator, "=") == 0 ? "is" : operator, lo);
		return;
	}
	(void)snprintf(first, sizeof(first), "%.*s", (int)(colon - value), value);
	if ((first[0] != '\0' && !text_number(first, UINT32_MAX, &lo)) ||
	    (colon[1] != '\0' && !text_number(colon + 1, UINT32_MAX, &hi)))
		t->why = "ranges are as 80:90";
	else
		buf_printf(t->out, "(%s >= %u and %s <= %u)", field, lo, field, hi);
}

static void
put_numbers(struct test *t)
{
	static const char *const words[][2] = { { "eq", "=" }, { "ge", ">=" }, { "gt", ">" },
		{ "le", "<=" }, { "lt", "<" } };
	const char *operator= "=";
	unsigned i = 0;
	bool several;

	for (unsigned k = 0; k < ARRAY_LEN(words); k++)
		if (t->n > 1 && strcmp(t->values[0], words[k][0]) == 0) {
			operator= words[k][1];
			i = 1;
		}
	several = t->n - i > 1;
	if (several)
		buf_puts(t->out, "(");
	for (unsigned first = i; i < t->n && t->why == NULL; i++) {
		if (i > first)
			buf_puts(t->out, " or ");
		put_number(t, t->field, operator, t->values[i]);
	}
	if (several)
		buf_puts(t->out, ")");
}

/* hdr_cnt(X) gt 0: it is there. */
static void
put_count(struct test *t)
{
	bool there =
	    (t->n == 2 && strcmp(t->values[0], "gt") == 0 && strcmp(t->values[1], "0") == 0) ||
	    (t->n == 2 && strcmp(t->values[0], "ge") == 0 && strcmp(t->values[1], "1") == 0);
	bool none =
	    (t->n == 1 && strcmp(t->values[0], "0") == 0) ||
	    (t->n == 2 && strcmp(t->values[0], "eq") == 0 && strcmp(t->values[1], "0") == 0) ||
	    (t->n == 2 && strcmp(t->values[0], "lt") == 0 && strcmp(t->values[1], "1") == 0);

	if (there || none)
		buf_printf(t->out, "%s%s exists", none ? "not " : "", t->field);
	else
		t->why = "fields are not counted; they are there or not";
}

static void
put_flag(struct test *t)
{
	bool not = t->n > 0 && (strcmp(t->values[t->n - 1], "0") == 0 ||
				   strcasecmp(t->values[t->n - 1], "false") == 0);

	if (t->f->field == NULL || t->f->field[0] == '\0')
		buf_puts(t->out, (t->f->field == NULL) != not ? HAP_NEVER : "");
	else
		buf_printf(t->out, "%s%s", not ? "not " : "", t->f->field);
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

/* What may stand behind a fetch and changes nothing here. */
static bool
take_converter(struct test *t, const char *word)
{
	if (strcmp(word, "lower") == 0 || strcmp(word, "lower()") == 0)
		t->nocase = true;
	else if (t->type != T_HOST ||
		 (strcmp(word, "field(1,:)") != 0 && strcmp(word, "host_only") != 0 &&
		     strcmp(word, "word(1,:)") != 0))
		return false;
	return true;
}

/* "hdr_beg(host)", "path", "hdr(host),lower": the field, and an operator in the name. */
static void
read_fetch(struct test *t, const char *word)
{
	size_t n = strcspn(word, "(,");
	const char *rest = word + n, *argument = NULL;
	char name[60];

	(void)snprintf(name, sizeof(name), "%.*s", (int)n, word);
	for (unsigned i = 0; t->f == NULL && i < ARRAY_LEN(fetches); i++) {
		size_t len = strlen(fetches[i].word);

		if (strcmp(fetches[i].word, name) == 0) {
			t->f = &fetches[i];
			t->method = fetches[i].method;
		} else if (strncmp(fetches[i].word, name, len) == 0 && name[len] == '_') {
			for (unsigned m = M_STR; m <= M_REG; m++)
				if (strcmp(name + len + 1, methods[m]) == 0) {
					t->f = &fetches[i];
					t->method = (uint8_t)m;
				}
		}
	}
	if (t->f == NULL) {
		t->why = "there is no such field of a condition";
		return;
	}
	t->type = t->f->type;
	if (*rest == '(') {
		n = strcspn(rest, ")");
		argument = arena_text(t->h->im->a, rest + 1, n - (rest[n] == ')'));
		rest += n + (rest[n] == ')');
	}
	if (t->f->argument != (argument != NULL && *argument != '\0')) {
		if (strncmp(t->f->word, "ssl_c_", 6) == 0 && argument != NULL &&
		    strcasecmp(argument, "cn") == 0 && t->f->word[6] == 's') {
			(void)snprintf(t->field, sizeof(t->field), "cert.cn");
			argument = NULL;
		} else {
			t->why = t->f->argument
				     ? "the name of the field, cookie or parameter is needed"
				     : "its argument has no counterpart";
			return;
		}
	} else if (t->f->argument &&
		   (strlen(argument) > 100 || strpbrk(argument, ", \t\"'(") != NULL)) {
		t->why = "one name of a field, cookie or parameter is possible";
		return;
	} else if (t->f->argument && strcmp(t->f->field, "header") == 0 &&
		   strcasecmp(argument, "host") == 0 && t->method != M_INT &&
		   t->method != M_OTHER) {
		(void)snprintf(t->field, sizeof(t->field), "host");
		t->type = T_HOST;
	} else {
		(void)snprintf(t->field, sizeof(t->field), t->f->argument ? "%s(%s)" : "%s",
		    t->f->field != NULL ? t->f->field : "", argument);
	}
	while (*rest == ',' && t->why == NULL) {
		int depth = 0;

		for (n = 1; rest[n] != '\0' && (rest[n] != ',' || depth > 0); n++)
			depth += rest[n] == '(' ? 1 : rest[n] == ')' ? -1 : 0;
		if (!take_converter(t, arena_text(t->h->im->a, rest + 1, n - 1)))
			t->why = "what is made of the value (converters) has no counterpart";
		rest += n;
	}
}

/* -i, -m METHOD, -f FILE: the index behind them. */
static unsigned
read_flags(struct test *t, const struct hap_line *l, unsigned i, unsigned end)
{
	for (; i < end && l->w[i][0] == '-' && l->w[i][1] != '\0' && t->why == NULL; i++) {
		const char *w = l->w[i];

		if (strcmp(w, "--") == 0)
			return i + 1;
		if (strcmp(w, "-i") == 0) {
			t->nocase = true;
		} else if (strcmp(w, "-m") == 0 && i + 1 < end) {
			uint8_t m = 0;

			while (m < ARRAY_LEN(methods) && strcmp(methods[m], l->w[i + 1]) != 0)
				m++;
			if (strcmp(l->w[i + 1], "ip") != 0 || t->type != T_ADDR)
				t->method = m;
			i++;
		} else if (strcmp(w, "-f") == 0 && i + 1 < end) {
			t->files[t->files_n++] = l->w[++i];
		} else if (strcmp(w, "-n") != 0) {
			t->why = "the flag has no counterpart";
		}
	}
	return i;
}

/* The list that a file of values can be; -1: none. */
static int
list_kind_of(const struct test *t)
{
	if (t->type == T_ADDR)
		return list_kind_address;
	if (t->method == M_STR && (t->type == T_HOST || t->type == T_TEXT))
		return t->type == T_HOST || t->nocase ? list_kind_word_nocase : list_kind_word;
	if (t->type == T_HOST && (t->method == M_DOM || t->method == M_END))
		return list_kind_suffix;
	return t->type == T_TEXT && t->method == M_BEG && !t->nocase ? list_kind_prefix : -1;
}

static void
put_test(struct test *t)
{
	if (t->type == T_FLAG)
		put_flag(t);
	else if (t->method == M_FOUND)
		buf_printf(t->out, "%s exists", t->field);
	else if (t->f->method == M_OTHER)
		put_count(t);
	else if (t->n == 0)
		t->why = "a value is needed";
	else if (t->type == T_ADDR)
		put_addresses(t);
	else if (t->method == M_INT)
		put_numbers(t);
	else
		put_text(t);
}

/* "src in @blocked", and what stands in the line beside it. */
static void
put_files(struct test *t, struct place at)
{
	int kind = list_kind_of(t);

	if (kind < 0) {
		t->why =
		    "lists are of addresses, words, beginnings of words and domains: name the values in the line";
		return;
	}
	buf_printf(t->out, "%s%s in ", t->n > 0 ? "(" : "", t->field);
	for (unsigned i = 0; i < t->files_n; i++)
		buf_printf(t->out, "%s@%s", i > 0 ? "," : "",
		    hap_list_of(t->h, at, t->files[i], (enum list_kind)kind));
	if (t->n > 0) {
		buf_puts(t->out, " or ");
		put_test(t);
		buf_puts(t->out, ")");
	}
}

const char *
hap_when_test(struct hap *h, const struct hap_line *l, unsigned i, unsigned end, struct buf *out)
{
	struct test t = { .h = h, .out = out };

	if (i >= end)
		return "a test is needed";
	if (hap_rate_field(h, l->w[i], t.field, sizeof(t.field), &t.why)) {
		t.f = &counted;
		t.type = counted.type;
		t.method = counted.method;
	} else {
		read_fetch(&t, l->w[i]);
	}
	if (t.why != NULL)
		return t.why;
	i = read_flags(&t, l, i + 1, end);
	for (; i < end && t.n < IMPORT_WORDS_MAX; i++)
		t.values[t.n++] = l->w[i];
	if (t.why == NULL)
		t.files_n > 0 ? put_files(&t, l->at) : put_test(&t);
	if (t.why == NULL && out->len > HAP_WHEN_MAX)
		t.why = "it is longer than a condition can be (2000 bytes)";
	return t.why;
}
