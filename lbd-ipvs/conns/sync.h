/* sync.h - messages of the kernel's connection synchronisation, version 1. Pure.
 *
 * Source: net/netfilter/ipvs/ip_vs_sync.c, struct ip_vs_sync_mesg, ip_vs_sync_v4, ip_vs_sync_v6, ip_vs_proc_conn. */
#ifndef IPVS_CONNS_SYNC_H
#define IPVS_CONNS_SYNC_H

#include "conns/entry.h"

#include "base/buf.h"

#define SYNC_DATAGRAM 1400 /* bytes; fits every network and what a receiver takes */
#define SYNC_MOST 255	   /* connections of one message */

/* sync_begin - the head of a message, at the end of out. */
void sync_begin(struct buf *out, uint8_t id);
/* sync_put - an entry that the kernel shall forget after left_s seconds (at least 1): a TCP connection counts as closed
 * from then on. start: where the message begins in out. false: no room, nothing was written. */
bool sync_put(struct buf *out, size_t start, const struct entry *e, uint32_t left_s);

#endif
