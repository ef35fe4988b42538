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

enum escape { ESCAPE_HASH, ESCAPE_X, ESCAPE_JSON };
struct line_format {
	uint8_t escape;
	bool http;
	unsigned n;
	int pid;
	char host[65];
	struct log_item *item;
	char text[];
};
struct out {
	char *p, *end;
	enum escape escape;
};

#define HAPROXY_HTTP                                                                           \
	"%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B - - %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq " \
	"%{+Q}r"
#define HAPROXY_TCP "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq"
#define COMBINED "%ci - - [%trl] %{+Q}r %ST %body %{+Q}referer %{+Q}agent"
#define JSON_WHO                                                                               \
	"{\"time\":\"%iso\",\"vip\":\"%ft\",\"rip\":\"%s\",\"client\":\"%ci\",\"client_port\":%cp," \
	"\"server\":\"%si\",\"server_port\":%sp,"
#define JSON_HTTP                                                                              \
	JSON_WHO "\"request_id\":\"%ID\",\"method\":\"%HM\",\"target\":\"%HU\",\"version\":\"%HV\"," \
		 "\"host\":\"%host\",\"referer\":\"%referer\",\"agent\":\"%agent\",\"status\":%ST,"   \
		 "\"state\":\"%tsc\",\"bytes_in\":%U,\"bytes_out\":%B,\"request_ms\":%TR,"            \
		 "\"queue_ms\":%Tw,\"connect_ms\":%Tc,\"answer_ms\":%Tr,\"total_ms\":%Ta,"             \
		 "\"tries\":%tries,\"request\":%rt}"
#define JSON_TCP                                                                               \
	JSON_WHO "\"state\":\"%ts\",\"bytes_in\":%U,\"bytes_out\":%B,\"queue_ms\":%Tw,"            \
		 "\"connect_ms\":%Tc,\"total_ms\":%Tt}"

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
	len = strlen(template);
	f = mem_alloc(sizeof(*f) + len + 1);
	memcpy(f->text, template, len + 1);
	n = log_format_parse(f->text, items, NULL);
	must(n >= 0);
	f->n = (unsigned)n;
	f->item = mem_alloc((f->n + 1) * sizeof(*f->item));
	memcpy(f->item, items, f->n * sizeof(*f->item));
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
	free(f->item);
	free(f);
}

bool
line_format_same(const struct line_format *a, const struct line_format *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->escape == b->escape && a->http == b->http && strcmp(a->text, b->text) == 0;
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static void
put(struct out *o, const char *p, size_t n)
{
	if (n > (size_t)(o->end - o->p))
		n = (size_t)(o->end - o->p);
	memcpy(o->p, p, n);
	o->p += n;
}
#define PUT(o, text) put(o, text, sizeof(text) - 1)

static void
put_number(struct out *o, uint64_t v)
{
	char t[20];
	unsigned n = sizeof(t);

	do
		t[--n] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	put(o, t + n, sizeof(t) - n);
}

static void
put_signed(struct out *o, int64_t v)
{
	if (v < 0)
		PUT(o, "-1"); /* the only one */
	else
		put_number(o, (uint64_t)v);
}

static const char digits[] = "0123456789ABCDEF";

/* One byte that must not stand as itself. */
static void
put_escaped(struct out *o, unsigned char c)
{
	char hash[3] = { '#', digits[c >> 4], digits[c & 15] },
	     x[4] = { '\\', 'x', digits[c >> 4], digits[c & 15] },
	     u[6] = { '\\', 'u', '0', '0', digits[c >> 4], digits[c & 15] };

	switch (o->escape) {
	case ESCAPE_HASH: put(o, hash, sizeof(hash)); break;
	case ESCAPE_X: put(o, x, sizeof(x)); break;
	case ESCAPE_JSON: put(o, u, sizeof(u)); break;
	}
}

/* Printable ASCII without what means something in one of the three ways. */
static bool
plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '#';
}

/* Bytes of somebody else. */
static void
put_foreign(struct out *o, const char *p, size_t n)
{
	size_t i = 0, from = 0;
	uint32_t v;
	unsigned len;

	while (i < n) {
		unsigned char c = (unsigned char)p[i];

		if (plain(c) || (c == '#' && o->escape != ESCAPE_HASH) ||
		    (c == '\\' && o->escape == ESCAPE_HASH)) {
			i++;
			continue;
		}
		len = c >= 0x80 && o->escape == ESCAPE_JSON ? utf8_next(p + i, n - i, &v) : 0;
		if (len > 0) {
			i += len;
			continue;
		}
		put(o, p + from, i - from);
		put_escaped(o, c);
		from = ++i;
	}
	put(o, p + from, n - from);
}

static void
put_text(struct out *o, struct line_text t)
{
	if (t.n > 0)
		put_foreign(o, t.p, t.n);
	else
		PUT(o, "-");
}

static void
put_byte(struct out *o, unsigned v)
{
	char t[3];
	unsigned n = 0;

	if (v >= 100)
		t[n++] = (char)('0' + v / 100);
	if (v >= 10)
		t[n++] = (char)('0' + v / 10 % 10);
	t[n++] = (char)('0' + v % 10);
	put(o, t, n);
}

static void
put_addr(struct out *o, const struct addr *a)
{
	char text[ADDR_TEXT];

	if (a == NULL || a->family == 0) {
		PUT(o, "-");
		return;
	}
	if (a->family == 4) {
		for (unsigned i = 0; i < 4; i++) {
			if (i > 0)
				PUT(o, ".");
			put_byte(o, a->b[i]);
		}
		return;
	}
	addr_format(a, ADDR_HOST, text);
	put(o, text, strlen(text));
}

/* ---- time ------------------------------------------------------------------------------------- */

void
line_clock_set(struct line_clock *c, int64_t second)
{
	time_t t = (time_t)second;
	struct tm local, utc;

	if (c->ready && c->second == second)
		return;
	(void)localtime_r(&t, &local);
	(void)gmtime_r(&t, &utc);
	(void)strftime(c->local, sizeof(c->local), "%d/%b/%Y:%H:%M:%S", &local);
	(void)strftime(c->zone, sizeof(c->zone), " %z", &local);
	(void)strftime(c->utc, sizeof(c->utc), "%Y-%m-%dT%H:%M:%S", &utc);
	c->second = second;
	c->ready = true;
}

static void
put_millis(struct out *o, int64_t ms)
{
	unsigned v = (unsigned)(ms % 1000);
	char t[4] = { '.', (char)('0' + v / 100), (char)('0' + v / 10 % 10), (char)('0' + v % 10) };

	put(o, t, sizeof(t));
}

static void
put_local(struct out *o, struct line_clock *c, int64_t ms)
{
	line_clock_set(c, ms / 1000);
	put(o, c->local, strlen(c->local));
}

/* ---- words ------------------------------------------------------------------------------------ */

static void
put_request(struct out *o, const struct line_record *r)
{
	if (r->method.n == 0) {
		PUT(o, "<BADREQ>");
		return;
	}
	put_foreign(o, r->method.p, r->method.n);
	PUT(o, " ");
	put_foreign(o, r->target.p, r->target.n);
	PUT(o, " ");
	put_foreign(o, r->version.p, r->version.n);
}

/* The target without its query, or the query with its question mark. */
static void
put_part(struct out *o, struct line_text t, bool query)
{
	const char *mark = t.n > 0 ? memchr(t.p, '?', t.n) : NULL;
	uint32_t n = mark != NULL ? (uint32_t)(mark - t.p) : t.n;

	put_text(o, query ? (struct line_text){ t.p + n, t.n - n } : (struct line_text){ t.p, n });
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

static void
put_time(struct out *o, struct line_clock *c, const struct line_record *r, unsigned word)
{
	int64_t ms = word == LOGW_t ? r->accepted_ms : r->began_ms;

	switch (word) {
	case LOGW_Ts: put_signed(o, ms / 1000); return;
	case LOGW_ms: put_signed(o, ms % 1000); return;
	case LOGW_iso:
		line_clock_set(c, ms / 1000);
		put(o, c->utc, strlen(c->utc));
		put_millis(o, ms);
		PUT(o, "Z");
		return;
	case LOGW_trl:
		put_local(o, c, ms);
		put(o, c->zone, strlen(c->zone));
		return;
	default:
		put_local(o, c, ms);
		put_millis(o, ms);
		return;
	}
}

static void
put_count(struct out *o, const struct line_record *r, unsigned word)
{
	switch (word) {
	case LOGW_ac: put_number(o, r->conns); return;
	case LOGW_fc:
	case LOGW_bc: put_number(o, r->service_conns); return;
	case LOGW_sc: put_number(o, r->server_conns); return;
	case LOGW_sq: put_number(o, r->server_queue); return;
	case LOGW_bq: put_number(o, r->queue); return;
	case LOGW_tries: put_number(o, r->tries); return;
	case LOGW_rt: put_number(o, r->number); return;
	case LOGW_B: put_number(o, r->bytes_out); return;
	case LOGW_U: put_number(o, r->bytes_in); return;
	case LOGW_cp: put_number(o, r->client_port); return;
	case LOGW_fp: put_number(o, r->port); return;
	case LOGW_sp: put_number(o, r->real == NULL ? 0 : r->real_port); return;
	case LOGW_rc:
		if (r->elsewhere)
			PUT(o, "+");
		put_number(o, r->tries);
		return;
	default: must(false);
	}
}

static void
put_word(const struct line_format *f, struct out *o, struct line_clock *c,
    const struct line_record *r, unsigned word)
{
	switch (word) {
	case LOGW_ci: put_addr(o, r->client); return;
	case LOGW_si: put_addr(o, r->real); return;
	case LOGW_ft:
	case LOGW_b: put_text(o, r->service); return;
	case LOGW_s:
		if (r->server.n > 0)
			put_text(o, r->server);
		else
			PUT(o, "<NOSRV>");
		return;
	case LOGW_tr:
	case LOGW_t:
	case LOGW_trl:
	case LOGW_Ts:
	case LOGW_ms:
	case LOGW_iso: put_time(o, c, r, word); return;
	case LOGW_TR:
	case LOGW_Tq: put_signed(o, r->phase_ms[PHASE_REQUEST]); return;
	case LOGW_Tw: put_signed(o, r->phase_ms[PHASE_QUEUE]); return;
	case LOGW_Tc: put_signed(o, r->phase_ms[PHASE_CONNECT]); return;
	case LOGW_Tr: put_signed(o, r->phase_ms[PHASE_ANSWER]); return;
	case LOGW_Td: put_signed(o, data_ms(r)); return;
	case LOGW_Ta: put_signed(o, r->phase_ms[PHASE_TOTAL]); return;
	case LOGW_Tt: put_signed(o, r->http ? r->phase_ms[PHASE_TOTAL] : r->open_ms); return;
	case LOGW_ST: put_signed(o, r->status > 0 ? r->status : -1); return;
	case LOGW_ts: put(o, r->state, 2); return;
	case LOGW_tsc: put(o, r->state, 4); return;
	case LOGW_r: put_request(o, r); return;
	case LOGW_HM: put_text(o, r->method); return;
	case LOGW_HU: put_text(o, r->target); return;
	case LOGW_HP: put_part(o, r->target, false); return;
	case LOGW_HQ: put_part(o, r->target, true); return;
	case LOGW_HV: put_text(o, r->version); return;
	case LOGW_ID: put_text(o, r->id); return;
	case LOGW_pid: put_number(o, (uint64_t)f->pid); return;
	case LOGW_H: put_foreign(o, f->host, strlen(f->host)); return;
	case LOGW_host: put_text(o, r->host); return;
	case LOGW_referer: put_text(o, r->referer); return;
	case LOGW_agent: put_text(o, r->agent); return;
	case LOGW_body:
		if (r->body > 0)
			put_number(o, r->body);
		else
			PUT(o, "-");
		return;
	default: put_count(o, r, word); return;
	}
}

size_t
line_write(const struct line_format *f, struct line_clock *clock, const struct line_record *r,
    char out[LINE_MAX_BYTES])
{
	struct out o = { .p = out, .end = out + LINE_MAX_BYTES, .escape = f->escape };

	for (unsigned i = 0; i < f->n; i++) {
		const struct log_item *it = &f->item[i];

		if (it->word == LOGW_literal) {
			put(&o, it->text, it->len);
			continue;
		}
		if ((it->flags & LOG_ITEM_QUOTE) != 0)
			PUT(&o, "\"");
		put_word(f, &o, clock, r, it->word);
		if ((it->flags & LOG_ITEM_QUOTE) != 0)
			PUT(&o, "\"");
	}
	return (size_t)(o.p - out);
}
