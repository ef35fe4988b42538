/* settle.c - the timeouts and the two sync daemons, which the kernel keeps beside its table.
 *
 * Timeouts that are set are held at their value; those that are 0 stay as they are. A sync daemon cannot be changed in
 * place: one that differs is stopped and started. One that runs though none is wanted is stopped only when the
 * record says that lbd started it. A refusal is told (ops.settings), and tried again after REFUSED_RETRY. */
#include "apply/reconcile_priv.h"

#include "sys/log.h"

#include <stdio.h>
#include <string.h>

static const struct {
	unsigned state;
	const char *name;
} daemons[2] = { { IPVS_SYNC_MASTER, "sync master" }, { IPVS_SYNC_BACKUP, "sync backup" } };

bool
settle_sync_same(const struct ipvs_sync *want, const struct ipvs_sync *is)
{
	if (!want->on || !is->on)
		return want->on == is->on;
	return strcmp(want->interface, is->interface) == 0 && want->id == is->id &&
	       (want->group.family == 0 || addr_same_host(&want->group, &is->group)) &&
	       (want->port == 0 || want->port == is->port) &&
	       (want->maxlen == 0 || want->maxlen == is->maxlen) &&
	       (want->ttl == 0 || want->ttl == is->ttl);
}

bool
settle_timeouts_same(const struct ipvs_timeouts *want, const struct ipvs_timeouts *is)
{
	return (want->tcp_s == 0 || want->tcp_s == is->tcp_s) &&
	       (want->fin_s == 0 || want->fin_s == is->fin_s) &&
	       (want->udp_s == 0 || want->udp_s == is->udp_s);
}

static void
tell(struct reconcile *r, const char *fault)
{
	if (strcmp(r->settle_fault, fault) == 0)
		return;
	(void)snprintf(r->settle_fault, sizeof(r->settle_fault), "%s", fault);
	if (fault[0] != '\0')
		log_warn("%s", fault);
	if (r->ops.settings != NULL)
		r->ops.settings(r->ops.arg, fault[0] != '\0' ? r->settle_fault : NULL);
}

static int
set_sync(struct reconcile *r, unsigned i, struct err *err)
{
	static const struct ipvs_sync off;
	const struct ipvs_sync *want = &r->sync[i];
	int code = 0;

	if (settle_sync_same(want, &r->sync_is[i]))
		return 0;
	if (!want->on && !r->record.sync[i])
		return 0; /* somebody else's */
	if (r->sync_is[i].on)
		code = kernel_sync_set(r->kernel, daemons[i].state, &off, err);
	if (code != 0)
		return code;
	r->sync_is[i].on = false;
	if (!want->on) {
		record_sync(&r->record, daemons[i].state, false);
		log_info("%s: stopped", daemons[i].name);
		return 0;
	}
	record_sync(&r->record, daemons[i].state, true);
	reconcile_save(r);
	code = kernel_sync_set(r->kernel, daemons[i].state, want, err);
	if (code != 0)
		return code;
	r->sync_is[i] = *want;
	log_info("%s: started on %s, id %u", daemons[i].name, want->interface, want->id);
	return 0;
}

void
settle_run(struct reconcile *r)
{
	struct err err = { .text = "" };
	int code = 0;

	if (!r->timeouts_new && !r->sync_new)
		return;
	if (r->timeouts_new)
		code = kernel_timeouts_set(r->kernel, &r->timeouts, &err);
	/* Both daemons are tried, whatever the first says. */
	for (unsigned i = 0; i < 2 && r->sync_new; i++) {
		struct err one;
		int rc = set_sync(r, i, &one);

		if (rc == 0 || code != 0)
			continue;
		code = rc;
		err = one;
	}
	r->timeouts_new = r->sync_new = false;
	r->settle_retry = mono_now() + REFUSED_RETRY;
	reconcile_save(r);
	tell(r, code != 0 ? err.text : "");
}

void
settle_look(struct reconcile *r, const struct reading *reading)
{
	r->sync_is[0] = reading->sync[0];
	r->sync_is[1] = reading->sync[1];
	if (r->settle_fault[0] != '\0' && mono_now() < r->settle_retry)
		return;
	if (!settle_timeouts_same(&r->timeouts, &reading->timeouts))
		r->timeouts_new = true;
	for (unsigned i = 0; i < 2 && r->sync_set; i++)
		if (!settle_sync_same(&r->sync[i], &r->sync_is[i]))
			r->sync_new = true;
}
