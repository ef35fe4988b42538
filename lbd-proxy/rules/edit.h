/* edit.h - what the actions of content rules do to a head and to a target: texts are made in the worker's scratch, and noted as edits. */
#ifndef LBD_PROXY_RULES_EDIT_H
#define LBD_PROXY_RULES_EDIT_H

#include "rules.h"
#include "subject.h"

/* One head, while its rules are looked at. */
struct edit {
	struct rules_scratch *w;
	struct subject s;
	const char *buf; /* of the head that is changed */
	const struct h1_head *head;
	bool any;		 /* something is changed */
	uint64_t rate;		 /* bytes a second; 0: no limit */
	int16_t priority;	 /* while it waits for a server */
	struct when_group value; /* of the rule that is applied: what a list had behind its entry */
};

void edit_begin(struct edit *e);
/* edit_text - a template as text; NULL: no room. */
const char *edit_text(
    struct edit *e, const struct rule_text *t, const struct when_groups *g, size_t *len_out);
/* edit_apply - an action that ends nothing. 0, or the status with which the request is refused. */
unsigned edit_apply(struct edit *e, const struct rule *r, const struct when_groups *g);

#endif
