/* members.h - the servers of a service, in the control thread. */
#ifndef LBD_PROXY_MEMBERS_H
#define LBD_PROXY_MEMBERS_H

#include "control.h"

/* member_get - the server of a row, made when it is new; marked as used. Its address may not be known yet. */
struct ctl_server *member_get(struct control *k, struct ctl_service *c, const struct server *row);
/* member_sweep - those that were not marked as used go. */
void member_sweep(struct control *k, struct ctl_service *c);
/* member_fallback - the fallback server as the row names it; NULL: it names none, and the one before is gone. */
struct ctl_server *member_fallback(
    struct control *k, struct ctl_service *c, const struct service *row);
void member_drop_fallback(struct ctl_service *c);
/* The name of a service or server as logs show it, cut. */
void member_name(char out[64], const char *name);

/* members_keep_names - what names stood for lasts over a restart and a hand-over, in STATE/lbd-proxy/names. */
void members_keep_names(struct control *k);

#endif
