/* ipvs_kernel.c - the figures of lbd-ipvs without the daemon around it: SERVICES x SERVERS into an empty kernel through
 * apply/reconcile, one change, CHANGES changes in a second, and the whole table read back. One line of JSON a phase:
 * wall, user and system seconds of this process (the reading thread included).
 *
 *	ipvs_kernel RUN-FOLDER SERVICES SERVERS PHASE...	PHASE: program, change, storm, read, remove
 *
 * Phases are made in the order given; "adopt" in place of program expects the table to be there already. The addresses
 * are those of tests/bench/ipvs.py, which prints the comparison with ipvsadm and keepalived. */
#include "apply/reconcile.h"
#include "kernel/kernel.h"

#include "base/mem.h"
#include "base/must.h"

#include <linux/ip_vs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define CHANGES 1000
#define STORM DUR_S(1)

struct bench {
	struct loop *loop;
	struct paths paths;
	struct reconcile *r; /* NULL: not yet */
	uint32_t services, servers;
	uint32_t waiting, faults;
	/* the storm */
	struct loop_timer tick;
	mono_t began;
	uint32_t sent, changes;
	mono_t *sent_at;
	double *lag_ms;
};
struct clocks {
	double wall, user, system;
};

static double
seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static struct clocks
now(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (
	    struct clocks){ (double)mono_now() / 1e6, seconds(u.ru_utime), seconds(u.ru_stime) };
}

static void
report(const char *phase, struct clocks from, const char *more)
{
	struct clocks to = now();

	(void)printf("{\"phase\": \"%s\", \"wall\": %.4f, \"user\": %.4f, \"system\": %.4f%s}\n",
	    phase, to.wall - from.wall, to.user - from.user, to.system - from.system, more);
	(void)fflush(stdout);
}

static void
address(struct addr *a, unsigned first, uint32_t i)
{
	*a = (struct addr){ .family = 4,
		.len = 32,
		.b = { (uint8_t)first, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };
}

/* Service i: TCP 100.x.y.z:80, wlc; its servers 10.x.y.z:8080, DR, weight 100 or as given for the first. */
static void
want(struct bench *b, uint32_t i, uint32_t weight)
{
	struct ipvs_table t = { .n = 1, .service = mem_alloc(sizeof(struct ipvs_service)) };
	struct ipvs_service *s = t.service;

	s->key = (struct ipvs_key){ .family = 4, .protocol = IPPROTO_TCP, .port = 80 };
	address(&s->key.addr, 100, i + 1);
	(void)strcpy(s->scheduler, "wlc");
	s->netmask = 32;
	s->service = i + 1;
	s->n = b->servers;
	s->dest = mem_alloc(s->n * sizeof(*s->dest));
	for (uint32_t k = 0; k < s->n; k++) {
		struct ipvs_dest *d = &s->dest[k];

		address(&d->addr, 10, i * b->servers + k + 1);
		d->port = 80;
		d->forward = IPVS_DR;
		d->weight = k == 0 ? weight : 100;
		d->server = i * b->servers + k + 1;
	}
	reconcile_want(b->r, i + 1, &t);
}

static void
on_told(void *arg, uint32_t service, const char *fault)
{
	struct bench *b = arg;

	b->faults += fault != NULL;
	if (b->sent_at != NULL && b->sent_at[service - 1] != 0) {
		b->lag_ms[service - 1] = (double)(mono_now() - b->sent_at[service - 1]) / 1e3;
		b->sent_at[service - 1] = 0;
	}
	if (b->waiting != 0 && --b->waiting == 0)
		loop_stop(b->loop);
}

static void
program(struct bench *b, const char *phase)
{
	struct clocks from = now();

	for (uint32_t i = 0; i < b->services; i++)
		want(b, i, 100);
	b->waiting = b->services;
	reconcile_start(b->r);
	(void)loop_run(b->loop);
	report(phase, from, "");
}

static void
change(struct bench *b)
{
	struct clocks from = now();

	want(b, b->services / 2, 7);
	b->waiting = 1;
	(void)loop_run(b->loop);
	report("change", from, "");
}

/* Evenly over a second, whatever the loop does meanwhile. */
static void
on_tick(void *arg)
{
	struct bench *b = arg;
	uint32_t due = (uint32_t)((mono_now() - b->began) * CHANGES / STORM) + 1;

	for (; b->sent < due && b->sent < b->changes; b->sent++) {
		uint32_t i = b->sent * (b->services / b->changes);

		b->sent_at[i] = mono_now();
		want(b, i, 1 + b->sent % 50);
	}
	if (b->sent < b->changes)
		loop_timer_set(&b->tick, DUR_MS(1));
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
storm(struct bench *b)
{
	uint32_t seen = 0;
	struct clocks from = now();
	char more[128];

	b->sent_at = mem_alloc(b->services * sizeof(*b->sent_at));
	b->lag_ms = mem_alloc(b->services * sizeof(*b->lag_ms));
	b->sent = 0;
	b->began = mono_now();
	b->changes = b->waiting = b->services < CHANGES ? b->services : CHANGES;
	loop_timer_init(&b->tick, b->loop, on_tick, b);
	loop_timer_set(&b->tick, 0);
	(void)loop_run(b->loop);
	loop_timer_fini(&b->tick);
	qsort(b->lag_ms, b->services, sizeof(*b->lag_ms), by_size);
	while (seen < b->services && b->lag_ms[b->services - 1 - seen] > 0)
		seen++;
	(void)snprintf(more, sizeof(more), ", \"lag_p50_ms\": %.2f, \"lag_p99_ms\": %.2f",
	    b->lag_ms[b->services - 1 - seen / 2], b->lag_ms[b->services - 1 - seen / 100]);
	report("storm", from, more);
	FREE(b->sent_at);
	FREE(b->lag_ms);
}

static int
read_back(const struct bench *b)
{
	struct clocks from = now();
	struct ipvs_table t = { 0 };
	struct kernel *k = NULL;
	uint64_t servers = 0;
	struct err err;
	int code = kernel_open(&k, &err);

	if (code == 0)
		code = kernel_read(k, &t, &err);
	if (code != 0)
		(void)fprintf(stderr, "%s\n", err.text);
	else
		report("read", from, "");
	for (uint32_t i = 0; i < t.n; i++)
		servers += t.service[i].n;
	if (code == 0 && (t.n != b->services || servers != (uint64_t)b->services * b->servers))
		(void)fprintf(stderr, "read %u services, %ju servers\n", t.n, (uintmax_t)servers),
		    code = -1;
	table_fini(&t);
	kernel_close(k);
	return code;
}

/* Not before it is needed: its thread reads too, and would be in the way of the phase read. */
static void
begin(struct bench *b)
{
	struct reconcile_ops ops = { .told = on_told, .arg = b };

	if (b->r == NULL)
		b->r = reconcile_new(b->loop, &b->paths, &ops);
}

static int
make_phase(struct bench *b, const char *phase)
{
	struct clocks from = now();
	struct err err;

	if (strcmp(phase, "read") == 0)
		return read_back(b);
	begin(b);
	if (strcmp(phase, "program") == 0 || strcmp(phase, "adopt") == 0)
		program(b, phase);
	else if (strcmp(phase, "change") == 0)
		change(b);
	else if (strcmp(phase, "storm") == 0)
		storm(b);
	else if (strcmp(phase, "remove") == 0) {
		if (reconcile_clear(b->r, &err) != 0) {
			(void)fprintf(stderr, "%s\n", err.text);
			return -1;
		}
		report("remove", from, "");
	} else
		return -1;
	return 0;
}

int
main(int argc, char **argv)
{
	struct bench b = { 0 };
	int code = 0;

	if (argc < 5)
		return 64;
	(void)snprintf(b.paths.run, sizeof(b.paths.run), "%s", argv[1]);
	b.services = (uint32_t)atoi(argv[2]);
	b.servers = (uint32_t)atoi(argv[3]);
	must(b.services > 0 && b.servers > 0);
	b.loop = loop_new();
	for (int i = 4; i < argc && code == 0; i++)
		code = make_phase(&b, argv[i]);
	reconcile_free(b.r);
	loop_free(b.loop);
	if (b.faults != 0)
		(void)fprintf(stderr, "%u faults\n", b.faults);
	return code == 0 && b.faults == 0 ? 0 : 1;
}
