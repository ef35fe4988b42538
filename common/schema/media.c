/* A pattern has one slash and any number of stars; a star never stands for a slash. Matching is without recursion, and looks
 * at each place at most once for each star: lists and types are short. */
#include "schema/media.h"

#include <stdint.h>
#include <string.h>

#define TOKEN "!#$%&'+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

int
media_list_check(const char *list, struct err *err)
{
	for (const char *p = list; *p != '\0';) {
		size_t len = strcspn(p, ","), a = strspn(p, TOKEN "*"), b = 0;

		if (p[a] == '/')
			b = strspn(p + a + 1, TOKEN "*");
		if (a == 0 || b == 0 || a + 1 + b != len)
			return err_set(err, ERR_INVALID,
			    "\"%.*s\" is not allowed: media types, as text/*,application/json",
			    (int)(len < 60 ? len : 60), p);
		p += len;
		if (*p == ',' && *(p += 1 + strspn(p + 1, " ")) == '\0')
			return err_set(err, ERR_INVALID, "ends with a comma");
	}
	return 0;
}

/* The last star is gone back to; an earlier one need not be. */
static bool
match(const char *pat, size_t pn, const char *s, size_t n)
{
	size_t i = 0, k = 0, star = SIZE_MAX, from = 0;

	while (k < n) {
		if (i < pn && pat[i] == '*') {
			star = i++;
			from = k;
		} else if (i < pn && lower(pat[i]) == lower(s[k])) {
			i++;
			k++;
		} else if (star != SIZE_MAX && s[from] != '/') {
			i = star + 1;
			k = ++from;
		} else {
			return false;
		}
	}
	while (i < pn && pat[i] == '*')
		i++;
	return i == pn;
}

bool
media_list_match(const char *list, const char *type, size_t len)
{
	size_t n = 0, pn;

	while (n < len && type[n] != ';' && type[n] != ' ' && type[n] != '\t')
		n++;
	for (; n > 0 && *list != '\0'; list += pn) {
		pn = strcspn(list, ",");
		if (match(list, pn, type, n))
			return true;
		if (list[pn] == ',')
			list += 1 + strspn(list + pn + 1, " ");
	}
	return false;
}

bool
media_is_type(const char *text)
{
	size_t a = strspn(text, TOKEN), b = text[a] == '/' ? strspn(text + a + 1, TOKEN) : 0;
	char end;

	if (a == 0 || b == 0)
		return false;
	end = text[a + 1 + b];
	return end == '\0' || end == ';' || end == ' ';
}
