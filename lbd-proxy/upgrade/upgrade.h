/* upgrade.h - one process of lbd-proxy after the other: what the rest of lbd-proxy calls. Control thread. */
#ifndef UPGRADE_H
#define UPGRADE_H

#include "base/err.h"
#include "msg/bus.h"

struct control;
struct daemon;

/* The old one. give_start - starts the installed program and hands over to it; rq is answered when that one serves, or with
 * the reason why this one goes on. give_fini - the last counters are told. */
void give_start(struct control *k, const struct bus_request *rq);
void give_reopen(const struct control *k);
void give_fini(struct control *k);

/* The new one. take_inherit - see daemon.h. take_begin - after control_init: sockets and seed are there. take_applied - after
 * each apply. take_known - lbd-check has told all verdicts. */
int take_inherit(struct daemon *d, struct err *err);
void take_begin(struct control *k);
void take_applied(struct control *k);
void take_known(struct control *k);
void take_fini(void);

#endif
