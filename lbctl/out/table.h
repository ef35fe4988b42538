/* table.h - rows of cells, and the forms in which they are printed. Pure: neither terminal nor clock is asked.
 *
 * A view is one array of columns. Cells hold raw values; only the table form makes them human. */
#ifndef LBCTL_TABLE_H
#define LBCTL_TABLE_H

#include "base/buf.h"
#include "base/err.h"
#include "store/state.h"

#include <stdbool.h>
#include <stdint.h>

enum table_form { FORM_TABLE, FORM_WIDE, FORM_JSON, FORM_YAML, FORM_CSV, FORM_NAME };
enum column_type {
	COL_TEXT,
	COL_STATUS, /* a word and its colour */
	COL_NUM,    /* a count */
	COL_ID,	    /* a number that is never made human: port, revision, process */
	COL_BYTES,
	COL_RATE,   /* a second */
	COL_DUR_US, /* a duration in microseconds */
	COL_TIME,   /* seconds since 1970 */
	COL_BOOL,
};
enum column_level {
	COL_SHOW,
	COL_WIDE,
	COL_HIDE
}; /* from which form on it is seen; HIDE: with --columns */
struct column {
	const char *key, *head; /* head NULL: the key */
	uint8_t type, level;
};

struct table;
/* cols is borrowed while the table lives. */
struct table *table_new(const struct column *cols, unsigned n);
void table_free(struct table *t);
uint32_t table_rows(const struct table *t);
void table_row(struct table *t); /* begins a row; cells that are not set are absent ("-", null) */
void table_text(struct table *t, unsigned col, const char *text);
void table_textf(struct table *t, unsigned col, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void table_num(struct table *t, unsigned col, double v);
void table_status(struct table *t, unsigned col, enum status st, const char *word);

struct table_style {
	enum table_form form;
	bool no_headers, colour;
	unsigned width;	     /* of the terminal; 0: never cut */
	const char *columns; /* "a,b"; NULL: by form */
	const char *sort;    /* "key" or "-key"; NULL: as added */
	int64_t now; /* seconds since 1970: times are shown as ages in tables; 0: as times */
};
/* table_print - ERR_USAGE: an unknown column, naming the nearest. */
int table_print(struct table *t, const struct table_style *s, struct buf *out, struct err *err);

/* Human numbers: "1.2k", "3.4M"; bytes "1.2K", "3.4M"; durations "212us", "3.4ms", "5s", "3d". out holds 24. */
void human_count(double v, char out[24]);
void human_bytes(double v, char out[24]);
void human_dur(int64_t us, char out[24]);
void human_time(int64_t seconds, char out[24]); /* 2026-11-21T13:00:00Z */
/* Columns that text takes on a terminal. */
unsigned text_width(const char *text);

#endif
