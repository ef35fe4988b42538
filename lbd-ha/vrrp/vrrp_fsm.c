/* vrrp_fsm.c - when a virtual router is ours.
 *
 * Rows (vrrp_fsm.def) say for each state and event which action below is taken; an action changes the state and the
 * timers and leaves orders. Timers are deadlines in the struct; the earliest that counts in the state is v->deadline.
 *
 * Beyond the standard, each for a reason that was measured with other implementations:
 * - A master that loses to another says so once with its own, lower priority before it drops the addresses. The winner
 *   may never have heard of a second master; by this it hears of one and announces itself, and neighbours whose caches
 *   point to the loser find the winner at once instead of after minutes.
 * - A master that stops keeps answering until the next one is heard, an interval at most: the standard leaves the
 *   addresses to nobody for the length of the skew.
 * - Who slept through its deadline (a paused machine) does not trust it: a backup listens for one interval more, a
 *   master announces itself anew, because others may have taken over meanwhile. The caller must hand over the packets
 *   that wait in its socket before it sends TIMER.
 * Weights change the priority of all but the owner of the addresses. What is not here: packets and sockets, the
 * addresses themselves, and groups (vrrp_group.c). */
#include "vrrp/vrrp_fsm.h"

#include "base/must.h"

#include <string.h>

typedef void action_fn(
    struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out);

/* Announcements after it became master, since that moment; then each conf->refresh. */
static const dur_t announce_after[] = { 0, DUR_MS(50), DUR_S(1) };

uint8_t
vrrp_priority(const struct vrrp *v)
{
	int p = v->conf->priority + v->weight;

	if (v->conf->priority == VRRP_OWNER)
		return VRRP_OWNER;
	return (uint8_t)(p < 1 ? 1 : p > 254 ? 254 : p);
}

/* RFC 9568 section 6.1: in the master's intervals; RFC 3768 section 6.1: of one second. */
dur_t
vrrp_skew(const struct vrrp *v)
{
	dur_t unit = v->conf->version == 2 ? DUR_S(1) : v->master_interval;

	return (256 - vrrp_priority(v)) * unit / 256;
}

dur_t
vrrp_down_interval(const struct vrrp *v)
{
	return v->conf->down_adverts * v->master_interval + vrrp_skew(v);
}

void
vrrp_advert(const struct vrrp *v, uint8_t priority, struct vrrp_packet *out)
{
	const struct vrrp_conf *c = v->conf;

	out->version = c->version;
	out->family = c->family;
	out->vrid = c->vrid;
	out->priority = priority;
	out->auth_type = c->auth_type;
	memcpy(out->auth, c->auth, sizeof(out->auth));
	out->sum = v->sum;
	out->interval = c->interval;
	out->n = c->n;
	memcpy(out->addr, c->addr, c->n * sizeof(c->addr[0]));
}

static void
queue(struct vrrp *v, uint8_t priority, bool plain_mac, struct vrrp_out *out)
{
	must(out->n < ARRAY_LEN(out->advert));
	out->advert[out->n].priority = priority;
	out->advert[out->n++].plain_mac = plain_mac;
	v->counts.sent++;
	v->counts.zero_sent += priority == VRRP_LEAVING_PRIORITY;
}

static void
announce(struct vrrp *v, mono_t now, struct vrrp_out *out)
{
	out->announce = true;
	v->announced = 1;
	v->announce_at = now + announce_after[1];
}

static void
become_backup(struct vrrp *v, mono_t now)
{
	v->state = VRRP_BACKUP;
	v->wants = false;
	v->preempt_at = 0;
	v->down_at = now + vrrp_down_interval(v);
	if (v->down_at < v->not_before)
		v->down_at = v->not_before;
}

/* ---- actions ---- */

static void
ignore(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	(void)v;
	(void)e;
	(void)now;
	(void)out;
}

static void
take(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	(void)e;
	v->state = VRRP_MASTER;
	v->wants = false;
	v->counts.masters++;
	v->master_interval = v->conf->interval;
	v->master_priority = vrrp_priority(v);
	v->master = v->self;
	queue(v, vrrp_priority(v), false, out);
	v->advert_at = now + v->conf->interval;
	out->take = true;
	announce(v, now, out);
}

/* Alone it takes; in a group it says that it would. */
static void
want(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	if (!v->grouped) {
		take(v, e, now, out);
		return;
	}
	v->wants = true;
	v->down_at = VRRP_NEVER;
}

static void
begin(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	v->master_interval = v->conf->interval;
	v->master_priority = 0;
	if (v->down || v->held) {
		v->state = VRRP_FAULT;
		return;
	}
	become_backup(v, now);
	if (v->conf->priority == VRRP_OWNER && now >= v->not_before)
		want(v, e, now, out);
}

static void
start(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	v->not_before = v->conf->startup_delay > 0 ? now + v->conf->startup_delay : 0;
	begin(v, e, now, out);
}

static void
recover(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	if (!v->down && !v->held)
		begin(v, e, now, out);
}

static void
leave_fault(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	(void)e;
	(void)now;
	(void)out;
	v->state = VRRP_INIT;
}

static void
end_backup(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	(void)now;
	(void)out;
	v->state = e->kind == VRRP_EV_STOP ? VRRP_INIT : VRRP_FAULT;
	v->wants = false;
}

/* The down timer. Late by an interval: we slept, and whoever sends may have been sending all the time. */
static void
silence(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	if (now < v->down_at)
		return;
	if (now - v->down_at > v->master_interval) {
		v->counts.stalls++;
		v->down_at = now + v->master_interval;
		return;
	}
	want(v, e, now, out);
}

/* The timer was set with the old priority. */
static void
reweigh(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	dur_t skew = vrrp_skew(v);

	(void)now;
	(void)out;
	v->weight = e->weight;
	if (v->down_at != VRRP_NEVER)
		v->down_at += vrrp_skew(v) - skew;
}

static void
follow(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	(void)out;
	v->master = *e->from;
	v->master_priority = e->packet->priority;
	v->master_interval = e->packet->interval;
	become_backup(v, now);
}

static void
master_leaves(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	(void)e;
	(void)out;
	if (v->wants)
		return;
	v->down_at = now + vrrp_skew(v);
	if (v->down_at < v->not_before)
		v->down_at = v->not_before;
}

/* A master below us. RFC 9568 section 6.1: the owner preempts whatever is configured. */
static bool
may_preempt(struct vrrp *v, mono_t now)
{
	if (v->conf->priority == VRRP_OWNER)
		return now >= v->not_before;
	if (!v->conf->preempt || now < v->not_before)
		return false;
	if (v->preempt_at == 0)
		v->preempt_at = now + v->conf->preempt_delay;
	return now >= v->preempt_at;
}

static void
consider(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	mono_t preempt_at;

	if (may_preempt(v, now))
		return; /* the timer runs out */
	preempt_at = v->preempt_at;
	follow(v, e, now, out);
	v->preempt_at = preempt_at;
}

static void
say(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	(void)e;
	queue(v, vrrp_priority(v), false, out);
	v->advert_at = now + v->conf->interval;
}

/* Both timers of a master. */
static void
work(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	if (now >= v->advert_at) {
		if (now - v->advert_at > v->conf->down_adverts * v->conf->interval) {
			v->counts.stalls++;
			announce(v, now, out);
		}
		say(v, e, now, out);
	}
	if (now < v->announce_at || out->announce)
		return;
	out->announce = true;
	v->announced++;
	if (v->announced < ARRAY_LEN(announce_after))
		v->announce_at =
		    now + announce_after[v->announced] - announce_after[v->announced - 1];
	else
		v->announce_at = v->conf->refresh > 0 ? now + v->conf->refresh : VRRP_NEVER;
}

/* Too soon after the last answer: it comes with the timer, when the gap is over. */
static bool
put_off(struct vrrp *v, mono_t now, bool announces)
{
	mono_t then = v->answered_at + VRRP_ANSWER_GAP;

	if (v->answered_at == 0 || now >= then) {
		v->answered_at = now;
		return false;
	}
	if (v->advert_at > then)
		v->advert_at = then;
	if (announces) {
		v->announced = 0;
		v->announce_at = then;
	}
	return true;
}

static void
say_again(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	if (!put_off(v, now, false))
		say(v, e, now, out);
}

/* Another master, below us: it and the bridges between must hear us, and whoever believed it. */
static void
answer(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	if (put_off(v, now, true))
		return;
	v->counts.answers++;
	say(v, e, now, out);
	announce(v, now, out);
}

static void
lose(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	queue(v, vrrp_priority(v), true, out);
	out->drop = true;
	follow(v, e, now, out);
}

static void
yield(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	(void)e;
	queue(v, VRRP_LEAVING_PRIORITY, false, out);
	out->drop = true;
	become_backup(v, now);
}

static void
fail(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	(void)e;
	(void)now;
	queue(v, VRRP_LEAVING_PRIORITY, false, out);
	out->drop = true;
	v->state = VRRP_FAULT;
}

static void
leave(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	(void)e;
	(void)now;
	out->drop = true;
	v->state = VRRP_INIT;
}

/* The next master comes after its skew, which is shorter than our interval (version 2: than a second). */
static void
stop(struct vrrp *v, const struct vrrp_event *e, mono_t now, struct vrrp_out *out)
{
	queue(v, VRRP_LEAVING_PRIORITY, false, out);
	if (!v->conf->linger) {
		leave(v, e, now, out);
		return;
	}
	v->state = VRRP_LEAVING;
	v->leave_at = now + (v->conf->version == 2 ? DUR_S(1) : v->conf->interval);
}

/* ---- rows ---- */

static const struct row {
	action_fn *action;
	const char *rule;
} rows[VRRP_STATES][VRRP_EVENTS] = {
#define ROW(state, event, action, rule) [VRRP_##state][VRRP_EV_##event] = { action, rule },
#include "vrrp/vrrp_fsm.def"
#undef ROW
};

const char *
vrrp_rule(enum vrrp_state s, enum vrrp_event_kind k)
{
	return rows[s][k].rule;
}

const char *
vrrp_state_name(enum vrrp_state s)
{
	static const char *const names[VRRP_STATES] = { "init", "fault", "backup", "master",
		"leaving" };

	return names[s];
}

static enum vrrp_sum
first_sum(const struct vrrp_conf *c)
{
	return c->version == 2 || c->sum == VRRP_SUM_USE_PLAIN ? VRRP_SUM_PLAIN : VRRP_SUM_PSEUDO;
}

void
vrrp_init(struct vrrp *v, const struct vrrp_conf *c, const struct addr *self)
{
	*v = (struct vrrp){ .conf = c, .self = *self, .deadline = VRRP_NEVER };
	v->sum = first_sum(c);
	v->master_interval = c->interval;
	v->down_at = v->advert_at = v->announce_at = v->leave_at = VRRP_NEVER;
}

static mono_t
next_deadline(const struct vrrp *v)
{
	switch (v->state) {
	case VRRP_BACKUP: return v->down_at;
	case VRRP_MASTER: return v->advert_at < v->announce_at ? v->advert_at : v->announce_at;
	case VRRP_LEAVING: return v->leave_at;
	default: return VRRP_NEVER;
	}
}

void
vrrp_conf_set(struct vrrp *v, const struct vrrp_conf *c, const struct addr *self)
{
	if (c->sum != v->conf->sum)
		v->sum = first_sum(c);
	v->conf = c;
	v->self = *self;
	if (v->state == VRRP_MASTER)
		v->master = *self;
}

void
vrrp_resume(struct vrrp *v, mono_t now, struct vrrp_out *out)
{
	const struct vrrp_event none = { .kind = VRRP_EV_START };

	must(v->state == VRRP_INIT);
	*out = (struct vrrp_out){ 0 };
	take(v, &none, now, out);
	out->changed = true;
	v->deadline = next_deadline(v);
}

/* What is true in every state. */
static void
remember(struct vrrp *v, const struct vrrp_event *e)
{
	if (e->kind == VRRP_EV_DOWN || e->kind == VRRP_EV_UP)
		v->down = e->kind == VRRP_EV_DOWN;
	if (e->kind == VRRP_EV_HOLD || e->kind == VRRP_EV_RELEASE)
		v->held = e->kind == VRRP_EV_HOLD;
	if (e->kind == VRRP_EV_WEIGHT && v->state != VRRP_BACKUP) /* reweigh needs the old one */
		v->weight = e->weight;
}

void
vrrp_step(struct vrrp *v, struct vrrp_event e, mono_t now, struct vrrp_out *out)
{
	enum vrrp_state before = v->state;

	*out = (struct vrrp_out){ 0 };
	must(e.kind >= 0 && e.kind < VRRP_EVENTS && rows[v->state][e.kind].action != NULL);
	remember(v, &e);
	rows[v->state][e.kind].action(v, &e, now, out);
	out->changed = v->state != before;
	v->deadline = next_deadline(v);
}

/* ---- packets ---- */

static bool
is_peer(const struct vrrp_conf *c, const struct addr *src)
{
	for (unsigned i = 0; i < c->peers; i++)
		if (addr_same_host(&c->peer[i], src))
			return true;
	return false;
}

static bool
is_group(const struct addr *a)
{
	static const struct addr everyone = { .family = 4, .len = 32, .b = { 255, 255, 255, 255 } };

	return addr_same_host(a, &vrrp_group4) || addr_same_host(a, &vrrp_group6) ||
	       addr_same_host(a, &everyone);
}

/* In the order of RFC 9568 section 7.1 and RFC 3768 section 7.1. */
static enum vrrp_bad
judge(const struct vrrp *v, const struct vrrp_packet *p, const struct vrrp_ip *ip)
{
	const struct vrrp_conf *c = v->conf;
	bool group = is_group(&ip->dst);

	if (p->vrid != c->vrid || p->family != c->family)
		return VRRP_BAD_VRID;
	if (p->version != c->version)
		return VRRP_BAD_OTHER_VERSION;
	if (addr_same_host(&ip->src, &v->self))
		return VRRP_BAD_OWN;
	if (group == (c->way == VRRP_UNICAST) ||
	    (!group && !c->any_source && !is_peer(c, &ip->src)))
		return VRRP_BAD_SOURCE;
	if (!group && ip->ttl < c->min_ttl)
		return VRRP_BAD_TTL;
	if (p->auth_type != c->auth_type ||
	    (c->auth_type == VRRP_AUTH_PASS && memcmp(p->auth, c->auth, sizeof(c->auth)) != 0))
		return VRRP_BAD_AUTH;
	if (p->version == 2 && p->interval != c->interval)
		return VRRP_BAD_OTHER_INTERVAL;
	/* RFC 3768 section 7.1: of the owner they are taken all the same. */
	if (!c->any_addrs && !(p->version == 2 && p->priority == VRRP_OWNER) &&
	    !vrrp_addrs_same(p->addr, p->n, c->addr, c->n))
		return VRRP_BAD_ADDRS;
	return VRRP_GOOD;
}

enum vrrp_bad
vrrp_admit(struct vrrp *v, const struct vrrp_packet *p, const struct vrrp_ip *ip)
{
	enum vrrp_bad bad = judge(v, p, ip);

	if (bad != VRRP_GOOD) {
		v->counts.bad[bad]++;
		return bad;
	}
	v->counts.received++;
	v->counts.zero_received += p->priority == VRRP_LEAVING_PRIORITY;
	v->counts.equal += p->priority == vrrp_priority(v);
	v->counts.mismatch += p->interval != v->conf->interval;
	return VRRP_GOOD;
}

/* A peer is answered in the form that it speaks. */
static void
adapt(struct vrrp *v, enum vrrp_sum form)
{
	if (v->conf->version == 2 || v->conf->sum != VRRP_SUM_AUTO || v->sum == form)
		return;
	v->sum = form;
	v->counts.adapted++;
}

struct vrrp_event
vrrp_received(struct vrrp *v, const struct vrrp_packet *p, const struct vrrp_ip *ip)
{
	struct vrrp_event e = { .packet = p, .from = &ip->src };
	uint8_t own = vrrp_priority(v);

	adapt(v, p->sum);
	if (p->priority == VRRP_LEAVING_PRIORITY)
		e.kind = VRRP_EV_ZERO;
	else if (p->priority != own)
		e.kind = p->priority < own ? VRRP_EV_LESS : VRRP_EV_MORE;
	else
		e.kind = memcmp(ip->src.b, v->self.b, sizeof(v->self.b)) > 0 ? VRRP_EV_TIE_MORE
									     : VRRP_EV_TIE_LESS;
	return e;
}
