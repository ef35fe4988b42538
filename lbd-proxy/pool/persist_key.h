/* persist_key.h - what in a request names its client, or its server. Pure; spans point into the caller's bytes. */
#ifndef LBD_PROXY_PERSIST_KEY_H
#define LBD_PROXY_PERSIST_KEY_H

#include "key.h"
#include "schema/schema.h"

/* persist_key_route - how a session's name says where it is: what follows its first dot, as in abc.tomcat1. Of more dots
 * (abc.cluster.tomcat1), again: what follows the next. False: there is none, or nothing behind it. */
bool persist_key_route(struct key_span session, struct key_span *out);
/* persist_key_path_param - ";name=value" in the path of a request's target; names are compared without case, as Tomcat's
 * cookie JSESSIONID is ;jsessionid= there. The first one counts. */
bool persist_key_path_param(const char *buf, const struct h1_head *h, const char *name,
    size_t name_len, struct key_span *out);
/* persist_key_query - all that follows the first "?"; false: nothing. */
bool persist_key_query(const char *buf, const struct h1_head *h, struct key_span *out);
/* persist_key_forwarded - the last element of the last X-Forwarded-For, which the nearest proxy put there; a port and
 * brackets are left out. Elements that are addresses of from (NULL: none), proxies too, are passed over: then the one before
 * counts, at most PERSIST_PROXIES times. False: there is none. */
#define PERSIST_PROXIES 16
bool persist_key_forwarded(
    const char *buf, const struct h1_head *h, const struct addrs *from, struct key_span *out);
/* persist_key_address - as persist_key_forwarded, of all fields of this name (letters of either case), when that is the address of a
 * host. */
bool persist_key_address(const char *buf, const struct h1_head *h, const char *name,
    const struct addrs *from, struct addr *out);
/* persist_key_field - the value of the first field of this name (letters of either case); false: there is none, or it is
 * empty. */
bool persist_key_field(const char *buf, const struct h1_head *h, const char *name, size_t name_len,
    struct key_span *out);

#endif
