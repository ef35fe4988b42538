/* The old process after it has handed over: it accepts nobody, each answer is the last of its connection, and it tells the new
 * one what it counts and learns until the last client has left. At proxy_linger after the hand-over what is left is reset. It
 * follows the configuration and the verdicts meanwhile: a halted server is cut here too. */
#include "give_priv.h"

#include "sys/log.h"

#include "log/logs.h"
#include "net/ports.h"
#include "upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

#define TICK DUR_MS(500)
#define TICK_FIRST DUR_MS(20)
#define LAST_MOST 2 /* seconds that the last words may wait for room */

void
give_stick(struct give *g, unsigned n)
{
	struct buf batch = { 0 };

	stick_batch_begin(&batch);
	for (unsigned i = 0; i < n; i++)
		(void)stick_batch_put(&batch, &g->rec[i]);
	buf_put_be(&g->out, PARCEL_STICK, 1);
	buf_put(&g->out, batch.p, batch.len);
	buf_fini(&batch);
}

static int
send_out(struct give *g)
{
	int code = g->out.len == 0 ? 0 : parcel_send(g->fd, g->out.p, g->out.len, NULL, 0);

	if (code == 0)
		g->out.len = 0;
	return code;
}

/* News of persistence, counters, and how many are left. What finds no room is told the next time. */
static void
tell(struct give *g)
{
	unsigned n = 1;
	bool more = true;
	int code = send_out(g);

	while (code == 0 && (n > 0 || more)) {
		n = stick_drain(g->k->px.stick, g->rec, STICK_BATCH_MOST, mono_now(), &more);
		if (n == 0)
			continue;
		give_stick(g, n);
		code = send_out(g);
	}
	if (code == 0)
		code = tally_send(&g->tally, g->k, g->fd);
	if (code != 0)
		return;
	buf_put_be(&g->out, PARCEL_LEFT, 1);
	buf_put_be(&g->out, atomic_load(&g->k->px.conns), 4);
	(void)send_out(g);
}

static void
cut(struct worker *w, void *a, void *b)
{
	(void)a;
	(void)b;
	worker_stop(w);
	worker_cut_all(w);
}

static void
quiet(struct worker *w, void *count, void *b)
{
	(void)w;
	(void)b;
	(void)atomic_fetch_add((atomic_uint *)count, 1);
}

static void
on_tick(void *arg)
{
	struct give *g = arg;
	struct control *k = g->k;
	bool closed = atomic_load(&g->quiet) == k->px.n;
	unsigned conns = atomic_load(&k->px.conns);

	if (closed && conns == 0) {
		log_info("upgrade: the last connection has ended");
		daemon_stopped(k->d);
		return;
	}
	loop_timer_set(&g->tick, TICK);
	if (g->state == GIVE_LINGER)
		tell(g);
	if (g->cut || mono_now() < g->until)
		return;
	g->cut = true;
	log_warn("upgrade: proxy_linger is over: %u connections are reset", conns);
	for (unsigned i = 0; i < k->px.n; i++)
		(void)worker_post(k->px.w[i], cut, NULL, NULL);
}

void
linger_start(struct give *g)
{
	struct control *k = g->k;
	const struct setting *set = snapshot_setting(k->seen);
	struct ctl_service *c;
	uint32_t at = 0;

	k->lingering = true;
	atomic_store(&k->px.away, ~0u); /* clients come again: they will meet the new process */
	while ((c = idmap_next(&k->services, &at, NULL)) != NULL)
		ports_release(k, c, NULL);
	ports_close(k);
	for (unsigned i = 0; i < k->px.n; i++) /* behind the letters that close them */
		(void)worker_post(k->px.w[i], quiet, &g->quiet, NULL);
	g->since = mono_now();
	g->until = g->since + DUR_MS(set->proxy_linger);
	log_info(
	    "upgrade: process %d has taken over; %u connections are finished here, for %llu s at most",
	    g->pid, atomic_load(&k->px.conns), (unsigned long long)set->proxy_linger / 1000);
	loop_timer_init(&g->tick, daemon_loop(k->d), on_tick, g);
	loop_timer_set(&g->tick, TICK_FIRST);
}

void
linger_last(struct give *g)
{
	struct timeval most = { .tv_sec = LAST_MOST };
	int flags = fcntl(g->fd, F_GETFL);

	(void)fcntl(g->fd, F_SETFL, flags & ~O_NONBLOCK);
	(void)setsockopt(g->fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
	tell(g);
}

void
give_reopen(const struct control *k)
{
	logs_reopen(k->px.logs);
}
