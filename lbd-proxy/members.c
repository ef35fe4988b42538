/* Servers of a service as the control thread has them: made when a view first needs them, watched when they have a name
 * instead of an address, freed when no view has them any more. The fallback server is one without a row: its id is 0,
 * nobody tests it, nobody belongs to it. */
#include "members.h"

#include "base/mem.h"
#include "store/named.h"
#include "sys/log.h"

#include <stdio.h>
#include <string.h>

static void
on_resolved(void *arg, const struct resolve_place *p, const char *why)
{
	struct ctl_server *s = arg;
	char text[ADDR_TEXT], port[32] = "";

	addr_format(&p->addr, ADDR_HOST, text);
	if (p->port != 0)
		(void)snprintf(port, sizeof(port), " port %u", p->port);
	if (p->addr.family == 0)
		log_warn("rip %s/%s: no address of %s: %s", s->of->name, s->name, s->host, why);
	else
		log_info("rip %s/%s: %s is %s%s", s->of->name, s->name, s->host, text, port);
	s->addr = p->addr;
	s->place = *p;
	control_refresh(s->of->control, s->of->id);
}

static void
say(const char *why)
{
	log_warn("%s", why);
}

void
members_keep_names(struct control *k)
{
	char folder[300];

	(void)snprintf(folder, sizeof(folder), "%s/lbd-proxy", daemon_paths(k->d)->state);
	resolver_keep(k->resolver, folder, say);
}

static void
unwatch(struct ctl_server *s)
{
	if (s->watch != NULL)
		resolver_unwatch(s->watch);
	s->watch = NULL;
	s->place = (struct resolve_place){ .port = 0 };
	FREE(s->host);
}

static void
watch(
    struct control *k, struct ctl_server *s, const struct host *h, const struct resolve_want *want)
{
	if (h->addr.family != 0) {
		unwatch(s);
		s->addr = h->addr;
		return;
	}
	if (s->host != NULL && strcmp(s->host, h->text) == 0 && s->kind == want->kind &&
	    s->group == want->group)
		return;
	unwatch(s);
	s->addr = (struct addr){ 0 };
	s->host = mem_text(h->text);
	s->kind = want->kind;
	s->group = want->group;
	s->watch = resolver_watch(k->resolver, want, on_resolved, s);
}

void
member_name(char out[64], const char *name)
{
	size_t n = strlen(name);

	n = n < 63 ? n : 63;
	memcpy(out, name, n);
	out[n] = '\0';
}

static struct ctl_server *
make_member(struct control *k, struct ctl_service *c, const struct server *row)
{
	uintptr_t verdict = (uintptr_t)idmap_get(&k->verdicts, row->id);
	struct ctl_server *s = mem_alloc(sizeof(*s));

	s->id = row->id;
	s->of = c;
	s->srv = srv_new(row->id, c->id, k->px.n);
	if (verdict > 0)
		atomic_store(&s->srv->verdict, (unsigned)verdict - 1);
	c->servers = mem_grow(c->servers, (c->n + 1) * sizeof(struct ctl_server *));
	c->servers[c->n++] = s;
	idmap_put(&k->servers, s->id, s);
	return s;
}

struct ctl_server *
member_get(struct control *k, struct ctl_service *c, const struct server *row)
{
	struct ctl_server *s = idmap_get(&k->servers, row->id);
	const struct resolve_want want = named_want(row);

	if (s == NULL || s->of != c)
		s = make_member(k, c, row);
	member_name(s->name, row->name);
	watch(k, s, &row->address, &want);
	s->used = true;
	return s;
}

struct ctl_server *
member_fallback(struct control *k, struct ctl_service *c, const struct service *row)
{
	const struct resolve_want want = { .name = row->fallback.text };
	struct ctl_server *s = c->fallback;

	if (row->fallback.text[0] == '\0') {
		member_drop_fallback(c);
		return NULL;
	}
	if (s == NULL) {
		s = c->fallback = mem_alloc(sizeof(*s));
		s->of = c;
		s->srv = srv_new(0, c->id, k->px.n);
		member_name(s->name, "fallback");
	}
	watch(k, s, &row->fallback, &want);
	return s;
}

void
member_drop_fallback(struct ctl_service *c)
{
	if (c->fallback == NULL)
		return;
	unwatch(c->fallback);
	srv_unref(c->fallback->srv);
	FREE(c->fallback);
}

static void
free_member(struct control *k, struct ctl_server *s)
{
	unwatch(s);
	if (idmap_get(&k->servers, s->id) == s) {
		idmap_put(&k->servers, s->id, NULL);
		idmap_put(&k->verdicts, s->id, NULL);
	}
	if (stick_count(k->px.stick) > 0)
		(void)stick_clear(k->px.stick, s->of->id, s->id, NULL);
	srv_unref(s->srv);
	free(s);
}

void
member_sweep(struct control *k, struct ctl_service *c)
{
	uint32_t i, kept = 0;

	for (i = 0; i < c->n; i++) {
		if (c->servers[i]->used)
			c->servers[kept++] = c->servers[i];
		else
			free_member(k, c->servers[i]);
	}
	c->n = kept;
	if (kept == 0)
		FREE(c->servers);
}
