/* A thread that reads the kernel's list and hands over what was asked for.
 *
 * The list is read into a buffer of CHUNK bytes; whole lines are parsed and mapped, the begin of a line that is not whole
 * yet is carried over. Rows go into batches; DEPTH batches may wait, then the thread waits too: a slow receiver costs
 * neither memory nor processor. While the list changes under the reader the kernel may leave an entry out or show it
 * twice; that is how /proc is.
 *
 * A walk lives in the loop; its thread only reads want, index and path, and what stands under the lock. A walk that is
 * freed early is an orphan: its thread ends at the next line, wakes the loop, and there it is put away. With ops.each the
 * thread calls into memory of the owner, so walk_free waits for that. */
#include "conns/walk.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/must.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 65536
#define BATCH 128 /* rows */
#define DEPTH 4	  /* batches */
#define NICE 10	  /* whoever waits for the loop comes first */
#define WALKS_MAGIC 0x3a1c5000
#define WALK_MAGIC 0x3a1c5001

struct batch {
	uint32_t n;
	struct walk_row row[BATCH];
};
struct walks {
	uint32_t magic;
	struct loop *loop;
	char *path;
	unsigned running;
	struct list all;
};
struct walk {
	uint32_t magic;
	struct list link;
	struct walks *ws;
	struct index *index;
	struct walk_want want;
	struct walk_ops ops;
	bool started, joined, orphan, told_end;
	pthread_t thread;
	atomic_bool cancel;
	struct batch *current; /* of the loop */
	uint32_t at;
	struct batch *filling; /* of the thread */

	pthread_mutex_t lock;
	pthread_cond_t room; /* for another batch, or cancelled */
	struct batch *waiting[DEPTH];
	unsigned waiting_n;
	bool waked; /* a wake is on its way */
	bool done;  /* the thread will not touch the walk any more */
	int code;
	dur_t cost;
};

/* ---- what is asked for ------------------------------------------------------------------------ */

bool
walk_takes(const struct walk_want *want, const struct walk_row *row)
{
	const struct entry *e = &row->e;

	if ((want->kinds & (e->template ? WALK_TEMPLATES : WALK_CONNECTIONS)) == 0 ||
	    (want->service != 0 && want->service != row->service) ||
	    (want->server != 0 && want->server != row->server))
		return false;
	if (want->state[0] != '\0' && strcasecmp(want->state, e->state) != 0)
		return false;
	if (want->key[0] != '\0')
		return strcmp(want->key, e->pe_data) == 0;
	return want->client.family == 0 || addr_contains(&want->client, &e->client) ||
	       (e->template && addr_contains(&e->client, &want->client));
}

int
walk_client(struct walk_want *want, const char *text, bool keys, struct err *err)
{
	if (addr_parse(text, ADDR_NET, &want->client) == 0)
		return 0;
	want->client = (struct addr){ 0 };
	if (!keys || strlen(text) >= sizeof(want->key))
		return err_set(err, ERR_INVALID,
		    "client: \"%.60s\" is neither an address nor a network", text);
	(void)memcpy(want->key, text, strlen(text) + 1);
	return 0;
}

/* ---- the thread --------------------------------------------------------------------------------- */

static void on_wake(void *arg);

/* With the lock held. */
static void
wake(struct walk *w)
{
	if (w->waked)
		return;
	w->waked = true;
	loop_wake(w->ws->loop, on_wake, w);
}

static void
hand_over(struct walk *w)
{
	(void)pthread_mutex_lock(&w->lock);
	while (w->waiting_n == DEPTH && !atomic_load(&w->cancel))
		(void)pthread_cond_wait(&w->room, &w->lock);
	if (!atomic_load(&w->cancel)) {
		w->waiting[w->waiting_n++] = w->filling;
		w->filling = NULL;
		wake(w);
	}
	(void)pthread_mutex_unlock(&w->lock);
}

/* A template keeps a whole network of clients, as the service says. */
static void
group(const struct index *ix, struct walk_row *row)
{
	const struct service *s = snapshot_find(index_snapshot(ix), KIND_service, row->service);

	if (s != NULL && s->persist_mask < row->e.client.len)
		row->e.client.len = (uint8_t)s->persist_mask;
}

static void
take_line(struct walk *w, const char *line, size_t len)
{
	struct walk_row row;

	if (!entry_parse(line, len, &row.e))
		return;
	index_find(w->index, &row.e, &row.service, &row.server);
	if (row.e.template)
		group(w->index, &row);
	if (!walk_takes(&w->want, &row))
		return;
	if (w->ops.each != NULL) {
		w->ops.each(w->ops.arg, &row);
		return;
	}
	if (w->filling == NULL)
		w->filling = mem_alloc(sizeof(*w->filling));
	w->filling->row[w->filling->n++] = row;
	if (w->filling->n == BATCH)
		hand_over(w);
}

/* The whole lines of p; returns how many bytes they are. */
static size_t
take_lines(struct walk *w, const char *p, size_t len)
{
	size_t used = 0;

	while (!atomic_load(&w->cancel)) {
		const char *end = memchr(p + used, '\n', len - used);

		if (end == NULL)
			break;
		take_line(w, p + used, (size_t)(end - p) - used);
		used = (size_t)(end - p) + 1;
	}
	return used;
}

static int
read_all(struct walk *w, int fd)
{
	char *p = mem_alloc(CHUNK);
	size_t len = 0, used;
	ssize_t n = 1;
	int rc = 0;

	while (n > 0 && !atomic_load(&w->cancel)) {
		n = read(fd, p + len, CHUNK - len);
		if (n == -1 && errno == EINTR) {
			n = 1;
			continue;
		}
		rc = n == -1 ? -errno : 0;
		len += n > 0 ? (size_t)n : 0;
		used = take_lines(w, p, len);
		if (used == 0 && len == CHUNK) /* no line of the kernel */
			used = len;
		memmove(p, p + used, len - used);
		len -= used;
	}
	if (len > 0 && rc == 0 && !atomic_load(&w->cancel))
		take_line(w, p, len);
	free(p);
	return rc;
}

static void *
run(void *arg)
{
	struct walk *w = arg;
	int fd = open(w->ws->path, O_RDONLY | O_CLOEXEC), rc = fd == -1 ? -errno : 0;
	struct timespec cpu = { 0 };

	(void)setpriority(PRIO_PROCESS, 0, NICE); /* of this thread alone */
	if (fd != -1) {
		rc = read_all(w, fd);
		(void)close(fd);
	}
	if (w->filling != NULL && w->filling->n > 0)
		hand_over(w);
	FREE(w->filling);
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
	(void)pthread_mutex_lock(&w->lock);
	w->code = rc == -ENOENT ? 0 : rc;
	w->cost = DUR_S(cpu.tv_sec) + cpu.tv_nsec / 1000;
	w->done = true;
	wake(w);
	(void)pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* ---- the loop ------------------------------------------------------------------------------------- */

static void
put_away(struct walk *w)
{
	list_del(&w->link);
	FREE(w->current);
	while (w->waiting_n > 0)
		free(w->waiting[--w->waiting_n]);
	index_unref(w->index);
	(void)pthread_mutex_destroy(&w->lock);
	(void)pthread_cond_destroy(&w->room);
	w->magic = 0;
	free(w);
}

static void
join(struct walk *w)
{
	if (!w->joined)
		(void)pthread_join(w->thread, NULL);
	w->joined = true;
}

/* Walks that wait get their turn. */
static void
start_some(struct walks *ws)
{
	struct list *it;

	must_obj(ws, WALKS_MAGIC);
	list_each(it, &ws->all)
	{
		struct walk *w = container_of(it, struct walk, link);

		if (ws->running == WALKS_MAX)
			break;
		if (w->started)
			continue;
		w->started = true;
		ws->running++;
		must(pthread_create(&w->thread, NULL, run, w) == 0);
	}
}

static void
on_wake(void *arg)
{
	struct walk *w = arg;
	struct walks *ws;
	bool ended;

	must_obj(w, WALK_MAGIC);
	ws = w->ws;
	(void)pthread_mutex_lock(&w->lock);
	w->waked = false;
	ended = w->done && !w->told_end;
	(void)pthread_mutex_unlock(&w->lock);
	if (ended) {
		w->told_end = true;
		join(w);
		ws->running--;
		start_some(ws);
	}
	if (!w->orphan)
		w->ops.more(w->ops.arg);
	else if (ended)
		put_away(w);
}

struct walks *
walks_new(struct loop *l, const char *path)
{
	struct walks *ws = mem_alloc(sizeof(*ws));

	ws->magic = WALKS_MAGIC;
	ws->loop = l;
	ws->path = mem_text(path);
	list_init(&ws->all);
	return ws;
}

void
walks_free(struct walks *ws)
{
	if (ws == NULL)
		return;
	must_obj(ws, WALKS_MAGIC);
	while (!list_empty(&ws->all)) {
		struct walk *w = container_of(ws->all.next, struct walk, link);

		must(w->orphan);
		join(w);
		put_away(w);
	}
	free(ws->path);
	ws->magic = 0;
	free(ws);
}

struct walk *
walk_new(
    struct walks *ws, struct index *ix, const struct walk_want *want, const struct walk_ops *ops)
{
	struct walk *w = mem_alloc(sizeof(*w));

	must_obj(ws, WALKS_MAGIC);
	w->magic = WALK_MAGIC;
	w->ws = ws;
	w->index = index_ref(ix);
	w->want = *want;
	w->ops = *ops;
	atomic_init(&w->cancel, false);
	must(pthread_mutex_init(&w->lock, NULL) == 0);
	must(pthread_cond_init(&w->room, NULL) == 0);
	list_push(&ws->all, &w->link);
	start_some(ws);
	return w;
}

void
walk_free(struct walk *w)
{
	if (w == NULL)
		return;
	must_obj(w, WALK_MAGIC);
	must(!w->orphan);
	if (!w->started) {
		put_away(w);
		return;
	}
	(void)pthread_mutex_lock(&w->lock);
	atomic_store(&w->cancel, true);
	(void)pthread_cond_signal(&w->room);
	(void)pthread_mutex_unlock(&w->lock);
	w->orphan = true;
	if (w->told_end)
		put_away(w);
	else if (w->ops.each != NULL) /* it calls into memory that is about to go */
		join(w);
	/* otherwise the thread's last wake puts the walk away */
}

const struct walk_row *
walk_next(struct walk *w)
{
	must_obj(w, WALK_MAGIC);
	if (w->current != NULL && w->at == w->current->n)
		FREE(w->current);
	if (w->current == NULL) {
		(void)pthread_mutex_lock(&w->lock);
		if (w->waiting_n > 0) {
			w->current = w->waiting[0];
			w->at = 0;
			w->waiting_n--;
			memmove(w->waiting, w->waiting + 1, w->waiting_n * sizeof(w->waiting[0]));
			(void)pthread_cond_signal(&w->room);
		}
		(void)pthread_mutex_unlock(&w->lock);
	}
	return w->current != NULL ? &w->current->row[w->at++] : NULL;
}

bool
walk_ended(const struct walk *w, int *code_out)
{
	must_obj(w, WALK_MAGIC);
	if (!w->told_end || w->waiting_n > 0 || (w->current != NULL && w->at < w->current->n))
		return false;
	*code_out = w->code;
	return true;
}

dur_t
walk_cost(const struct walk *w)
{
	return w->cost;
}
