/* worker.h - one thread: its loop, its timers, its mail, and the memory that its connections take turns to use.
 * Nothing of a worker is touched by another thread but through worker_post, and the numbers in struct proxy. */
#ifndef LBD_PROXY_WORKER_H
#define LBD_PROXY_WORKER_H

#include "base/slab.h"
#include "base/list.h"
#include "http/h1_parse.h"
#include "http/http_msg.h"
#include "io.h"
#include "runtime.h"
#include "pool/stick.h"
#include "wheel.h"

#include <pthread.h>
#include <stdbool.h>

#define SCRATCH (128 * 1024)		  /* one read, and one write made of it */
#define SCRATCH_OUT (SCRATCH + 16 * 1024) /* a head may grow */
#define PIPES_KEPT 64
#define SPARE_KEPT 512	 /* streams kept for the next */
#define FDS_RESERVED 128 /* descriptors that clients cannot take from the control thread */

struct worker;
/* What all workers share. */
struct proxy {
	unsigned n;
	struct worker *w[WORKERS_MAX];
	struct stick *stick;
	struct logs *logs;	      /* access logs (log/logs.h) */
	atomic_uint conns, conns_max; /* client connections, and the most of them */
	atomic_uint fds, fds_max;     /* descriptors of the data path */
	atomic_bool observed;	      /* some srv.observed is not 0 */
	atomic_bool held; /* no client is accepted yet: the process before this one does it */
	atomic_uint away; /* a bit for each group of which the other node of the pair is active */
};

struct tls_engine;
struct letter; /* a call that waits in the mailbox */
struct conn;
struct http;
struct worker {
	uint32_t magic;
	unsigned index;
	struct proxy *px;
	struct poller poller;
	pthread_t thread;
	mono_t now; /* when this callback began, or one of the few before it */

	pthread_mutex_t lock; /* of the mailbox */
	struct letter *first, **last;
	struct io bell; /* an eventfd */
	bool rung, over;

	struct wheel wheel;
	mono_t tick_at;	   /* when the wheel is to be looked at; 0 not */
	struct list again; /* connections that have had their turn and go on in the next */
	struct list listeners;
	struct list halted; /* those of them that wait for a free descriptor */
	mono_t resume_at;   /* when they go on; 0 not */

	struct list services;
	struct list backs; /* connections of HTTP/2 to servers (h2/h2_back.h) */
	unsigned clients;  /* connections of this worker */
	uint64_t serial;
	bool stopping, stopped;
	struct slab conns; /* objects of all its connections */
	struct conn *dead; /* freed when the stack is unwound */
	struct http *spare_http;
	unsigned spare_https, pipes;
	int pipe[PIPES_KEPT][2];
	atomic_ullong turns; /* for the watchdog */

	struct list mirrors; /* copies of requests (http/mirror.h) */
	unsigned mirrors_n;
	size_t mirrors_bytes;

	struct tls_engine *tls;
	struct http_plan plan;
	struct rules_scratch *rules; /* NULL: no content rule was looked at yet */
	uint8_t in[SCRATCH], out[SCRATCH_OUT];
};

/* worker_new - made and started by the control thread; NULL with the reason in *code_out. */
struct worker *worker_new(struct proxy *px, unsigned index, int *code_out);
/* worker_free - stops the loop wherever it is, joins, frees. Connections that are left are reset. */
void worker_free(struct worker *w);

/* worker_post - fn(w, a, b) in the worker's thread, in the order of posting; any thread. -ENOMEM: not posted. */
typedef void (*worker_fn)(struct worker *w, void *a, void *b);
int worker_post(struct worker *w, worker_fn fn, void *a, void *b);

/* worker_timer - set a timer of a connection; worker_again - go on with it after the others had their turn; worker_resume - look at
 * halted listeners then. */
void worker_timer(struct worker *w, struct timer *t, dur_t after);
void worker_again(struct worker *w, struct list *turn);
void worker_resume(struct worker *w, dur_t after);
/* worker_stop - accept no more, end idle connections; the rest ends by itself, or by worker_cut_all. In the thread. */
void worker_stop(struct worker *w);
void worker_cut_all(struct worker *w);

/* Room for one more descriptor? Counts it. */
/* proxy_away - clients that we have should come again: they will meet the other node. */
static inline bool
proxy_away(const struct proxy *px, uint8_t group)
{
	return (atomic_load_explicit(&px->away, memory_order_relaxed) >> group & 1) != 0;
}
bool proxy_fd_take(struct proxy *px, unsigned n);
void proxy_fd_give(struct proxy *px, unsigned n);
/* proxy_client_take - room for one more client, with its descriptor? Counts both. */
bool proxy_client_take(struct proxy *px);
void proxy_client_give(struct proxy *px);

#endif
