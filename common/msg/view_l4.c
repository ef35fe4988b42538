/* What quorums and layer 4 add to a view: whether a service has enough fit servers, who takes its clients, how the
 * kernel carries it, and what connections betray of a server.
 *
 * A hint or a fault that is over may never be said so, when lbd-ipvs starts anew. So each link to it has a number, what
 * it says bears it, and when its snapshot is complete all that bears an older one is dropped. */
#include "msg/view_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct view_service *
service_of(struct view *v, uint32_t id)
{
	const struct view_service *found = view_service(v, id);

	return found != NULL ? &v->services[found - v->services] : NULL;
}

bool
view_on_quorum(struct view *v, const struct msg_quorum *m)
{
	struct view_service *s = service_of(v, m->service);
	bool changed;

	if (s == NULL)
		return false;
	changed = !s->quorum_heard || s->quorum_met != m->met || s->quorum_weight != m->weight;
	s->quorum_heard = true;
	s->quorum_met = m->met;
	s->quorum_weight = m->weight;
	s->quorum_since = m->since;
	return changed;
}

static void
forget_service(struct view_service *s)
{
	s->l4_heard = s->loaded = s->fallback = false;
	s->mark = 0;
	view_keep_text(&s->fault, (struct span){ 0 });
}

bool
view_on_l4_service(struct view *v, const struct msg_l4_service *m)
{
	struct view_service *s = service_of(v, m->service);
	struct view_service was;
	bool had_fault, gone = !m->loaded && m->fault.len == 0;

	if (s == NULL)
		return false;
	was = *s;
	had_fault = s->fault != NULL;
	if (gone) {
		forget_service(s);
		return was.l4_heard;
	}
	s->l4_turn = v->l4_turn;
	s->l4_heard = true;
	s->loaded = m->loaded;
	s->fallback = m->fallback;
	s->mark = m->mark;
	view_keep_text(&s->fault, m->fault);
	return !was.l4_heard || was.loaded != s->loaded || was.fallback != s->fallback ||
	       had_fault != (s->fault != NULL);
}

static void
forget_hint(struct view_server *s)
{
	s->hint = FINDING_none;
	s->hint_since = 0;
	view_keep_text(&s->hint_text, (struct span){ 0 });
}

bool
view_on_l4_hint(struct view *v, const struct msg_l4_hint *m)
{
	const struct view_server *found = view_server(v, m->server);
	struct view_server *s;
	uint16_t was;

	if (found == NULL)
		return false;
	s = &v->servers[found - v->servers];
	was = s->hint;
	if (m->what == FINDING_none) {
		forget_hint(s);
		return was != FINDING_none;
	}
	s->l4_turn = v->l4_turn;
	s->hint = m->what;
	s->hint_since = m->since;
	view_keep_text(&s->hint_text, m->text);
	return was != s->hint;
}

void
view_synced(struct view *v, const char *daemon)
{
	if (strcmp(daemon, "lbd-ipvs") != 0)
		return;
	for (uint32_t i = 0; i < v->services_n; i++)
		if (v->services[i].l4_heard && v->services[i].l4_turn != v->l4_turn)
			forget_service(&v->services[i]);
	for (uint32_t i = 0; i < v->servers_n; i++)
		if (v->servers[i].hint != FINDING_none && v->servers[i].l4_turn != v->l4_turn)
			forget_hint(&v->servers[i]);
}

const struct view_service *
view_quorum(const struct view *v, uint32_t service_id)
{
	const struct view_service *s = view_service(v, service_id);

	return s != NULL && s->quorum_heard && view_fresh(v, &v->check) ? s : NULL;
}

const struct view_service *
view_l4(const struct view *v, uint32_t service_id)
{
	const struct view_service *s = view_service(v, service_id);

	return s != NULL && s->l4_heard && view_fresh(v, &v->ipvs) ? s : NULL;
}

const struct view_server *
view_hint(const struct view *v, uint32_t server_id)
{
	const struct view_server *s = view_server(v, server_id);

	return s != NULL && s->hint != FINDING_none && view_fresh(v, &v->ipvs) ? s : NULL;
}

bool
view_fallback(const struct view *v, const struct service *s)
{
	const struct view_service *l4 = view_l4(v, s->id), *quorum = view_quorum(v, s->id);

	if (service_layer(s) == 4)
		return l4 != NULL && l4->fallback;
	return s->enabled && s->fallback.text[0] != '\0' && quorum != NULL && !quorum->quorum_met;
}

bool
view_note(const struct view *v, const struct service *s, char out[VIEW_NOTE])
{
	const struct view_service *l4 = view_l4(v, s->id), *quorum = view_quorum(v, s->id);
	struct buf b = { 0 };

	if (l4 != NULL && !l4->loaded)
		buf_printf(&b, "the kernel does not carry it: %s", l4->fault);
	else if (l4 != NULL && l4->fault != NULL)
		buf_puts(&b, l4->fault);
	if (s->enabled && s->maintenance)
		buf_puts(&b, "in maintenance: clients get a page");
	if (view_fallback(v, s))
		buf_printf(&b, "%sthe fallback %s takes the clients", b.len > 0 ? "; " : "",
		    s->fallback.text[0] != '\0' ? s->fallback.text : "page");
	if (s->enabled && quorum != NULL && !quorum->quorum_met)
		buf_printf(&b, "%sno quorum: weight %" PRIu64 " of %" PRIu32, b.len > 0 ? "; " : "",
		    quorum->quorum_weight, s->quorum);
	(void)snprintf(out, VIEW_NOTE, "%s", b.len > 0 ? buf_text(&b) : "");
	buf_fini(&b);
	return out[0] != '\0';
}
