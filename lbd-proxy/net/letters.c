/* What the control thread tells the workers about services and servers. The functions that begin with letter_ run in the
 * worker; what they were given is a reference, which they give back or keep. */
#include "letters.h"

#include "base/must.h"

#include "pool/backend.h"
#include "control.h"

void
letter_to_svc(struct control *k, const struct ctl_service *s, worker_fn fn, struct svc *a)
{
	unsigned i;

	for (i = 0; i < k->px.n; i++)
		if (s == NULL || ctl_known(s, i))
			must(worker_post(k->px.w[i], fn, svc_ref(a), NULL) == 0);
}

void
letter_to_srv(struct control *k, const struct ctl_service *s, worker_fn fn, struct srv *a)
{
	unsigned i;

	for (i = 0; i < k->px.n; i++)
		if (s == NULL || ctl_known(s, i))
			must(worker_post(k->px.w[i], fn, srv_ref(a), NULL) == 0);
}

void
letter_view(struct worker *w, void *view, void *none)
{
	(void)none;
	local_set(w, view);
}

void
letter_gone(struct worker *w, void *svc, void *none)
{
	struct wsvc *s = local_find(w, svc);

	(void)none;
	if (s != NULL)
		local_gone(s);
	svc_unref(svc);
}

void
letter_cut(struct worker *w, void *srv, void *none)
{
	(void)none;
	local_cut(w, srv);
	srv_unref(srv);
}

void
letter_down(struct worker *w, void *srv, void *none)
{
	struct wsrv *s = ((struct srv *)srv)->of[w->index].wsrv;

	(void)none;
	if (s != NULL) {
		local_drop_idle(s);
		local_release_srv(s);
	}
	srv_unref(srv);
}

void
letter_kick(struct worker *w, void *svc, void *none)
{
	struct wsvc *s = local_find(w, svc);

	(void)none;
	if (s != NULL)
		backend_kick(s);
	svc_unref(svc);
}
