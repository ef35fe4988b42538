/* How services and servers stand: messages of the daemons merged with configuration and orders.
 *
 * Two arrays sorted by id, one of services and one of servers, run beside the snapshot. A new snapshot merges
 * them: rows that stay keep what was heard, new rows begin unknown. Colours and states are reckoned when asked
 * (state.h decides), so nothing here can grow stale by itself: only the clock and the links can.
 * What is said of rows that are not there yet is view_early.c, what layer 4 and quorums add is view_l4.c, asking the daemons view_collect.c, the words of the API view_json.c. */
#include "msg/phases.h"
#include "msg/view_priv.h"

#include "base/mem.h"
#include "base/must.h"
#include "msg/client.h"

#include <string.h>

struct view *
view_new(void)
{
	struct view *v = mem_alloc(sizeof(*v));
	unsigned i;

	while (client_daemons[v->daemons_n] != NULL)
		v->daemons_n++;
	v->daemons = mem_alloc((v->daemons_n + 1) * sizeof(*v->daemons));
	for (i = 0; i < v->daemons_n; i++)
		v->daemons[i].name = client_daemons[i];
	return v;
}

static void
free_floating(struct view_floating *f)
{
	free(f->fault);
	free(f->cause);
	free(f);
}

static void
drop_server(struct view_server *s)
{
	free(s->text);
	free(s->place);
	free(s->resolve_fault);
	free(s->hint_text);
}

static void
service_fini(struct view_service *s)
{
	free(s->fault);
	free(s->phases);
}

void
view_free(struct view *v)
{
	struct view_floating *f;
	uint32_t i;

	if (v == NULL)
		return;
	for (i = 0; i < v->servers_n; i++)
		drop_server(&v->servers[i]);
	for (i = 0; i < v->services_n; i++)
		service_fini(&v->services[i]);
	while ((f = v->floating) != NULL) {
		v->floating = f->next;
		free_floating(f);
	}
	view_early_forget(v, NULL);
	view_rules_free(v);
	free(v->servers);
	free(v->services);
	free(v->daemons);
	snapshot_unref(v->snap);
	free(v);
}

static uint32_t
row_id(const struct snapshot *s, unsigned kind, uint32_t at)
{
	uint32_t id;

	memcpy(&id, snapshot_at(s, kind, at), sizeof(id)); /* every row begins with its id */
	return id;
}

static void
merge_services(struct view *v, struct snapshot *s)
{
	uint32_t i, old = 0, n = snapshot_count(s, KIND_service);
	struct view_service *a = mem_alloc((n + 1) * sizeof(*a));

	for (i = 0; i < n; i++) {
		a[i].id = row_id(s, KIND_service, i);
		while (old < v->services_n && v->services[old].id < a[i].id)
			service_fini(&v->services[old++]);
		if (old < v->services_n && v->services[old].id == a[i].id)
			a[i] = v->services[old++];
	}
	while (old < v->services_n)
		service_fini(&v->services[old++]);
	free(v->services);
	v->services = a;
	v->services_n = n;
}

static void
merge_servers(struct view *v, struct snapshot *s)
{
	uint32_t i, old = 0, n = snapshot_count(s, KIND_server);
	struct view_server *a = mem_alloc((n + 1) * sizeof(*a));

	for (i = 0; i < n; i++) {
		a[i].id = row_id(s, KIND_server, i);
		while (old < v->servers_n && v->servers[old].id < a[i].id)
			drop_server(&v->servers[old++]);
		if (old < v->servers_n && v->servers[old].id == a[i].id)
			a[i] = v->servers[old++];
	}
	while (old < v->servers_n)
		drop_server(&v->servers[old++]);
	free(v->servers);
	v->servers = a;
	v->servers_n = n;
}

void
view_use(struct view *v, struct snapshot *s)
{
	merge_services(v, s);
	merge_servers(v, s);
	(void)snapshot_ref(s);
	snapshot_unref(v->snap);
	v->snap = s;
	view_early_use(v);
	view_rules_use(v);
}

struct snapshot *
view_snapshot(const struct view *v)
{
	return v->snap;
}

void
view_clock(struct view *v, mono_t now)
{
	v->now = now;
	if (v->role.heard && now - v->role_at > VIEW_HA_STALE)
		v->role.heard = false;
}

int64_t
view_role_age(const struct view *v)
{
	return v->role_at == 0 ? 0 : (v->now - v->role_at) / 1000;
}

/* Rows are in the order of their ids, which stand first in them. */
static int
compare_id(const void *key, const void *row)
{
	uint32_t a = *(const uint32_t *)key, b = *(const uint32_t *)row;

	return (a > b) - (a < b);
}

const struct view_service *
view_service(const struct view *v, uint32_t id)
{
	_Static_assert(offsetof(struct view_service, id) == 0, "found by compare_id");
	return v->services_n == 0
		   ? NULL
		   : bsearch(&id, v->services, v->services_n, sizeof(*v->services), compare_id);
}

const struct view_server *
view_server(const struct view *v, uint32_t id)
{
	_Static_assert(offsetof(struct view_server, id) == 0, "found by compare_id");
	return v->servers_n == 0
		   ? NULL
		   : bsearch(&id, v->servers, v->servers_n, sizeof(*v->servers), compare_id);
}

static bool
same_text(const char *a, struct span b)
{
	return a == NULL ? b.len == 0 : strlen(a) == b.len && memcmp(a, b.p, b.len) == 0;
}

static char *
text_or_null(struct span s)
{
	return s.len == 0 ? NULL : span_dup(s);
}

void
view_keep_text(char **slot, struct span text)
{
	if (same_text(*slot, text))
		return;
	free(*slot);
	*slot = text_or_null(text);
}

static bool
on_health(struct view *v, const struct msg_health *m)
{
	const struct view_server *found = view_server(v, m->server);
	struct view_server *s;
	bool changed;

	if (found == NULL)
		return false;
	s = &v->servers[found - v->servers];
	changed = !s->heard || s->verdict != m->verdict || s->reason != m->reason;
	s->heard = true;
	s->verdict = m->verdict <= VERDICT_DOWN ? m->verdict : VERDICT_UNKNOWN;
	s->reason = m->reason;
	s->turns = m->turns;
	s->since = m->since;
	s->at = m->at;
	s->latency_us = m->latency;
	s->probes = m->probes;
	s->failed = m->failed;
	s->downs = m->downs;
	s->downtime_us = m->downtime;
	s->status = m->status;
	s->resolved = m->resolved;
	view_keep_text(&s->text, m->text);
	view_keep_text(&s->place, m->place);
	view_keep_text(&s->resolve_fault, m->resolve_fault);
	return changed;
}

static float
per_second(uint64_t before, uint64_t now, dur_t passed)
{
	return passed <= 0 || now < before ? 0
					   : (float)((double)(now - before) * 1e6 / (double)passed);
}

static void
on_service_counts(struct view *v, const struct msg_counts *m)
{
	const struct view_service *found = view_service(v, m->id);
	struct service_counters c = { 0 };
	struct view_service *s;
	dur_t passed;

	if (found == NULL || counters_take(service_counters, service_counters_n, m->values.p,
				 m->values.len, &c) != 0)
		return;
	s = &v->services[found - v->services];
	passed = s->counted ? v->now - s->counted_at : 0;
	s->rate = (struct view_rates){
		.conns = per_second(s->counts.conns_total, c.conns_total, passed),
		.requests = per_second(s->counts.requests_total, c.requests_total, passed),
		.bytes_in = per_second(s->counts.bytes_in, c.bytes_in, passed),
		.bytes_out = per_second(s->counts.bytes_out, c.bytes_out, passed),
	};
	s->counted = true;
	s->counted_at = v->now;
	s->since = m->since;
	s->counts = c;
	if (m->phases.len == 0 && s->phases == NULL)
		return;
	if (s->phases == NULL)
		s->phases = mem_alloc(sizeof(*s->phases));
	if (phases_take(m->phases.p, m->phases.len, s->phases) != 0)
		memset(s->phases, 0, sizeof(*s->phases));
}

static void
on_server_counts(struct view *v, const struct msg_counts *m)
{
	const struct view_server *found = view_server(v, m->id);
	struct server_counters c = { 0 };
	struct view_server *s;
	dur_t passed;

	if (found == NULL ||
	    counters_take(server_counters, server_counters_n, m->values.p, m->values.len, &c) != 0)
		return;
	s = &v->servers[found - v->servers];
	passed = s->counted ? v->now - s->counted_at : 0;
	s->rate = (struct view_rates){
		.conns = per_second(s->counts.conns_total, c.conns_total, passed),
		.requests = per_second(s->counts.requests_total, c.requests_total, passed),
		.bytes_in = per_second(s->counts.bytes_in, c.bytes_in, passed),
		.bytes_out = per_second(s->counts.bytes_out, c.bytes_out, passed),
	};
	s->counted = true;
	s->counted_at = v->now;
	s->counts = c;
}

static bool
on_role(struct view *v, const struct msg_role *m)
{
	struct view_role r = { .heard = true,
		.active = m->active,
		.master = m->master,
		.peer = m->peer,
		.addresses = m->addresses,
		.outside = m->outside,
		.in_sync = m->in_sync,
		.pending = m->pending,
		.entries = m->entries,
		.link = m->link < LINKS ? m->link : LINK_NONE,
		.since = m->since };
	bool changed = !v->role.heard || v->role.active != r.active || v->role.master != r.master ||
		       v->role.peer != r.peer || v->role.link != r.link ||
		       v->role.addresses != r.addresses;

	v->role = r;
	v->role_at = v->now;
	return changed;
}

/* In the order of the message's numbers. */
static const char *
route_word(unsigned n)
{
	static const char *const words[] = { "", "open", "withdrawn", "last resort", "announced" };

	return n < ARRAY_LEN(words) ? words[n] : "";
}

static bool
on_floating(struct view *v, const struct msg_floating *m)
{
	struct view_floating **at = &v->floating, *f;
	char address[ADDR_TEXT];
	bool changed;

	span_text(m->address, address, sizeof(address));
	while (*at != NULL && strcmp((*at)->address, address) < 0)
		at = &(*at)->next;
	f = *at != NULL && strcmp((*at)->address, address) == 0 ? *at : NULL;
	if (m->services == 0 && !m->manual) {
		if (f == NULL)
			return false;
		*at = f->next;
		free_floating(f);
		return true;
	}
	changed = f == NULL || f->held != m->held || !same_text(f->fault, m->fault) ||
		  f->route != route_word(m->route);
	if (f == NULL) {
		f = mem_alloc(sizeof(*f));
		f->next = *at;
		*at = f;
		memcpy(f->address, address, sizeof(address));
	}
	span_text(m->interface, f->interface, sizeof(f->interface));
	f->held = m->held;
	f->manual = m->manual;
	f->services = m->services;
	free(f->fault);
	f->fault = text_or_null(m->fault);
	f->route = route_word(m->route);
	free(f->cause);
	f->cause = text_or_null(m->cause);
	return changed;
}

static void
on_daemon(struct view *v, const struct msg_daemon *m)
{
	char name[32];
	unsigned i;

	span_text(m->program, name, sizeof(name));
	for (i = 0; i < v->daemons_n; i++) {
		struct view_daemon *d = &v->daemons[i];

		if (strcmp(d->name, name) != 0)
			continue;
		d->running = true;
		d->pid = m->pid;
		d->revision = m->revision;
		d->local = m->local;
		d->oper = m->oper;
		d->started = m->started;
		d->rss = m->rss;
		d->cpu = m->cpu;
		d->log_lines = m->log_lines;
		d->log_dropped = m->log_dropped;
		d->staples = m->staples;
		d->staples_missing = m->staples_missing;
		span_text(m->release, d->release, sizeof(d->release));
		span_text(m->fault, d->fault, sizeof(d->fault));
		span_text(m->head, d->head, sizeof(d->head));
	}
}

bool
view_row(struct view *v, const struct msg_row *row, const union msg_any *m)
{
	if (view_early_keep(v, row, m))
		return false;
	switch (row->number) {
	case MSG_HEALTH: return v->snap != NULL && on_health(v, &m->health);
	case MSG_QUORUM: return view_on_quorum(v, &m->quorum);
	case MSG_L4_SERVICE: return view_on_l4_service(v, &m->l4_service);
	case MSG_L4_HINT: return view_on_l4_hint(v, &m->l4_hint);
	case MSG_ROLE: return on_role(v, &m->role);
	case MSG_HA_PEER: return view_on_peer(v, &m->ha_peer);
	case MSG_HA_GROUP: return view_on_group(v, &m->ha_group);
	case MSG_HA_CARRIER: return view_on_carrier(v, &m->ha_carrier);
	case MSG_HA_CHECK: return view_on_check(v, &m->ha_check);
	case MSG_HA_VRRP: return view_on_vrrp(v, &m->ha_vrrp);
	case MSG_HA_ALARM: return view_on_alarm(v, &m->ha_alarm);
	case MSG_FLOATING: return on_floating(v, &m->floating);
	case MSG_SERVICE_COUNTS: on_service_counts(v, &m->counts); return false;
	case MSG_SERVER_COUNTS: on_server_counts(v, &m->counts); return false;
	case MSG_RULE_IS: view_on_rules(v, &m->rule_is); return false;
	case MSG_DAEMON: on_daemon(v, &m->daemon); return false;
	default: return false;
	}
}

static void
source_here(struct view *v, struct view_source *s, bool here)
{
	if (!here && s->here)
		s->left_at = v->now;
	s->here = here;
	s->known = s->known || here;
}

bool
view_fresh(const struct view *v, const struct view_source *s)
{
	return s->known && (s->here || v->now - s->left_at <= VIEW_STALE);
}

void
view_here(struct view *v, const char *daemon, bool here)
{
	unsigned i;

	if (here)
		view_early_forget(v, daemon);
	if (here && strcmp(daemon, "lbd-ha") == 0)
		memset(v->vrrps, 0, sizeof(v->vrrps)); /* those that there are follow */
	for (i = 0; i < v->daemons_n; i++)
		if (!here && strcmp(v->daemons[i].name, daemon) == 0)
			v->daemons[i].running = false;
	if (strcmp(daemon, "lbd-check") == 0)
		source_here(v, &v->check, here);
	if (strcmp(daemon, "lbd-ipvs") == 0) {
		source_here(v, &v->ipvs, here);
		v->l4_turn = (uint16_t)(v->l4_turn + here);
	}
}

const struct view_role *
view_role(const struct view *v)
{
	return &v->role;
}

const struct view_floating *
view_floating(const struct view *v)
{
	return v->floating;
}

const struct view_daemon *
view_daemons(const struct view *v, unsigned *n_out)
{
	*n_out = v->daemons_n;
	return v->daemons;
}

enum verdict
view_verdict(const struct view *v, uint32_t server_id)
{
	const struct view_server *s = view_server(v, server_id);

	return s != NULL && s->heard && view_fresh(v, &v->check) ? s->verdict : VERDICT_UNKNOWN;
}

enum server_state
view_server_state(const struct view *v, const struct server *srv)
{
	return server_state(snapshot_admin(v->snap, srv->id), view_verdict(v, srv->id),
	    view_hint(v, srv->id) != NULL);
}

enum status
view_service_status(const struct view *v, const struct service *s, struct service_view *tally_out)
{
	const struct view_service *quorum = view_quorum(v, s->id), *l4 = view_l4(v, s->id);
	struct service_view t = { .no_quorum = quorum != NULL && !quorum->quorum_met,
		.fallback = view_fallback(v, s),
		.fault = l4 != NULL && !l4->loaded };
	uint32_t i, n;
	const void *const *rows = snapshot_children(v->snap, KIND_server, s->id, &n);

	for (i = 0; i < n; i++) {
		switch (view_server_state(v, rows[i])) {
		case SRV_UP: t.up++; break;
		case SRV_WARN: t.warn++; break;
		case SRV_DOWN: t.down++; break;
		case SRV_DRAIN: t.drain++; break;
		case SRV_HALT: t.halt++; break;
		case SRV_UNKNOWN: t.unknown++; break;
		}
	}
	if (tally_out != NULL)
		*tally_out = t;
	return service_status(s->enabled, &t);
}

void
view_totals(const struct view *v, struct view_totals *out)
{
	struct service_view t;
	uint32_t i;

	*out = (struct view_totals){ 0 };
	for (i = 0; i < v->services_n; i++) {
		const struct view_service *s = &v->services[i];

		out->services[view_service_status(v, snapshot_at(v->snap, KIND_service, i), &t)]++;
		out->servers[SRV_UP] += t.up;
		out->servers[SRV_WARN] += t.warn;
		out->servers[SRV_DOWN] += t.down;
		out->servers[SRV_DRAIN] += t.drain;
		out->servers[SRV_HALT] += t.halt;
		out->servers[SRV_UNKNOWN] += t.unknown;
		if (service_layer(snapshot_at(v->snap, KIND_service, i)) == 7) {
			out->proxied += s->counts.conns;
			out->proxied_rate += s->rate.conns;
		}
		out->conns += s->counts.conns;
		out->rate.conns += s->rate.conns;
		out->rate.requests += s->rate.requests;
		out->rate.bytes_in += s->rate.bytes_in;
		out->rate.bytes_out += s->rate.bytes_out;
	}
}

bool
view_near_limit(const struct view_totals *t, uint32_t most)
{
	return t->proxied * 5 >= (uint64_t)most * 4;
}

bool
view_safe_to_power_off(const struct view *v, const struct server *srv)
{
	const struct view_server *s = view_server(v, srv->id);
	enum server_state st = view_server_state(v, srv);

	return (st == SRV_DRAIN || st == SRV_HALT) && s != NULL && s->counted &&
	       s->counts.conns == 0;
}
