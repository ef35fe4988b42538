/* list_put.h - entries that come in pieces, and what is made of them. No effects. */
#ifndef LBD_PROXY_LIST_PUT_H
#define LBD_PROXY_LIST_PUT_H

#include "itemset.h"

#include "base/mono.h"
#include "msg/msg.h"

#define LIST_PUT_OPEN 8		 /* that are begun and not complete */
#define LIST_PUT_WAIT DUR_S(60)	 /* for the next piece */
#define LIST_PUT_KIND_INSIDE 255 /* kind: as the first line of the text says */
enum list_change { LIST_PUT_ALL, LIST_PUT_ADD, LIST_PUT_TAKE, LIST_PUT_CHANGES };

struct list_put;
struct list_put *list_put_new(void);
void list_put_free(struct list_put *p); /* NULL is fine */
void list_put_expire(struct list_put *p, mono_t now);

/* list_put_take - the next piece. base: gives the entries that are changed (the caller's), or NULL with err.
 * Returns 0 with the whole in *out (a reference), or with NULL there: more pieces follow; or a code with err: it is
 * forgotten. */
int list_put_take(struct list_put *p, const struct msg_list_put *m,
    struct itemset *(*base)(void *arg, const char *name, struct err *err), void *arg,
    struct itemset **out, struct err *err);

#endif
