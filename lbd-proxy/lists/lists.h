/* lists.h - the lists of the configuration: their entries as sets, what is missing, what others put and ask for, what
 * nobody names any more. All functions belong to the control thread; the sets are anybody's (itemset.h). */
#ifndef LBD_PROXY_LISTS_H
#define LBD_PROXY_LISTS_H

#include "itemset.h"

#include "daemon/daemon.h"

#define LIST_PIECE 32768 /* bytes of text in one message */

struct lists;
/* lists_start - a folder that cannot be used is logged, and a fault once a list has entries. */
struct lists *lists_start(struct daemon *d);
void lists_stop(struct lists *l); /* NULL is fine */
/* lists_apply - the entries that the configuration names now. A list whose entries are not here keeps those it had, and
 * is named by lists_fault. Returns whether a list has other entries than before. */
bool lists_apply(struct lists *l, const struct snapshot *now);
/* lists_get - borrowed until the next lists_apply; NULL: it has no entries (yet). */
struct itemset *lists_get(const struct lists *l, uint32_t id);
/* lists_find - the same by name. lists_now - a number that changes whenever a list has other entries. */
struct itemset *lists_find(const struct lists *l, const char *name);
uint64_t lists_now(const struct lists *l);
/* lists_came - told after entries were put; once, before the first lists_apply. */
void lists_came(struct lists *l, void (*fn)(void *arg), void *arg);
/* What is missing, as one line, each list named; NULL: nothing is. */
const char *lists_fault(const struct lists *l);

void lists_on_put(struct lists *l, const struct bus_request *rq, const struct msg_list_put *m);
void lists_on_get(struct lists *l, const struct bus_request *rq, const struct msg_list_get *m);
void lists_on_values(struct lists *l, const struct bus_request *rq, const struct msg_list_get *m);
void lists_on_list(struct lists *l, const struct bus_request *rq);

#endif
