/* ipvs_fake.h - a kernel of the test's own: the functions of kernel/kernel.h over a table in memory. For one test program:
 * it defines them, so the library's are not linked. Thread-safe as the real one; what happened is in fake.done. */
#ifndef TESTS_IPVS_FAKE_H
#define TESTS_IPVS_FAKE_H

#include "base/must.h"
#include "ipvs_text.h"
#include "kernel/kernel.h"

#include <errno.h>
#include <pthread.h>

static struct {
	pthread_mutex_t lock;
	bool absent;
	struct ipvs_table table;
	struct buf done; /* operations in words */
	unsigned reads, runs, unrecorded;
	const char *unknown;  /* scheduler that it does not have */
	void (*during)(void); /* a reading, after the table was copied */
	struct ipvs_timeouts timeouts;
	struct ipvs_sync sync[2];
	char record[300];
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct kernel {
	int nothing;
};

int
kernel_open(struct kernel **out, struct err *err)
{
	if (fake.absent)
		return err_set(err, -ENOENT, "no ip_vs: modprobe ip_vs");
	*out = mem_alloc(sizeof(**out));
	return 0;
}

void
kernel_close(struct kernel *k)
{
	free(k);
}

int
kernel_read(struct kernel *k, struct ipvs_table *out, struct err *err)
{
	struct ipvs_table t = { 0 };

	(void)k;
	if (fake.absent)
		return err_set(err, -ENOENT, "no ip_vs: modprobe ip_vs");
	(void)pthread_mutex_lock(&fake.lock);
	fake.reads++;
	for (uint32_t i = 0; i < fake.table.n; i++) {
		table_add(&t, &fake.table.service[i]);
		t.service[i].service = 0;
		for (uint32_t j = 0; j < t.service[i].n; j++)
			t.service[i].dest[j].server = 0;
	}
	(void)pthread_mutex_unlock(&fake.lock);
	if (fake.during != NULL)
		fake.during();
	*out = t;
	return 0;
}

static bool
recorded(const struct ipvs_key *k)
{
	char key[KEY_TEXT], line[KEY_TEXT + 8];
	bool found = false;
	FILE *f = fopen(fake.record, "r");

	key_format(k, key);
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, key) == 0)
			found = true;
	}
	if (f != NULL)
		(void)fclose(f);
	return found;
}

static int
code_of(const struct ipvs_op *op)
{
	const struct ipvs_service *s = table_find(&fake.table, &op->service->key);

	if (op->kind == OP_NEW_SERVICE && s != NULL)
		return -EEXIST;
	if (op->kind != OP_NEW_SERVICE && s == NULL)
		return -ESRCH;
	if (op->dest == NULL && op->kind != OP_DEL_SERVICE && fake.unknown != NULL &&
	    strcmp(op->service->scheduler, fake.unknown) == 0)
		return -ENOENT;
	if (op->dest != NULL &&
	    (service_find(s, &op->dest->addr, op->dest->port) != NULL) == (op->kind == OP_NEW_DEST))
		return op->kind == OP_NEW_DEST ? -EEXIST : -ENOENT;
	return 0;
}

int
kernel_run(struct kernel *k, struct ipvs_ops *ops, struct err *err)
{
	(void)k;
	if (fake.absent)
		return err_set(err, -ENOENT, "no ip_vs: modprobe ip_vs");
	(void)pthread_mutex_lock(&fake.lock);
	fake.runs++;
	for (uint32_t i = 0; i < ops->n; i++) {
		struct ipvs_op copy;
		struct ipvs_ops one = { .n = 1, .op = &copy };

		ops->op[i].code = code_of(&ops->op[i]);
		copy = ops->op[i];
		if (copy.kind == OP_NEW_SERVICE)
			fake.unrecorded += !recorded(&copy.service->key);
		if (fake.done.len != 0)
			buf_puts(&fake.done, " ");
		text_ops(&one, &fake.done);
		diff_apply(&fake.table, &one);
	}
	(void)pthread_mutex_unlock(&fake.lock);
	return 0;
}

int
kernel_timeouts_get(struct kernel *k, struct ipvs_timeouts *out, struct err *err)
{
	(void)k;
	(void)err;
	*out = fake.timeouts;
	return 0;
}

int
kernel_timeouts_set(struct kernel *k, const struct ipvs_timeouts *t, struct err *err)
{
	(void)k;
	(void)err;
	if (t->tcp_s != 0)
		fake.timeouts.tcp_s = t->tcp_s;
	return 0;
}

int
kernel_sync_get(
    struct kernel *k, struct ipvs_sync *master, struct ipvs_sync *backup, struct err *err)
{
	(void)k;
	(void)err;
	*master = fake.sync[0];
	*backup = fake.sync[1];
	return 0;
}

int
kernel_sync_set(struct kernel *k, unsigned state, const struct ipvs_sync *s, struct err *err)
{
	struct ipvs_sync *is = &fake.sync[state == IPVS_SYNC_MASTER ? 0 : 1];

	(void)k;
	if (s->on && is->on)
		return err_set(err, -EEXIST, "it runs already");
	*is = *s;
	return 0;
}

int
kernel_zero(struct kernel *k, const struct ipvs_key *key, struct err *err)
{
	(void)k;
	(void)err;
	for (uint32_t i = 0; i < fake.table.n; i++)
		if (key == NULL || key_compare(&fake.table.service[i].key, key) == 0)
			fake.table.service[i].counts = (struct ipvs_counts){ 0 };
	return 0;
}

/* Somebody else, with ipvsadm. */
static void
edit(const char *text)
{
	(void)pthread_mutex_lock(&fake.lock);
	table_fini(&fake.table);
	fake.table = text_table(text);
	(void)pthread_mutex_unlock(&fake.lock);
}

#endif
