/* topic.c - topic L4: how the kernel stands to each service, and what connections betray of servers. Told when it
 * changes, and as a whole to who subscribes. */
#include "view/view.h"

#include "base/idmap.h"
#include "base/mem.h"

#include <string.h>

struct hint {
	uint32_t server;
	enum finding what;
	int64_t since;
	char *text;
};
struct hints {
	struct idmap by_server;
};

static void
fill_service(const struct service_state *s, bool gone, struct msg_l4_service *m)
{
	*m = (struct msg_l4_service){ .service = s->id };
	if (gone)
		return;
	m->loaded = s->loaded;
	m->fallback = s->fallback;
	m->mark = s->mark;
	if (s->fault[0] != '\0')
		m->fault = SPAN(s->fault);
}

static void
fill_hint(const struct hint *h, struct msg_l4_hint *m)
{
	*m = (struct msg_l4_hint){ .server = h->server,
		.what = (uint16_t)h->what,
		.since = h->since,
		.text = SPAN(h->text) };
}

void
view_service(struct bus *b, const struct service_state *s, bool gone)
{
	struct msg_l4_service m;

	fill_service(s, gone, &m);
	bus_publish(b, TOPIC_L4, MSG_L4_SERVICE, &m);
}

struct hints *
hints_new(void)
{
	return mem_alloc(sizeof(struct hints));
}

static void
hint_free(struct hint *t)
{
	if (t == NULL)
		return;
	free(t->text);
	free(t);
}

void
hints_free(struct hints *h)
{
	uint32_t at = 0;
	struct hint *t;

	if (h == NULL)
		return;
	while ((t = idmap_next(&h->by_server, &at, NULL)) != NULL)
		hint_free(t);
	idmap_fini(&h->by_server);
	free(h);
}

static void
take_back(struct hints *h, struct bus *b, uint32_t server)
{
	struct msg_l4_hint m = { .server = server, .what = FINDING_none };

	hint_free(idmap_take(&h->by_server, server));
	bus_publish(b, TOPIC_L4, MSG_L4_HINT, &m);
}

void
hints_prune(struct hints *h, struct bus *b, const struct snapshot *now)
{
	struct buf gone = { 0 };
	struct rd r;
	uint32_t at = 0, id;

	while (idmap_next(&h->by_server, &at, &id) != NULL)
		if (snapshot_find(now, KIND_server, id) == NULL)
			buf_put_be(&gone, id, 4);
	r = (struct rd){ .p = gone.p, .left = gone.len };
	while (r.left > 0)
		take_back(h, b, (uint32_t)rd_be(&r, 4));
	buf_fini(&gone);
}

void
hints_set(struct hints *h, struct bus *b, uint32_t server, enum finding what, const char *text)
{
	struct hint *t = idmap_get(&h->by_server, server);
	struct msg_l4_hint m;

	if (what == FINDING_none) {
		if (t != NULL)
			take_back(h, b, server);
		return;
	}
	if (text == NULL)
		text = "";
	if (t != NULL && t->what == what && strcmp(t->text, text) == 0)
		return;
	if (t == NULL) {
		t = mem_alloc(sizeof(*t));
		t->server = server;
		idmap_put(&h->by_server, server, t);
	}
	if (t->what != what)
		t->since = mono_wall_ms() / 1000;
	t->what = what;
	free(t->text);
	t->text = mem_text(text);
	fill_hint(t, &m);
	bus_publish(b, TOPIC_L4, MSG_L4_HINT, &m);
}

void
view_snapshot(const struct services *s, const struct hints *h, const struct bus_request *rq)
{
	const struct service_state *st;
	const struct hint *t;
	struct msg_l4_service ms;
	struct msg_l4_hint mh;
	uint32_t at = 0;

	while ((st = services_next(s, &at)) != NULL) {
		fill_service(st, false, &ms);
		(void)bus_reply(rq, MSG_L4_SERVICE, &ms);
	}
	at = 0;
	while ((t = idmap_next(&h->by_server, &at, NULL)) != NULL) {
		fill_hint(t, &mh);
		(void)bus_reply(rq, MSG_L4_HINT, &mh);
	}
}
