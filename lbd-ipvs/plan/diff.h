/* diff.h - from what is to what should be: which operations, in which order. Pure. */
#ifndef IPVS_PLAN_DIFF_H
#define IPVS_PLAN_DIFF_H

#include "plan/table.h"

enum ipvs_op_kind {
	OP_NEW_SERVICE,
	OP_SET_SERVICE,
	OP_DEL_SERVICE,
	OP_NEW_DEST,
	OP_SET_DEST,
	OP_DEL_DEST
};
struct ipvs_op {
	uint8_t kind;
	const struct ipvs_service *service; /* borrowed from want, for deletions from have */
	const struct ipvs_dest *dest;	    /* of *_DEST */
	int code;			    /* filled by kernel_run: 0, or -errno of the kernel */
};
/* { 0 } is empty; only diff_* adds to it, ops_fini ends it. */
struct ipvs_ops {
	uint32_t n;
	struct ipvs_op *op;
};
/* diff_service - want NULL: delete; have NULL: create. The order keeps connections: a service is never deleted to be
 * made anew when it can be set, destinations come before others of it go. */
void diff_service(
    const struct ipvs_service *want, const struct ipvs_service *have, struct ipvs_ops *out);
/* diff_table - both whole tables. Services of have that are neither wanted nor mine are left alone; mine answers for
 * a key that want does not have. */
void diff_table(const struct ipvs_table *want, const struct ipvs_table *have,
    bool (*mine)(void *arg, const struct ipvs_key *k), void *arg, struct ipvs_ops *out);
void ops_fini(struct ipvs_ops *ops);
/* diff_apply - what the kernel did, done to a table that mirrors it: operations with code 0, those of one service standing
 * together, as diff_* made them against this very table. Counters are kept. Deletions may point into t; after the
 * call they point nowhere. */
void diff_apply(struct ipvs_table *t, const struct ipvs_ops *ops);
/* diff_say - n operations of one service in words, told from what was found (have, NULL: nothing): "10.0.0.11:80 had
 * weight 5, not 100, 10.0.0.12:80 was missing". At most DIFF_TOLD of them, then how many more. */
#define DIFF_TOLD 3
void diff_say(
    const struct ipvs_op *op, uint32_t n, const struct ipvs_service *have, struct buf *out);

#endif
