/* handed.h - listening sockets that the process before this one handed over, until a service takes them. Control thread. */
#ifndef HANDED_H
#define HANDED_H

#include "base/addr.h"
#include "base/list.h"

#define HANDED_BUCKETS 256
struct handed {
	struct list bucket[HANDED_BUCKETS]; /* by port and address */
};
void handed_init(struct handed *h);
/* handed_put - takes fd. handed_take - one of that address and port, the caller's; -1: there is none. */
void handed_put(struct handed *h, const struct addr *a, uint16_t port, int fd);
int handed_take(struct handed *h, const struct addr *a, uint16_t port);
/* handed_move - all of them; from is empty then. */
void handed_move(struct handed *to, struct handed *from);
bool handed_has(const struct handed *h, const struct addr *a, uint16_t port);
unsigned handed_close(struct handed *h); /* the rest; how many */

#endif
