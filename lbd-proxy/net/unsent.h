/* unsent.h - how much the kernel takes for a client beyond what it could send. */
#ifndef LBD_PROXY_UNSENT_H
#define LBD_PROXY_UNSENT_H

#include "base/mono.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
#define UNSENT_LIMIT (256 * 1024)
#define UNSENT_RECEIVED (256 * 1024)
#define UNSENT_LAP (1 << 20) /* bytes after which speed is looked at; a power of two */
#define UNSENT_QUICK_MS 50u  /* a lap in less: 20 MB/s */

/* unsent_limit - of a listening socket, for all that it accepts, or of a connection. Only memory: errors do not matter. */
void unsent_limit(int fd);
/* unsent_quick - a lap that began at one time and ended at the other, both in ms and wrapping around. began 0: the first, which
 * nobody measured. Pure. */
bool unsent_quick(uint32_t began_ms, uint32_t now_ms);
/* unsent_lap - a client's connection with a socket has taken another lap. */
void unsent_lap(struct conn *c);
/* unsent_laps - so many bytes went, of so many now: a lap has ended. */
static inline bool
unsent_laps(uint64_t total, size_t n)
{
	return ((total ^ (total - n)) & ~(uint64_t)(UNSENT_LAP - 1)) != 0;
}
/* unsent_bound - a server has sent 64 KB: its window is limited before it has grown.
 * unsent_freeze - what comes from it waits for a client that is not quick (freeze), or all of it was read: its window grows no more,
 * or again if the client has had a lap. */
void unsent_bound(struct conn *from);
void unsent_freeze(struct conn *from, const struct conn *to, bool freeze);

#endif
