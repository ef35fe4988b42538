/* Records to lines.
 *
 * The named formats are templates like those of users, so there is one writer. What differs is how foreign bytes are
 * written: HAProxy's #22 for a quote, Apache's \x22, JSON's \u0022. In all three a byte that could end the line or the
 * quoted text never stands as itself. Bytes that are no UTF-8 become, in JSON, the characters of Latin-1. */
#include "line.h"

#include "base/mem.h"
#include "base/must.h"
#include "schema/log_format.h"
#include "schema/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum escape { ESCAPE_HASH, ESCAPE_X, ESCAPE_JSON };
#define BLIND 16 /* bytes of text that are written in one move, whatever of them counts */
/* A word, and the text behind it. */
struct step {
	uint8_t word, len; /* LOGW_literal: text alone */
	char text[BLIND];
};
struct line_format {
	uint8_t escape;
	bool http;
	uint8_t needs; /* LINE_NEEDS_... */
	unsigned n;
	int pid;
	char host[65];
	char *text; /* the template */
	struct step step[];
};

#define HAPROXY_HTTP                                                                               \
	"%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B - - %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq " \
	"%{+Q}r"
#define HAPROXY_TCP "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq"
#define COMBINED "%ci - - [%trl] %{+Q}r %ST %body %{+Q}referer %{+Q}agent"
#define JSON_WHO                                                                                    \
	"{\"time\":\"%iso\",\"vip\":\"%ft\",\"rip\":\"%s\",\"client\":\"%ci\",\"client_port\":%cp," \
	"\"server\":\"%si\",\"server_port\":%sp,"
#define JSON_HTTP                                                                           \
	JSON_WHO                                                                            \
	"\"request_id\":\"%ID\",\"method\":\"%HM\",\"target\":\"%HU\",\"version\":\"%HV\"," \
	"\"host\":\"%host\",\"referer\":\"%referer\",\"agent\":\"%agent\",\"status\":%ST,"  \
	"\"state\":\"%tsc\",\"bytes_in\":%U,\"bytes_out\":%B,\"request_ms\":%TR,"           \
	"\"queue_ms\":%Tw,\"connect_ms\":%Tc,\"answer_ms\":%Tr,\"total_ms\":%Ta,"           \
	"\"tries\":%tries,\"request\":%rt,\"pool\":\"%b\",\"rule\":\"%rule\"}"
#define JSON_TCP                                                                        \
	JSON_WHO "\"state\":\"%ts\",\"bytes_in\":%U,\"bytes_out\":%B,\"queue_ms\":%Tw," \
		 "\"connect_ms\":%Tc,\"total_ms\":%Tt,\"pool\":\"%b\",\"rule\":\"%rule\"}"

/* Templates by word of access_log. */
static const char *
named(unsigned word, bool http, const char *custom)
{
	switch (word) {
	case access_log_haproxy: return http ? HAPROXY_HTTP : HAPROXY_TCP;
	case access_log_combined: return COMBINED;
	case access_log_json: return http ? JSON_HTTP : JSON_TCP;
	case access_log_custom: return custom;
	default: return NULL;
	}
}

/* Text goes behind the last word as far as there is room. */
static void
add_text(struct line_format *f, const char *text, size_t len)
{
	for (; len > 0; text++, len--) {
		if (f->n == 0 || f->step[f->n - 1].len == BLIND)
			f->step[f->n++] = (struct step){ .word = LOGW_literal };
		f->step[f->n - 1].text[f->step[f->n - 1].len++] = *text;
	}
}

static void
add_item(struct line_format *f, const struct log_item *it)
{
	const char *quote = (it->flags & LOG_ITEM_QUOTE) != 0 ? "\"" : "";

	if (it->word == LOGW_literal) {
		add_text(f, it->text, it->len);
		return;
	}
	add_text(f, quote, strlen(quote));
	f->step[f->n++] = (struct step){ .word = it->word };
	add_text(f, quote, strlen(quote));
	f->needs |= it->word == LOGW_host || it->word == LOGW_referer || it->word == LOGW_agent
			? LINE_NEEDS_FIELDS
			: 0;
}

struct line_format *
line_format_new(unsigned word, bool http, const char *custom)
{
	const char *template = named(word, http, custom);
	struct log_item items[LOG_ITEMS_MAX];
	struct line_format *f;
	size_t len;
	int n;

	if (template == NULL)
		return NULL;
	n = log_format_parse(template, items, NULL);
	must(n >= 0); /* the commit looked */
	len = strlen(template);
	/* each word at most one step, and each BLIND bytes of text or quotes one more, begun or not */
	f = mem_alloc(sizeof(*f) + (3 * (size_t)n + len / BLIND + 1) * sizeof(f->step[0]));
	f->text = mem_alloc(len + 1);
	memcpy(f->text, template, len + 1);
	for (int i = 0; i < n; i++)
		add_item(f, &items[i]);
	f->escape = word == access_log_json	  ? ESCAPE_JSON
		    : word == access_log_combined ? ESCAPE_X
						  : ESCAPE_HASH;
	f->http = http;
	f->pid = (int)getpid();
	(void)gethostname(f->host, sizeof(f->host) - 1);
	return f;
}

void
line_format_free(struct line_format *f)
{
	if (f == NULL)
		return;
	free(f->text);
	free(f);
}

bool
line_format_same(const struct line_format *a, const struct line_format *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->escape == b->escape && a->http == b->http && strcmp(a->text, b->text) == 0;
}

unsigned
line_needs(const struct line_format *f)
{
	return f->needs;
}

/* ---- pieces ----------------------------------------------------------------------------------
 * Each writes at p and returns the place behind. Numbers, addresses, times and short literals are shorter than the slack behind
 * the end and do not look at it; whatever is longer stops there. */

struct out {
	char *end;
	uint8_t mask; /* of plain[] */
	uint8_t escape;
};

static inline char *
put(const struct out *o, char *p, const char *text, size_t n)
{
	size_t room = p < o->end ? (size_t)(o->end - p) : 0;

	if (n > room)
		n = room;
	line_copy(p, text, n);
	return p + n;
}

static inline char *
put_short(char *p, const char *text, size_t n)
{
	line_copy(p, text, n);
	return p + n;
}
#define SHORT(p, text) put_short(p, text, sizeof(text) - 1)

/* "00" to "99": two digits for one division. */
static const char pairs[] = "00010203040506070809101112131415161718192021222324"
			    "25262728293031323334353637383940414243444546474849"
			    "50515253545556575859606162636465666768697071727374"
			    "75767778798081828384858687888990919293949596979899";

static inline char *
put_pair(char *p, uint32_t v)
{
	memcpy(p, pairs + 2 * v, 2);
	return p + 2;
}

/* n digits, with zeros in front. */
static inline char *
put_digits(char *p, uint32_t v, unsigned n)
{
	unsigned i = n;

	for (; i >= 2; v /= 100)
		(void)put_pair(p + (i -= 2), v % 100);
	if (i == 1)
		p[0] = (char)('0' + v);
	return p + n;
}

/* Most numbers have one digit; this is for the others. */
static char *
put_longer(char *p, uint64_t v)
{
	const uint32_t unit = 100000000; /* eight digits */
	uint32_t most = 100000;
	unsigned n = 5;

	if (v >= unit) {
		p = v / unit < 10 ? put_digits(p, (uint32_t)(v / unit), 1)
				  : put_longer(p, v / unit);
		return put_digits(p, (uint32_t)(v % unit), 8);
	}
	if (v < 100)
		return put_pair(p, (uint32_t)v);
	if (v < 1000)
		return put_digits(p, (uint32_t)v, 3);
	if (v < 10000)
		return put_digits(p, (uint32_t)v, 4);
	for (; v >= most; most *= 10)
		n++;
	return put_digits(p, (uint32_t)v, n);
}

static inline char *
put_number(char *p, uint64_t v)
{
	if (v >= 10)
		return put_longer(p, v);
	*p = (char)('0' + v);
	return p + 1;
}

static inline char *
put_signed(char *p, int64_t v) /* -1 is the only negative one */
{
	return v < 0 ? SHORT(p, "-1") : put_number(p, (uint64_t)v);
}

static const char digits[] = "0123456789ABCDEF";

/* One byte that must not stand as itself. */
static char *
put_escaped(const struct out *o, char *p, unsigned char c)
{
	p = o->escape == ESCAPE_HASH ? SHORT(p, "#")
	    : o->escape == ESCAPE_X  ? SHORT(p, "\\x")
				     : SHORT(p, "\\u00");
	*p++ = digits[c >> 4];
	*p++ = digits[c & 15];
	return p;
}

/* Bytes that may stand as themselves: a bit for each way of escaping. */
enum { PLAIN_HASH = 1 << ESCAPE_HASH, PLAIN_X = 1 << ESCAPE_X, PLAIN_JSON = 1 << ESCAPE_JSON };
#define PLAIN_ALL (PLAIN_HASH | PLAIN_X | PLAIN_JSON)
static const uint8_t plain[256] = {
	/* neither " nor control characters */
	[' ' ... '!'] = PLAIN_ALL,
	['#'] = PLAIN_X | PLAIN_JSON,
	['$' ... '['] = PLAIN_ALL,
	['\\'] = PLAIN_HASH,
	[']' ... '~'] = PLAIN_ALL,
};

/* Bytes at text, up to sixteen of n, that stand as themselves: copied to p, which has room for sixteen. */
static inline size_t
put_plain(const struct out *o, char *p, const char *text, size_t n)
{
#ifdef __SSE2__
	if (n >= 16) {
		const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)text);
		const __m128i other = _mm_set1_epi8(o->escape == ESCAPE_HASH ? '#' : '\\');
		/* bytes of 128 and more are negative */
		const __m128i text_bytes = _mm_and_si128(
		    _mm_cmpgt_epi8(v, _mm_set1_epi8(0x1f)), _mm_cmplt_epi8(v, _mm_set1_epi8(0x7f)));
		const __m128i marks =
		    _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, other));

		_mm_storeu_si128((__m128i *)(void *)p, v);
		return (size_t)__builtin_ctz(
		    ~(unsigned)_mm_movemask_epi8(_mm_andnot_si128(marks, text_bytes)));
	}
#endif
	(void)o;
	(void)p;
	(void)text;
	(void)n;
	return 0;
}

/* Bytes of somebody else. */
static char *
put_foreign(const struct out *o, char *p, const char *text, size_t n)
{
	const char *end = text + n;
	const uint8_t mask = o->mask;
	unsigned char c;
	uint32_t v;
	unsigned len;

	while (text < end && p < o->end) {
		size_t run = put_plain(o, p, text, (size_t)(end - text));

		if (run > 0) {
			p += run;
			text += run;
			continue;
		}
		c = (unsigned char)*text;
		if (__builtin_expect((plain[c] & mask) != 0, 1)) {
			*p++ = (char)c;
			text++;
			continue;
		}
		len = c >= 0x80 && o->escape == ESCAPE_JSON
			  ? utf8_next(text, (size_t)(end - text), &v)
			  : 0;
		if (len == 0) {
			p = put_escaped(o, p, c);
			text++;
			continue;
		}
		p = put_short(p, text, len);
		text += len;
	}
	return p;
}

static char *
put_text(const struct out *o, char *p, struct line_text t)
{
	return t.n > 0 ? put_foreign(o, p, t.p, t.n) : SHORT(p, "-");
}

static char *
put_addr(const struct out *o, char *p, const struct addr *a)
{
	char text[ADDR_TEXT];

	if (a == NULL || a->family == 0)
		return SHORT(p, "-");
	if (a->family == 4)
		return addr_put4(a->b, p);
	addr_format(a, ADDR_HOST, text);
	return put(o, p, text, strlen(text));
}

/* ---- time ------------------------------------------------------------------------------------- */

#define LOCAL_LEN 20 /* 06/Feb/2009:12:14:14 */
#define ZONE_LEN 6   /* with a blank before */
#define UTC_LEN 19   /* 2009-02-06T11:14:14 */

void
line_clock_move(struct line_clock *c, int64_t second)
{
	time_t t = (time_t)second;
	struct tm local, utc;

	(void)localtime_r(&t, &local);
	(void)gmtime_r(&t, &utc);
	(void)strftime(c->local, sizeof(c->local), "%d/%b/%Y:%H:%M:%S", &local);
	(void)strftime(c->zone, sizeof(c->zone), " %z", &local);
	(void)strftime(c->utc, sizeof(c->utc), "%Y-%m-%dT%H:%M:%S", &utc);
	c->second = second;
	c->ready = true;
}

static char *
put_time(char *p, struct line_clock *c, const struct line_record *r, unsigned word)
{
	int64_t at = word == LOGW_t ? r->accepted_ms : r->began_ms, second = at / 1000;
	unsigned ms = (unsigned)(at - second * 1000);

	switch (word) {
	case LOGW_Ts: return put_signed(p, second);
	case LOGW_ms: return put_signed(p, ms);
	case LOGW_iso:
		line_clock_set(c, second);
		p = put_short(p, c->utc, UTC_LEN);
		*p++ = '.';
		p = put_digits(p, ms, 3);
		*p++ = 'Z';
		return p;
	case LOGW_trl:
		line_clock_set(c, second);
		p = put_short(p, c->local, LOCAL_LEN);
		return put_short(p, c->zone, ZONE_LEN);
	default:
		line_clock_set(c, second);
		p = put_short(p, c->local, LOCAL_LEN);
		*p++ = '.';
		return put_digits(p, ms, 3);
	}
}

/* ---- words ------------------------------------------------------------------------------------ */

static char *
put_request(const struct out *o, char *p, const struct line_record *r)
{
	if (r->method.n == 0)
		return SHORT(p, "<BADREQ>");
	p = put_foreign(o, p, r->method.p, r->method.n);
	*p++ = ' ';
	p = put_foreign(o, p, r->target.p, r->target.n);
	*p++ = ' ';
	return put(o, p, r->version.p, r->version.n);
}

/* The target without its query, or the query with its question mark. */
static char *
put_part(const struct out *o, char *p, struct line_text t, bool query)
{
	const char *mark = t.n > 0 ? memchr(t.p, '?', t.n) : NULL;
	uint32_t n = mark != NULL ? (uint32_t)(mark - t.p) : t.n;

	if (!query)
		t.n = n;
	else if (t.n > 0)
		t = (struct line_text){ t.p + n, t.n - n };
	return put_text(o, p, t);
}

static int64_t
data_ms(const struct line_record *r)
{
	int64_t spent = 0;

	for (unsigned i = 0; i < PHASE_TOTAL; i++) {
		if (r->phase_ms[i] < 0)
			return -1;
		spent += r->phase_ms[i];
	}
	return r->phase_ms[PHASE_TOTAL] > spent ? r->phase_ms[PHASE_TOTAL] - spent : 0;
}

static inline char *
put_word(const struct line_format *f, const struct out *o, char *p, struct line_clock *c,
    const struct line_record *r, unsigned word)
{
	switch (word) {
	case LOGW_ci: return put_addr(o, p, r->client);
	case LOGW_si: return put_addr(o, p, r->real);
	case LOGW_b:
		if (r->pool.n > 0)
			return put(o, p, r->pool.p, r->pool.n);
		/* fall through */
	case LOGW_ft: return put(o, p, r->service.p, r->service.n);
	case LOGW_rule: return r->rule.n > 0 ? put(o, p, r->rule.p, r->rule.n) : SHORT(p, "-");
	case LOGW_s:
		return r->server.n > 0 ? put(o, p, r->server.p, r->server.n) : SHORT(p, "<NOSRV>");
	case LOGW_tr:
	case LOGW_t:
	case LOGW_trl:
	case LOGW_Ts:
	case LOGW_ms:
	case LOGW_iso: return put_time(p, c, r, word);
	case LOGW_TR:
	case LOGW_Tq: return put_signed(p, r->phase_ms[PHASE_REQUEST]);
	case LOGW_Tw: return put_signed(p, r->phase_ms[PHASE_QUEUE]);
	case LOGW_Tc: return put_signed(p, r->phase_ms[PHASE_CONNECT]);
	case LOGW_Tr: return put_signed(p, r->phase_ms[PHASE_ANSWER]);
	case LOGW_Td: return put_signed(p, data_ms(r));
	case LOGW_Ta: return put_signed(p, r->phase_ms[PHASE_TOTAL]);
	case LOGW_Tt: return put_signed(p, r->http ? r->phase_ms[PHASE_TOTAL] : r->open_ms);
	case LOGW_ST: return put_signed(p, r->status > 0 ? r->status : -1);
	case LOGW_ts: return put_short(p, r->state, 2);
	case LOGW_tsc: return put_short(p, r->state, 4);
	case LOGW_r: return put_request(o, p, r);
	case LOGW_HM: return put_text(o, p, r->method);
	case LOGW_HU: return put_text(o, p, r->target);
	case LOGW_HP: return put_part(o, p, r->target, false);
	case LOGW_HQ: return put_part(o, p, r->target, true);
	case LOGW_HV:
		return r->version.n > 0 ? put(o, p, r->version.p, r->version.n) : SHORT(p, "-");
	case LOGW_ID: return put_text(o, p, r->id);
	case LOGW_pid: return put_number(p, (uint64_t)f->pid);
	case LOGW_H: return put_foreign(o, p, f->host, strlen(f->host));
	case LOGW_host: return put_text(o, p, r->host);
	case LOGW_referer: return put_text(o, p, r->referer);
	case LOGW_agent: return put_text(o, p, r->agent);
	case LOGW_body: return r->body > 0 ? put_number(p, r->body) : SHORT(p, "-");
	case LOGW_ac: return put_number(p, r->conns);
	case LOGW_fc:
	case LOGW_bc: return put_number(p, r->service_conns);
	case LOGW_sc: return put_number(p, r->server_conns);
	case LOGW_sq: return put_number(p, r->server_queue);
	case LOGW_bq: return put_number(p, r->queue);
	case LOGW_tries: return put_number(p, r->tries);
	case LOGW_rt: return put_number(p, r->number);
	case LOGW_B: return put_number(p, r->bytes_out);
	case LOGW_U: return put_number(p, r->bytes_in);
	case LOGW_cp: return put_number(p, r->client_port);
	case LOGW_fp: return put_number(p, r->port);
	case LOGW_sp: return put_number(p, r->real == NULL ? 0 : r->real_port);
	case LOGW_rc:
		if (r->elsewhere)
			*p++ = '+';
		return put_number(p, r->tries);
	default: must(false);
	}
}

size_t
line_write(const struct line_format *f, struct line_clock *clock, const struct line_record *r,
    char out[LINE_ROOM])
{
	const struct out o = { out + LINE_MAX_BYTES, (uint8_t)(1 << f->escape), f->escape };
	char *p = out;

	for (const struct step *s = f->step, *end = s + f->n; s < end && p < o.end; s++) {
		if (s->word != LOGW_literal)
			p = put_word(f, &o, p, clock, r, s->word);
		memcpy(p, s->text, BLIND);
		p += s->len;
	}
	return p < o.end ? (size_t)(p - out) : LINE_MAX_BYTES;
}
