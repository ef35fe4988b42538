/* rule_when_priv.h - a condition while it is read, for rule_when.c and rule_value.c. */
#ifndef SCHEMA_RULE_WHEN_PRIV_H
#define SCHEMA_RULE_WHEN_PRIV_H

#include "schema/rule_when.h"

#define SHOWN 40 /* bytes of what was read that an error shows */

struct parse {
	const char *text, *at;
	unsigned where, depth;
	bool fast;
	struct arena *a;
	struct err *err;
	struct when *w;
};

unsigned when_column(const struct parse *p, const char *at);
void when_skip(struct parse *p); /* spaces */
/* when_refuse - what stands at a place, for people; ERR_INVALID. */
int when_refuse(struct parse *p, const char *at, const char *allowed);

/* when_read_values - behind the operator of a term: one, or several with commas between them. 0 or ERR_INVALID. */
int when_read_values(struct parse *p, struct when_term *t);

#endif
