/* want.c - what the kernel should hold for one virtual service of layer 4, now.
 *
 * Three steps. Each server is judged: what its verdict, the operator's order and slow start leave of its weight, or that
 * it has no place in the kernel at all. Then the service: do its servers take the clients, or the fallback? Last the
 * kernel's words for it: a service by address, or one by mark for each address family, with every server that the family
 * and the way of forwarding allow.
 *
 * A server that is left at weight 0 keeps its connections; one that is absent loses them without a word to anybody (the
 * kernel drops their packets). So one whose connections are cut stays at weight 0 until that is done.
 *
 * Nothing here asks the kernel, the clock or the store. Ranges are those of net/netfilter/ipvs/ip_vs_ctl.c. */
#include "plan/want.h"

#include "base/mem.h"

#include <linux/ip_vs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define FALLBACK_WEIGHT 1
#define SH_TABLE 256 /* CONFIG_IP_VS_SH_TAB_BITS 8, as everybody has it */

struct judged {
	const struct server *srv;
	uint32_t weight;
	bool absent;
};

struct build {
	const struct want_input *in;
	const struct service *svc;
	struct want_output *out;
	uint32_t mark;
	bool persistent;
	bool stand_in; /* the fallback should take the clients, if there is one */
	uint32_t n;
	struct judged *server;
};

uint32_t
want_mark(const struct service *s)
{
	bool one = (s->more_addresses == NULL || s->more_addresses->n == 0) && s->ports->n == 1 &&
		   s->ports->r[0].lo == s->ports->r[0].hi && s->protocol != protocol_tcp_udp;

	if (service_layer(s) != 4)
		return 0;
	if (s->mark != 0)
		return s->mark;
	return one && s->mode != mode_snat ? 0 : MARK_BASE + s->id;
}

uint32_t
want_slow_start(uint32_t weight, uint32_t slow_ms, int64_t since_ms, int64_t *next_out)
{
	int64_t n = weight < SLOW_STEPS ? weight : SLOW_STEPS, step;

	*next_out = 0;
	if (weight < 2 || slow_ms == 0 || since_ms >= slow_ms)
		return weight;
	if (since_ms < 0)
		since_ms = 0; /* the clock was set back */
	step = since_ms * n / slow_ms;
	*next_out = ((step + 1) * slow_ms + n - 1) / n - since_ms;
	return step == 0 ? 1 : (uint32_t)(weight * step / n);
}

/* ---- servers ------------------------------------------------------------------------------ */

static void
change_at(struct want_output *out, int64_t ms)
{
	if (ms != 0 && (out->next_ms == 0 || ms < out->next_ms))
		out->next_ms = ms;
}

static void
cut(struct build *b, struct judged *j, const struct want_fit *fit)
{
	struct want_output *out = b->out;
	int64_t now = b->in->now_ms, began = fit != NULL && fit->cut_ms != 0 ? fit->cut_ms : now;

	out->cut = mem_grow(out->cut, (out->cut_n + 1) * sizeof(*out->cut));
	out->cut[out->cut_n++] = j->srv->id;
	j->weight = 0;
	j->absent = now - began >= WANT_CUT_MS;
	change_at(out, j->absent ? 0 : began + WANT_CUT_MS);
}

static void
judge_unfit(struct build *b, struct judged *j, const struct want_fit *fit)
{
	j->weight = 0;
	if (fit != NULL && fit->verdict == VERDICT_DOWN && b->svc->drop_on_failure)
		cut(b, j, fit);
	else
		j->absent = b->svc->on_failure == failure_remove ||
			    (b->persistent && b->in->templates_stay);
}

static void
judge(struct build *b, struct judged *j)
{
	const struct want_input *in = b->in;
	const struct want_fit *fit = in->fit(in->arg, j->srv->id);
	enum verdict v = fit != NULL ? fit->verdict : VERDICT_UNKNOWN;
	struct admission order;
	int64_t next;

	j->weight = snapshot_weight(in->s, j->srv);
	admission_of(
	    snapshot_admin(in->s, j->srv->id), b->svc, j->weight, in->now_ms / 1000, &order);
	change_at(b->out, order.next * 1000);
	if (order.cut) {
		cut(b, j, fit);
	} else if (!server_fit(snapshot_check_of(in->s, j->srv), v)) {
		judge_unfit(b, j, fit);
	} else if (!order.fresh) {
		b->out->keeps = b->out->keeps || (b->persistent && order.known);
	} else if (fit != NULL && fit->up_ms != 0) {
		j->weight =
		    want_slow_start(j->weight, b->svc->slow_start, in->now_ms - fit->up_ms, &next);
		change_at(b->out, next != 0 ? in->now_ms + next : 0);
	}
}

static void
judge_all(struct build *b)
{
	const void *const *rows = snapshot_children(b->in->s, KIND_server, b->svc->id, &b->n);
	uint32_t usable = 0;

	b->server = mem_alloc((b->n + 1) * sizeof(*b->server));
	for (uint32_t i = 0; i < b->n; i++) {
		b->server[i].srv = rows[i];
		judge(b, &b->server[i]);
		usable += b->server[i].weight > 0;
	}
	b->stand_in = usable == 0 || (b->in->quorum_known && !b->in->quorum_met);
}

/* ---- the kernel's words ------------------------------------------------------------------- */

static uint8_t
mode_forward(unsigned mode)
{
	return mode == mode_dr ? IPVS_DR : mode == mode_tun ? IPVS_TUN : IPVS_MASQ;
}

static uint8_t
forward_of(unsigned word, unsigned mode)
{
	switch (word) {
	case forward_dr: return IPVS_DR;
	case forward_nat: return IPVS_MASQ;
	case forward_tun: return IPVS_TUN;
	default: return mode_forward(mode);
	}
}

static void
set_tunnel(struct ipvs_dest *d, unsigned kind, uint16_t port, unsigned csum)
{
	if (d->forward != IPVS_TUN || kind == tunnel_ipip)
		return;
	d->tunnel =
	    kind == tunnel_gre ? IP_VS_CONN_F_TUNNEL_TYPE_GRE : IP_VS_CONN_F_TUNNEL_TYPE_GUE;
	d->tunnel_port = kind == tunnel_gue ? port : 0;
	if (csum == checksum_full)
		d->tunnel_flags = IP_VS_TUNNEL_ENCAP_FLAG_CSUM;
	else if (csum == checksum_remote && kind == tunnel_gue)
		d->tunnel_flags = IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM;
}

/* Only rewriting changes the port: else the packet arrives at the server as it came here. Port 0 with a mark is the
 * port that the client used. */
static uint16_t
dest_port(const struct build *b, uint8_t forward, uint16_t port)
{
	uint16_t own = b->mark != 0 ? 0 : b->svc->ports->r[0].lo;

	return forward == IPVS_MASQ && port != 0 ? port : own;
}

/* The kernel carries packets of one family to a server of another inside a tunnel only. */
static bool
reachable(const struct ipvs_service *k, const struct ipvs_dest *d)
{
	return d->addr.family != 0 && (d->addr.family == k->key.family || d->forward == IPVS_TUN);
}

/* The place of this address and port in the service; NULL when it is not there. */
static struct ipvs_dest *
place(const struct ipvs_service *k, const struct ipvs_dest *d)
{
	for (uint32_t i = 0; i < k->n; i++)
		if (k->dest[i].port == d->port && addr_same_host(&k->dest[i].addr, &d->addr))
			return &k->dest[i];
	return NULL;
}

static void
set_limits(struct ipvs_dest *d, const struct server *r)
{
	d->upper = r->max_conns;
	/* As the kernel has it without a lower limit: it takes clients again below three quarters. */
	d->lower =
	    r->min_conns != 0 ? r->min_conns : (uint32_t)(((uint64_t)r->max_conns * 3 + 3) / 4);
	if (d->lower > d->upper)
		d->lower = d->upper;
}

static void
add_server(const struct build *b, struct ipvs_service *k, const struct judged *j)
{
	const struct service *s = b->svc;
	const struct server *r = j->srv;
	struct ipvs_dest d = { .addr = r->address.addr, .weight = j->weight, .server = r->id };

	d.forward = forward_of(r->forward, s->mode);
	d.port = dest_port(b, d.forward, r->port);
	if (r->forward == forward_service)
		set_tunnel(&d, s->tunnel, s->tunnel_port, s->tunnel_csum);
	else
		set_tunnel(&d, r->tunnel, r->tunnel_port, r->tunnel_csum);
	set_limits(&d, r);
	if (!j->absent && reachable(k, &d) && place(k, &d) == NULL)
		k->dest[k->n++] = d;
}

enum ipvs_forward
want_forward(const struct service *s, const struct server *r)
{
	return forward_of(r != NULL ? r->forward : s->fallback_forward, s->mode);
}

/* An address of the service in this family; family 0: none. */
static struct addr
own_address(const struct service *s, uint8_t family)
{
	const struct addrs *more = s->more_addresses;

	if (s->address.family == family)
		return s->address;
	for (unsigned i = 0; more != NULL && i < more->n; i++)
		if (more->r[i].lo.family == family)
			return more->r[i].lo;
	return (struct addr){ 0 };
}

/* The fallback server; or this node itself, where lbd-proxy serves a page at the virtual address and a port of its own
 * (the kernel takes packets for an address of the node in, loopback's aside). */
static bool
fallback_of(const struct build *b, const struct ipvs_service *k, struct ipvs_dest *out)
{
	const struct service *s = b->svc;
	struct ipvs_dest d = { .weight = FALLBACK_WEIGHT };

	if (s->fallback.text[0] != '\0') {
		d.addr = s->fallback.addr;
		d.forward = forward_of(s->fallback_forward, s->mode);
		d.port = dest_port(b, d.forward, s->fallback_port);
		set_tunnel(&d, s->tunnel, s->tunnel_port, s->tunnel_csum);
	} else if (s->fallback_page &&
		   (s->protocol == protocol_tcp || s->protocol == protocol_tcp_udp)) {
		d.addr = own_address(s, k->key.family);
		d.forward = IPVS_MASQ;
		d.port = snapshot_setting(b->in->s)->sorry_port;
	}
	*out = d;
	return reachable(k, &d);
}

static void
add_fallback(const struct build *b, struct ipvs_service *k)
{
	struct ipvs_dest d, *there;

	if (!b->stand_in || !fallback_of(b, k, &d))
		return;
	b->out->fallback = true;
	for (uint32_t i = 0; i < k->n; i++)
		k->dest[i].weight = 0;
	there = place(k, &d);
	if (there != NULL)
		there->weight = FALLBACK_WEIGHT;
	else
		k->dest[k->n++] = d;
	switch (b->svc->scheduler) {
	case scheduler_sh:
	case scheduler_mh:
	case scheduler_dh:
	case scheduler_ovf:
		(void)snprintf(k->scheduler, sizeof(k->scheduler), "%s",
		    word_text(&scheduler_list, scheduler_wlc));
		k->flags &= ~(uint32_t)(IP_VS_SVC_F_SCHED1 | IP_VS_SVC_F_SCHED2);
		break;
	default: break;
	}
}

static void
set_persistence(const struct build *b, struct ipvs_service *k)
{
	const struct service *s = b->svc;
	uint32_t most = k->key.family == 4 ? 32 : 128, least = k->key.family == 4 ? 0 : 1;

	k->netmask = most;
	if (!b->persistent)
		return;
	k->flags |= IP_VS_SVC_F_PERSISTENT;
	k->timeout_s = (s->persist_timeout + 999) / 1000;
	/* The call counts, and of the client's address what the mask says. */
	if (s->persistence == persistence_sip)
		(void)snprintf(k->pe, sizeof(k->pe), "%s", "sip");
	k->netmask = s->persist_mask > most    ? most
		     : s->persist_mask < least ? least
					       : s->persist_mask;
}

static void
set_scheduler(const struct service *s, struct ipvs_service *k)
{
	(void)snprintf(
	    k->scheduler, sizeof(k->scheduler), "%s", word_text(&scheduler_list, s->scheduler));
	if (s->one_packet)
		k->flags |= IP_VS_SVC_F_ONEPACKET;
	if (s->scheduler != scheduler_sh && s->scheduler != scheduler_mh)
		return;
	/* The same two flags for sh and mh: fallback is the first, port the second. */
	if (s->hash_fallback)
		k->flags |= IP_VS_SVC_F_SCHED1;
	if (s->hash_port)
		k->flags |= IP_VS_SVC_F_SCHED2;
}

static uint32_t
common_divisor(uint32_t a, uint32_t b)
{
	while (b != 0) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* The kernel's sh deals out a table of SH_TABLE places, as many in a row to each server as its weight says; when the
 * table is full the servers that are left get nothing. So ten servers of weight 100 are ten of weight 1.
 * Source: net/netfilter/ipvs/ip_vs_sh.c, ip_vs_sh_reassign. */
static void
fit_hash_table(struct ipvs_service *k)
{
	uint64_t sum = 0;
	uint32_t g = 0;

	for (uint32_t i = 0; i < k->n; i++)
		g = common_divisor(k->dest[i].weight, g);
	for (uint32_t i = 0; g > 1 && i < k->n; i++)
		k->dest[i].weight /= g;
	for (uint32_t i = 0; i < k->n; i++)
		sum += k->dest[i].weight;
	for (uint32_t i = 0; sum > SH_TABLE && i < k->n; i++) {
		uint32_t *w = &k->dest[i].weight, part = (uint32_t)(*w * (uint64_t)SH_TABLE / sum);

		*w = *w > 0 && part == 0 ? 1 : part;
	}
}

static void
set_key(const struct build *b, uint8_t family, struct ipvs_key *key)
{
	const struct service *s = b->svc;

	*key = (struct ipvs_key){ .family = family, .mark = b->mark };
	if (b->mark != 0)
		return;
	key->addr = s->address;
	key->port = s->ports->r[0].lo;
	key->protocol = s->protocol == protocol_udp    ? IPPROTO_UDP
			: s->protocol == protocol_sctp ? IPPROTO_SCTP
						       : IPPROTO_TCP;
}

static void
add_service(struct build *b, uint8_t family)
{
	struct ipvs_table *t = &b->out->table;
	struct ipvs_service k = { .service = b->svc->id };

	if (own_address(b->svc, family).family == 0)
		return;
	set_key(b, family, &k.key);
	set_scheduler(b->svc, &k);
	set_persistence(b, &k);
	k.dest = mem_alloc((b->n + 1) * sizeof(*k.dest));
	for (uint32_t i = 0; i < b->n; i++)
		add_server(b, &k, &b->server[i]);
	if (b->svc->scheduler == scheduler_sh)
		fit_hash_table(&k);
	add_fallback(b, &k);
	t->service = mem_grow(t->service, (t->n + 1) * sizeof(*t->service));
	t->service[t->n++] = k;
}

void
want_service(const struct want_input *in, struct want_output *out)
{
	const struct service *s = in->svc;
	struct build b = { .in = in, .svc = s, .out = out, .mark = want_mark(s) };

	*out = (struct want_output){ 0 };
	if (service_layer(s) != 4 || !s->enabled)
		return;
	b.persistent = s->persistence == persistence_source || s->persistence == persistence_sip;
	judge_all(&b);
	add_service(&b, 4);
	add_service(&b, 6);
	table_sort(&out->table);
	free(b.server);
}

void
want_output_fini(struct want_output *out)
{
	table_fini(&out->table);
	FREE(out->cut);
	out->cut_n = 0;
}

/* ---- beside the table --------------------------------------------------------------------- */

static uint32_t
seconds(uint32_t ms)
{
	return ms / 1000 + (ms % 1000 != 0);
}

void
want_timeouts(const struct snapshot *s, struct ipvs_timeouts *out)
{
	const struct setting *g = snapshot_setting(s);

	*out = (struct ipvs_timeouts){ seconds(g->tcp_timeout), seconds(g->fin_timeout),
		seconds(g->udp_timeout) };
}

static bool
has_mixed(const struct snapshot *s)
{
	for (uint32_t i = 0; i < snapshot_count(s, KIND_server); i++) {
		const struct server *r = snapshot_at(s, KIND_server, i);
		const struct service *v = snapshot_find(s, KIND_service, r->vip);

		if (v != NULL && service_layer(v) == 4 && r->address.addr.family != 0 &&
		    r->address.addr.family != v->address.family)
			return true;
	}
	return false;
}

bool
want_sync_any(const struct snapshot *s, uint64_t cluster)
{
	switch (snapshot_setting(s)->sync_role) {
	case sync_role_off: return false;
	case sync_role_pair: return cluster != 0 && !has_mixed(s);
	default: return true;
	}
}

void
want_sync(const struct snapshot *s, uint64_t cluster, const char *interface,
    struct ipvs_sync *master, struct ipvs_sync *backup)
{
	const struct setting *g = snapshot_setting(s);
	const char *named = snapshot_node(s)->sync_interface;
	bool pair = g->sync_role == sync_role_pair, any = want_sync_any(s, cluster);
	struct ipvs_sync y = { .id = (uint8_t)g->sync_id,
		.group = g->sync_group,
		.port = g->sync_port,
		.maxlen = g->sync_maxlen,
		.ttl = (uint8_t)g->sync_ttl };

	if (pair && y.id == 0)
		y.id = (uint8_t)(1 + cluster % 255);
	(void)snprintf(
	    y.interface, sizeof(y.interface), "%s", named[0] != '\0' ? named : interface);
	*master = *backup = y;
	if (y.interface[0] == '\0' || !any)
		return;
	master->on = pair || g->sync_role == sync_role_master || g->sync_role == sync_role_both;
	backup->on = pair || g->sync_role == sync_role_backup || g->sync_role == sync_role_both;
}
