/* views.h - the tables of get and top: which columns a kind has, and a table of rows. */
#ifndef LBCTL_VIEWS_H
#define LBCTL_VIEWS_H

#include "ctl.h"

/* What must be asked of the daemons for the rows of a kind (VIEW_ bits). */
unsigned views_needs(const struct object *o);
/* Whether rates are among what is printed, so that counters must be asked twice. */
bool views_wants_rates(const struct ctl *c, const struct object *o);
/* views_table - rows of a kind, with how they stand (c->view). For a SINGLE: field by field. */
struct table *views_table(struct ctl *c, const struct object *o, const struct picked *rows);
/* views_json - the same as bodies of the API: one object when one is true, else a list. */
void views_json(
    struct ctl *c, const struct object *o, const struct picked *rows, bool one, struct buf *out);
/* Keys of the columns of a kind, for completion; returns how many. */
unsigned views_columns(struct ctl *c, const struct object *o, const char **keys, unsigned most);
/* Text of one field of a row, as the user would write it; borrowed from the arena. */
const char *views_field_text(
    struct ctl *c, const struct snapshot *s, const struct field *f, const void *row);

/* What connections betray of a server, in words; "" when nothing. Borrowed. */
const char *views_hint(const struct ctl *c, const struct server *s);

#endif
