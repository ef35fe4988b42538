/* answer.c - a bounded, strict reader of HTTP/1 answers for probes.
 *
 * Everything a server sends is hostile: a line, a head and the answer have limits, a length is digits once,
 * chunked is the only transfer coding, both together are refused, a NUL or a bare CR in a head is refused.
 * A line may end with LF alone (RFC 9112 section 2.2 allows it, old servers do it), but for lines of chunks.
 * Interim answers (100 to 199, but 101) are passed over. Headers are not kept; only the first bytes of the
 * line at hand are, so the memory is the same for any answer. The body goes through two searches and is gone.
 *
 * The states follow each other as their enum stands; body bytes are taken in bulk, all else byte by byte.
 * Does not talk to sockets, and knows no time: probe_http.c does. */
#include "answer.h"

#include "base/mem.h"
#include "msg/msg.h"

#include <string.h>
#include <strings.h>

enum answer_state {
	A_STATUS,
	A_HEADER,
	A_LENGTH,
	A_UNTIL_CLOSE,
	A_SIZE,
	A_CHUNK,
	A_CHUNK_END,
	A_TRAILER
};

static void
search_init(struct search *s, const char *text)
{
	uint16_t k = 0;

	*s = (struct search){ .text = text, .len = text ? (uint16_t)strlen(text) : 0 };
	if (!s->len)
		return;
	s->back = mem_alloc(s->len * sizeof(*s->back));
	for (uint16_t i = 1; i < s->len; i++) {
		while (k && text[i] != text[k])
			k = s->back[k - 1];
		if (text[i] == text[k])
			k++;
		s->back[i] = k;
	}
}

static void
search_feed(struct search *s, const uint8_t *p, size_t n)
{
	uint16_t at = s->at;

	if (!s->len || s->found)
		return;
	for (size_t i = 0; i < n; i++) {
		while (at && p[i] != (uint8_t)s->text[at])
			at = s->back[at - 1];
		if (p[i] == (uint8_t)s->text[at] && ++at == s->len) {
			s->found = true;
			return;
		}
	}
	s->at = at;
}

void
answer_init(struct answer *a, const struct check *rule)
{
	*a = (struct answer){ .good = rule->status,
		.most = rule->answer_max,
		.headless = rule->method == method_HEAD };
	search_init(&a->expect, rule->expect);
	search_init(&a->reject, rule->reject);
}

void
answer_fini(struct answer *a)
{
	FREE(a->expect.back);
	FREE(a->reject.back);
}

/* The body, or what is read of it, is over. cut: there would have been more. */
static int
judge(const struct answer *a, bool cut)
{
	if (a->expect.len && !a->expect.found)
		return cut ? REASON_too_long : REASON_body;
	return REASON_ok;
}

static bool
is_token(char c)
{
	return c && ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			strchr("!#$%&'*+-.^_`|~", c));
}

/* "HTTP/1.1 200 OK": version, one space, three digits, then nothing or a space and a phrase. */
static bool
take_status(struct answer *a)
{
	const char *l = a->line;

	if (a->line_len < 12 || memcmp(l, "HTTP/1.", 7) != 0 || l[7] < '0' || l[7] > '9' ||
	    l[8] != ' ')
		return false;
	for (unsigned i = 9; i < 12; i++)
		if (l[i] < '0' || l[i] > '9')
			return false;
	if (a->line_len > 12 && l[12] != ' ')
		return false;
	a->old = l[7] == '0';
	a->status = (uint16_t)((l[9] - '0') * 100 + (l[10] - '0') * 10 + (l[11] - '0'));
	return a->status >= 100 && a->status <= 599;
}

static bool
take_length(struct answer *a, const char *v, size_t n)
{
	if (a->has_length || n == 0 || n > 18)
		return false;
	a->has_length = true;
	a->left = 0;
	for (size_t i = 0; i < n; i++) {
		if (v[i] < '0' || v[i] > '9')
			return false;
		a->left = a->left * 10 + (uint64_t)(v[i] - '0');
	}
	return true;
}

static bool
take_coding(struct answer *a, const char *v, size_t n)
{
	if (a->chunked || n != 7 || strncasecmp(v, "chunked", 7) != 0)
		return false;
	a->chunked = true;
	return true;
}

/* One header line; only those that frame the body matter. A folded line (RFC 9112 section 5.2) is refused. */
static bool
take_header(struct answer *a)
{
	size_t kept = a->line_len < ANSWER_LINE ? a->line_len : ANSWER_LINE, name = 0, from,
	       to = kept;
	bool length, coding;

	while (name < kept && is_token(a->line[name]))
		name++;
	if (name == 0 || (name == kept && kept == a->line_len))
		return false;
	if (name == kept) /* a name longer than what is kept: none of ours */
		return true;
	if (a->line[name] != ':')
		return false;
	length = name == 14 && strncasecmp(a->line, "content-length", 14) == 0;
	coding = name == 17 && strncasecmp(a->line, "transfer-encoding", 17) == 0;
	if (!length && !coding)
		return true;
	if (a->line_len > ANSWER_LINE)
		return false;
	for (from = name + 1; from < to && (a->line[from] == ' ' || a->line[from] == '\t');)
		from++;
	while (to > from && (a->line[to - 1] == ' ' || a->line[to - 1] == '\t'))
		to--;
	return length ? take_length(a, a->line + from, to - from)
		      : take_coding(a, a->line + from, to - from);
}

/* The empty line after the headers: what is the body, and is the status good? */
static int
head_done(struct answer *a)
{
	if (a->status < 200 && a->status != 101) {
		a->state = A_STATUS;
		a->status = 0;
		a->has_length = a->chunked = false;
		return REASON_none;
	}
	if (a->chunked && (a->has_length || a->old))
		return REASON_protocol;
	if (!ranges_contain(a->good, a->status))
		return REASON_status;
	if (a->headless || a->status == 101 || a->status == 204 || a->status == 304)
		return judge(a, false);
	a->state = a->chunked ? A_SIZE : a->has_length ? A_LENGTH : A_UNTIL_CLOSE;
	if (a->state == A_LENGTH && a->left == 0)
		return judge(a, false);
	return REASON_none;
}

/* "1a;ext=1": up to eight hexadecimal digits (RFC 9112 section 7.1); extensions are passed over. */
static bool
take_size(struct answer *a)
{
	unsigned i, d;

	a->left = 0;
	for (i = 0; i < a->line_len && i < 9; i++) {
		char c = a->line[i];

		if (c >= '0' && c <= '9')
			d = (unsigned)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			d = (unsigned)((c | 32) - 'a') + 10;
		else
			break;
		a->left = a->left * 16 + d;
	}
	if (i == 0 || i > 8)
		return false;
	return i == a->line_len || a->line[i] == ';' || a->line[i] == ' ' || a->line[i] == '\t';
}

/* A line is complete. */
static int
take_line(struct answer *a)
{
	bool fine = true;

	switch (a->state) {
	case A_STATUS:
		fine = take_status(a);
		a->state = A_HEADER;
		break;
	case A_HEADER:
		if (a->line_len == 0)
			return head_done(a);
		fine = take_header(a);
		break;
	case A_SIZE:
		fine = take_size(a);
		a->state = a->left ? A_CHUNK : A_TRAILER;
		break;
	case A_CHUNK_END:
		fine = a->line_len == 0;
		a->state = A_SIZE;
		break;
	default: /* A_TRAILER */
		if (a->line_len == 0)
			return judge(a, false);
		fine = is_token(a->line[0]);
	}
	return fine ? REASON_none : REASON_protocol;
}

/* One byte of a line. */
static int
line_byte(struct answer *a, uint8_t c)
{
	int r;

	if (++a->head_bytes > ANSWER_HEAD_MAX)
		return REASON_too_long;
	if (c == '\n') {
		if (!a->cr && (a->state == A_SIZE || a->state == A_CHUNK_END))
			return REASON_protocol;
		a->cr = false;
		r = take_line(a);
		a->line_len = 0;
		return r;
	}
	if (a->cr || (c < 0x20 && c != '\t' && c != '\r') || c == 0x7f)
		return REASON_protocol;
	if (c == '\r') {
		a->cr = true;
		return REASON_none;
	}
	if (a->line_len < ANSWER_LINE)
		a->line[a->line_len] = (char)c;
	if (++a->line_len > ANSWER_LINE_MAX)
		return REASON_too_long;
	return REASON_none;
}

/* As many bytes of the body as there are; n is what was given, and becomes what was taken. */
static int
body_bytes(struct answer *a, const uint8_t *p, size_t *n)
{
	if (a->state != A_UNTIL_CLOSE && a->left < *n)
		*n = (size_t)a->left;
	a->body += *n;
	search_feed(&a->expect, p, *n);
	search_feed(&a->reject, p, *n);
	if (a->reject.found)
		return REASON_rejected;
	if (a->expect.found && !a->reject.len)
		return REASON_ok;
	if (a->state == A_UNTIL_CLOSE)
		return REASON_none;
	a->left -= *n;
	if (a->left)
		return REASON_none;
	if (a->state == A_LENGTH)
		return judge(a, false);
	a->state = A_CHUNK_END;
	a->head_bytes = 0; /* the limit is for the head, and for what is between two chunks */
	return REASON_none;
}

static bool
in_body(const struct answer *a)
{
	return a->state == A_LENGTH || a->state == A_UNTIL_CLOSE || a->state == A_CHUNK;
}

int
answer_feed(struct answer *a, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	int r = REASON_none;

	while (n && r == REASON_none) {
		size_t take = n;

		if (a->bytes == a->most)
			return a->state == A_STATUS || a->state == A_HEADER ? REASON_too_long
									    : judge(a, true);
		if (take > a->most - a->bytes)
			take = (size_t)(a->most - a->bytes);
		if (in_body(a)) {
			r = body_bytes(a, p, &take);
		} else {
			take = 1;
			r = line_byte(a, *p);
		}
		a->bytes += take;
		p += take;
		n -= take;
	}
	return r;
}

int
answer_end(struct answer *a)
{
	return a->state == A_UNTIL_CLOSE ? judge(a, false) : REASON_closed;
}
