/* crew.h - the workers as a whole: start, watch, stop. Control thread. */
#ifndef LBD_PROXY_CREW_H
#define LBD_PROXY_CREW_H

#include "base/err.h"

#include <stdbool.h>

struct control;
int crew_start(struct control *k, struct err *err);
/* crew_alive - whether every worker has answered in time; asks again. */
bool crew_alive(struct control *k);
/* crew_drain - stop accepting, end idle connections; daemon_stopped when the last client has left. The skeleton
 * ends it all the same when its time is over. */
void crew_drain(struct control *k);
void crew_end(struct control *k); /* resets what is left */

#endif
