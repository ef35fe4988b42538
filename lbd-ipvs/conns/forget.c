/* Tells the kernel's own receiver of the connection synchronisation to forget.
 *
 * A job: where a receiver (backup) runs, because the pair is set so, its interface, group, port and id are used; else one
 * is started on the loopback for the moment, with an id, a group and a port drawn by lot, and stopped when its queue has
 * run dry. The messages (conns/sync.c) leave with hop limit 0, so no other machine hears them. They are paced, because
 * the receiver's queue is short and it says nothing of what it lost.
 *
 * Between start and stop of a receiver of ours somebody else may start or stop one (apply/reconcile.c keeps what is
 * configured): then the job fails with the kernel's word for it, and its owner tries again or says so. */
#include "conns/forget.h"
#include "conns/receiver.h"
#include "kernel/kernel.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define FORGET_MAGIC 0xf0536e70
#define TURN DUR_MS(10)
#define TURN_DATAGRAMS 8
#define DRY DUR_MS(300) /* from the last datagram until the receiver has read it */

struct job {
	struct list link;
	struct sync_list list;
	size_t at;
	void (*done)(void *arg, const struct err *err);
	void *arg;
};
struct forget {
	uint32_t magic;
	struct loop *loop;
	struct loop_timer timer;
	struct list jobs; /* the first is under way when going is set */
	bool going, sent;
	struct kernel *kernel;
	struct ipvs_sync receiver;
	bool started; /* receiver is ours */
	int fd;
};

/* ---- the receiver --------------------------------------------------------------------------- */

static int
find_receiver(struct forget *f, struct err *err)
{
	struct ipvs_sync master;
	uint8_t lot[4];
	int rc = kernel_open(&f->kernel, err);

	if (rc == 0)
		rc = kernel_sync_get(f->kernel, &master, &f->receiver, err);
	if (rc != 0)
		return rc;
	f->started = !f->receiver.on;
	if (f->receiver.on)
		return 0;
	if (getrandom(lot, sizeof(lot), 0) != (ssize_t)sizeof(lot))
		return err_set(err, -EAGAIN, "no random numbers");
	/* RFC 2365: 239.255.0.0/16 stays within the site; this stays within the machine */
	f->receiver = (struct ipvs_sync){ .on = true,
		.interface = "lo",
		.id = (uint8_t)(lot[0] | 1),
		.group = { .family = 4, .len = 32, .b = { 239, 255, lot[1], lot[2] } },
		.port = (uint16_t)(50000 + lot[3]) };
	rc = kernel_sync_set(f->kernel, IPVS_SYNC_BACKUP, &f->receiver, err);
	f->started = rc == 0;
	return rc;
}

static void
leave_receiver(struct forget *f)
{
	f->receiver.on = false;
	if (f->started)
		(void)kernel_sync_set(f->kernel, IPVS_SYNC_BACKUP, &f->receiver, NULL);
	f->started = false;
	if (f->fd != -1)
		(void)close(f->fd);
	f->fd = -1;
	kernel_close(f->kernel);
	f->kernel = NULL;
}

/* ---- jobs ------------------------------------------------------------------------------------- */

static void
end_job(struct forget *f, const struct err *err)
{
	struct job *j = container_of(f->jobs.next, struct job, link);

	leave_receiver(f);
	f->going = false;
	list_del(&j->link);
	if (!list_empty(&f->jobs))
		loop_timer_set(&f->timer, 0);
	j->done(j->arg, err);
	sync_list_fini(&j->list);
	free(j);
}

/* One datagram. */
static int
send_one(struct forget *f, struct job *j, struct err *err)
{
	size_t next = j->at, len = 0;
	const uint8_t *p = sync_message(&j->list, &next, f->receiver.id, &len);

	if (send(f->fd, p, len, 0) != -1)
		j->at = next;
	else if (errno == EAGAIN || errno == ENOBUFS)
		return -EAGAIN;
	else
		return err_set(err, -errno, "connection sync: %s", strerror(errno));
	return 0;
}

static void
on_timer(void *arg)
{
	struct forget *f = arg;
	struct job *j;
	struct err err = { 0 };
	int rc = 0;

	must_obj(f, FORGET_MAGIC);
	if (list_empty(&f->jobs))
		return;
	j = container_of(f->jobs.next, struct job, link);
	if (!f->going) {
		f->going = true;
		f->sent = false;
		rc = find_receiver(f, &err);
		if (rc == 0)
			rc = receiver_open(&f->receiver, &f->fd, &err);
	}
	for (unsigned i = 0; rc == 0 && i < TURN_DATAGRAMS && j->at < j->list.b.len; i++)
		rc = send_one(f, j, &err);
	if ((rc != 0 && rc != -EAGAIN) || f->sent) {
		end_job(f, &err);
		return;
	}
	f->sent = j->at == j->list.b.len;
	loop_timer_set(&f->timer, f->sent ? DRY : TURN);
}

struct forget *
forget_new(struct loop *l)
{
	struct forget *f = mem_alloc(sizeof(*f));

	f->magic = FORGET_MAGIC;
	f->loop = l;
	f->fd = -1;
	list_init(&f->jobs);
	loop_timer_init(&f->timer, l, on_timer, f);
	return f;
}

void
forget_free(struct forget *f)
{
	if (f == NULL)
		return;
	must_obj(f, FORGET_MAGIC);
	loop_timer_fini(&f->timer);
	leave_receiver(f);
	while (!list_empty(&f->jobs)) {
		struct job *j = container_of(f->jobs.next, struct job, link);

		list_del(&j->link);
		sync_list_fini(&j->list);
		free(j);
	}
	f->magic = 0;
	free(f);
}

void
forget_these(struct forget *f, struct sync_list *l, void (*done)(void *arg, const struct err *err),
    void *arg)
{
	struct job *j = mem_alloc(sizeof(*j));

	must_obj(f, FORGET_MAGIC);
	*j = (struct job){ .list = *l, .done = done, .arg = arg };
	*l = (struct sync_list){ 0 };
	list_init(&j->link);
	list_push(&f->jobs, &j->link);
	if (!f->going)
		loop_timer_set(&f->timer, 0);
}
