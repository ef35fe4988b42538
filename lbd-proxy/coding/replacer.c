/* Each replacement is an automaton (Knuth, Morris, Pratt): it knows how many bytes of its text the last ones that came were. When
 * the next one does not go on with it, the text's own border says how many still are, and those before go out. One that has
 * begun nothing jumps to the next byte that could begin. Several are a chain, in which each pulls from the one before it. */
#include "replacer.h"

#include "base/must.h"

#include <stdlib.h>
#include <string.h>

struct stage {
	struct replacement r;
	uint8_t border
	    [REPLACER_FIND_MAX]; /* of the first i + 1 bytes: longest end that is a beginning too */
	uint32_t open;		 /* bytes of find that came last and did not go out */
	const char *due;	 /* what goes out first */
	uint32_t due_n;
	uint16_t off, len; /* what it has to read, in piece; not of the first */
	uint8_t piece[REPLACER_PIECE];
};
struct replacer {
	unsigned n;
	struct stage stage[];
};
struct feed {
	const uint8_t *in;
	size_t n;
	bool end;
};

static void
find_borders(struct stage *s)
{
	const char *t = s->r.find;
	uint32_t k = 0;

	s->border[0] = 0;
	for (uint32_t i = 1; i < s->r.find_len; i++) {
		while (k > 0 && t[i] != t[k])
			k = s->border[k - 1];
		k += t[i] == t[k];
		s->border[i] = (uint8_t)k;
	}
}

struct replacer *
replacer_new(const struct replacement *r, unsigned n)
{
	struct replacer *x = calloc(1, sizeof(*x) + n * sizeof(x->stage[0]));

	must(n > 0 && n <= REPLACER_MOST);
	if (x == NULL)
		return NULL;
	x->n = n;
	for (unsigned i = 0; i < n; i++) {
		must(r[i].find_len > 0 && r[i].find_len <= REPLACER_FIND_MAX);
		x->stage[i].r = r[i];
		find_borders(&x->stage[i]);
	}
	return x;
}

void
replacer_free(struct replacer *x)
{
	free(x);
}

static void
owe(struct stage *s, const char *p, uint32_t n)
{
	s->due = p;
	s->due_n = n;
}

static size_t
pay(struct stage *s, uint8_t *out, size_t room)
{
	size_t n = s->due_n < room ? s->due_n : room;

	if (n == 0)
		return 0;
	memcpy(out, s->due, n);
	s->due += n;
	s->due_n -= (uint32_t)n;
	return n;
}

/* Nothing has begun: what cannot begin goes on as it is. */
static size_t
jump(const struct stage *s, struct feed *f, uint8_t *out, size_t room)
{
	size_t n = f->n < room ? f->n : room;
	const uint8_t *at = memchr(f->in, (unsigned char)s->r.find[0], n);

	if (at != NULL)
		n = (size_t)(at - f->in);
	memcpy(out, f->in, n);
	f->in += n;
	f->n -= n;
	return n;
}

/* One byte of what may be the text. */
static void
read_byte(struct stage *s, struct feed *f)
{
	uint32_t open = s->open;

	if (*f->in != (unsigned char)s->r.find[open]) { /* open > 0: it is looked at again */
		s->open = s->border[open - 1];
		owe(s, s->r.find, open - s->open);
		return;
	}
	f->in++;
	f->n--;
	s->open++;
	if (s->open == s->r.find_len) {
		s->open = 0;
		owe(s, s->r.with, s->r.with_len);
	}
}

static size_t
run(struct stage *s, struct feed *f, uint8_t *out, size_t room)
{
	size_t at = 0;

	while (true) {
		at += pay(s, out + at, room - at);
		if (at < room && f->n > 0 && s->open == 0)
			at += jump(s, f, out + at, room - at);
		if (at == room)
			return at;
		if (f->n > 0) {
			read_byte(s, f);
		} else if (f->end && s->open > 0) {
			owe(s, s->r.find, s->open);
			s->open = 0;
		} else {
			return at;
		}
	}
}

/* Of the i-th; no deeper than there are replacements. */
static size_t
pull(struct replacer *x, unsigned i, struct feed *f, uint8_t *out, size_t room)
{
	struct stage *s = &x->stage[i];
	struct feed own;
	bool dry = false;
	size_t at = 0;

	if (i == 0)
		return run(s, f, out, room);
	while (true) {
		if (s->len == 0) {
			s->off = 0;
			s->len = (uint16_t)pull(x, i - 1, f, s->piece, REPLACER_PIECE);
			dry = s->len < REPLACER_PIECE;
		}
		own = (struct feed){ s->piece + s->off, s->len, f->end && dry };
		at += run(s, &own, out + at, room - at);
		s->off = (uint16_t)(own.in - s->piece);
		s->len = (uint16_t)own.n;
		if (at == room || dry)
			return at;
	}
}

size_t
replacer_step(
    struct replacer *x, const uint8_t **in, size_t *n, bool end, uint8_t *out, size_t room)
{
	struct feed f = { *in, *n, end };
	size_t got = pull(x, x->n - 1, &f, out, room);

	*in = f.in;
	*n = f.n;
	return got;
}
