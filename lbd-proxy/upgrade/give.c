/* The old process.
 *
 * It starts the new one and answers its HELLO with all that a start needs: the listening sockets, that of the bus, the keys
 * of tickets, the seed of the persistence table. When the new one is READY, this one gives up the bus and tells the table and
 * the counters, then says GO; once the new one has TAKEN over, this one stops accepting and lingers (linger.c). Sockets are
 * the same in both processes, so whoever waits in a queue is accepted by one of them. Whatever goes wrong before TAKEN, down
 * to a new process that dies or does nothing, this one goes on as it was and says why. */
#include "give_priv.h"

#include "base/mem.h"
#include "sys/log.h"
#include "sys/notify.h"

#include "elder.h"
#include "elder_ask.h"
#include "net/listener.h"
#include "share.h"
#include "spawn.h"
#include "tls/tls_ctx.h"
#include "upgrade.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define READY_MOST DUR_S(60)

static void
close_pair(struct give *g)
{
	loop_timer_cancel(&g->late);
	loop_fd_fini(&g->io);
	if (g->fd != -1)
		(void)close(g->fd);
	if (g->pidfd != -1)
		(void)close(g->pidfd);
	g->fd = g->pidfd = -1;
	g->out.len = 0;
	tally_fini(&g->tally);
	FREE(g->sockets);
	g->n_sockets = g->at = 0;
}

static void
answer(struct give *g, int code, const char *text)
{
	if (g->asked)
		bus_result(&g->rq, code, text);
	g->asked = false;
}

static void
resume(struct give *g)
{
	daemon_yield(g->k->d, false);
	share_again(g->k);
	elders_listen(g->k, true);
}

static void
give_up_now(void *arg)
{
	struct give *g = arg;

	if (g->state == GIVE_FAILED) {
		close_pair(g);
		g->state = GIVE_IDLE;
	}
}

/* This process goes on. */
static void
failed(struct give *g, const char *why)
{
	char text[400];

	if (g->state == GIVE_IDLE || g->state >= GIVE_LINGER)
		return;
	(void)snprintf(text, sizeof(text), "upgrade: %s; process %d goes on", why, (int)getpid());
	log_err("%s", text);
	spawn_kill(g->pidfd);
	if (g->state >= GIVE_STICK)
		resume(g);
	answer(g, ERR_AWAY, text);
	loop_fd_want(&g->io, 0);
	g->state = GIVE_FAILED;
	loop_defer(daemon_loop(g->k->d), give_up_now, g);
}

static void
on_late(void *arg)
{
	failed(arg, "the new process was not ready within 60 s");
}

/* ---- what is handed over -------------------------------------------------------------------------------- */

static void
list_port(struct give *g, const struct ctl_port *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		if (p->at[i] == NULL)
			continue;
		if (g->n_sockets % 256 == 0)
			g->sockets =
			    mem_grow(g->sockets, (g->n_sockets + 256) * sizeof(*g->sockets));
		g->sockets[g->n_sockets++] = (struct give_socket){
			.addr = p->addr, .port = p->port, .fd = io_fd(&p->at[i]->io)
		};
	}
}

static void
list_sockets(struct give *g)
{
	const struct ctl_service *c;
	struct list *it;
	uint32_t at = 0;

	while ((c = idmap_next(&g->k->services, &at, NULL)) != NULL)
		for (it = c->ports.list.next; it != &c->ports.list; it = it->next)
			list_port(g, container_of(it, struct ctl_port, link));
}

static bool
next_sockets(struct give *g)
{
	for (; g->at < g->n_sockets && g->n_fds < PARCEL_FDS; g->at++) {
		parcel_socket(&g->out, &g->sockets[g->at].addr, g->sockets[g->at].port);
		g->fds[g->n_fds++] = g->sockets[g->at].fd;
	}
	return g->n_fds > 0;
}

static bool
next_stick(struct give *g)
{
	unsigned n = 0;
	bool more = true;

	while (n == 0 && more)
		n = stick_drain(g->k->px.stick, g->rec, STICK_BATCH_MOST, mono_now(), &more);
	if (n > 0)
		give_stick(g, n);
	return n > 0;
}

static bool
next_elder(struct give *g)
{
	int fd, pid;

	if (!elder_next(g->k, &g->at, &fd, &pid))
		return false;
	buf_put_be(&g->out, PARCEL_ELDER, 1);
	buf_put_be(&g->out, (uint64_t)pid, 4);
	g->fds[g->n_fds++] = fd;
	return true;
}

static void
put_tickets(struct give *g)
{
	uint8_t keys[TLS_TICKET_BYTES];

	if (!tls_ticket_export(keys))
		return;
	buf_put_be(&g->out, PARCEL_TICKETS, 1);
	buf_put(&g->out, keys, sizeof(keys));
	explicit_bzero(keys, sizeof(keys));
}

static void
put_seed(struct give *g)
{
	uint64_t seed, stamp;
	uint32_t generation;

	stick_agreed(g->k->px.stick, &seed, &generation, &stamp);
	buf_put_be(&g->out, PARCEL_SEED, 1);
	buf_put_be(&g->out, seed, 8);
	buf_put_be(&g->out, generation, 4);
	buf_put_be(&g->out, stamp, 8);
}

/* The next parcel of this state into g->out. false: the state is over, or waits; its counters are sent by tally_send. */
static bool
next(struct give *g)
{
	switch (g->state) {
	case GIVE_SOCKETS:
		if (next_sockets(g))
			return true;
		put_tickets(g);
		g->state = GIVE_SEED;
		return true;
	case GIVE_SEED:
		put_seed(g);
		g->state = GIVE_START;
		return true;
	case GIVE_START:
		buf_put_be(&g->out, PARCEL_START, 1);
		g->state = GIVE_WAIT;
		return true;
	case GIVE_STICK:
		if (next_stick(g))
			return true;
		g->state = GIVE_COUNT;
		return false;
	case GIVE_ELDERS:
		if (next_elder(g))
			return true;
		buf_put_be(&g->out, PARCEL_GO, 1);
		g->state = GIVE_GONE;
		return true;
	default: return false;
	}
}

static int
send_out(struct give *g)
{
	int code = g->out.len == 0 ? 0 : parcel_send(g->fd, g->out.p, g->out.len, g->fds, g->n_fds);

	if (code != 0)
		return code;
	if (g->out.len > 0)
		explicit_bzero(g->out.p, g->out.len); /* keys were among them */
	g->out.len = g->n_fds = 0;
	return 0;
}

/* As much as the other side takes. */
static void
pump(struct give *g)
{
	int code = send_out(g);

	while (code == 0) {
		if (g->state == GIVE_COUNT) {
			code = tally_send(&g->tally, g->k, g->fd);
			if (code == 0)
				g->state = GIVE_ELDERS;
			continue;
		}
		if (!next(g) && g->state != GIVE_COUNT)
			break;
		code = send_out(g);
	}
	if (code == 0 && g->state == GIVE_LINGER)
		code = give_answer(g);
	loop_fd_want(&g->io, LOOP_READ | (code == -EAGAIN ? LOOP_WRITE : 0));
	if (code != 0 && code != -EAGAIN)
		failed(g, strerror(-code));
}

/* ---- what comes back ------------------------------------------------------------------------------------ */

static void
on_hello(struct give *g, struct rd *r)
{
	struct parcel_hello h;
	char text[200];

	if (g->state != GIVE_GREET || parcel_hello_take(r, &h) != 0)
		return;
	if (h.version != PARCEL_VERSION) {
		(void)snprintf(text, sizeof(text),
		    "version %.20s hands over as version %u of the hand-over, %s as version %d",
		    h.release, h.version, LBD_VERSION, PARCEL_VERSION);
		buf_put_be(&g->out, PARCEL_REFUSED, 1);
		buf_puts(&g->out, text);
		(void)send_out(g);
		failed(g, text);
		return;
	}
	log_info("upgrade: process %d is version %s", g->pid, h.release);
	parcel_hello(&g->out);
	g->fds[g->n_fds++] = bus_fd(daemon_bus(g->k->d));
	list_sockets(g);
	g->state = GIVE_SOCKETS;
}

static void
on_ready(struct give *g)
{
	if (g->state != GIVE_WAIT)
		return;
	daemon_yield(g->k->d, true);
	elders_listen(g->k, false);
	share_stop(g->k);
	stick_tell_all(g->k->px.stick);
	g->at = 0;
	g->state = GIVE_STICK;
}

static void
on_taken(struct give *g)
{
	if (g->state != GIVE_GONE)
		return;
	bus_release(daemon_bus(g->k->d)); /* else nobody could follow the new one while we linger */
	notify_main(g->pid);
	notify_mute(true);
	buf_put_be(&g->out, PARCEL_MAIN, 1);
	loop_timer_cancel(&g->late);
	g->state = GIVE_LINGER;
	answer(g, 0, "");
	linger_start(g);
}

static void
handle(struct give *g, const uint8_t *p, size_t n)
{
	struct rd r = { .p = p, .left = n };
	char why[200];

	switch (p[0]) {
	case PARCEL_HELLO: on_hello(g, &r); break;
	case PARCEL_READY: on_ready(g); break;
	case PARCEL_TAKEN: on_taken(g); break;
	case PARCEL_REOPEN: give_reopen(g->k); break;
	case PARCEL_AGAIN: tally_again(&g->tally); break;
	case PARCEL_ASK: give_asked(g, p, n); break;
	case PARCEL_REFUSED:
		(void)snprintf(why, sizeof(why), "the new process refuses: %.*s", (int)(n - 1),
		    (const char *)p + 1);
		failed(g, why);
		break;
	default: break;
	}
}

static void
on_end(struct give *g)
{
	if (g->state == GIVE_LINGER) {
		/* Nobody is there to be told any more; what we have is finished all the same. */
		loop_fd_want(&g->io, 0);
		g->state = GIVE_ALONE;
	} else {
		failed(g, "the new process ended before it served; its log says why");
	}
}

static void
on_event(void *arg, unsigned ready)
{
	static uint8_t in[PARCEL_MOST];
	struct give *g = arg;
	int fds[PARCEL_FDS], pid;
	unsigned n_fds;
	ssize_t n;

	(void)ready;
	while (g->state != GIVE_FAILED && g->state != GIVE_ALONE) {
		n = parcel_recv(g->fd, in, sizeof(in), fds, &n_fds, &pid);
		while (n_fds > 0)
			(void)close(fds[--n_fds]);
		if (n == -EAGAIN || n == -EINTR)
			break;
		if (n <= 0)
			on_end(g);
		else if (pid == g->pid || g->state == GIVE_LINGER)
			/* Nobody else has the other end but what that process started, and, once it is the daemon, who comes after it. */
			handle(g, in, (size_t)n);
	}
	if (g->state != GIVE_FAILED && g->state != GIVE_ALONE)
		pump(g);
}

void
give_start(struct control *k, const struct bus_request *rq)
{
	struct give *g = k->give;
	struct err err;

	if (g == NULL) {
		g = k->give = mem_alloc(sizeof(*g));
		*g = (struct give){ .k = k, .fd = -1, .pidfd = -1 };
		loop_timer_init(&g->late, daemon_loop(k->d), on_late, g);
	}
	if (g->state != GIVE_IDLE) {
		bus_result(rq, -EBUSY, "upgrade: one is under way");
		return;
	}
	if (spawn_start(&g->fd, &g->pidfd, &g->pid, &err) != 0) {
		log_err("upgrade: %s; process %d goes on", err.text, (int)getpid());
		bus_result(rq, ERR_AWAY, err.text);
		return;
	}
	log_info("upgrade: process %d is started", g->pid);
	g->rq = *rq;
	g->asked = true;
	g->state = GIVE_GREET;
	loop_fd_init(&g->io, daemon_loop(k->d), g->fd, on_event, g);
	loop_fd_want(&g->io, LOOP_READ);
	loop_timer_set(&g->late, READY_MOST);
}

void
give_fini(struct control *k)
{
	struct give *g = k->give;

	if (g == NULL)
		return;
	if (g->state == GIVE_LINGER)
		linger_last(g);
	else if (g->state != GIVE_IDLE && g->state != GIVE_ALONE)
		spawn_kill(g->pidfd); /* we are stopped in the middle of it */
	close_pair(g);
	loop_timer_fini(&g->late);
	loop_timer_fini(&g->tick);
	buf_fini(&g->out);
	buf_fini(&g->answers);
	FREE(k->give);
}
