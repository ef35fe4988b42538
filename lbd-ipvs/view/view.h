/* view.h - what lbd-ipvs shows: counters, the kernel's table, and how the kernel stands to each service. */
#ifndef IPVS_VIEW_VIEW_H
#define IPVS_VIEW_VIEW_H

#include "services.h"
#include "apply/reconcile.h"
#include "conns/conns.h"

#include "daemon/daemon.h"
#include "msg/msg.h"

/* Where the answers come from; borrowed, and alive as long as any answer is. */
struct view_source {
	struct daemon *d;
	struct services *services;
	struct reconcile *kernel;
	struct conns *conns;
};

#define VIEW_STEP 64 /* rows of an answer in one turn of the loop */

/* view_counters - SERVICE_COUNTS and SERVER_COUNTS rows of the services of layer 4, as the kernel counted when its
 * table was last read. */
void view_counters(
    const struct view_source *v, const struct bus_request *rq, const struct msg_select *m);
/* view_table - KERNEL_ROW rows: all that the kernel has, ours and others'. */
void view_table(
    const struct view_source *v, const struct bus_request *rq, const struct msg_select *m);

/* Topic L4. */
void view_service(struct bus *b, const struct service_state *s, bool gone); /* to all subscribers */
struct hints;
struct hints *hints_new(void);
void hints_free(struct hints *h);
/* hints_set - what connections betray of a server; FINDING_none takes it back. Told to all subscribers. */
void hints_set(
    struct hints *h, struct bus *b, uint32_t server, enum finding what, const char *text);
/* hints_prune - those of servers that are not there any more are taken back. */
void hints_prune(struct hints *h, struct bus *b, const struct snapshot *now);
/* view_snapshot - all that stands, to a new subscriber. */
void view_snapshot(const struct services *s, const struct hints *h, const struct bus_request *rq);

/* view_add - counters of one kernel service into those of a service, and of the servers at that place in rows (in
 * order of id). Pure. */
struct service_counters;
struct server_counters;
void view_add(const struct ipvs_service *k, struct service_counters *sum, uint32_t n,
    const uint32_t *ids, struct server_counters *servers);

#endif
