/* record.h - the file RUN/lbd-ha.held: the addresses that this instance has put anywhere. With the mark in the
 * kernel it tells ours from those of another instance on the same machine (a demo beside the real one), and it
 * survives a kill. Written before an address is put, so it may name some that are not there. */
#ifndef HA_RECORD_H
#define HA_RECORD_H

#include "address.h"

#include "sys/paths.h"

/* record_read - sorted; no file: nothing is held. Lines that cannot be understood are passed over. */
void record_read(const struct paths *p, struct places *out);
/* record_write - replaces the file at once (rename). 0 or -errno. */
int record_write(const struct paths *p, const struct places *held);
void record_remove(const struct paths *p);

#endif
