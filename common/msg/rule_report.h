/* rule_report.h - an answer to RULE_TRY, kept as it comes: for lbctl in tables, and as the JSON that lbctl and the API both give. */
#ifndef MSG_RULE_REPORT_H
#define MSG_RULE_REPORT_H

#include "base/buf.h"
#include "msg/msg.h"
#include "store/snapshot.h"

struct rule_report {
	unsigned n; /* { 0 } is empty */
	struct rule_said {
		uint32_t rule; /* 0: what comes of it all */
		char *what, *text;
	} * said;
};
void rule_report_add(struct rule_report *r, const struct msg_rule_is *m);
void rule_report_fini(struct rule_report *r);
/* rule_report_json - {"rules":[{rule, order, action, does}...],"outcome":{...}}; s: names of the rules. */
void rule_report_json(const struct rule_report *r, const struct snapshot *s, struct buf *out);

#endif
