/* What differs between two snapshots. Pure. Pages and rows that both share are the same pointers and cost one
 * comparison; the rest is compared field by field. */
#include "base/must.h"
#include "store/snapshot_priv.h"

#include <string.h>

struct walk {
	change_fn fn;
	void *arg;
	unsigned n;
};

static void
tell(
    struct walk *w, const struct object *o, const struct field *f, const void *old, const void *new)
{
	w->n++;
	w->fn(w->arg, &(struct change){ o, f, old, new });
}

static void
diff_row(struct walk *w, const struct object *o, const void *old, const void *new)
{
	for (unsigned i = 0; i < o->n; i++)
		if (!value_same(&o->f[i], old, new))
			tell(w, o, &o->f[i], old, new);
}

static void
diff_table(struct walk *w, const struct object *o, const struct pages *a, const struct pages *b)
{
	uint32_t i = 0, j = 0, an = pages_count(a), bn = pages_count(b);

	while (i < an || j < bn) {
		uint32_t shared = i == j ? pages_same(a, b, i) : 0, xid, yid;
		const void *x, *y;

		if (shared > 0) {
			i += shared;
			j += shared;
			continue;
		}
		x = i < an ? pages_at(a, i) : NULL;
		y = j < bn ? pages_at(b, j) : NULL;
		xid = x != NULL ? row_id(x) : UINT32_MAX;
		yid = y != NULL ? row_id(y) : UINT32_MAX;
		i += xid <= yid;
		j += yid <= xid;
		if (xid < yid)
			tell(w, o, NULL, x, NULL);
		else if (yid < xid)
			tell(w, o, NULL, NULL, y);
		else if (x != y)
			diff_row(w, o, x, y);
	}
}

unsigned
snapshot_diff(const struct snapshot *old, const struct snapshot *new, change_fn fn, void *arg)
{
	struct walk w = { fn, arg, 0 };

	for (unsigned k = 0; k < KINDS; k++)
		if (old->t[k].rows != new->t[k].rows)
			diff_table(&w, &objects[k], old->t[k].rows, new->t[k].rows);
	return w.n;
}

struct text_walk {
	const struct snapshot *old, *new;
	struct arena *a;
	struct buf *out;
};

static void
put_value(struct text_walk *t, const struct change *c, const struct snapshot *s, const void *row)
{
	struct names names;
	struct cell cell;
	struct buf text = { 0 };

	snapshot_names(s, &names);
	value_save(c->f, row, t->a, &cell);
	value_short(c->f, &cell, &names, &text);
	buf_puts(t->out, text.len > 0 ? buf_text(&text) : "none");
	buf_fini(&text);
}

static void
put_line(void *arg, const struct change *c)
{
	struct text_walk *t = arg;
	const struct snapshot *s = c->new != NULL ? t->new : t->old;
	char path[160];

	buf_printf(t->out, "%s %s: ", c->o->name,
	    snapshot_path(s, c->o->kind, row_id(c->new != NULL ? c->new : c->old), path));
	if (c->f == NULL) {
		buf_puts(t->out, c->new != NULL ? "added" : "deleted");
	} else if (c->f->type == VT_SECRET) {
		buf_printf(t->out, "%s: changed", c->f->name);
	} else {
		buf_printf(t->out, "%s: ", c->f->name);
		put_value(t, c, t->old, c->old);
		buf_puts(t->out, " -> ");
		put_value(t, c, t->new, c->new);
	}
	buf_puts(t->out, "\n");
}

unsigned
snapshot_diff_text(const struct snapshot *old, const struct snapshot *new, struct buf *out)
{
	struct text_walk t = { old, new, arena_new(1024), out };
	unsigned n = snapshot_diff(old, new, put_line, &t);

	arena_unref(t.a);
	return n;
}
