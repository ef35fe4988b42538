/* share.h - the persistence table shared with lbd-ha, which keeps it over a restart and brings it to the peer. All functions
 * belong to the control thread. */
#ifndef LBD_PROXY_SHARE_H
#define LBD_PROXY_SHARE_H

struct control;
/* share_start - before the first service listens: fetches what lbd-ha keeps, when it runs or ran here before, and waits for
 * it half a second, and 2 s while it sends; then goes on by itself. */
void share_start(struct control *k);
/* share_look - the configuration changed: what was not understood before may be now. */
void share_look(struct control *k);
void share_stop(struct control *k); /* after the workers' end */

#endif
