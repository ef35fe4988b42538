/* Names to addresses without blocking: c-ares asks (hosts file, "localhost" and DNS, as the machine
 * is set up), its sockets and its clock hang on our loop.
 *
 * Every watched name has a timer. It fires, the name is asked for, and the answer sets the timer
 * again: after the TTL, or after a failure with growing distance. The address a watcher has stays
 * as long as the answers still contain it, so a name with several addresses does not move with
 * every answer; and it stays when the name stops resolving.
 *
 * Callbacks come from the loop only. A watch that ends while its query is out is freed by the
 * query's end. */
#include "sys/resolve.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/must.h"

#include <ares.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define RESOLVER_MAGIC 0x4e501e00
#define WATCH_MAGIC 0x4e501e01
#define TTL_LEAST DUR_S(5)
#define TTL_MOST DUR_S(3600)
#define RETRY_FIRST DUR_S(2)
#define RETRY_MOST DUR_S(60)
#define QUERIES_MOST 64 /* at once; the others wait a little */
#define QUERIES_WAIT DUR_MS(20)
#define SOCKETS_MOST 64
#define TIMEOUT_MS 2000
#define TRIES 3
#define CONF "/etc/resolv.conf"

struct resolver_fd {
	bool used;
	struct loop_fd io;
	struct resolver *r;
};
struct resolver {
	uint32_t magic;
	struct loop *loop;
	ares_channel channel; /* NULL: could not be made; tried again */
	struct timespec conf; /* of CONF when the channel was made */
	struct loop_timer timer;
	struct resolver_fd fds[SOCKETS_MOST];
	unsigned queries;
	struct list watches;
};
struct resolve {
	uint32_t magic;
	struct list link;
	struct resolver *r; /* NULL: the resolver is gone */
	struct loop_timer timer;
	resolve_fn fn;
	void *arg;
	struct addr addr; /* family 0: none yet */
	dur_t retry;
	bool literal, asking, ended, failed;
	char name[];
};

static void
set_timer(struct resolver *r)
{
	struct timeval tv, *left = r->channel != NULL ? ares_timeout(r->channel, NULL, &tv) : NULL;

	if (left == NULL)
		loop_timer_cancel(&r->timer);
	else
		loop_timer_set(&r->timer, DUR_S(left->tv_sec) + left->tv_usec);
}

static void
on_timer(void *arg)
{
	struct resolver *r = arg;

	must_obj(r, RESOLVER_MAGIC);
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer(r);
}

static void
on_ready(void *arg, unsigned ready)
{
	struct resolver_fd *f = arg;
	struct resolver *r = f->r;
	int fd = f->io.fd;

	must_obj(r, RESOLVER_MAGIC);
	ares_process_fd(r->channel, (ready & LOOP_READ) != 0 ? fd : ARES_SOCKET_BAD,
	    (ready & LOOP_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
	set_timer(r);
}

static struct resolver_fd *
slot_of(struct resolver *r, ares_socket_t fd)
{
	struct resolver_fd *none = NULL;

	for (unsigned i = 0; i < SOCKETS_MOST; i++) {
		if (r->fds[i].used && r->fds[i].io.fd == fd)
			return &r->fds[i];
		if (!r->fds[i].used && none == NULL)
			none = &r->fds[i];
	}
	return none;
}

/* c-ares opens, closes, or wants something else of a socket. Without a slot its own clock still
 * ends the query. */
static void
on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = arg;
	struct resolver_fd *f = slot_of(r, fd);
	unsigned want = (readable ? LOOP_READ : 0) | (writable ? LOOP_WRITE : 0);

	if (f == NULL)
		return;
	if (!f->used && want != 0) {
		*f = (struct resolver_fd){ .used = true, .r = r };
		loop_fd_init(&f->io, r->loop, fd, on_ready, f);
	}
	if (f->used)
		loop_fd_want(&f->io, want);
	if (f->used && want == 0) {
		loop_fd_fini(&f->io);
		f->used = false;
	}
}

static void
conf_time(struct timespec *out)
{
	struct stat st;

	*out = stat(CONF, &st) == 0 ? st.st_mtim : (struct timespec){ 0 };
}

/* The channel as the machine is set up now. Made anew when resolv.conf changed and no query is
 * out. */
static bool
open_channel(struct resolver *r)
{
	struct ares_options o = {
		.timeout = TIMEOUT_MS,
		.tries = TRIES,
		.sock_state_cb = on_socket,
		.sock_state_cb_data = r,
	};
	struct timespec now;

	conf_time(&now);
	if (r->channel != NULL && r->queries == 0 &&
	    (now.tv_sec != r->conf.tv_sec || now.tv_nsec != r->conf.tv_nsec)) {
		ares_destroy(r->channel);
		r->channel = NULL;
	}
	if (r->channel != NULL)
		return true;
	r->conf = now;
	if (ares_init_options(&r->channel, &o,
		ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) != ARES_SUCCESS)
		r->channel = NULL;
	return r->channel != NULL;
}

/* The address to use: the one in use when it is still there, else the first. Also the shortest
 * TTL. */
static bool
choose(const struct ares_addrinfo *ai, const struct addr *have, struct addr *out, dur_t *ttl_out)
{
	bool found = false;

	*ttl_out = TTL_MOST;
	for (const struct ares_addrinfo_node *n = ai->nodes; n != NULL; n = n->ai_next) {
		struct addr a;
		uint16_t port;

		if (addr_from_sockaddr(n->ai_addr, &a, &port) != 0)
			continue;
		if (DUR_S(n->ai_ttl) < *ttl_out)
			*ttl_out = DUR_S(n->ai_ttl);
		if (!found || addr_same_host(&a, have))
			*out = a;
		found = true;
	}
	if (*ttl_out < TTL_LEAST)
		*ttl_out = TTL_LEAST;
	return found;
}

static void
free_watch(struct resolve *w)
{
	loop_timer_fini(&w->timer);
	w->magic = 0;
	free(w);
}

static void
failed(struct resolve *w, const char *why)
{
	bool tell = w->addr.family == 0 && !w->failed;

	w->failed = true;
	loop_timer_set(&w->timer, w->retry);
	w->retry = w->retry * 2 < RETRY_MOST ? w->retry * 2 : RETRY_MOST;
	if (tell)
		w->fn(w->arg, &w->addr, why);
}

static void
resolved(struct resolve *w, const struct addr *a, dur_t ttl)
{
	bool changed = !addr_same_host(a, &w->addr);

	w->addr = *a;
	w->retry = RETRY_FIRST;
	if (!w->literal)
		loop_timer_set(&w->timer, ttl);
	if (changed)
		w->fn(w->arg, &w->addr, NULL);
}

static void
on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *ai)
{
	struct resolve *w = arg;
	struct addr a;
	dur_t ttl;

	(void)timeouts;
	must_obj(w, WATCH_MAGIC);
	w->asking = false;
	if (w->r != NULL)
		w->r->queries--;
	if (w->ended)
		free_watch(w);
	else if (status == ARES_SUCCESS && choose(ai, &w->addr, &a, &ttl))
		resolved(w, &a, ttl);
	else
		failed(w, status == ARES_SUCCESS ? "no address" : ares_strerror(status));
	ares_freeaddrinfo(ai);
}

static void
ask(void *arg)
{
	const struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC };
	struct resolve *w = arg;
	struct resolver *r = w->r;
	struct addr a;

	must_obj(w, WATCH_MAGIC);
	if (w->literal) {
		must(addr_parse(w->name, ADDR_HOST, &a) == 0);
		resolved(w, &a, 0);
	} else if (r->queries >= QUERIES_MOST) {
		loop_timer_set(&w->timer, QUERIES_WAIT);
	} else if (!open_channel(r)) {
		failed(w, "the resolver cannot be set up");
	} else {
		r->queries++;
		w->asking = true;
		ares_getaddrinfo(
		    r->channel, w->name, NULL, &hints, on_answer, w); /* may answer at once */
		set_timer(r);
	}
}

struct resolver *
resolver_new(struct loop *l)
{
	struct resolver *r = mem_alloc(sizeof(*r));

	(void)ares_library_init(
	    ARES_LIB_INIT_ALL); /* nothing to do on Linux, and wanted by its manual */
	*r = (struct resolver){ .magic = RESOLVER_MAGIC, .loop = l };
	list_init(&r->watches);
	loop_timer_init(&r->timer, l, on_timer, r);
	return r;
}

void
resolver_free(struct resolver *r)
{
	if (r == NULL)
		return;
	must_obj(r, RESOLVER_MAGIC);
	while (!list_empty(&r->watches))
		resolver_unwatch(container_of(r->watches.next, struct resolve, link));
	if (r->channel != NULL)
		ares_destroy(
		    r->channel); /* ends the queries that are out, and with them their watches */
	loop_timer_fini(&r->timer);
	r->magic = 0;
	free(r);
}

struct resolve *
resolver_watch(struct resolver *r, const char *name, resolve_fn fn, void *arg)
{
	size_t len = strlen(name);
	struct resolve *w = mem_alloc(sizeof(*w) + len + 1);
	struct addr a;

	must_obj(r, RESOLVER_MAGIC);
	*w = (struct resolve){
		.magic = WATCH_MAGIC, .r = r, .fn = fn, .arg = arg, .retry = RETRY_FIRST
	};
	memcpy(w->name, name, len + 1);
	w->literal = addr_parse(name, ADDR_HOST, &a) == 0 && a.family != 0;
	list_push(&r->watches, &w->link);
	loop_timer_init(&w->timer, r->loop, ask, w);
	loop_timer_set(&w->timer, 0);
	return w;
}

void
resolver_unwatch(struct resolve *w)
{
	if (w == NULL)
		return;
	must_obj(w, WATCH_MAGIC);
	must(!w->ended);
	list_del(&w->link);
	if (!w->asking) {
		free_watch(w);
		return;
	}
	w->ended = true;
	loop_timer_cancel(&w->timer);
}
