/* Source addresses of connections to servers. The kernel chooses the port together with the connection, so an address has all
 * its ports for each server; what one address does not give, the next one does. */
#include "source.h"

#include "base/mem.h"
#include "sys/sock.h"

#include <errno.h>
#include <string.h>

struct sources {
	unsigned n[2];	 /* IPv4, IPv6 */
	struct addr a[]; /* in this order */
};

/* The next address. */
static void
step(struct addr *a)
{
	for (unsigned i = a->family == 4 ? 4 : 16; i-- > 0 && ++a->b[i] == 0;)
		;
}

static void
put(struct sources *s, unsigned *at, unsigned family, const struct addr_range *r)
{
	struct addr a = r->lo;

	if (a.family != family)
		return;
	for (;; step(&a)) {
		s->a[(*at)++] = a;
		s->n[family == 6]++;
		if (addr_same_host(&a, &r->hi))
			return;
	}
}

struct sources *
sources_new(const struct service *s)
{
	unsigned more = s->more_sources != NULL ? s->more_sources->total : 0, at = 0;
	unsigned one = s->source.family != 0;
	struct sources *out;

	if (one + more == 0 || service_layer(s) != 7)
		return NULL;
	out = mem_alloc(sizeof(*out) + (one + more) * sizeof(out->a[0]));
	for (unsigned family = 4; family <= 6; family += 2) {
		if (one)
			put(out, &at, family, &(struct addr_range){ s->source, s->source });
		for (unsigned i = 0; more > 0 && i < s->more_sources->n; i++)
			put(out, &at, family, &s->more_sources->r[i]);
	}
	return out;
}

bool
sources_same(const struct sources *a, const struct sources *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return memcmp(a->n, b->n, sizeof(a->n)) == 0 &&
	       memcmp(a->a, b->a, (a->n[0] + a->n[1]) * sizeof(a->a[0])) == 0;
}

int
source_connect(const struct sources *s, const struct addr *a, uint16_t port, unsigned turn)
{
	unsigned n = s->n[a->family == 6], from = a->family == 6 ? s->n[0] : 0;
	int fd = -EADDRNOTAVAIL;

	if (n == 0)
		return sock_connect_tcp(a, port);
	for (unsigned i = 0; i < n && fd == -EADDRNOTAVAIL; i++)
		fd = sock_connect_from(a, port, &s->a[from + (turn + i) % n]);
	return fd;
}
