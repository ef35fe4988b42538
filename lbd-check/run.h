/* run.h - CHECK_RUN: probe a server now and stream every step to who asked. */
#ifndef CHECK_RUN_H
#define CHECK_RUN_H

#include "sched.h"

#include "msg/bus.h"

#define RUN_MAX 64	  /* that wait for their probe at once */
#define RUN_STEPS_MAX 200 /* rows of one answer; what follows is not shown */

/* run_start - answers rq in any case: steps and RESULT later, or RESULT now when it cannot be. */
void run_start(struct sched *s, uint32_t server, const struct bus_request *rq);

#endif
