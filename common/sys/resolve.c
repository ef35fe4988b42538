/* Names to addresses: who watches which name, and what he is told.
 *
 * A name is looked up once for all who watch it. Its timer fires, DNS is asked (resolve_ares.c), and the answer sets the
 * timer again: after the TTL, or after a failure with growing distance. What was known stays when the name stops
 * resolving. Then the answer is dealt: a watch of the first address keeps what it has while the answer has it; watches
 * that share are given one place each (resolve_share.c). Only whose place changed is told.
 *
 * Callbacks come from the loop only. A name that nobody watches any more while its question is out is freed by the
 * question's end. */
#include "resolve_priv.h"

#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/mono.h"
#include "base/must.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RESOLVER_MAGIC 0x4e501e00
#define WATCH_MAGIC 0x4e501e01
#define NAME_MAGIC 0x4e501e02
#define TTL_LEAST DUR_S(5)
#define TTL_MOST DUR_S(3600)
#define RETRY_FIRST DUR_S(2)
#define RETRY_MOST DUR_S(60)
#define WAIT DUR_MS(20)	 /* when too many questions are out */
#define SAVE DUR_MS(200) /* answers that come together are written together */
#define SAVE_AGAIN 600	 /* seconds, of an answer that stays the same: its age is shown */

struct resolver {
	uint32_t magic;
	struct loop *loop;
	struct dns *dns;
	struct list names;
	/* resolver_keep; folder "": nothing is kept */
	char folder[DNS_KEPT_PATH - 8], path[DNS_KEPT_PATH];
	struct dns_kept kept; /* of the file, until the names are watched */
	struct loop_timer save;
	void (*say)(const char *why);
	bool said;
};
struct name {
	uint32_t magic;
	struct list link;
	struct resolver *r;
	struct loop_timer ask, deal;
	struct list watches;
	struct dns_row *row; /* the last answer; NULL: none yet */
	unsigned n;
	int64_t good; /* seconds since 1970 */
	int64_t kept; /* good when it was written last */
	dur_t retry;
	bool srv, literal, asking, failed, telling;
	char why[80], text[];
};
struct resolve {
	uint32_t magic;
	struct list link; /* of its name */
	struct name *name;
	struct resolve_want want;
	resolve_fn fn;
	void *arg;
	struct resolve_place place;
	bool told; /* that there is none */
	bool due;  /* is to be told */
};

/* ---- dealing ----------------------------------------------------------------------------------------------------- */

static bool
same_place(const struct resolve_place *a, const struct resolve_place *b)
{
	return memcmp(&a->addr, &b->addr, sizeof(a->addr)) == 0 && a->port == b->port &&
	       a->weight == b->weight && a->backup == b->backup && strcmp(a->host, b->host) == 0;
}

static void
give(struct resolve *w, const struct dns_row *row, uint16_t first)
{
	struct resolve_place p = { .port = 0 };

	if (row != NULL) {
		p = (struct resolve_place){ row->addr, row->port, row->weight,
			row->priority > first, "" };
		memcpy(p.host, row->host, sizeof(p.host));
	}
	if (row != NULL ? same_place(&p, &w->place) : w->told)
		return;
	w->told = row == NULL;
	w->place = p;
	w->due = true;
}

static const struct dns_row *
first_of(const struct name *n, const struct resolve *w)
{
	for (unsigned i = 0; i < n->n; i++)
		if (addr_same_host(&n->row[i].addr, &w->place.addr))
			return &n->row[i];
	return n->n > 0 ? &n->row[0] : NULL;
}

static bool
shares(const struct resolve *w, const struct resolve *with)
{
	return w->want.kind != RESOLVE_FIRST && w->want.group == with->want.group &&
	       w->want.kind == with->want.kind;
}

/* All of one group; w is its first in the list. */
static void
deal_group(struct name *n, struct resolve *w, uint16_t first)
{
	unsigned m = 0, i = 0;
	struct resolve **who;
	struct list *it;
	uint32_t *key;
	int *got;

	list_each(it, &n->watches) m += shares(container_of(it, struct resolve, link), w);
	who = mem_alloc(m * sizeof(struct resolve *));
	key = mem_alloc(m * sizeof(*key));
	got = mem_alloc(m * sizeof(*got));
	list_each(it, &n->watches)
	{
		struct resolve *other = container_of(it, struct resolve, link);

		if (!shares(other, w))
			continue;
		who[i] = other;
		key[i++] = other->want.key;
	}
	resolve_share(key, m, n->row, n->n, got);
	for (i = 0; i < m; i++)
		give(who[i], got[i] < 0 ? NULL : &n->row[got[i]], first);
	free(who);
	free(key);
	free(got);
}

static bool
leads(const struct name *n, const struct resolve *w)
{
	struct list *it;

	list_each(it, &n->watches)
	{
		const struct resolve *other = container_of(it, struct resolve, link);

		if (shares(other, w))
			return other == w;
	}
	return false;
}

static void
deal(struct name *n)
{
	uint16_t first = UINT16_MAX;
	struct list *it;

	for (unsigned i = 0; i < n->n; i++)
		if (n->row[i].priority < first)
			first = n->row[i].priority;
	list_each(it, &n->watches)
	{
		struct resolve *w = container_of(it, struct resolve, link);

		if (w->want.kind == RESOLVE_FIRST)
			give(w, first_of(n, w), first);
		else if (leads(n, w))
			deal_group(n, w, first);
	}
}

static struct resolve *
next_due(const struct name *n)
{
	struct list *it;

	list_each(it, &n->watches)
	{
		struct resolve *w = container_of(it, struct resolve, link);

		if (w->due)
			return w;
	}
	return NULL;
}

static void
free_name(struct name *n)
{
	loop_timer_fini(&n->ask);
	loop_timer_fini(&n->deal);
	free(n->row);
	n->magic = 0;
	free(n);
}

/* The name goes when nobody watches it and nobody will come back to it. */
static void
leave(struct name *n)
{
	if (!list_empty(&n->watches))
		return;
	list_del(&n->link);
	list_init(&n->link);
	loop_timer_cancel(&n->ask);
	loop_timer_cancel(&n->deal);
	if (!n->asking && !n->telling)
		free_name(n);
}

/* Who is told may begin and end watches, of this name too. */
static void
on_deal(void *arg)
{
	struct name *n = arg;
	struct resolve *w;

	must_obj(n, NAME_MAGIC);
	if (n->good == 0 && !n->failed)
		return;
	deal(n);
	n->telling = true;
	while ((w = next_due(n)) != NULL) {
		w->due = false;
		w->fn(w->arg, &w->place,
		    w->place.addr.family != 0 ? NULL
		    : n->n == 0		      ? n->why
					      : "others have all places of the answer");
	}
	n->telling = false;
	leave(n);
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static void
failed(struct name *n, const char *why)
{
	n->failed = true;
	(void)snprintf(n->why, sizeof(n->why), "%s", why);
	loop_timer_set(&n->ask, n->retry);
	n->retry = n->retry * 2 < RETRY_MOST ? n->retry * 2 : RETRY_MOST;
}

/* A host of SRV that could not be looked up keeps the addresses that it had. */
static unsigned
kept(const struct name *n, const struct dns_row *like, struct dns_row *out, unsigned room)
{
	unsigned got = 0;

	for (unsigned i = 0; i < n->n && got < room; i++)
		if (n->row[i].port == like->port && strcmp(n->row[i].host, like->host) == 0) {
			out[got] = *like;
			out[got++].addr = n->row[i].addr;
		}
	return got;
}

static bool
has_row(const struct name *n, const struct dns_row *like)
{
	for (unsigned i = 0; i < n->n; i++)
		if (addr_same_host(&n->row[i].addr, &like->addr) && n->row[i].port == like->port &&
		    n->row[i].weight == like->weight && n->row[i].priority == like->priority &&
		    strcmp(n->row[i].host, like->host) == 0)
			return true;
	return false;
}

/* Whether it is worth writing: an answer in another order is the same. */
static bool
is_news(const struct name *n, const struct dns_row *row, unsigned m)
{
	if (n->literal || n->r->folder[0] == '\0')
		return false;
	if (m != n->n || mono_wall_ms() / 1000 - n->kept >= SAVE_AGAIN)
		return true;
	for (unsigned i = 0; i < m; i++)
		if (!has_row(n, &row[i]))
			return true;
	return false;
}

static void
resolved(struct name *n, const struct dns_answer *a)
{
	struct dns_row *row = mem_alloc(DNS_ROWS * sizeof(*row));
	unsigned m = 0;

	for (unsigned i = 0; i < a->n && m < DNS_ROWS; i++) {
		if (a->row[i].addr.family == 0)
			m += kept(n, &a->row[i], &row[m], DNS_ROWS - m);
		else
			row[m++] = a->row[i];
	}
	if (m == 0) {
		free(row);
		failed(n, "no address");
		return;
	}
	if (is_news(n, row, m))
		loop_timer_set(&n->r->save, SAVE);
	free(n->row);
	n->row = mem_grow(row, m * sizeof(*row));
	n->n = m;
	n->good = mono_wall_ms() / 1000;
	n->failed = false;
	n->retry = RETRY_FIRST;
	if (!n->literal)
		loop_timer_set(&n->ask, a->ttl < TTL_LEAST  ? TTL_LEAST
					: a->ttl > TTL_MOST ? TTL_MOST
							    : a->ttl);
}

static void
on_answer(void *arg, const struct dns_answer *a)
{
	struct name *n = arg;

	must_obj(n, NAME_MAGIC);
	n->asking = false;
	if (list_empty(&n->watches)) {
		free_name(n);
		return;
	}
	if (a->why == NULL)
		resolved(n, a);
	else
		failed(n, a->why);
	loop_timer_set(&n->deal, 0);
}

static void
ask(void *arg)
{
	struct name *n = arg;
	struct dns_answer *a;
	int code;

	must_obj(n, NAME_MAGIC);
	if (n->literal) {
		a = mem_alloc(sizeof(*a));
		a->n = 1;
		must(addr_parse(n->text, ADDR_HOST, &a->row[0].addr) == 0);
		resolved(n, a);
		free(a);
		loop_timer_set(&n->deal, 0);
		return;
	}
	n->asking = true;
	code = dns_ask(n->r->dns, n->text, n->srv, on_answer, n);
	if (code == 0)
		return; /* n may be gone */
	n->asking = false;
	if (code == -EAGAIN) {
		loop_timer_set(&n->ask, WAIT);
		return;
	}
	failed(n, "the resolver cannot be set up");
	loop_timer_set(&n->deal, 0);
}

/* ---- watches ----------------------------------------------------------------------------------------------------- */

struct resolver *
resolver_new(struct loop *l)
{
	struct resolver *r = mem_alloc(sizeof(*r));

	*r = (struct resolver){ .magic = RESOLVER_MAGIC, .loop = l, .dns = dns_new(l) };
	list_init(&r->names);
	return r;
}

void
resolver_free(struct resolver *r)
{
	if (r == NULL)
		return;
	must_obj(r, RESOLVER_MAGIC);
	while (!list_empty(&r->names)) {
		struct name *n = container_of(r->names.next, struct name, link);

		resolver_unwatch(container_of(n->watches.next, struct resolve, link));
	}
	if (r->folder[0] != '\0')
		loop_timer_fini(&r->save);
	dns_kept_free(&r->kept);
	dns_free(r->dns); /* ends the questions that are out, and with them their names */
	r->magic = 0;
	free(r);
}

static void
save(void *arg)
{
	struct resolver *r = arg;
	struct buf b = { 0 };
	struct list *it;
	char why[400];
	int code;

	must_obj(r, RESOLVER_MAGIC);
	dns_kept_free(&r->kept); /* nobody has asked for the rest */
	dns_kept_begin(&b);
	list_each(it, &r->names)
	{
		struct name *n = container_of(it, struct name, link);

		if (n->literal)
			continue;
		dns_kept_put(&b, n->text, n->srv, n->good, n->row, n->n);
		n->kept = n->good;
	}
	code = dns_kept_write(r->folder, r->path, &b);
	buf_fini(&b);
	if (code != 0 && !r->said) {
		(void)snprintf(why, sizeof(why),
		    "%s: cannot be written: %s; names are unknown after a restart until DNS answers",
		    r->path, strerror(-code));
		r->say(why);
	}
	r->said = code != 0;
}

void
resolver_keep(struct resolver *r, const char *folder, void (*say)(const char *why))
{
	char why[400];
	int code;

	must_obj(r, RESOLVER_MAGIC);
	must(list_empty(&r->names) && strlen(folder) < sizeof(r->folder));
	(void)snprintf(r->folder, sizeof(r->folder), "%s", folder);
	(void)snprintf(r->path, sizeof(r->path), "%s/names", folder);
	r->say = say;
	loop_timer_init(&r->save, r->loop, save, r);
	code = dns_kept_read(r->path, &r->kept);
	if (code == 0)
		return;
	(void)snprintf(why, sizeof(why), "%s: %s; DNS is asked for all names", r->path,
	    code == -EBADMSG ? "is damaged" : strerror(-code));
	say(why);
}

/* What was known of it before. */
static void
recall(struct name *n)
{
	const struct dns_kept_name *k = dns_kept_find(&n->r->kept, n->text, n->srv);

	if (k == NULL || n->literal)
		return;
	n->row = mem_alloc(k->n * sizeof(*k->row));
	memcpy(n->row, k->row, k->n * sizeof(*k->row));
	n->n = k->n;
	n->good = n->kept = k->good;
}

static struct name *
name_get(struct resolver *r, const char *text, bool srv)
{
	size_t len = strlen(text);
	struct list *it;
	struct name *n;
	struct addr a;

	list_each(it, &r->names)
	{
		n = container_of(it, struct name, link);
		if (n->srv == srv && strcmp(n->text, text) == 0)
			return n;
	}
	n = mem_alloc(sizeof(*n) + len + 1);
	n->magic = NAME_MAGIC;
	n->r = r;
	n->srv = srv;
	n->retry = RETRY_FIRST;
	memcpy(n->text, text, len + 1);
	n->literal = addr_parse(text, ADDR_HOST, &a) == 0 && a.family != 0;
	list_init(&n->watches);
	recall(n);
	list_push(&r->names, &n->link);
	loop_timer_init(&n->ask, r->loop, ask, n);
	loop_timer_init(&n->deal, r->loop, on_deal, n);
	loop_timer_set(&n->ask, 0);
	return n;
}

struct resolve *
resolver_watch(struct resolver *r, const struct resolve_want *want, resolve_fn fn, void *arg)
{
	struct resolve *w = mem_alloc(sizeof(*w));

	must_obj(r, RESOLVER_MAGIC);
	*w = (struct resolve){ .magic = WATCH_MAGIC, .want = *want, .fn = fn, .arg = arg };
	w->name = name_get(r, want->name, want->kind == RESOLVE_SRV);
	w->want.name = w->name->text;
	list_push(&w->name->watches, &w->link);
	loop_timer_set(&w->name->deal, 0);
	return w;
}

void
resolver_unwatch(struct resolve *w)
{
	struct name *n;

	if (w == NULL)
		return;
	must_obj(w, WATCH_MAGIC);
	n = w->name;
	list_del(&w->link);
	loop_timer_set(&n->deal, 0);
	w->magic = 0;
	free(w);
	leave(n);
}

int64_t
resolve_good(const struct resolve *w)
{
	return w->name->good;
}

const char *
resolve_fault(const struct resolve *w)
{
	return w->name->failed ? w->name->why : NULL;
}
