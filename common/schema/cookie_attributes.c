/* Attributes of a cookie: a row for each that there is, and what may stand behind its "=". */
#include "schema/cookie_attributes.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define ALLOWED \
	"Path=/..., Domain=NAME, Secure, HttpOnly, SameSite=Lax|Strict|None, Partitioned, Max-Age=SECONDS"

struct part {
	const char *at;
	size_t len;
};

static bool
is(struct part p, const char *word)
{
	return strlen(word) == p.len && strncasecmp(p.at, word, p.len) == 0;
}

/* Bytes that a value may have (RFC 6265 section 4.1.1: no control characters and no semicolon); of ASCII alone. */
static bool
plain(struct part v)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.at[i] < 0x21 || v.at[i] > 0x7e)
			return false;
	return true;
}

static bool
good_path(struct part v)
{
	return v.len > 0 && v.at[0] == '/' && plain(v);
}

/* Labels with dots between them; a dot in front counts as none (RFC 6265 section 5.2.3). */
static bool
good_domain(struct part v)
{
	size_t label = 0;

	if (v.len > 0 && v.at[0] == '.') {
		v.at++;
		v.len--;
	}
	for (size_t i = 0; i < v.len; i++) {
		char c = v.at[i] | 0x20;

		if (v.at[i] == '.' && label == 0)
			return false;
		if (v.at[i] != '.' && v.at[i] != '-' && !(v.at[i] >= '0' && v.at[i] <= '9') &&
		    !(c >= 'a' && c <= 'z'))
			return false;
		label = v.at[i] == '.' ? 0 : label + 1;
	}
	return label > 0;
}

static bool
good_site(struct part v)
{
	return is(v, "Lax") || is(v, "Strict") || is(v, "None");
}

static bool
good_seconds(struct part v)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.at[i] < '0' || v.at[i] > '9')
			return false;
	return v.len > 0 && v.len < 10;
}

enum { PATH, DOMAIN, SECURE, HTTPONLY, SAMESITE, PARTITIONED, MAXAGE, ATTRIBUTES };
static const struct {
	const char *name, *allowed;
	bool (*good)(struct part value); /* NULL: it has none */
} rows[ATTRIBUTES] = {
	[PATH] = { "Path", "a path from / on, without spaces", good_path },
	[DOMAIN] = { "Domain", "a DNS name", good_domain },
	[SECURE] = { "Secure", "no value", NULL },
	[HTTPONLY] = { "HttpOnly", "no value", NULL },
	[SAMESITE] = { "SameSite", "Lax, Strict or None", good_site },
	[PARTITIONED] = { "Partitioned", "no value", NULL },
	[MAXAGE] = { "Max-Age", "seconds, at most 9 digits", good_seconds },
};

/* One attribute; its number, or an error. */
static int
read_one(struct part p, unsigned seen, struct err *err)
{
	const char *equal = memchr(p.at, '=', p.len);
	struct part name = { p.at, equal != NULL ? (size_t)(equal - p.at) : p.len }, value = { 0 };
	int i;

	if (equal != NULL)
		value = (struct part){ equal + 1, p.len - name.len - 1 };
	for (i = 0; i < ATTRIBUTES && !is(name, rows[i].name); i++)
		;
	if (i == ATTRIBUTES)
		return err_set(err, ERR_INVALID,
		    "\"%.*s\" is no attribute; allowed are " ALLOWED
		    ", with semicolons between them",
		    (int)p.len, p.at);
	if ((seen & 1u << i) != 0)
		return err_set(err, ERR_INVALID, "%s is there twice; allowed is one", rows[i].name);
	if (rows[i].good == NULL ? equal != NULL : equal == NULL || !rows[i].good(value))
		return err_set(err, ERR_INVALID, "\"%.*s\" is not allowed: of %s it is %s",
		    (int)p.len, p.at, rows[i].name, rows[i].allowed);
	return i | (i == SAMESITE && is(value, "None") ? 0x100 : 0);
}

int
cookie_attributes_check(const char *text, struct err *err)
{
	unsigned seen = 0;
	bool none = false;

	while (*text != '\0') {
		size_t n = strcspn(text, ";"), skip = strspn(text, " ");
		struct part p = { text + skip, n > skip ? n - skip : 0 };
		int got;

		while (p.len > 0 && p.at[p.len - 1] == ' ')
			p.len--;
		if (p.len == 0)
			return err_set(err, ERR_INVALID,
			    "a semicolon stands between two attributes; allowed are " ALLOWED);
		got = read_one(p, seen, err);
		if (got < 0)
			return got;
		none = none || (got & 0x100) != 0;
		seen |= 1u << (got & 0xff);
		text += n;
		if (*text == ';' && *++text == '\0')
			return err_set(err, ERR_INVALID,
			    "a semicolon stands between two attributes, not behind the last");
	}
	if ((seen & 1u << SECURE) == 0 && (none || (seen & 1u << PARTITIONED) != 0))
		return err_set(err, ERR_INVALID,
		    "%s without Secure is dropped by browsers; add Secure",
		    none ? "SameSite=None" : "Partitioned");
	return 0;
}
