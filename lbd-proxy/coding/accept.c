/* A list of codings with weights. The grammar is kept to: what is loose is not a wish for anything, and costs nobody more than
 * a larger answer. A coding that is named twice has its last weight. */
#include "accept.h"

#include <string.h>
#include <strings.h>

struct reader {
	const char *at, *end;
};

static void
skip_space(struct reader *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\t'))
		r->at++;
}

static bool
take(struct reader *r, char c)
{
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static size_t
take_token(struct reader *r)
{
	const char *from = r->at;

	while (r->at < r->end && h1_is_token(r->at, 1))
		r->at++;
	return (size_t)(r->at - from);
}

/* "0" [ "." 0*3DIGIT ] / "1" [ "." 0*3"0" ], in thousandths; -1. */
static int
take_weight(struct reader *r)
{
	int q, unit = 100;

	if (r->at == r->end || (*r->at != '0' && *r->at != '1'))
		return -1;
	q = (*r->at++ - '0') * 1000;
	if (!take(r, '.'))
		return q;
	for (; unit > 0 && r->at < r->end && *r->at >= '0' && *r->at <= '9'; unit /= 10)
		q += (*r->at++ - '0') * unit;
	return q <= 1000 ? q : -1;
}

static void
note(struct accept *a, const char *name, size_t n, int q)
{
	if ((n == 4 && strncasecmp(name, "gzip", 4) == 0) ||
	    (n == 6 && strncasecmp(name, "x-gzip", 6) == 0))
		a->gzip = q;
	else if (n == 2 && strncasecmp(name, "br", 2) == 0)
		a->br = q;
	else if (n == 8 && strncasecmp(name, "identity", 8) == 0)
		a->plain = q;
	else if (n == 1 && name[0] == '*')
		a->any = q;
}

int
accept_read(const char *value, size_t len, struct accept *a)
{
	struct reader r = { value, value + len };

	for (;;) {
		const char *name;
		size_t n;
		int q = 1000;

		skip_space(&r);
		name = r.at;
		n = take_token(&r);
		skip_space(&r);
		if (n > 0 && take(&r, ';')) {
			skip_space(&r);
			if ((!take(&r, 'q') && !take(&r, 'Q')) || !take(&r, '='))
				return -1;
			q = take_weight(&r);
			if (q < 0)
				return -1;
			skip_space(&r);
		}
		if (n > 0)
			note(a, name, n, q);
		if (r.at == r.end)
			return 0;
		if (!take(&r, ','))
			return -1;
	}
}

bool
accept_is_field(const char *name, size_t len)
{
	return len == 15 && strncasecmp(name, "accept-encoding", 15) == 0;
}

static int
said(int q, int otherwise)
{
	return q != ACCEPT_UNSAID ? q : otherwise;
}

enum coding
accept_choose(const struct h1_head *h, const char *buf)
{
	struct accept a = { ACCEPT_UNSAID, ACCEPT_UNSAID, ACCEPT_UNSAID, ACCEPT_UNSAID };
	int any, br, gzip, plain;

	for (unsigned i = 0; i < h->n; i++) {
		const struct h1_header *f = &h->header[i];

		if (f->id == H1_OTHER && accept_is_field(buf + f->name_off, f->name_len) &&
		    accept_read(buf + f->value_off, f->value_len, &a) != 0)
			return CODING_NONE;
	}
	any = said(a.any, 0);
	br = said(a.br, any);
	gzip = said(a.gzip, any);
	plain = said(a.plain, 0); /* not named: after all that are */
	if (br > 0 && br >= gzip && br >= plain)
		return CODING_BR;
	return gzip > 0 && gzip >= plain ? CODING_GZIP : CODING_NONE;
}
