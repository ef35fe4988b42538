/* Persistence: what names a client, or its server, in a request or connection.
 *
 * Cookies of ours and routes carry all that is needed: a token that names the server, so they hold whatever address the client
 * comes from. Everything else is a key that is remembered in a table which all workers share, when the server
 * has answered: the client's address, a part of the request, a cookie of the application. Whether the server may still be
 * used is decided where servers are chosen.
 *
 * A service may share what another one has learned: entries and tokens are then those of that service and its servers, and each
 * server here is who has the same address there (srv.who). */
#include "persist.h"

#include "net/worker.h"
#include "persist_key.h"
#include "sip.h"
#include "tls/tls.h"

#include <string.h>

uint32_t
persist_find(const struct view *v, uint32_t who)
{
	if (v->sticky.table == v->svc->id)
		return who;
	for (uint32_t i = 0; i < v->n && who != 0; i++)
		if (v->at[i].who == who)
			return v->at[i].srv->id;
	return 0;
}

/* ---- keys ---------------------------------------------------------------------------------- */

static struct stick *
table(const struct wsvc *s)
{
	return s->w->px->stick;
}

static uint32_t
by_key(const struct wsvc *s, const struct stick_key *k)
{
	const struct view *v = s->view;

	return persist_find(v, stick_lookup(table(s), v->sticky.table, k, s->w->now, v->persist));
}

/* The client's address, as far as it counts. */
void
persist_source_key(const struct view *v, const struct addr *a, struct stick_key *out)
{
	unsigned bits = a->family == 4 ? v->sticky.mask4 : v->sticky.mask6,
		 all = a->family == 4 ? 32 : 128;

	stick_key_addr(a, out);
	if (bits >= all)
		return;
	if (bits % 8 != 0)
		out->b[bits / 8] &= (uint8_t)(0xff00 >> bits % 8);
	for (unsigned i = (bits + 7) / 8; i < all / 8; i++)
		out->b[i] = 0;
}

static uint32_t
by_source(struct persist *p, const struct wsvc *s, const struct conn *c)
{
	struct stick_key k;

	p->sourced = true;
	persist_source_key(s->view, &c->addr, &k);
	return by_key(s, &k);
}

/* A value that is remembered with the answer. */
static uint32_t
by_value(struct persist *p, const struct wsvc *s, const char *at, size_t len)
{
	if (len > COOKIE_VALUE_MAX)
		return 0;
	stick_key_cookie(table(s), at, len, &p->key);
	p->keyed = true;
	return by_key(s, &p->key);
}

/* An address that somebody wrote: as itself when it is one. */
static uint32_t
by_written(struct persist *p, const struct wsvc *s, struct key_span text)
{
	char host[ADDR_TEXT];
	struct addr a;

	if (text.len >= sizeof(host))
		return by_value(p, s, text.at, text.len);
	memcpy(host, text.at, text.len);
	host[text.len] = '\0';
	if (addr_parse(host, ADDR_HOST, &a) != 0)
		return by_value(p, s, text.at, text.len);
	persist_source_key(s->view, &a, &p->key);
	p->keyed = true;
	return by_key(s, &p->key);
}

/* Who is not believed is the client itself. */
static uint32_t
by_forwarded(struct persist *p, const struct wsvc *s, const struct conn *c, const char *buf,
    const struct h1_head *h)
{
	const struct view *front = c->svc->view;
	char text[ADDR_TEXT];
	struct key_span key;

	if (view_distrusts(front, &c->addr)) {
		addr_format(&c->addr, ADDR_HOST, text);
		key = (struct key_span){ text, strlen(text) };
	} else if (!persist_key_forwarded(buf, h, front->forwarded_from, &key)) {
		return 0;
	}
	return by_written(p, s, key);
}

/* User-Agent and Authorization: a hash of both. */
static uint32_t
by_browser(struct persist *p, const struct wsvc *s, const char *buf, const struct h1_head *h)
{
	struct stick_key part[2] = { { .kind = 0 }, { .kind = 0 } };
	const struct h1_header *f =
	    (h->seen & H1_BIT(H1_AUTHORIZATION)) != 0 ? h1_find(h, H1_AUTHORIZATION) : NULL;
	struct key_span agent;
	bool there = persist_key_field(buf, h, "User-Agent", 10, &agent);

	if (!there && f == NULL)
		return 0;
	if (there)
		stick_key_cookie(table(s), agent.at, agent.len, &part[0]);
	if (f != NULL)
		stick_key_cookie(table(s), buf + f->value_off, f->value_len, &part[1]);
	return by_value(p, s, (const char *)part, sizeof(part));
}

/* ---- tokens -------------------------------------------------------------------------------- */

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

static uint32_t
by_token(const struct view *v, uint64_t token)
{
	int64_t i = cookie_map_find(&v->tokens, token);

	return i < 0 ? 0 : v->at[i].srv->id;
}

/* Our cookie with dates: which of the limits it has passed. */
static uint32_t
by_dated(struct persist *p, const struct wsvc *s, const struct cookie_span *value)
{
	const struct view *v = s->view;
	struct cookie_dates dates;
	uint64_t token;

	if (cookie_dated_parse(value->at, value->len, stick_secret(table(s)), &token, &dates) != 0)
		return 0;
	if (v->sticky.idle_s > 0 || v->sticky.life_s > 0) {
		p->age = (uint8_t)cookie_age_of(
		    dates, (uint32_t)(mono_wall_ms() / 1000), v->sticky.idle_s, v->sticky.life_s);
		if (p->age == COOKIE_IDLE || p->age == COOKIE_OLD)
			return 0;
		p->first_s = dates.first_s;
	}
	return by_token(v, token);
}

static uint32_t
by_cookie(struct persist *p, const struct wsvc *s, const struct cookie_span *value)
{
	const struct view *v = s->view;
	uint64_t token;

	if (v->persistence == persistence_prefix)
		return cookie_prefix(value->at, value->len, &token) == 0 ? 0 : by_token(v, token);
	if (v->persistence == persistence_cookie && value->len == COOKIE_DATED_LEN)
		return by_dated(p, s, value);
	if (v->sticky.idle_s > 0 || v->sticky.life_s > 0 ||
	    cookie_token_parse(value->at, value->len, &token) != 0)
		return 0;
	return by_token(v, token);
}

/* What follows a dot in the session's name; when the first is no route, what follows the next. */
static uint32_t
by_route(const struct wsvc *s, const char *buf, const struct h1_head *h)
{
	const struct view *v = s->view;
	struct cookie_span cookie;
	struct key_span at;
	uint32_t id = 0;
	unsigned i;

	if (find_cookie(v, buf, h, &cookie))
		at = (struct key_span){ cookie.at, cookie.len };
	else if (!persist_key_path_param(buf, h, v->cookie, v->cookie_len, &at))
		return 0;
	for (i = 0; i < 4 && id == 0 && persist_key_route(at, &at); i++)
		id = by_token(v, sticky_route(at.at, at.len));
	if (i > 0 && id == 0)
		COUNT(s->n->unknown_routes);
	return id;
}

/* ---- what a client says -------------------------------------------------------------------- */

/* Whether it has no persistence. */
static bool
apart(struct persist *p, const struct view *v, const struct conn *c)
{
	p->ignored = addrs_contain(v->persist_ignore, &c->addr);
	p->forced = !p->ignored && addrs_contain(v->persist_force, &c->addr);
	return p->ignored;
}

/* Kinds that a connection has too. */
static uint32_t
by_tls(struct persist *p, const struct wsvc *s, const struct conn *c)
{
	uint8_t session[TLS_SESSION_KEY];
	const char *name;

	if (c->tls == NULL)
		return 0;
	if (s->view->persistence == persistence_tls_session)
		return tls_session_key(c->tls, session)
			   ? by_value(p, s, (const char *)session, sizeof(session))
			   : 0;
	name = tls_name(c->tls);
	return name[0] == '\0' ? 0 : by_value(p, s, name, strlen(name));
}

static uint32_t
by_request(struct persist *p, const struct wsvc *s, const struct conn *c, const char *buf,
    const struct h1_head *h)
{
	const struct view *v = s->view;
	struct cookie_span value;
	struct key_span key;
	uint32_t id;

	switch (v->persistence) {
	case persistence_cookie:
	case persistence_rewrite:
	case persistence_prefix:
		id = find_cookie(v, buf, h, &value) ? by_cookie(p, s, &value) : 0;
		p->said = id != 0;
		return id;
	case persistence_app_cookie:
		return find_cookie(v, buf, h, &value) ? by_value(p, s, value.at, value.len) : 0;
	case persistence_route: return by_route(s, buf, h);
	case persistence_browser: return by_browser(p, s, buf, h);
	case persistence_forwarded_for: return by_forwarded(p, s, c, buf, h);
	case persistence_query:
		return persist_key_query(buf, h, &key) ? by_value(p, s, key.at, key.len) : 0;
	case persistence_url_param:
	case persistence_header:
		return key_of_request(v->persistence == persistence_header ? scheduler_header
									   : scheduler_url_param,
			   v->sticky.key, v->sticky.key_len, buf, h, &key)
			   ? by_value(p, s, key.at, key.len)
			   : 0;
	case persistence_tls_session:
	case persistence_server_name: return by_tls(p, s, c);
	default: return 0;
	}
}

uint32_t
persist_by_head(struct persist *p, const struct wsvc *s, const struct conn *c, const char *buf,
    const struct h1_head *h)
{
	const struct view *v = s->view;
	uint32_t known;

	*p = (struct persist){ .ignored = false };
	if (v->persistence == persistence_none || (v->sticky.apart && apart(p, v, c)))
		return 0;
	if (v->persistence == persistence_source)
		return by_source(p, s, c);
	known = by_request(p, s, c, buf, h);
	if (v->sticky.or_source) {
		uint32_t id = by_source(p, s, c);

		known = known != 0 ? known : id;
	}
	return known;
}

uint32_t
persist_by_conn(
    struct persist *p, const struct wsvc *s, const struct conn *c, const uint8_t *first, size_t n)
{
	const struct view *v = s->view;
	struct key_span key;
	uint32_t known, id;

	*p = (struct persist){ .ignored = false };
	if (v->persistence == persistence_none || (v->sticky.apart && apart(p, v, c)))
		return 0;
	if (v->persistence == persistence_source)
		return by_source(p, s, c);
	if (!persist_reads(v))
		known = by_tls(p, s, c);
	else if (first == NULL)
		known = 0;
	else
		known = (v->persistence == persistence_sip ? sip_call(first, n, &key)
							   : key_of_rdp(first, n, &key)) == H1_DONE
			    ? by_value(p, s, key.at, key.len)
			    : 0;
	if (!v->sticky.or_source)
		return known;
	id = by_source(p, s, c);
	return known != 0 ? known : id;
}

/* ---- remembering --------------------------------------------------------------------------- */

static void
store(const struct wsvc *s, const struct stick_key *k, uint32_t who)
{
	stick_store(table(s), s->view->sticky.table, k, who, s->w->now, s->view->persist);
}

static void
learn(const struct wsvc *s, uint32_t who, const char *buf, const struct h1_head *h)
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
		stick_key_cookie(table(s), value.at, value.len, &k);
		store(s, &k, who);
	}
}

/* What the server is called; 0: nobody belongs there (the fallback), or it has no counterpart where it is shared. */
static uint32_t
who_is(const struct srv *srv)
{
	uint32_t who = atomic_load_explicit(&srv->who, memory_order_relaxed);

	return srv->id == 0 || who == STICKY_NOBODY ? 0 : who;
}

void
persist_keep_conn(
    const struct persist *p, const struct wsvc *s, const struct conn *c, const struct srv *srv)
{
	uint32_t who = p->keyed || p->sourced ? who_is(srv) : 0;
	struct stick_key k;

	if (who == 0 || s->view->persistence == persistence_none)
		return;
	if (p->keyed)
		store(s, &p->key, who);
	if (!p->sourced)
		return;
	persist_source_key(s->view, &c->addr, &k);
	store(s, &k, who);
}

void
persist_keep_head(const struct persist *p, const struct wsvc *s, const struct conn *c,
    const struct srv *srv, const char *buf, const struct h1_head *h)
{
	uint32_t who;

	if (s->view->persistence == persistence_none || p->ignored)
		return;
	persist_keep_conn(p, s, c, srv);
	if (s->view->persistence != persistence_app_cookie ||
	    (h->seen & H1_BIT(H1_SET_COOKIE)) == 0)
		return;
	who = who_is(srv);
	if (who != 0)
		learn(s, who, buf, h);
}
