/* diff.c - from what is to what should be: which operations, in which order, and how a difference is said.
 *
 * A service is known by its key; everything else of it (scheduler, flags, persistence, its mask, the persistence engine)
 * the kernel changes in place, and so it does with all of a destination but address and port. So nothing that stays is
 * ever deleted, counters and connections live on. Within a service: first its own settings, then destinations that
 * come, then those that change, then those that go, so that at no moment fewer take clients than before and after.
 * Between services (diff_table): deletions last.
 *
 * diff_apply brings a table to what the kernel acknowledged. No I/O; nobody's rows are looked at. */
#include "plan/diff.h"

#include "base/mem.h"
#include "base/must.h"

#include <linux/ip_vs.h>
#include <stdio.h>
#include <string.h>

#define FIRST_OPS 16

/* Room doubles each time the number is a power of two, so it need not be remembered. */
static void
put(struct ipvs_ops *ops, uint8_t kind, const struct ipvs_service *s, const struct ipvs_dest *d)
{
	if (ops->n == 0 && ops->op == NULL)
		ops->op = mem_alloc(FIRST_OPS * sizeof(*ops->op));
	else if (ops->n >= FIRST_OPS && (ops->n & (ops->n - 1)) == 0)
		ops->op = mem_grow(ops->op, (size_t)ops->n * 2 * sizeof(*ops->op));
	ops->op[ops->n++] = (struct ipvs_op){ .kind = kind, .service = s, .dest = d };
}

/* The two lists side by side; one kind of operation at a time. */
static void
put_dests(uint8_t kind, const struct ipvs_service *want, const struct ipvs_service *have,
    struct ipvs_ops *out)
{
	uint32_t w = 0, h = 0;

	while (w < want->n || h < have->n) {
		int order = w == want->n   ? 1
			    : h == have->n ? -1
					   : dest_compare(&want->dest[w], &have->dest[h]);

		if (order < 0 && kind == OP_NEW_DEST)
			put(out, kind, want, &want->dest[w]);
		if (order > 0 && kind == OP_DEL_DEST)
			put(out, kind, want, &have->dest[h]);
		if (order == 0 && kind == OP_SET_DEST && !dest_same(&want->dest[w], &have->dest[h]))
			put(out, kind, want, &want->dest[w]);
		w += order <= 0;
		h += order >= 0;
	}
}

void
diff_service(const struct ipvs_service *want, const struct ipvs_service *have, struct ipvs_ops *out)
{
	static const struct ipvs_service none;

	if (want == NULL) {
		if (have != NULL)
			put(out, OP_DEL_SERVICE, have, NULL);
		return;
	}
	if (have == NULL)
		put(out, OP_NEW_SERVICE, want, NULL);
	else if (!service_same(want, have))
		put(out, OP_SET_SERVICE, want, NULL);
	if (have == NULL)
		have = &none;
	put_dests(OP_NEW_DEST, want, have, out);
	put_dests(OP_SET_DEST, want, have, out);
	put_dests(OP_DEL_DEST, want, have, out);
}

void
diff_table(const struct ipvs_table *want, const struct ipvs_table *have,
    bool (*mine)(void *arg, const struct ipvs_key *k), void *arg, struct ipvs_ops *out)
{
	uint32_t w = 0, h = 0;

	while (w < want->n || h < have->n) {
		int order = w == want->n   ? 1
			    : h == have->n ? -1
					   : service_compare(&want->service[w], &have->service[h]);

		if (order <= 0)
			diff_service(&want->service[w], order == 0 ? &have->service[h] : NULL, out);
		w += order <= 0;
		h += order >= 0;
	}
	for (h = 0; h < have->n; h++)
		if (table_find(want, &have->service[h].key) == NULL &&
		    mine(arg, &have->service[h].key))
			diff_service(NULL, &have->service[h], out);
}

void
ops_fini(struct ipvs_ops *ops)
{
	free(ops->op);
	*ops = (struct ipvs_ops){ 0 };
}

/* ---- what was acknowledged ---- */

/* The settings of want; what the kernel counted stays. */
static void
take_service(struct ipvs_service *s, const struct ipvs_service *want)
{
	struct ipvs_service before = *s;

	*s = *want;
	s->n = before.n;
	s->dest = before.dest;
	s->counts = before.counts;
}

static void
take_dest(struct ipvs_dest *d, const struct ipvs_dest *want)
{
	struct ipvs_dest before = *d;

	*d = *want;
	d->active = before.active;
	d->inactive = before.inactive;
	d->persistent = before.persistent;
	d->counts = before.counts;
}

/* One destination into or out of a list that has room for one more. */
static void
apply_dest(struct ipvs_service *s, const struct ipvs_op *op)
{
	struct ipvs_dest *d = service_find(s, &op->dest->addr, op->dest->port);
	uint32_t at = 0;

	if (op->kind == OP_DEL_DEST) {
		if (d == NULL)
			return;
		s->n--;
		memmove(d, d + 1, (size_t)(&s->dest[s->n] - d) * sizeof(*d));
		return;
	}
	if (d == NULL) {
		while (at < s->n && dest_compare(&s->dest[at], op->dest) < 0)
			at++;
		d = &s->dest[at];
		memmove(d + 1, d, (s->n - at) * sizeof(*d));
		s->n++;
		*d = (struct ipvs_dest){ 0 };
	}
	take_dest(d, op->dest);
}

/* What became of one service: n operations of it. s is as it was; out is its own master. The operations may point
 * into s. Returns whether it is there. */
static bool
apply_service(
    const struct ipvs_service *s, const struct ipvs_op *op, uint32_t n, struct ipvs_service *out)
{
	bool there = s != NULL;

	*out = there ? *s : (struct ipvs_service){ 0 };
	out->dest = mem_alloc((out->n + n) * sizeof(*out->dest));
	if (out->n != 0)
		memcpy(out->dest, s->dest, out->n * sizeof(*out->dest));
	for (uint32_t i = 0; i < n; i++) {
		if (op[i].code != 0)
			continue;
		if (op[i].kind == OP_DEL_SERVICE) {
			there = false;
			continue;
		}
		if (op[i].kind == OP_NEW_SERVICE)
			there = true;
		if (there && op[i].dest != NULL)
			apply_dest(out, &op[i]);
		else if (there)
			take_service(out, op[i].service);
	}
	return there;
}

/* Without those that went (gone, NULL: none did), and with those that came. */
static void
settle(struct ipvs_table *t, const bool *gone, const struct ipvs_table *came)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n; i++)
		if (gone == NULL || !gone[i])
			t->service[n++] = t->service[i];
	t->n = n;
	if (came->n == 0)
		return;
	t->service = mem_grow(t->service, (n + came->n) * sizeof(*t->service));
	memcpy(&t->service[n], came->service, came->n * sizeof(*t->service));
	t->n += came->n;
	qsort(t->service, t->n, sizeof(*t->service), service_compare);
}

void
diff_apply(struct ipvs_table *t, const struct ipvs_ops *ops)
{
	struct ipvs_table came = { 0 };
	uint32_t n, news = 0;
	bool *gone = NULL;

	for (uint32_t i = 0; i < ops->n; i++)
		news += ops->op[i].kind == OP_NEW_SERVICE;
	if (news != 0)
		came.service = mem_alloc(news * sizeof(*came.service));
	for (uint32_t i = 0; i < ops->n; i += n) {
		const struct ipvs_op *op = &ops->op[i];
		struct ipvs_service *s = table_find(t, &op->service->key), next;

		for (n = 1; i + n < ops->n && op[n].service == op->service; n++)
			;
		if (apply_service(s, op, n, &next)) {
			if (s == NULL) {
				must(came.service != NULL);
				came.service[came.n++] = next;
			} else {
				free(s->dest);
				*s = next;
			}
			continue;
		}
		free(next.dest);
		if (s == NULL)
			continue;
		if (gone == NULL)
			gone = mem_alloc(t->n * sizeof(*gone));
		gone[s - t->service] = true;
		FREE(s->dest);
		s->n = 0;
	}
	if (gone != NULL || came.n != 0)
		settle(t, gone, &came);
	free(gone);
	free(came.service);
}

/* ---- said to people ---- */

static void
say(struct buf *out, uint32_t *told, const char *text)
{
	if (*told < DIFF_TOLD)
		buf_printf(out, "%s%s", *told == 0 ? "" : ", ", text);
	++*told;
}

static void
say_service(const struct ipvs_service *want, const struct ipvs_service *have, struct buf *out,
    uint32_t *told)
{
	char w[KEY_TEXT], h[KEY_TEXT], text[3 * KEY_TEXT];

	scheduler_format(want, w);
	scheduler_format(have, h);
	if (strcmp(w, h) != 0) {
		(void)snprintf(text, sizeof(text), "scheduler was %s, not %s", h, w);
		say(out, told, text);
		return;
	}
	if (strcmp(want->pe, have->pe) != 0)
		say(out, told, "persistence engine differed");
	else if ((want->flags ^ have->flags) & IP_VS_SVC_F_PERSISTENT)
		say(out, told,
		    have->flags & IP_VS_SVC_F_PERSISTENT ? "it was persistent"
							 : "it was not persistent");
	else if (want->flags != have->flags)
		say(out, told, "flags differed");
	else if (want->timeout_s != have->timeout_s) {
		(void)snprintf(text, sizeof(text), "persistence was %u s, not %u s",
		    have->timeout_s, want->timeout_s);
		say(out, told, text);
	} else
		say(out, told, "persistence mask differed");
}

static void
say_set(const struct ipvs_dest *want, const struct ipvs_dest *have, const char *name,
    struct buf *out, uint32_t *told)
{
	char w[KEY_TEXT], h[KEY_TEXT], text[4 * KEY_TEXT];

	forward_format(want, w);
	forward_format(have, h);
	if (want->weight != have->weight)
		(void)snprintf(text, sizeof(text), "%s had weight %u, not %u", name, have->weight,
		    want->weight);
	else if (strcmp(w, h) != 0)
		(void)snprintf(text, sizeof(text), "%s was %s, not %s", name, h, w);
	else
		(void)snprintf(text, sizeof(text), "%s had limits %u and %u, not %u and %u", name,
		    have->upper, have->lower, want->upper, want->lower);
	say(out, told, text);
}

static void
say_op(const struct ipvs_op *op, const struct ipvs_service *have, struct buf *out, uint32_t *told)
{
	char name[KEY_TEXT], text[2 * KEY_TEXT];
	const struct ipvs_dest *d;

	if (op->kind == OP_NEW_SERVICE)
		say(out, told, "it was missing");
	else if (op->kind == OP_DEL_SERVICE)
		say(out, told, "it should not be there");
	else if (op->kind == OP_SET_SERVICE && have != NULL)
		say_service(op->service, have, out, told);
	if (op->dest == NULL || have == NULL)
		return;
	dest_format(op->dest, name);
	d = service_find(have, &op->dest->addr, op->dest->port);
	if (op->kind == OP_SET_DEST && d != NULL) {
		say_set(op->dest, d, name, out, told);
		return;
	}
	(void)snprintf(text, sizeof(text), "%s %s", name,
	    op->kind == OP_NEW_DEST ? "was missing" : "was added");
	say(out, told, text);
}

void
diff_say(const struct ipvs_op *op, uint32_t n, const struct ipvs_service *have, struct buf *out)
{
	uint32_t told = 0;

	for (uint32_t i = 0; i < n; i++)
		say_op(&op[i], have, out, &told);
	if (told > DIFF_TOLD)
		buf_printf(out, " and %u more", told - DIFF_TOLD);
}
