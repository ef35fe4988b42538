/* pairing_priv.h - shared by pairing.c (what the node is) and pairing_bus.c (what is asked of it). */
#ifndef HA_PAIRING_PRIV_H
#define HA_PAIRING_PRIV_H

#include "pairing.h"
#include "session.h"

#include "base/list.h"

#define PAIRING_MAGIC 0x9a121e60
#define UNPAIR_WAIT DUR_S(5)

/* A request that is answered later. */
struct waiter {
	struct bus_request rq;
	bool open;
	mono_t began;
};
enum { LISTEN_V4, LISTEN_V6, LISTENERS };

struct pairing {
	uint32_t magic;
	struct loop *loop;
	struct pairing_ops ops;
	char dir[280]; /* STATE/ha */
	/* this node */
	struct tls_identity *me; /* NULL: not needed yet */
	char name[CLUSTER_NAME];
	uint16_t port, schema;
	uint32_t services, servers, revision;
	bool set; /* pairing_set was called */
	/* the pair */
	bool paired, doubt; /* doubt: only prepared */
	struct cluster cluster;
	struct buf cert;
	struct peer_channel *channel; /* when paired or in doubt */
	char fault[600];	      /* of the files, or of the listener; "" */
	/* the listener */
	int fd[LISTENERS]; /* -1 */
	struct loop_fd io[LISTENERS];
	uint16_t listening; /* its port; 0 */
	struct loop_timer again;
	struct list guests;
	unsigned guests_n;
	/* the code that is shown */
	bool coded;
	uint8_t key[TLS_CODE_KEY];
	unsigned tries;
	struct loop_timer code_end;
	/* the pairing under way */
	struct session *session;
	enum pair_side side;
	struct session_self self;
	/* requests: who waits for what is asked, for what comes of the code, for the unpairing */
	struct waiter asks, shows, unpairs;
	struct loop_timer
	    watch; /* that they are still there; and the end of waiting for the unpairing */
	mono_t unpair_end;
};

/* pairing.c */
int pairing_identity(struct pairing *p, struct err *err); /* p->me, made when there is none */
void pairing_listen(struct pairing *p); /* when somebody may come, and only then */
void pairing_load(struct pairing *p);	/* what the files say, into p; channel begins or ends */
void pairing_changed(struct pairing *p);
int pairing_forget(struct pairing *p, struct err *err); /* single from now on */
void pairing_code_over(struct pairing *p);		/* no code is good any more */
/* pairing_channel.c */
void pairing_begin_channel(struct pairing *p);
/* pairing_bus.c */
void pairing_begin(struct pairing *p, struct tls_channel *t); /* the code was proved on t; taken */
void pairing_code_spent(struct pairing *p, int code, const char *why); /* and who waits is told */
void pairing_unpaired(struct pairing *p, int code, const char *text); /* who waits for it is told */
void pairing_bus_init(struct pairing *p);
void pairing_bus_fini(struct pairing *p);

#endif
