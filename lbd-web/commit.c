/* Changes of the store on behalf of a user: every commit carries his name, where he came from and what he said, is
 * written to the log as one line, and is told to the other daemons. The store checks the whole before it commits, so
 * nothing here can leave half a change behind. Answers do not wait for the other daemons: what they refuse is logged
 * and shown in their status. */
#include "base/mem.h"
#include "daemon/announce.h"
#include "live/follow.h"
#include "sys/log.h"
#include "sys/netlink.h"
#include "web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANNOUNCE_WAIT DUR_S(5)

static void
refused(void *arg, const char *text)
{
	(void)arg;
	if (text[0] != '\0')
		log_warn("commit: not in force everywhere: %s", text);
}

/* The addresses of this node's interfaces, which no virtual service may take. */
static void
look_at_addresses(struct web *w)
{
	struct iface_list l = { 0 };

	if (netlink_addresses(&l, NULL) == 0)
		store_set_local(daemon_store(w->d), &l);
	iface_list_fini(&l);
}

static struct commit_info
info_of(struct call *c, const struct commit_how *how)
{
	struct commit_info info = { .who = c->user, .origin = c->origin };

	if (how != NULL) {
		info.base = how->base;
		info.why = how->why;
		info.trial_ms = how->trial_ms;
		info.dry_run = how->dry_run;
	}
	look_at_addresses(c->w);
	store_set_values(daemon_store(c->w->d), map_values, c->w);
	return info;
}

static void
committed(
    struct call *c, const struct commit_info *info, const struct commit_result *r, const char *what)
{
	if (info->dry_run)
		return;
	c->w->trial_at = 0;
	if (r->revision[SCOPE_SHARED] == 0 && r->revision[SCOPE_LOCAL] == 0 &&
	    r->revision[SCOPE_OPER] == 0)
		return;
	log_at(LOG_P_INFO, "LBD_EVENT=audit\n",
	    "user %s from %s: %s: revision %u, local %u, orders %u%s%s", c->user, c->origin, what,
	    r->revision[SCOPE_SHARED], r->revision[SCOPE_LOCAL], r->revision[SCOPE_OPER],
	    info->why != NULL && info->why[0] != '\0' ? ": " : "",
	    info->why != NULL ? info->why : "");
	announce_commit(c->w->d, r, ANNOUNCE_WAIT, refused, NULL);
}

int
commit_doc(struct call *c, struct doc *d, const struct commit_how *how, struct commit_result *r,
    struct err *err)
{
	struct commit_info info = info_of(c, how);
	int rc = store_edit(daemon_store(c->w->d), d, &info, r, err);
	char what[200];

	if (rc != 0)
		return rc;
	(void)snprintf(
	    what, sizeof(what), "%s %s %s", c->rq->method, d->first->o->name, d->first->path);
	committed(c, &info, r, what);
	return 0;
}

/* "drain web/web1 and 2 more", "weight 50 web/web1" */
static const char *
order_text(const struct snapshot *s, const struct order *o, unsigned n, char out[240])
{
	char path[160], verb[32], more[32] = "";

	if (o->state >= 0)
		(void)snprintf(verb, sizeof(verb), "%s", word_text(&admin_state_list, o->state));
	else if (o->weight >= 0)
		(void)snprintf(verb, sizeof(verb), "weight %lld", (long long)o->weight);
	else
		(void)snprintf(verb, sizeof(verb), "weight as configured");
	if (n > 1)
		(void)snprintf(more, sizeof(more), " and %u more", n - 1);
	(void)snprintf(
	    out, 240, "%s %s%s", verb, snapshot_path(s, KIND_server, o->server, path), more);
	return out;
}

int
commit_orders(struct call *c, const struct order *o, unsigned n, const char *why,
    struct commit_result *r, struct err *err)
{
	struct commit_how how = { .why = why };
	struct commit_info info = info_of(c, &how);
	int rc = store_order(daemon_store(c->w->d), o, n, &info, r, err);
	char what[240];

	if (rc == 0)
		committed(c, &info, r, order_text(daemon_snapshot(c->w->d), o, n, what));
	return rc;
}

int
commit_rollback(struct call *c, uint32_t revision, const struct commit_how *how,
    struct commit_result *r, struct err *err)
{
	struct commit_info info = info_of(c, how);
	int rc = store_rollback(daemon_store(c->w->d), SCOPE_SHARED, revision, &info, r, err);
	char what[40];

	(void)snprintf(what, sizeof(what), "rollback to %u", revision);
	if (rc == 0)
		committed(c, &info, r, what);
	return rc;
}

static void
confirmed(struct call *c, int rc)
{
	c->w->trial_at = 0;
	if (rc == 0)
		log_at(LOG_P_INFO, "LBD_EVENT=audit\n", "user %s from %s: trial confirmed", c->user,
		    c->origin);
}

struct keeping {
	struct call *c;
	commit_done_fn fn;
};

static void
kept_on_both(void *arg, int code, const char *text)
{
	struct keeping *k = arg;
	struct call *c = k->c;
	struct err err = { 0 };

	if (code != 0)
		(void)err_set(&err, code, "%s", text != NULL ? text : "");
	confirmed(c, code);
	k->fn(c, code, &err);
	call_free(c);
	free(k);
}

/* lbd-ha asks the other node. */
static int
keep_on_both(struct call *c, commit_done_fn fn, struct err *err)
{
	struct keeping *k = mem_alloc(sizeof(*k));

	*k = (struct keeping){ .c = c, .fn = fn };
	if (follow_ask(c->w->follow, "lbd-ha", MSG_TRIAL_CONFIRM, &(struct msg_empty){ 0 }, NULL,
		kept_on_both, k) != 0) {
		free(k);
		return err_set(err, ERR_AWAY,
		    "lbd-ha does not run: it would ask the other node, which has the trial too");
	}
	c->later = true;
	http_later(c->rq);
	return 0;
}

void
commit_confirm(struct call *c, commit_done_fn fn)
{
	struct commit_info info = info_of(c, NULL);
	struct err err = { 0 };
	struct trial t = { 0 };
	int rc = store_trial(daemon_store(c->w->d), &t, &err);

	if (rc == 0 && t.both) {
		rc = keep_on_both(c, fn, &err);
		if (rc == 0)
			return;
	} else if (rc == 0) {
		rc = store_confirm(daemon_store(c->w->d), &info, &err);
	}
	confirmed(c, rc);
	fn(c, rc, &err);
}

int
commit_revert(struct call *c, struct err *err)
{
	struct commit_info info = info_of(c, NULL);
	struct commit_result r = { 0 };
	int rc = store_revert(daemon_store(c->w->d), &info, &r, err);

	if (rc == 0)
		committed(c, &info, &r, "trial reverted");
	commit_result_fini(&r);
	return rc;
}

int
commit_order(struct call *c, const char *vip, const char *rip, struct order how, const char *why,
    struct err *err)
{
	struct snapshot *s = daemon_snapshot(c->w->d);
	uint32_t n = snapshot_count(s, KIND_server), found = 0;
	struct order *o = mem_alloc((n + 1) * sizeof(*o));
	struct commit_result r = { 0 };
	int rc;

	for (uint32_t i = 0; i < n; i++) {
		const struct server *srv = snapshot_at(s, KIND_server, i);
		const struct service *svc = snapshot_find(s, KIND_service, srv->vip);

		if (strcmp(srv->name, rip) != 0 || svc == NULL ||
		    (strcmp(vip, "*") != 0 && strcmp(svc->name, vip) != 0))
			continue;
		o[found] = how;
		o[found++].server = srv->id;
	}
	rc = found == 0
		 ? err_field(err, ERR_UNKNOWN, NULL, NULL, "rip %s/%s does not exist", vip, rip)
		 : commit_orders(c, o, found, why, &r, err);
	commit_result_fini(&r);
	free(o);
	return rc != 0 ? rc : (int)found;
}
