/* adverts.c - gathers what decides whether routers are told the way to an address: is it here (hold.c), do its services
 * have a quorum (lbd-check), does the kernel have them (lbd-ipvs), does lbd-proxy run, is the node fit (tracks). What they
 * mean is advert.c; who is told, and how, notify_route.c.
 *
 * All of it is reckoned once at the end of a turn in which something changed, and only while there is a row that tells
 * routers. Nobody waits for a daemon that is away: what it said last stands. But lbd-proxy carries its traffic itself: one
 * that is away longer than a restart takes does not serve, also when it was never there since this process started. */
#include "adverts.h"

#include "notify.h"

#include "base/idmap.h"
#include "base/mem.h"
#include "sys/log.h"

#include <stdlib.h>
#include <string.h>

#define PROXY_AWAY DUR_S(5)  /* as a track of a daemon */
#define LEAVE_MOST DUR_S(10) /* the longest wait for scripts at the end */

struct adverts {
	struct daemon *d;
	struct ha_role *role;
	struct adverts_ops ops;
	struct bus_link *ipvs, *proxy;
	struct idmap services; /* id: struct advert_facts */
	bool proxy_up, proxy_known;
	struct loop_timer look, away;
	struct floating *f; /* the addresses */
	uint32_t f_n;
	struct advert_row *rows; /* as they stand; rows_n 0: nobody is told */
	uint32_t rows_n;
	bool set, left;
};

static struct advert_facts *
facts(struct adverts *k, uint32_t id)
{
	struct advert_facts *f = idmap_get(&k->services, id);

	if (f != NULL)
		return f;
	f = mem_alloc(sizeof(*f));
	idmap_put(&k->services, id, f);
	return f;
}

static void
sum_up(struct adverts *k, const struct snapshot *s, const struct addr *a, struct advert_sum *sum)
{
	char why[ADVERT_WHY];

	*sum = (struct advert_sum){ 0 };
	for (uint32_t i = 0; i < snapshot_count(s, KIND_service); i++) {
		const struct service *svc = snapshot_at(s, KIND_service, i);
		struct advert_facts f;

		if (!svc->enabled || !advert_uses(svc, a))
			continue;
		f = *facts(k, svc->id);
		f.proxy_known = k->proxy_known;
		f.proxy_there = k->proxy_up;
		advert_add(sum, svc, advert_serving(svc, &f, why), why);
	}
}

static void
reckon(
    struct adverts *k, const struct snapshot *s, const struct floating *f, struct advert_row *out)
{
	const char *unfit =
	    role_unfit(k->role) ? "a track of weight 0 is bad: this node is not fit" : "";
	struct advert_sum sum;

	*out = (struct advert_row){ .addr = f->addr, .group = f->group };
	memcpy(out->ifname, f->ifname, sizeof(out->ifname));
	sum_up(k, s, &f->addr, &sum);
	out->now = advert_decide(&sum, f->held && !k->left, unfit, out->why);
}

static const char *
word(enum advert a)
{
	return a == ADVERT_ANNOUNCE ? "announced"
	       : a == ADVERT_LAST   ? "announced as the last resort"
	       : a == ADVERT_OPEN   ? "not decided"
				    : "withdrawn";
}

static void
tell_turn(struct adverts *k, const struct advert_row *was, const struct advert_row *now)
{
	char text[ADDR_TEXT];

	if (was != NULL && was->now == now->now && strcmp(was->why, now->why) == 0)
		return;
	addr_format(&now->addr, ADDR_HOST, text);
	if (was == NULL || was->now != now->now)
		log_info("fip %s: route %s: %s", text, word(now->now), now->why);
	k->ops.turned(k->ops.arg, now);
}

static struct advert_row *
find(struct advert_row *rows, uint32_t n, const struct addr *a)
{
	for (uint32_t lo = 0, hi = n; lo < hi;) {
		uint32_t at = lo + (hi - lo) / 2;
		int order = a->family != rows[at].addr.family
				? (int)a->family - (int)rows[at].addr.family
				: memcmp(a->b, rows[at].addr.b, sizeof(a->b));

		if (order == 0)
			return &rows[at];
		if (order < 0)
			hi = at;
		else
			lo = at + 1;
	}
	return NULL;
}

/* Rows that tell routers came or went, or the addresses; then what differs. */
static void
on_look(void *arg)
{
	struct adverts *k = arg;
	struct snapshot *s = daemon_snapshot(k->d);
	bool any = notify_has_routes(role_notifier(k->role));
	struct advert_row *old = k->rows;
	uint32_t old_n = k->rows_n;

	if (s == NULL || !k->set)
		return;
	k->rows = mem_alloc((k->f_n + 1) * sizeof(*k->rows));
	k->rows_n = any ? k->f_n : 0;
	for (uint32_t i = 0; i < k->rows_n; i++)
		reckon(k, s, &k->f[i], &k->rows[i]);
	if (any)
		notify_routes(role_notifier(k->role), k->rows, k->rows_n);
	for (uint32_t i = 0; i < k->rows_n; i++)
		tell_turn(k, find(old, old_n, &k->rows[i].addr), &k->rows[i]);
	for (uint32_t i = 0; i < old_n && !any; i++) {
		old[i].now = ADVERT_NONE;
		k->ops.turned(k->ops.arg, &old[i]);
	}
	free(old);
}

void
adverts_look(struct adverts *k)
{
	loop_timer_set(&k->look, 0);
}

void
adverts_set(struct adverts *k, const struct floating *f, uint32_t n)
{
	free(k->f);
	k->f = mem_alloc((n + 1) * sizeof(*f));
	if (n > 0)
		memcpy(k->f, f, n * sizeof(*f));
	k->f_n = n;
	k->set = true;
	adverts_look(k);
}

const struct advert_row *
adverts_find(const struct adverts *k, const struct addr *a)
{
	return find(k->rows, k->rows_n, a);
}

void
adverts_leave(struct adverts *k, void (*done)(void *arg), void *arg)
{
	k->left = true;
	on_look(k);
	notify_settle(role_notifier(k->role), LEAVE_MOST, done, arg);
}

/* ---- the daemons ----------------------------------------------------------------------------------------------- */

void
adverts_quorum(struct adverts *k, const struct msg_quorum *m)
{
	struct advert_facts *f = facts(k, m->service);

	f->quorum_known = true;
	f->met = m->met;
	f->weight = m->weight;
	adverts_look(k);
}

static void
on_ipvs(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct adverts *k = arg;
	struct advert_facts *f;

	if (row->number != MSG_L4_SERVICE)
		return;
	f = facts(k, m->l4_service.service);
	f->kernel_known = true;
	f->loaded = m->l4_service.loaded;
	adverts_look(k);
}

static void
on_proxy_up(void *arg)
{
	struct adverts *k = arg;

	loop_timer_cancel(&k->away);
	k->proxy_known = k->proxy_up = true;
	adverts_look(k);
}

static void
on_proxy_down(void *arg)
{
	struct adverts *k = arg;

	loop_timer_set(&k->away, PROXY_AWAY);
}

static void
on_proxy_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	(void)arg;
	(void)row;
	(void)m; /* no topic is asked for */
}

static void
on_away(void *arg)
{
	struct adverts *k = arg;

	k->proxy_known = true;
	k->proxy_up = false;
	adverts_look(k);
}

struct adverts *
adverts_new(struct daemon *d, struct ha_role *r, const struct adverts_ops *ops)
{
	struct adverts *k = mem_alloc(sizeof(*k));
	const struct bus_link_ops ipvs = {
		.daemon = "lbd-ipvs", .topics = TOPIC_L4, .row = on_ipvs, .arg = k
	};
	const struct bus_link_ops proxy = { .daemon = "lbd-proxy",
		.up = on_proxy_up,
		.row = on_proxy_row,
		.down = on_proxy_down,
		.arg = k };

	k->d = d;
	k->role = r;
	k->ops = *ops;
	loop_timer_init(&k->look, daemon_loop(d), on_look, k);
	loop_timer_init(&k->away, daemon_loop(d), on_away, k);
	loop_timer_set(&k->away, PROXY_AWAY);
	k->ipvs = bus_link_new(daemon_loop(d), daemon_paths(d), "lbd-ha", &ipvs);
	k->proxy = bus_link_new(daemon_loop(d), daemon_paths(d), "lbd-ha", &proxy);
	return k;
}

void
adverts_free(struct adverts *k)
{
	uint32_t at = 0;
	void *f;

	if (k == NULL)
		return;
	bus_link_free(k->ipvs);
	bus_link_free(k->proxy);
	loop_timer_fini(&k->look);
	loop_timer_fini(&k->away);
	while ((f = idmap_next(&k->services, &at, NULL)) != NULL)
		free(f);
	idmap_fini(&k->services);
	free(k->f);
	free(k->rows);
	free(k);
}
