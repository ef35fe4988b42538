/* want.h - what the kernel should hold for one virtual service of layer 4, now. Pure: configuration, orders, verdicts
 * and time go in, services of table.h come out.
 *
 * One address, one port and one protocol are a service of the kernel by address. Everything else (several ports,
 * ranges, more addresses, TCP and UDP together, mode snat, a mark of the user's own) is a service by firewall mark,
 * one for each address family in use; packet/ sets the mark. */
#ifndef IPVS_PLAN_WANT_H
#define IPVS_PLAN_WANT_H

#include "plan/table.h"

#include "store/snapshot.h"
#include "store/state.h"

/* Marks that lbd sets: this base plus the row id of the service. A service that names its own mark has that. */
#define MARK_BASE 0x10000000u
/* want_mark - the mark of a service; 0: it is one by address. */
uint32_t want_mark(const struct service *s);
/* want_forward - how packets go to a server of the service; NULL: to its fallback. */
enum ipvs_forward want_forward(const struct service *s, const struct server *r);

/* What is known of a server beside its row. */
struct want_fit {
	enum verdict verdict;
	/* When it became fit again, on the clock of now_ms; 0: it was fit all the time. */
	int64_t up_ms;
	int64_t
	    cut_ms; /* when cutting its connections began, on the same clock; 0: they are not cut */
};
/* A server whose connections are cut keeps its place at weight 0 for so long: when it goes, the kernel forgets them at
 * once (sysctl expire_nodest_conn), and nobody could tell their ends any more. */
#define WANT_CUT_MS 10000
struct want_input {
	const struct snapshot *s;
	const struct service *svc;
	int64_t now_ms;		       /* wall clock, as orders carry it */
	bool quorum_known, quorum_met; /* as lbd-check says; not known: one fit server is enough */
	/* The kernel brings clients that persistence knows to a server at weight 0 too (sysctl
	 * expire_quiescent_template is 0). Then a failed server of a persistent service is taken out. */
	bool templates_stay;
	/* borrowed; of a server of svc; NULL: nothing is known */
	const struct want_fit *(*fit)(void *arg, uint32_t server);
	void *arg;
};
struct want_output {
	struct ipvs_table table; /* owned by the caller */
	bool fallback;		 /* the fallback takes the clients */
	bool
	    keeps; /* a server at weight 0 keeps the clients that persistence knows (templates must stay) */
	int64_t next_ms; /* when the answer changes by itself (slow start, drain, halt); 0 never */
	/* Servers that must have no connection: halted or drained to the end, or failed with drop_on_failure. They stand
	 * here as long as that lasts; the caller cuts once. */
	uint32_t cut_n, *cut;
};
/* want_service - empty when the service is disabled or not of layer 4.
 *
 * While the quorum is not met, or no server may take a client, the fallback stands beside the servers, which are then at
 * weight 0: their connections go on. The schedulers sh, mh, dh and ovf would not find it among them, so the service has
 * wlc meanwhile. Without a fallback the servers that are fit go on. */
void want_service(const struct want_input *in, struct want_output *out);
void want_output_fini(struct want_output *out);
/* want_slow_start - share of its weight that a server has, ms after it came back: from 1 up to weight, in at most
 * SLOW_STEPS steps; next_out: ms until the next step, 0: done. */
#define SLOW_STEPS 20
uint32_t want_slow_start(uint32_t weight, uint32_t slow_ms, int64_t since_ms, int64_t *next_out);
void want_timeouts(const struct snapshot *s, struct ipvs_timeouts *out);
/* The sync daemons as set; interface as found by the caller when the node names none. cluster: number of the pair that
 * this node is one of; 0 none. A service with servers of another family keeps sync_role pair from syncing: the kernel has
 * not both. */
void want_sync(const struct snapshot *s, uint64_t cluster, const char *interface,
    struct ipvs_sync *master, struct ipvs_sync *backup);
/* want_sync_any - whether want_sync would start one, given an interface. */
bool want_sync_any(const struct snapshot *s, uint64_t cluster);

#endif
