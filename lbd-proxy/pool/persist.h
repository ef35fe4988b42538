/* persist.h - which server a client belongs to, and remembering it. */
#ifndef LBD_PROXY_PERSIST_H
#define LBD_PROXY_PERSIST_H

#include "net/conn.h"
#include "http/h1_parse.h"

/* Of the service s whose servers are meant: that of the client, or a pool.
 * persist_by_source - id of the server the client's address belongs to; 0 unknown or not this kind of persistence.
 * persist_keep_source - it belongs there from now on. */
uint32_t persist_by_source(const struct wsvc *s, struct conn *client);
void persist_keep_source(const struct wsvc *s, struct conn *client, uint32_t server);

/* persist_by_head - the same by what the service says: source, our cookie, or the application's, in a request's head at
 * buf. persist_keep_head - after the answer's head (at buf) came from this server: remember. */
uint32_t persist_by_head(
    const struct wsvc *s, struct conn *client, const char *buf, const struct h1_head *h);
void persist_keep_head(const struct wsvc *s, struct conn *client, uint32_t server, const char *buf,
    const struct h1_head *answer);

#endif
