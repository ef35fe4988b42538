/* rule_text.h - templates of content rules: text with parts of the request as {host}, {header(X-Key)}, {query}, and {1} to {9}, the
 * groups of the last pattern of the rule that matched; {0} is all that it matched. Two braces that open or close are one. Read here for the check of a
 * commit and for lbd-proxy alike. */
#ifndef SCHEMA_RULE_TEXT_H
#define SCHEMA_RULE_TEXT_H

#include "schema/rule_when.h"

#define RULE_TEXT_ITEMS 64

enum { RULE_TEXT_LITERAL, RULE_TEXT_SOURCE, RULE_TEXT_GROUP };
struct rule_text_item {
	uint8_t kind;
	uint8_t what; /* enum when_source, or the number of the group */
	uint16_t len; /* of text: the literal, or the name in parentheses */
	const char *text;
};
struct rule_text {
	uint16_t n;
	uint32_t uses; /* a bit for each source */
	struct rule_text_item *item;
};

/* rule_text_parse - groups: how many {1}... the rule can have; where: as of when_parse. In an arena, nothing of text is borrowed. 0, or ERR_INVALID
 * with a reason; err may be NULL. */
int rule_text_parse(const char *text, unsigned where, unsigned groups, struct arena *a,
    struct rule_text *out, struct err *err);

/* rule_text_write - the text as it is now. get, arg: as of when_test; groups may be NULL. What is not there is nothing. Control bytes of values become
 * spaces: the text goes into a head. Returns the length, or -1 when it is longer than room. */
long rule_text_write(const struct rule_text *t, when_get_fn get, void *arg,
    const struct when_groups *groups, char *out, size_t room);

#endif
