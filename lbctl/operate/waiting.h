/* waiting.h - come back when something is so. */
#ifndef LBCTL_WAITING_H
#define LBCTL_WAITING_H

#include "ctl.h"

/* wait_for_rows - until every server is in the state and, with idle, has no connection. Without idle and for SRV_UP a
 * verdict is needed. -ETIMEDOUT after --timeout (for a drain a little later: its end is the time of the cut). */
int wait_for_rows(
    struct ctl *c, const struct picked *rows, enum server_state state, bool idle, struct err *err);

#endif
