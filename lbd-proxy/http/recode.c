/* Which answers are compressed, and their heads. Not those that are small, in a coding already, parts of something (206), without
 * a body, or that say no-transform; not those with a digest of their bytes, which would be wrong then. Bodies in which texts are
 * replaced are chosen in the same way, but lose their digests: somebody wants other bytes there. A strong ETag names
 * bytes that nobody gets any more, so it becomes a weak one (RFC 9110 section 8.8.1), and ranges are not offered. */
#include "http_squeeze.h"

#include "schema/media.h"

#include <string.h>
#include <strings.h>

struct seen {
	bool type, vary, never, digest;
};

static bool
is(const char *buf, const struct h1_header *f, const char *name, size_t n)
{
	return f->name_len == n && strncasecmp(buf + f->name_off, name, n) == 0;
}
#define IS(name) is(buf, f, name, sizeof(name) - 1)

static bool
is_digest(const char *buf, const struct h1_header *f)
{
	return IS("content-md5") || IS("digest") || IS("content-digest") || IS("repr-digest");
}

/* Whether a list has a word as an element of its own; what stands behind '=' does not count. */
static bool
lists(const char *s, size_t len, const char *word)
{
	size_t n = strlen(word), at = 0, end;

	while (at < len) {
		while (at < len && (s[at] == ' ' || s[at] == '\t' || s[at] == ','))
			at++;
		for (end = at;
		     end < len && s[end] != ',' && s[end] != ' ' && s[end] != '\t' && s[end] != '=';
		     end++)
			;
		if (end - at == n && strncasecmp(s + at, word, n) == 0)
			return true;
		for (at = end; at < len && s[at] != ','; at++)
			;
	}
	return false;
}

static void
see(struct seen *seen, const char *buf, const struct h1_header *f, const char *types)
{
	const char *value = buf + f->value_off;

	if (f->id == H1_CACHE_CONTROL) {
		seen->never = seen->never || lists(value, f->value_len, "no-transform");
	} else if (f->id != H1_OTHER) {
		return;
	} else if (IS("content-type")) {
		seen->never = seen->never || seen->type; /* two: nobody knows */
		seen->type = media_list_match(types, value, f->value_len);
	} else if (IS("vary")) {
		seen->vary = seen->vary || lists(value, f->value_len, "accept-encoding") ||
			     lists(value, f->value_len, "*");
	} else if (IS("content-encoding") || IS("content-range")) {
		seen->never = true;
	} else if (is_digest(buf, f)) {
		seen->digest = true;
	}
}

static bool
is_whole(unsigned status)
{
	return status >= 200 && status != 204 && status != 205 && status != 206 && status != 304;
}

static bool
has_body(const struct h1_head *answer)
{
	return answer->framing == H1_LENGTH || answer->framing == H1_CHUNKED ||
	       answer->framing == H1_UNTIL_CLOSE;
}

struct recode
recode_of(const struct h1_head *answer, const char *buf, const char *types, uint64_t min,
    enum coding coding)
{
	struct recode r = { 0 };
	struct seen seen = { 0 };

	if (!is_whole(answer->status))
		return r;
	if (answer->has_length && (answer->body_length < min || answer->body_length == 0))
		return r;
	for (unsigned i = 0; i < answer->n; i++)
		see(&seen, buf, &answer->header[i], types);
	if (!seen.type || seen.never || seen.digest)
		return r;
	r.vary = !seen.vary;
	r.squeeze = coding != CODING_NONE && has_body(answer);
	return r;
}

bool
recode_replaces(const struct h1_head *answer, const char *buf, const char *types)
{
	struct seen seen = { 0 };

	if (!is_whole(answer->status) || !has_body(answer) ||
	    (answer->framing == H1_LENGTH && answer->body_length == 0))
		return false;
	for (unsigned i = 0; i < answer->n; i++)
		see(&seen, buf, &answer->header[i], types);
	return seen.type && !seen.never;
}

#define VARY "Vary: Accept-Encoding\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define CODED(word) "Content-Encoding: " word "\r\n" CHUNKED

const char *
recode_lines(struct recode r, enum coding coding)
{
	if (!r.squeeze && r.replace && !r.close)
		return r.vary ? CHUNKED VARY : CHUNKED;
	if (!r.squeeze)
		return r.vary ? VARY : "";
	if (coding == CODING_BR)
		return r.vary ? CODED("br") VARY : CODED("br");
	return r.vary ? CODED("gzip") VARY : CODED("gzip");
}

enum recode_line
recode_line(const char *buf, const struct h1_header *f)
{
	if (f->id == H1_CONTENT_LENGTH || f->id == H1_TRANSFER_ENCODING || f->id == H1_TRAILER)
		return RECODE_CUT;
	if (f->id != H1_OTHER)
		return RECODE_PASS;
	if (IS("accept-ranges") || is_digest(buf, f))
		return RECODE_CUT;
	return IS("etag") && f->value_len > 0 && buf[f->value_off] == '"' ? RECODE_WEAKEN
									  : RECODE_PASS;
}
