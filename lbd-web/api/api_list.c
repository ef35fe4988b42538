/* /api/v1/lists/NAME/entries: the entries of a list as text, one a line; the same as lbctl list show, load, add and del. They go to
 * lbd-proxy in pieces, each when the one before is there; it checks them and says by which digest it knows them, and the commit
 * names that. */
#include "api.h"
#include "live/follow.h"

#include "base/mem.h"
#include "base/must.h"
#include "store/x509.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define PIECE 32768

enum { CHANGE_ALL, CHANGE_ADD, CHANGE_TAKE }; /* of LIST_PUT */

struct entries {
	struct call *c;
	struct commit_how how;
	char list[64], content[X509_HEX]; /* what it has now */
	uint8_t kind, change;
	uint64_t upload, offset, total; /* bytes that were sent or came */
	char kept[X509_HEX];		/* by which they are known */
	uint32_t n;
	struct buf text; /* that comes */
	bool came;	 /* a piece, to the last question */
};

static const char *const text_types[] = { "text/plain", NULL };

static void
entries_free(struct entries *e)
{
	buf_fini(&e->text);
	free(e);
}

static void
end(struct entries *e)
{
	struct call *c = e->c;

	entries_free(e);
	call_free(c);
}

static struct entries *
begin(struct call *c)
{
	const struct itemlist *row =
	    snapshot_find_path(daemon_snapshot(c->w->d), KIND_itemlist, call_param(c, "list"));
	struct entries *e;

	if (row == NULL) {
		reply_fail(c, 404, "list %s does not exist", call_param(c, "list"));
		return NULL;
	}
	e = mem_alloc(sizeof(*e));
	e->c = c;
	e->kind = row->kind;
	(void)snprintf(e->list, sizeof(e->list), "%s", row->name);
	(void)snprintf(e->content, sizeof(e->content), "%s", row->content);
	return e;
}

/* What lbd-proxy says no with. */
static void
fail(struct entries *e, int code, const char *text)
{
	struct err err = { 0 };

	if (code == ERR_INVALID || code == ERR_CONFLICT || code == ERR_UNKNOWN) {
		(void)err_set(
		    &err, code == ERR_UNKNOWN ? ERR_CONFLICT : code, "list %s: %s", e->list, text);
		reply_error(e->c, 0, &err);
	} else {
		reply_fail(e->c, 503, "lbd-proxy: %s", text);
	}
}

/* The first question: nobody waits for an answer to it yet. */
static void
start(struct entries *e, int rc)
{
	struct call *c = e->c;

	if (rc == 0) {
		c->later = true;
		http_later(c->rq);
		return;
	}
	reply_fail(c, 503, "lbd-proxy does not run, and entries of lists are with it");
	entries_free(e);
}

/* ---- entries that are wanted --------------------------------------------------------------------------------------- */

static int ask_piece(struct entries *e);

static void
on_text(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct entries *e = arg;

	if (row->number != MSG_LIST_TEXT || m->list_text.offset != e->text.len)
		return;
	buf_put(&e->text, m->list_text.text.p, m->list_text.text.len);
	e->total = m->list_text.total;
	e->came = m->list_text.text.len > 0;
}

static void
on_text_end(void *arg, int code, const char *text)
{
	struct entries *e = arg;

	if (code == 0 && e->text.len < e->total && e->came && ask_piece(e) == 0)
		return;
	if (code == 0 && e->text.len == e->total)
		reply_text(e->c, 200, "text/plain; charset=utf-8", &e->text);
	else
		fail(e, code != 0 ? code : ERR_AWAY, code != 0 ? text : "gives them in part only");
	end(e);
}

static int
ask_piece(struct entries *e)
{
	const struct msg_list_get m = { .name = SPAN(e->content), .offset = e->text.len };

	e->came = false;
	return follow_ask(e->c->w->follow, "lbd-proxy", MSG_LIST_GET, &m, on_text, on_text_end, e);
}

void
api_list_get(struct call *c)
{
	struct entries *e = begin(c);

	if (e == NULL)
		return;
	if (e->content[0] == '\0') {
		reply_text(c, 200, "text/plain; charset=utf-8", &e->text);
		entries_free(e);
		return;
	}
	start(e, ask_piece(e));
}

/* ---- entries that come --------------------------------------------------------------------------------------------- */

static int
build(const struct entries *e, struct doc *d, struct err *err)
{
	char n[16];
	struct doc_item *it;
	int rc = doc_add(d, DOC_MERGE, object_of(KIND_itemlist), e->list, 0, &it, err);

	(void)snprintf(n, sizeof(n), "%u", e->n);
	if (rc == 0)
		rc = doc_set(d, it, "content", e->kept, err);
	return rc != 0 ? rc : doc_set(d, it, "entries", n, err);
}

static void
save(struct entries *e)
{
	struct commit_result r = { 0 };
	struct err err = { 0 };
	struct buf b = { 0 };
	const void *row;
	struct doc d;
	int rc;

	doc_init(&d);
	rc = build(e, &d, &err);
	if (rc == 0)
		rc = commit_doc(e->c, &d, &e->how, &r, &err);
	if (rc != 0) {
		reply_error(e->c, 0, &err);
	} else {
		api_committed(e->c, &e->how, &r);
		row = snapshot_find_path(r.now, KIND_itemlist, e->list);
		if (e->how.dry_run)
			api_dry(e->c, &r);
		else if (row == NULL)
			reply_fail(e->c, 404, "list %s does not exist", e->list);
		else {
			snapshot_export_row(r.now, object_of(KIND_itemlist), row, &b);
			reply_json(e->c, 200, &b);
		}
	}
	doc_fini(&d);
	commit_result_fini(&r);
}

static int put_piece(struct entries *e);

static void
on_is(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct entries *e = arg;

	if (row->number == MSG_LIST_IS) {
		span_text(m->list_is.name, e->kept, sizeof(e->kept));
		e->n = m->list_is.entries;
	}
}

static void
on_put_end(void *arg, int code, const char *text)
{
	struct entries *e = arg;

	if (code == 0 && e->offset < e->total && put_piece(e) == 0)
		return;
	if (code == 0 && e->kept[0] != '\0')
		save(e);
	else
		fail(e, code != 0 ? code : ERR_AWAY, code != 0 ? text : "is gone");
	end(e);
}

static int
put_piece(struct entries *e)
{
	const struct buf *body = &e->c->rq->body;
	size_t n = e->total - e->offset < PIECE ? e->total - e->offset : PIECE;
	struct msg_list_put m = { .upload = e->upload,
		.offset = e->offset,
		.more = e->offset + n < e->total,
		.kind = e->kind,
		.change = e->change,
		.text = { n > 0 ? body->p + e->offset : (const uint8_t *)"", n } };

	if (e->change != CHANGE_ALL && e->content[0] != '\0')
		m.base = SPAN(e->content);
	e->offset += n;
	return follow_ask(e->c->w->follow, "lbd-proxy", MSG_LIST_PUT, &m, on_is, on_put_end, e);
}

static void
take(struct call *c, uint8_t change)
{
	struct entries *e = begin(c);

	if (e == NULL)
		return;
	if (!api_body_is(c, text_types) || !api_how(c, &e->how)) {
		entries_free(e);
		return;
	}
	if (change != CHANGE_ALL && e->how.base == 0) /* what it has now is what is changed */
		e->how.base = snapshot_revision(daemon_snapshot(c->w->d), SCOPE_SHARED);
	e->change = change;
	e->total = c->rq->body.len;
	must(getrandom(&e->upload, sizeof(e->upload), 0) == sizeof(e->upload));
	start(e, put_piece(e));
}

void
api_list_put(struct call *c)
{
	take(c, CHANGE_ALL);
}

void
api_list_add(struct call *c)
{
	take(c, CHANGE_ADD);
}

void
api_list_remove(struct call *c)
{
	take(c, CHANGE_TAKE);
}
