/* Tables for programs: JSON, YAML, CSV (RFC 4180, with LF) and bare names. Values are raw: counts and bytes as numbers,
 * times as RFC 3339, durations in microseconds; what is absent is null, or an empty CSV field. */
#include "table_priv.h"

#include "msg/view.h"

#include <math.h>
#include <string.h>

static void
put_number(struct buf *out, double v)
{
	if (v == floor(v) && fabs(v) < 9e15)
		buf_printf(out, "%.0f", v);
	else
		buf_printf(out, "%.3f", v);
}

static void
put_value(const struct column *col, const struct tcell *c, struct buf *out)
{
	if (!c->set)
		buf_puts(out, "null");
	else if (c->text != NULL)
		view_json_text(out, c->text);
	else if (col->type == COL_TIME)
		view_json_time(out, (int64_t)c->num);
	else if (col->type == COL_BOOL)
		buf_puts(out, c->num != 0 ? "true" : "false");
	else
		put_number(out, c->num);
}

void
out_json(const struct table_cut *cut, struct buf *out)
{
	unsigned i;
	uint32_t r;

	buf_puts(out, "[");
	for (r = 0; r < cut->t->rows; r++) {
		buf_puts(out, r > 0 ? ",\n{" : "\n{");
		for (i = 0; i < cut->n; i++) {
			buf_printf(out, "%s\"%s\":", i > 0 ? "," : "", cut_column(cut, i)->key);
			put_value(cut_column(cut, i), cut_cell(cut, r, i), out);
		}
		buf_puts(out, "}");
	}
	buf_puts(out, cut->t->rows > 0 ? "\n]\n" : "]\n");
}

/* A JSON string is a YAML string too, so the same values serve. */
void
out_yaml(const struct table_cut *cut, struct buf *out)
{
	unsigned i;
	uint32_t r;

	if (cut->t->rows == 0)
		buf_puts(out, "[]\n");
	for (r = 0; r < cut->t->rows; r++) {
		for (i = 0; i < cut->n; i++) {
			buf_printf(out, "%s %s: ", i == 0 ? "-" : " ", cut_column(cut, i)->key);
			put_value(cut_column(cut, i), cut_cell(cut, r, i), out);
			buf_puts(out, "\n");
		}
	}
}

static void
put_csv_text(const char *text, struct buf *out)
{
	if (strpbrk(text, ",\"\r\n") == NULL) {
		buf_puts(out, text);
		return;
	}
	buf_puts(out, "\"");
	for (; *text != '\0'; text++)
		buf_printf(out, *text == '"' ? "\"\"" : "%c", *text);
	buf_puts(out, "\"");
}

static void
put_csv(const struct column *col, const struct tcell *c, struct buf *out)
{
	char room[24];

	if (!c->set)
		return;
	if (c->text != NULL) {
		put_csv_text(c->text, out);
	} else if (col->type == COL_TIME) {
		human_time((int64_t)c->num, room);
		buf_puts(out, c->num != 0 ? room : "");
	} else if (col->type == COL_BOOL) {
		buf_puts(out, c->num != 0 ? "yes" : "no");
	} else {
		put_number(out, c->num);
	}
}

void
out_csv(const struct table_cut *cut, struct buf *out)
{
	unsigned i;
	uint32_t r;

	for (i = 0; i < cut->n && !cut->s->no_headers; i++)
		buf_printf(out, "%s%s%s", i > 0 ? "," : "", cut_column(cut, i)->key,
		    i + 1 == cut->n ? "\n" : "");
	for (r = 0; r < cut->t->rows; r++) {
		for (i = 0; i < cut->n; i++) {
			buf_puts(out, i > 0 ? "," : "");
			put_csv(cut_column(cut, i), cut_cell(cut, r, i), out);
		}
		buf_puts(out, "\n");
	}
}

/* The column "name", else the first. */
void
out_name(const struct table_cut *cut, struct buf *out)
{
	unsigned i, at = cut->col[0];
	uint32_t r;

	for (i = 0; i < cut->t->n; i++)
		if (strcmp(cut->t->cols[i].key, "name") == 0)
			at = i;
	for (r = 0; r < cut->t->rows; r++) {
		const struct tcell *c = &cut->t->cells[(size_t)cut->order[r] * cut->t->n + at];

		if (c->text != NULL)
			buf_puts(out, c->text);
		else
			put_number(out, c->num);
		buf_puts(out, "\n");
	}
}
