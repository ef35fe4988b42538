/* Tables for people: two blanks between columns, no lines drawn, numbers human and to the right, status coloured
 * when colours are on (it is always also a word). Cut with an ellipsis only for a terminal whose width is known:
 * the widest text column gives way. */
#include "table_priv.h"

#include "base/mem.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void
scaled(double v, double step, const char *const *units, unsigned n, char out[24])
{
	unsigned i = 0;

	while (v >= step && i + 1 < n) {
		v /= step;
		i++;
	}
	if (i == 0)
		(void)snprintf(out, 24, "%.0f", v);
	else
		(void)snprintf(out, 24, v < 9.95 ? "%.1f%s" : "%.0f%s", v, units[i]);
}

void
human_count(double v, char out[24])
{
	static const char *const units[] = { "", "k", "M", "G", "T" };

	if (v < 10000)
		(void)snprintf(out, 24, "%.0f", v);
	else
		scaled(v, 1000, units, ARRAY_LEN(units), out);
}

void
human_bytes(double v, char out[24])
{
	static const char *const units[] = { "", "K", "M", "G", "T", "P" };

	scaled(v, 1024, units, ARRAY_LEN(units), out);
}

void
human_dur(int64_t us, char out[24])
{
	int64_t s = us / 1000000;

	if (us < 1000)
		(void)snprintf(out, 24, "%" PRId64 "us", us);
	else if (us < 1000000)
		(void)snprintf(out, 24, us < 10000 ? "%.1fms" : "%.0fms", (double)us / 1000);
	else if (s < 120)
		(void)snprintf(out, 24, s < 10 ? "%.1fs" : "%.0fs", (double)us / 1e6);
	else if (s < 7200)
		(void)snprintf(out, 24, "%" PRId64 "m%02ds", s / 60, (int)(s % 60));
	else if (s < 172800)
		(void)snprintf(out, 24, "%" PRId64 "h%02dm", s / 3600, (int)(s / 60 % 60));
	else
		(void)snprintf(out, 24, "%" PRId64 "d", s / 86400);
}

void
human_time(int64_t seconds, char out[24])
{
	time_t t = seconds;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || strftime(out, 24, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)snprintf(out, 24, "%" PRId64, seconds);
}

unsigned
text_width(const char *text)
{
	unsigned n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80; /* each UTF-8 character once */
	return n;
}

static bool
to_the_right(const struct column *c)
{
	return c->type == COL_NUM || c->type == COL_BYTES || c->type == COL_RATE ||
	       c->type == COL_DUR_US || c->type == COL_ID;
}

/* The text of a cell for people; borrowed, or in room. */
static const char *
cell_text(
    const struct table_cut *cut, const struct column *col, const struct tcell *c, char room[24])
{
	if (!c->set)
		return "-";
	if (c->text != NULL)
		return *c->text != '\0' ? c->text : "-";
	switch (col->type) {
	case COL_NUM: human_count(c->num, room); break;
	case COL_BYTES: human_bytes(c->num, room); break;
	case COL_RATE: human_count(c->num, room); break;
	case COL_DUR_US: human_dur((int64_t)c->num, room); break;
	case COL_BOOL: return c->num != 0 ? "yes" : "no";
	case COL_TIME:
		if (c->num == 0)
			return "-";
		if (cut->s->now != 0 && cut->s->now >= (int64_t)c->num)
			human_dur((cut->s->now - (int64_t)c->num) * 1000000, room);
		else
			human_time((int64_t)c->num, room);
		break;
	default: (void)snprintf(room, 24, "%.0f", c->num); break;
	}
	return room;
}

static void
put_padded(struct buf *out, const char *text, unsigned width, bool right, bool last)
{
	unsigned w = text_width(text), pad = w < width ? width - w : 0;

	if (right)
		buf_printf(out, "%*s", (int)pad, "");
	buf_puts(out, text);
	if (!right && !last)
		buf_printf(out, "%*s", (int)pad, "");
}

static const char *
colour_of(enum status st)
{
	static const char *const codes[] = {
		[ST_OK] = "32", [ST_WARN] = "33", [ST_DOWN] = "31", [ST_OFF] = "34", [ST_UNK] = "90"
	};

	return codes[st];
}

/* Text cut to width columns, the last of them an ellipsis. */
static void
put_cut(struct buf *out, const char *text, unsigned width)
{
	unsigned n = 0;

	for (; *text != '\0'; text++) {
		if (((unsigned char)*text & 0xc0) != 0x80 && ++n == width)
			break;
		buf_put(out, text, 1);
	}
	buf_puts(out, "…");
}

static void
widths(const struct table_cut *cut, unsigned *w)
{
	unsigned i, widest, total = 0;
	char room[24];
	uint32_t r;

	for (i = 0; i < cut->n; i++) {
		const struct column *col = cut_column(cut, i);

		w[i] =
		    cut->s->no_headers ? 0 : text_width(col->head != NULL ? col->head : col->key);
		for (r = 0; r < cut->t->rows; r++) {
			unsigned n = text_width(cell_text(cut, col, cut_cell(cut, r, i), room));

			w[i] = n > w[i] ? n : w[i];
		}
		total += w[i] + (i > 0 ? 2 : 0);
	}
	while (cut->s->width != 0 && total > cut->s->width) {
		for (widest = cut->n, i = 0; i < cut->n; i++)
			if (!to_the_right(cut_column(cut, i)) && w[i] > 8 &&
			    (widest == cut->n || w[i] > w[widest]))
				widest = i;
		if (widest == cut->n)
			break;
		w[widest]--;
		total--;
	}
}

static void
put_head(const struct table_cut *cut, const unsigned *w, struct buf *out)
{
	char head[64];
	unsigned i;
	size_t k;

	for (i = 0; i < cut->n; i++) {
		const struct column *col = cut_column(cut, i);

		(void)snprintf(head, sizeof(head), "%s", col->head != NULL ? col->head : col->key);
		for (k = 0; head[k] != '\0'; k++)
			head[k] = (char)toupper((unsigned char)head[k]);
		buf_puts(out, i > 0 ? "  " : "");
		put_padded(out, head, w[i], to_the_right(col), i + 1 == cut->n);
	}
	buf_puts(out, "\n");
}

static void
put_cell(const struct table_cut *cut, uint32_t row, unsigned i, const unsigned *w, struct buf *out)
{
	const struct column *col = cut_column(cut, i);
	const struct tcell *c = cut_cell(cut, row, i);
	bool tint = cut->s->colour && col->type == COL_STATUS && c->set;
	char room[24];
	const char *text = cell_text(cut, col, c, room);

	if (tint)
		buf_printf(out, "\033[%sm", colour_of(c->status));
	if (text_width(text) > w[i])
		put_cut(out, text, w[i]);
	else
		put_padded(out, text, w[i], to_the_right(col), i + 1 == cut->n);
	if (tint)
		buf_puts(out, "\033[0m");
}

void
out_table(const struct table_cut *cut, struct buf *out)
{
	unsigned w[COLUMNS_MAX], i;
	uint32_t r;

	widths(cut, w);
	if (!cut->s->no_headers)
		put_head(cut, w, out);
	for (r = 0; r < cut->t->rows; r++) {
		for (i = 0; i < cut->n; i++) {
			buf_puts(out, i > 0 ? "  " : "");
			put_cell(cut, r, i, w, out);
		}
		buf_puts(out, "\n");
	}
}
