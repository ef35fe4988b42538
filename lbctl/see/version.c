/* Semantic versions: what one is, and the order of two (semver.org 2.0.0, sections 2 and 9 to 11). Numbers are compared as
 * digits, so none is too large; a pre-release is older than its release, and its parts are compared one by one, numbers
 * before words. A Debian package has an epoch before its version, its own revision behind it, and "~" where a
 * pre-release begins (deb-version(7)). */
#include "version.h"

#include "base/must.h"

#include <stdio.h>
#include <string.h>

#define DIGITS "0123456789"
#define LETTERS DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-"

/* A number without zeros in front. 0: none begins here. */
static size_t
number(const char *p)
{
	size_t n = strspn(p, DIGITS);

	return n > 1 && *p == '0' ? 0 : n;
}

/* Parts with dots between them. 0: none begins here. strict: its numbers have no zeros in front. */
static size_t
parts(const char *p, bool strict)
{
	size_t all = 0;

	for (;;) {
		size_t n = strspn(p + all, LETTERS);

		if (n == 0 || (strict && strspn(p + all, DIGITS) == n && number(p + all) == 0))
			return 0;
		all += n;
		if (p[all] != '.')
			return all;
		all++;
	}
}

bool
version_valid(const char *p)
{
	size_t n;

	for (unsigned i = 0; i < 3; i++, p += n) {
		p += i > 0 && *p == '.';
		if ((n = number(p)) == 0 || (i > 0 && p[-1] != '.'))
			return false;
	}
	if (*p == '-') {
		if ((n = parts(p + 1, true)) == 0)
			return false;
		p += 1 + n;
	}
	if (*p == '+') {
		if ((n = parts(p + 1, false)) == 0)
			return false;
		p += 1 + n;
	}
	return *p == '\0';
}

/* Two parts of lengths an and bn. */
static int
compare_part(const char *a, size_t an, const char *b, size_t bn)
{
	bool a_number = strspn(a, DIGITS) >= an, b_number = strspn(b, DIGITS) >= bn;
	int rc;

	if (a_number != b_number)
		return a_number ? -1 : 1;
	if (a_number && an != bn)
		return an < bn ? -1 : 1;
	rc = strncmp(a, b, an < bn ? an : bn);
	return rc != 0 ? rc : (an > bn) - (an < bn);
}

int
version_compare(const char *a, const char *b)
{
	bool release = true; /* still in MAJOR.MINOR.PATCH */

	must(version_valid(a) && version_valid(b));
	for (;;) {
		size_t an = strcspn(a, release ? ".-+" : ".+");
		size_t bn = strcspn(b, release ? ".-+" : ".+");
		int rc = compare_part(a, an, b, bn);
		bool a_more, b_more;

		if (rc != 0)
			return rc;
		a += an;
		b += bn;
		a_more = *a == '.' || (release && *a == '-');
		b_more = *b == '.' || (release && *b == '-');
		/* Without a pre-release it is newer; with fewer parts of one it is older. */
		if (a_more != b_more)
			return a_more == release ? -1 : 1;
		if (!a_more)
			return 0;
		release = *a == '.' && release;
		a++;
		b++;
	}
}

bool
version_of_package(const char *text, char out[VERSION_TEXT])
{
	const char *colon = strchr(text, ':'), *end;
	char *tilde;

	if (colon != NULL)
		text = colon + 1;
	end = strrchr(text, '-');
	if (snprintf(out, VERSION_TEXT, "%.*s",
		(int)(end != NULL ? (size_t)(end - text) : strlen(text)), text) >= VERSION_TEXT)
		return false;
	tilde = strchr(out, '~');
	if (tilde != NULL)
		*tilde = '-';
	return version_valid(out);
}
