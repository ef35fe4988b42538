/* fetch.h - one POST by HTTP to a responder, in the control thread. */
#ifndef LBD_PROXY_FETCH_H
#define LBD_PROXY_FETCH_H

#include "sys/loop.h"
#include "sys/resolve.h"

#include <stddef.h>
#include <stdint.h>

#define FETCH_MOST (64 * 1024) /* bytes of an answer, head and all */
#define FETCH_WAIT DUR_S(10)   /* for all of it */

/* fetch_post - sends a body to http://HOST[:PORT]/PATH. fn is called once, from the loop: why NULL and the body of an answer
 * with status 200, or the reason; both borrowed; the fetch is over then. NULL with *why_out, constant: no such address. */
struct fetch;
typedef void (*fetch_fn)(void *arg, const char *why, const uint8_t *p, size_t len);
struct fetch *fetch_post(struct loop *l, struct resolver *r, const char *url, const char *type,
    const void *body, size_t len, fetch_fn fn, void *arg, const char **why_out);
/* fetch_cancel - fn is not called any more; its arg. NULL is fine. */
void *fetch_cancel(struct fetch *f);

#endif
