/* lease.h - floating addresses put on interfaces and taken away, many in one message, each for some seconds only: an
 * address that nobody prolongs goes by itself (ifa_cacheinfo, linux/if_addr.h), whatever happened to this process. */
#ifndef HA_LEASE_H
#define HA_LEASE_H

#include "core/shared.h"

#define LEASE_VALID_S 2		/* so long an address lives without us */
#define LEASE_RENEW DUR_MS(500) /* so often it is prolonged */

struct lease {
	int fd; /* -1: none */
	size_t len;
	uint8_t bytes[32768]; /* messages that were not sent yet */
};

int lease_open(struct lease *l); /* 0 or -errno */
void lease_close(struct lease *l);
/* lease_put - there for LEASE_VALID_S from now; tag comes back with an error. lease_drop - away. Both are gathered:
 * lease_flush sends them, waiting for nothing. Returns 0 or -errno of sending. */
int lease_put(struct lease *l, const struct shared_addr *a, uint32_t tag);
int lease_drop(struct lease *l, const struct shared_addr *a, uint32_t tag);
int lease_flush(struct lease *l);
/* lease_errors - what the kernel refused since the last call: fn with the tag and -errno. An address to be taken away
 * that was not there is none. */
void lease_errors(struct lease *l, void (*fn)(void *arg, uint32_t tag, int code), void *arg);

#endif
