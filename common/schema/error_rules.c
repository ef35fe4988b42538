/* Field error_pages: KEY=PAGE or KEY=STATUS URL, with commas between them. Pure. */
#include "schema/error_rules.h"

#include "base/must.h"

#include <string.h>

#define KEYS "unavailable, maintenance, 4xx, 5xx, or a status of 400 to 599"

static uint16_t
three_digits(const char *s)
{
	for (unsigned i = 0; i < 3; i++)
		if (s[i] < '0' || s[i] > '9')
			return 0;
	return (uint16_t)((s[0] - '0') * 100 + (s[1] - '0') * 10 + s[2] - '0');
}

/* 0: none. */
static uint16_t
read_key(const char *s, size_t n)
{
	static const struct {
		const char *text;
		uint16_t key;
	} words[] = { { "unavailable", ERROR_UNAVAILABLE }, { "maintenance", ERROR_MAINTENANCE },
		{ "4xx", ERROR_4XX }, { "5xx", ERROR_5XX } };
	uint16_t status;

	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		if (strlen(words[i].text) == n && memcmp(words[i].text, s, n) == 0)
			return words[i].key;
	status = n == 3 ? three_digits(s) : 0;
	return status >= 400 && status <= 599 ? status : 0;
}

static bool
is_place(const char *s, size_t n)
{
	if (n == 0 || (s[0] != '/' && (n < 8 || memcmp(s, "http://", 7) != 0) &&
			  (n < 9 || memcmp(s, "https://", 8) != 0)))
		return false;
	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] >= 0x7f || strchr("\"<>\\^`{|}", s[i]) != NULL)
			return false;
	return true;
}

static bool
is_name(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'z') ||
			(s[i] >= 'A' && s[i] <= 'Z') ||
			(i > 0 && (s[i] == '.' || s[i] == '_' || s[i] == '-'))))
			return false;
	return n > 0 && n <= 63;
}

/* What stands behind the sign. */
static int
read_answer(const char *s, size_t n, struct error_rule *r, struct err *err)
{
	const char *space = memchr(s, ' ', n);

	if (space == NULL) {
		if (!is_name(s, n))
			return err_set(err, ERR_INVALID,
			    "\"%.*s\" is not allowed: the name of a page, or a status and where to go, as 302 "
			    "https://status.example.org/",
			    (int)(n < 60 ? n : 60), s);
		r->to = s;
		r->to_len = (uint16_t)n;
		return 0;
	}
	r->redirect = space - s == 3 ? three_digits(s) : 0;
	if (r->redirect != 301 && r->redirect != 302 && r->redirect != 303 && r->redirect != 307 &&
	    r->redirect != 308)
		return err_set(err, ERR_INVALID,
		    "\"%.*s\" is not allowed before where to go: 301, 302, 303, 307 or 308",
		    (int)(space - s < 20 ? space - s : 20), s);
	n -= (size_t)(space + 1 - s);
	s = space + 1;
	if (!is_place(s, n))
		return err_set(err, ERR_INVALID,
		    "\"%.*s\" is not allowed: where to go begins with http://, https:// or /, and has no "
		    "space in it",
		    (int)(n < 60 ? n : 60), s);
	r->to = s;
	r->to_len = (uint16_t)n;
	return 0;
}

static int
read_rule(const char *s, size_t n, struct error_rule *r, struct err *err)
{
	const char *sign = memchr(s, '=', n);

	*r = (struct error_rule){ 0 };
	if (sign == NULL)
		return err_set(err, ERR_INVALID,
		    "\"%.*s\" is not allowed: KEY=PAGE or KEY=STATUS URL, with commas between them, as "
		    "503=sorry,5xx=broken",
		    (int)(n < 60 ? n : 60), s);
	r->key = read_key(s, (size_t)(sign - s));
	if (r->key == 0)
		return err_set(err, ERR_INVALID, "\"%.*s\" is not allowed: " KEYS,
		    (int)(sign - s < 60 ? sign - s : 60), s);
	return read_answer(sign + 1, n - (size_t)(sign + 1 - s), r, err);
}

int
error_rules_parse(const char *text, struct error_rule out[ERROR_RULES_MAX], struct err *err)
{
	int n = 0, rc;

	while (*text != '\0') {
		size_t len = strcspn(text, ",");

		if (n == ERROR_RULES_MAX)
			return err_set(
			    err, ERR_INVALID, "has more than %d answers", ERROR_RULES_MAX);
		rc = read_rule(text, len, &out[n], err);
		if (rc != 0)
			return rc;
		for (int i = 0; i < n; i++)
			if (out[i].key == out[n].key)
				return err_set(err, ERR_INVALID, "\"%.*s\" is there twice",
				    (int)strcspn(text, "="), text);
		n++;
		text += len;
		if (*text == ',' && *(text += 1 + strspn(text + 1, " ")) == '\0')
			return err_set(err, ERR_INVALID, "ends with a comma");
	}
	return n;
}

uint16_t
error_key_next(uint16_t key)
{
	if (key == ERROR_UNAVAILABLE || key == ERROR_MAINTENANCE)
		return 503;
	return key >= 400 && key <= 599 ? key / 100 : 0;
}
