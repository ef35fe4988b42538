/* control.h - the control thread's picture: which services and servers there are, what the workers were told of them, and
 * which sockets listen. All functions belong to the control thread. */
#ifndef LBD_PROXY_CONTROL_H
#define LBD_PROXY_CONTROL_H

#include "daemon/daemon.h"
#include "sys/resolve.h"

#include "base/idmap.h"
#include "net/ports.h"
#include "upgrade/handed.h"
#include "page.h"
#include "net/worker.h"

struct ctl_server {
	uint32_t id;
	struct ctl_service *of;
	struct srv *srv;
	char name[64];
	char *host;	       /* DNS name that is watched; NULL: an address */
	struct resolve *watch; /* of host */
	uint64_t group;	       /* with whom it shares the answer */
	enum resolve_kind kind;
	struct addr addr;	    /* family 0: not known yet */
	struct resolve_place place; /* of host */
	bool cut;		    /* was cut since the order was given */
	bool used;		    /* scratch of one pass */
};
struct ctl_service {
	uint32_t id;
	struct control *control;
	char name[64];
	struct svc *svc;
	struct view *view; /* what the workers have; NULL: it is not served */
	int owner;	   /* the only worker that serves it; -1 all */
	bool pooled;	   /* rules of others lead to it: all workers know it */
	struct ctl_ports ports;
	struct ctl_server **servers;
	uint32_t n;
	struct tls_ctx *front, *back; /* references: what its view has */
	bool tls_missing;	      /* what it should have could not be made */
	struct ctl_server *fallback;  /* NULL: none; its id is 0 */
	int64_t next;		      /* seconds since 1970: when an order runs out; 0 never */
};

/* Whether worker i knows the service. */
static inline bool
ctl_known(const struct ctl_service *c, unsigned i)
{
	return c->owner < 0 || c->pooled || c->owner == (int)i;
}

struct control {
	struct daemon *d;
	struct proxy px;
	struct snapshot *seen; /* what was last applied, as far as possible */
	struct idmap services, servers;
	struct idmap
	    verdicts; /* of servers, also of those not seen yet: enum verdict + 1 as a pointer */
	struct tls_rows *tls;
	struct idmap no_quorum; /* services of which lbd-check said so */
	struct page page;
	struct idmap bodies; /* of pages, by id (sorry.h) */
	struct list orphans; /* within one apply: ports that nobody wants any more */
	unsigned n_ports, fd_limit;
	struct resolver *resolver;
	struct loop_timer orders; /* when a drain or a halt's grace ends */
	struct loop_timer again;  /* ports that could not be opened, and keys that were missing */
	struct loop_timer tickets, tidy, pace;
	struct loop_timer stop; /* while stopping */
	struct bus_link *check;
	struct keys *keys;	   /* private keys (tls/keys.h) */
	struct staples *staples;   /* what responders say of certificates */
	struct lists *lists;	   /* their entries (lists/lists.h) */
	struct share *share;	   /* of the persistence table; NULL: not yet, or not any more */
	struct loop_timer observe; /* until lbd-check is told what traffic showed */
	struct handed handed; /* sockets of the process before this one that nobody has taken yet */
	struct list elders;   /* processes that were before this one (upgrade/elder.h) */
	struct give *give;    /* handing over (upgrade/give.c); NULL: never asked */
	bool lingering;	      /* another process is the daemon; no port is opened any more */
	unsigned pinged, missed; /* watchdog */
	atomic_uint ponged[WORKERS_MAX];
};

int control_init(struct control *k, struct daemon *d, struct err *err);
int control_apply(struct control *k, struct snapshot *now, struct err *err);
/* control_refresh - one service again, with the snapshot as it is. */
void control_refresh(struct control *k, uint32_t service);
/* control_service - as the workers know it or will, made when it is new; control_serves - whether it is served at all. */
struct ctl_service *control_service(struct control *k, const struct service *row);
bool control_serves(const struct service *row); /* NULL is not */
/* control_again - what could not be done is tried again now; arg: the control. */
void control_again(void *arg);
/* control_fault - keys and entries of lists that are missing, as one line; NULL: none. */
const char *control_fault(const struct control *k);
void control_fini(struct control *k);

#endif
