/* table_priv.h - cells, for table.c and the forms out_*.c only. */
#ifndef LBCTL_TABLE_PRIV_H
#define LBCTL_TABLE_PRIV_H

#include "base/arena.h"
#include "base/must.h"
#include "schema/schema.h"
#include "table.h"

#define COLUMNS_MAX 192 /* every field of a kind, and what a view adds */

struct tcell {
	const char *text; /* NULL: num counts */
	double num;
	uint8_t status;
	bool set;
};
struct table {
	const struct column *cols;
	unsigned n;
	uint32_t rows, room;
	struct tcell *cells; /* rows * n */
	struct arena *arena;
};
/* The columns and the order of rows that are printed. */
struct table_cut {
	const struct table *t;
	const struct table_style *s;
	unsigned col[COLUMNS_MAX], n;
	uint32_t *order;
};
int table_columns(const struct table *t, const struct table_style *s, unsigned out[COLUMNS_MAX],
    unsigned *n_out, struct err *err);
int table_order(const struct table *t, const struct table_style *s, uint32_t *out, struct err *err);

static inline const struct tcell *
cut_cell(const struct table_cut *c, uint32_t row, unsigned col)
{
	return &c->t->cells[(size_t)c->order[row] * c->t->n + c->col[col]];
}
static inline const struct column *
cut_column(const struct table_cut *c, unsigned col)
{
	return &c->t->cols[c->col[col]];
}

void out_table(const struct table_cut *c, struct buf *out);
void out_json(const struct table_cut *c, struct buf *out);
void out_yaml(const struct table_cut *c, struct buf *out);
void out_csv(const struct table_cut *c, struct buf *out);
void out_name(const struct table_cut *c, struct buf *out);

#endif
