/* The new process.
 *
 * It was started with one end of a pair (spawn.h), and takes from there what its start needs before it opens anything. Its
 * services get the sockets that were handed over, but nobody is accepted, and the bus and systemd hear nothing of it, until
 * the old process says GO. When that one goes away before, this one leaves too: clients were never here. */
#include "base/mem.h"
#include "sys/log.h"

#include "control.h"
#include "elder.h"
#include "handed.h"
#include "net/listener.h"
#include "parcel.h"
#include "share.h"
#include "spawn.h"
#include "tally.h"
#include "tls/tls_ctx.h"
#include "upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define START_MOST 30 /* seconds until all that the start needs is here */
#define LOOK DUR_MS(10)
#define KNOWN_MOST DUR_S(2) /* so long verdicts and addresses may take to be known */

static struct {
	int fd, pid, bus; /* of the old process; -1: nobody was before us */
	struct control *k;
	struct elder *elder; /* has fd from take_begin on */
	struct handed sockets;
	unsigned n_sockets;
	uint64_t seed, stamp;
	uint32_t generation;
	bool applied, known, ready;
	mono_t by;
	struct loop_fd io;
	struct loop_timer patience;
	uint8_t in[PARCEL_MOST];
	int fds[PARCEL_FDS];
	unsigned n_fds;
} t = { .fd = -1, .bus = -1 };

/* The descriptor that the environment names; -1: none, or not one of ours. */
static int
pair_of_environment(void)
{
	const char *text = getenv(SPAWN_VARIABLE);
	int fd = text != NULL ? atoi(text) : -1, type;
	struct ucred who;
	socklen_t len = sizeof(type);

	(void)unsetenv(SPAWN_VARIABLE);
	if (fd < 3 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == -1 ||
	    type != SOCK_SEQPACKET)
		return -1;
	len = sizeof(who);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == -1 || who.uid != geteuid())
		return -1;
	t.pid = who.pid;
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

static void
drop_fds(void)
{
	while (t.n_fds > 0)
		(void)close(t.fds[--t.n_fds]);
}

static void
on_sockets(struct rd *r)
{
	struct addr a;
	uint16_t port;
	unsigned i;

	(void)rd_be(r, 1);
	for (i = 0; i < t.n_fds && parcel_socket_take(r, &a, &port); i++, t.n_sockets++)
		handed_put(&t.sockets, &a, port, t.fds[i]);
	while (t.n_fds > i)
		(void)close(t.fds[--t.n_fds]);
	t.n_fds = 0;
}

static int
on_hello(struct rd *r, struct err *err)
{
	struct parcel_hello h;

	if (parcel_hello_take(r, &h) != 0 || t.n_fds != 1)
		return err_set(err, -EBADMSG, "upgrade: process %d does not hand over", t.pid);
	if (h.version != PARCEL_VERSION)
		return err_set(err, -EPROTONOSUPPORT,
		    "upgrade: process %d (version %s) hands over as version %u of the hand-over, this one takes %d",
		    t.pid, h.release, h.version, PARCEL_VERSION);
	t.bus = t.fds[0];
	t.n_fds = 0;
	return 0;
}

/* One parcel of the start. 1: it was the last. */
static int
start_parcel(size_t n, struct err *err)
{
	struct rd r = { .p = t.in, .left = n };

	switch (t.in[0]) {
	case PARCEL_HELLO: return on_hello(&r, err);
	case PARCEL_REFUSED:
		return err_set(err, -ECONNREFUSED, "upgrade: process %d refuses: %.*s", t.pid,
		    (int)n - 1, (const char *)t.in + 1);
	case PARCEL_SOCKETS: on_sockets(&r); return 0;
	case PARCEL_TICKETS: tls_ticket_import(t.in + 1, n - 1); return 0;
	case PARCEL_SEED:
		(void)rd_be(&r, 1);
		t.seed = rd_be(&r, 8);
		t.generation = (uint32_t)rd_be(&r, 4);
		t.stamp = rd_be(&r, 8);
		return 0;
	case PARCEL_START: return t.bus != -1 ? 1 : -EBADMSG;
	default: return 0;
	}
}

static int
start(struct err *err)
{
	struct timeval most = { .tv_sec = START_MOST };
	struct buf hello = { 0 };
	int code;

	(void)setsockopt(t.fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
	parcel_hello(&hello);
	code = parcel_send(t.fd, hello.p, hello.len, NULL, 0);
	buf_fini(&hello);
	while (code == 0) {
		ssize_t n = parcel_recv(t.fd, t.in, sizeof(t.in), t.fds, &t.n_fds, NULL);

		if (n <= 0)
			return err_set(err, n == 0 ? -ECONNRESET : (int)n,
			    "upgrade: process %d: %s", t.pid,
			    n == 0 ? "has changed its mind" : strerror((int)-n));
		code = start_parcel((size_t)n, err);
		drop_fds();
	}
	explicit_bzero(t.in, sizeof(t.in));
	return code == 1 ? 0 : code;
}

int
take_inherit(struct daemon *d, struct err *err)
{
	int code;

	(void)d;
	handed_init(&t.sockets);
	t.fd = pair_of_environment();
	if (t.fd == -1)
		return -1;
	code = start(err);
	if (code != 0) {
		if (t.bus != -1)
			(void)close(t.bus);
		take_fini();
		return code;
	}
	log_info("upgrade: takes over from process %d: %u sockets", t.pid, t.n_sockets);
	return t.bus;
}

/* ---- after the start ------------------------------------------------------------------------------------ */

static void
begin(struct worker *w, void *a, void *b)
{
	(void)a;
	(void)b;
	listener_begin(w);
}

static void
on_go(void)
{
	const uint8_t taken = PARCEL_TAKEN;
	struct control *k = t.k;
	unsigned i, left;

	atomic_store(&k->px.held, false);
	for (i = 0; i < k->px.n; i++)
		(void)worker_post(k->px.w[i], begin, NULL, NULL);
	ports_fill(k);
	left = handed_close(&k->handed);
	if (left > 0)
		log_info("upgrade: %u sockets are not wanted any more", left);
	share_all(k);
	daemon_take(k->d);
	(void)parcel_send(t.fd, &taken, 1, NULL, 0);
	log_info("upgrade: has taken over from process %d", t.pid);
	t.fd = -1;
	elders_listen(k, true);
}

static void
handle(size_t n)
{
	struct rd r = { .p = t.in, .left = n };

	switch (t.in[0]) {
	case PARCEL_STICK: share_bring(t.k, t.in + 1, n - 1, false); break;
	case PARCEL_COUNT: elder_count(t.elder, &r, true); break;
	case PARCEL_RULES: tally_add_rules(t.k, &r); break;
	case PARCEL_ELDER:
		(void)rd_be(&r, 1);
		if (t.n_fds == 1) {
			(void)elder_add(t.k, t.fds[0], (int)rd_be(&r, 4));
			t.n_fds = 0;
		}
		break;
	case PARCEL_GO: on_go(); break;
	default: break;
	}
}

static void
stop_reading(void *arg)
{
	(void)arg;
	loop_fd_fini(&t.io);
}

static void
on_read(void *arg, unsigned ready)
{
	ssize_t n;

	(void)arg;
	(void)ready;
	for (unsigned i = 0; i < 64 && t.fd != -1; i++) {
		n = parcel_recv(t.fd, t.in, sizeof(t.in), t.fds, &t.n_fds, NULL);
		if (n == -EAGAIN || n == -EINTR)
			return;
		if (n > 0)
			handle((size_t)n);
		drop_fds();
		if (n > 0)
			continue;
		log_err("upgrade: process %d goes on by itself", t.pid);
		loop_fd_want(&t.io, 0);
		daemon_stopped(t.k->d);
		return;
	}
	if (t.fd == -1) { /* it is an elder's now, with an event of its own */
		loop_fd_want(&t.io, 0);
		loop_defer(daemon_loop(t.k->d), stop_reading, NULL);
	}
}

/* Servers whose names are not resolved yet would be missing. */
static bool
resolved(const struct control *k)
{
	const struct ctl_server *s;
	uint32_t at = 0;

	while ((s = idmap_next(&k->servers, &at, NULL)) != NULL)
		if (s->host != NULL && s->addr.family == 0)
			return false;
	return true;
}

/* As good as the process before this one: it knows what that knew. */
static void
tell_ready(void *arg)
{
	const uint8_t ready = PARCEL_READY;

	(void)arg;
	if (t.fd == -1 || t.ready || !t.applied)
		return;
	if ((!t.known || !resolved(t.k)) && mono_now() < t.by) {
		loop_timer_set(&t.patience, LOOK);
		return;
	}
	t.ready = true;
	(void)parcel_send(t.fd, &ready, 1, NULL, 0); /* when it went away we see the end */
}

void
take_begin(struct control *k)
{
	struct timeval none = { 0 };
	char path[300];

	t.k = k;
	if (t.fd == -1)
		return;
	atomic_store(&k->px.held, true);
	handed_move(&k->handed, &t.sockets);
	stick_agree(k->px.stick, t.seed, t.generation, t.stamp);
	(void)setsockopt(t.fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
	(void)fcntl(t.fd, F_SETFL, O_NONBLOCK);
	t.elder = elder_add(k, t.fd, t.pid);
	loop_fd_init(&t.io, daemon_loop(k->d), t.fd, on_read, NULL);
	loop_fd_want(&t.io, LOOP_READ);
	loop_timer_init(&t.patience, daemon_loop(k->d), tell_ready, NULL);
	paths_socket(daemon_paths(k->d), "lbd-check", path);
	t.known = access(path, F_OK) != 0;
	t.by = mono_now() + KNOWN_MOST;
}

void
take_applied(struct control *k)
{
	(void)k;
	t.applied = true;
	tell_ready(NULL);
}

void
take_known(struct control *k)
{
	(void)k;
	t.known = true;
	tell_ready(NULL);
}

void
take_fini(void)
{
	(void)handed_close(&t.sockets);
	loop_timer_fini(&t.patience);
	loop_fd_fini(&t.io);
	if (t.fd != -1 && t.elder == NULL)
		(void)close(t.fd);
	t.fd = -1;
}
