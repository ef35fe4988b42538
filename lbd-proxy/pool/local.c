/* Services and servers inside one worker: made when the control thread says so, freed when nobody needs them.
 *
 * A service that is gone stays until its last client has left, with the view it had; its servers stay as long. A server
 * that left the view stays until the last connection to it has ended. The arrays of servers are made when the
 * first client comes, so that ten thousand services that nobody uses cost little. Which server is chosen is
 * backend.c's business. */
#include "local.h"

#include "base/must.h"

#include "backend.h"
#include "h2/h2.h"
#include "h2/h2_back.h"
#include "net/listener.h"
#include "net/conn.h"
#include "net/worker.h"

#include <stdlib.h>
#include <string.h>

#define LAST_CALL DUR_S(1)
#define WSVC_MAGIC 0x3e3c5e4c

struct wsvc *
local_find(const struct worker *w, const struct svc *s)
{
	return s->of[w->index].wsvc;
}

void
local_drop_idle(struct wsrv *s)
{
	while (!list_empty(&s->idle)) {
		struct conn *c = container_of(s->idle.next, struct conn, link);

		COUNT_OFF(s->n->pooled);
		c->srv = NULL; /* s is released by whoever called */
		conn_close(c);
	}
	h2_back_drop(s);
}

static void
wsrv_free(struct wsrv *s)
{
	s->srv->of[s->w->index].wsrv = NULL;
	srv_unref(s->srv);
	free(s);
}

void
local_release_srv(struct wsrv *s)
{
	if (!s->listed && s->seats == 0 && list_empty(&s->idle) && list_empty(&s->busy) &&
	    list_empty(&s->shared))
		wsrv_free(s);
}

static struct wsrv *
wsrv_get(struct wsvc *svc, struct srv *srv)
{
	struct srv_local *at = &srv->of[svc->w->index];
	struct server_counters *n = atomic_load_explicit(&at->n, memory_order_relaxed);
	struct wsrv *s = at->wsrv;

	if (s != NULL)
		return s;
	if (n == NULL) {
		n = calloc(1, sizeof(*n));
		if (n == NULL)
			return NULL;
		atomic_store_explicit(&at->n, n, memory_order_release);
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->w = svc->w;
	s->svc = svc;
	s->srv = srv_ref(srv);
	s->n = n;
	list_init(&s->idle);
	list_init(&s->busy);
	list_init(&s->shared);
	at->wsrv = s;
	return s;
}

static void
unlist(struct wsrv **srv, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (srv[i] == NULL || srv[i]->listed)
			continue;
		local_drop_idle(srv[i]);
		local_release_srv(srv[i]);
	}
}

/* The arrays go; servers in the new ones (which are listed again already) stay. */
static void
drop_arrays(struct wsvc *s)
{
	uint32_t i;

	for (i = 0; i < s->servers; i++)
		s->srv[i]->listed = false;
	unlist(s->srv, s->servers);
	free(s->srv);
	free(s->item);
	s->srv = NULL;
	s->item = NULL;
	s->servers = 0;
}

bool
local_servers(struct wsvc *s)
{
	const struct view *v = s->view;
	uint32_t i;

	if (s->srv != NULL || v->n == 0)
		return true;
	s->srv = calloc(v->n, sizeof(*s->srv));
	s->item = calloc(v->n, sizeof(*s->item));
	for (i = 0; s->srv != NULL && s->item != NULL && i < v->n; i++) {
		s->srv[i] = wsrv_get(s, v->at[i].srv);
		if (s->srv[i] == NULL)
			break;
		s->srv[i]->listed = true;
		s->item[i].limit = v->at[i].max_conns;
		s->servers = i + 1;
	}
	if (s->servers == v->n)
		return true;
	drop_arrays(s);
	return false;
}

/* Carry over what round robin had come to, when a view replaces another. */
static void
renew_arrays(struct wsvc *s)
{
	struct wsrv **srv = s->srv;
	struct balance_item *item = s->item;
	uint32_t n = s->servers, i, j;

	if (srv == NULL)
		return;
	for (i = 0; i < n; i++)
		srv[i]->listed = false;
	s->srv = NULL;
	s->item = NULL;
	s->servers = 0;
	(void)local_servers(s); /* without memory they are made at the next request */
	for (i = 0; i < n; i++) {
		j = i < s->servers && s->srv[i] == srv[i] ? i : 0;
		while (srv[i]->listed && j < s->servers && s->srv[j] != srv[i])
			j++;
		if (srv[i]->listed && j < s->servers)
			s->item[j].current = item[i].current;
	}
	unlist(srv, n);
	free(srv);
	free(item);
}

static struct wsvc *
wsvc_new(struct worker *w, struct view *v)
{
	struct wsvc *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->magic = WSVC_MAGIC;
	s->w = w;
	s->svc = svc_ref(v->svc);
	s->n = &v->svc->of[w->index].n;
	s->random = (uint64_t)mono_now() ^ (uint64_t)(w->index + 1) << 48;
	list_init(&s->link);
	list_init(&s->conns);
	list_init(&s->waiting);
	list_init(&s->tails);
	list_push(&w->services, &s->link);
	v->svc->of[w->index].wsvc = s;
	return s;
}

void
local_set(struct worker *w, struct view *v)
{
	struct wsvc *s = local_find(w, v->svc);
	struct view *old;

	if (s == NULL)
		s = wsvc_new(w, v);
	if (s == NULL) {
		view_unref(v);
		return;
	}
	old = s->view;
	s->view = v;
	s->gone = false;
	if (old == NULL)
		return;
	renew_arrays(s);
	view_unref(old);
	listener_renew(w, s);
	backend_kick(s);
}

void
local_release_svc(struct wsvc *s)
{
	must_obj(s, WSVC_MAGIC);
	if (!s->gone || s->clients > 0 || s->listeners > 0)
		return;
	drop_arrays(s);
	list_del(&s->link);
	s->svc->of[s->w->index].wsvc = NULL;
	view_unref(s->view);
	svc_unref(s->svc);
	s->magic = 0;
	free(s);
}

void
local_gone(struct wsvc *s)
{
	struct list *it, *next;

	s->gone = true;
	s->clients++; /* stays until the walk is over */
	list_each_safe(it, next, &s->conns)
	{
		struct conn *c = container_of(it, struct conn, link);

		if (h2_carries(c))
			h2_leave(c);
		if (c->task != NULL || conn_unsent(c) || conn_kept(c) > 0)
			continue;
		if (c->requests > 0)
			conn_close(c);
		else /* its first request may be on the way */
			conn_timer(c, LAST_CALL);
	}
	h2_back_leave(s);
	s->clients--;
	local_release_svc(s);
}

void
local_hold(struct worker *w)
{
	struct list *it;

	list_each(it, &w->services)
	{
		container_of(it, struct wsvc, link)->clients++;
	}
}

void
local_let_go(struct worker *w)
{
	struct list *it, *next;

	list_each_safe(it, next, &w->services)
	{
		struct wsvc *s = container_of(it, struct wsvc, link);

		s->clients--;
		local_release_svc(s);
	}
}

void
local_cut(struct worker *w, struct srv *srv)
{
	struct wsrv *s = srv->of[w->index].wsrv;
	bool listed;

	if (s == NULL)
		return;
	local_hold(w);
	listed = s->listed;
	s->listed = true; /* stays until the walk is over */
	local_drop_idle(s);
	while (!list_empty(&s->busy)) {
		struct conn *c = container_of(s->busy.next, struct conn, link);

		COUNT(s->n->cut);
		c->ops->cut(c); /* takes it off the list */
	}
	h2_back_drop(s);
	s->listed = listed;
	local_release_srv(s);
	local_let_go(w);
}
