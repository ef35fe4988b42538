/* Which names does a pattern mean, and which labels does a selector ask for? Decides only; finding rows is select.c. */
#include "glob.h"

#include <string.h>

bool
glob_is(const char *text)
{
	return strpbrk(text, "*?") != NULL;
}

bool
glob_match(const char *p, const char *s)
{
	const char *star = NULL, *mark = NULL;

	while (*s != '\0') {
		if (*p == '*') {
			star = p++;
			mark = s;
		} else if (*p == *s || (*p == '?' && *s != '/')) {
			p++;
			s++;
		} else if (star != NULL && *mark != '/') {
			p = star + 1;
			s = ++mark;
		} else {
			return false;
		}
	}
	while (*p == '*')
		p++;
	return *p == '\0';
}

/* The value of a key in "a=b,c=d"; NULL: it is not there. */
static const char *
label_value(const char *labels, const char *key, size_t n, size_t *len_out)
{
	const char *p = labels;

	while (*p != '\0') {
		size_t len = strcspn(p, ",");

		if (len > n && p[n] == '=' && memcmp(p, key, n) == 0) {
			*len_out = len - n - 1;
			return p + n + 1;
		}
		p += len + (p[len] == ',');
	}
	return NULL;
}

static bool
one_fits(const char *want, size_t len, const char *labels)
{
	size_t key = 0, n;
	const char *value, *has;
	bool differs;

	while (key < len && want[key] != '=' && want[key] != '!')
		key++;
	has = label_value(labels, want, key, &n);
	if (key == len)
		return has != NULL;
	differs = want[key] == '!';
	value = want + key + (differs ? 2 : 1);
	len -= (size_t)(value - want);
	return (has != NULL && n == len && memcmp(has, value, n) == 0) != differs;
}

bool
glob_labels(const char *selector, const char *labels)
{
	const char *p = selector;

	while (*p != '\0') {
		size_t len = strcspn(p, ",");

		if (!one_fits(p, len, labels))
			return false;
		p += len + (p[len] == ',');
	}
	return true;
}

int
glob_selector_check(const char *selector, struct err *err)
{
	const char *p = selector;

	if (*p == '\0')
		return err_set(
		    err, ERR_USAGE, "-l: a selector is A=B, A!=B or A, separated by commas");
	while (*p != '\0') {
		size_t len = strcspn(p, ","), key = strcspn(p, "=!,");

		if (key == 0 || (p[key] == '!' && p[key + 1] != '='))
			return err_set(
			    err, ERR_USAGE, "-l: \"%.*s\" is not A=B, A!=B or A", (int)len, p);
		p += len;
		if (*p == ',' && *++p == '\0')
			return err_set(err, ERR_USAGE, "-l: \"%s\" ends with a comma", selector);
	}
	return 0;
}
