/* routes.c - makes the routes of the configuration be on the node that is active, and nowhere else.
 *
 * Each route of ours carries a mark (sys/route.h), and stands in RUN/lbd-ha.routes before it is put; what is taken away is
 * only what is in that list and has the mark. A place that somebody else's route has is a fault, and that route stays. The
 * routes are looked at again each ROUTES_LOOK while they are to be here, because the kernel takes away those of an
 * interface that went down, and at once when the role changed.
 *
 * The side process does this. While it is not there (killed), routes stay as they are; the next one puts them right. */
#include "routes.h"

#include "base/mem.h"
#include "base/must.h"
#include "sys/log.h"
#include "sys/route.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUTES_LOOK DUR_S(2)
#define ROUTES_RETRY DUR_MS(200)

struct one {
	char name[64];
	uint8_t group;
	struct net_route r;
	bool here; /* as far as known */
	int fault;
	int64_t since;
};

struct routes {
	struct loop *loop;
	struct routes_ops ops;
	char path[300];
	struct loop_timer again;
	unsigned groups; /* bits */
	unsigned n, put_n;
	struct one a[ROUTES_MOST];
	struct net_route
	    put[2 * ROUTES_MOST]; /* as in the file: ours, as far as the kernel has them */
};

/* ---- the list ------------------------------------------------------------------------------------------------ */

static void
put_text(FILE *f, const struct addr *a, enum addr_form form)
{
	char text[ADDR_TEXT] = "-";

	if (a->family != 0)
		addr_format(a, form, text);
	(void)fprintf(f, "%s ", text);
}

static void
write_list(const struct routes *k)
{
	char part[320];
	FILE *f;

	(void)snprintf(part, sizeof(part), "%s.new", k->path);
	f = fopen(part, "we");
	for (unsigned i = 0; f != NULL && i < k->put_n; i++) {
		const struct net_route *r = &k->put[i];

		put_text(f, &r->dst, ADDR_CIDR);
		put_text(f, &r->via, ADDR_HOST);
		put_text(f, &r->source, ADDR_HOST);
		(void)fprintf(f, "%s %" PRIu32 " %" PRIu32 "\n",
		    r->ifname[0] != '\0' ? r->ifname : "-", r->metric, r->table);
	}
	if (f == NULL || fclose(f) != 0 || rename(part, k->path) == -1)
		log_warn("%s: cannot be written: %s; --release will not know of all routes",
		    k->path, strerror(errno));
}

static bool
take_text(const char *text, enum addr_form form, struct addr *out)
{
	*out = (struct addr){ 0 };
	return strcmp(text, "-") == 0 || addr_parse(text, form, out) == 0;
}

static void
read_list(struct routes *k)
{
	char dst[ADDR_TEXT], via[ADDR_TEXT], source[ADDR_TEXT], name[IFNAME_MAX], line[300];
	FILE *f = fopen(k->path, "re");

	while (f != NULL && k->put_n < ARRAY_LEN(k->put) && fgets(line, sizeof(line), f) != NULL) {
		struct net_route r = { 0 };

		if (sscanf(line, "%49s %49s %49s %15s %" SCNu32 " %" SCNu32, dst, via, source, name,
			&r.metric, &r.table) != 6 ||
		    !take_text(dst, ADDR_CIDR, &r.dst) || r.dst.family == 0 ||
		    !take_text(via, ADDR_HOST, &r.via) || !take_text(source, ADDR_HOST, &r.source))
			continue;
		if (strcmp(name, "-") != 0)
			memcpy(r.ifname, name, sizeof(r.ifname));
		k->put[k->put_n++] = r;
	}
	if (f != NULL)
		(void)fclose(f);
}

static bool
same_addr(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && a->len == b->len && memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static bool
same(const struct net_route *a, const struct net_route *b)
{
	return same_addr(&a->dst, &b->dst) && same_addr(&a->via, &b->via) &&
	       same_addr(&a->source, &b->source) && strcmp(a->ifname, b->ifname) == 0 &&
	       a->metric == b->metric && a->table == b->table;
}

/* ---- the effect ------------------------------------------------------------------------------------------------ */

static int
find_put(const struct routes *k, const struct net_route *r)
{
	for (unsigned i = 0; i < k->put_n; i++)
		if (same(&k->put[i], r))
			return (int)i;
	return -1;
}

static bool
is_wanted(const struct routes *k, const struct net_route *r)
{
	for (unsigned i = 0; i < k->n; i++)
		if ((k->groups >> (k->a[i].group - 1) & 1) != 0 && same(&k->a[i].r, r))
			return true;
	return false;
}

static void
drop_rest(struct routes *k)
{
	unsigned to = 0;

	for (unsigned i = 0; i < k->put_n; i++) {
		char text[ADDR_TEXT];
		int code = is_wanted(k, &k->put[i]) ? 1 : route_del(&k->put[i]);

		addr_format(&k->put[i].dst, ADDR_CIDR, text);
		if (code == 0)
			log_info("route %s: taken away", text);
		else
			k->put[to++] = k->put[i]; /* wanted, or it could not be: tried again */
		if (code < 0)
			log_warn("route %s: cannot be taken away: %s", text, strerror(-code));
	}
	if (to != k->put_n) {
		k->put_n = to;
		write_list(k);
	}
}

static const char *
fault_words(int code)
{
	return code == -EEXIST	 ? "there is a route to it that is not lbd's"
	       : code == -ENODEV ? "no such interface"
	       : code == -EINVAL
		   ? "the gateway is not on a network of this node, or the source not an address of it"
		   : strerror(-code);
}

/* True: how it stands is another than before. */
static bool
put_one(struct routes *k, struct one *o)
{
	int at = find_put(k, &o->r), code, was = o->fault;
	bool before = o->here;

	if (at == -1) {
		if (k->put_n == ARRAY_LEN(k->put))
			return false; /* those that cannot be taken away fill it */
		k->put[k->put_n++] = o->r;
		write_list(k);
	}
	code = route_add(&o->r);
	if (code == -EEXIST && at != -1)
		code = 0; /* as before */
	if (code != 0 && at == -1) {
		k->put_n--;
		write_list(k);
	}
	o->fault = code;
	o->here = code == 0;
	if (code != 0 && code != was)
		log_warn("route %s: cannot be put: %s", o->name, fault_words(code));
	else if (code == 0 && !before)
		log_info("route %s: put", o->name);
	return o->here != before || o->fault != was;
}

static void
look(struct routes *k)
{
	bool changed = false, any = false, fault = false;

	drop_rest(k);
	for (unsigned i = 0; i < k->n; i++) {
		struct one *o = &k->a[i];
		bool wanted = (k->groups >> (o->group - 1) & 1) != 0,
		     other = !wanted && (o->here || o->fault != 0);

		if (wanted)
			other = put_one(k, o);
		else
			o->fault = o->here = 0;
		if (other)
			o->since = mono_wall_ms() / 1000;
		changed = changed || other;
		any = any || wanted;
		fault = fault || o->fault != 0;
	}
	if (any)
		loop_timer_set(&k->again, fault ? ROUTES_RETRY : ROUTES_LOOK);
	else
		loop_timer_cancel(&k->again);
	if (changed)
		k->ops.changed(k->ops.arg);
}

static void
on_again(void *arg)
{
	look(arg);
}

static void
take_row(struct one *o, const struct vroute *row)
{
	(void)snprintf(o->name, sizeof(o->name), "%s", row->name);
	o->group = (uint8_t)row->group;
	o->since = mono_wall_ms() / 1000;
	o->r.dst = row->destination;
	o->r.via = row->gateway;
	o->r.source = row->source;
	o->r.metric = row->metric;
	o->r.table = row->table;
	(void)snprintf(o->r.ifname, sizeof(o->r.ifname), "%s", row->interface);
}

void
routes_use(struct routes *k, const struct snapshot *s, unsigned groups)
{
	struct one next[ROUTES_MOST] = { 0 };
	unsigned n = 0;

	for (uint32_t i = 0; i < snapshot_count(s, KIND_vroute) && n < ROUTES_MOST; i++) {
		const struct vroute *row = snapshot_at(s, KIND_vroute, i);

		if (!row->enabled)
			continue;
		take_row(&next[n], row);
		for (unsigned j = 0; j < k->n; j++)
			if (strcmp(k->a[j].name, next[n].name) == 0 &&
			    same(&k->a[j].r, &next[n].r)) {
				next[n].here = k->a[j].here;
				next[n].fault = k->a[j].fault;
				next[n].since = k->a[j].since;
			}
		n++;
	}
	if (groups == k->groups && n == k->n && memcmp(next, k->a, n * sizeof(*next)) == 0)
		return;
	memcpy(k->a, next, n * sizeof(*next));
	k->n = n;
	k->groups = groups;
	look(k);
}

bool
routes_row(const struct routes *k, unsigned i, struct routes_row *out)
{
	const struct one *o;

	if (i >= k->n)
		return false;
	o = &k->a[i];
	*out = (struct routes_row){
		.name = o->name,
		.state = o->here	 ? "good"
			 : o->fault != 0 ? "bad"
					 : "unknown",
		.text = o->here		? "put"
			: o->fault != 0 ? fault_words(o->fault)
					: "not active here",
		.since = o->since,
	};
	return true;
}

struct routes *
routes_new(struct loop *l, const struct paths *p, const struct routes_ops *ops)
{
	struct routes *k = mem_alloc(sizeof(*k));

	k->loop = l;
	k->ops = *ops;
	(void)snprintf(k->path, sizeof(k->path), "%s/lbd-ha.routes", p->run);
	loop_timer_init(&k->again, l, on_again, k);
	read_list(k);
	return k;
}

void
routes_free(struct routes *k)
{
	if (k == NULL)
		return;
	loop_timer_fini(&k->again);
	free(k);
}

void
routes_release(const struct paths *p)
{
	struct routes k = { 0 };

	(void)snprintf(k.path, sizeof(k.path), "%s/lbd-ha.routes", p->run);
	read_list(&k);
	drop_rest(&k);
	if (k.put_n == 0)
		(void)unlink(k.path);
}
