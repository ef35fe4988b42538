/* kernel.h - IPVS of the kernel, by generic netlink (linux/ip_vs.h, family "IPVS"). Blocking, one socket of its own
 * for each struct kernel, so a thread may have one beside the loop's. Many operations go in one send, the
 * acknowledgements are read in bulk. */
#ifndef IPVS_KERNEL_KERNEL_H
#define IPVS_KERNEL_KERNEL_H

#include "plan/diff.h"
#include "plan/table.h"

#include "base/err.h"

struct kernel;
/* kernel_open - -ENOENT: this kernel has no ip_vs (err says modprobe ip_vs); -EPERM. The family is resolved here, and
 * again when the module was loaded anew. */
int kernel_open(struct kernel **out, struct err *err);
void kernel_close(struct kernel *k); /* NULL is fine */
struct kernel_info {
	unsigned version[3];
	uint32_t table_size;
};
int kernel_info(struct kernel *k, struct kernel_info *out, struct err *err);
/* kernel_read - the whole table with counters, sorted. kernel_read_services - without destinations (n is 0 in each).
 * kernel_read_dests - the destinations of one service, sorted into s. -errno. */
int kernel_read(struct kernel *k, struct ipvs_table *out, struct err *err);
int kernel_read_services(struct kernel *k, struct ipvs_table *out, struct err *err);
int kernel_read_dests(struct kernel *k, struct ipvs_service *s, struct err *err);
/* kernel_run - all operations in order, each with its own code; the return is 0, or -errno when the socket failed
 * (codes of what was not answered are then that). What the kernel refuses is no error of the call. */
int kernel_run(struct kernel *k, struct ipvs_ops *ops, struct err *err);
int kernel_timeouts_get(struct kernel *k, struct ipvs_timeouts *out, struct err *err);
int kernel_timeouts_set(struct kernel *k, const struct ipvs_timeouts *t, struct err *err);
/* state: IPVS_SYNC_MASTER or IPVS_SYNC_BACKUP; off is a sync with on false. */
int kernel_sync_get(
    struct kernel *k, struct ipvs_sync *master, struct ipvs_sync *backup, struct err *err);
int kernel_sync_set(struct kernel *k, unsigned state, const struct ipvs_sync *s, struct err *err);
int kernel_zero(
    struct kernel *k, const struct ipvs_key *key, struct err *err); /* counters; NULL: all */
/* kernel_why - what to do about a code of an operation, for people: "the kernel has no scheduler mh: modprobe ip_vs_mh". */
void kernel_why(const struct ipvs_op *op, char *out, size_t room);

#endif
