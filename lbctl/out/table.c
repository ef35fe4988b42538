/* Rows of cells in memory, sorted and cut down to the columns that were asked for. What they look like is decided by
 * out_table.c (people) and out_json.c (programs). Cells hold raw values, so every form sorts and prints the same. */
#include "table_priv.h"

#include "base/mem.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct table *
table_new(const struct column *cols, unsigned n)
{
	struct table *t = mem_alloc(sizeof(*t));

	t->cols = cols;
	t->n = n;
	t->arena = arena_new(16384);
	return t;
}

void
table_free(struct table *t)
{
	if (t == NULL)
		return;
	arena_unref(t->arena);
	free(t->cells);
	free(t);
}

uint32_t
table_rows(const struct table *t)
{
	return t->rows;
}

void
table_row(struct table *t)
{
	if (t->rows == t->room) {
		t->room = t->room == 0 ? 32 : t->room * 2;
		t->cells = mem_grow(t->cells, (size_t)t->room * t->n * sizeof(*t->cells));
	}
	memset(&t->cells[(size_t)t->rows * t->n], 0, t->n * sizeof(*t->cells));
	t->rows++;
}

static struct tcell *
cell(struct table *t, unsigned col)
{
	must(t->rows > 0 && col < t->n);
	return &t->cells[(size_t)(t->rows - 1) * t->n + col];
}

void
table_text(struct table *t, unsigned col, const char *text)
{
	struct tcell *c = cell(t, col);

	c->set = true;
	c->text = arena_text(t->arena, text, strlen(text));
}

void
table_textf(struct table *t, unsigned col, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	table_text(t, col, text);
}

void
table_num(struct table *t, unsigned col, double v)
{
	struct tcell *c = cell(t, col);

	c->set = true;
	c->num = v;
}

void
table_status(struct table *t, unsigned col, enum status st, const char *word)
{
	table_text(t, col, word);
	cell(t, col)->status = (uint8_t)st;
}

/* ---- which columns, which order ------------------------------------------------------------------------ */

static int
find_column(const struct table *t, const char *key, size_t len, unsigned *out, struct err *err)
{
	const char *keys[COLUMNS_MAX], *near;
	char word[64];
	unsigned i;

	for (i = 0; i < t->n; i++) {
		keys[i] = t->cols[i].key;
		if (strlen(t->cols[i].key) == len && memcmp(t->cols[i].key, key, len) == 0) {
			*out = i;
			return 0;
		}
	}
	(void)snprintf(word, sizeof(word), "%.*s", (int)len, key);
	near = words_nearest(keys, t->n, word);
	if (near != NULL)
		return err_set(err, ERR_USAGE,
		    "column \"%s\" does not exist here; did you mean \"%s\"?", word, near);
	return err_set(err, ERR_USAGE, "column \"%s\" does not exist here", word);
}

int
table_columns(const struct table *t, const struct table_style *s, unsigned out[COLUMNS_MAX],
    unsigned *n_out, struct err *err)
{
	unsigned most = s->form == FORM_TABLE ? COL_SHOW : COL_WIDE, i, n = 0;
	const char *p = s->columns;
	int rc;

	must(t->n <= COLUMNS_MAX);
	for (i = 0; p == NULL && i < t->n; i++)
		if (t->cols[i].level <= most || s->form == FORM_JSON || s->form == FORM_YAML)
			out[n++] = i;
	while (p != NULL && n < COLUMNS_MAX) {
		size_t len = strcspn(p, ",");

		rc = find_column(t, p, len, &out[n++], err);
		if (rc != 0)
			return rc;
		p = p[len] == ',' ? p + len + 1 : NULL;
	}
	*n_out = n;
	return 0;
}

struct order {
	const struct table *t;
	unsigned col;
	bool down;
};

/* Text in which numbers count as numbers: rip2 before rip10. */
static int
natural(const char *a, const char *b)
{
	for (; *a != '\0' && *b != '\0'; a++, b++) {
		if (*a >= '0' && *a <= '9' && *b >= '0' && *b <= '9') {
			size_t na = strspn(a, "0123456789"), nb = strspn(b, "0123456789");

			if (na != nb)
				return na < nb ? -1 : 1;
		}
		if (*a != *b)
			return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
	}
	return (*a != '\0') - (*b != '\0');
}

static int
by_order(const void *pa, const void *pb, void *arg)
{
	const struct order *o = arg;
	uint32_t ia = *(const uint32_t *)pa, ib = *(const uint32_t *)pb;
	const struct tcell *a = &o->t->cells[(size_t)ia * o->t->n + o->col],
			   *b = &o->t->cells[(size_t)ib * o->t->n + o->col];
	int d;

	if (a->set != b->set)
		return a->set ? -1 : 1; /* what is absent is last, either way */
	if (a->text != NULL && b->text != NULL)
		d = natural(a->text, b->text);
	else
		d = (a->num > b->num) - (a->num < b->num);
	if (d == 0)
		return ia < ib ? -1 : 1;
	return o->down ? -d : d;
}

int
table_order(const struct table *t, const struct table_style *s, uint32_t *out, struct err *err)
{
	struct order o = { .t = t };
	const char *key = s->sort;
	uint32_t i;
	int rc;

	for (i = 0; i < t->rows; i++)
		out[i] = i;
	if (key == NULL)
		return 0;
	o.down = *key == '-';
	key += o.down;
	rc = find_column(t, key, strlen(key), &o.col, err);
	if (rc == 0)
		qsort_r(out, t->rows, sizeof(*out), by_order, &o);
	return rc;
}

int
table_print(struct table *t, const struct table_style *s, struct buf *out, struct err *err)
{
	struct table_cut cut = { .t = t, .s = s };
	int rc;

	cut.order = mem_alloc((t->rows + 1) * sizeof(*cut.order));
	rc = table_columns(t, s, cut.col, &cut.n, err);
	if (rc == 0)
		rc = table_order(t, s, cut.order, err);
	if (rc == 0) {
		switch (s->form) {
		case FORM_TABLE:
		case FORM_WIDE: out_table(&cut, out); break;
		case FORM_JSON: out_json(&cut, out); break;
		case FORM_YAML: out_yaml(&cut, out); break;
		case FORM_CSV: out_csv(&cut, out); break;
		case FORM_NAME: out_name(&cut, out); break;
		}
	}
	free(cut.order);
	return rc;
}
