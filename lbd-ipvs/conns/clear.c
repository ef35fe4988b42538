/* Clearing persistence, in two passes over the kernel's list.
 *
 * A template lives as long as a connection that it brought about (ip_vs_conn.c: ip_vs_conn_expire looks at n_control),
 * and the kernel keeps connections for two minutes after their end. So each pass makes it forget the connections that
 * are over (clear_over) and, when they have gone, the templates (forget.c). The second pass makes good what the first
 * lost. What is there after it belongs to clients that have connections open: their template goes on, and the answer
 * says so. Those connections are not cut; halting a server, or cutting, is another order. */
#include "conns/clear.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define CLEAR_MAGIC 0xc1ea2000
#define CLEAR_BYTES \
	(40u << 20) /* of each kind in one pass: a million of IPv4; then there are more passes */
#define ENTRY_BYTES 72
#define PASSES 2
#define GONE (DUR_S(FORGET_LEFT_S) + DUR_MS(700)) /* until the kernel's timers ran */
#define KERNEL_FIN_S 120

enum step { READ, CONNECTIONS, TEMPLATES };

struct clear {
	uint32_t magic;
	struct list link;
	struct clears *all;
	struct index *index;
	struct walk_want want;
	struct bus_request rq;
	uint32_t fin_s;
	enum step step;
	unsigned pass, passes;
	struct walk *walk;
	struct sync_list over, templates;
	uint32_t found; /* templates of the first pass */
	uint32_t kept;	/* templates of this pass */
	uint64_t seen;	/* entries of the first pass */
	struct loop_timer timer;
};
struct clears {
	struct loop *loop;
	struct walks *walks;
	struct forget *forget;
	struct list all;
};

bool
clear_over(const struct entry *e, uint32_t fin_s)
{
	static const char *const over[] = { "TIME_WAIT", "CLOSE", "LAST_ACK", "CLOSED" };

	if (e->template)
		return false;
	if (e->protocol == IPPROTO_UDP)
		return true;
	for (unsigned i = 0; i < ARRAY_LEN(over); i++)
		if (strcmp(e->state, over[i]) == 0)
			return true;
	/* with direct routing only the client's FIN is seen here: it is over when nothing came after it */
	return strcmp(e->state, "FIN_WAIT") == 0 && e->left_s + 5 <= fin_s;
}

static void
clear_free(struct clear *k)
{
	list_del(&k->link);
	loop_timer_fini(&k->timer);
	walk_free(k->walk);
	sync_list_fini(&k->over);
	sync_list_fini(&k->templates);
	index_unref(k->index);
	k->magic = 0;
	free(k);
}

static void
finish(struct clear *k, int code, const char *text)
{
	if (bus_request_alive(&k->rq))
		bus_result(&k->rq, code, text);
	clear_free(k);
}

static void begin_pass(struct clear *k);

static void
tell_what_stays(struct clear *k, uint32_t stay)
{
	char text[200];

	(void)snprintf(text, sizeof(text),
	    "%u of %u persistence entries stay: their clients have connections open; "
	    "when those end they go, or halt the server first",
	    stay, k->found > stay ? k->found : stay);
	finish(k, ERR_CONFLICT, text);
}

static void
tell_all_went(struct clear *k)
{
	const struct msg_persist_cleared m = { .entries = k->found };

	if (bus_request_alive(&k->rq))
		(void)bus_reply(&k->rq, MSG_PERSIST_CLEARED, &m);
	finish(k, 0, NULL);
}

static void
on_forgotten(void *arg, const struct err *err)
{
	struct clear *k = arg;

	must_obj(k, CLEAR_MAGIC);
	if (err->code != 0)
		finish(k, err->code, err->text);
	else
		loop_timer_set(&k->timer, GONE);
}

static void
next_step(void *arg)
{
	struct clear *k = arg;

	must_obj(k, CLEAR_MAGIC);
	if (k->step == READ && k->over.b.len > 0) {
		k->step = CONNECTIONS;
		forget_these(k->all->forget, &k->over, on_forgotten, k);
	} else if (k->step != TEMPLATES) {
		k->step = TEMPLATES;
		forget_these(k->all->forget, &k->templates, on_forgotten, k);
	} else {
		k->pass++;
		begin_pass(k);
	}
}

static void
take_row(struct clear *k, const struct walk_row *r)
{
	const struct service *s = snapshot_find(index_snapshot(k->index), KIND_service, r->service);
	struct sync_list *l = r->e.template ? &k->templates : &k->over;

	/* what is not lbd's is left alone */
	if (s == NULL || s->persistence == persistence_none ||
	    (!r->e.template && !clear_over(&r->e, k->fin_s)))
		return;
	k->seen += k->pass == 0;
	k->kept += r->e.template;
	if (l->b.len < CLEAR_BYTES)
		(void)sync_add(
		    l, &r->e, FORGET_LEFT_S); /* what it does not take stays, and is told */
}

static void
on_more(void *arg)
{
	struct clear *k = arg;
	const struct walk_row *r;
	int code;

	must_obj(k, CLEAR_MAGIC);
	while ((r = walk_next(k->walk)) != NULL)
		take_row(k, r);
	if (!walk_ended(k->walk, &code))
		return;
	walk_free(k->walk);
	k->walk = NULL;
	if (k->pass == 0) {
		k->found = k->kept;
		k->passes = PASSES + (unsigned)(k->seen * ENTRY_BYTES / CLEAR_BYTES);
	}
	if (code != 0)
		finish(k, code, "the kernel's list of connections cannot be read: " WALK_PATH);
	else if (k->kept == 0)
		tell_all_went(k);
	else if (k->pass == k->passes)
		tell_what_stays(k, k->kept);
	else
		next_step(k);
}

/* A client's connections belong to the template of its network. */
static void
widen(struct walk_want *want, const struct index *ix)
{
	const struct service *s = snapshot_find(index_snapshot(ix), KIND_service, want->service);
	struct addr *a = &want->client;

	if (s == NULL || s->persist_mask >= a->len)
		return;
	a->len = (uint8_t)s->persist_mask;
	for (unsigned bit = a->len; bit < 128; bit++)
		a->b[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
}

static void
begin_pass(struct clear *k)
{
	const struct walk_ops ops = { .more = on_more, .arg = k };

	k->step = READ;
	k->kept = 0;
	sync_list_fini(&k->over);
	sync_list_fini(&k->templates);
	k->walk = walk_new(k->all->walks, k->index, &k->want, &ops);
}

void
clears_begin(
    struct clears *c, struct index *ix, const struct walk_want *want, const struct bus_request *rq)
{
	const struct setting *set = snapshot_setting(index_snapshot(ix));
	struct clear *k = mem_alloc(sizeof(*k));

	k->magic = CLEAR_MAGIC;
	k->all = c;
	k->index = index_ref(ix);
	k->want = *want;
	k->want.kinds = WALK_TEMPLATES | (want->key[0] == '\0' ? WALK_CONNECTIONS : 0);
	if (want->client.family != 0)
		widen(&k->want, ix);
	k->rq = *rq;
	k->fin_s = set->fin_timeout >= 1000 ? set->fin_timeout / 1000 : KERNEL_FIN_S;
	loop_timer_init(&k->timer, c->loop, next_step, k);
	list_push(&c->all, &k->link);
	begin_pass(k);
}

struct clears *
clears_new(struct loop *l, struct walks *ws, struct forget *f)
{
	struct clears *c = mem_alloc(sizeof(*c));

	*c = (struct clears){ .loop = l, .walks = ws, .forget = f };
	list_init(&c->all);
	return c;
}

void
clears_free(struct clears *c)
{
	if (c == NULL)
		return;
	while (!list_empty(&c->all))
		clear_free(container_of(c->all.next, struct clear, link));
	free(c);
}
