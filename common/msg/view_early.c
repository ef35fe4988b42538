/* What daemons say of rows that this snapshot does not have yet: a commit reaches lbd-check and lbd-ipvs a moment sooner
 * than it reaches us, and a verdict or a quorum is told when it changes, not again soon. The last message about such a
 * row is kept, as bytes, and heard when a snapshot has the row. One that never comes (it was deleted meanwhile) is
 * dropped after EARLY_USES snapshots; a daemon that comes anew tells all anew. */
#include "msg/view_priv.h"

#include "base/mem.h"

#include <string.h>

#define EARLY_USES 4

struct early {
	unsigned uses; /* snapshots that did not have the row */
	struct buf packet;
};

static const struct early_row {
	uint16_t number;
	const char *daemon;
	bool server; /* it is about a server, else a service */
} early_rows[EARLY_KINDS] = {
	{ MSG_HEALTH, "lbd-check", true },
	{ MSG_QUORUM, "lbd-check", false },
	{ MSG_L4_SERVICE, "lbd-ipvs", false },
	{ MSG_L4_HINT, "lbd-ipvs", true },
};

static uint32_t
id_of(unsigned number, const union msg_any *m)
{
	switch (number) {
	case MSG_HEALTH: return m->health.server;
	case MSG_QUORUM: return m->quorum.service;
	case MSG_L4_SERVICE: return m->l4_service.service;
	default: return m->l4_hint.server;
	}
}

static void
drop(struct early *e)
{
	if (e == NULL)
		return;
	buf_fini(&e->packet);
	free(e);
}

static bool
has_row(const struct view *v, const struct early_row *r, uint32_t id)
{
	return r->server ? view_server(v, id) != NULL : view_service(v, id) != NULL;
}

bool
view_early_keep(struct view *v, const struct msg_row *row, const union msg_any *m)
{
	for (unsigned i = 0; i < EARLY_KINDS; i++) {
		struct early *e;
		uint32_t id;

		if (early_rows[i].number != row->number)
			continue;
		id = id_of(row->number, m);
		if (id == 0 || has_row(v, &early_rows[i], id))
			return false;
		drop(idmap_take(&v->early[i], id));
		e = mem_alloc(sizeof(*e));
		msg_encode(row->number, 0, m, &e->packet);
		idmap_put(&v->early[i], id, e);
		return true;
	}
	return false;
}

static void
hear(struct view *v, const struct early *e)
{
	const struct msg_row *row;
	union msg_any m;
	uint32_t seq;
	struct err err;

	if (msg_decode(e->packet.p, e->packet.len, &row, &seq, &m, &err) == 0)
		(void)view_row(v, row, &m);
}

void
view_early_use(struct view *v)
{
	for (unsigned i = 0; i < EARLY_KINDS; i++) {
		struct idmap was = v->early[i];
		uint32_t at = 0, id;
		struct early *e;

		v->early[i] = (struct idmap){ 0 };
		while ((e = idmap_next(&was, &at, &id)) != NULL) {
			if (!has_row(v, &early_rows[i], id) && ++e->uses < EARLY_USES) {
				idmap_put(&v->early[i], id, e);
				continue;
			}
			if (has_row(v, &early_rows[i], id))
				hear(v, e);
			drop(e);
		}
		idmap_fini(&was);
	}
}

void
view_early_forget(struct view *v, const char *daemon)
{
	for (unsigned i = 0; i < EARLY_KINDS; i++) {
		uint32_t at = 0;
		struct early *e;

		if (daemon != NULL && strcmp(daemon, early_rows[i].daemon) != 0)
			continue;
		while ((e = idmap_next(&v->early[i], &at, NULL)) != NULL)
			drop(e);
		idmap_fini(&v->early[i]);
	}
}
