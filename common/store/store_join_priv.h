/* store_join_priv.h - one revision of the other node in the making; for store_join.c and store_loss.c. */
#ifndef STORE_STORE_JOIN_PRIV_H
#define STORE_STORE_JOIN_PRIV_H

#include "store/store_priv.h"

struct join {
	struct store *st;
	struct join_how *how;
	const struct object *o; /* NULL: a kind that this build does not know */
	const struct delta_row *d;
	struct arena *a; /* of one row */
	struct err *err;
};

/* What is said of a lost field or row; texts may be NULL. */
struct loss {
	enum conflict_what what;
	const struct delta_field *f; /* NULL: the whole row */
	const char *standing, *reason;
};

/* The value as people read it; f NULL: a field that this build does not know. In the join's arena. */
const char *loss_text(struct join *j, const struct field *f, const struct cell *c);
/* A record of what is not taken. now is the row as it is here, or NULL. */
int loss_note(struct join *j, const struct row *now, const struct loss *l);
/* standing NULL: the row is deleted here. */
int loss_note_field(struct join *j, const struct row *now, enum conflict_what what,
    const struct delta_field *df, const struct cell *standing, const char *reason);
/* Fields that both changed since the last common revision, whatever their values were later; tag 0: a row that both
 * deleted. What the other does to them after that is noted, not taken, even when it meets the value it expects. */
int loss_contest(const struct join *j, uint16_t tag);
bool loss_is_contested(const struct join *j, uint16_t tag);
int loss_note_foreign(struct join *j); /* kinds and tags that this build does not know */
/* The key's cell of a row that has it, old or new; else NULL. */
const struct cell *delta_key(const struct object *o, const struct delta_row *d, bool old);

#endif
