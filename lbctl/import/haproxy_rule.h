/* haproxy_rule.h - a rule of HAProxy while it is read; for haproxy_rule.c, haproxy_action.c and haproxy_return.c only. */
#ifndef LBCTL_IMPORT_HAPROXY_RULE_H
#define LBCTL_IMPORT_HAPROXY_RULE_H

#include "import/haproxy.h"

/* One line while it is read. */
struct hap_rule {
	struct hap *h;
	struct hap_proxy *p;
	const struct hap_line *l;
	unsigned from, end; /* of the arguments of the action */
	bool answer, tcp;   /* tcp: tcp-request */
	const char *when;
	const char *difference;
	const char *field; /* what it becomes; NULL: "rule" */
	struct hap_rule_rows *out;
};
/* What a line becomes. NULL: good; else why it cannot be taken. */
typedef const char *(*hap_action_fn)(struct hap_rule *r);

/* hap_action - of http-request, http-response and tcp-request; NULL: there is none like it. */
hap_action_fn hap_action(const char *word);
/* hap_old_action - of a directive that is a rule by itself (redirect, block, reqadd, monitor-uri); NULL: it is none. */
hap_action_fn hap_old_action(const char *directive);
bool hap_is_allow(hap_action_fn fn); /* does nothing but end its phase */
bool hap_is_drop(hap_action_fn fn);

bool hap_is_denial(const char *status); /* of action deny */

/* For functions that make a rule: the ith argument of the action ("": there is none); the argument behind a word, from
 * the ith on (NULL); whether the word is there. */
const char *hap_rule_arg(const struct hap_rule *r, unsigned i);
const char *hap_rule_option(const struct hap_rule *r, unsigned from, const char *word);
bool hap_rule_flag(const struct hap_rule *r, unsigned from, const char *word);
/* hap_rule_add - one more rule with the condition of the line. hap_rule_put - the value into the field; why not, in the arena. */
struct import_row *hap_rule_add(struct hap_rule *r, const char *action);
const char *hap_rule_put(
    struct hap_rule *r, struct import_row *row, const char *field, const char *value);

/* haproxy_return.c: answers that a rule itself gives. */
/* hap_answer_is_own - the arguments say what it looks like. hap_answer - the rule; status NULL: 200. NULL: good, else why not. */
bool hap_answer_is_own(const struct hap_rule *r);
const char *hap_answer(struct hap_rule *r, const char *status);

#endif
