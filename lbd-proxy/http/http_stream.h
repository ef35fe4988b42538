/* http_stream.h - HTTP on a client's connection. A stream exists from the first byte of a request to the last of its
 * answer; between requests a connection is only its conn. */
#ifndef LBD_PROXY_HTTP_STREAM_H
#define LBD_PROXY_HTTP_STREAM_H

#include "net/conn.h"

extern const struct conn_ops http_client_ops;

/* http_begin - a client that was just accepted; http_refuse - one too many: told so, and closed. */
void http_begin(struct conn *client);
void http_refuse(struct conn *client);
void http_free_spares(struct worker *w);

#endif
