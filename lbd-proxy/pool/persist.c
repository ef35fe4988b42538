/* Persistence: source address, cookie of ours, cookie of the application.
 *
 * Our cookie carries all it needs: a token that names the server and means nothing to the client, so it holds whatever
 * address the client comes from. The other two are remembered in a table that all workers share. Whether the server
 * may still be used is decided where servers are chosen. */
#include "persist.h"

#include "http/cookie.h"
#include "net/worker.h"

uint32_t
persist_by_source(const struct wsvc *s, struct conn *c)
{
	struct stick_key k;

	if (s->view->persistence != persistence_source)
		return 0;
	stick_key_addr(&c->addr, &k);
	return stick_lookup(c->w->px->stick, s->svc->id, &k, c->w->now, s->view->persist);
}

void
persist_keep_source(const struct wsvc *s, struct conn *c, uint32_t server)
{
	struct stick_key k;

	if (s->view->persistence != persistence_source || server == 0)
		return;
	stick_key_addr(&c->addr, &k);
	stick_store(c->w->px->stick, s->svc->id, &k, server, c->w->now, s->view->persist);
}

/* The value of the service's cookie in a request. */
static bool
find_cookie(const struct view *v, const char *buf, const struct h1_head *h, struct cookie_span *out)
{
	unsigned i;

	if ((h->seen & H1_BIT(H1_COOKIE)) == 0)
		return false;
	for (i = 0; i < h->n; i++)
		if (h->header[i].id == H1_COOKIE &&
		    cookie_find(buf + h->header[i].value_off, h->header[i].value_len, v->cookie,
			v->cookie_len, out))
			return true;
	return false;
}

uint32_t
persist_by_head(const struct wsvc *s, struct conn *c, const char *buf, const struct h1_head *h)
{
	const struct view *v = s->view;
	struct cookie_span value;
	struct stick_key k;
	uint64_t token;
	int64_t i;

	if (v->persistence == persistence_none)
		return 0;
	if (v->persistence == persistence_source)
		return persist_by_source(s, c);
	if (!find_cookie(v, buf, h, &value))
		return 0;
	if (v->persistence == persistence_cookie) {
		if (cookie_token_parse(value.at, value.len, &token) != 0)
			return 0;
		i = cookie_map_find(&v->tokens, token);
		return i < 0 ? 0 : v->at[i].srv->id;
	}
	if (value.len > COOKIE_VALUE_MAX)
		return 0;
	stick_key_cookie(c->w->px->stick, value.at, value.len, &k);
	return stick_lookup(c->w->px->stick, s->svc->id, &k, c->w->now, v->persist);
}

static void
learn(
    const struct wsvc *s, struct conn *c, uint32_t server, const char *buf, const struct h1_head *h)
{
	const struct view *v = s->view;
	struct cookie_span value;
	struct stick_key k;
	bool removed;
	unsigned i;

	for (i = 0; i < h->n; i++) {
		removed = false;
		if (h->header[i].id != H1_SET_COOKIE ||
		    !cookie_set_find(buf + h->header[i].value_off, h->header[i].value_len,
			v->cookie, v->cookie_len, &value, &removed))
			continue;
		if (removed || value.len == 0 || value.len > COOKIE_VALUE_MAX)
			continue;
		stick_key_cookie(c->w->px->stick, value.at, value.len, &k);
		stick_store(c->w->px->stick, s->svc->id, &k, server, c->w->now, v->persist);
	}
}

void
persist_keep_head(
    const struct wsvc *s, struct conn *c, uint32_t server, const char *buf, const struct h1_head *h)
{
	if (server == 0) /* the fallback: nobody belongs there */
		return;
	switch (s->view->persistence) {
	case persistence_source: persist_keep_source(s, c, server); break;
	case persistence_app_cookie:
		if ((h->seen & H1_BIT(H1_SET_COOKIE)) != 0)
			learn(s, c, server, buf, h);
		break;
	default: break;
	}
}
