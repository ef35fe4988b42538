/* Places at servers: limits over all workers, the queue's order, who is woken, and drained servers. Runs inside two real
 * workers, because waking is between them. */
#include "lbd-proxy/pool/backend.h"
#include "lbd-proxy/net/worker.h"

#include "base/must.h"
#include "store/state.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct proxy px;
static struct svc *svc;
static struct srv *srv[2];
static struct view_server at[2];
static struct service row;
static sem_t done, woken;
#define SEATS 12
static struct seat seat[SEATS];
static unsigned order[SEATS], n_order;
static enum seat_result result[SEATS];

static void
ready(struct seat *s)
{
	order[n_order++] = (unsigned)(s - seat);
	(void)sem_post(&woken);
}

static void
failed(struct seat *s)
{
	order[n_order++] = 100 + (unsigned)(s - seat);
	(void)sem_post(&woken);
}

/* A step in a worker, waited for. */
static void
step(unsigned worker, worker_fn fn, void *a, void *b)
{
	assert_int_equal(worker_post(px.w[worker], fn, a, b), 0);
	assert_int_equal(sem_wait(&done), 0);
}

static void
wait_woken(void)
{
	struct timespec end;

	(void)clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 5;
	assert_int_equal(sem_timedwait(&woken, &end), 0);
}

static void
do_set(struct worker *w, void *v, void *none)
{
	(void)none;
	local_set(w, v);
	(void)sem_post(&done);
}

static void
do_take(struct worker *w, void *s, void *known)
{
	struct seat *one = s;

	seat_init(one, local_find(w, svc), ready, failed);
	result[one - seat] = seat_take(one, (uint32_t)(uintptr_t)known);
	(void)sem_post(&done);
}

static void
do_rank(struct worker *w, void *s, void *priority)
{
	struct seat *one = s;

	seat_init(one, local_find(w, svc), ready, failed);
	one->priority = (int16_t)(intptr_t)priority;
	result[one - seat] = seat_take(one, 0);
	(void)sem_post(&done);
}

static void
do_leave(struct worker *w, void *s, void *none)
{
	(void)w;
	(void)none;
	seat_leave(s);
	(void)sem_post(&done);
}

static void
do_gone(struct worker *w, void *none, void *nothing)
{
	(void)none;
	(void)nothing;
	local_gone(local_find(w, svc));
	(void)sem_post(&done);
}

static void
tell(void)
{
	struct view *v = view_new(svc, &row, at, 2, NULL, NULL);

	step(0, do_set, view_ref(v), NULL);
	step(1, do_set, v, NULL);
}

static int
set_up(void **state)
{
	int code = 0;
	unsigned i;

	(void)state;
	must(sem_init(&done, 0, 0) == 0 && sem_init(&woken, 0, 0) == 0);
	atomic_store(&px.fds_max, 1000);
	for (i = 0; i < 2; i++) {
		px.w[i] = worker_new(&px, i, &code);
		must(px.w[i] != NULL);
		px.n = i + 1;
	}
	row = (struct service){ .id = 1,
		.name = "t",
		.cookie = "c",
		.retry_on = "",
		.queue_max = 3,
		.retries = 3,
		.scheduler = scheduler_wrr };
	svc = svc_new(1, 2);
	n_order = 0;
	for (i = 0; i < 2; i++) {
		srv[i] = srv_new(10 + i, 1, 2);
		at[i] = (struct view_server){
			.srv = srv[i], .weight = 1, .max_conns = 1, .fresh = true, .known = true
		};
		must(addr_parse("127.0.0.1", ADDR_HOST, &at[i].addr) == 0);
	}
	return 0;
}

static int
tear_down(void **state)
{
	unsigned i;

	(void)state;
	step(0, do_gone, NULL, NULL);
	step(1, do_gone, NULL, NULL);
	for (i = 0; i < 2; i++) {
		worker_free(px.w[i]);
		srv_unref(srv[i]);
	}
	px.n = 0;
	svc_unref(svc);
	return 0;
}

static void
take(unsigned worker, unsigned i, uint32_t known, enum seat_result want)
{
	step(worker, do_take, &seat[i], (void *)(uintptr_t)known);
	assert_int_equal(result[i], want);
}

static void
test_limit_and_queue(void **state)
{
	(void)state;
	tell();
	take(0, 0, 0, SEAT_OK);
	take(1, 1, 0, SEAT_OK); /* the other server: the first is full, for every worker */
	assert_true(seat[0].srv->srv != seat[1].srv->srv);
	take(1, 2, 0, SEAT_WAIT);
	take(1, 3, 0, SEAT_WAIT);
	assert_int_equal(atomic_load(&svc->waiting), 2);
	step(0, do_leave, &seat[0], NULL); /* in another worker than those that wait */
	wait_woken();
	step(1, do_leave, &seat[1], NULL);
	wait_woken();
	assert_int_equal(order[0], 2); /* who came first goes first */
	assert_int_equal(order[1], 3);
	assert_int_equal(atomic_load(&svc->waiting), 0);
	assert_int_equal(atomic_load(&svc->waiters), 0);
	step(1, do_leave, &seat[2], NULL);
	step(1, do_leave, &seat[3], NULL);
	assert_int_equal(atomic_load(&srv[0]->conns) + atomic_load(&srv[1]->conns), 0);
}

static void
test_queue_length(void **state)
{
	(void)state;
	row.queue_max = 1;
	tell();
	take(0, 0, 0, SEAT_OK);
	take(0, 1, 0, SEAT_OK);
	take(0, 2, 0, SEAT_WAIT);
	take(1, 3, 0, SEAT_REFUSED);
	step(0, do_leave, &seat[2], NULL); /* it gave up waiting */
	assert_int_equal(atomic_load(&svc->waiting), 0);
	step(0, do_leave, &seat[0], NULL);
	step(0, do_leave, &seat[1], NULL);
	assert_int_equal(n_order, 0);
}

static void
test_known_waits_for_its_server(void **state)
{
	(void)state;
	tell();
	take(0, 0, 10, SEAT_OK);
	assert_int_equal(seat[0].srv->srv->id, 10);
	take(0, 1, 10, SEAT_WAIT); /* although the other is free */
	assert_int_equal(atomic_load(&srv[0]->waiting), 1);
	take(0, 2, 0, SEAT_OK);
	assert_int_equal(seat[2].srv->srv->id, 11);
	step(0, do_leave, &seat[0], NULL);
	wait_woken();
	assert_int_equal(seat[1].srv->srv->id, 10);
	assert_int_equal(atomic_load(&srv[0]->waiting), 0);
	step(0, do_leave, &seat[1], NULL);
	step(0, do_leave, &seat[2], NULL);
}

static void
test_drained_and_down(void **state)
{
	(void)state;
	at[0].fresh = false; /* drains */
	tell();
	take(0, 0, 0, SEAT_OK);
	assert_int_equal(seat[0].srv->srv->id, 11);
	take(0, 1, 10, SEAT_OK); /* it has this one */
	assert_int_equal(seat[1].srv->srv->id, 10);
	step(0, do_leave, &seat[0], NULL);
	step(0, do_leave, &seat[1], NULL);
	at[0].known = false; /* its time is over */
	tell();
	take(0, 1, 10, SEAT_OK);
	assert_int_equal(seat[1].srv->srv->id, 11);
	step(0, do_leave, &seat[1], NULL);
	atomic_store(&srv[1]->verdict, VERDICT_DOWN);
	take(0, 0, 0, SEAT_NONE);
	atomic_store(&srv[1]->verdict, VERDICT_UNKNOWN); /* counts as fit */
	take(0, 0, 0, SEAT_OK);
	step(0, do_leave, &seat[0], NULL);
}

static void
do_force(struct worker *w, void *s, void *known)
{
	struct seat *one = s;

	seat_init(one, local_find(w, svc), ready, failed);
	one->forced = true;
	result[one - seat] = seat_take(one, (uint32_t)(uintptr_t)known);
	(void)sem_post(&done);
}

/* A080: down, halted, of weight 0: who is forced gets it, but only the server that it belongs to. */
static void
test_forced(void **state)
{
	(void)state;
	at[0].fresh = at[0].known = false;
	tell();
	atomic_store(&srv[0]->verdict, VERDICT_DOWN);
	take(0, 0, 10, SEAT_OK);
	assert_int_equal(seat[0].srv->srv->id, 11);
	step(0, do_leave, &seat[0], NULL);
	step(0, do_force, &seat[0], (void *)(uintptr_t)10);
	assert_int_equal(result[0], SEAT_OK);
	assert_int_equal(seat[0].srv->srv->id, 10);
	step(0, do_leave, &seat[0], NULL);
	step(0, do_force, &seat[0], (void *)(uintptr_t)99); /* there is none */
	assert_int_equal(result[0], SEAT_OK);
	assert_int_equal(seat[0].srv->srv->id, 11);
	step(0, do_leave, &seat[0], NULL);
	at[0].addr.family = 0; /* its name is not known */
	tell();
	step(0, do_force, &seat[0], (void *)(uintptr_t)10);
	assert_int_equal(seat[0].srv->srv->id, 11);
	step(0, do_leave, &seat[0], NULL);
}

static void
test_none_left_while_waiting(void **state)
{
	(void)state;
	tell();
	take(0, 0, 0, SEAT_OK);
	take(0, 1, 0, SEAT_OK);
	take(0, 2, 0, SEAT_WAIT);
	at[0].fresh = at[1].fresh = at[0].known = at[1].known = false;
	tell(); /* who waits is told at once */
	wait_woken();
	assert_int_equal(order[0], 102);
	step(0, do_leave, &seat[0], NULL);
	step(0, do_leave, &seat[1], NULL);
}

static void
do_tried(struct worker *w, void *s, void *more_out)
{
	(void)w;
	*(bool *)more_out = seat_tried(s);
	if (*(bool *)more_out)
		result[(struct seat *)s - seat] = seat_take(s, 0);
	(void)sem_post(&done);
}

static void
test_tried(void **state)
{
	uint32_t first;
	bool more;

	(void)state;
	row.retries = 2;
	tell();
	take(0, 0, 0, SEAT_OK);
	first = seat[0].srv->srv->id;
	step(0, do_tried, &seat[0], &more);
	assert_true(more);
	assert_int_equal(result[0], SEAT_OK);
	assert_int_not_equal(seat[0].srv->srv->id, first);
	step(0, do_tried, &seat[0], &more);
	assert_true(more);
	assert_int_equal(result[0], SEAT_NONE);
}

/* Who waits, in which worker with which priority; who gives up; the order in which the others are served. Two are
 * there before: what one leaves is the next one's. */
static void
test_priorities(void **state)
{
	static const struct {
		struct {
			unsigned worker;
			int priority;
		} come[8];
		unsigned n;
		int gone[3]; /* ends with -1 */
		unsigned served[8];
	} rows[] = {
		{ { { 0, 0 }, { 0, 0 }, { 0, 0 } }, 3, { -1 }, { 0, 1, 2 } },
		{ { { 0, 5 }, { 0, 0 }, { 0, -5 } }, 3, { -1 }, { 2, 1, 0 } },
		{ { { 0, 5 }, { 0, 0 }, { 0, 5 }, { 0, 0 }, { 0, -2047 }, { 0, 2047 } }, 6, { -1 },
		    { 4, 1, 3, 0, 2, 5 } },
		/* between workers too */
		{ { { 0, 1 }, { 1, 0 }, { 0, -1 }, { 1, -1 }, { 1, -2 } }, 5, { -1 },
		    { 4, 2, 3, 1, 0 } }, /* of one priority: by turns */
		/* the last of a priority leaves: the one before it stands for it */
		{ { { 0, 0 }, { 0, 3 }, { 0, 3 }, { 0, 7 }, { 0, 0 }, { 0, 3 } }, 6, { 2, -1 },
		    { 0, 4, 1, 5, 3 } },
		{ { { 0, 0 }, { 0, 3 }, { 0, 3 }, { 0, 7 } }, 4, { 2, 1, -1 }, { 0, 3 } },
		{ { { 0, 1 }, { 1, 2 }, { 0, 3 }, { 1, 4 } }, 4, { 0, 1, -1 }, { 2, 3 } },
	};

	(void)state;
	row.queue_max = 20;
	tell();
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned left = rows[i].n, now[2] = { 8, 9 }, k;

		n_order = 0;
		take(0, 8, 0, SEAT_OK);
		take(0, 9, 0, SEAT_OK);
		for (k = 0; k < rows[i].n; k++) {
			step(rows[i].come[k].worker, do_rank, &seat[k],
			    (void *)(intptr_t)rows[i].come[k].priority);
			assert_int_equal(result[k], SEAT_WAIT);
		}
		for (k = 0; rows[i].gone[k] >= 0; k++, left--)
			step(rows[i].come[rows[i].gone[k]].worker, do_leave, &seat[rows[i].gone[k]],
			    NULL);
		for (k = 0; k < left; k++) {
			unsigned one = now[k % 2];

			step(one >= 8 ? 0 : rows[i].come[one].worker, do_leave, &seat[one], NULL);
			wait_woken();
			assert_int_equal(order[k], rows[i].served[k]);
			now[k % 2] = order[k];
		}
		for (k = 0; k < 2; k++)
			step(now[k] >= 8 ? 0 : rows[i].come[now[k]].worker, do_leave, &seat[now[k]],
			    NULL);
		assert_int_equal(atomic_load(&svc->waiting), 0);
		assert_int_equal(atomic_load(&svc->waiters), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_limit_and_queue, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_priorities, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_queue_length, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_known_waits_for_its_server, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_drained_and_down, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_forced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_none_left_while_waiting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tried, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
