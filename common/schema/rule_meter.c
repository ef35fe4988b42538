/* What is counted, by what, within which time. Pure. */
#include "schema/rule_meter.h"

#include "base/must.h"
#include "schema/rule_when.h"
#include "schema/schema.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN 40
#define NAME_MOST 100
#define WINDOW_LEAST 1000
#define WINDOW_MOST 86400000

static const struct {
	const char *text;
	uint8_t what;
	bool conn;  /* of connections: counted when one comes, by what is known then */
	uint8_t in; /* W_... */
} whats[] = {
	{ "requests", METER_REQUESTS, false, W_REQUEST },
	{ "connections", METER_CONNECTIONS, true, W_REQUEST | W_TCP },
	{ "errors", METER_ERRORS, false, W_REQUEST },
	{ "bytes_in", METER_BYTES_IN, false, W_REQUEST | W_TCP },
	{ "bytes_out", METER_BYTES_OUT, false, W_REQUEST | W_TCP },
};

struct reading {
	const char *at;
	unsigned where;
	struct arena *a;
	struct err *err;
};

static void
skip(struct reading *r)
{
	while (*r->at == ' ' || *r->at == '\t')
		r->at++;
}

static int
refuse(const struct reading *r, const char *allowed)
{
	size_t n = strcspn(r->at, " \t,()");

	if (*r->at == '\0')
		return err_set(r->err, ERR_INVALID, "it ends here; allowed is %s", allowed);
	n = n == 0 ? 1 : n < SHOWN ? n : SHOWN;
	return err_set(r->err, ERR_INVALID, "\"%.*s\" has no place here; allowed is %s", (int)n,
	    r->at, allowed);
}

static int
take(struct reading *r, char c, const char *allowed)
{
	skip(r);
	if (*r->at != c)
		return refuse(r, allowed);
	r->at++;
	skip(r);
	return 0;
}

static size_t
word_len(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_.");
}

static int
read_what(struct reading *r, struct when_meter *m, bool *conn)
{
	size_t n = word_len(r->at);

	for (unsigned i = 0; i < ARRAY_LEN(whats); i++)
		if (strlen(whats[i].text) == n && memcmp(whats[i].text, r->at, n) == 0 &&
		    (whats[i].in & r->where) != 0) {
			m->what = whats[i].what;
			*conn = whats[i].conn;
			r->at += n;
			return 0;
		}
	return refuse(r, (r->where & W_TCP) != 0
			     ? "connections, bytes_in or bytes_out"
			     : "requests, connections, errors, bytes_in or bytes_out");
}

/* Bits behind a slash; left as they are without one. */
static int
read_bits(struct reading *r, unsigned most, const char *allowed, uint8_t *out)
{
	size_t n;
	unsigned long v;

	if (*r->at != '/')
		return 0;
	r->at++;
	n = strspn(r->at, "0123456789");
	v = n > 0 && n <= 3 ? strtoul(r->at, NULL, 10) : most + 1;
	if (v > most)
		return refuse(r, allowed);
	*out = (uint8_t)v;
	r->at += n;
	return 0;
}

static int
read_src(struct reading *r, struct when_meter *m)
{
	int rc;

	m->source = WHEN_src;
	m->bits4 = 32;
	m->bits6 = METER_SRC6;
	r->at += 3;
	rc = read_bits(r, 32, "bits of IPv4 from 0 to 32", &m->bits4);
	return rc != 0 ? rc : read_bits(r, 128, "bits of IPv6 from 0 to 128", &m->bits6);
}

static int
read_name(struct reading *r, struct when_meter *m)
{
	size_t n;

	if (*r->at != '(')
		return refuse(r, "a name in parentheses");
	n = strcspn(++r->at, ") \t\"'(,");
	if (n == 0 || n > NAME_MOST || r->at[n] != ')')
		return refuse(r, "a name of up to 100 bytes, and a parenthesis that closes");
	m->name = arena_text(r->a, r->at, n);
	m->name_len = (uint16_t)n;
	r->at += n + 1;
	return 0;
}

static int
read_key(struct reading *r, struct when_meter *m, bool conn)
{
	static const char words[] =
	    "src, src/BITS, src/BITS/BITS, or a text of the request as host, path, header(NAME), "
	    "param(NAME) and cookie(NAME)";
	size_t n = word_len(r->at);

	if (n == 3 && memcmp(r->at, "src", 3) == 0)
		return read_src(r, m);
	for (unsigned i = 0; !conn && (r->where & W_REQUEST) != 0 && i < WHEN_SOURCES; i++) {
		const struct when_row *row = &when_rows[i];

		if (strlen(row->name) != n || memcmp(row->name, r->at, n) != 0 ||
		    (row->type != WHEN_TEXT && row->type != WHEN_NOCASE) ||
		    (row->where & W_REQUEST) == 0 || i == WHEN_body)
			continue;
		m->source = (uint8_t)i;
		r->at += n;
		return row->argument != NULL ? read_name(r, m) : 0;
	}
	return refuse(
	    r, !conn && (r->where & W_REQUEST) != 0 ? words : "src, src/BITS or src/BITS/BITS");
}

static int
read_window(struct reading *r, struct when_meter *m)
{
	static const struct {
		char unit;
		uint32_t ms;
	} units[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 } };
	size_t n = strspn(r->at, "0123456789");
	uint64_t v = n > 0 && n <= 6 ? strtoull(r->at, NULL, 10) : 0;

	for (unsigned i = 0; i < ARRAY_LEN(units); i++) {
		uint64_t ms = v * units[i].ms;

		if (r->at[n] != units[i].unit || word_len(r->at) != n + 1)
			continue;
		if (ms < WINDOW_LEAST || ms > WINDOW_MOST)
			break;
		m->window_ms = (uint32_t)ms;
		r->at += n + 1;
		return 0;
	}
	return refuse(r, "a time from 1s to 1d, as 10s or 5m");
}

int
rule_meter_parse(const char *at, unsigned where, bool conns, struct arena *a,
    struct when_meter *out, const char **end_out, struct err *err)
{
	struct reading r = { .at = at, .where = where, .a = a, .err = err };
	struct when_meter m = { .what = METER_CONNS };
	bool conn = true;
	int rc = take(&r, '(',
	    conns ? "conns(KEY), as conns(src)"
		  : "rate(WHAT, KEY, TIME), as rate(requests, src, 10s)");

	if (rc == 0 && !conns)
		rc = read_what(&r, &m, &conn);
	if (rc == 0 && !conns)
		rc = take(&r, ',', "a comma and what is counted together");
	if (rc == 0)
		rc = read_key(&r, &m, conn || (where & W_TCP) != 0);
	if (rc == 0 && !conns)
		rc = take(&r, ',', "a comma and a time");
	if (rc == 0 && !conns)
		rc = read_window(&r, &m);
	if (rc == 0)
		rc = take(&r, ')', "a parenthesis that closes");
	*end_out = r.at;
	if (rc == 0)
		*out = m;
	return rc;
}

static void
put_key(const struct when_meter *m, struct buf *out)
{
	buf_puts(out, when_rows[m->source].name);
	if (m->name != NULL)
		buf_printf(out, "(%.*s)", (int)m->name_len, m->name);
	if (m->source != WHEN_src)
		return;
	if (m->bits4 != 32 || m->bits6 != METER_SRC6)
		buf_printf(out, "/%u", m->bits4);
	if (m->bits6 != METER_SRC6)
		buf_printf(out, "/%u", m->bits6);
}

void
rule_meter_format(const struct when_meter *m, struct buf *out)
{
	uint32_t s = m->window_ms / 1000;
	const char *what = "";

	for (unsigned i = 0; i < ARRAY_LEN(whats); i++)
		if (whats[i].what == m->what)
			what = whats[i].text;
	if (m->what == METER_CONNS)
		buf_puts(out, "conns(");
	else
		buf_printf(out, "rate(%s, ", what);
	put_key(m, out);
	if (m->what != METER_CONNS && s % 86400 == 0)
		buf_printf(out, ", %ud", s / 86400);
	else if (m->what != METER_CONNS && s % 3600 == 0)
		buf_printf(out, ", %uh", s / 3600);
	else if (m->what != METER_CONNS && s % 60 == 0)
		buf_printf(out, ", %um", s / 60);
	else if (m->what != METER_CONNS)
		buf_printf(out, ", %us", s);
	buf_puts(out, ")");
}

bool
rule_meter_same(const struct when_meter *a, const struct when_meter *b)
{
	return a->what == b->what && a->source == b->source && a->bits4 == b->bits4 &&
	       a->bits6 == b->bits6 && a->window_ms == b->window_ms && a->name_len == b->name_len &&
	       (a->name_len == 0 || memcmp(a->name, b->name, a->name_len) == 0);
}
