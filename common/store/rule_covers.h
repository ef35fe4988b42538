/* rule_covers.h - whether a condition holds whenever another one does, as far as that can be proven from their texts. Pure. */
#ifndef STORE_RULE_COVERS_H
#define STORE_RULE_COVERS_H

#include "schema/rule_when.h"

/* Comparisons of values for one check of everything; a proof that needs more is not made. */
#define COVERS_STEPS 2000000

/* rule_covers - whenever later holds, earlier does. Both may have been given to when_fini after a copy of the struct was made: patterns
 * are compared by their text. false: not so, or not known. steps: taken off; 0 ends the search with false. */
bool rule_covers(const struct when *earlier, const struct when *later, unsigned *steps);

/* A rule among those of its service, in their order. */
struct content_rule;
struct rule_seat {
	struct when when; /* without its patterns */
	bool answer;	  /* looked at for answers */
	bool ends;	  /* where it holds, no later one is looked at */
	unsigned turn;	  /* rules that rewrite before it: then the path is another */
};
/* rule_seat_init - of a rule; *turns counts those that rewrite, from the first one on. when: see rule_covers. */
void rule_seat_init(
    struct rule_seat *s, const struct content_rule *r, const struct when *when, unsigned *turns);
/* rule_sees_same - what the earlier rule looked at is what the later one sees. */
bool rule_sees_same(const struct rule_seat *earlier, const struct rule_seat *later);
/* rule_hides - the later one would never be looked at. */
bool rule_hides(const struct rule_seat *earlier, const struct rule_seat *later, unsigned *steps);
/* rule_ends - the same as in the seat. */
bool rule_ends(const struct content_rule *r); /* object_checks_rule.c, which knows the actions */

#endif
