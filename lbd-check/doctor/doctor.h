/* doctor.h - DIAGNOSE: what layer 4 needs of servers, proved by packets. */
#ifndef DOCTOR_DOCTOR_H
#define DOCTOR_DOCTOR_H

#include "msg/bus.h"
#include "store/snapshot.h"

#define DOCTOR_RUNS 4	    /* at once */
#define DOCTOR_SERVERS 4096 /* of one run */
#define DOCTOR_FLIGHT 64    /* servers under examination at once */

/* doctor_start - answers rq in any case: FINDING rows as servers are done, then RESULT; or RESULT at once when nothing
 * can be asked for (an unknown row, layer 7, too many). Without the right to send packets each server has one row with
 * status unknown. s is referenced until the end. */
void doctor_start(struct loop *l, struct bus *b, struct snapshot *s, const struct bus_request *rq,
    const struct msg_diagnose *m);

#endif
