/* What rules count by key: listed, the highest first, and forgotten.
 *
 * The tables are walked in the control thread, a slice of a shard under its lock at a time, while the workers count. Of a list
 * with a bound only so many are kept, in a heap whose top is the least. */
#include "status.h"

#include "base/mem.h"

#include "control.h"
#include "rates/meters.h"
#include "rules/rules.h"
#include "share.h"
#include "share_rates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_STEP 64 /* rows a turn */

static struct control *k;

struct rate_found {
	uint32_t service;
	uint64_t id, value;
	struct rates_item item;
};
struct rates_answer {
	struct rate_found *of;
	uint32_t n, room, at, most;
	mono_t now;
	bool clear;
	/* what is wanted */
	char key[512];
	struct addr net; /* family 0: it is none */
	/* the service that is walked */
	const struct ctl_service *c;
	const struct meters *x;
	bool keyed[METERS_OF_SERVICE];
	struct rates_key wanted[METERS_OF_SERVICE];
};

/* ---- what is wanted --------------------------------------------------------------------------------------------- */

static void
item_addr(const struct rates_item *i, struct addr *out)
{
	*out = (struct addr){ .family = i->face.kind == RATES_ADDR4 ? 4 : 6, .len = i->face.n };
	memcpy(out->b, i->face.text, (i->face.n + 7u) / 8);
}

static void
hash_text(const struct rates_key *key, char out[33])
{
	(void)snprintf(out, 33, "%016llx%016llx", (unsigned long long)key->h[0],
	    (unsigned long long)key->h[1]);
}

static bool
is_wanted(const struct rates_answer *a, unsigned meter, const struct rates_item *i)
{
	struct addr is;
	char hash[33];

	if (a->key[0] == '\0')
		return true;
	if (i->face.kind == RATES_ADDR4 || i->face.kind == RATES_ADDR6) {
		item_addr(i, &is);
		return a->net.family != 0 &&
		       (addr_contains(&a->net, &is) || addr_contains(&is, &a->net));
	}
	if (a->keyed[meter] && memcmp(&a->wanted[meter], &i->key, sizeof(i->key)) == 0)
		return true;
	hash_text(&i->key, hash);
	return i->face.kind == RATES_HIDDEN && strcmp(hash, a->key) == 0;
}

/* ---- the heap --------------------------------------------------------------------------------------------------- */

static void
swap(struct rate_found *a, struct rate_found *b)
{
	struct rate_found t = *a;

	*a = *b;
	*b = t;
}

static void
sink(struct rate_found *of, uint32_t n)
{
	uint32_t at = 0, least;

	for (;;) {
		least = at;
		for (uint32_t kid = 2 * at + 1; kid <= 2 * at + 2 && kid < n; kid++)
			if (of[kid].value < of[least].value)
				least = kid;
		if (least == at)
			return;
		swap(&of[at], &of[least]);
		at = least;
	}
}

static void
keep(struct rates_answer *a, const struct rate_found *f)
{
	if (a->most != 0 && a->n == a->most) {
		if (f->value > a->of[0].value) {
			a->of[0] = *f;
			sink(a->of, a->n);
		}
		return;
	}
	if (a->n == a->room) {
		a->room = a->room * 2 + 64;
		a->of = mem_grow(a->of, a->room * sizeof(*a->of));
	}
	a->of[a->n++] = *f;
	if (a->most == 0)
		return;
	for (uint32_t at = a->n - 1; at > 0 && a->of[at].value < a->of[(at - 1) / 2].value;
	     at = (at - 1) / 2)
		swap(&a->of[at], &a->of[(at - 1) / 2]);
}

/* ---- walking ---------------------------------------------------------------------------------------------------- */

static void
on_key(void *arg, const struct rates_item *item)
{
	struct rates_answer *a = arg;
	int i = meters_find(a->x, item->face.meter);
	struct rate_found f = { .service = a->c->id };

	if (i < 0 || !is_wanted(a, (unsigned)i, item))
		return;
	f.id = item->face.meter;
	f.value = meters_value(a->x, (unsigned)i, item, a->now);
	f.item = *item;
	if (a->clear || f.value > 0)
		keep(a, &f);
}

/* Behind the walk, since the others move when one is taken out. */
static void
forget(struct rates_answer *a, const struct bus_request *rq, uint32_t service)
{
	static struct stick_record gone[SHARE_RATES_MOST];
	struct msg_rate done = { .service = service };
	unsigned n = 0;

	for (uint32_t i = 0; i < a->n; i++) {
		const struct rate_found *f = &a->of[i];
		const struct ctl_service *c = idmap_get(&k->services, f->service);

		done.cleared += rates_forget(c->svc->rates, &f->item.key);
		n += share_rates_gone(k, f->service, &f->item, &gone[n]);
		if (n == SHARE_RATES_MOST || i + 1 == a->n) {
			share_tell(k, gone, n);
			n = 0;
		}
	}
	a->n = 0;
	(void)bus_reply(rq, MSG_RATE, &done);
}

static void
walk(struct rates_answer *a, const struct ctl_service *c)
{
	if (c->view == NULL || c->view->rules == NULL || c->svc->rates == NULL)
		return;
	a->c = c;
	a->x = &c->view->rules->meters;
	for (unsigned i = 0; i < a->x->n; i++)
		a->keyed[i] = a->key[0] != '\0' &&
			      meters_key(a->x, i, a->key, (uint32_t)strlen(a->key), &a->wanted[i]);
	rates_each(c->svc->rates, on_key, a);
}

static int
higher(const void *l, const void *r)
{
	const struct rate_found *a = l, *b = r;

	if (a->value != b->value)
		return a->value > b->value ? -1 : 1;
	if (a->service != b->service)
		return a->service < b->service ? -1 : 1;
	return memcmp(&a->item.key, &b->item.key, sizeof(a->item.key));
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static void
key_text(const struct rates_item *i, char *out, size_t room)
{
	const struct rates_face *f = &i->face;
	struct addr a;

	switch (f->kind) {
	case RATES_HIDDEN: hash_text(&i->key, out); break;
	case RATES_TEXT:
		(void)snprintf(out, room, "%.*s%s", f->n < RATES_SHOWN ? f->n : RATES_SHOWN,
		    f->text, f->n > RATES_SHOWN ? "..." : "");
		break;
	default:
		item_addr(i, &a);
		addr_format(&a, a.len == (a.family == 4 ? 32 : 128) ? ADDR_HOST : ADDR_NET, out);
		break;
	}
}

/* The rules may be others by now. */
static const struct when_meter *
meter_of(const struct rate_found *f)
{
	const struct ctl_service *c = idmap_get(&k->services, f->service);
	int i = c != NULL && c->view != NULL && c->view->rules != NULL
		    ? meters_find(&c->view->rules->meters, f->id)
		    : -1;

	return i < 0 ? NULL : &c->view->rules->meters.of[i];
}

static void
put_row(const struct rates_answer *a, const struct rate_found *f, const struct bus_request *rq)
{
	const struct when_meter *meter = meter_of(f);
	struct msg_rate m = { .service = f->service, .value = f->value };
	struct buf name = { 0 };
	char key[100];

	if (meter == NULL)
		return;
	rule_meter_format(meter, &name);
	key_text(&f->item, key, sizeof(key));
	m.meter = SPAN(buf_text(&name));
	m.key = SPAN(key);
	m.age = (uint64_t)(a->now - DUR_S(f->item.face.since_s));
	(void)bus_reply(rq, MSG_RATE, &m);
	buf_fini(&name);
}

static bool
rates_step(void *state, const struct bus_request *rq)
{
	struct rates_answer *a = state;

	for (unsigned rows = 0; a->at < a->n && rows < ROWS_STEP; a->at++, rows++)
		put_row(a, &a->of[a->at], rq);
	return a->at == a->n;
}

static void
rates_fini(void *state)
{
	struct rates_answer *a = state;

	free(a->of);
	free(a);
}

void
status_rates(struct control *control, const struct bus_request *rq, const struct msg_rates *m)
{
	struct rates_answer *a = mem_alloc(sizeof(*a));
	const struct ctl_service *c;
	uint32_t at = 0;

	k = control;
	a->now = mono_now();
	a->most = m->clear ? 0 : m->most;
	a->clear = m->clear;
	span_text(m->key, a->key, sizeof(a->key));
	if (addr_parse(a->key, ADDR_NET, &a->net) != 0)
		a->net = (struct addr){ 0 };
	while ((c = idmap_next(&k->services, &at, NULL)) != NULL)
		if (m->service == 0 || m->service == c->id)
			walk(a, c);
	if (a->clear)
		forget(a, rq, m->service);
	if (a->n > 1)
		qsort(a->of, a->n, sizeof(*a->of), higher);
	bus_pump(rq, rates_step, rates_fini, a);
}
