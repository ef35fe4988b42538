/* keys.h - which private keys are here, and which the certificates of the configuration need: what others put and ask
 * for, what is missing, what nobody names any more. All functions belong to the control thread. */
#ifndef LBD_PROXY_KEYS_H
#define LBD_PROXY_KEYS_H

#include "daemon/daemon.h"
#include "keystore.h"

struct keys;
/* keys_start - a folder that cannot be used is logged, and no fault of what needs no key: there are no keys then. */
struct keys *keys_start(struct daemon *d);
void keys_stop(struct keys *k);		     /* NULL is fine */
struct keystore *keys_store(struct keys *k); /* NULL: there is none */
/* keys_look - the configuration changed: what is missing now. */
void keys_look(struct keys *k);
/* keys_came - told after a key was put that was missing; once, before the first look. */
void keys_came(struct keys *k, void (*fn)(void *arg), void *arg);
/* What is missing, as one line, each certificate named; NULL: nothing is. */
const char *keys_fault(const struct keys *k);

void keys_on_put(struct keys *k, const struct bus_request *rq, const struct msg_key_put *m);
void keys_on_get(struct keys *k, const struct bus_request *rq, const struct msg_key_name *m);
void keys_on_list(struct keys *k, const struct bus_request *rq, const struct msg_keys_ask *m);

#endif
