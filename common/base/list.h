/* list.h - intrusive doubly linked list. A list head and a member have the same type; an unlinked one
 * points to itself, so list_del is safe twice. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

static inline void
list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool
list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void
list_add_before(struct list *at, struct list *it)
{
	it->next = at;
	it->prev = at->prev;
	at->prev->next = it;
	at->prev = it;
}

/* At the end of the list whose head is given. */
static inline void
list_push(struct list *head, struct list *it)
{
	list_add_before(head, it);
}

static inline void
list_push_front(struct list *head, struct list *it)
{
	list_add_before(head->next, it);
}

static inline void
list_del(struct list *it)
{
	it->next->prev = it->prev;
	it->prev->next = it->next;
	list_init(it);
}

#define container_of(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))
#define list_each(it, head) for ((it) = (head)->next; (it) != (head); (it) = (it)->next)
/* next keeps the way while it is removed */
#define list_each_safe(it, n, head) \
	for ((it) = (head)->next, (n) = (it)->next; (it) != (head); (it) = (n), (n) = (it)->next)

#endif
