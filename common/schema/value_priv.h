/* value_priv.h - the row of ops of a type; for the value*.c files only. */
#ifndef SCHEMA_VALUE_PRIV_H
#define SCHEMA_VALUE_PRIV_H

#include "schema/value.h"

#define PEM_BEGIN "-----BEGIN "

struct unit {
	const char *suffix;
	int64_t factor;
};

struct type_ops {
	uint8_t bytes;		  /* of the member of a type whose cell is a number; 0 otherwise */
	const struct unit *units; /* of a counted quantity; ends with suffix NULL */
	/* NULL, or what is wrong with text: "" when value_allowed says it, else "; ..." to stand behind it. */
	const char *(*parse)(
	    const struct field *f, const char *text, struct arena *a, struct cell *out);
	void (*format)(const struct cell *c, struct buf *out); /* NULL: the text of the cell */
	void (*allowed)(const struct field *f, struct buf *out);
	int (*load)(const struct field *f, const struct cell *c, struct arena *a, void *member);
	void (*save)(const struct field *f, const void *member, struct arena *a, struct cell *out);
	bool (*same)(const void *x, const void *y);
};

extern const struct type_ops value_name_ops, value_text_ops, value_tchar_ops, value_labels_ops,
    value_host_ops, value_addr_ops, value_net_ops, value_cidr_ops, value_ranges_ops,
    value_addrs_ops, value_pem_ops, value_lines_ops, value_enum_ops;

/* A text cell: copied into the arena, or "" when empty. */
void value_text_cell(const char *s, size_t n, struct arena *a, struct cell *out);
/* Length in bytes against the range of the field. */
bool value_length_ok(const struct field *f, size_t n);
/* load, save and same of a type whose member is a text. */
int value_load_text(const struct field *f, const struct cell *c, struct arena *a, void *member);
void value_save_text(const struct field *f, const void *member, struct arena *a, struct cell *out);
bool value_same_text(const void *x, const void *y);

#endif
