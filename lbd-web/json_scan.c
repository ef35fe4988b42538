/* A strict reader of JSON for the little that the API must see itself: which members a body has, and the values of
 * those that are no fields of the schema (name, status, message). It checks the whole syntax, so that broken JSON
 * is told apart from values that are not allowed; it keeps nothing but the span of each value. */
#include "json_scan.h"
#include "decode.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct scan {
	const char *start, *p, *end;
	struct err *err;
};

static int
bad(struct scan *s, const char *why)
{
	unsigned line = 1;

	for (const char *c = s->start; c < s->p; c++)
		line += *c == '\n';
	return err_set(s->err, ERR_USAGE, "JSON, line %u: %s", line, why);
}

static void
space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

static int
hex4(const char *p, unsigned *out)
{
	*out = 0;
	for (int i = 0; i < 4; i++) {
		unsigned char c = (unsigned char)p[i], low = c | 0x20;

		if (c >= '0' && c <= '9')
			*out = *out << 4 | (c - '0');
		else if (low >= 'a' && low <= 'f')
			*out = *out << 4 | (unsigned)(low - 'a' + 10);
		else
			return -EINVAL;
	}
	return 0;
}

static size_t
put_utf8(unsigned u, char out[4])
{
	if (u < 0x80) {
		out[0] = (char)u;
		return 1;
	}
	if (u < 0x800) {
		out[0] = (char)(0xc0 | u >> 6);
		out[1] = (char)(0x80 | (u & 0x3f));
		return 2;
	}
	if (u < 0x10000) {
		out[0] = (char)(0xe0 | u >> 12);
		out[1] = (char)(0x80 | (u >> 6 & 0x3f));
		out[2] = (char)(0x80 | (u & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | u >> 18);
	out[1] = (char)(0x80 | (u >> 12 & 0x3f));
	out[2] = (char)(0x80 | (u >> 6 & 0x3f));
	out[3] = (char)(0x80 | (u & 0x3f));
	return 4;
}

/* One escape behind the backslash at *p; it moves to the last character of it. 0: broken. */
static size_t
escape(const char **p, const char *end, char out[4])
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = strchr(from, **p);
	unsigned u, low;

	if (**p != '\0' && at != NULL) {
		out[0] = to[at - from];
		return 1;
	}
	if (**p != 'u' || end - *p < 5 || hex4(*p + 1, &u) != 0)
		return 0;
	*p += 4;
	if (u >= 0xdc00 && u < 0xe000)
		return 0;
	if (u >= 0xd800 && u < 0xdc00) {
		if (end - *p < 7 || (*p)[1] != '\\' || (*p)[2] != 'u' || hex4(*p + 3, &low) != 0 ||
		    low < 0xdc00 || low >= 0xe000)
			return 0;
		u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
		*p += 6;
	}
	return put_utf8(u, out);
}

/* At the opening quote; moves behind the closing one. out may be NULL; a NUL inside or no room is -EINVAL. */
static int
string(struct scan *s, char *out, size_t room)
{
	size_t n = 0;

	for (s->p++; s->p < s->end && *s->p != '"'; s->p++) {
		char piece[4] = { *s->p };
		size_t len = 1;

		if ((unsigned char)*s->p < ' ')
			return bad(s, "a control character in a string");
		if (*s->p == '\\') {
			s->p++;
			len = s->p < s->end ? escape(&s->p, s->end, piece) : 0;
			if (len == 0)
				return bad(s, "a broken escape in a string");
		}
		if (out == NULL)
			continue;
		if (piece[0] == '\0' || n + len >= room)
			return bad(s, "a string is too long or holds a NUL");
		memcpy(out + n, piece, len);
		n += len;
	}
	if (s->p == s->end)
		return bad(s, "a string has no end");
	s->p++;
	if (out != NULL)
		out[n] = '\0';
	return 0;
}

static bool
digits(struct scan *s)
{
	const char *from = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return s->p > from;
}

static int
number(struct scan *s)
{
	const char *first;

	s->p += *s->p == '-';
	first = s->p;
	if (!digits(s) || (*first == '0' && s->p - first > 1))
		return bad(s, "a number is broken");
	if (s->p < s->end && *s->p == '.') {
		s->p++;
		if (!digits(s))
			return bad(s, "a number is broken");
	}
	if (s->p < s->end && (*s->p | 0x20) == 'e') {
		s->p++;
		s->p += s->p < s->end && (*s->p == '+' || *s->p == '-');
		if (!digits(s))
			return bad(s, "a number is broken");
	}
	return 0;
}

static int
word(struct scan *s, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, text, n) != 0)
		return bad(s, "a value is expected");
	s->p += n;
	return 0;
}

static int value(struct scan *s, unsigned depth, enum json_type *type_out);

/* The inside of an array or object, from behind its bracket to behind the closing one. */
static int
list(struct scan *s, unsigned depth, bool named)
{
	char close = named ? '}' : ']';
	enum json_type t;
	int rc;

	for (bool first = true;; first = false) {
		space(s);
		if (s->p < s->end && *s->p == close && first)
			break;
		if (named) {
			if (s->p == s->end || *s->p != '"')
				return bad(s, "a name in quotes is expected");
			rc = string(s, NULL, 0);
			if (rc != 0)
				return rc;
			space(s);
			if (s->p == s->end || *s->p++ != ':')
				return bad(s, "a colon is expected");
		}
		rc = value(s, depth, &t);
		if (rc != 0)
			return rc;
		space(s);
		if (s->p < s->end && *s->p == close)
			break;
		if (s->p == s->end || *s->p++ != ',')
			return bad(s, "a comma or a closing bracket is expected");
	}
	s->p++;
	return 0;
}

static int
value(struct scan *s, unsigned depth, enum json_type *type_out)
{
	space(s);
	if (s->p == s->end)
		return bad(s, "a value is expected");
	if (depth == JSON_DEPTH_MAX)
		return bad(s, "nested too deep");
	switch (*s->p) {
	case '"': *type_out = JSON_T_STRING; return string(s, NULL, 0);
	case '{':
		*type_out = JSON_T_OBJECT;
		s->p++;
		return list(s, depth + 1, true);
	case '[':
		*type_out = JSON_T_ARRAY;
		s->p++;
		return list(s, depth + 1, false);
	case 't': *type_out = JSON_T_BOOL; return word(s, "true");
	case 'f': *type_out = JSON_T_BOOL; return word(s, "false");
	case 'n': *type_out = JSON_T_NULL; return word(s, "null");
	default: *type_out = JSON_T_NUMBER; return number(s);
	}
}

static int
member(struct scan *s, struct json_member *m)
{
	int rc;

	space(s);
	if (s->p == s->end || *s->p != '"')
		return bad(s, "a name in quotes is expected");
	rc = string(s, m->name, sizeof(m->name));
	if (rc != 0)
		return rc;
	space(s);
	if (s->p == s->end || *s->p++ != ':')
		return bad(s, "a colon is expected");
	space(s);
	m->value = s->p;
	rc = value(s, 1, &m->type);
	m->len = (size_t)(s->p - m->value);
	return rc;
}

/* Names seen so far are found again in the text itself: bodies are small. */
static bool
seen(const struct json_member *m, const struct buf *names)
{
	const char *p = (const char *)names->p, *end = names->len == 0 ? p : p + names->len;

	for (; p < end; p += strlen(p) + 1)
		if (strcmp(p, m->name) == 0)
			return true;
	return false;
}

static int
members(struct scan *s, int (*fn)(void *arg, const struct json_member *m), void *arg)
{
	struct buf names = { 0 };
	struct json_member m;
	int rc = 0;

	for (bool first = true; rc == 0; first = false) {
		space(s);
		if (s->p < s->end && *s->p == '}' && first)
			break;
		rc = member(s, &m);
		if (rc == 0 && seen(&m, &names))
			rc = err_set(s->err, ERR_USAGE, "JSON: \"%s\" stands twice", m.name);
		buf_put(&names, m.name, rc == 0 ? strlen(m.name) + 1 : 0);
		rc = rc == 0 && fn != NULL ? fn(arg, &m) : rc;
		if (rc != 0)
			break;
		space(s);
		if (s->p < s->end && *s->p == '}')
			break;
		if (s->p == s->end || *s->p++ != ',')
			rc = bad(s, "a comma or a closing bracket is expected");
	}
	buf_fini(&names);
	return rc;
}

int
json_scan(const char *text, size_t len, int (*fn)(void *arg, const struct json_member *m),
    void *arg, struct err *err)
{
	struct scan s = { text, text, text + len, err };
	int rc;

	if (!utf8_valid(text, len))
		return err_set(err, ERR_USAGE, "JSON: the body is not UTF-8");
	space(&s);
	if (s.p == s.end || *s.p != '{')
		return bad(&s, "an object is expected");
	s.p++;
	rc = members(&s, fn, arg);
	if (rc != 0)
		return rc;
	s.p++;
	space(&s);
	return s.p == s.end ? 0 : bad(&s, "bytes after the object");
}

int
json_text(const struct json_member *m, char *out, size_t room)
{
	struct scan s = { m->value, m->value, m->value + m->len, NULL };

	if (m->type == JSON_T_STRING)
		return string(&s, out, room) == 0 ? 0 : -EINVAL;
	if ((m->type != JSON_T_NUMBER && m->type != JSON_T_BOOL) || m->len >= room)
		return -EINVAL;
	memcpy(out, m->value, m->len);
	out[m->len] = '\0';
	return 0;
}
