/* The pair in /metrics: roles, carriers, checks, and whether both nodes have the same. Each family is empty while lbd-ha has
 * not been heard (view_role), so that no graph goes on with what was true once; lbd_ha_role says unknown then. */
#include "live/follow.h"
#include "metrics_priv.h"

#include "base/must.h"

#include <inttypes.h>
#include <string.h>

static const char *const roles[] = { "listening", "passive", "suspecting", "active", "leaving",
	"fault" };
static const char *const states[] = { "up", "one-way", "silent", "down" };

/* NULL: it is not known. */
static const struct view *
known(const struct scrape *x)
{
	const struct view *v = follow_view(x->w->follow);

	return view_role(v)->heard ? v : NULL;
}

static const struct view *
paired(const struct scrape *x)
{
	const struct view *v = known(x);

	return v != NULL && view_role(v)->peer ? v : NULL;
}

void
metrics_ha_role(struct scrape *x, struct buf *b, const void *object)
{
	const struct view *v = known(x);

	(void)object;
	for (unsigned i = 0; v != NULL && i < VIEW_GROUPS; i++)
		for (unsigned k = 0; view_groups(v)[i].group != 0 && k < ARRAY_LEN(roles); k++)
			buf_printf(b, "%s{group=\"%u\",role=\"%s\"} %d\n", x->name, i + 1, roles[k],
			    strcmp(view_groups(v)[i].role, roles[k]) == 0);
}

/* One number of each group. */
#define OF_GROUPS(fn, when, form, number)                                                      \
	void fn(struct scrape *x, struct buf *b, const void *object)                           \
	{                                                                                      \
		const struct view *v = known(x);                                               \
                                                                                               \
		(void)object;                                                                  \
		for (unsigned i = 0; v != NULL && i < VIEW_GROUPS; i++) {                      \
			const struct view_group *g = &view_groups(v)[i];                       \
                                                                                               \
			if (g->group != 0 && (when))                                           \
				buf_printf(                                                    \
				    b, "%s{group=\"%u\"} " form "\n", x->name, i + 1, number); \
		}                                                                              \
	}
OF_GROUPS(metrics_ha_generation, true, "%" PRIu64, g->generation)
OF_GROUPS(metrics_ha_changes, true, "%" PRIu64, g->changes)
OF_GROUPS(metrics_ha_lease, g->lease_us != 0, "%.6f", (double)g->lease_us / 1e6)

static void
carrier(const struct scrape *x, struct buf *b, const struct view_carrier *k)
{
	buf_printf(b, "%s{carrier=\"", x->name);
	metrics_label(b, k->name);
}

void
metrics_ha_carrier(struct scrape *x, struct buf *b, const void *object)
{
	const struct view *v = known(x);

	(void)object;
	for (unsigned i = 0; v != NULL && i < VIEW_CARRIERS; i++) {
		const struct view_carrier *k = &view_carriers(v)[i];

		for (unsigned s = 0; k->name[0] != '\0' && s < ARRAY_LEN(states); s++) {
			carrier(x, b, k);
			buf_printf(b, "\",state=\"%s\"} %d\n", states[s],
			    strcmp(k->state, states[s]) == 0);
		}
	}
}

/* One number of each carrier. */
#define OF_CARRIERS(fn, form, number)                                        \
	void fn(struct scrape *x, struct buf *b, const void *object)         \
	{                                                                    \
		const struct view *v = known(x);                             \
                                                                             \
		(void)object;                                                \
		for (unsigned i = 0; v != NULL && i < VIEW_CARRIERS; i++) {  \
			const struct view_carrier *k = &view_carriers(v)[i]; \
                                                                             \
			if (k->name[0] == '\0')                              \
				continue;                                    \
			carrier(x, b, k);                                    \
			buf_printf(b, "\"} " form "\n", number);             \
		}                                                            \
	}
OF_CARRIERS(metrics_ha_sent, "%" PRIu64, k->sent)
OF_CARRIERS(metrics_ha_received, "%" PRIu64, k->received)
OF_CARRIERS(metrics_ha_lost, "%" PRIu64, k->lost)
OF_CARRIERS(metrics_ha_rtt, "%.6f", (double)k->rtt_us / 1e6)

void
metrics_ha_check(struct scrape *x, struct buf *b, const void *object)
{
	const struct view *v = known(x);

	(void)object;
	for (unsigned i = 0; v != NULL && i < VIEW_CHECKS; i++) {
		const struct view_check *k = &view_checks(v)[i];
		bool good = strcmp(k->state, "good") == 0;

		if (k->name[0] == '\0' || (!good && strcmp(k->state, "bad") != 0))
			continue;
		buf_printf(b, "%s{what=\"%s\",name=\"", x->name, k->what);
		metrics_label(b, k->name);
		buf_printf(b, "\"} %d\n", good);
	}
}

void
metrics_ha_peer(struct scrape *x, struct buf *b, const void *object)
{
	const struct view *v = paired(x);

	(void)object;
	if (v != NULL)
		buf_printf(b, "%s %d\n", x->name, view_peer(v)->up);
}

void
metrics_ha_in_sync(struct scrape *x, struct buf *b, const void *object)
{
	const struct view *v = paired(x);

	(void)object;
	if (v != NULL)
		buf_printf(b, "%s %d\n", x->name, view_role(v)->in_sync);
}

void
metrics_ha_entries(struct scrape *x, struct buf *b, const void *object)
{
	const struct view *v = known(x);

	(void)object;
	if (v != NULL)
		buf_printf(b, "%s %u\n", x->name, (unsigned)view_role(v)->entries);
}

void
metrics_ha_pending(struct scrape *x, struct buf *b, const void *object)
{
	const struct view *v = paired(x);

	(void)object;
	if (v != NULL)
		buf_printf(b, "%s %d\n", x->name, view_role(v)->pending);
}

void
metrics_ha_foreign(struct scrape *x, struct buf *b, const void *object)
{
	const struct view *v = paired(x);

	(void)object;
	for (unsigned i = 0; v != NULL && i < VIEW_ALARMS; i++)
		buf_printf(b, "%s{cluster=\"%s\"} %" PRIu64 "\n", x->name,
		    i == VIEW_ALARM_SAME ? "same" : "other", view_alarms(v)[i].frames);
}

void
metrics_fip_held(struct scrape *x, struct buf *b, const void *object)
{
	(void)object;
	for (const struct view_floating *f = view_floating(follow_view(x->w->follow)); f != NULL;
	     f = f->next) {
		buf_printf(b, "%s{address=\"", x->name);
		metrics_label(b, f->address);
		buf_printf(b, "\",interface=\"");
		metrics_label(b, f->interface);
		buf_printf(b, "\"} %d\n", f->held);
	}
}

/* Absent where nobody tells routers. */
void
metrics_fip_route(struct scrape *x, struct buf *b, const void *object)
{
	(void)object;
	for (const struct view_floating *f = view_floating(follow_view(x->w->follow)); f != NULL;
	     f = f->next) {
		if (f->route[0] == '\0')
			continue;
		buf_printf(b, "%s{address=\"", x->name);
		metrics_label(b, f->address);
		buf_printf(b, "\",state=\"%s\"} 1\n", f->route);
	}
}
