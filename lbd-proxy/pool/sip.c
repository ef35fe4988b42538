/* The first message of SIP, line by line until its Call-ID. */
#include "sip.h"

#include <string.h>
#include <strings.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A request line "INVITE sip:bob@example.org SIP/2.0", or a status line "SIP/2.0 200 OK". */
static bool
is_start(const char *line, size_t n)
{
	static const char version[] = "SIP/2.0";
	const size_t len = sizeof(version) - 1;

	if (n > len && strncasecmp(line, version, len) == 0)
		return line[len] == ' ';
	return n > len + 2 && line[n - len - 1] == ' ' &&
	       strncasecmp(line + n - len, version, len) == 0;
}

/* The value of "NAME : value", without blanks around it; false: another field. */
static bool
value_of(const char *line, size_t n, const char *name, struct key_span *out)
{
	size_t len = strlen(name);
	const char *p = line + len, *end = line + n;

	if (n < len || strncasecmp(line, name, len) != 0)
		return false;
	while (p < end && is_blank(*p))
		p++;
	if (p == end || *p++ != ':')
		return false;
	while (p < end && is_blank(*p))
		p++;
	while (end > p && is_blank(end[-1]))
		end--;
	*out = (struct key_span){ p, (size_t)(end - p) };
	return true;
}

enum h1_result
sip_call(const uint8_t *p, size_t len, struct key_span *out)
{
	const char *at = (const char *)p, *end = at + len;
	bool began = false;

	*out = (struct key_span){ "", 0 };
	for (const char *lf; at < end && (lf = memchr(at, '\n', (size_t)(end - at))) != NULL;
	     at = lf + 1) {
		size_t n = (size_t)(lf - at);

		if (n > 0 && at[n - 1] == '\r')
			n--;
		if (!began && n == 0)
			continue;
		if (n == 0 || (!began && !is_start(at, n)))
			return H1_BAD;
		if (began && (value_of(at, n, "Call-ID", out) || value_of(at, n, "i", out)))
			return out->len > 0 ? H1_DONE : H1_BAD;
		began = true;
	}
	return len >= KEY_SIP_MAX ? H1_BAD : H1_MORE;
}
