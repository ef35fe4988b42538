/* share.h - the persistence table shared with lbd-ha, which keeps it over a restart and brings it to the peer. All functions
 * belong to the control thread. */
#ifndef LBD_PROXY_SHARE_H
#define LBD_PROXY_SHARE_H

#include <stdbool.h>
#include <stddef.h>

struct control;
/* share_start - before the first service listens: fetches what lbd-ha keeps, when it runs or ran here before, and waits for
 * it half a second, and 2 s while it sends; then goes on by itself. */
void share_start(struct control *k);
/* share_look - the configuration changed: what was not understood before may be now. */
void share_look(struct control *k);
/* share_tell - lbd-ha is told n records, at most STICK_BATCH_MOST, when it is there. */
struct stick_record;
void share_tell(struct control *k, const struct stick_record *rec, unsigned n);
void share_stop(struct control *k); /* after the workers' end */

/* With another process of lbd-proxy. share_bring - what it knew, a batch as stick_batch.h has it; news: it learned it just now,
 * else it told lbd-ha of it. share_all - lbd-ha is told everything. share_again - after share_stop: as it was before. */
void share_bring(struct control *k, const void *p, size_t n, bool news);
void share_all(struct control *k);
void share_again(struct control *k);

#endif
