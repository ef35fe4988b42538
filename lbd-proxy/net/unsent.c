/* What a client that reads slowly makes the kernel hold.
 *
 * The kernel takes up to megabytes for a connection (tcp_wmem), and up to tens of them from its server (tcp_rmem), which fills
 * both at once, however slowly the client reads. So a client's connection begins with a limit for what is not sent yet
 * (TCP_NOTSENT_LOWAT; what was sent is limited by the window that the client gives), and after 64 KB a server
 * with one for what is not read yet. For quick clients that would cost: a gigabyte takes half as much again of the
 * processor in smaller pieces. So who takes a megabyte within 50 ms has the system's own limits, until a megabyte takes
 * longer; and a server's window grows once its client has had a megabyte and all of what came was read: the server is what is
 * waited for, be it because it is far away. It stays as it is when a client that is not quick is waited for again. It never
 * shrinks, as what is on its way then would be lost. Chunked bodies and streams of HTTP/2 have the client's limit alone. */
#include "unsent.h"

#include "sys/sock.h"

#include "conn.h"
#include "worker.h"

void
unsent_limit(int fd)
{
	(void)sock_unsent(fd, UNSENT_LIMIT);
}

bool
unsent_quick(uint32_t began_ms, uint32_t now_ms)
{
	return began_ms != 0 && now_ms - began_ms < UNSENT_QUICK_MS;
}

void
unsent_lap(struct conn *c)
{
	uint32_t now = (uint32_t)(c->w->now / DUR_MS(1));
	bool quick = unsent_quick(c->lap_ms, now);

	c->lap_ms = now;
	if (quick == c->quick || c->paced)
		return;
	c->quick = quick;
	(void)sock_unsent(io_fd(&c->io), quick ? 0 : UNSENT_LIMIT);
}

void
unsent_bound(struct conn *from)
{
	from->bounded = true;
	if (from->client || from->h2 != NULL)
		return;
	from->frozen = sock_receive(io_fd(&from->io), UNSENT_RECEIVED) == 0;
}

void
unsent_freeze(struct conn *from, const struct conn *to, bool freeze)
{
	if (from->client || from->h2 != NULL || (freeze ? to->quick : to->bytes_out < UNSENT_LAP))
		return;
	from->frozen = freeze;
	(void)sock_freeze(io_fd(&from->io), freeze);
}
