/* The workers' side of access logs, and what the control thread says about them.
 *
 * A line is written into the ring of its worker in one go. The thread looks into the rings every TICK while lines
 * come; when none came for a while it sleeps, and the next line wakes it. So a busy worker makes no system call for its log, except
 * one when its ring is half full. */
#include "logs_priv.h"

#include "base/mem.h"
#include "base/must.h"
#include "net/worker.h"
#include "sys/log.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#define RING_SIZE (1024 * 1024)
#define WALL_AGAIN DUR_S(1) /* until the wall clock is looked at again */

struct logs *
logs_new(unsigned workers, const char *folder)
{
	size_t size = sizeof(struct logs) + workers * sizeof(struct log_seat);
	struct logs *l = aligned_alloc(64, (size + 63) & ~(size_t)63);

	must(l != NULL);
	memset(l, 0, size);
	l->n = workers;
	l->folder = folder;
	must(pthread_mutex_init(&l->lock, NULL) == 0);
	l->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must(l->bell != -1);
	for (unsigned i = 0; i < workers; i++)
		must(getrandom(&l->seat[i].id_seed, sizeof(uint64_t), 0) == sizeof(uint64_t));
	return l;
}

static void
ring_bell(struct logs *l)
{
	const uint64_t one = 1;

	must(write(l->bell, &one, sizeof(one)) == (ssize_t)sizeof(one));
}

void
logs_free(struct logs *l)
{
	if (l == NULL)
		return;
	if (l->runs) {
		atomic_store(&l->stop, true);
		ring_bell(l);
		(void)pthread_join(l->thread, NULL);
	}
	for (unsigned i = 0; i < l->n; i++)
		ring_fini(&l->seat[i].ring);
	(void)close(l->bell);
	(void)pthread_mutex_destroy(&l->lock);
	free(l);
}

static void
start(struct logs *l)
{
	sigset_t all, old;
	int code;

	(void)sigfillset(&all); /* signals are the control thread's */
	(void)pthread_sigmask(SIG_BLOCK, &all, &old);
	code = pthread_create(&l->thread, NULL, logs_run, l);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (code != 0)
		log_err(
		    "access log: thread: %s", strerror(code)); /* tried again at the next commit */
	l->runs = code == 0;
}

void
logs_set(struct logs *l, const struct log_target *syslog, bool file, bool used)
{
	(void)pthread_mutex_lock(&l->lock);
	if (memcmp(&l->target, syslog, sizeof(*syslog)) != 0 || l->file != file) {
		l->target = *syslog;
		l->file = file;
		l->generation++;
	}
	(void)pthread_mutex_unlock(&l->lock);
	if (used && !l->runs)
		start(l);
	else if (l->runs)
		ring_bell(l);
}

void
logs_reopen(struct logs *l)
{
	atomic_store(&l->reopen, true);
	ring_bell(l);
}

void
logs_counts(const struct logs *l, uint64_t *written_out, uint64_t *dropped_out)
{
	*written_out = atomic_load_explicit(&l->written, memory_order_relaxed);
	*dropped_out = atomic_load_explicit(&l->dropped, memory_order_relaxed);
	for (unsigned i = 0; i < l->n; i++)
		*dropped_out += atomic_load_explicit(&l->seat[i].dropped, memory_order_relaxed);
}

/* ---- in the worker ------------------------------------------------------------------------------ */

static struct log_seat *
seat_of(struct worker *w)
{
	return &w->px->logs->seat[w->index];
}

struct log_notes *
logs_notes(struct worker *w)
{
	struct log_seat *s = seat_of(w);
	struct log_notes *n = s->spare;

	if (n != NULL) {
		s->spare = n->spare;
		s->spares--;
	} else {
		n = malloc(sizeof(*n));
	}
	if (n != NULL)
		memset(n, 0, offsetof(struct log_notes, text));
	return n;
}

void
logs_rule(struct log_notes *n, const char *rule, const char *pool)
{
	size_t len = strlen(rule), pool_len = pool == NULL ? 0 : strlen(pool);

	n->rule_len = (uint8_t)(len < sizeof(n->rule) ? len : sizeof(n->rule));
	line_copy(n->rule, rule, n->rule_len);
	n->pool_len = (uint8_t)(pool_len < sizeof(n->pool) ? pool_len : sizeof(n->pool));
	line_copy(n->pool, pool, n->pool_len);
}

void
logs_notes_free(struct worker *w, struct log_notes *n)
{
	struct log_seat *s = seat_of(w);

	if (n == NULL)
		return;
	if (s->spares >= SPARE_KEPT) {
		free(n);
		return;
	}
	n->spare = s->spare;
	s->spare = n;
	s->spares++;
}

void
logs_free_spares(struct worker *w)
{
	struct log_seat *s;
	struct log_notes *n;

	if (w->px->logs == NULL) /* a worker that did not come up */
		return;
	s = seat_of(w);
	while ((n = s->spare) != NULL) {
		s->spare = n->spare;
		free(n);
	}
}

bool
logs_sampled(struct worker *w, uint32_t n)
{
	return n <= 1 || seat_of(w)->turn++ % n == 0;
}

void
logs_request_id(struct worker *w, char out[REQUEST_ID])
{
	struct log_seat *s = seat_of(w);

	request_id_format(logs_wall_ms(w, w->now), w->index, s->ids++, s->id_seed, out);
}

int64_t
logs_wall_ms(struct worker *w, mono_t at)
{
	struct log_seat *s = seat_of(w);

	if (s->wall_at == 0 || w->now - s->wall_at >= WALL_AGAIN) {
		s->wall_ms = mono_wall_ms();
		s->wall_at = mono_now();
	}
	return s->wall_ms + (at - s->wall_at) / 1000;
}

static void
count(_Atomic uint64_t *n) /* one writer */
{
	atomic_store_explicit(
	    n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_relaxed);
}

void
logs_line(struct worker *w, const struct line_format *f, const struct line_record *r)
{
	struct logs *l = w->px->logs;
	struct log_seat *s = seat_of(w);
	char *out;

	if (!ring_made(&s->ring) && ring_init(&s->ring, RING_SIZE) != 0) {
		count(&s->dropped);
		return;
	}
	out = ring_reserve(&s->ring, LINE_ROOM);
	if (out == NULL) {
		count(&s->dropped);
		return;
	}
	ring_commit(
	    &s->ring, line_write(f, &s->clock, r, out), r->began_ms + r->phase_ms[PHASE_TOTAL]);
	/* The thread says that it sleeps, then looks once more; we write, then look whether it sleeps. */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&l->asleep, memory_order_relaxed) ||
	    (ring_half(&s->ring) && !atomic_load_explicit(&l->rung, memory_order_relaxed)))
		if (!atomic_exchange(&l->rung, true))
			ring_bell(l);
}
