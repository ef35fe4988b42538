/* haproxy_rule.h - a rule of HAProxy while it is read; for haproxy_rule.c and haproxy_action.c only. */
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

#endif
