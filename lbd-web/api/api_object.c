/* Objects of the schema over REST: list, get, create, replace, change, delete, for every kind by the same code. A body
 * is an edit of doc.h like one from lbctl, so values are checked once, in the store, and refused with the same
 * sentence. What this file adds are the forms of HTTP: names in paths, ETag and If-Match, 201 and Location.
 *
 * A body may be what GET gave: how it stands now is skipped, the name and the parent must be those of the path, or, in a PATCH,
 * a new name. The condition of If-Match is checked against the store itself, and the commit is bound to the revision
 * it was checked at, so that no other commit can come between. */
#include "api.h"
#include "base/mem.h"
#include "pages/page.h"
#include "sys/netlink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_LEN 40

/* ---- reading ---- */

static void
put_object(
    struct call *c, struct snapshot *s, const struct object *o, const void *row, unsigned status)
{
	struct buf b = { 0 };
	char etag[24];

	api_etag(s, o, row, etag);
	http_set(c->rq, "ETag", etag);
	if (s == view_snapshot(web_view(c)))
		view_json_row(web_view(c), o, row, &b);
	else
		snapshot_export_row(s, o, row, &b);
	buf_puts(&b, "\n");
	reply_json(c, status, &b);
}

void
api_get(struct call *c)
{
	struct snapshot *s = daemon_snapshot(c->w->d);
	struct api_where w;
	const void *row;

	if (!api_where(c, &w))
		return;
	row = w.o->scope == SCOPE_OBSERVED ? NULL : snapshot_find_path(s, w.o->kind, w.path);
	if (row == NULL)
		reply_fail(c, 404, "%s %s does not exist", w.o->name, w.path);
	else
		put_object(c, s, w.o, row, 200);
}

/* What a list is narrowed to. */
struct wanted {
	const char *state, *label, *cursor;
	uint64_t limit;
	unsigned n;
	bool more;
	char last[160];
};

static bool
has_label(const char *labels, const char *want)
{
	size_t len = strlen(want);

	for (const char *p = labels; p != NULL && *p != '\0';) {
		size_t n = strcspn(p, ",");

		if (n == len && memcmp(p, want, n) == 0)
			return true;
		p += n + (p[n] == ',');
	}
	return false;
}

static bool
fits(struct call *c, const struct object *o, const void *row, const struct wanted *w)
{
	struct view *v = web_view(c);
	const char *state = o->kind == KIND_service
				? status_class(view_service_status(v, row, NULL))
			    : o->kind == KIND_server ? server_token(view_server_state(v, row))
						     : "";

	if (w->state != NULL && strcmp(w->state, state) != 0 &&
	    (o->kind != KIND_service ||
		strcmp(w->state, status_colour(view_service_status(v, row, NULL))) != 0))
		return false;
	return w->label == NULL || (o->kind == KIND_service &&
				       has_label(((const struct service *)row)->labels, w->label));
}

static void
put_item(struct call *c, struct buf *b, const struct object *o, const void *row, struct wanted *w)
{
	uint32_t id;

	memcpy(&id, row, sizeof(id)); /* every row begins with it */
	if (!fits(c, o, row, w))
		return;
	if (w->n == w->limit) {
		w->more = true;
		return;
	}
	(void)snapshot_path(view_snapshot(web_view(c)), o->kind, id, w->last);
	buf_puts(b, w->n++ > 0 ? ",\n" : "\n");
	view_json_row(web_view(c), o, row, b);
}

static int
by_name(const void *a, const void *b)
{
	/* Every row begins with its id and its name. */
	const struct server *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* All rows of the kind, or of one parent, in order of their names; caller frees. */
static const void **
rows_of(const struct snapshot *s, const struct api_where *w, uint32_t *n)
{
	const uint32_t *parent =
	    w->parent[0] != '\0' ? snapshot_find_path(s, w->o->parent, w->parent) : NULL;
	const void *const *rows = w->parent[0] == '\0'
				      ? snapshot_by_name(s, w->o->kind, n)
				      : snapshot_children(s, w->o->kind, *parent, n);
	const void **out = mem_alloc((*n + 1) * sizeof(*out));

	if (*n > 0)
		memcpy(out, rows, *n * sizeof(*out));
	if (parent != NULL)
		qsort(out, *n, sizeof(*out), by_name);
	return out;
}

static uint32_t
after_cursor(const struct snapshot *s, const struct object *o, const void **rows, uint32_t n,
    const char *cursor)
{
	char path[160];
	uint32_t i, id;

	for (i = 0; i < n && cursor != NULL; i++) {
		memcpy(&id, rows[i], sizeof(id));
		if (strcmp(snapshot_path(s, o->kind, id, path), cursor) == 0)
			return i + 1;
	}
	for (i = 0; i < n && cursor != NULL; i++) { /* it is gone: the next in order */
		memcpy(&id, rows[i], sizeof(id));
		if (strcmp(snapshot_path(s, o->kind, id, path), cursor) > 0)
			return i;
	}
	return cursor != NULL ? n : 0;
}

static void
put_interfaces(struct call *c, struct buf *b, struct wanted *w)
{
	const struct object *o = object_of(KIND_iface);
	struct iface_list l = { 0 };

	if (netlink_addresses(&l, NULL) != 0)
		return;
	for (unsigned i = 0; i < l.n && w->n < w->limit; i++) {
		struct iface row = { .id = i + 1, .name = l.a[i].name, .address = l.a[i].addr };

		row.up = l.a[i].up;
		row.floating = l.a[i].ours;
		buf_puts(b, w->n++ > 0 ? ",\n" : "\n");
		view_json_row(web_view(c), o, &row, b);
	}
	iface_list_fini(&l);
}

static void
finish_list(struct call *c, struct buf *b, struct wanted *w)
{
	struct buf link = { 0 }, next = { 0 };

	buf_puts(b, "]");
	if (w->more) {
		page_url(&next, w->last);
		buf_printf(&link, "<%s?limit=%llu&cursor=%s", c->rq->path,
		    (unsigned long long)w->limit, buf_text(&next));
		if (w->state != NULL)
			page_url((buf_puts(&link, "&state="), &link), w->state);
		if (w->label != NULL)
			page_url((buf_puts(&link, "&label="), &link), w->label);
		buf_puts(&link, ">; rel=\"next\"");
		http_set(c->rq, "Link", buf_text(&link));
		buf_puts(b, ",\"next\":");
		view_json_text(b, w->last);
	}
	buf_puts(b, "}\n");
	buf_fini(&link);
	buf_fini(&next);
	reply_json(c, 200, b);
}

void
api_list(struct call *c)
{
	struct wanted w = {
		.state = call_query(c, "state"), .label = call_query(c, "label"), .limit = API_LIMIT
	};
	struct snapshot *s = view_snapshot(web_view(c));
	const char *limit = call_query(c, "limit");
	struct api_where at;
	struct buf b = { 0 };

	w.cursor = call_query(c, "cursor");
	if (!api_where(c, &at) ||
	    (limit != NULL && !api_number(c, "limit", limit, 1, API_LIMIT_MAX, &w.limit)))
		return;
	if ((at.o->flags & O_SINGLE) != 0) {
		put_object(c, s, at.o, snapshot_find_path(s, at.o->kind, at.path), 200);
		return;
	}
	if (at.parent[0] != '\0' && snapshot_find_path(s, at.o->parent, at.parent) == NULL) {
		reply_fail(
		    c, 404, "%s %s does not exist", object_of(at.o->parent)->name, at.parent);
		return;
	}
	buf_printf(&b, "{\"revision\":%u,\"items\":[", snapshot_revision(s, SCOPE_SHARED));
	if (at.o->scope == SCOPE_OBSERVED) {
		put_interfaces(c, &b, &w);
	} else {
		uint32_t n;
		const void **rows = rows_of(s, &at, &n);

		for (uint32_t i = after_cursor(s, at.o, rows, n, w.cursor); i < n && !w.more; i++)
			put_item(c, &b, at.o, rows[i], &w);
		free(rows);
	}
	finish_list(c, &b, &w);
}

/* ---- writing ---- */

/* A body, split into what the path says too and the fields. */
struct body {
	const struct object *o;
	char name[160], parent[160];
	bool named, secret;
	struct buf fields;
};

static int
split(void *arg, const struct json_member *m)
{
	struct body *b = arg;
	const char *parent = (b->o->flags & O_CHILD) != 0 ? b->o->f[b->o->parent_ref].name : "";
	const char *live = view_json_live(b->o);

	if (live != NULL && strcmp(m->name, live) == 0)
		return 0;
	if (strcmp(m->name, b->o->f[0].name) == 0) {
		b->named = true;
		return json_text(m, b->name, sizeof(b->name));
	}
	if (strcmp(m->name, parent) == 0)
		return json_text(m, b->parent, sizeof(b->parent));
	if (strcmp(m->name, "secret") == 0 && m->type == JSON_T_STRING && m->len > 2)
		b->secret = true;
	buf_puts(&b->fields, b->fields.len > 0 ? "," : "{");
	view_json_text(&b->fields, m->name);
	buf_puts(&b->fields, ":");
	buf_put(&b->fields, m->value, m->len);
	return 0;
}

static int
read_body(struct call *c, const struct api_where *w, struct body *b, struct err *err)
{
	int rc = json_scan((const char *)c->rq->body.p, c->rq->body.len, split, b, err);

	if (rc == -EINVAL)
		return err_set(err, ERR_USAGE,
		    "JSON: the name of the object or of its parent is no short text");
	if (rc != 0)
		return rc;
	buf_puts(&b->fields, b->fields.len > 0 ? "}" : "{}");
	if (b->parent[0] != '\0' && strcmp(b->parent, w->parent) != 0)
		return err_field(err, ERR_INVALID, NULL, b->o->f[b->o->parent_ref].name,
		    "%s: the path says %s; a %s stays in its %s", b->parent, w->parent, w->o->name,
		    object_of(w->o->parent)->name);
	return 0;
}

/* One write on its way. */
struct write {
	struct call *c;
	struct api_where w;
	struct commit_how how;
	struct body body;
	struct doc doc;
	struct commit_result r;
	struct err err;
	struct snapshot *s; /* the store as it is now */
	const void *old;    /* the row; NULL */
	char made_secret[TOKEN_LEN + 8];
};

static bool
write_begin(struct call *c, struct write *x)
{
	*x = (struct write){ .c = c };
	doc_init(&x->doc);
	if (!api_where(c, &x->w) || !api_how(c, &x->how))
		return false;
	x->body.o = x->w.o;
	if (x->w.o->scope == SCOPE_OBSERVED) {
		http_set(c->rq, "Allow", "GET, HEAD, OPTIONS");
		reply_fail(c, 405, "%s are read from the kernel and cannot be changed here",
		    x->w.o->plural);
		return false;
	}
	if (x->w.path[0] == '\0' && strcmp(c->rq->method, "POST") != 0) {
		http_set(c->rq, "Allow", "GET, HEAD, POST, OPTIONS");
		reply_fail(c, 405, "%s is for one object: /api/v1/%s/{name}", c->rq->method,
		    x->w.o->plural);
		return false;
	}
	if (store_snapshot(daemon_store(c->w->d), &x->s, &x->err) != 0) {
		reply_error(c, 0, &x->err);
		return false;
	}
	x->old = x->w.path[0] != '\0' ? snapshot_find_path(x->s, x->w.o->kind, x->w.path) : NULL;
	return true;
}

static void
write_end(struct write *x)
{
	doc_fini(&x->doc);
	commit_result_fini(&x->r);
	buf_fini(&x->body.fields);
	snapshot_unref(x->s);
	explicit_bzero(x->made_secret, sizeof(x->made_secret));
}

static bool
lists(const char *header, const char *etag)
{
	return strcmp(header, "*") == 0 || strstr(header, etag) != NULL;
}

/* If-Match and If-None-Match (RFC 9110 section 13); false: 412 was answered. */
static bool
conditions(struct write *x)
{
	const char *match = http_header(x->c->rq, "If-Match"),
		   *none = http_header(x->c->rq, "If-None-Match");
	char etag[24] = "";

	if (match == NULL && none == NULL)
		return true;
	if (x->old != NULL)
		api_etag(x->s, x->w.o, x->old, etag);
	x->how.base = snapshot_revision(x->s, SCOPE_SHARED);
	if (match != NULL && (x->old == NULL || !lists(match, etag))) {
		reply_fail(x->c, 412, "%s %s %s", x->w.o->name, x->w.path,
		    x->old == NULL ? "does not exist"
				   : "was changed in the meantime: get it again");
		return false;
	}
	if (none != NULL && x->old != NULL && lists(none, etag)) {
		reply_fail(x->c, 412, "%s %s exists already", x->w.o->name, x->w.path);
		return false;
	}
	return true;
}

/* A token without a key gets one made here, which is shown once. */
static int
make_secret(struct write *x, struct doc_item *it)
{
	if (x->w.o->kind != KIND_token || x->body.secret || x->how.dry_run ||
	    (x->old != NULL && ((const struct token *)x->old)->secret != 0))
		return 0;
	memcpy(x->made_secret, "lbd_", 4);
	secret_random(x->made_secret + 4, TOKEN_LEN);
	return doc_set(&x->doc, it, "secret", x->made_secret, &x->err);
}

static void
answer_row(struct write *x, bool created)
{
	struct snapshot *now = x->r.now != NULL ? x->r.now : x->s;
	const void *row = snapshot_find_path(now, x->w.o->kind, x->w.path);
	struct buf url = { 0 }, b = { 0 };
	char etag[24];

	if (row == NULL) {
		reply_fail(
		    x->c, 500, "%s %s is not there after the commit", x->w.o->name, x->w.path);
		return;
	}
	if (x->w.parent[0] != '\0')
		buf_printf(&url, "/api/v1/%s/%s/%s/%s", object_of(x->w.o->parent)->plural,
		    x->w.parent, x->w.o->plural, strchr(x->w.path, '/') + 1);
	else if ((x->w.o->flags & O_SINGLE) != 0)
		buf_printf(&url, "/api/v1/%s", x->w.o->plural);
	else
		buf_printf(&url, "/api/v1/%s/%s", x->w.o->plural, x->w.path);
	http_set(x->c->rq, created ? "Location" : "Content-Location", buf_text(&url));
	api_etag(now, x->w.o, row, etag);
	http_set(x->c->rq, "ETag", etag);
	snapshot_export_row(now, x->w.o, row, &b);
	while (b.len > 0 && b.p[b.len - 1] != '}')
		b.len--;
	if (x->made_secret[0] != '\0') {
		b.len--;
		buf_puts(&b, ",\"key\":");
		view_json_text(&b, x->made_secret);
		buf_puts(&b, "}");
	}
	buf_puts(&b, "\n");
	buf_fini(&url);
	reply_json(x->c, created ? 201 : 200, &b);
}

/* rc is that of building the edit; commits it and answers. */
static void
write_commit(struct write *x, int rc)
{
	bool deleted = false;

	if (rc == 0)
		rc = commit_doc(x->c, &x->doc, &x->how, &x->r, &x->err);
	if (rc != 0) {
		reply_error(x->c, 0, &x->err);
		return;
	}
	api_committed(x->c, &x->how, &x->r);
	deleted = strcmp(x->c->rq->method, "DELETE") == 0;
	if (x->how.dry_run) {
		api_dry(x->c, &x->r);
	} else if (deleted) {
		struct buf none = { 0 };

		reply_text(x->c, 204, NULL, &none);
	} else {
		answer_row(x, x->old == NULL);
	}
}

static int
one_item(struct write *x, enum doc_op op)
{
	struct doc_item *it;
	int rc = doc_add(&x->doc, op, x->w.o, x->w.path, 0, &it, &x->err);

	if (rc == 0)
		rc = json_parse_object(
		    &x->doc, it, buf_text(&x->body.fields), x->body.fields.len, &x->err);
	return rc == 0 ? make_secret(x, it) : rc;
}

void
api_put(struct call *c)
{
	const char *last;
	struct write x;
	int rc;

	if (write_begin(c, &x) && api_body_is(c, api_json_types) && conditions(&x)) {
		last = strrchr(x.w.path, '/') != NULL ? strrchr(x.w.path, '/') + 1 : x.w.path;
		rc = read_body(c, &x.w, &x.body, &x.err);
		if (rc == 0 && x.body.named && strcmp(x.body.name, last) != 0)
			rc = err_field(&x.err, ERR_INVALID, NULL, x.w.o->f[0].name,
			    "%s: the path says %s; PATCH renames", x.body.name, last);
		write_commit(&x, rc != 0 ? rc : one_item(&x, DOC_REPLACE));
	}
	write_end(&x);
}

void
api_post(struct call *c)
{
	struct write x;
	int rc;

	if (write_begin(c, &x) && api_body_is(c, api_json_types)) {
		if ((x.w.o->flags & O_SINGLE) != 0) {
			http_set(c->rq, "Allow", "GET, HEAD, PUT, PATCH, OPTIONS");
			reply_fail(c, 405, "there is exactly one %s: change it with PUT or PATCH",
			    x.w.o->name);
		} else {
			rc = read_body(c, &x.w, &x.body, &x.err);
			if (rc == 0 && !x.body.named)
				rc = err_field(
				    &x.err, ERR_INVALID, NULL, x.w.o->f[0].name, "is missing");
			(void)snprintf(x.w.path, sizeof(x.w.path), "%s%s%.95s", x.w.parent,
			    x.w.parent[0] != '\0' ? "/" : "", x.body.name);
			write_commit(&x, rc != 0 ? rc : one_item(&x, DOC_CREATE));
		}
	}
	write_end(&x);
}

/* Another name in the body: rename first, then change under the new name. */
static int
rename_item(struct write *x)
{
	struct doc_item *it;
	char *last = strrchr(x->w.path, '/');
	size_t at = last != NULL ? (size_t)(last + 1 - x->w.path) : 0;
	int rc;

	if (!x->body.named || strcmp(x->body.name, x->w.path + at) == 0)
		return 0;
	rc = doc_add(&x->doc, DOC_RENAME, x->w.o, x->w.path, 0, &it, &x->err);
	if (rc == 0)
		rc = doc_set(&x->doc, it, x->w.o->f[0].name, x->body.name, &x->err);
	(void)snprintf(x->w.path + at, sizeof(x->w.path) - at, "%s", x->body.name);
	return rc;
}

void
api_patch(struct call *c)
{
	struct write x;
	int rc;

	http_set(c->rq, "Accept-Patch", api_patch_types[0]);
	if (write_begin(c, &x) && api_body_is(c, api_patch_types)) {
		if (x.old == NULL) {
			reply_fail(c, 404, "%s %s does not exist", x.w.o->name, x.w.path);
		} else if (conditions(&x)) {
			rc = read_body(c, &x.w, &x.body, &x.err);
			rc = rc == 0 ? rename_item(&x) : rc;
			if (rc == 0 && (x.body.fields.len > 2 || x.doc.n == 0))
				rc = one_item(&x, DOC_MERGE);
			write_commit(&x, rc);
		}
	}
	write_end(&x);
}

void
api_delete(struct call *c)
{
	const char *cascade = call_query(c, "cascade");
	struct doc_item *it;
	struct write x;
	int rc;

	if (write_begin(c, &x)) {
		if ((x.w.o->flags & O_SINGLE) != 0) {
			http_set(c->rq, "Allow", "GET, HEAD, PUT, PATCH, OPTIONS");
			reply_fail(c, 405, "%s cannot be deleted", x.w.o->name);
		} else if (conditions(&x)) {
			rc = doc_add(&x.doc, DOC_DELETE, x.w.o, x.w.path, 0, &it, &x.err);
			if (rc == 0)
				it->cascade = cascade != NULL && strcmp(cascade, "true") == 0;
			write_commit(&x, rc);
		}
	}
	write_end(&x);
}
