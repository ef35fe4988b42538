/* The compiled configuration of the workers, and the numbers they share.
 *
 * Nothing here decides anything but what an operator's order (drain, halt, weight) means now: whether a server takes
 * new clients, still takes those it has, or has to be cut. The rest is compiling and counting references. Counters
 * are added up by counts.c. */
#include "runtime.h"

#include "base/mem.h"
#include "base/must.h"
#include "log/line.h"

#include "http/error_pages.h"
#include "lists/itemset.h"
#include "rates/rates.h"
#include "rules/rules.h"
#include "schema/retry_words.h"
#include "tls/tls.h"

#include <string.h>

struct svc *
svc_new(uint32_t id, unsigned workers)
{
	size_t size = sizeof(struct svc) + workers * sizeof(struct svc_local);
	struct svc *s = aligned_alloc(64, (size + 63) & ~(size_t)63);

	must(s != NULL);
	memset(s, 0, size);
	s->id = id;
	s->workers = workers;
	s->since = mono_wall_ms() / 1000;
	pace_begin(&s->new_conns, mono_now());
	pace_begin(&s->requests, mono_now());
	atomic_init(&s->refs, 1);
	return s;
}

struct svc *
svc_ref(struct svc *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

/* The last one out has seen all that the others did. */
static bool
last(atomic_uint *refs)
{
	unsigned was = atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel);

	must(was > 0);
	return was == 1;
}

void
svc_unref(struct svc *s)
{
	if (s == NULL || !last(&s->refs))
		return;
	for (unsigned i = 0; i < s->workers; i++)
		free(s->of[i].phases);
	free(s->base_phases);
	rates_unref(s->rates);
	free(s);
}

struct srv *
srv_new(uint32_t id, uint32_t service_id, unsigned workers)
{
	struct srv *s = mem_alloc(sizeof(*s) + workers * sizeof(s->of[0]));

	s->id = id;
	atomic_init(&s->token, cookie_token(service_id, id));
	atomic_init(&s->who, id);
	pace_begin(&s->requests, mono_now());
	s->workers = workers;
	atomic_init(&s->refs, 1);
	return s;
}

struct srv *
srv_ref(struct srv *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void
srv_unref(struct srv *s)
{
	unsigned i;

	if (s == NULL || !last(&s->refs))
		return;
	for (i = 0; i < s->workers; i++)
		free(s->of[i].n);
	free(s);
}

static const uint16_t redirects[] = {
	[https_redirect_301] = 301,
	[https_redirect_302] = 302,
	[https_redirect_307] = 307,
	[https_redirect_308] = 308,
};

static void
compile(struct view *v, const struct service *s)
{
	size_t n = strlen(s->name);

	memcpy(v->name, s->name, n < sizeof(v->name) ? n : sizeof(v->name) - 1);
	n = strlen(s->cookie);
	v->cookie_len = (uint8_t)(n <= COOKIE_NAME_MAX ? n : COOKIE_NAME_MAX);
	memcpy(v->cookie, s->cookie, v->cookie_len);
	v->mode = s->mode;
	v->scheduler = s->scheduler;
	v->persistence = s->persistence;
	v->forwarded = s->forwarded_for;
	v->address = s->address;
	v->request_id = s->request_id;
	v->x_forwarded = s->x_forwarded;
	v->forwarded_field = s->forwarded;
	v->via = s->via;
	v->log_sample = s->log_sample;
	v->log = line_format_new(s->log, s->mode == mode_http, s->log_format);
	v->drop_on_failure = s->drop_on_failure;
	v->transparent = s->transparent;
	v->rdp_token = s->rdp_token;
	v->ftp = s->ftp;
	v->ftp_low = s->ftp_ports != NULL && s->ftp_ports->n > 0 ? s->ftp_ports->r[0].lo : 0;
	v->ftp_high = s->ftp_ports != NULL && s->ftp_ports->n > 0 ? s->ftp_ports->r[0].hi : 0;
	v->retries = s->retries;
	v->retries_max = s->retries_max;
	(void)retry_words_parse(s->retry_on, &v->retry_on, NULL); /* the commit was checked */
	v->max_conns = s->max_conns;
	v->group = (uint8_t)s->group;
	v->queue_max = s->queue_max;
	v->head_max = (uint32_t)s->head_max;
	v->body_max = s->body_max;
	v->connect = DUR_MS(s->connect_timeout);
	v->request = DUR_MS(s->request_timeout);
	v->client = DUR_MS(s->client_timeout);
	v->server = DUR_MS(s->server_timeout);
	v->keep = DUR_MS(s->keep_timeout);
	v->pool = DUR_MS(s->pool_timeout);
	v->tunnel = DUR_MS(s->tunnel_timeout);
	v->queue = DUR_MS(s->queue_timeout);
	v->persist = DUR_MS(s->persist_timeout);
	sticky_compile(&v->sticky, s);
	v->proxy_to = s->proxy_to;
	v->h2c = s->h2c;
	v->http3_retry = s->http3_retry;
	v->quic_congestion = s->quic_congestion;
	v->http3 = s->http3 && s->mode == mode_http && s->tls != 0;
	v->tunnels = s->connect;
	v->h2_streams = s->http2_streams;
	v->server_http = s->server_http;
	if (s->mode != mode_http ||
	    (s->server_http == server_http_auto && s->server_tls == server_tls_off))
		v->server_http = server_http_1;
	v->redirect = redirects[s->https_redirect];
	v->compress = s->compress;
	v->compress_level = (uint8_t)s->compress_level;
	v->compress_min = s->compress_min;
	v->uri_check = s->uri_check;
	v->header_names = s->header_names;
	v->maintenance = s->maintenance;
	v->wait_body = (uint32_t)s->wait_body;
	v->mirror_share = s->mirror_share;
	v->mirror_body = (uint32_t)s->mirror_body;
	v->looks = v->compress != compress_off || v->uri_check != uri_check_off ||
		   v->header_names != header_names_any || v->maintenance || v->wait_body > 0;
	v->slow = DUR_MS(s->slow_start);
	v->panic = s->panic;
	v->balance_factor = s->balance_factor;
	v->hashes = key_hashes(s->scheduler);
	v->timed = s->scheduler == scheduler_least_time;
	n = s->hash_key != NULL ? strlen(s->hash_key) : 0;
	v->hash_key_len = (uint8_t)(n <= KEY_NAME_MAX ? n : KEY_NAME_MAX);
	if (n > 0)
		memcpy(v->hash_key, s->hash_key, v->hash_key_len);
}

static struct addrs *
addrs_copy(const struct addrs *l)
{
	size_t size = l == NULL ? 0 : sizeof(*l) + l->n * sizeof(l->r[0]);

	return l == NULL || l->n == 0 ? NULL : memcpy(mem_alloc(size), l, size);
}

/* What a server adds to the picture. The fallback server stands apart from all of it. */
static void
compile_server(struct view *v, struct view_server *at)
{
	bool alike = v->scheduler == scheduler_rr || v->scheduler == scheduler_lc;

	at->share = alike && at->weight > 0 ? 1 : at->weight;
	if (v->slow > 0)
		at->share *= SLOW_SCALE;
	if (at->srv->id == 0)
		return;
	v->full += at->max_conns;
	v->backups = v->backups || at->backup;
	v->far = v->far || at->far;
	v->elastic = v->elastic || (at->min_conns > 0 && at->max_conns > 0);
}

/* The names of its servers, for its access log, and for those of services whose rules lead here. */
static void
keep_names(struct view *v)
{
	size_t room = 0, n;
	char *p;

	for (uint32_t i = 0; i < v->n; i++) {
		if (v->at[i].name == NULL)
			v->at[i].name = "";
		room += strlen(v->at[i].name) + 1;
	}
	p = v->names = mem_alloc(room + 1);
	for (uint32_t i = 0; i < v->n; i++) {
		n = strlen(v->at[i].name) + 1;
		memcpy(p, v->at[i].name, n);
		v->at[i].name = p;
		p += n;
	}
}

/* What cookies and entries of persistence call a server. */
static void
name_server(struct view *v, uint32_t i)
{
	struct view_server *at = &v->at[i];

	if (at->token == 0)
		at->token = cookie_token(v->svc->id, at->srv->id);
	if (at->who == 0)
		at->who = at->srv->id;
	atomic_store_explicit(&at->srv->token, at->token, memory_order_relaxed);
	atomic_store_explicit(&at->srv->who, at->who, memory_order_relaxed);
	if (v->tokens.slot != NULL && at->srv->id != 0 &&
	    (at->who != STICKY_NOBODY || v->persistence == persistence_route))
		cookie_map_put(&v->tokens, at->token, i);
}

struct view *
view_new(struct svc *svc, const struct service *s, const struct view_server *at, uint32_t n,
    struct tls_ctx *front, struct tls_ctx *back)
{
	struct view *v = mem_alloc(sizeof(*v) + n * sizeof(v->at[0]));
	uint32_t i;

	atomic_init(&v->refs, 1);
	v->svc = svc_ref(svc);
	compile(v, s);
	v->proxy_from = addrs_copy(s->proxy_from);
	v->forwarded_from = addrs_copy(s->forwarded_from);
	v->persist_force = addrs_copy(s->persist_force);
	v->persist_ignore = addrs_copy(s->persist_ignore);
	v->bypass = addrs_copy(s->maintenance_bypass);
	v->allow = addrs_copy(s->allow);
	if (s->source_header != NULL && s->source_header[0] != '\0')
		v->source_header = mem_text(s->source_header);
	v->types = v->compress == compress_off ? NULL : mem_text(s->compress_types);
	v->sources = sources_new(s);
	v->front = tls_ctx_ref(front);
	v->back = tls_ctx_ref(back);
	if (sticky_uses_tokens(v->persistence) && n > 0)
		must(cookie_map_init(&v->tokens, n) == 0);
	if (v->persistence == persistence_tls_session)
		tls_session_want();
	v->n = n;
	v->full = v->queue_max;
	for (i = 0; i < n; i++) {
		v->at[i] = at[i];
		v->at[i].host = at[i].host == NULL ? NULL : mem_text(at[i].host);
		compile_server(v, &v->at[i]);
		srv_ref(at[i].srv);
		v->fallback = at[i].srv->id == 0;
		name_server(v, i);
	}
	v->shaped = v->panic > 0 || v->slow > 0 || v->backups || v->elastic || v->far;
	v->plain = !v->shaped && !v->hashes && !v->timed && v->scheduler != scheduler_twos &&
		   v->scheduler != scheduler_first;
	keep_names(v);
	return v;
}

void
view_share(struct view *v, uint32_t table)
{
	v->sticky.table = table;
}

void
view_answers(struct view *v, struct error_pages *errors)
{
	must(v->errors == NULL);
	v->errors = errors;
}

void
view_block(struct view *v, struct itemset *who, bool reset)
{
	must(v->block == NULL);
	v->block = itemset_ref(who);
	v->block_reset = reset;
}

bool
view_bars(const struct view *v, const struct addr *client)
{
	static const char except[] = "allow";
	struct item_value is;

	if (v->block == NULL || !itemset_has_addr(v->block, client, &is))
		return false;
	if (is.len == sizeof(except) - 1 && memcmp(is.at, except, is.len) == 0)
		return false;
	return !addrs_contain(v->allow, client);
}

void
view_mirror(struct view *v, struct svc *to)
{
	must(v->mirror == NULL);
	if (to != NULL)
		v->mirror = svc_ref(to);
}

void
view_spread(struct view *v, const struct view *old)
{
	uint32_t n = v->fallback ? v->n - 1 : v->n;
	struct spread_node *node;

	if (!v->hashes)
		return;
	node = mem_alloc((n + 1) * sizeof(*node));
	for (uint32_t i = 0; i < n; i++)
		node[i] = (struct spread_node){ v->at[i].srv->id, v->at[i].share };
	if (old != NULL && old->spread != NULL && spread_same(old->spread, node, n))
		v->spread = spread_ref(old->spread);
	else
		v->spread = spread_new(node, n);
	free(node);
}

struct view *
view_ref(struct view *v)
{
	atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
	return v;
}

void
view_unref(struct view *v)
{
	uint32_t i;

	if (v == NULL || !last(&v->refs))
		return;
	for (i = 0; i < v->n; i++) {
		srv_unref(v->at[i].srv);
		free((void *)(uintptr_t)v->at[i].host);
	}
	free(v->proxy_from);
	free(v->forwarded_from);
	free(v->persist_force);
	free(v->persist_ignore);
	free(v->bypass);
	free(v->allow);
	free(v->source_header);
	itemset_unref(v->block);
	free(v->types);
	error_pages_free(v->errors);
	free(v->sources);
	svc_unref(v->mirror);
	tls_ctx_unref(v->front);
	tls_ctx_unref(v->back);
	cookie_map_fini(&v->tokens);
	spread_unref(v->spread);
	line_format_free(v->log);
	rules_unref(v->rules);
	free(v->names);
	svc_unref(v->svc);
	free(v);
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
same_addrs(const struct addrs *a, const struct addrs *b)
{
	return a == b || (a != NULL && b != NULL && a->n == b->n &&
			     memcmp(a->r, b->r, a->n * sizeof(a->r[0])) == 0);
}

bool
view_same(const struct view *a, const struct view *b)
{
	/* Everything from the name on but the map of tokens and the spread, which follow from the servers. */
	size_t head = offsetof(struct view, tokens) - offsetof(struct view, name);
	uint32_t i;

	if (memcmp(&a->name, &b->name, head) != 0 || a->n != b->n ||
	    !same_addrs(a->proxy_from, b->proxy_from) || !same_addrs(a->bypass, b->bypass) ||
	    !same_addrs(a->allow, b->allow) || a->block != b->block ||
	    !same_addrs(a->forwarded_from, b->forwarded_from) ||
	    !same_addrs(a->persist_force, b->persist_force) ||
	    !same_addrs(a->persist_ignore, b->persist_ignore) ||
	    !sources_same(a->sources, b->sources) ||
	    !same_text(a->source_header, b->source_header) || !same_text(a->types, b->types) ||
	    !error_pages_same(a->errors, b->errors) || !line_format_same(a->log, b->log) ||
	    a->rules != b->rules)
		return false;
	for (i = 0; i < a->n; i++) {
		const struct view_server *x = &a->at[i], *y = &b->at[i];

		if (x->srv != y->srv || x->port != y->port || x->weight != y->weight ||
		    x->max_conns != y->max_conns || x->min_conns != y->min_conns ||
		    x->backup != y->backup || x->far != y->far || x->fresh != y->fresh ||
		    x->known != y->known || x->who != y->who || x->token != y->token ||
		    x->proven != y->proven || !same_text(x->host, y->host) ||
		    strcmp(x->name, y->name) != 0 ||
		    memcmp(&x->addr, &y->addr, sizeof(x->addr)) != 0)
			return false;
	}
	return true;
}
