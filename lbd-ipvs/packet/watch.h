/* watch.h - tells when somebody changes the table "inet lbd" (nfnetlink group NFNLGRP_NFTABLES). */
#ifndef IPVS_PACKET_WATCH_H
#define IPVS_PACKET_WATCH_H

#include "sys/loop.h"

#include <stddef.h>

struct watch;
/* watch_new - touched comes from the loop, once for whatever came together. NULL: the kernel has no nf_tables, or it is
 * not allowed; nothing is told then, and the other calls do nothing with it. */
struct watch *watch_new(struct loop *l, loop_fn touched, void *arg);
void watch_free(struct watch *w);
/* watch_listen - off while we change it ourselves. On at the beginning. */
void watch_listen(struct watch *w, bool on);
/* watch_concerns - do these messages speak of our table, but for the sets that packets fill? Pure. */
bool watch_concerns(const void *messages, size_t len);

#endif
