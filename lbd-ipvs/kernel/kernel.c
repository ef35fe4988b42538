/* kernel.c - IPVS of the kernel: operations in, the table out.
 *
 * Operations are sent in batches of BATCH, of which only the last asks for an acknowledgement: the kernel does them in
 * order and answers each refusal, so when the last is answered all that was not refused is done. A batch is small
 * enough that, were everything refused, the answers fit the socket's buffer; should the kernel drop answers all the
 * same (ENOBUFS), what was not answered counts as failed and the caller reads the table anew.
 *
 * A listing of services is one dump, of destinations one dump a service. The kernel fills datagrams of 32 KiB while
 * they are fetched, so two system calls a service are enough. A table that changes meanwhile can show an entry twice or
 * not at all (the kernel counts its way through); twice is mended here.
 *
 * A module that was unloaded and loaded again has another family number: a call that fails with ENOENT, as unknown
 * families do, looks it up again and is made once more. Nothing is decided here and nothing logged. */
#include "kernel/kernel.h"

#include "kernel/genl.h"
#include "kernel/wire.h"

#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <string.h>

#define BATCH 256	   /* operations; at about 250 bytes each 64 KiB */
#define REFUSAL_BYTES 1280 /* what the answer to one takes of the receive buffer */
#define DUMP_GROW 64

_Static_assert(BATCH *REFUSAL_BYTES < 2 * 212992, "the system's default buffer holds a batch");

struct kernel {
	struct genl *genl;
	uint16_t family;
	uint32_t seq;
	struct buf out;
};

static int
open_code(int code, struct err *err)
{
	if (code == -ENOENT)
		return err_set(err, code, "this kernel has no ip_vs: modprobe ip_vs");
	if (code == -EPERM)
		return err_set(err, code, "ip_vs: operation not permitted (CAP_NET_ADMIN)");
	return err_set(err, code, "ip_vs: netlink cannot be opened: %s", strerror(-code));
}

int
kernel_open(struct kernel **out, struct err *err)
{
	struct kernel *k = mem_alloc(sizeof(*k));
	int code = genl_open(&k->genl, IPVS_GENL_NAME, &k->family);

	if (code != 0) {
		free(k);
		return open_code(code, err);
	}
	*out = k;
	return 0;
}

void
kernel_close(struct kernel *k)
{
	if (k == NULL)
		return;
	genl_close(k->genl);
	buf_fini(&k->out);
	free(k);
}

/* After ENOENT: -EAGAIN when the family has another number by now; -ENOENT when it is gone; 0: it was not that. */
static int
look_again(struct kernel *k)
{
	struct genl *fresh;
	uint16_t family;
	int code = genl_open(&fresh, IPVS_GENL_NAME, &family);

	if (code != 0)
		return code;
	if (family == k->family) {
		genl_close(fresh);
		return 0;
	}
	genl_close(k->genl);
	k->genl = fresh;
	k->family = family;
	return -EAGAIN;
}

static struct wire_head
head(struct kernel *k, uint16_t flags)
{
	return (struct wire_head){ .family = k->family, .flags = flags, .seq = ++k->seq };
}

static int
socket_code(int code, struct err *err)
{
	if (code == -ENOBUFS)
		return err_set(err, code, "ip_vs: the kernel dropped answers, its buffer was full");
	if (code == -ETIMEDOUT)
		return err_set(err, code, "ip_vs: no answer from the kernel for %d s", GENL_WAIT_S);
	if (code == -ENOENT)
		return open_code(code, err);
	return err_set(err, code, "ip_vs: %s", strerror(-code));
}

/* ---- operations ---- */

struct batch {
	struct ipvs_op *op;
	uint32_t first, n; /* sequence number of the first */
};

static int
on_batch(void *arg, struct rd *data)
{
	struct batch *b = arg;
	struct wire_msg m;
	int more;

	while ((more = wire_next(data, &m)) == 1) {
		uint32_t i = m.seq - b->first;

		if (m.kind != WIRE_ERROR || i >= b->n)
			continue; /* of an earlier call that was given up */
		b->op[i].code = m.code;
		if (i == b->n - 1)
			return 1;
	}
	return more;
}

static int
run_batch(struct kernel *k, struct ipvs_op *op, uint32_t n)
{
	struct batch b = { .op = op, .first = k->seq + 1, .n = n };
	int code;

	k->out.len = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct wire_head h = head(k, i == n - 1 ? NLM_F_ACK : 0);

		op[i].code = 0;
		wire_put_op(&k->out, &h, &op[i]);
	}
	code = genl_send(k->genl, &k->out);
	if (code == 0)
		code = genl_receive(k->genl, on_batch, &b);
	return code < 0 ? code : 0;
}

static int
run_all(struct kernel *k, struct ipvs_ops *ops)
{
	int code = 0;

	for (uint32_t at = 0, n; at < ops->n; at += n) {
		n = ops->n - at < BATCH ? ops->n - at : BATCH;
		if (code == 0)
			code = run_batch(k, &ops->op[at], n);
		for (uint32_t i = at; code != 0 && i < at + n; i++)
			if (ops->op[i].code == 0)
				ops->op[i].code = code;
	}
	return code;
}

/* The kernel answers ENOENT for a scheduler, an engine or a destination that it does not have, and for a family. */
static bool
all_unknown(const struct ipvs_ops *ops)
{
	for (uint32_t i = 0; i < ops->n; i++)
		if (ops->op[i].code != -ENOENT)
			return false;
	return ops->n != 0;
}

int
kernel_run(struct kernel *k, struct ipvs_ops *ops, struct err *err)
{
	int code = run_all(k, ops);

	if (code == 0 && all_unknown(ops)) {
		code = look_again(k);
		if (code == -EAGAIN)
			code = run_all(k, ops);
	}
	return code != 0 ? socket_code(code, err) : 0;
}

/* ---- listings and single questions ---- */

struct answer {
	uint32_t seq;
	int (*take)(void *arg, const struct wire_msg *m);
	void *arg;
	bool dump;
};

static int
on_answer(void *arg, struct rd *data)
{
	struct answer *a = arg;
	struct wire_msg m;
	int more, code;

	while ((more = wire_next(data, &m)) == 1) {
		if (m.seq != a->seq)
			continue;
		if (m.kind == WIRE_ERROR || m.kind == WIRE_DONE)
			return m.code < 0 ? m.code : 1;
		code = a->take != NULL ? a->take(a->arg, &m) : 0;
		if (code != 0)
			return code;
	}
	return more;
}

/* One request that k->out holds, made with head(). An error of the kernel and one of the socket look alike. */
static int
ask(struct kernel *k, int (*take)(void *arg, const struct wire_msg *m), void *arg)
{
	struct answer a = { .seq = k->seq, .take = take, .arg = arg };
	int code = genl_send(k->genl, &k->out);

	if (code == 0)
		code = genl_receive(k->genl, on_answer, &a);
	return code < 0 ? code : 0;
}

static int
get(struct kernel *k, uint16_t flags, uint8_t cmd, const struct ipvs_key *key,
    int (*take)(void *arg, const struct wire_msg *m), void *arg)
{
	int code = -EAGAIN;

	for (int tries = 0; tries < 2 && code == -EAGAIN; tries++) {
		struct wire_head h = head(k, flags);

		k->out.len = 0;
		wire_put_get(&k->out, &h, cmd, key);
		code = ask(k, take, arg);
		if (code == -ENOENT) {
			code = look_again(k);
			if (code == 0)
				code = -ENOENT;
		}
	}
	return code;
}

static int
take_info(void *arg, const struct wire_msg *m)
{
	struct kernel_info *out = arg;
	uint32_t version;
	int code = wire_get_info(m, &version, &out->table_size);

	for (unsigned i = 0; i < 3; i++)
		out->version[i] = version >> (8 * (2 - i)) & 0xff;
	return code;
}

int
kernel_info(struct kernel *k, struct kernel_info *out, struct err *err)
{
	int code = get(k, NLM_F_ACK, IPVS_CMD_GET_INFO, NULL, take_info, out);

	return code != 0 ? socket_code(code, err) : 0;
}

static int
take_service(void *arg, const struct wire_msg *m)
{
	struct ipvs_table *t = arg;
	struct ipvs_service s;
	int code = wire_get_service(m, &s);

	if (code != 0)
		return code;
	if (t->n % DUMP_GROW == 0)
		t->service = mem_grow(t->service, (t->n + DUMP_GROW) * sizeof(*t->service));
	t->service[t->n++] = s;
	return 0;
}

/* Sorted; the kernel may have shown one twice. */
static void
tidy_services(struct ipvs_table *t)
{
	uint32_t n = 0;

	table_sort(t);
	for (uint32_t i = 0; i < t->n; i++) {
		if (n > 0 && key_compare(&t->service[n - 1].key, &t->service[i].key) == 0)
			continue;
		t->service[n++] = t->service[i];
	}
	t->n = n;
}

int
kernel_read_services(struct kernel *k, struct ipvs_table *out, struct err *err)
{
	struct ipvs_table t = { 0 };
	int code = get(k, NLM_F_DUMP, IPVS_CMD_GET_SERVICE, NULL, take_service, &t);

	if (code != 0) {
		table_fini(&t);
		return socket_code(code, err);
	}
	tidy_services(&t);
	*out = t;
	return 0;
}

struct dests {
	uint32_t n, room;
	struct ipvs_dest *dest;
};

static int
take_dest(void *arg, const struct wire_msg *m)
{
	struct dests *l = arg;

	if (l->n == l->room) {
		l->room = l->room == 0 ? 16 : l->room * 2;
		l->dest = mem_grow(l->dest, l->room * sizeof(*l->dest));
	}
	return wire_get_dest(m, &l->dest[l->n++]);
}

int
kernel_read_dests(struct kernel *k, struct ipvs_service *s, struct err *err)
{
	struct dests l = { 0 };
	int code = get(k, NLM_F_DUMP, IPVS_CMD_GET_DEST, &s->key, take_dest, &l);
	uint32_t n = 0;

	if (code != 0) {
		free(l.dest);
		return socket_code(code, err);
	}
	if (l.n > 1)
		qsort(l.dest, l.n, sizeof(*l.dest), dest_compare);
	for (uint32_t i = 0; i < l.n; i++)
		if (n == 0 || dest_compare(&l.dest[n - 1], &l.dest[i]) != 0)
			l.dest[n++] = l.dest[i];
	free(s->dest);
	s->dest = l.dest;
	s->n = n;
	return 0;
}

int
kernel_read(struct kernel *k, struct ipvs_table *out, struct err *err)
{
	struct ipvs_table t = { 0 };
	int code = kernel_read_services(k, &t, err);

	for (uint32_t i = 0; code == 0 && i < t.n; i++)
		code = kernel_read_dests(k, &t.service[i], err);
	if (code != 0) {
		table_fini(&t);
		return code;
	}
	*out = t;
	return 0;
}

/* ---- timeouts, sync daemons, counters ---- */

static int
take_timeouts(void *arg, const struct wire_msg *m)
{
	return wire_get_timeouts(m, arg);
}

int
kernel_timeouts_get(struct kernel *k, struct ipvs_timeouts *out, struct err *err)
{
	int code = get(k, NLM_F_ACK, IPVS_CMD_GET_CONFIG, NULL, take_timeouts, out);

	return code != 0 ? socket_code(code, err) : 0;
}

int
kernel_timeouts_set(struct kernel *k, const struct ipvs_timeouts *t, struct err *err)
{
	struct wire_head h = head(k, NLM_F_ACK);
	int code;

	k->out.len = 0;
	wire_put_timeouts(&k->out, &h, t);
	code = ask(k, NULL, NULL);
	if (code == -EINVAL)
		return err_set(err, code, "ip_vs: the kernel refuses the timeouts %u s, %u s, %u s",
		    t->tcp_s, t->fin_s, t->udp_s);
	return code != 0 ? socket_code(code, err) : 0;
}

struct syncs {
	struct ipvs_sync *master, *backup;
};

static int
take_sync(void *arg, const struct wire_msg *m)
{
	struct syncs *out = arg;
	struct ipvs_sync s;
	unsigned state;
	int code = wire_get_sync(m, &state, &s);

	if (code == 0 && state == IPVS_SYNC_MASTER)
		*out->master = s;
	if (code == 0 && state == IPVS_SYNC_BACKUP)
		*out->backup = s;
	return code;
}

int
kernel_sync_get(
    struct kernel *k, struct ipvs_sync *master, struct ipvs_sync *backup, struct err *err)
{
	struct syncs out = { .master = master, .backup = backup };
	int code;

	*master = *backup = (struct ipvs_sync){ 0 };
	code = get(k, NLM_F_DUMP, IPVS_CMD_GET_DAEMON, NULL, take_sync, &out);
	return code != 0 ? socket_code(code, err) : 0;
}

static int
sync_code(int code, unsigned state, const struct ipvs_sync *s, struct err *err)
{
	const char *who = state == IPVS_SYNC_MASTER ? "sync master" : "sync backup";

	switch (code) {
	case -ENODEV: return err_set(err, code, "%s: no interface %s", who, s->interface);
	case -EINVAL:
		return err_set(err, code,
		    "%s: the kernel refuses it: the group must be multicast, and no service may "
		    "mix IPv4 and IPv6",
		    who);
	case -EADDRNOTAVAIL:
		return err_set(err, code, "%s: interface %s has no address", who, s->interface);
	default: return err_set(err, code, "%s: %s", who, strerror(-code));
	}
}

int
kernel_sync_set(struct kernel *k, unsigned state, const struct ipvs_sync *s, struct err *err)
{
	struct wire_head h = head(k, NLM_F_ACK);
	int code;

	k->out.len = 0;
	wire_put_sync(&k->out, &h, state, s);
	code = ask(k, NULL, NULL);
	if (code == 0 || (!s->on && code == -ESRCH))
		return 0;
	return sync_code(code, state, s, err);
}

int
kernel_zero(struct kernel *k, const struct ipvs_key *key, struct err *err)
{
	int code = get(k, NLM_F_ACK, IPVS_CMD_ZERO, key, NULL, NULL);

	return code != 0 ? socket_code(code, err) : 0;
}
