/* history.h - the last hour of counters, for graphs: per service and for the node. 360 samples of 10 s. */
#ifndef HISTORY_H
#define HISTORY_H

#include "msg/bus.h"
#include "msg/view.h"

#define HISTORY_SAMPLES 360
#define HISTORY_STEP_S 10
#define HISTORY_SERVICES_MAX 4096 /* services with a ring; further ones have no graph */
#define HISTORY_POINTS 30	  /* of a sparkline: the mean of 12 samples each */

struct sample {
	uint64_t bytes_in, bytes_out;	     /* in the step */
	uint32_t conns, new_conns, requests; /* conns: at its end */
};
struct node_sample {
	struct sample sum;
	float load, memory; /* load average of one minute; share of memory in use, 0 to 1 */
};
struct history;
struct history *history_new(void);
void history_free(struct history *h);
void history_use(struct history *h, const struct snapshot *s); /* from now on these services */
/* history_take - one sample of everything the view has counted; called every HISTORY_STEP_S. */
void history_take(struct history *h, const struct view *v, int64_t wall_s);

/* history_get - the sample that is `ago` steps old (0 the newest); NULL when there is none (yet). */
const struct sample *history_get(const struct history *h, uint32_t service, unsigned ago);
const struct node_sample *history_node(const struct history *h, unsigned ago);
unsigned history_depth(const struct history *h); /* steps taken, at most HISTORY_SAMPLES */
int64_t history_newest(const struct history *h); /* seconds since 1970; 0 none */
/* history_points - bytes out per second, oldest first. false: there is nothing to draw. */
bool history_points(const struct history *h, uint32_t service, float out[HISTORY_POINTS]);
/* history_answer - the HISTORY request of lbctl. */
void history_answer(const struct history *h, const struct view *v, const struct bus_request *rq,
    const struct msg_select *m);

#endif
