/* delta.h - what a revision changed, field by field, by kind, id and tag: the form that is kept and travels.
 *
 * A session changeset counts columns and fails silently between two builds. A delta is made from one (the
 * session sees every change, however it was made), and from then on nothing depends on how a table looks.
 * Bytes, big-endian: rows of kind (1), op (1), id (4), fields (1); a field is tag (2), old cell, new cell; an
 * addition has only new, a deletion only old. */
#ifndef STORE_DELTA_H
#define STORE_DELTA_H

#include "base/buf.h"
#include "base/err.h"
#include "schema/value.h"

enum { DELTA_ADD = '+', DELTA_EDIT = '~', DELTA_DEL = '-' };

struct delta_field {
	uint16_t tag;
	struct cell old, new;
};
struct delta_row {
	uint8_t kind, op;
	uint32_t id;
	unsigned n;
	struct delta_field f[FIELDS_MAX];
};

void delta_put(struct buf *out, const struct delta_row *row);
/* delta_next - next row, borrowing from r. False at the end, and when the bytes are bad: then r->bad is set. */
bool delta_next(struct rd *r, struct delta_row *out);
unsigned delta_rows(const void *delta, size_t len);
/* delta_invert - old and new exchanged. -EBADMSG: the bytes are bad. */
int delta_invert(const void *delta, size_t len, struct buf *out);
/* delta_is_secret - whether the i-th field of the row is SECRET: its values are numbers of secrets. */
bool delta_is_secret(const struct delta_row *row, unsigned i);
/* delta_has_secret - whether any row touches a SECRET field. */
bool delta_has_secret(const void *delta, size_t len);

struct store;
/* delta_from_changeset - one delta for each scope that changed. */
int delta_from_changeset(
    struct store *st, const void *changeset, int len, struct buf out[SCOPES], struct err *err);
/* delta_apply - inside an open transaction. Strict: ERR_CONFLICT when a field is not what the delta expects;
 * that is undo, and a peer that follows. A tag or kind of a newer build is skipped. */
int delta_apply(struct store *st, const void *delta, size_t len, struct err *err);

#endif
