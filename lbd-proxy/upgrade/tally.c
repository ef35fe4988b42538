/* Counters between two processes. The old one tells what it counted since it told last, so each count is told once; the new
 * one takes it off the base that it subtracts, which is to say that it adds it. So a total never goes back: not when
 * the processes change, not while the old one finishes its connections, and not when it ends. Gauges are told as they are,
 * and count as long as the old process lives. */
#include "tally.h"

#include "base/buf.h"
#include "base/mem.h"

#include "control.h"
#include "parcel.h"

#include <string.h>

struct told {
	union {
		struct service_counters of_service;
		struct server_counters of_server;
	} n;
	struct phases times;
};

static struct told *
told_of(struct idmap *m, uint32_t id)
{
	struct told *t = idmap_get(m, id);

	if (t == NULL) {
		t = mem_alloc(sizeof(*t));
		idmap_put(m, id, t);
	}
	return t;
}

/* more = now - told for totals, now for gauges, and for peaks that rose; true: there is something to tell. */
static bool
differ(const struct counter *rows, unsigned n, const uint64_t *now, const uint64_t *told,
    uint64_t *more)
{
	bool any = false;

	for (unsigned i = 0; i < n; i++) {
		any = any || now[i] != told[i];
		more[i] = rows[i].kind == COUNTER_TOTAL			      ? now[i] - told[i]
			  : rows[i].kind == COUNTER_PEAK && now[i] <= told[i] ? 0
									      : now[i];
	}
	return any;
}

static int
send_count(int fd, const struct parcel_count *c)
{
	struct buf b = { 0 };
	int code;

	parcel_count(&b, c);
	code = parcel_send(fd, b.p, b.len, NULL, 0);
	buf_fini(&b);
	return code;
}

static int
tell_service(struct tally *t, const struct ctl_service *c, int fd)
{
	struct parcel_count out = { .id = c->id, .since = c->svc->since };
	struct told *told = told_of(&t->services, c->id), now = { 0 };
	bool any;
	int code;

	svc_counts(c->svc, &now.n.of_service);
	svc_phases(c->svc, &now.times);
	any = differ(service_counters, service_counters_n, (const uint64_t *)&now.n,
	    (const uint64_t *)&told->n, (uint64_t *)&out.n);
	if (!any)
		return 0;
	for (unsigned i = 0; i < PHASES_NUMBERS; i++)
		((uint64_t *)&out.times)[i] =
		    ((const uint64_t *)&now.times)[i] - ((const uint64_t *)&told->times)[i];
	code = send_count(fd, &out);
	if (code == 0)
		*told = now;
	return code;
}

static int
tell_server(struct tally *t, const struct ctl_server *s, int fd)
{
	struct parcel_count out = { .server = true, .id = s->id };
	struct told *told = told_of(&t->servers, s->id), now = { 0 };
	int code;

	srv_counts(s->srv, &now.n.of_server);
	if (!differ(server_counters, server_counters_n, (const uint64_t *)&now.n,
		(const uint64_t *)&told->n, (uint64_t *)&out.n))
		return 0;
	code = send_count(fd, &out);
	if (code == 0)
		*told = now;
	return code;
}

int
tally_send(struct tally *t, struct control *k, int fd)
{
	const struct ctl_service *c;
	uint32_t at = 0, i;
	int code = 0;

	while (code == 0 && (c = idmap_next(&k->services, &at, NULL)) != NULL) {
		code = tell_service(t, c, fd);
		for (i = 0; i < c->n && code == 0; i++)
			code = tell_server(t, c->servers[i], fd);
		if (code == 0)
			code = tally_send_rules(&t->rules, c, fd);
	}
	return code;
}

static void
spoil(struct idmap *m, const struct counter *rows, unsigned n)
{
	struct told *told;
	uint32_t at = 0;

	while ((told = idmap_next(m, &at, NULL)) != NULL)
		for (unsigned i = 0; i < n; i++)
			if (rows[i].kind == COUNTER_GAUGE)
				((uint64_t *)&told->n)[i] = UINT64_MAX;
}

void
tally_again(struct tally *t)
{
	spoil(&t->services, service_counters, service_counters_n);
	spoil(&t->servers, server_counters, server_counters_n);
}

static void
forget(struct idmap *m)
{
	uint32_t at = 0;
	void *p;

	while ((p = idmap_next(m, &at, NULL)) != NULL)
		free(p);
	idmap_fini(m);
}

void
tally_fini(struct tally *t)
{
	forget(&t->services);
	forget(&t->servers);
	forget(&t->rules);
}

/* base is what is taken off; of peaks, how high they were. */
static void
add(const struct counter *rows, unsigned n, uint64_t *base, const uint64_t *more)
{
	for (unsigned i = 0; i < n; i++)
		if (rows[i].kind == COUNTER_TOTAL)
			base[i] -= more[i];
		else if (rows[i].kind == COUNTER_PEAK && more[i] > base[i])
			base[i] = more[i];
}

static void
add_times(struct svc *s, const struct phases *more)
{
	if (s->base_phases == NULL)
		s->base_phases = mem_alloc(sizeof(*s->base_phases));
	for (unsigned i = 0; i < PHASES_NUMBERS; i++)
		((uint64_t *)s->base_phases)[i] -= ((const uint64_t *)more)[i];
}

void
tally_add(struct control *k, const struct parcel_count *c, bool since)
{
	const struct ctl_server *s = c->server ? idmap_get(&k->servers, c->id) : NULL;
	const struct ctl_service *v = c->server ? NULL : idmap_get(&k->services, c->id);

	if (s != NULL)
		add(server_counters, server_counters_n, (uint64_t *)&s->srv->base,
		    (const uint64_t *)&c->n);
	if (v == NULL)
		return;
	add(service_counters, service_counters_n, (uint64_t *)&v->svc->base,
	    (const uint64_t *)&c->n);
	add_times(v->svc, &c->times);
	if (since)
		v->svc->since = c->since;
}

void
tally_gauges(const struct counter *rows, unsigned n, const void *more, void *sum)
{
	for (unsigned i = 0; i < n; i++)
		if (rows[i].kind == COUNTER_GAUGE)
			((uint64_t *)sum)[i] += ((const uint64_t *)more)[i];
}
