/* staples.h - responders are asked for what certificates go out with (OCSP stapling). Control thread. */
#ifndef LBD_PROXY_STAPLES_H
#define LBD_PROXY_STAPLES_H

#include "daemon/daemon.h"
#include "sys/resolve.h"

struct staples;
struct staples *staples_start(struct daemon *d, struct resolver *r);
void staples_stop(struct staples *s); /* NULL is fine */
/* staples_look - the configuration was applied: new certificates are asked for now. */
void staples_look(struct staples *s);
/* staples_on_list - STAPLES. */
void staples_on_list(struct staples *s, const struct bus_request *rq);
/* staples_counts - certificates with stapling that have a word that counts, and that have none. */
void staples_counts(const struct staples *s, uint32_t *good, uint32_t *missing);

#endif
