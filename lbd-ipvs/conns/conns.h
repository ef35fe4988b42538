/* conns.h - the kernel's connections: shown, counted by state, cut, and forgotten.
 *
 * The kernel shows them as text only, in /proc/net/ip_vs_conn; it is read in pieces, a piece each turn of the loop,
 * so 100,000 entries stall nobody. Persistence templates stand in the same text, with client port 0. */
#ifndef IPVS_CONNS_CONNS_H
#define IPVS_CONNS_CONNS_H

#include "conns/walk.h"
#include "packet/packet.h"

#include "daemon/daemon.h"
#include "msg/msg.h"

struct conns;
/* ops.hint: what connections betray of a server; FINDING_none takes it back. half_open: so many connections to a
 * server have stayed in SYN_RECV since the last call (for OBSERVED). */
struct conns_ops {
	void (*hint)(void *arg, uint32_t server, enum finding what, const char *text);
	void (*half_open)(void *arg, uint32_t server, uint32_t count);
	void *arg;
};
struct conns *conns_new(struct daemon *d, struct packet *p, const struct conns_ops *ops);
void conns_free(struct conns *c);
void conns_apply(struct conns *c, struct snapshot *s);
/* Handlers of the bus: MSG_CONNS, MSG_PERSISTS, MSG_PERSIST_CLEAR. */
void conns_on_conns(struct conns *c, const struct bus_request *rq, const struct msg_select *m);
void conns_on_persists(struct conns *c, const struct bus_request *rq, const struct msg_select *m);
void conns_on_clear(
    struct conns *c, const struct bus_request *rq, const struct msg_persist_clear *m);
/* conns_cut - end every TCP connection of a server now: both ends get a reset, so that neither waits for its own
 * timeout. why goes to the log. Takes its time (the connections must be read first); counted in conns_cut_total. */
void conns_cut(struct conns *c, uint32_t server, const char *why);
uint64_t conns_cut_total(const struct conns *c, uint32_t server);
/* conns_walk - another reader of the list; the caller frees it before conns_free. NULL: no configuration yet. */
struct walk *conns_walk(struct conns *c, const struct walk_want *want, const struct walk_ops *ops);

#endif
