/* drill.c - connects to virtual services, and counts.
 *
 * A probe is a TCP connect that is closed as soon as it stands: at layer 7 the node itself answers it, at layer 4 the server. What
 * comes later than DRILL_ANSWER, and a refusal, counts as lost: the first repetition of a SYN comes after a second. The
 * thread touches nothing but targets and their probes. */
#include "drill.h"

#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define EACH DUR_MS(20)	    /* between two probes of a target */
#define EACH_MORE DUR_MS(2) /* and for each target that much more */
#define FLIGHTS 1024

struct flight {
	int fd;
	unsigned target;
	uint32_t probe;
	mono_t sent;
};

/* ---- counting -------------------------------------------------------------------------------------------------- */

void
drill_count(const struct drill_probe *p, uint32_t n, struct drill_sum *sum)
{
	mono_t begin = 0;

	for (uint32_t i = 0; i < n; i++) {
		sum->probes++;
		sum->lost += !p[i].answered;
		if (begin == 0 && !p[i].answered)
			begin = p[i].sent;
		if (begin != 0 && p[i].sent - begin > sum->gap)
			sum->gap = p[i].sent - begin;
		if (p[i].answered)
			begin = 0;
	}
}

void
drill_sum(const struct drill *d, struct drill_sum *out)
{
	*out = (struct drill_sum){ 0 };
	for (unsigned i = 0; i < d->n; i++)
		drill_count(d->t[i].probe, d->t[i].n, out);
}

/* ---- connecting ------------------------------------------------------------------------------------------------ */

/* A socket on its way, or -1 with errno. */
static int
begin(const struct drill_target *t)
{
	struct sockaddr_storage to;
	socklen_t len = addr_sockaddr(&t->addr, t->port, &to);
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd == -1 || connect(fd, (struct sockaddr *)&to, len) == 0 || errno == EINPROGRESS)
		return fd;
	(void)close(fd);
	return -1;
}

static bool
stands(int fd)
{
	int code = 0;
	socklen_t len = sizeof(code);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) == 0 && code == 0;
}

static void
send_probe(struct drill *d, unsigned i, struct flight *f, unsigned *flights)
{
	struct drill_target *t = &d->t[i];
	mono_t now = mono_now();
	int fd;

	t->due = now + EACH + d->n * EACH_MORE;
	if (*flights == FLIGHTS)
		return;
	fd = begin(t);
	if (fd == -1 && (errno == EMFILE || errno == EADDRNOTAVAIL))
		return; /* this node's own shortage */
	if (t->n == t->cap) {
		t->cap = t->cap == 0 ? 256 : 2 * t->cap;
		t->probe = mem_grow(t->probe, t->cap * sizeof(*t->probe));
	}
	t->probe[t->n] = (struct drill_probe){ .sent = now };
	if (fd != -1)
		f[(*flights)++] =
		    (struct flight){ .fd = fd, .target = i, .probe = t->n, .sent = now };
	t->n++;
}

/* Those that stand, failed or took too long leave the table. */
static void
take_answers(struct drill *d, struct flight *f, struct pollfd *p, unsigned *flights)
{
	mono_t now = mono_now();
	unsigned kept = 0;

	for (unsigned i = 0; i < *flights; i++) {
		if (p[i].revents == 0 && now - f[i].sent < DRILL_ANSWER) {
			f[kept++] = f[i];
			continue;
		}
		if (p[i].revents != 0)
			d->t[f[i].target].probe[f[i].probe].answered = stands(f[i].fd);
		(void)close(f[i].fd);
	}
	*flights = kept;
}

static void *
run(void *arg)
{
	struct drill *d = arg;
	struct flight *f = mem_alloc(FLIGHTS * sizeof(*f));
	struct pollfd *p = mem_alloc(FLIGHTS * sizeof(*p));
	unsigned flights = 0;

	while (!atomic_load(&d->stop) || flights > 0) {
		for (unsigned i = 0; i < d->n && !atomic_load(&d->stop); i++)
			if (d->t[i].probed && mono_now() >= d->t[i].due)
				send_probe(d, i, f, &flights);
		for (unsigned i = 0; i < flights; i++)
			p[i] = (struct pollfd){ .fd = f[i].fd, .events = POLLOUT };
		if (poll(p, flights, 5) == -1)
			continue;
		take_answers(d, f, p, &flights);
	}
	free(f);
	free(p);
	return NULL;
}

/* ---- targets --------------------------------------------------------------------------------------------------- */

static void
try_once(struct drill_target *t)
{
	int fd = begin(t);
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	if (fd == -1) {
		t->why = strerror(errno);
		return;
	}
	t->probed = poll(&p, 1, DRILL_ANSWER / 1000) == 1 && stands(fd);
	if (!t->probed)
		t->why = p.revents != 0 ? "Connection refused" : "no answer";
	(void)close(fd);
}

void
drill_targets(struct drill *d, const struct snapshot *s)
{
	uint32_t n = snapshot_count(s, KIND_service);

	for (uint32_t i = 0; i < n; i++) {
		const struct service *svc = snapshot_at(s, KIND_service, i);
		struct drill_target *t = &d->t[d->n];

		if (!svc->enabled || svc->address.family == 0 || svc->ports->n == 0 ||
		    (svc->protocol != protocol_tcp && svc->protocol != protocol_tcp_udp))
			continue;
		if (d->n == DRILL_TARGETS) {
			d->left_out++;
			continue;
		}
		(void)snprintf(t->name, sizeof(t->name), "%s", svc->name);
		t->addr = svc->address;
		t->port = svc->ports->r[0].lo;
		try_once(t);
		d->n++;
	}
}

void
drill_start(struct drill *d)
{
	for (unsigned i = 0; i < d->n; i++)
		d->t[i].n = 0;
	atomic_store(&d->stop, false);
	d->runs = pthread_create(&d->thread, NULL, run, d) == 0;
}

void
drill_stop(struct drill *d)
{
	if (!d->runs)
		return;
	atomic_store(&d->stop, true);
	(void)pthread_join(d->thread, NULL);
	d->runs = false;
}

void
drill_fini(struct drill *d)
{
	drill_stop(d);
	for (unsigned i = 0; i < d->n; i++)
		FREE(d->t[i].probe);
	d->n = 0;
}
