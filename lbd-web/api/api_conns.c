/* Connections, persistence and counts of rules over REST, layer 4 and 7 in one list. Each daemon of the data plane is asked in turn; rows
 * become JSON as they come. The filters travel with the question, and are looked at here again, because lbd-proxy leaves
 * some over.
 *
 * One row more than the limit is asked for, so that "more" can say whether there were any. A daemon that is away is named
 * in "away"; when all are, the answer is 503. */
#include "api.h"
#include "live/follow.h"

#include "base/mem.h"
#include "base/must.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNS_LIMIT 1000
#define CONNS_LIMIT_MAX 100000
#define CLIENT_ROOM 256
#define STATE_ROOM 24

static const struct {
	const char *name;
	unsigned layer;
} data_plane[] = { { "lbd-ipvs", 4 }, { "lbd-proxy", 7 } };

struct listing {
	struct call *c;
	struct snapshot *s; /* referenced: names of rows that come later */
	unsigned number;    /* of the question */
	unsigned at;	    /* daemon that is asked */
	unsigned answered;
	bool clear; /* of MSG_RATES */
	uint64_t n, limit, skip;
	uint32_t service, server;
	char client[CLIENT_ROOM], state[STATE_ROOM], id[STATE_ROOM];
	struct addr net; /* of client; family 0: it is a cookie, a call, or none was given */
	struct buf b, away;
	struct err err; /* the first that refused */
};

/* ---- what is asked for ---------------------------------------------------------------------------- */

/* A name of the query to a row id; false: answered. */
static bool
take_name(struct call *c, const char *word, unsigned kind, uint32_t *out)
{
	const char *path = call_query(c, word);
	const void *row;

	if (path == NULL)
		return true;
	row = snapshot_find_path(daemon_snapshot(c->w->d), kind, path);
	if (row == NULL) {
		reply_fail(c, 400, "%s: %.70s does not exist", word, path);
		return false;
	}
	*out = *(const uint32_t *)row;
	return true;
}

static bool
take_text(struct call *c, const char *word, char *out, size_t room)
{
	const char *text = call_query(c, word);

	if (text == NULL)
		return true;
	if (strlen(text) >= room) {
		reply_fail(c, 400, "%s: longer than %zu bytes", word, room - 1);
		return false;
	}
	memcpy(out, text, strlen(text) + 1);
	return true;
}

static bool
take_query(struct call *c, struct listing *l)
{
	const char *limit = call_query(c, "limit"), *skip = call_query(c, "skip");

	l->limit = CONNS_LIMIT;
	if (!take_name(c, "vip", KIND_service, &l->service) ||
	    !take_name(c, "rip", KIND_server, &l->server) ||
	    !take_text(c, "client", l->client, sizeof(l->client)) ||
	    !take_text(c, "state", l->state, sizeof(l->state)) ||
	    !take_text(c, "id", l->id, sizeof(l->id)) ||
	    (limit != NULL && !api_number(c, "limit", limit, 1, CONNS_LIMIT_MAX, &l->limit)) ||
	    (skip != NULL && !api_number(c, "skip", skip, 0, UINT32_MAX, &l->skip)))
		return false;
	if (skip != NULL && (l->number != MSG_PERSISTS || (l->service == 0 && l->server == 0))) {
		reply_fail(c, 400, "skip: only for persistence of one vip or rip");
		return false;
	}
	if (l->client[0] == '\0' || addr_parse(l->client, ADDR_NET, &l->net) == 0)
		return true;
	l->net = (struct addr){ 0 };
	if (l->number != MSG_CONNS && l->number != MSG_CONNS_KILL)
		return true;
	reply_fail(c, 400, "client: %.60s is neither an address nor a network", l->client);
	return false;
}

/* ---- rows ------------------------------------------------------------------------------------------- */

/* The address of "10.0.0.1:80", "[fd00::1]:80", "10.0.0.1" or "10.0.0.0/8". */
static bool
address_of(const char *end, struct addr *out)
{
	char text[ADDR_TEXT + 8], *p = text, *colon;

	if (strlen(end) >= sizeof(text))
		return false;
	memcpy(text, end, strlen(end) + 1);
	colon = strchr(p, ':');
	if (*p == '[') {
		p++;
		p[strcspn(p, "]")] = '\0';
	} else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
		*colon = '\0';
	}
	return addr_parse(p, ADDR_NET, out) == 0 && out->family != 0;
}

static bool
fits(const struct listing *l, uint32_t service, uint32_t server, const char *client,
    const char *state)
{
	struct addr is;

	if ((l->service != 0 && service != l->service) || (l->server != 0 && server != l->server) ||
	    (state != NULL && l->state[0] != '\0' && strcasecmp(state, l->state) != 0))
		return false;
	if (l->client[0] == '\0')
		return true;
	if (l->net.family == 0)
		return strcmp(client, l->client) == 0;
	return address_of(client, &is) &&
	       (addr_contains(&l->net, &is) || addr_contains(&is, &l->net));
}

static void
put_name(struct listing *l, const char *key, unsigned kind, uint32_t id)
{
	char path[160];

	buf_printf(&l->b, "\"%s\":", key);
	if (id == 0 || snapshot_find(l->s, kind, id) == NULL)
		buf_puts(&l->b, "null");
	else
		view_json_text(&l->b, snapshot_path(l->s, kind, id, path));
}

static void
put_span(struct buf *b, const char *key, struct span s)
{
	char text[300];

	span_text(s, text, sizeof(text));
	view_json_member(b, key, text);
}

/* Whether there is room for one more; the names of service and server are written then. */
static bool
begin_item(struct listing *l, uint32_t service, uint32_t server)
{
	if (++l->n > l->limit)
		return false;
	buf_puts(&l->b, l->n > 1 ? ",\n{" : "\n{");
	put_name(l, "vip", KIND_service, service);
	buf_puts(&l->b, ",");
	put_name(l, "rip", KIND_server, server);
	buf_printf(&l->b, ",\"layer\":%u", data_plane[l->at].layer);
	return true;
}

static void
put_conn(struct listing *l, const struct msg_conn *m)
{
	char client[100], state[40];

	span_text(m->client, client, sizeof(client));
	span_text(m->state, state, sizeof(state));
	if (!fits(l, m->service, m->server, client, state) || !begin_item(l, m->service, m->server))
		return;
	put_span(&l->b, "protocol", m->protocol.len > 0 ? m->protocol : SPAN("TCP"));
	if (data_plane[l->at].layer == 4)
		buf_printf(&l->b, ",\"expire_s\":%llu", (unsigned long long)m->left / 1000000);
	else
		buf_puts(&l->b, ",\"expire_s\":null");
	put_span(&l->b, "id", m->id);
	put_span(&l->b, "state", m->state);
	put_span(&l->b, "source", m->client);
	put_span(&l->b, "virtual", m->virtual);
	put_span(&l->b, "destination", m->real);
	if (data_plane[l->at].layer == 7)
		buf_printf(&l->b,
		    ",\"age_us\":%llu,\"idle_us\":%llu,\"receive_bytes\":%llu,\"transmit_bytes\":%llu,"
		    "\"requests\":%llu",
		    (unsigned long long)m->age, (unsigned long long)m->idle,
		    (unsigned long long)m->bytes_in, (unsigned long long)m->bytes_out,
		    (unsigned long long)m->requests);
	buf_puts(&l->b, "}");
}

static void
put_persist(struct listing *l, const struct msg_persist *m)
{
	char key[300];

	span_text(m->key, key, sizeof(key));
	if (!fits(l, m->service, m->server, key, NULL) || !begin_item(l, m->service, m->server))
		return;
	put_span(&l->b, "client", m->key);
	buf_printf(&l->b, ",\"expire_s\":%llu}", (unsigned long long)m->left / 1000000);
}

static void
put_rate(struct listing *l, const struct msg_rate *m)
{
	if (l->clear || ++l->n > l->limit)
		return;
	buf_puts(&l->b, l->n > 1 ? ",\n{" : "\n{");
	put_name(l, "vip", KIND_service, m->service);
	put_span(&l->b, "meter", m->meter);
	put_span(&l->b, "client", m->key);
	buf_printf(&l->b, ",\"value\":%llu,\"age_s\":%llu}", (unsigned long long)m->value,
	    (unsigned long long)m->age / 1000000);
}

static void
on_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct listing *l = arg;

	if (row->number == MSG_CONN)
		put_conn(l, &m->conn);
	else if (row->number == MSG_PERSIST)
		put_persist(l, &m->persist);
	else if (row->number == MSG_RATE)
		put_rate(l, &m->rate);
	else if (row->number == MSG_CONNS_KILLED)
		l->n += m->conns_killed.conns;
	else if (row->number == MSG_PERSIST_CLEARED)
		l->n += m->persist_cleared.entries;
}

/* What the proxy alone has: the kernel's connections cannot be reset, and nothing is counted there by rules. */
static bool
of_proxy(const struct listing *l)
{
	return l->number == MSG_CONNS_KILL || l->number == MSG_RATES;
}

/* ---- one daemon after the other ----------------------------------------------------------------------- */

static void
finish(struct listing *l)
{
	struct call *c = l->c;
	struct buf none = { 0 };

	if (l->err.code != 0) {
		reply_error(c, 0, &l->err);
	} else if (l->answered == 0) {
		reply_fail(c, 503,
		    of_proxy(l) ? "lbd-proxy does not run" : "neither lbd-ipvs nor lbd-proxy runs");
	} else if (l->number == MSG_CONNS_KILL) {
		buf_fini(&l->b);
		buf_printf(&l->b, "{\"killed\":%llu}\n", (unsigned long long)l->n);
		reply_json(c, 200, &l->b);
	} else if (l->number == MSG_PERSIST_CLEAR && l->n == 0 && l->client[0] != '\0') {
		reply_fail(c, 404, "client: %.200s is kept at no server", l->client);
	} else if (l->number == MSG_PERSIST_CLEAR) {
		buf_fini(&l->b);
		buf_printf(&l->b, "{\"forgotten\":%llu}\n", (unsigned long long)l->n);
		reply_json(c, 200, &l->b);
	} else if (l->clear) {
		reply_text(c, 204, NULL, &none);
	} else {
		buf_printf(&l->b, "],\"more\":%s,\"away\":[", l->n > l->limit ? "true" : "false");
		buf_put(&l->b, l->away.p, l->away.len);
		buf_puts(&l->b, "]}\n");
		reply_json(c, 200, &l->b);
	}
	if (c->later)
		call_free(c);
	snapshot_unref(l->s);
	buf_fini(&l->b);
	buf_fini(&l->away);
	free(l);
}

static void ask_next(struct listing *l);

static void
on_end(void *arg, int code, const char *text)
{
	struct listing *l = arg;

	if (code == 0)
		l->answered++;
	else if (code == ERR_AWAY)
		buf_printf(
		    &l->away, "%s\"%s\"", l->away.len > 0 ? "," : "", data_plane[l->at].name);
	else if (l->err.code == 0)
		(void)err_set(
		    &l->err, code, "%s: %s", data_plane[l->at].name, text != NULL ? text : "");
	l->at++;
	ask_next(l);
}

static int
ask(struct listing *l)
{
	const struct msg_select select = { .service = l->service,
		.server = l->server,
		.most = (uint32_t)(l->limit + 1),
		.skip = (uint32_t)l->skip,
		.client = SPAN(l->client),
		.state = SPAN(l->state) };
	const struct msg_persist_clear clear = {
		.service = l->service, .server = l->server, .key = SPAN(l->client)
	};
	const struct msg_conns_kill kill = { .service = l->service,
		.server = l->server,
		.client = SPAN(l->client),
		.id = SPAN(l->id) };
	const struct msg_rates rates = { .service = l->service,
		.most = (uint32_t)(l->limit + 1),
		.key = SPAN(l->client),
		.clear = l->clear };
	const void *m = l->number == MSG_PERSIST_CLEAR ? (const void *)&clear
			: l->number == MSG_CONNS_KILL  ? (const void *)&kill
			: l->number == MSG_RATES       ? (const void *)&rates
						       : &select;

	return follow_ask(l->c->w->follow, data_plane[l->at].name, l->number, m, on_row, on_end, l);
}

static void
ask_next(struct listing *l)
{
	while (l->at < ARRAY_LEN(data_plane)) {
		if (ask(l) == 0) {
			if (!l->c->later)
				http_later(l->c->rq);
			l->c->later = true;
			return;
		}
		buf_printf(
		    &l->away, "%s\"%s\"", l->away.len > 0 ? "," : "", data_plane[l->at].name);
		l->at++;
	}
	finish(l);
}

static void
begin(struct call *c, unsigned number, bool clear)
{
	struct listing *l = mem_alloc(sizeof(*l));

	l->c = c;
	l->number = number;
	l->clear = clear;
	if (!take_query(c, l)) {
		free(l);
		return;
	}
	if (number == MSG_CONNS_KILL && l->service == 0 && l->server == 0 && l->client[0] == '\0' &&
	    l->id[0] == '\0') {
		free(l);
		reply_fail(c, 400, "one of id, vip, rip and client must say which connections");
		return;
	}
	while (of_proxy(l) && data_plane[l->at].layer != 7)
		l->at++;
	l->s = snapshot_ref(daemon_snapshot(c->w->d));
	buf_puts(&l->b, "{\"items\":[");
	ask_next(l);
}

void
api_conns_get(struct call *c)
{
	begin(c, MSG_CONNS, false);
}

void
api_conns_kill(struct call *c)
{
	begin(c, MSG_CONNS_KILL, false);
}

void
api_persists_get(struct call *c)
{
	begin(c, MSG_PERSISTS, false);
}

void
api_persists_clear(struct call *c)
{
	begin(c, MSG_PERSIST_CLEAR, false);
}

void
api_rates_get(struct call *c)
{
	begin(c, MSG_RATES, false);
}

void
api_rates_clear(struct call *c)
{
	begin(c, MSG_RATES, true);
}
