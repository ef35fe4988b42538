/* hold.c - makes the node's addresses equal to the plan, and keeps them so.
 *
 * One pass: read the kernel's list, plan, write down what will be ours, delete, add, announce what was added. A pass
 * is made at each new configuration, HOLD_SETTLE after the kernel told of a change (so an address that somebody
 * removed is back at once, and our own changes are seen to be right), and each HOLD_RETRY while something is
 * wrong. At most HOLD_TURN addresses are put in one pass, so that thousands do not hold up the loop. Passes are
 * idempotent; nothing else is remembered but the record, which survives a kill.
 *
 * When an interface's carrier comes again its addresses are announced anew: it may be another switch. A kernel
 * that refuses (no CAP_NET_ADMIN, no such interface) is a fault of that address, shown and tried again; the others
 * go on. Does not decide where an address belongs (address.c). */
#include "hold.h"

#include "record.h"
#include "vrrp/vmac.h"

#include "base/mem.h"
#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How often an interface's carrier came. */
struct carrier {
	char ifname[IFNAME_MAX];
	uint32_t ups;
};

struct hold {
	struct loop *loop;
	struct paths paths;
	struct garp *garp;
	struct hold_ops ops;
	struct snapshot *now; /* NULL: nothing is wanted yet */
	struct places mine;   /* the record */
	struct floating *all; /* as last told */
	uint32_t n;
	struct carrier *carriers; /* of the last pass */
	unsigned carriers_n;
	int watch;
	struct loop_fd watch_io;
	struct loop_timer timer;
	bool unreadable, unwritable; /* said in the log once */
};

static void
log_place(const char *what, const struct place *p)
{
	char text[ADDR_TEXT];

	addr_format(&p->addr, ADDR_CIDR, text);
	log_info("fip %s: %s %s", text, what, p->ifname);
}

/* The record of all that is ours or will be: written before the first of them is put. */
static void
write_down(struct hold *h, const struct address_plan *plan)
{
	struct places next = { 0 };
	int code;

	next.a = mem_alloc((plan->n + plan->del.n + 1) * sizeof(*next.a));
	for (uint32_t i = 0; i < plan->n; i++) {
		if (plan->want[i].fault[0])
			continue;
		memcpy(next.a[next.n].ifname, plan->want[i].ifname, IFNAME_MAX);
		next.a[next.n++].addr = plan->want[i].addr;
	}
	/* What is deleted stays in until the pass after, which finds it gone. */
	for (uint32_t i = 0; i < plan->del.n; i++)
		next.a[next.n++] = plan->del.a[i];
	if (next.n)
		qsort(next.a, next.n, sizeof(*next.a), place_compare);
	if (next.n == h->mine.n &&
	    (!next.n || memcmp(next.a, h->mine.a, next.n * sizeof(*next.a)) == 0)) {
		places_fini(&next);
		return;
	}
	places_fini(&h->mine);
	h->mine = next;
	code = record_write(&h->paths, &h->mine);
	if (code != 0 && !h->unwritable)
		log_warn(
		    "%s/lbd-ha.held: cannot be written: %s; --release will not know of all addresses",
		    h->paths.run, strerror(-code));
	h->unwritable = code != 0;
}

static struct floating *
find_want(struct address_plan *plan, const struct addr *a)
{
	struct floating key = { .addr = *a };

	return plan->n ? bsearch(&key, plan->want, plan->n, sizeof(key), floating_compare) : NULL;
}

/* A virtual router decides whether it is here; then the core puts and announces it. */
static bool
is_moved(struct address_plan *plan, const struct addr *a)
{
	const struct floating *f = find_want(plan, a);

	return f != NULL && f->router != 0;
}

static void
announce(struct hold *h, const char *ifname, const struct addr *a)
{
	const struct setting *set = snapshot_setting(h->now);

	garp_announce(h->garp, ifname, a, set->announce, DUR_MS(set->announce_gap));
}

static bool
put_one(struct hold *h, struct address_plan *plan, const struct place *p)
{
	struct floating *f = find_want(plan, &p->addr);
	int code = netlink_address_add(p->ifname, &p->addr);

	if (code == 0) {
		f->held = true;
		log_place("put on", p);
		announce(h, p->ifname, &p->addr);
		return true;
	}
	(void)snprintf(f->fault, sizeof(f->fault), "%s: %s", p->ifname,
	    code == -ENODEV  ? "no such interface"
	    : code == -EPERM ? "operation not permitted"
			     : strerror(-code));
	return false;
}

static void
take_one(struct hold *h, struct address_plan *plan, const struct place *p)
{
	struct floating *f = find_want(plan, &p->addr);
	int code = netlink_address_del(p->ifname, &p->addr);

	if (!f)
		garp_cancel(h->garp, &p->addr);
	if (code == 0)
		log_place("taken from", p);
	else
		log_warn("fip on %s: cannot be taken away: %s", p->ifname, strerror(-code));
}

/* Whether the carrier came since the last pass; at the first pass it did not. */
static bool
has_risen(const struct hold *h, const struct iface_addr *e)
{
	for (unsigned i = 0; i < h->carriers_n; i++)
		if (strcmp(h->carriers[i].ifname, e->name) == 0)
			return h->carriers[i].ups != e->carriers;
	return false;
}

static void
announce_risen(struct hold *h, struct address_plan *plan, const struct iface_list *kernel)
{
	struct carrier *seen = mem_alloc((kernel->n + 1) * sizeof(*seen));
	unsigned n = 0;

	for (unsigned i = 0; i < kernel->n; i++) {
		const struct iface_addr *e = &kernel->a[i];

		if (e->ours && places_have(&h->mine, e->name, &e->addr) && has_risen(h, e) &&
		    !is_moved(plan, &e->addr))
			announce(h, e->name, &e->addr);
		if (n && strcmp(seen[n - 1].ifname, e->name) == 0)
			continue; /* the list is in order of interfaces */
		memcpy(seen[n].ifname, e->name, IFNAME_MAX);
		seen[n++].ups = e->carriers;
	}
	free(h->carriers);
	h->carriers = seen;
	h->carriers_n = n;
}

static bool
same(const struct floating *a, const struct floating *b)
{
	return a->addr.len == b->addr.len && a->services == b->services && a->manual == b->manual &&
	       a->held == b->held && strcmp(a->ifname, b->ifname) == 0 &&
	       strcmp(a->fault, b->fault) == 0;
}

static void
tell(struct hold *h, const struct floating *f, const struct floating *was)
{
	char text[ADDR_TEXT];

	addr_format(&f->addr, ADDR_CIDR, text);
	if (f->fault[0] && (!was || strcmp(was->fault, f->fault) != 0))
		log_warn("fip %s: not held: %s", text, f->fault);
	h->ops.told(h->ops.arg, f, false);
}

static void
tell_gone(struct hold *h, const struct floating *was)
{
	struct floating gone = { .addr = was->addr };

	memcpy(gone.ifname, was->ifname, sizeof(gone.ifname));
	h->ops.told(h->ops.arg, &gone, true);
}

/* What differs from what was told before; then the plan's rows are what was told. */
static void
tell_changes(struct hold *h, struct address_plan *plan)
{
	struct floating *old = h->all;
	uint32_t old_n = h->n, i = 0, k = 0;

	h->all = plan->want;
	h->n = plan->n;
	plan->want = NULL;
	while (i < old_n || k < h->n) {
		int order = i == old_n ? 1 : k == h->n ? -1 : floating_compare(&old[i], &h->all[k]);

		if (order < 0)
			tell_gone(h, &old[i++]);
		else if (order > 0)
			tell(h, &h->all[k++], NULL);
		else {
			if (!same(&old[i], &h->all[k]))
				tell(h, &h->all[k], &old[i]);
			i++;
			k++;
		}
	}
	free(old);
}

static bool
any_fault(const struct hold *h)
{
	for (uint32_t i = 0; i < h->n; i++)
		if (h->all[i].fault[0])
			return true;
	return false;
}

static void
pass(struct hold *h)
{
	struct iface_list kernel = { 0 };
	struct address_plan plan;
	unsigned put = 0;
	struct err err;
	bool placed;

	if (!h->now)
		return;
	if (netlink_addresses(&kernel, &err) != 0) {
		if (!h->unreadable)
			log_warn("%s", err.text);
		h->unreadable = true;
		loop_timer_set(&h->timer, HOLD_RETRY);
		return;
	}
	h->unreadable = false;
	address_plan(h->now, &kernel, &h->mine, &plan);
	write_down(h, &plan);
	for (uint32_t i = 0; i < plan.del.n; i++)
		take_one(h, &plan, &plan.del.a[i]);
	placed = h->ops.place && h->ops.place(h->ops.arg, &plan, &kernel);
	for (uint32_t i = 0; !placed && i < plan.add.n && put < HOLD_TURN; i++)
		if (!is_moved(&plan, &plan.add.a[i].addr))
			put += put_one(h, &plan, &plan.add.a[i]);
	if (!placed)
		announce_risen(h, &plan, &kernel);
	/* The core announces; rounds from before would tell of the wrong node. */
	for (uint32_t i = 0; i < plan.n; i++)
		if (placed || plan.want[i].router != 0)
			garp_cancel(h->garp, &plan.want[i].addr);
	tell_changes(h, &plan);
	h->ops.settled(h->ops.arg);
	if (put == HOLD_TURN)
		loop_timer_set(&h->timer, 0);
	else if (any_fault(h))
		loop_timer_set(&h->timer, HOLD_RETRY);
	address_plan_fini(&plan);
	iface_list_fini(&kernel);
}

static void
on_timer(void *arg)
{
	pass(arg);
}

static void
on_watch(void *arg, unsigned ready)
{
	struct hold *h = arg;

	(void)ready;
	netlink_watch_drain(h->watch);
	loop_timer_set(&h->timer, HOLD_SETTLE);
}

struct hold *
hold_new(struct loop *l, const struct paths *p, struct garp *g, const struct hold_ops *ops)
{
	struct hold *h = mem_alloc(sizeof(*h));

	h->loop = l;
	h->paths = *p;
	h->garp = g;
	h->ops = *ops;
	record_read(p, &h->mine);
	loop_timer_init(&h->timer, l, on_timer, h);
	h->watch = netlink_watch();
	if (h->watch < 0) {
		log_warn("changes of addresses are not seen: %s", strerror(-h->watch));
		return h;
	}
	loop_fd_init(&h->watch_io, l, h->watch, on_watch, h);
	loop_fd_want(&h->watch_io, LOOP_READ);
	return h;
}

void
hold_free(struct hold *h)
{
	if (!h)
		return;
	loop_timer_fini(&h->timer);
	if (h->watch >= 0) {
		loop_fd_fini(&h->watch_io);
		(void)close(h->watch);
	}
	places_fini(&h->mine);
	free(h->carriers);
	free(h->all);
	snapshot_unref(h->now);
	free(h);
}

void
hold_look(struct hold *h)
{
	loop_timer_set(&h->timer, 0);
}

void
hold_set(struct hold *h, struct snapshot *s)
{
	struct snapshot *before = h->now;

	h->now = snapshot_ref(s);
	snapshot_unref(before);
	pass(h);
}

const struct floating *
hold_all(const struct hold *h, uint32_t *n_out)
{
	*n_out = h->n;
	return h->all;
}

int
hold_release(const struct paths *p, struct err *err)
{
	struct iface_list kernel = { 0 };
	struct places mine;
	char text[ADDR_TEXT];
	int code = netlink_addresses(&kernel, err);

	if (code != 0)
		return code;
	record_read(p, &mine);
	for (unsigned i = 0; i < kernel.n; i++) {
		const struct iface_addr *e = &kernel.a[i];
		int one;

		if (!e->ours || !places_have(&mine, e->name, &e->addr))
			continue;
		one = netlink_address_del(e->name, &e->addr);
		addr_format(&e->addr, ADDR_CIDR, text);
		if (one != 0 && code == 0)
			code = err_set(err, one, "fip %s: cannot be taken from %s: %s", text,
			    e->name, strerror(-one));
	}
	for (uint32_t i = 0; i < mine.n; i++) {
		int one = vmac_is_name(mine.a[i].ifname) ? netlink_link_del(mine.a[i].ifname) : 0;

		if (one != 0 && code == 0)
			code = err_set(err, one, "interface %s: cannot be taken away: %s",
			    mine.a[i].ifname, strerror(-one));
	}
	if (code == 0)
		record_remove(p);
	places_fini(&mine);
	iface_list_fini(&kernel);
	return code;
}
