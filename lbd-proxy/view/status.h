/* status.h - what others may ask: counters, connections, persistence entries. Handlers of messages; arg is the daemon. */
#ifndef LBD_PROXY_STATUS_H
#define LBD_PROXY_STATUS_H

#include "msg/bus.h"

struct control;
void status_init(struct control *k);
void status_on_counters(void *arg, const struct bus_request *rq, const union msg_any *m);
void status_on_flush(void *arg, const struct bus_request *rq, const union msg_any *m);
void status_on_conns(void *arg, const struct bus_request *rq, const union msg_any *m);
void status_on_conns_kill(void *arg, const struct bus_request *rq, const union msg_any *m);
void status_on_persists(void *arg, const struct bus_request *rq, const union msg_any *m);
void status_on_persist_clear(void *arg, const struct bus_request *rq, const union msg_any *m);
void status_on_rates(void *arg, const struct bus_request *rq, const union msg_any *m);
/* status_rates.c */
void status_rates(struct control *k, const struct bus_request *rq, const struct msg_rates *m);
/* status_persist.c. status_table_of - the service whose entries a service has: another one, where it shares. */
uint32_t status_table_of(const struct control *k, uint32_t service);
void status_persists(struct control *k, const struct bus_request *rq, const struct msg_select *m);
void status_persist_clear(
    struct control *k, const struct bus_request *rq, const struct msg_persist_clear *ask);
/* status_conns.c */
void status_conns(struct control *k, const struct bus_request *rq, const struct msg_select *m);
/* status_kill.c */
void status_kill(struct control *k, const struct bus_request *rq, const struct msg_conns_kill *m);
/* The same of this process alone, for another one (upgrade/elder_ask.h): ops are called when it is done, never from within. */
struct elder_ask_ops;
void status_conns_for(
    struct control *k, const struct msg_select *m, const struct elder_ask_ops *ops, void *arg);
void status_kill_for(
    struct control *k, const struct msg_conns_kill *m, const struct elder_ask_ops *ops, void *arg);
/* status_rules.c. status_rules - what was counted of the rules of a service, behind its own row. */
struct ctl_service;
void status_rules(const struct ctl_service *c, const struct bus_request *rq);
void status_rules_flush(const struct ctl_service *c);
void status_on_rule_try(void *arg, const struct bus_request *rq, const union msg_any *m);
/* A pool has no clients of its own: those whose rules led them to its servers are meant. status_pooled - rules lead to
 * this service. status_is_at - in the worker: the client is at a server of it now. */
struct conn;
bool status_pooled(const struct control *k, uint32_t service);
bool status_is_at(const struct conn *c, uint32_t service);
struct msg_daemon;
void status_tell_logs(struct msg_daemon *m);
void status_line(char *line, size_t room);

#endif
