/* runtime.h - what the workers see of the configuration.
 *
 * svc and srv are the running side of a service and a server: the few numbers that all workers share, and the
 * counters of each. They live as long as anybody refers to them. A view is one service as it is configured now,
 * compiled and never changed: a commit makes a new view of each service that it touches and hands it to the
 * workers. References may be taken and given back by any thread. */
#ifndef LBD_PROXY_RUNTIME_H
#define LBD_PROXY_RUNTIME_H

#include "base/addr.h"
#include "base/mono.h"
#include "msg/counters.h"
#include "msg/phases.h"
#include "schema/schema.h"

#include "http/cookie.h"
#include "pool/key.h"
#include "pool/source.h"
#include "pool/spread.h"
#include "pool/sticky.h"
#include "pace.h"

#include <stdatomic.h>

#define WORKERS_MAX 64
struct wsrv;
struct wsvc;
struct rates;
struct tls_ctx;
struct error_pages;

struct svc {
	atomic_uint refs;
	uint32_t id;
	atomic_uint conns;	  /* client connections of all workers */
	atomic_uint waiting;	  /* requests that wait for a server, of all workers */
	atomic_uint retrying;	  /* requests that are tried again, of all workers */
	_Atomic uint64_t waiters; /* a bit for each worker in which some wait */
	atomic_uint turn;	  /* the worker that was woken last */
	atomic_bool ranked;	  /* some that waited had a priority */
	atomic_bool no_quorum;	  /* lbd-check says: too few servers are fit */
	int64_t since;		  /* seconds since 1970: when its counters began; control thread */
	struct service_counters
	    base; /* what to take off since the counters were flushed; control thread */
	struct phases *base_phases;	 /* the same; NULL: nothing */
	struct pace new_conns, requests; /* control thread */
	struct rates *rates;		 /* what its rules count; NULL: nothing; control thread */
	unsigned workers;
	struct svc_local {
		struct service_counters n;
		struct phases *_Atomic phases; /* NULL until its first request */
		struct wsvc *wsvc;	       /* the worker's own */
		_Atomic int16_t first;	       /* while some wait: priority of the first */
	} __attribute__((aligned(64))) of[];   /* one for each worker, which alone writes it */
};

/* What traffic shows of a server; numbers as in the message OBSERVED, less 1. */
enum observed { OBSERVED_REFUSED, OBSERVED_RESET, OBSERVED_BAD, OBSERVED_KINDS };
struct srv {
	atomic_uint refs;
	uint32_t id;
	_Atomic uint64_t token;	  /* what our cookie calls it */
	_Atomic uint32_t who;	  /* what entries of persistence call it; STICKY_NOBODY */
	_Atomic mono_t up;	  /* when it came back after a failure; 0 not */
	_Atomic uint64_t latency; /* as latency.h has it */
	_Atomic mono_t h1_until;  /* until then it is not asked whether it speaks HTTP/2 */
	_Atomic mono_t ws_until;  /* nor for WebSockets by it */
	atomic_uint h2_most;	  /* streams on one connection, as it said last; 0: not yet */
	atomic_uint verdict;	  /* enum verdict */
	atomic_uint conns;	  /* requests or connections at it, of all workers */
	atomic_uint waiting;	  /* requests that wait for this server alone */
	atomic_uint observed[OBSERVED_KINDS]; /* since lbd-check was told */
	struct server_counters base;
	struct pace requests; /* control thread, as is all up to of[] */
	int64_t last_request; /* seconds since 1970; 0 never */
	unsigned workers;
	struct srv_local {
		struct server_counters *_Atomic n; /* NULL until the worker had to do with it */
		struct wsrv *wsrv;		   /* the worker's own */
	} of[];
};

#define SLOW_SCALE 64 /* so that small weights grow in steps too */
struct view_server {
	struct srv *srv;
	const char *name; /* for access logs; borrowed by view_new, else the view's own */
	struct addr addr; /* family 0: its name has not been resolved yet */
	uint16_t port;	  /* 0: the port the client used */
	uint16_t weight;
	uint32_t
	    share; /* by view_new: weight as the scheduler has it, times SLOW_SCALE where there is a slow start */
	uint32_t max_conns, min_conns;
	bool far;    /* of another zone than the node */
	bool backup; /* takes new clients when no other is fit */
	bool fresh;  /* takes new clients while it is fit */
	bool known;  /* takes clients that belong to it while it is fit */
	bool proven; /* fit only after a good probe: the check's assume is down */
	uint32_t
	    who; /* of persistence that is shared: of the server there, or STICKY_NOBODY; 0: its own id */
	uint64_t
	    token; /* names it in cookies and routes; 0: by the ids of itself and its service */
	const char
	    *host; /* by TLS: what it is called and must prove to be; of the view; NULL none */
};
struct view {
	atomic_uint refs;
	struct svc *svc;
	char name[64];
	uint8_t mode, scheduler, persistence, forwarded, group, panic, request_id;
	bool x_forwarded, forwarded_field, via;
	bool tunnels;			      /* CONNECT is taken */
	bool h2c;			      /* clients may begin with HTTP/2 without TLS */
	bool http3;			      /* and come by QUIC too */
	uint8_t http3_retry, quic_congestion; /* enums */
	uint8_t server_http;		      /* enum server_http; auto only with TLS to servers */
	uint32_t h2_streams;		      /* of one connection, at once */
	struct addr address;		      /* virtual */
	bool drop_on_failure, transparent, rdp_token;
	bool ftp; /* data connections of FTP are led to the server of their control connection */
	uint16_t ftp_low, ftp_high; /* our ports for them; 0: any */
	bool fallback;		    /* the last of at[] is the fallback server: srv->id 0 */
	bool page;		    /* answers itself, with the fallback page */
	bool hashes;		    /* its scheduler looks at a key */
	bool timed;		    /* its scheduler looks at latencies */
	bool
	    shaped; /* panic, slow start, backup servers, elastic limits or zones: choose.c looks twice */
	bool plain; /* wlc, wrr, rr or lc, and not shaped */
	bool backups, elastic, far;
	uint16_t retries, balance_factor;
	uint32_t max_conns, queue_max, head_max, retries_max, log_sample;
	uint32_t retry_on; /* bits of retry_words.h */
	uint64_t body_max;
	uint64_t full; /* elastic: requests that its servers and its queue hold together */
	dur_t connect, request, client, server, keep, pool, tunnel, queue, persist, slow;
	char cookie[COOKIE_NAME_MAX + 1];
	uint8_t cookie_len;
	uint8_t proxy_to;	      /* enum proxy_to: a header to servers */
	uint16_t redirect;	      /* status with which every request is sent to https; 0 not */
	bool client_headers;	      /* servers learn of the client's certificate */
	char hsts[72];		      /* a field line with CRLF; "" none */
	struct tls_ctx *front, *back; /* references; to clients, to servers; NULL plain */
	char hash_key[KEY_NAME_MAX + 1];
	uint8_t hash_key_len;
	/* What is asked of requests and done to answers; http_look.h has to do with it when looks. */
	uint8_t compress, compress_level, uri_check, header_names; /* words of the schema */
	bool maintenance, looks;
	bool block_reset; /* who is blocked is told by a reset */
	uint32_t wait_body;
	uint64_t compress_min;
	struct svc *mirror; /* reference: its servers get copies of requests; NULL: nobody's do */
	uint32_t mirror_body;
	uint16_t mirror_share; /* hundredths of a percent */
	struct sticky sticky;
	struct cookie_map tokens;     /* index of a server by its token */
	struct sources *sources;      /* with which servers are reached; NULL: as the kernel says */
	struct addrs *proxy_from;     /* who brings a header; NULL nobody */
	struct addrs *forwarded_from; /* whose X-Forwarded-For counts; NULL everybody's */
	struct addrs *persist_force, *persist_ignore; /* NULL nobody */
	struct spread *spread;	    /* reference; NULL: its scheduler does not hash */
	struct line_format *log;    /* NULL: no access log */
	struct rules *rules;	    /* reference; NULL: no content rule */
	char *names;		    /* of at[], when there is one */
	struct error_pages *errors; /* NULL: none of its own */
	struct addrs *bypass;	    /* who reaches servers during maintenance; NULL nobody */
	struct itemset *block;	    /* reference; who is not taken; NULL nobody */
	char *source_header;	    /* names the address that servers see; NULL none */
	struct addrs *allow;	    /* who is nevertheless; NULL nobody */
	char *types;		    /* media types that are compressed; NULL none */

	uint32_t n;
	struct view_server at[];
};

/* view_bound - a connection to a server is that of one client, and of no use to the next. */
static inline bool
view_bound(const struct view *v)
{
	return v->transparent || v->proxy_to != proxy_to_off;
}

/* view_distrusts - what such a client says of clients behind it (X-Forwarded-For and its like) is not believed. v: of the
 * service that it came to. */
static inline bool
view_distrusts(const struct view *v, const struct addr *client)
{
	return v->forwarded_from != NULL && !addrs_contain(v->forwarded_from, client);
}

/* view_bars - such a client is not taken (setting block). */
bool view_bars(const struct view *v, const struct addr *client);

/* Control plane: memory ends the process. The reference is the caller's. */
struct svc *svc_new(uint32_t id, unsigned workers);
struct svc *svc_ref(struct svc *s);
void svc_unref(struct svc *s); /* NULL is fine */
struct srv *srv_new(uint32_t id, uint32_t service_id, unsigned workers);
struct srv *srv_ref(struct srv *s);
void srv_unref(struct srv *s);
/* view_new - svc, front, back and each at[].srv get a reference; at[] is copied, with the names. */
struct view *view_new(struct svc *svc, const struct service *s, const struct view_server *at,
    uint32_t n, struct tls_ctx *front, struct tls_ctx *back);
/* view_share - before it is handed out: its persistence is that of another service; at[] says who is who. */
void view_share(struct view *v, uint32_t table);
/* view_answers - before it is handed out: what it answers by itself, which it takes over. */
void view_answers(struct view *v, struct error_pages *errors);
/* view_block - before it is handed out: who is not taken (gets a reference; NULL nobody), and how they are told. */
void view_block(struct view *v, struct itemset *who, bool reset);
/* view_mirror - before it is handed out: who gets copies of its requests; NULL is fine. */
void view_mirror(struct view *v, struct svc *to);
/* view_spread - before it is handed out: what a scheduler that hashes needs; old's (may be NULL) where that is the same. */
void view_spread(struct view *v, const struct view *old);
struct view *view_ref(struct view *v);
void view_unref(struct view *v);
bool view_same(const struct view *a, const struct view *b);

/* Counters have one writer and are read by the control thread at any time. */
#define COUNT_ADD(field, by)                                                                     \
	__atomic_store_n(&(field), __atomic_load_n(&(field), __ATOMIC_RELAXED) + (uint64_t)(by), \
	    __ATOMIC_RELAXED)
#define COUNT(field) COUNT_ADD(field, 1)
#define COUNT_OFF(field) COUNT_ADD(field, -1)
/* The greater stands. A flush may set it back meanwhile: then it begins again with this value or the next. */
#define COUNT_PEAK(field, value)                                             \
	do {                                                                 \
		uint64_t peak_ = (uint64_t)(value);                          \
		if (peak_ > __atomic_load_n(&(field), __ATOMIC_RELAXED))     \
			__atomic_store_n(&(field), peak_, __ATOMIC_RELAXED); \
	} while (0)
/* counts.c. svc_counts, srv_counts - of all workers, less what was flushed. svc_pace, srv_pace - once a second: how fast they
 * rise. */
void svc_counts(const struct svc *s, struct service_counters *out);
void srv_counts(const struct srv *s, struct server_counters *out);
void svc_phases(const struct svc *s, struct phases *out);
void svc_pace(struct svc *s, mono_t now);
void srv_pace(struct srv *s, mono_t now, int64_t now_s);
void svc_flush(struct svc *s, int64_t now_s);
void srv_flush(struct srv *s);

#endif
