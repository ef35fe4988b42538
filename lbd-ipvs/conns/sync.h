/* sync.h - messages of the kernel's connection synchronisation, version 1. Pure.
 *
 * Source: net/netfilter/ipvs/ip_vs_sync.c, struct ip_vs_sync_mesg, ip_vs_sync_v4, ip_vs_sync_v6, ip_vs_proc_conn. */
#ifndef IPVS_CONNS_SYNC_H
#define IPVS_CONNS_SYNC_H

#include "conns/entry.h"
#include "plan/table.h"

#include "base/buf.h"

#define SYNC_DATAGRAM 1400 /* bytes; fits every network and what a receiver takes */
#define SYNC_MOST 255	   /* connections of one message */

/* sync_begin - the head of a message, at the end of out. */
void sync_begin(struct buf *out, uint8_t id);
/* sync_put - an entry that the kernel shall forget after left_s seconds (at least 1): a TCP connection counts as closed
 * from then on. start: where the message begins in out. false: no room, nothing was written. */
bool sync_put(struct buf *out, size_t start, const struct entry *e, uint32_t left_s);
/* sync_keep - an entry that the kernel shall have: mark of its service, 0 none; forward as its server has it (the kernel takes
 * that of the server when it finds it). Returns as sync_put. */
bool sync_keep(
    struct buf *out, size_t start, const struct entry *e, uint32_t mark, enum ipvs_forward forward);
/* sync_can - the kernel has a form for it. sync_worth - and it is not over, nor half open: its own sync leaves those out. */
bool sync_can(const struct entry *e);
bool sync_worth(const struct entry *e);
/* sync_next - the next of several messages that stand one after the other; borrowed. false: no whole one. */
bool sync_next(struct rd *from, const uint8_t **p_out, size_t *len_out, unsigned *entries_out);

/* Entries as messages, one after the other; { 0 } is empty. One of IPv4 takes 36 bytes, of IPv6 72, and a persistence
 * engine's data what they are long. */
struct sync_list {
	struct buf b;
	size_t last; /* where the last message begins */
};
/* sync_add - false: between families, which the kernel does not take. */
bool sync_add(struct sync_list *l, const struct entry *e, uint32_t left_s);
/* sync_message - the message at *at, for receiver id; *at goes to the next one. NULL: there is none. */
const uint8_t *sync_message(struct sync_list *l, size_t *at, uint8_t id, size_t *len_out);
void sync_list_fini(struct sync_list *l);

#endif
