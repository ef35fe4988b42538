/* The chunked coding (RFC 9112 section 7.1), checked as it passes.
 *
 * A state per body, no buffer: size lines, extensions and the trailer section are read byte by byte, chunk data in
 * runs. The bytes themselves are forwarded as they came, so everything that a recipient might read in another way is refused:
 * line ends other than CR LF, control bytes and loose grammar in extensions, sizes beyond 63 bits or 16 digits, white space
 * without a ';' behind it, folded or nameless trailer fields, and trailer fields that would change framing, routing,
 * connection handling, or what is said of client and content (RFC 9110 section 6.5.1). Extensions and trailers have limits, so that a body of one-byte chunks
 * cannot make us and the server work for nothing. */
#include "base/must.h"
#include "h1_priv.h"

H1_ERROR(bad_size, 400, "invalid chunk size");
H1_ERROR(long_size, 400, "chunk size too large");
H1_ERROR(bad_ext, 400, "invalid chunk extension");
H1_ERROR(long_ext, 400, "chunk extensions too long");
H1_ERROR(bad_line, 400, "chunk line not ended by CR LF");
H1_ERROR(bad_data, 400, "chunk data not ended by CR LF");
H1_ERROR(bad_trailer, 400, "invalid trailer field");
H1_ERROR(no_trailer, 400, "field not allowed in a trailer section");
H1_ERROR(long_trailer, 431, "trailer section too large");

/* The states of a size line come first, those of its extensions are E_... */
enum {
	SIZE_FIRST, /* zeroed memory: a body begins */
	SIZE,
	E_BEGIN, /* behind ';' */
	E_NAME,
	E_NAME_SPACE,
	E_EQUALS, /* behind '=' */
	E_VALUE,
	E_QUOTED,
	E_PAIR, /* behind '\' */
	E_UNQUOTED,
	E_SPACE, /* only ';' may follow */
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	T_LINE, /* a trailer line begins */
	T_NAME,
	T_VALUE,
	T_LF,
	END_LF,
	ENDED,
	REFUSED,
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* ";" name [ "=" ( token / quoted-string ) ], with white space around the signs. */
static uint8_t
next_ext(uint8_t state, char c)
{
	bool token = h1_is(c, H1_C_TOKEN), space = is_space(c);

	switch (state) {
	case E_BEGIN: return token ? E_NAME : space ? E_BEGIN : REFUSED;
	case E_NAME:
		if (token)
			return E_NAME;
		return space	   ? E_NAME_SPACE
		       : c == '='  ? E_EQUALS
		       : c == ';'  ? E_BEGIN
		       : c == '\r' ? SIZE_LF
				   : REFUSED;
	case E_NAME_SPACE:
		return space ? E_NAME_SPACE : c == '=' ? E_EQUALS : c == ';' ? E_BEGIN : REFUSED;
	case E_EQUALS: return token ? E_VALUE : c == '"' ? E_QUOTED : space ? E_EQUALS : REFUSED;
	case E_VALUE:
		return token	   ? E_VALUE
		       : space	   ? E_SPACE
		       : c == ';'  ? E_BEGIN
		       : c == '\r' ? SIZE_LF
				   : REFUSED;
	case E_QUOTED:
		return c == '"'	       ? E_UNQUOTED
		       : c == '\\'     ? E_PAIR
		       : h1_is_text(c) ? E_QUOTED
				       : REFUSED;
	case E_PAIR: return h1_is_text(c) ? E_QUOTED : REFUSED;
	case E_UNQUOTED:
		return space ? E_SPACE : c == ';' ? E_BEGIN : c == '\r' ? SIZE_LF : REFUSED;
	default: return space ? E_SPACE : c == ';' ? E_BEGIN : REFUSED;
	}
}

static const struct h1_error *
step_ext(struct h1_chunk *c, char b)
{
	if (++c->ext > H1_CHUNK_EXT_MAX || ++c->ext_total > H1_CHUNK_EXT_TOTAL)
		return &long_ext;
	c->state = next_ext(c->state, b);
	return c->state == REFUSED ? (b == '\n' ? &bad_line : &bad_ext) : NULL;
}

static const struct h1_error *
step_size(struct h1_chunk *c, char b)
{
	uint8_t lower = (uint8_t)b | 0x20;
	unsigned v = 16;

	if (b >= '0' && b <= '9')
		v = (unsigned)(b - '0');
	else if (lower >= 'a' && lower <= 'f')
		v = (unsigned)(lower - 'a' + 10);
	if (v < 16) {
		if (c->digits == 16 || c->left > (uint64_t)INT64_MAX >> 4)
			return &long_size;
		c->left = c->left << 4 | v;
		c->digits++;
		c->state = SIZE;
		return NULL;
	}
	if (c->state == SIZE_FIRST)
		return &bad_size;
	c->ext = 0;
	if (b == '\r')
		c->state = SIZE_LF;
	else if (b == ';')
		c->state = E_BEGIN;
	else if (is_space(b))
		c->state = E_SPACE;
	else
		return b == '\n' ? &bad_line : &bad_size;
	return NULL;
}

/* Names that mean nothing to the parser but something to a server that adds trailers to the head: who the client is, what
 * the proxy tells, conditions, and how the content is read (RFC 9110 section 6.5.1). The last two begin names. */
static const struct {
	char text[20];
	uint8_t len;
	bool begins;
} head_only[] = {
	{ "range", 5, false },
	{ "if-match", 8, false },
	{ "if-range", 8, false },
	{ "forwarded", 9, false },
	{ "x-real-ip", 9, false },
	{ "content-type", 12, false },
	{ "max-forwards", 12, false },
	{ "x-request-id", 12, false },
	{ "content-range", 13, false },
	{ "if-none-match", 13, false },
	{ "content-encoding", 16, false },
	{ "if-modified-since", 17, false },
	{ "if-unmodified-since", 19, false },
	{ "proxy-authorization", 19, false },
	{ "x-forwarded-", 12, true },
	{ "x-ssl-client", 12, true },
};

static bool
is_head_only(const char *name, size_t len)
{
	if (h1_lookup(name, len) != H1_OTHER)
		return true;
	for (unsigned i = 0; i < ARRAY_LEN(head_only); i++)
		if ((len == head_only[i].len || (head_only[i].begins && len > head_only[i].len)) &&
		    h1_same(name, head_only[i].text, head_only[i].len))
			return true;
	return false;
}

/* Behind the colon or not yet: the name is kept in lower case as far as a known one could reach. */
static const struct h1_error *
step_trailer_name(struct h1_chunk *c, char b)
{
	if (h1_is(b, H1_C_TOKEN)) {
		if (c->name_len < sizeof(c->name))
			c->name[c->name_len++] = b;
		c->state = T_NAME;
		return NULL;
	}
	if (b != ':' || c->name_len == 0)
		return &bad_trailer;
	c->state = T_VALUE;
	return is_head_only(c->name, c->name_len) ? &no_trailer : NULL;
}

static const struct h1_error *
step_trailer(struct h1_chunk *c, char b)
{
	if (++c->trailer > H1_TRAILER_MAX)
		return &long_trailer;
	switch (c->state) {
	case T_LINE:
		if (b == '\r') {
			c->state = END_LF;
			return NULL;
		}
		if (++c->trailers > H1_TRAILERS_MAX)
			return &long_trailer;
		c->name_len = 0;
		return step_trailer_name(c, b);
	case T_NAME: return step_trailer_name(c, b);
	case T_VALUE:
		if (b == '\r')
			c->state = T_LF;
		else if (!h1_is_text(b))
			return &bad_trailer;
		return NULL;
	case T_LF: c->state = T_LINE; return b == '\n' ? NULL : &bad_trailer;
	default: c->state = ENDED; return b == '\n' ? NULL : &bad_line;
	}
}

/* One byte in any state but DATA. */
static const struct h1_error *
step(struct h1_chunk *c, char b)
{
	switch (c->state) {
	case SIZE_FIRST:
	case SIZE: return step_size(c, b);
	case SIZE_LF:
		c->digits = 0;
		c->state = c->left > 0 ? DATA : T_LINE;
		return b == '\n' ? NULL : &bad_line;
	case DATA_CR: c->state = DATA_LF; return b == '\r' ? NULL : &bad_data;
	case DATA_LF: c->state = SIZE_FIRST; return b == '\n' ? NULL : &bad_data;
	default: return c->state < SIZE_LF ? step_ext(c, b) : step_trailer(c, b);
	}
}

void
h1_chunk_skip(struct h1_chunk *c, uint64_t n)
{
	must(n == 0 || (h1_chunk_data(c) && n <= c->left));
	c->left -= n;
	c->total += n;
	if (n > 0 && c->left == 0)
		c->state = DATA_CR;
}

bool
h1_chunk_data(const struct h1_chunk *c)
{
	return c->state == DATA;
}

enum h1_result
h1_chunk_scan(struct h1_chunk *c, const char *buf, size_t len, size_t *used_out)
{
	size_t at = 0;

	must(c->state < ENDED);
	while (at < len) {
		if (c->state == DATA) {
			size_t n = len - at < c->left ? len - at : (size_t)c->left;
			h1_chunk_skip(c, n);
			at += n;
			continue;
		}
		c->error = step(c, buf[at]);
		if (c->error != NULL) {
			c->state = REFUSED;
			*used_out = at;
			return H1_BAD;
		}
		at++;
		if (c->state == ENDED) {
			*used_out = at;
			return H1_DONE;
		}
	}
	*used_out = at;
	return H1_MORE;
}
