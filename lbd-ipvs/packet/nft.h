/* nft.h - the table "inet lbd" in the kernel, kept as a script says. nft does it, as a child beside the loop, one
 * after the other. Nothing here knows what the script means, but for the lines that name its objects. */
#ifndef IPVS_PACKET_NFT_H
#define IPVS_PACKET_NFT_H

#include "base/buf.h"
#include "base/err.h"
#include "sys/loop.h"

#define NFT_RETRY DUR_S(5)
#define NFT_CALM DUR_S(1)   /* after somebody else changed the table */
#define NFT_LIMIT DUR_S(60) /* a transaction of 5,000 services takes a second */

struct nft;
/* fault: what hinders, one line; NULL: as wanted. Only when it changed, from the loop. */
struct nft *nft_new(struct loop *l, void (*fault)(void *arg, const char *fault), void *arg);
void nft_free(struct nft *n); /* the table stays; a run that is under way is ended */
/* nft_want - the whole table from now on, as packet_rules writes it; "": none. The text is taken (emptied). Objects that
 * older scripts made and this one does not name go away; the content of sets that it only adds stays. */
void nft_want(struct nft *n, struct buf *script);
/* nft_add - a script for once, behind what is wanted and added already. done may be NULL; from the loop, code 0 or
 * negative; -ECANCELED: it was cleared or freed. The text is taken. */
void nft_add(struct nft *n, struct buf *script, void (*done)(void *arg, int code), void *arg);
/* nft_clear - the table is taken away, now; what was wanted and added before is forgotten. Blocks up to a second. */
int nft_clear(struct nft *n, struct err *err);

#endif
