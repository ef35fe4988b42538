/* probe_tcp.c - the server accepts a connection, and TLS where it is spoken to so: that is all that is asked.
 *
 * The connection is then closed in the ordinary way, so that a server sees a client that left rather than a
 * reset it would log. Nothing else is sent or read. */
#include "probe.h"

#include "base/must.h"
#include "msg/msg.h"

static void
tcp_init(struct probing *p, void *state)
{
	(void)p;
	(void)state;
}

static void
tcp_step(struct probing *p, void *state, unsigned ready)
{
	(void)state;
	(void)ready;
	probe_end(p, REASON_ok, 0);
}

static void
tcp_fini(void *state)
{
	(void)state;
}

const struct probe_kind probe_kind_tcp = {
	.name = "tcp",
	.init = tcp_init,
	.step = tcp_step,
	.fini = tcp_fini,
};
