/* Log formats in values of rules ("%[src]", "%ci") as templates of content rules ("{src}"). Pure. */
#include "import/haproxy.h"

#include "base/must.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *expression, *word; /* with ( at its end: a name follows, and is kept */
} words[] = {
	{ "src", "{src}" },
	{ "src_port", "{src.port}" },
	{ "dst", "{dst}" },
	{ "dst_port", "{port}" },
	{ "fc_dst_port", "{port}" },
	{ "path", "{path}" },
	{ "url", "{url}" },
	{ "pathq", "{url}" },
	{ "capture.req.uri", "{asked.url}" },
	{ "query", "{query}" },
	{ "method", "{method}" },
	{ "base", "{header(Host)}{path}" },
	{ "ssl_fc_sni", "{sni}" },
	{ "ssl_c_s_dn", "{cert.subject}" },
	{ "ssl_c_i_dn", "{cert.issuer}" },
	{ "ssl_c_s_dn(cn)", "{cert.cn}" },
	{ "ssl_c_s_dn(CN)", "{cert.cn}" },
	{ "ssl_c_serial,hex", "{cert.serial}" },
	{ "ssl_fc,iif(https,http)", "{scheme}" },
	{ "status", "{status}" },
	{ "req.hdr(", "{header(" },
	{ "req.fhdr(", "{header(" },
	{ "hdr(", "{header(" },
	{ "req.cook(", "{cookie(" },
	{ "cook(", "{cookie(" },
	{ "url_param(", "{param(" },
	{ "urlp(", "{param(" },
	{ "res.hdr(", "{answer_header(" },
	{ "res.fhdr(", "{answer_header(" },
};
static const struct {
	const char *name, *word;
} aliases[] = { { "ci", "{src}" }, { "cp", "{src.port}" }, { "fi", "{dst}" }, { "fp", "{port}" },
	{ "HM", "{method}" }, { "HP", "{path}" }, { "HU", "{url}" }, { "HPO", "{path}" } };

/* The expression of n bytes between %[ and ]. */
static bool
put_expression(const char *s, size_t n, bool answer, struct buf *out)
{
	for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
		const char *e = words[i].expression;
		size_t len = strlen(e);

		if (!answer && (strcmp(words[i].word, "{status}") == 0 ||
				   strncmp(words[i].word, "{answer", 7) == 0))
			continue;
		if (len == n && memcmp(e, s, n) == 0) {
			buf_puts(out, words[i].word);
			return true;
		}
		if (e[len - 1] == '(' && n > len + 1 && memcmp(e, s, len) == 0 && s[n - 1] == ')' &&
		    memchr(s + len, ',', n - len) == NULL &&
		    memchr(s + len, ' ', n - len) == NULL &&
		    memchr(s + len, '(', n - len) == NULL &&
		    memchr(s + len, '}', n - len) == NULL) {
			buf_printf(out, "%s%.*s)}", words[i].word, (int)(n - len - 1), s + len);
			return true;
		}
	}
	return false;
}

/* "%..." at s: how many bytes it has; 0: no counterpart. */
static size_t
put_word(const char *s, bool answer, struct buf *out)
{
	size_t n = 0;
	int depth = 0;

	if (s[1] == '%') {
		buf_puts(out, "%");
		return 2;
	}
	if (s[1] == '[') {
		for (n = 2; s[n] != '\0' && (s[n] != ']' || depth > 0); n++)
			depth += s[n] == '(' ? 1 : s[n] == ')' ? -1 : 0;
		return s[n] == ']' && put_expression(s + 2, n - 2, answer, out) ? n + 1 : 0;
	}
	while (isalnum((unsigned char)s[1 + n]))
		n++;
	for (unsigned i = 0; i < ARRAY_LEN(aliases); i++)
		if (strlen(aliases[i].name) == n && memcmp(aliases[i].name, s + 1, n) == 0) {
			buf_puts(out, aliases[i].word);
			return n + 1;
		}
	return 0;
}

static const char *
template_of(struct hap *h, const char *format, bool answer, bool groups)
{
	struct buf b = { 0 };
	const char *text = "";

	for (const char *s = format; *s != '\0' && text != NULL;) {
		size_t n = 1;

		if (*s == '%')
			n = put_word(s, answer, &b);
		else if (groups && *s == '\\' && isdigit((unsigned char)s[1]))
			buf_printf(&b, "{%c}", s[n++]);
		else if (groups && *s == '\\' && s[1] != '\0')
			buf_put(&b, &s[n++], 1);
		else if (*s == '{' || *s == '}')
			buf_printf(&b, "%c%c", *s, *s);
		else
			buf_put(&b, s, 1);
		s += n;
		if (n == 0)
			text = NULL;
	}
	if (text != NULL)
		text = arena_text(h->im->a, buf_text(&b), b.len);
	buf_fini(&b);
	return text;
}

const char *
hap_template(struct hap *h, const char *format, bool answer)
{
	return template_of(h, format, answer, false);
}

const char *
hap_replacement(struct hap *h, const char *format, bool answer)
{
	return template_of(h, format, answer, true);
}
