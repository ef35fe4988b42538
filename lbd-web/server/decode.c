/* Decoders of the small syntaxes around a request: form and query pairs, path segments, cookies. All of them
 * copy into one allocation and hand out texts that end with NUL, so a NUL in the input is refused, as are broken
 * percent escapes and text that is not UTF-8: nothing is repaired, one clear error is given instead. */
#include "decode.h"
#include "base/mem.h"
#include "schema/utf8.h"

#include <errno.h>
#include <string.h>

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
utf8_valid(const char *text, size_t len)
{
	uint32_t c;

	for (size_t i = 0; i < len;) {
		unsigned n = utf8_next(text + i, len - i, &c);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

/* Decode text[0..len) to *at, which moves behind the NUL that is added. */
static int
decode(const char *text, size_t len, bool plus, char **at, struct err *err)
{
	char *start = *at, *o = start;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '%') {
			int high = i + 2 < len ? hex(text[i + 1]) : -1;
			int low = high >= 0 ? hex(text[i + 2]) : -1;

			if (low < 0)
				return err_set(err, ERR_USAGE,
				    "a percent sign is not followed by two hex digits");
			c = (char)(high * 16 + low);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if ((unsigned char)c < ' ' && c != '\t' && c != '\n' && c != '\r')
			return err_set(err, ERR_USAGE, "a control character (%u) is not allowed",
			    (unsigned)(unsigned char)c);
		*o++ = c;
	}
	if (!utf8_valid(start, (size_t)(o - start)))
		return err_set(err, ERR_USAGE, "text is not UTF-8");
	*o++ = '\0';
	*at = o;
	return 0;
}

int
pairs_parse(const char *text, size_t len, struct pairs *out, struct err *err)
{
	char *at;
	int rc = 0;

	*out = (struct pairs){ .text = mem_alloc(len + 2 * (PAIRS_MAX + 1)) };
	at = out->text;
	for (size_t i = 0, end; i < len && rc == 0; i = end + 1) {
		const char *stop = memchr(text + i, '&', len - i), *eq;
		size_t n;

		end = stop == NULL ? len : (size_t)(stop - text);
		if (end == i)
			continue;
		if (out->n == PAIRS_MAX)
			return err_set(err, ERR_USAGE, "more than %d fields", PAIRS_MAX);
		eq = memchr(text + i, '=', end - i);
		n = eq == NULL ? end - i : (size_t)(eq - (text + i));
		out->v[out->n].name = at;
		rc = decode(text + i, n, true, &at, err);
		out->v[out->n].value = at;
		if (rc == 0 && eq != NULL)
			rc = decode(eq + 1, end - i - n - 1, true, &at, err);
		else if (rc == 0)
			*at++ = '\0';
		out->n += rc == 0;
	}
	return rc;
}

void
pairs_fini(struct pairs *p)
{
	FREE(p->text);
	p->n = 0;
}

const char *
pairs_get(const struct pairs *p, const char *name)
{
	for (unsigned i = 0; i < p->n; i++)
		if (strcmp(p->v[i].name, name) == 0)
			return p->v[i].value;
	return NULL;
}

int
segs_parse(const char *path, struct segs *out, struct err *err)
{
	char *at;
	int rc;

	*out = (struct segs){ .text = mem_alloc(strlen(path) + SEGS_MAX + 1) };
	at = out->text;
	if (path[0] != '/')
		return err_set(err, ERR_USAGE, "the path does not begin with a slash");
	while (*path == '/' && (path[1] != '\0' || out->n > 0)) {
		size_t n = strcspn(++path, "/");

		if (out->n == SEGS_MAX)
			return err_set(err, ERR_USAGE, "the path has more than %d parts", SEGS_MAX);
		out->v[out->n] = at;
		rc = decode(path, n, false, &at, err);
		if (rc != 0)
			return rc;
		if (n == 0 || strcmp(out->v[out->n], ".") == 0 || strcmp(out->v[out->n], "..") == 0)
			return err_set(
			    err, ERR_USAGE, "the path has an empty part, \".\" or \"..\"");
		out->n++;
		path += n;
	}
	return 0;
}

void
segs_fini(struct segs *s)
{
	FREE(s->text);
	s->n = 0;
}

bool
cookie_get(const char *header, const char *name, char *out, size_t room)
{
	size_t want = strlen(name);

	for (const char *p = header; p != NULL && *p != '\0';) {
		size_t n = strcspn(p, ";"), lead = strspn(p, " \t");
		const char *v = p + lead + want + 1;

		if (lead + want < n && strncmp(p + lead, name, want) == 0 && v[-1] == '=') {
			size_t len = n - lead - want - 1;

			if (len >= room)
				return false;
			memcpy(out, v, len);
			out[len] = '\0';
			return true;
		}
		p += n + (p[n] == ';');
	}
	return false;
}

static int
digit(char c)
{
	static const char all[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != '\0' ? strchr(all, c) : NULL;

	return at != NULL ? (int)(at - all) : -1;
}

int
base64_parse(const char *text, struct buf *out)
{
	size_t n = strcspn(text, "=");
	uint32_t bits = 0;
	unsigned have = 0;

	if (strspn(text + n, "=") != strlen(text + n) || strlen(text + n) > 2 || n % 4 == 1)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		int d = digit(text[i]);

		if (d < 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)d;
		have += 6;
		if (have >= 8) {
			have -= 8;
			buf_put_be(out, bits >> have & 0xff, 1);
		}
	}
	return 0;
}
