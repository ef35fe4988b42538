/* judge.h - what the results of a track say: good or bad, and what that costs. Pure. */
#ifndef HA_JUDGE_H
#define HA_JUDGE_H

#include "base/mono.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum judge_state { JUDGE_UNKNOWN, JUDGE_GOOD, JUDGE_BAD };
const char *judge_word(enum judge_state s); /* "unknown", "good", "bad" */

struct judge_rule {
	unsigned rise, fall; /* at least 1 */
	bool reverse;	     /* good and bad change places */
	bool unknown_bad;    /* what it counts as without a result */
	uint16_t weight; /* points that are lost while it is bad; 0: the node must not be active */
	dur_t age;	 /* an older result is none; 0: results hold until the next one */
};

struct judge {
	enum judge_state state;
	unsigned streak; /* results in a row that say otherwise */
	mono_t at;	 /* of the last result */
	mono_t since;	 /* of the state */
};

/* judge_init - nothing is known. */
void judge_init(struct judge *j, mono_t now);
/* judge_result - one result. The first one, or the first after none, counts at once. True: the state changed. */
bool judge_result(struct judge *j, const struct judge_rule *r, bool good, mono_t now);
/* judge_age - a result that is too old is none. True: the state changed. */
bool judge_age(struct judge *j, const struct judge_rule *r, mono_t now);
/* judge_forget - there is no result, and the last one is none any more. True: the state changed. */
bool judge_forget(struct judge *j, mono_t now);
/* judge_deadline - when judge_age will say something else; INT64_MAX never. */
mono_t judge_deadline(const struct judge *j, const struct judge_rule *r);

/* All tracks together. */
struct judge_sum {
	bool fault;    /* one with weight 0 is bad */
	uint32_t lost; /* points */
};
void judge_add(struct judge_sum *s, const struct judge *j, const struct judge_rule *r);

/* judge_file - what a file's content says: 0, with spaces around, is good. */
bool judge_file(const char *bytes, size_t len);
/* judge_pid - the number in a pid file; 0: there is none. */
int judge_pid(const char *bytes, size_t len);

#endif
