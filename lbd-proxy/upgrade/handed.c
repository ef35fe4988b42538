/* Sockets between two owners: an index of lists, so that a configuration of thousands of services finds its own at once. */
#include "handed.h"

#include "base/mem.h"

#include <unistd.h>

struct one {
	struct list link;
	struct addr addr;
	uint16_t port;
	int fd;
};

static unsigned
bucket(const struct addr *a, uint16_t port)
{
	unsigned sum = port;

	for (unsigned i = 0; i < (a->family == 4 ? 4u : 16u); i++)
		sum = sum * 31 + a->b[i];
	return sum % HANDED_BUCKETS;
}

void
handed_init(struct handed *h)
{
	for (unsigned i = 0; i < HANDED_BUCKETS; i++)
		list_init(&h->bucket[i]);
}

void
handed_put(struct handed *h, const struct addr *a, uint16_t port, int fd)
{
	struct one *o = mem_alloc(sizeof(*o));

	*o = (struct one){ .addr = *a, .port = port, .fd = fd };
	list_init(&o->link);
	list_push(&h->bucket[bucket(a, port)], &o->link);
}

static struct one *
find(const struct handed *h, const struct addr *a, uint16_t port)
{
	const struct list *in = &h->bucket[bucket(a, port)];
	struct list *it;

	for (it = in->next; it != in; it = it->next) {
		struct one *o = container_of(it, struct one, link);

		if (o->port == port && addr_same_host(&o->addr, a))
			return o;
	}
	return NULL;
}

static int
release(struct one *o)
{
	int fd = o->fd;

	list_del(&o->link);
	free(o);
	return fd;
}

int
handed_take(struct handed *h, const struct addr *a, uint16_t port)
{
	struct one *o = find(h, a, port);

	return o == NULL ? -1 : release(o);
}

void
handed_move(struct handed *to, struct handed *from)
{
	for (unsigned i = 0; i < HANDED_BUCKETS; i++) {
		if (list_empty(&from->bucket[i]))
			continue;
		list_add_before(from->bucket[i].next, &to->bucket[i]); /* the head goes over, */
		list_del(&from->bucket[i]); /* the old one stands alone */
	}
}

bool
handed_has(const struct handed *h, const struct addr *a, uint16_t port)
{
	return find(h, a, port) != NULL;
}

unsigned
handed_close(struct handed *h)
{
	unsigned i, n = 0;

	for (i = 0; i < HANDED_BUCKETS; i++)
		for (; !list_empty(&h->bucket[i]); n++)
			(void)close(release(container_of(h->bucket[i].next, struct one, link)));
	return n;
}
