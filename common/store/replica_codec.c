/* Bytes of what travels between the stores of a pair: a revision, a conflict, the numbers of secrets. Pure. A record
 * begins with its version; what a newer build puts behind the known fields is skipped, and what it changes in them
 * gets another version, which is refused here. Texts carry their NUL, so they are used in place. */
#include "base/mem.h"
#include "store/delta.h"
#include "store/replica.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CODEC_VERSION 1

static void
put_text(struct buf *out, const char *text)
{
	size_t n = strnlen(text, REPLICA_TEXT_MAX - 1);

	buf_put_be(out, n + 1, 2);
	buf_put(out, text, n);
	buf_put_be(out, 0, 1);
}

static const char *
take_text(struct rd *r)
{
	size_t n = (size_t)rd_be(r, 2);
	const char *text = n > 0 && n <= REPLICA_TEXT_MAX ? rd_bytes(r, n) : NULL;

	if (text == NULL || memchr(text, '\0', n) != text + n - 1) {
		r->bad = true;
		return "";
	}
	return text;
}

static bool
readable(const void *delta, size_t len)
{
	struct rd r = { .p = delta, .left = len };
	struct delta_row row;

	while (delta_next(&r, &row))
		;
	return !r.bad;
}

static void
put_bytes(struct buf *out, const void *p, size_t n)
{
	buf_put_be(out, n, 4);
	buf_put(out, p, n);
}

static const void *
take_delta(struct rd *r, size_t *len_out)
{
	const void *p;

	*len_out = (size_t)rd_be(r, 4);
	p = rd_bytes(r, *len_out);
	if (p == NULL || !readable(p, *len_out))
		r->bad = true;
	return p;
}

static bool
travels(unsigned scope)
{
	return scope == SCOPE_SHARED || scope == SCOPE_OPER;
}

void
replica_encode(const struct replica_revision *r, struct buf *out)
{
	buf_put_be(out, CODEC_VERSION, 1);
	buf_put_be(out, r->scope, 1);
	buf_put_be(out, r->node, 1);
	buf_put_be(out, r->n, 4);
	buf_put_be(out, (uint64_t)r->at, 8);
	buf_put_be(out, r->hash, 8);
	put_text(out, r->who);
	put_text(out, r->origin);
	put_text(out, r->why);
	buf_put_be(out, r->delta != NULL, 1);
	put_bytes(out, r->delta, r->delta != NULL ? r->len : 0);
	buf_put_be(out, r->trial, 1);
	buf_put_be(out, r->base, 4);
	buf_put_be(out, r->left_ms, 4);
	buf_put_be(out, (uint64_t)r->due, 8);
}

/* False: it says something that cannot be. Nothing there: an older build. */
static bool
take_trial(struct rd *r, struct replica_revision *v)
{
	unsigned what;

	if (r->left == 0)
		return true;
	what = (unsigned)rd_be(r, 1);
	v->trial = what <= TRIAL_WAITS ? (enum replica_trial)what : TRIAL_UNSAID;
	v->base = (uint32_t)rd_be(r, 4);
	v->left_ms = (uint32_t)rd_be(r, 4);
	v->due = (int64_t)rd_be(r, 8);
	return !r->bad && (v->trial != TRIAL_WAITS ||
			      (v->scope == SCOPE_SHARED && v->base > 0 && v->base < v->n));
}

int
replica_decode(const void *bytes, size_t len, struct replica_revision *out)
{
	struct rd r = { .p = bytes, .left = len };
	struct replica_revision v = { 0 };
	uint64_t known;

	if (rd_be(&r, 1) != CODEC_VERSION)
		return -EBADMSG;
	v.scope = (enum scope)rd_be(&r, 1);
	v.node = (unsigned)rd_be(&r, 1);
	v.n = (uint32_t)rd_be(&r, 4);
	v.at = (int64_t)rd_be(&r, 8);
	v.hash = rd_be(&r, 8);
	v.who = take_text(&r);
	v.origin = take_text(&r);
	v.why = take_text(&r);
	known = rd_be(&r, 1);
	v.delta = take_delta(&r, &v.len);
	if (r.bad || !travels(v.scope) || v.node > 2 || v.n == 0 || known > 1 ||
	    (known == 0 && v.len > 0) || !take_trial(&r, &v))
		return -EBADMSG;
	if (known == 0)
		v.delta = NULL;
	*out = v;
	return 0;
}

void
replica_revision_fini(struct replica_revision *r)
{
	buf_fini(&r->own);
	*r = (struct replica_revision){ 0 };
}

void
replica_conflict_encode(const struct conflict *c, struct buf *out)
{
	buf_put_be(out, CODEC_VERSION, 1);
	buf_put_be(out, c->id, 8);
	buf_put_be(out, c->what, 1);
	buf_put_be(out, c->scope, 1);
	buf_put_be(out, c->kind, 1);
	buf_put_be(out, c->tag, 2);
	buf_put_be(out, c->node, 1);
	buf_put_be(out, c->object, 4);
	buf_put_be(out, c->n, 4);
	buf_put_be(out, (uint64_t)c->at, 8);
	put_text(out, c->name);
	put_text(out, c->losing);
	put_text(out, c->standing);
	put_text(out, c->reason);
	put_text(out, c->who);
	put_text(out, c->origin);
	put_bytes(out, c->delta, c->len);
}

static bool
sound(const struct conflict *c)
{
	return c->what >= CONFLICT_FIELD && c->what <= CONFLICT_FOREIGN && travels(c->scope) &&
	       c->node <= 2 && delta_rows(c->delta, c->len) == 1;
}

int
replica_conflict_decode(const void *bytes, size_t len, struct conflict *out)
{
	struct rd r = { .p = bytes, .left = len };
	struct conflict v = { 0 };

	if (rd_be(&r, 1) != CODEC_VERSION)
		return -EBADMSG;
	v.id = rd_be(&r, 8);
	v.what = (enum conflict_what)rd_be(&r, 1);
	v.scope = (enum scope)rd_be(&r, 1);
	v.kind = (uint8_t)rd_be(&r, 1);
	v.tag = (uint16_t)rd_be(&r, 2);
	v.node = (unsigned)rd_be(&r, 1);
	v.object = (uint32_t)rd_be(&r, 4);
	v.n = (uint32_t)rd_be(&r, 4);
	v.at = (int64_t)rd_be(&r, 8);
	v.name = take_text(&r);
	v.losing = take_text(&r);
	v.standing = take_text(&r);
	v.reason = take_text(&r);
	v.who = take_text(&r);
	v.origin = take_text(&r);
	v.delta = take_delta(&r, &v.len);
	if (r.bad || !sound(&v))
		return -EBADMSG;
	*out = v;
	return 0;
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

uint32_t *
replica_secrets_of(const void *delta, size_t len, uint32_t *n_out)
{
	struct rd r = { .p = delta, .left = len };
	uint32_t *v = NULL, n = 0, cap = 0, kept = 0;
	struct delta_row row;

	while (delta_next(&r, &row))
		for (unsigned i = 0; i < row.n; i++) {
			int64_t number = row.f[i].new.i;

			if (row.op == DELTA_DEL || number <= 0 || number > UINT32_MAX ||
			    !delta_is_secret(&row, i))
				continue;
			if (n == cap) {
				cap = cap > 0 ? cap * 2 : 16;
				v = mem_grow(v, cap * sizeof(*v));
			}
			v[n++] = (uint32_t)number;
		}
	if (r.bad)
		n = 0;
	if (n > 0)
		qsort(v, n, sizeof(*v), by_number);
	for (uint32_t i = 0; i < n; i++)
		if (i == 0 || v[i] != v[kept - 1])
			v[kept++] = v[i];
	if (kept == 0)
		FREE(v);
	*n_out = kept;
	return v;
}
