/* list_fetch.h - what lbd-proxy has of the entries of lists, for programs that may wait. Longer than a message, it comes in pieces. */
#ifndef MSG_LIST_FETCH_H
#define MSG_LIST_FETCH_H

#include "base/buf.h"
#include "base/mono.h"
#include "msg/client.h"

/* list_fetch - all that LIST_GET (the text) or LIST_VALUES (as a map_values_fn gives it) tells of some entries, behind what out has.
 * wait: for each piece. Codes of client_open and client_call; ERR_UNKNOWN: they are not there. */
int list_fetch(const struct paths *p, unsigned number, const char *content, dur_t wait,
    struct buf *out, struct err *err);

#endif
