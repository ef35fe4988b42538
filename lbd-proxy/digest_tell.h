/* digest_tell.h - what a folder of digest_dir.h keeps, told to whoever asks; and what nobody names any more, forgotten. */
#ifndef LBD_PROXY_DIGEST_TELL_H
#define LBD_PROXY_DIGEST_TELL_H

#include "daemon/daemon.h"

#include "digest_dir.h"

#define DIGEST_SWEEP_EACH DUR_S(3600)

/* digest_tell - each file as a row: put(rq, name, age in seconds) writes one and gives false when the receiver takes no more for
 * now. Ends the request. */
void digest_tell(const struct digest_dir *k, const struct bus_request *rq,
    bool (*put)(const struct bus_request *rq, const char *name, uint64_t age));
/* digest_sweep - forgets what is an hour old and no row, kept revision, transaction or conflict names. what: "keys", for the log. */
void digest_sweep(struct digest_dir *k, struct daemon *d, const char *what);

#endif
