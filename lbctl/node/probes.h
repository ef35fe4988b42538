/* probes.h - findings about services: what lbd-check proves by packets, and what lbd-ipvs sees. For doctor and diagnose. */
#ifndef LBCTL_PROBES_H
#define LBCTL_PROBES_H

#include "ctl.h"
#include "facts.h"

/* One finding, with the line that mends it. text and fix are borrowed; srv NULL: the service as a whole. */
struct probe_finding {
	const struct service *svc;
	const struct server *srv;
	enum finding what;
	enum found status;
	const char *text, *fix;
};
typedef void (*probe_fn)(void *arg, const struct probe_finding *f);

/* probes_run - lbd-check examines the servers of one service that asks something of their network (id 0: of all). ERR_AWAY: it does not run. Progress
 * is shown on a terminal. */
int probes_run(struct ctl *c, const struct facts *f, uint32_t service, probe_fn fn, void *arg,
    struct err *err);
/* probes_kernel - how the kernel carries the services of layer 4 (id 0: all), and what connections betray: one finding
 * for each service (not_loaded, right or wrong) and for each hint. ERR_AWAY: lbd-ipvs does not run. */
int probes_kernel(struct ctl *c, const struct facts *f, uint32_t service, probe_fn fn, void *arg,
    struct err *err);
enum status probe_status(enum found status); /* as tables colour it */

#endif
