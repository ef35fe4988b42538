/* Heads of requests and answers, as a scanner over the caller's bytes.
 *
 * A head is a start line, field lines and an empty line, each ended by CR LF and nothing else. The scanner takes line by
 * line: the line's first control byte is searched sixteen bytes at a time and must be its CR, and what stands before it is
 * read without further bounds, because no token and no target goes beyond a control byte. The head remembers the line it
 * was in and how far that line has been searched, so a call with more bytes goes on there: bytes are searched once,
 * and read when their line is complete. What a field means is decided in h1_field.c.
 *
 * One empty line before a request is passed over (RFC 9112 section 2.2). It does not repair anything: whatever is
 * not exactly the grammar is refused, because a server behind us may read it in another way. */
#include "h1_parse.h"

#include <strings.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/must.h"
#include "h1_priv.h"

enum { START, FIELDS, FINISHED };

H1_ERROR(bad_blank, 400, "control byte before the request line");
H1_ERROR(bad_method, 400, "invalid method");
H1_ERROR(long_method, 501, "method too long");
H1_ERROR(connect_method, 501, "CONNECT is not served");
H1_ERROR(bad_target, 400, "invalid character in the request target");
H1_ERROR(bad_form, 400, "request target is neither a path nor an http URL");
H1_ERROR(bad_authority, 400, "target of CONNECT is not host:port");
H1_ERROR(long_target, 414, "request target too long");
H1_ERROR(no_version, 400, "request line without HTTP version");
H1_ERROR(bad_version, 505, "HTTP version is not 1.0 or 1.1");
H1_ERROR(bad_line_end, 400, "start line not ended by CR LF");
H1_ERROR(bad_status, 400, "invalid status line");
H1_ERROR(fold, 400, "field line begins with white space");
H1_ERROR(empty_name, 400, "empty field name");
H1_ERROR(bad_name, 400, "invalid character in a field name");
H1_ERROR(long_name, 431, "field name too long");
H1_ERROR(space_colon, 400, "white space before the colon");
H1_ERROR(bare_lf, 400, "line not ended by CR LF");
H1_ERROR(bad_value, 400, "control byte in a field line");
H1_ERROR(lone_cr, 400, "CR without LF");
H1_ERROR(many_fields, 431, "too many field lines");
H1_ERROR(long_head, 431, "head too large");

#define T H1_C_TOKEN
#define U H1_C_TARGET
#define H H1_C_HOST
const uint8_t h1_class[256] = {
	['!'] = T | U | H,
	['"'] = U,
	['#'] = T,
	['$'] = T | U | H,
	['%'] = T | U | H,
	['&'] = T | U | H,
	['\''] = T | U | H,
	['('] = U | H,
	[')'] = U | H,
	['*'] = T | U | H,
	['+'] = T | U | H,
	[','] = U,
	['-'] = T | U | H,
	['.'] = T | U | H,
	['/'] = U,
	['0' ... '9'] = T | U | H,
	[':'] = U,
	[';'] = U | H,
	['<'] = U,
	['='] = U | H,
	['>'] = U,
	['?'] = U,
	['@'] = U,
	['A' ... 'Z'] = T | U | H,
	['['] = U,
	['\\'] = U,
	[']'] = U,
	['^'] = T | U,
	['_'] = T | U | H,
	['`'] = T | U,
	['a' ... 'z'] = T | U | H,
	['{'] = U,
	['|'] = T | U,
	['}'] = U,
	['~'] = T | U | H,
};
#undef T
#undef U
#undef H

bool
h1_is_token(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!h1_is(s[i], H1_C_TOKEN))
			return false;
	return len > 0;
}

#ifdef __SSE2__
/* A bit for each of sixteen bytes that is no text. */
static inline unsigned
controls(const char *p)
{
	const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	const __m128i ctl = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v),
	    _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)));

	return (unsigned)_mm_movemask_epi8(
	    _mm_andnot_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\t')), ctl));
}
#endif

/* The first byte from p on that is no text (h1_is_text), or end. Everything from begin on may be read. */
static inline const char *
find_control(const char *begin, const char *p, const char *end)
{
#ifdef __SSE2__
	unsigned mask;

	for (; end - p >= 16; p += 16) {
		mask = controls(p);
		if (mask != 0)
			return p + __builtin_ctz(mask);
	}
	if (p < end &&
	    end - begin >= 16) { /* overlaps the one before rather than reach beyond the end */
		mask = controls(end - 16) >> (16 - (end - p));
		return mask == 0 ? end : p + __builtin_ctz(mask);
	}
#else
	(void)begin;
#endif
	while (p < end && h1_is_text(*p))
		p++;
	return p;
}

/* p stands before a byte of no class: the control byte that ends the line. */
static inline const char *
skip_class(const char *p, unsigned classes)
{
	while (h1_is(*p, classes))
		p++;
	return p;
}

/* The same for a field name. Nearly all of them are letters, digits and '-', which are told sixteen at a time; what is
 * neither decides the table. Nothing from end on is read. */
static inline const char *
skip_name(const char *p, const char *end)
{
#ifdef __SSE2__
	if (end - p >= 16) {
		const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		const __m128i a =
		    _mm_sub_epi8(_mm_or_si128(v, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
		const __m128i n = _mm_sub_epi8(v, _mm_set1_epi8('0'));
		const __m128i name =
		    _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(a, _mm_set1_epi8(25)), a),
				     _mm_cmpeq_epi8(_mm_min_epu8(n, _mm_set1_epi8(9)), n)),
			_mm_cmpeq_epi8(v, _mm_set1_epi8('-')));

		/* a 1 behind the sixteen: all of them are */
		p += __builtin_ctz(~(unsigned)_mm_movemask_epi8(name));
		if (*p == ':')
			return p;
	}
#else
	(void)end;
#endif
	return skip_class(p, H1_C_TOKEN);
}

static inline enum h1_result
refuse(struct h1_head *h, const struct h1_error *e)
{
	h->error = e;
	return H1_BAD;
}

static enum h1_method
method_of(const char *s, size_t n)
{
	static const struct {
		char text[8];
		uint8_t len, method;
	} known[] = {
		{ "GET", 3, H1_M_GET },
		{ "HEAD", 4, H1_M_HEAD },
		{ "POST", 4, H1_M_POST },
		{ "PUT", 3, H1_M_PUT },
		{ "DELETE", 6, H1_M_DELETE },
		{ "OPTIONS", 7, H1_M_OPTIONS },
		{ "PATCH", 5, H1_M_PATCH },
		{ "TRACE", 5, H1_M_TRACE },
		{ "CONNECT", 7, H1_M_CONNECT },
	};

	for (unsigned i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].len == n && memcmp(known[i].text, s, n) == 0)
			return known[i].method;
	return H1_M_OTHER;
}

/* Which of the forms of RFC 9112 section 3.2 the target has, and where its path begins. */
static bool
target_form(struct h1_head *h, const char *s)
{
	size_t n = h->target_len, scheme = 0;

	h->path_off = h->target_off;
	if (s[0] == '/') {
		h->form = H1_ORIGIN;
		return true;
	}
	if (s[0] == '*' && n == 1) {
		h->form = H1_ASTERISK;
		return h->method == H1_M_OPTIONS;
	}
	if (n > 7 && strncasecmp(s, "http://", 7) == 0)
		scheme = 7;
	else if (n > 8 && strncasecmp(s, "https://", 8) == 0)
		scheme = 8;
	if (scheme == 0)
		return false;
	h->form = H1_ABSOLUTE;
	while (scheme < n && s[scheme] != '/' && s[scheme] != '?')
		scheme++;
	h->path_off = (uint16_t)(h->target_off + scheme);
	return true;
}

static enum h1_result
target_authority(struct h1_head *h, const char *s)
{
	h->form = H1_AUTHORITY;
	h->path_off = (uint16_t)(h->target_off + h->target_len);
	return h1_authority_ok(s, h->target_len) ? H1_DONE : refuse(h, &bad_authority);
}

/* "HTTP/1.1" from p to the line's CR. */
static enum h1_result
parse_version(struct h1_head *h, const char *p, const char *cr)
{
	if (cr - p < 8 || memcmp(p, "HTTP/", 5) != 0)
		return refuse(h, &no_version);
	if (p[5] != '1' || p[6] != '.' || (p[7] != '0' && p[7] != '1')) {
		bool digits =
		    p[5] >= '0' && p[5] <= '9' && p[6] == '.' && p[7] >= '0' && p[7] <= '9';
		return refuse(h, digits ? &bad_version : &no_version);
	}
	h->minor = (uint8_t)(p[7] - '0');
	return p + 8 == cr ? H1_DONE : refuse(h, &bad_line_end);
}

static enum h1_result
parse_request_line(struct h1_head *h, const char *buf, const char *p, const char *cr)
{
	const char *q = skip_class(p, H1_C_TOKEN);

	if (*q != ' ' || q == p)
		return refuse(h, &bad_method);
	if (q - p > H1_METHOD_MAX)
		return refuse(h, &long_method);
	h->method_len = (uint8_t)(q - p);
	h->method = (uint8_t)method_of(p, h->method_len);
	p = q + 1;
	q = skip_class(p, H1_C_TARGET);
	if (q - p > H1_TARGET_MAX)
		return refuse(h, &long_target);
	if (*q != ' ' || q == p)
		return refuse(h, *q == '\r' ? &no_version : &bad_target);
	h->target_off = (uint16_t)(p - buf);
	h->target_len = (uint16_t)(q - p);
	if (*cr != '\r')
		return refuse(h, &bad_line_end);
	if (parse_version(h, q + 1, cr) != H1_DONE)
		return H1_BAD;
	if (h->method == H1_M_CONNECT && !h->connect)
		return refuse(h, &connect_method);
	if (h->method == H1_M_CONNECT)
		return target_authority(h, p);
	return target_form(h, p) ? H1_DONE : refuse(h, &bad_form);
}

/* RFC 9112 section 4. The space behind the code may be missing when there is no reason phrase: many servers do so, and it
 * can be read in one way only. */
static enum h1_result
parse_status_line(struct h1_head *h, const char *p, const char *cr)
{
	if (*cr != '\r' || cr - p < 12 || memcmp(p, "HTTP/1.", 7) != 0)
		return refuse(h, &bad_status);
	if ((p[7] != '0' && p[7] != '1') || p[8] != ' ' || p[9] < '1' || p[9] > '5' ||
	    p[10] < '0' || p[10] > '9' || p[11] < '0' || p[11] > '9' ||
	    (p[12] != ' ' && p[12] != '\r'))
		return refuse(h, &bad_status);
	h->minor = (uint8_t)(p[7] - '0');
	h->status = (uint16_t)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
	return H1_DONE;
}

/* Why the bytes from p to q begin no field; *q is no token character, and no colon follows a name. */
static const struct h1_error *
name_error(const char *p, const char *q)
{
	if (q == p)
		return *q == ' ' || *q == '\t' ? &fold
		       : *q == ':'	       ? &empty_name
		       : *q == '\n'	       ? &bare_lf
					       : &bad_name;
	return *q == ' ' || *q == '\t' ? &space_colon : &bad_name;
}

/* One field line from p to its CR; bytes up to end may be read. */
static inline enum h1_result
parse_field(struct h1_head *h, const char *buf, const char *p, const char *cr, const char *end)
{
	const char *q = skip_name(p, end), *v = q + 1, *e = cr;
	struct h1_header *f = &h->header[h->n];

	if (*q != ':' || q == p)
		return refuse(h, name_error(p, q));
	if (*cr != '\r')
		return refuse(h, *cr == '\n' ? &bare_lf : &bad_value);
	if (q - p > H1_NAME_MAX)
		return refuse(h, &long_name);
	if (h->n == H1_HEADERS_MAX)
		return refuse(h, &many_fields);
	while (*v == ' ' || *v == '\t')
		v++;
	while (e > v && (e[-1] == ' ' || e[-1] == '\t'))
		e--;
	f->name_off = (uint16_t)(p - buf);
	f->name_len = (uint16_t)(q - p);
	f->value_off = (uint16_t)(v - buf);
	f->value_len = (uint16_t)(e - v);
	f->id = h1_may_know(p, f->name_len) ? (uint8_t)h1_lookup(p, f->name_len) : H1_OTHER;
	if (f->id != H1_OTHER && !h1_field_apply(h, buf, f))
		return H1_BAD;
	h->n++;
	h->seen |= H1_BIT(f->id);
	return H1_DONE;
}

/* The start line from p to its first control byte, or the empty line before a request. */
static enum h1_result
parse_start(struct h1_head *h, const char *buf, const char *p, const char *cr)
{
	if (!h->answer && p == buf && cr == buf) {
		h->start = 2;
		return *cr == '\r' ? H1_DONE : refuse(h, &bad_blank);
	}
	h->phase = FIELDS;
	h->first = (uint16_t)(cr + 2 - buf);
	return h->answer ? parse_status_line(h, p, cr) : parse_request_line(h, buf, p, cr);
}

/* The empty line begins at p. */
static enum h1_result
finish(struct h1_head *h, const char *buf, const char *p)
{
	h->length = (uint32_t)(p + 2 - buf);
	h->phase = FINISHED;
	return h1_head_finish(h, buf) ? H1_DONE : H1_BAD;
}

/* The line at p has no end yet: it was searched as far as at. */
static enum h1_result
more(struct h1_head *h, const char *buf, size_t len, const char *p, const char *at)
{
	h->line = (uint32_t)(p - buf);
	h->scan = (uint32_t)(at - buf);
	if (len < h->max)
		return H1_MORE;
	return refuse(h, h->phase == START && !h->answer ? &long_target : &long_head);
}

void
h1_head_init(struct h1_head *h, bool answer, uint32_t max)
{
	memset(h, 0, offsetof(struct h1_head, header));
	h->answer = answer;
	h->max = max < H1_HEAD_MAX ? max : H1_HEAD_MAX;
}

enum h1_result
h1_head_parse(struct h1_head *h, const char *buf, size_t len)
{
	const char *end = buf + (len < h->max ? len : h->max), *p = buf + h->line,
		   *from = buf + h->scan;

	must(h->phase != FINISHED && from <= end);
	for (;;) {
		const char *cr = find_control(buf, from, end);

		if (end - cr < 2 && (cr == end || *cr == '\r'))
			return more(h, buf, len, p, cr);
		if (*cr == '\r' && cr[1] != '\n')
			return refuse(h, &lone_cr);
		if (h->phase == START) {
			if (parse_start(h, buf, p, cr) != H1_DONE)
				return H1_BAD;
		} else if (cr == p && *cr == '\r') {
			return finish(h, buf, p);
		} else if (parse_field(h, buf, p, cr, end) != H1_DONE) {
			return H1_BAD;
		}
		p = from = cr + 2;
	}
}
