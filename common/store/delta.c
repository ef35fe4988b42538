/* Bytes of a delta: written, read, inverted, counted. Pure. A row with more fields than this build knows is
 * no row of ours: the limit is FIELDS_MAX, which grows with the rows. */
#include "store/delta.h"

#include <errno.h>
#include <string.h>

void
delta_put(struct buf *out, const struct delta_row *row)
{
	buf_put_be(out, row->kind, 1);
	buf_put_be(out, row->op, 1);
	buf_put_be(out, row->id, 4);
	buf_put_be(out, row->n, 1);
	for (unsigned i = 0; i < row->n; i++) {
		buf_put_be(out, row->f[i].tag, 2);
		if (row->op != DELTA_ADD)
			cell_put(out, &row->f[i].old);
		if (row->op != DELTA_DEL)
			cell_put(out, &row->f[i].new);
	}
}

bool
delta_next(struct rd *r, struct delta_row *out)
{
	if (r->left == 0 || r->bad)
		return false;
	out->kind = (uint8_t)rd_be(r, 1);
	out->op = (uint8_t)rd_be(r, 1);
	out->id = (uint32_t)rd_be(r, 4);
	out->n = (unsigned)rd_be(r, 1);
	if (out->n > FIELDS_MAX ||
	    (out->op != DELTA_ADD && out->op != DELTA_EDIT && out->op != DELTA_DEL))
		r->bad = true;
	for (unsigned i = 0; !r->bad && i < out->n; i++) {
		out->f[i] = (struct delta_field){ .tag = (uint16_t)rd_be(r, 2) };
		if (out->op != DELTA_ADD)
			cell_take(r, &out->f[i].old);
		if (out->op != DELTA_DEL)
			cell_take(r, &out->f[i].new);
	}
	return !r->bad;
}

unsigned
delta_rows(const void *delta, size_t len)
{
	struct rd r = { .p = delta, .left = len };
	struct delta_row row;
	unsigned n = 0;

	while (delta_next(&r, &row))
		n++;
	return n;
}

static void
invert_row(struct delta_row *row)
{
	row->op = row->op == DELTA_ADD ? DELTA_DEL : row->op == DELTA_DEL ? DELTA_ADD : row->op;
	for (unsigned i = 0; i < row->n; i++) {
		struct cell old = row->f[i].old;

		row->f[i].old = row->f[i].new;
		row->f[i].new = old;
	}
}

int
delta_invert(const void *delta, size_t len, struct buf *out)
{
	struct rd r = { .p = delta, .left = len };
	struct delta_row row;

	while (delta_next(&r, &row)) {
		invert_row(&row);
		delta_put(out, &row);
	}
	return r.bad ? -EBADMSG : 0;
}

bool
delta_is_secret(const struct delta_row *row, unsigned i)
{
	const struct object *o = object_of(row->kind);
	const struct field *f = o != NULL ? field_by_tag(o, row->f[i].tag) : NULL;

	return f != NULL && f->type == VT_SECRET;
}

bool
delta_has_secret(const void *delta, size_t len)
{
	struct rd r = { .p = delta, .left = len };
	struct delta_row row;

	while (delta_next(&r, &row)) {
		for (unsigned i = 0; i < row.n; i++)
			if (delta_is_secret(&row, i))
				return true;
	}
	return false;
}
