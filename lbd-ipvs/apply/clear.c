/* clear.c - what is done at once and by order: everything of lbd's away (the end of a daemon with ipvs_stop clear), and
 * counters back to zero.
 *
 * Whose a service is says the record; what is not lbd's stays. After a clear nothing is put back until something is
 * wanted again, whatever a reading that is under way may find missing. */
#include "apply/reconcile_priv.h"

#include <errno.h>
#include <string.h>

/* A stop may come before the first reading: then the table is read here. */
static int
ensure_known(struct reconcile *r, struct err *err)
{
	int code = 0;

	if (r->kernel == NULL)
		code = kernel_open(&r->kernel, err);
	if (code == 0 && !r->known) {
		table_fini(&r->have);
		code = kernel_read(r->kernel, &r->have, err);
	}
	if (code == 0)
		code = kernel_sync_get(r->kernel, &r->sync_is[0], &r->sync_is[1], err);
	return code;
}

static int
clear_sync(struct reconcile *r, struct err *err)
{
	static const struct ipvs_sync off;
	int code = 0;

	for (unsigned i = 0; i < 2 && code == 0; i++)
		if (r->record.sync[i] && r->sync_is[i].on)
			code = kernel_sync_set(
			    r->kernel, i == 0 ? IPVS_SYNC_MASTER : IPVS_SYNC_BACKUP, &off, err);
	return code;
}

int
reconcile_clear(struct reconcile *r, struct err *err)
{
	struct ipvs_ops ops = { 0 };
	int code = ensure_known(r, err);

	r->cleared = true;
	if (code == -ENOENT)
		return 0; /* a kernel without ip_vs has nothing of ours */
	for (uint32_t i = 0; code == 0 && i < r->have.n; i++)
		if (reconcile_mine(r, &r->have.service[i].key))
			diff_service(NULL, &r->have.service[i], &ops);
	if (code == 0)
		code = kernel_run(r->kernel, &ops, err);
	if (code == 0)
		code = clear_sync(r, err);
	for (uint32_t i = 0; code == 0 && i < ops.n; i++) {
		char key[KEY_TEXT];

		if (ops.op[i].code == 0 || ops.op[i].code == -ESRCH)
			continue;
		key_format(&ops.op[i].service->key, key);
		code = err_set(err, ops.op[i].code, "%s: cannot be removed: %s", key,
		    strerror(-ops.op[i].code));
	}
	if (code == 0) {
		diff_apply(&r->have, &ops);
		record_remove(&r->record);
	} else
		r->known = false;
	ops_fini(&ops);
	return code;
}

int
reconcile_zero(struct reconcile *r, uint32_t service, struct err *err)
{
	int code = 0;

	if (!reconcile_ready(r))
		return err_set(err, -ENOENT, "%s", r->fault);
	for (uint32_t i = 0; i < r->have.n && code == 0; i++) {
		const struct ipvs_service *s = &r->have.service[i];

		if (s->service != 0 && (service == 0 || s->service == service))
			code = kernel_zero(r->kernel, &s->key, err);
	}
	reader_ask(r->reader, 0);
	return code;
}
