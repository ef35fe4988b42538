/* From a snapshot to what the workers do.
 *
 * A commit is compared with the snapshot before; each service that it touches is compiled anew, and its view handed to
 * the workers when it differs. Services that come are told to the workers before their sockets, services that go lose
 * their sockets first; nothing that stays is touched. The same compilation runs when a DNS name resolves to another
 * address, and when the time of an order (drain, grace of a halt) is over. Verdicts of lbd-check do not make
 * a view: they are one number that the workers read. A port that cannot be opened is reported, everything
 * else goes into force, and the port is tried again. */
#include "control.h"

#include "base/mem.h"
#include "base/must.h"
#include "store/named.h"
#include "store/state.h"
#include "sys/log.h"

#include "log/logs.h"
#include "net/crew.h"
#include "counterpart.h"
#include "members.h"
#include "net/letters.h"
#include "pools.h"
#include "share.h"
#include "sorry.h"
#include "touched.h"
#include "lists/lists.h"
#include "tls/keys.h"
#include "tls/tls_ctx.h"
#include "tls/tls_rows.h"

#include <stdio.h>
#include <string.h>

#define TIDY DUR_S(5)	   /* until it is looked whether memory of handshakes is to be given back */
#define TICKETS DUR_S(600) /* until the age of the tickets' keys is looked at again */
#define AGAIN DUR_S(5)	   /* until a port that could not be opened is tried again */

struct pass {
	struct touched t;
	int64_t now_s;
	struct err *err; /* of the first fault */
	int code;
};

static const struct service *
row_of(const struct pass *p, uint32_t id)
{
	const struct service *row = snapshot_find(p->t.now, KIND_service, id);

	return row != NULL ? row : page_row(&p->t.k->page, id);
}

/* One server of a view. */
static void
compile_server(struct pass *p, struct ctl_service *c, const struct service *row,
    const struct server *r, const struct counterpart *other, struct view_server *at)
{
	uint32_t who = counterpart_of(other, r);
	struct ctl_server *s = member_get(p->t.k, c, r);
	const char *zone = snapshot_node(p->t.now)->zone;
	struct admission adm;

	admission_of(
	    snapshot_admin(p->t.now, r->id), row, snapshot_weight(p->t.now, r), p->now_s, &adm);
	*at = (struct view_server){
		.srv = s->srv,
		.name = s->name,
		.addr = s->addr,
		.port = s->place.port != 0 ? s->place.port : r->port,
		.weight = named_weight(snapshot_weight(p->t.now, r), &s->place),
		.max_conns = r->max_conns,
		.min_conns = r->min_conns,
		.backup = r->backup || s->place.backup,
		.far = r->zone[0] != '\0' && zone[0] != '\0' && strcmp(r->zone, zone) != 0,
		.fresh = adm.fresh,
		.known = adm.known && (adm.fresh || row->persist_drain == persist_drain_keep),
		.who = who,
		.token = counterpart_token(other, row, r, who),
		.proven = snapshot_check_of(p->t.now, r)->assume == assume_down,
		.host = c->back == NULL		   ? NULL
			: row->server_name[0] != 0 ? row->server_name
			: s->place.host[0] != 0	   ? s->place.host
						   : r->address.text,
	};
	if (adm.next != 0 && (c->next == 0 || adm.next < c->next))
		c->next = adm.next;
	if (!adm.cut)
		s->cut = false;
}

static void
cut_those(struct pass *p, struct ctl_service *c, const struct service *row)
{
	struct admission adm;
	const void *r;
	uint32_t i;

	for (i = 0; i < c->n; i++) {
		struct ctl_server *s = c->servers[i];

		r = snapshot_find(p->t.now, KIND_server, s->id);
		if (r == NULL || s->cut)
			continue;
		admission_of(snapshot_admin(p->t.now, s->id), row, 1, p->now_s, &adm);
		if (!adm.cut)
			continue;
		s->cut = true;
		if (atomic_load(&s->srv->conns) > 0)
			log_info("rip %s/%s: its %u connections are cut", c->name, s->name,
			    atomic_load(&s->srv->conns));
		letter_to_srv(p->t.k, c, letter_cut, s->srv);
	}
}

/* What TLS adds to requests and answers. */
static void
tls_fields(const struct pass *p, const struct service *row, struct view *v)
{
	const struct tls *t = snapshot_find(p->t.now, KIND_tls, row->tls);

	v->client_headers = t != NULL && t->client_headers;
	if (t != NULL && t->hsts > 0 && row->mode == mode_http)
		(void)snprintf(v->hsts, sizeof(v->hsts),
		    "Strict-Transport-Security: max-age=%u%s\r\n", t->hsts,
		    t->hsts_subdomains ? "; includeSubDomains" : "");
}

/* All workers, or the one that a hash of the id gives when sockets for all would take too many descriptors. */
static int
owner(const struct control *k, uint32_t id)
{
	uint32_t n = snapshot_count(k->seen, KIND_service);

	if (n < k->n_ports)
		n = k->n_ports;
	if ((uint64_t)n * k->px.n <= k->fd_limit / 2)
		return -1;
	return (int)((id * UINT64_C(0x9e3779b97f4a7c15) >> 33) % k->px.n);
}

struct ctl_service *
control_service(struct control *k, const struct service *row)
{
	struct ctl_service *c = idmap_get(&k->services, row->id);

	if (c == NULL) {
		c = mem_alloc(sizeof(*c));
		c->id = row->id;
		c->control = k;
		c->svc = svc_new(row->id, k->px.n);
		c->owner = row->address.family == 0 ? -1 : owner(k, row->id);
		list_init(&c->ports.list);
		atomic_store(&c->svc->no_quorum, idmap_get(&k->no_quorum, row->id) != NULL);
		idmap_put(&k->services, c->id, c);
	}
	member_name(c->name, row->name);
	return c;
}

bool
control_serves(const struct service *row)
{
	return row != NULL && row->enabled && service_layer(row) == 7;
}

static struct view *
compile(struct pass *p, struct ctl_service *c, const struct service *row)
{
	const void *const *child;
	const struct setting *set = snapshot_setting(p->t.now);
	struct counterpart other;
	struct view_server *at;
	struct ctl_server *last;
	struct view *v;
	uint32_t i, n;

	child = snapshot_children(p->t.now, KIND_server, row->id, &n);
	at = mem_alloc((n + 2) * sizeof(*at));
	for (i = 0; i < c->n; i++)
		c->servers[i]->used = false;
	c->next = 0;
	counterpart_init(&other, p->t.now, row);
	for (i = 0; i < n; i++)
		compile_server(p, c, row, child[i], &other, &at[i]);
	counterpart_fini(&other);
	last = member_fallback(p->t.k, c, row);
	if (last != NULL)
		at[n++] = (struct view_server){ .srv = last->srv,
			.name = "fallback",
			.addr = last->addr,
			.port = row->fallback_port,
			.weight = 1,
			.host = c->back == NULL		   ? NULL
				: row->server_name[0] != 0 ? row->server_name
							   : row->fallback.text,
			.fresh = true };
	v = view_new(c->svc, row, at, n, c->front, c->back);
	view_share(v, other.table->id);
	tls_fields(p, row, v);
	v->rules = pools_rules(p->t.k, p->t.now, c, row);
	view_mirror(v, pools_mirror(p->t.k, p->t.now, row));
	v->page = row->id >= PAGE_ID;
	view_answers(v, sorry_pages(&p->t.k->bodies, p->t.now, row));
	if (set->block[0] != '\0' && !v->page)
		view_block(v, lists_find(p->t.k->lists, set->block),
		    set->block_action == block_action_reset);
	view_spread(v, c->view);
	free(at);
	member_sweep(p->t.k, c);
	return v;
}

static void
hand_over(struct control *k, struct ctl_service *c, struct view *v)
{
	bool renew = c->view != NULL &&
		     (c->view->mode != v->mode || (c->view->front == NULL) != (v->front == NULL));
	unsigned i;

	if (c->view != NULL && view_same(c->view, v)) {
		view_unref(v);
		return;
	}
	view_unref(c->view);
	c->view = v;
	for (i = 0; i < k->px.n; i++)
		if (ctl_known(c, i))
			must(worker_post(k->px.w[i], letter_view, view_ref(v), NULL) == 0);
	if (renew)
		ports_renew(c);
}

static void
service_free(struct control *k, struct ctl_service *c)
{
	uint32_t i;

	for (i = 0; i < c->n; i++)
		c->servers[i]->used = false;
	member_sweep(k, c);
	member_drop_fallback(c);
	idmap_put(&k->services, c->id, NULL);
	idmap_put(&k->no_quorum, c->id, NULL);
	if (stick_count(k->px.stick) > 0)
		(void)stick_clear(k->px.stick, c->id, 0, NULL);
	view_unref(c->view);
	svc_unref(c->svc);
	tls_ctx_unref(c->front);
	tls_ctx_unref(c->back);
	free(c);
}

static void
fault(struct pass *p, int code, const struct err *one)
{
	log_warn("%s", one->text);
	if (p->code != 0)
		return;
	p->code = code;
	if (p->err != NULL)
		*p->err = *one;
}

/* First pass: what is not wanted any more gives up its ports. */
static void
release(struct pass *p, uint32_t id)
{
	struct ctl_service *c = idmap_get(&p->t.k->services, id);
	const struct service *row = row_of(p, id);

	if (c != NULL)
		ports_release(p->t.k, c, control_serves(row) ? row : NULL);
}

/* What a service needs for TLS. When it cannot be made, the service goes on with what it had; false: it had nothing. */
static bool
secure(struct pass *p, struct ctl_service *c, const struct service *row)
{
	struct tls_ctx *front, *back;
	struct err one;
	int code;

	c->tls_missing = false;
	if (row->tls == 0 && row->server_tls == server_tls_off)
		front = back = NULL;
	else if ((code = tls_rows_of(p->t.k->tls, p->t.now, row, &front, &back, &one)) != 0) {
		(void)err_object(&one, "vip %s", row->name);
		fault(p, code, &one);
		c->tls_missing = true;
		return (row->tls == 0 || c->front != NULL) &&
		       (row->server_tls == server_tls_off || c->back != NULL);
	}
	tls_ctx_unref(c->front);
	tls_ctx_unref(c->back);
	c->front = front;
	c->back = back;
	return true;
}

/* Second pass: views, then ports. */
static void
establish(struct pass *p, uint32_t id)
{
	const struct service *row = row_of(p, id);
	struct ctl_service *c;
	struct err one;
	int code;

	if (!control_serves(row))
		return;
	c = control_service(p->t.k, row);
	if (!secure(p, c, row))
		return;
	hand_over(p->t.k, c, compile(p, c, row));
	cut_those(p, c, row);
	code = ports_open(p->t.k, c, row, &one);
	if (code != 0)
		fault(p, code, &one);
}

/* Last pass, after the orphans were closed: services that are gone. */
static void
forget(struct pass *p, uint32_t id)
{
	struct ctl_service *c = idmap_get(&p->t.k->services, id);
	const struct service *row = row_of(p, id);

	if (c == NULL || control_serves(row))
		return;
	letter_to_svc(p->t.k, c, letter_gone, c->svc);
	if (row == NULL || service_layer(row) != 7) {
		service_free(p->t.k, c);
		return;
	}
	view_unref(c->view); /* disabled: what it counted stays */
	c->view = NULL;
}

/* The next time at which an order runs out. */
static void
arm_orders(struct control *k)
{
	int64_t now = mono_wall_ms() / 1000, next = 0;
	const struct ctl_service *c;
	uint32_t at = 0;

	while ((c = idmap_next(&k->services, &at, NULL)) != NULL)
		if (c->next != 0 && (next == 0 || c->next < next))
			next = c->next;
	if (next == 0)
		loop_timer_cancel(&k->orders);
	else /* looked at again every minute: the wall clock may be set */
		loop_timer_set(&k->orders, next <= now	     ? 0
					   : next - now < 60 ? DUR_S(next - now)
							     : DUR_S(60));
}

static int
run(struct pass *p)
{
	struct control *k = p->t.k;
	struct ctl_service *c;
	uint32_t at, id;
	bool missing = false;

	p->now_s = mono_wall_ms() / 1000;
	for (at = 0; idmap_next(&p->t.ids, &at, &id) != NULL;)
		release(p, id);
	for (at = 0; idmap_next(&p->t.ids, &at, &id) != NULL;)
		if (!pools_leads(p->t.now, id)) /* pools come before those who use them */
			establish(p, id);
	for (at = 0; idmap_next(&p->t.ids, &at, &id) != NULL;)
		if (pools_leads(p->t.now, id))
			establish(p, id);
	ports_close(k);
	for (at = 0; idmap_next(&p->t.ids, &at, &id) != NULL;)
		forget(p, id);
	idmap_fini(&p->t.ids);
	for (at = 0; (c = idmap_next(&k->services, &at, NULL)) != NULL;)
		missing = missing || c->ports.missing || c->tls_missing;
	if (missing)
		loop_timer_set(&k->again, AGAIN);
	arm_orders(k);
	return p->code;
}

/* One service again, with the snapshot as it is. */
void
control_refresh(struct control *k, uint32_t service)
{
	struct pass p = { .t = { .k = k, .now = k->seen } };

	touched_one(&p.t, service);
	(void)run(&p);
}

static void
on_orders(void *arg)
{
	struct control *k = arg;
	struct pass p = { .t = { .k = k, .now = k->seen } };
	int64_t now = mono_wall_ms() / 1000;
	const struct ctl_service *c;
	uint32_t at = 0;

	while ((c = idmap_next(&k->services, &at, NULL)) != NULL)
		if (c->next != 0 && c->next <= now)
			touched_one(&p.t, c->id);
	(void)run(&p);
}

const char *
control_fault(const struct control *k)
{
	const char *keys = keys_fault(k->keys);

	return keys != NULL ? keys : lists_fault(k->lists);
}

void
control_again(void *arg)
{
	struct control *k = arg;
	struct err err = { 0 };
	struct pass p = { .t = { .k = k, .now = k->seen }, .err = &err };

	touched_by_lists(&p.t);
	touched_missing(&p.t);
	daemon_fault(k->d, run(&p) == 0 ? control_fault(k) : err.text);
}

/* Where access logs go, and whether there are any. */
static void
set_logs(struct control *k, const struct snapshot *now)
{
	const struct setting *set = snapshot_setting(now);
	struct log_target target;
	bool used = false;

	for (uint32_t i = 0; !used && i < snapshot_count(now, KIND_service); i++)
		used = ((const struct service *)snapshot_at(now, KIND_service, i))->log !=
		       access_log_off;
	if (log_target_parse(set->access_syslog, &target, NULL) == 0) /* the commit looked */
		logs_set(k->px.logs, &target, set->access_file, used);
}

int
control_apply(struct control *k, struct snapshot *now, struct err *err)
{
	struct pass p = { .t = { .k = k, .now = now }, .err = err };
	struct snapshot *old = k->seen;
	const struct setting *set = snapshot_setting(now);
	int code;

	atomic_store(&k->px.conns_max, set->proxy_conns);
	if (old != NULL && snapshot_setting(old)->threads != set->threads)
		log_info("setting main: threads: in force after lbd-proxy is restarted");
	set_logs(k, now);
	k->seen = snapshot_ref(now);
	touched_by_lists(&p.t);
	if (old == NULL)
		touched_all(&p.t);
	else
		(void)snapshot_diff(old, now, touched_on_change, &p.t);
	if (page_set(&k->page, now))
		for (unsigned i = 0; i < PAGES; i++)
			touched_one(&p.t, PAGE_ID + i);
	touched_missing(&p.t);
	counterpart_mark(p.t.now, &p.t.ids);
	code = run(&p);
	share_look(k);
	snapshot_unref(old);
	return code;
}

static void
on_tickets(void *arg)
{
	struct control *k = arg;

	tls_ticket_turn(mono_now() / 1000000, mono_wall_ms() / 1000);
	loop_timer_set(&k->tickets, TICKETS);
}

static void
on_tidy(void *arg)
{
	struct control *k = arg;

	tls_detach_tidy();
	loop_timer_set(&k->tidy, TIDY);
}

static void
on_pace(void *arg)
{
	struct control *k = arg;
	const struct ctl_service *c;
	int64_t now_s = mono_wall_ms() / 1000;
	mono_t now = mono_now();

	for (uint32_t at = 0; (c = idmap_next(&k->services, &at, NULL)) != NULL;) {
		svc_pace(c->svc, now);
		for (uint32_t i = 0; i < c->n; i++)
			srv_pace(c->servers[i]->srv, now, now_s);
	}
	loop_timer_set(&k->pace, PACE_EACH);
}

static struct evp_pkey_st *
key_of(void *arg, const char *hex)
{
	const struct control *k = arg;
	struct keystore *store = keys_store(k->keys);

	return store == NULL ? NULL : keystore_get(store, hex);
}

int
control_init(struct control *k, struct daemon *d, struct err *err)
{
	struct loop *l = daemon_loop(d);

	k->d = d;
	list_init(&k->orphans);
	list_init(&k->elders);
	handed_init(&k->handed);
	k->resolver = resolver_new(l);
	members_keep_names(k);
	k->tls = tls_rows_new(key_of, k);
	loop_timer_init(&k->tickets, l, on_tickets, k);
	on_tickets(k);
	loop_timer_init(&k->tidy, l, on_tidy, k);
	on_tidy(k);
	loop_timer_init(&k->pace, l, on_pace, k);
	on_pace(k);
	loop_timer_init(&k->orders, l, on_orders, k);
	loop_timer_init(&k->again, l, control_again, k);
	return crew_start(k, err);
}

void
control_fini(struct control *k)
{
	struct ctl_service *c;
	uint32_t at;

	crew_end(k);
	share_stop(k); /* before the services go: what goes with them is not forgotten */
	for (at = 0; (c = idmap_next(&k->services, &at, NULL)) != NULL; at = 0) {
		ports_release(k, c, NULL);
		service_free(k, c);
	}
	ports_forget(k);
	(void)handed_close(&k->handed);
	page_fini(&k->page);
	sorry_fini(&k->bodies);
	tls_rows_free(k->tls);
	idmap_fini(&k->no_quorum);
	idmap_fini(&k->services);
	idmap_fini(&k->servers);
	idmap_fini(&k->verdicts);
	stick_free(k->px.stick);
	resolver_free(k->resolver);
	loop_timer_fini(&k->orders);
	loop_timer_fini(&k->again);
	loop_timer_fini(&k->tickets);
	loop_timer_fini(&k->tidy);
	loop_timer_fini(&k->pace);
	snapshot_unref(k->seen);
}
