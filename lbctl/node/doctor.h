/* doctor.h - what the parts of doctor share. */
#ifndef LBCTL_DOCTOR_H
#define LBCTL_DOCTOR_H

#include "ctl.h"
#include "facts.h"

struct doctor {
	struct ctl *c;
	struct table *t;
	unsigned bad;
	bool have_snapshot;
};
/* doctor_finding - ST_WARN and ST_DOWN count. Good findings and mere remarks (ST_UNK) are shown with -v, or in JSON. */
void doctor_finding(
    struct doctor *d, enum status st, const char *what, const char *text, const char *fix);
/* doctor_layer4 - what layer 4 needs of this machine and of its servers; nothing without services of layer 4. */
void doctor_layer4(struct doctor *d);

#endif
