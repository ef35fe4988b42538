/* The pair over REST: how it stands, the hand-over, and what did not fit when the nodes met again. The state is that of
 * `lbctl ha status -o json`, by the same functions. A hand-over is lbd-ha's work: the answer comes when it has ended. */
#include "api.h"
#include "live/follow.h"

#include "store/replica.h"

#include <errno.h>
#include <string.h>

static void
put_addresses(struct buf *b, const struct view *v)
{
	const char *comma = "";

	buf_puts(b, ",\"addresses\":[");
	for (const struct view_floating *f = view_floating(v); f != NULL; f = f->next) {
		buf_printf(b, "%s{\"address\":", comma);
		view_json_text(b, f->address);
		buf_puts(b, ",\"interface\":");
		view_json_text(b, f->interface);
		buf_printf(b, ",\"held\":%s,\"manual\":%s,\"services\":%u,\"fault\":",
		    f->held ? "true" : "false", f->manual ? "true" : "false",
		    (unsigned)f->services);
		view_json_text(b, f->fault != NULL ? f->fault : "");
		buf_printf(b, ",\"route\":\"%s\",\"route_cause\":", f->route);
		view_json_text(b, f->cause != NULL ? f->cause : "");
		buf_puts(b, "}");
		comma = ",";
	}
	buf_puts(b, "]");
}

void
api_ha_get(struct call *c)
{
	const struct view *v = follow_view(c->w->follow);
	struct buf b = { 0 };

	if (!view_role(v)->heard) {
		reply_fail(c, 503, "lbd-ha was not heard for %lld ms: nobody knows the role",
		    (long long)view_role_age(v));
		return;
	}
	buf_puts(&b, "{");
	view_json_ha(&b, v);
	put_addresses(&b, v);
	buf_puts(&b, "}\n");
	reply_json(c, 200, &b);
	buf_fini(&b);
}

/* For balancers and routers of others that ask who is active: 200 here, 503 there, and when it is not known. Nothing is
 * looked up or asked for it, and nobody needs to log in: the answer is one that every client of a service sees too. */
void
ha_active_get(struct call *c)
{
	const struct view *v = web_view(c);
	const struct view_role *r = view_role(v);
	const char *group = call_query(c, "group");
	bool active = r->active;
	struct buf b = { 0 };

	if (group != NULL && strcmp(group, "1") != 0 && strcmp(group, "2") != 0) {
		reply_fail(c, 400, "group: %.20s: allowed is 1 or 2", group);
		return;
	}
	if (group != NULL && view_groups(v)[group[0] - '1'].group != 0)
		active = view_groups(v)[group[0] - '1'].hold;
	buf_puts(&b, !r->heard ? "unknown\n" : active ? "active\n" : "passive\n");
	reply_text(c, r->heard && active ? 200 : 503, "text/plain; charset=utf-8", &b);
	buf_fini(&b);
}

/* ---- hand-over ------------------------------------------------------------------------------------------------ */

static void
moved(void *arg, int code, const char *text)
{
	struct call *c = arg;
	struct buf none = { 0 };

	if (code == 0)
		reply_text(c, 204, NULL, &none);
	else
		reply_fail(c,
		    code == -ETIMEDOUT ? 504
		    : code == ERR_AWAY ? 503
				       : 409,
		    "%s", text != NULL ? text : "");
	call_free(c);
}

void
api_ha_failover(struct call *c)
{
	const char *why = call_query(c, "message"), *group = call_query(c, "group");
	struct msg_ha_order m = { .why = SPAN(why != NULL ? why : "") };
	uint64_t n = 0;

	if (group != NULL && !api_number(c, "group", group, 1, 2, &n))
		return;
	m.group = (uint8_t)n;
	if (follow_ask(c->w->follow, "lbd-ha", MSG_HA_FAILOVER, &m, NULL, moved, c) != 0) {
		reply_fail(c, 503, "lbd-ha does not run");
		return;
	}
	c->later = true;
	http_later(c->rq);
}

/* ---- conflicts ------------------------------------------------------------------------------------------------- */

struct listing {
	struct buf b;
	unsigned n;
};

static int
put_conflict(void *arg, const struct conflict *k)
{
	struct listing *l = arg;
	struct conflict_words w;

	replica_conflict_words(k, &w);
	buf_printf(&l->b, "%s{\"id\":\"%s\"", l->n++ > 0 ? "," : "", w.id);
	view_json_member(&l->b, "kind", w.kind);
	view_json_member(&l->b, "name", k->name);
	view_json_member(&l->b, "field", w.field);
	view_json_member(&l->b, "lost", k->losing);
	view_json_member(&l->b, "stands", k->standing);
	view_json_member(&l->b, "why", w.why);
	buf_printf(&l->b, ",\"node\":%u,\"revision\":%u", k->node, k->n);
	view_json_member(&l->b, "user", k->who);
	buf_puts(&l->b, ",\"time\":");
	view_json_time(&l->b, k->at);
	buf_puts(&l->b, "}");
	return 0;
}

void
api_ha_conflicts(struct call *c)
{
	struct listing l = { 0 };

	buf_puts(&l.b, "{\"items\":[");
	if (replica_conflicts(daemon_store(c->w->d), put_conflict, &l) != 0) {
		reply_fail(c, 503, "the conflicts cannot be read");
	} else {
		buf_puts(&l.b, "]}\n");
		reply_json(c, 200, &l.b);
	}
	buf_fini(&l.b);
}
