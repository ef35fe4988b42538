/* elder.h - processes that were before this one and finish what they have: what they still count and learn comes here. Control
 * thread. */
#ifndef ELDER_H
#define ELDER_H

#include "msg/counters.h"

#include <stdbool.h>
#include <stdint.h>

struct control;
struct elder;
struct rd;
/* elder_add - one more; takes fd, its end of the pair. It is listened to after elders_listen only, and asked to tell its gauges
 * then, unless elder_count brought them: a PARCEL_COUNT that came before. */
struct elder *elder_add(struct control *k, int fd, int pid);
void elder_count(struct elder *e, struct rd *r, bool since);
void elders_listen(struct control *k, bool on);
/* elder_next - each in turn, for whoever hands them on; *at begins with 0. false: the end. fd is borrowed. */
bool elder_next(const struct control *k, unsigned *at, int *fd_out, int *pid_out);
/* Gauges of all elders, added to what this process counts. */
void elders_service(const struct control *k, uint32_t id, struct service_counters *n);
void elders_server(const struct control *k, uint32_t id, struct server_counters *n);
unsigned elders_conns(const struct control *k, unsigned *elders_out); /* client connections */
void elders_reopen(const struct control *k);			      /* their access logs */
void elders_fini(struct control *k);

#endif
