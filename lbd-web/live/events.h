/* events.h - what happened, in a ring: states, revisions, orders, addresses, daemons. */
#ifndef EVENTS_H
#define EVENTS_H

#include "base/buf.h"
#include "msg/bus.h"

#define EVENTS_MAX 4096
struct event_row {
	uint64_t seq; /* from 1 on */
	int64_t at_ms;
	const char *
	    type; /* a literal: rip.state vip.state vip.quorum vip.fallback vip.kernel rip.admin config.revision
		     config.trial fip.held fip.route ha.role daemon.state */
	char name[140], from[40], to[40], reason[200];
};
struct events;
/* changed is called after each event that was added. */
struct events *events_new(void (*changed)(void *arg), void *arg);
void events_free(struct events *e);
/* events_add - type must be a literal; texts are copied and cut, NULL is "". */
void events_add(struct events *e, const char *type, const char *name, const char *from,
    const char *to, const char *reason);
uint64_t events_last(const struct events *e);  /* newest number; 0 none */
uint64_t events_first(const struct events *e); /* oldest that is kept; 1 when none */
const struct event_row *events_get(
    const struct events *e, uint64_t seq); /* NULL: gone, or not yet */
/* events_json - {"seq":..,"time":"..","type":..,"name":..,"from":..,"to":..,"reason":..} in one line. */
void events_json(const struct event_row *ev, struct buf *out);
/* events_answer - the EVENTS request of lbctl; with follow the answer goes on as events happen. */
void events_answer(struct events *e, const struct bus_request *rq, const struct msg_events *m);
void events_message(const struct event_row *ev, struct msg_event *out); /* borrows from ev */

#endif
