/* nft.c - runs nft until the kernel has what is wanted.
 *
 * One child at a time. First the table is listed, without the elements of its sets: only the names of what is there
 * matter, so that what an older lbd-ipvs left is taken away in the same transaction that brings the new. From then on
 * the names are those of the script that was run last. When such a transaction fails, the second try makes the table
 * anew, which loses counters and dynamic sets, but needs to know nothing. When that fails too it is a fault, told, and
 * tried again after NFT_RETRY.
 *
 * When somebody else changes the table (watch.c), it is brought about again a moment later, in the same way.
 *
 * Orders for once (nft_add) wait behind what is wanted, but not for a fault to go away.
 *
 * nft reads the script from its standard input, and every word in it was written by rules.c. What another program does
 * to its own tables concerns nobody here. */
#include "packet/nft.h"

#include "packet/script.h"
#include "packet/watch.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/must.h"
#include "sys/child.h"
#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NFT_MAGIC 0x4e467401
#define LISTING_MOST (16u << 20)
#define FAULT_ROOM 400
#define CLEAR_LIMIT DUR_S(1)
#define TABLE "inet lbd"
#define NO_TABLE "No such file or directory"

struct order {
	struct list in;
	struct buf script;
	void (*done)(void *arg, int code);
	void *arg;
};
struct nft {
	uint32_t magic;
	struct loop *loop;
	struct child *child;
	struct loop_timer retry, calm;
	struct watch *watch;
	struct buf wanted, trying, applied;
	bool dirty, waiting; /* wanted is not what is applied; a fault waits for its retry */
	enum { UNKNOWN, KNOWN, ANEW } names;
	bool there;	    /* names KNOWN: the table is */
	struct buf have;    /* its names */
	struct list orders; /* the first is under way when the child is none of wanted */
	bool faulty, deferred, freed;
	char said[FAULT_ROOM];
	void (*fault)(void *arg, const char *fault);
	void *arg;
};

static void step(struct nft *n);

/* ---- running it --------------------------------------------------------------------------- */

static void
tell(struct nft *n, const char *fault)
{
	if ((fault != NULL) == n->faulty && (fault == NULL || strcmp(fault, n->said) == 0))
		return;
	n->faulty = fault != NULL;
	(void)snprintf(n->said, sizeof(n->said), "%s", fault != NULL ? fault : "");
	n->fault(n->arg, fault != NULL ? n->said : NULL);
}

/* Tried again later, from the start. */
static void
failed(struct nft *n, const char *fault)
{
	n->names = UNKNOWN;
	buf_fini(&n->applied);
	n->waiting = true;
	loop_timer_set(&n->retry, NFT_RETRY);
	tell(n, fault);
}

static const char *const load[] = { "nft", "-f", "-", NULL };
static const char *const show[] = { "nft", "-t", "list", "table", "inet", "lbd", NULL };

static int
run(struct nft *n, const char *const *argv, const struct buf *script,
    void (*done)(void *, const struct child_result *), struct err *err)
{
	struct child_spec spec = {
		.argv = argv, .output_max = LISTING_MOST, .limit = NFT_LIMIT, .done = done, .arg = n
	};

	if (script != NULL) {
		spec.input = script->p;
		spec.input_len = script->len;
	}
	watch_listen(n->watch, false);
	return child_start(&n->child, n->loop, &spec, err);
}

/* What a run that failed says of itself. */
static void
fault_of(const struct child_result *r, char *out, size_t room)
{
	if (r->late)
		(void)snprintf(
		    out, room, "nft did not answer within %d s", (int)(NFT_LIMIT / DUR_S(1)));
	else
		script_fault(r->err, out, room);
}

static bool
same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->p, b->p, a->len) == 0);
}

static void
in_force(struct nft *n)
{
	buf_fini(&n->applied);
	n->applied = n->trying;
	n->trying = (struct buf){ 0 };
	n->names = KNOWN;
	n->there = n->applied.len > 0;
	buf_fini(&n->have);
	script_names(buf_text(&n->applied), &n->have);
	n->dirty = !same(&n->wanted, &n->applied);
	tell(n, NULL);
}

static void
on_applied(void *arg, const struct child_result *r)
{
	struct nft *n = arg;
	char text[FAULT_ROOM];

	must_obj(n, NFT_MAGIC);
	n->child = NULL;
	if (r->code == 0) {
		in_force(n);
	} else {
		fault_of(r, text, sizeof(text));
		if (n->names == KNOWN && n->there) {
			log_warn("table " TABLE " is made anew: %s", text);
			n->names = ANEW;
		} else {
			failed(n, text);
		}
	}
	step(n);
}

static void
on_listed(void *arg, const struct child_result *r)
{
	struct nft *n = arg;
	char text[FAULT_ROOM];

	must_obj(n, NFT_MAGIC);
	n->child = NULL;
	n->there = r->code == 0;
	buf_fini(&n->have);
	if (r->code == 0 && !r->cut) {
		n->names = KNOWN;
		script_names(r->out, &n->have);
	} else if (r->code == 0) {
		n->names = ANEW;
	} else if (strstr(r->err, NO_TABLE) != NULL) {
		n->names = KNOWN;
	} else {
		fault_of(r, text, sizeof(text));
		failed(n, text);
	}
	step(n);
}

/* The next step towards what is wanted. */
static void
apply(struct nft *n)
{
	struct buf script = { 0 };
	struct err err = { 0 };
	int rc;

	if (n->names == UNKNOWN) {
		rc = run(n, show, NULL, on_listed, &err);
		if (rc != 0 && n->wanted.len > 0) {
			failed(n, err.text);
		} else if (rc != 0) { /* without nft there is no table of ours either */
			buf_fini(&n->trying);
			in_force(n);
		}
		return;
	}
	buf_fini(&n->trying);
	buf_put(&n->trying, n->wanted.p, n->wanted.len);
	if (n->wanted.len == 0 && n->names == KNOWN && !n->there) {
		in_force(n);
		return;
	}
	script_next(buf_text(&n->trying), n->names == KNOWN ? buf_text(&n->have) : NULL,
	    n->names == KNOWN && n->applied.len > 0 ? buf_text(&n->applied) : NULL, &script);
	rc = run(n, load, &script, on_applied, &err);
	buf_fini(&script);
	if (rc != 0)
		failed(n, err.text);
}

static struct order *
first_order(struct nft *n)
{
	return list_empty(&n->orders) ? NULL : container_of(n->orders.next, struct order, in);
}

static void
order_free(struct order *o)
{
	list_del(&o->in);
	buf_fini(&o->script);
	free(o);
}

static void
order_end(struct nft *n, int code)
{
	struct order *o = first_order(n);

	if (o->done != NULL)
		o->done(o->arg, code);
	order_free(o);
}

static void
on_ordered(void *arg, const struct child_result *r)
{
	struct nft *n = arg;
	char text[FAULT_ROOM];

	must_obj(n, NFT_MAGIC);
	n->child = NULL;
	if (r->code != 0) {
		fault_of(r, text, sizeof(text));
		log_debug("%s", text);
	}
	order_end(n, r->code == 0 ? 0 : strstr(r->err, NO_TABLE) != NULL ? -ENOENT : -EIO);
	step(n);
}

static void
step(struct nft *n)
{
	while (n->child == NULL) {
		struct order *o = first_order(n);
		int rc;

		if (n->dirty && !n->waiting) {
			apply(n);
		} else if (o != NULL) {
			rc = run(n, load, &o->script, on_ordered, NULL);
			if (rc != 0)
				order_end(n, rc);
		} else {
			watch_listen(n->watch, true);
			return;
		}
	}
}

/* Somebody else changed the table. What it has is not known now. */
static void
on_touched(void *arg)
{
	struct nft *n = arg;

	must_obj(n, NFT_MAGIC);
	if (n->applied.len > 0)
		loop_timer_set(&n->calm, NFT_CALM);
}

static void
on_calm(void *arg)
{
	struct nft *n = arg;

	must_obj(n, NFT_MAGIC);
	if (n->child != NULL) {
		loop_timer_set(&n->calm, NFT_CALM);
		return;
	}
	log_warn("table " TABLE " was changed by somebody else; it is put right");
	n->names = UNKNOWN;
	buf_fini(&n->applied);
	n->dirty = true;
	step(n);
}

static void
on_retry(void *arg)
{
	struct nft *n = arg;

	must_obj(n, NFT_MAGIC);
	n->waiting = false;
	step(n);
}

/* From the loop: callbacks never come from within a call of nft_want or nft_add. */
static void
on_deferred(void *arg)
{
	struct nft *n = arg;

	must_obj(n, NFT_MAGIC);
	n->deferred = false;
	if (n->freed)
		free(n);
	else
		step(n);
}

static void
soon(struct nft *n)
{
	if (!n->deferred)
		loop_defer(n->loop, on_deferred, n);
	n->deferred = true;
}

struct nft *
nft_new(struct loop *l, void (*fault)(void *arg, const char *fault), void *arg)
{
	struct nft *n = mem_alloc(sizeof(*n));

	*n = (struct nft){ .magic = NFT_MAGIC, .loop = l, .fault = fault, .arg = arg };
	list_init(&n->orders);
	loop_timer_init(&n->retry, l, on_retry, n);
	loop_timer_init(&n->calm, l, on_calm, n);
	n->watch = watch_new(l, on_touched, n);
	return n;
}

static void
forget(struct nft *n)
{
	child_stop(n->child);
	n->child = NULL;
	while (first_order(n) != NULL)
		order_end(n, -ECANCELED);
	loop_timer_cancel(&n->retry);
	loop_timer_cancel(&n->calm);
	n->waiting = n->dirty = false;
	n->names = UNKNOWN;
	buf_fini(&n->wanted);
	buf_fini(&n->trying);
	buf_fini(&n->applied);
	buf_fini(&n->have);
}

void
nft_free(struct nft *n)
{
	if (n == NULL)
		return;
	must_obj(n, NFT_MAGIC);
	forget(n);
	loop_timer_fini(&n->retry);
	loop_timer_fini(&n->calm);
	watch_free(n->watch);
	n->freed = true;
	if (!n->deferred)
		free(n);
}

void
nft_want(struct nft *n, struct buf *script)
{
	must_obj(n, NFT_MAGIC);
	buf_fini(&n->wanted);
	n->wanted = *script;
	*script = (struct buf){ 0 };
	n->dirty = n->names == UNKNOWN || !same(&n->wanted, &n->applied);
	if (n->dirty)
		soon(n);
}

void
nft_add(struct nft *n, struct buf *script, void (*done)(void *arg, int code), void *arg)
{
	struct order *o = mem_alloc(sizeof(*o));

	must_obj(n, NFT_MAGIC);
	*o = (struct order){ .script = *script, .done = done, .arg = arg };
	*script = (struct buf){ 0 };
	list_push(&n->orders, &o->in);
	soon(n);
}

static void
on_cleared(void *arg, const struct child_result *r)
{
	struct err *err = arg;
	char text[FAULT_ROOM];

	if (r->code == 0)
		return;
	fault_of(r, text, sizeof(text));
	(void)err_set(err, -EIO, "%s", text);
}

int
nft_clear(struct nft *n, struct err *err)
{
	struct err here = { 0 };
	struct child_spec spec = { .argv = load, .output_max = 4096, .limit = CLEAR_LIMIT };
	int rc;

	must_obj(n, NFT_MAGIC);
	forget(n);
	spec.input = SCRIPT_NO_TABLE;
	spec.input_len = strlen(SCRIPT_NO_TABLE);
	spec.done = on_cleared;
	spec.arg = &here;
	rc = child_run(&spec, &here);
	if (rc == 0)
		rc = here.code;
	if (rc != 0 && err != NULL)
		*err = here;
	return rc;
}
