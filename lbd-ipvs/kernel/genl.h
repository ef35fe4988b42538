/* genl.h - a socket of generic netlink: opened, a family's number found, bytes sent, answers received in bulk. */
#ifndef IPVS_KERNEL_GENL_H
#define IPVS_KERNEL_GENL_H

#include "base/buf.h"

#define GENL_WAIT_S 10	       /* the kernel answers at once; after this it does not */
#define GENL_DATAGRAM (32768U) /* the largest that the kernel makes for a listing */
#define GENL_AT_ONCE 4	       /* datagrams a system call */

struct genl;
/* genl_open - the family's number in family_out. -ENOENT: the kernel does not have it; -EPERM and other -errno. */
int genl_open(struct genl **out, const char *family, uint16_t *family_out);
void genl_close(struct genl *g); /* NULL is fine */
/* genl_send - requests, back to back; the kernel has done them all when it returns. 0 or -errno. */
int genl_send(struct genl *g, const struct buf *requests);
/* genl_receive - waits for answers; on_data is called for each datagram until it returns something else than 0, which is
 * then the result: 1 for "that was all". -ENOBUFS: the kernel had to drop answers; -ETIMEDOUT; other -errno. */
int genl_receive(struct genl *g, int (*on_data)(void *arg, struct rd *data), void *arg);

#endif
