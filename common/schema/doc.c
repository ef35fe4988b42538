/* Edits in text form: the one thing that YAML, JSON, the command line and forms are read into.
 *
 * An item names an object and holds a text for each field that was said; the store turns the texts into values
 * (value_parse), finds what the names mean, and applies the whole. So this file knows which objects, fields and
 * names may be said at all, and every surface refuses them with the same sentence; it does not know values,
 * defaults or what exists. Nothing is freed one by one: all items live in the arena of the doc. */
#include "schema/doc.h"
#include "schema/value.h"
#include "base/must.h"

#include <string.h>

#define DOC_CHUNK (256 * 1024)

const char doc_unset_mark[] = "";

void
doc_init(struct doc *d)
{
	*d = (struct doc){ .a = arena_new(DOC_CHUNK) };
	d->last = &d->first;
}

void
doc_fini(struct doc *d)
{
	arena_unref(d->a);
	*d = (struct doc){ 0 };
}

int
doc_item_err(const struct doc_item *it, unsigned line, struct err *err)
{
	const struct field *f;

	if (err == NULL)
		return ERR_INVALID;
	if ((it->o->flags & O_SINGLE) != 0)
		(void)err_object(err, "%s", it->o->name);
	else
		(void)err_object(err, "%s %s", it->o->name, it->path);
	if (line == it->line && it->below != NULL) {
		f = field_find(it->o, err->field);
		line += f != NULL ? it->below[f - it->o->f] : 0;
	}
	if (line > 0)
		(void)err_prefix(err, "line %u: ", line);
	return err->code;
}

int
doc_kind(const char *word, const struct object **out, struct err *err)
{
	const struct object *o = object_find(word);
	struct buf shown = { 0 };
	const char *near;

	if (o != NULL) {
		*out = o;
		return 0;
	}
	near = schema_nearest(NULL, word);
	value_show(word, &shown);
	(void)err_set(err, ERR_INVALID, "%s: unknown object%s%s%s", buf_text(&shown),
	    near != NULL ? "; did you mean " : "", near != NULL ? near : "",
	    near != NULL ? "?" : "");
	buf_fini(&shown);
	return ERR_INVALID;
}

/* An error about a word as it was given; object and field may be NULL. */
static int
refuse(const struct object *o, int code, const char *word, struct err *err, const char *why)
{
	struct buf shown = { 0 };

	value_show(word, &shown);
	(void)err_field(err, code, o != NULL ? o->name : NULL, o != NULL ? o->f[0].name : NULL,
	    "\"%s\" %s", buf_text(&shown), why);
	buf_fini(&shown);
	return code;
}

/* One part of a path against the KEY of its object. */
static int
check_name(const struct object *o, const char *name, struct arena *a, struct err *err)
{
	struct cell c;
	int rc = value_parse(&o->f[0], name, NULL, a, &c, err);

	if (rc != 0)
		(void)err_object(err, "%s", o->name);
	return rc;
}

/* "VIP/RIP": the name of the parent and its own. */
static int
check_child_path(const struct object *o, const char *path, struct arena *a, struct err *err)
{
	const struct object *parent = object_of(o->parent);
	const char *slash = strchr(path, '/');
	int rc;

	if (slash == NULL)
		return refuse(o, ERR_INVALID, path, err,
		    "is not allowed: it needs the name it is within, as PARENT/NAME");
	rc = check_name(parent, arena_text(a, path, (size_t)(slash - path)), a, err);
	return rc != 0 ? rc : check_name(o, slash + 1, a, err);
}

int
doc_check_op(enum doc_op op, const struct object *o, struct err *err)
{
	if (o->scope == SCOPE_OBSERVED || (o->flags & O_NAMELESS) != 0)
		return err_set(err, ERR_INVALID, "%s: is not part of the configuration: %s",
		    o->name,
		    o->scope == SCOPE_OBSERVED ? "it is read from the system"
					       : "it is ordered, as by drain, halt and online");
	if ((o->flags & O_SINGLE) != 0 && op != DOC_MERGE && op != DOC_REPLACE)
		return err_set(err, ERR_INVALID,
		    "%s: there is always exactly one; it can only be changed", o->name);
	return 0;
}

int
doc_add(struct doc *d, enum doc_op op, const struct object *o, const char *path, unsigned line,
    struct doc_item **out, struct err *err)
{
	struct doc_item *it;
	int rc = doc_check_op(op, o, err);

	if (rc == 0 && (o->flags & O_SINGLE) != 0) {
		if (path != NULL && strcmp(path, o->f[0].def) != 0)
			rc = refuse(o, ERR_INVALID, path, err,
			    "is not allowed: there is only one, \"main\"");
		path = o->f[0].def;
	} else if (rc == 0 && path == NULL) {
		rc = err_field(err, ERR_INVALID, o->name, o->f[0].name, "is required");
	} else if (rc == 0 && (o->flags & O_CHILD) != 0) {
		rc = check_child_path(o, path, d->a, err);
	} else if (rc == 0) {
		rc = check_name(o, path, d->a, err);
	}
	if (rc != 0)
		return rc;
	must(path != NULL);
	it = arena_alloc(d->a, sizeof(*it) + o->n * sizeof(it->text[0]));
	it->o = o;
	it->op = op;
	it->line = line;
	if (line > 0)
		it->below = arena_alloc(d->a, o->n * sizeof(it->below[0]));
	it->path = arena_text(d->a, path, strlen(path));
	*d->last = it;
	d->last = &it->next;
	d->n++;
	*out = it;
	return 0;
}

/* Its own name: the last part of the path of a CHILD. */
static const char *
own_name(const struct doc_item *it)
{
	const char *slash = strchr(it->path, '/');

	return slash != NULL ? slash + 1 : it->path;
}

/* The name and the parent are said by the path. Saying them again is fine, so that what was read can be sent
 * back; saying something else is an error. Returns 1 when there is nothing to set. */
static int
check_path_field(
    const struct doc_item *it, const struct field *f, const char *text, struct err *err)
{
	const char *own = own_name(it);
	size_t parent_len = (size_t)(own - it->path);

	if ((f->flags & F_KEY) != 0) {
		if (it->op == DOC_RENAME)
			return 0;
		if (text != DOC_UNSET && strcmp(text, own) == 0)
			return 1;
		return err_field(
		    err, ERR_INVALID, NULL, f->name, "is \"%s\"; only a rename changes it", own);
	}
	if ((f->flags & F_PARENT) != 0) {
		if (text != DOC_UNSET && strlen(text) + 1 == parent_len &&
		    memcmp(text, it->path, parent_len - 1) == 0)
			return 1;
		return err_field(err, ERR_INVALID, NULL, f->name,
		    "is \"%.*s\", the first part of the name; it cannot be changed",
		    (int)parent_len - 1, it->path);
	}
	if (it->op == DOC_RENAME || it->op == DOC_DELETE)
		return err_field(err, ERR_INVALID, NULL, f->name, "has no place in a %s",
		    it->op == DOC_RENAME ? "rename" : "deletion");
	if (text == DOC_UNSET && f->def == NULL)
		return err_field(err, ERR_INVALID, NULL, f->name, "is required");
	return 0;
}

static int
set_field(
    struct doc *d, struct doc_item *it, const struct field *f, const char *text, struct err *err)
{
	const char **at = &it->text[f - it->o->f];
	int rc;

	if (*at != NULL)
		return err_field(err, ERR_INVALID, NULL, f->name, "is there twice");
	rc = check_path_field(it, f, text, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (text == DOC_UNSET && it->op != DOC_MERGE)
		return 0; /* absent is the default */
	*at = text == DOC_UNSET ? DOC_UNSET : arena_text(d->a, text, strlen(text));
	return 0;
}

int
doc_set_field(
    struct doc *d, struct doc_item *it, const struct field *f, const char *text, struct err *err)
{
	int rc = set_field(d, it, f, text, err);

	if (rc != 0)
		(void)doc_item_err(it, 0, err);
	return rc;
}

int
doc_set(struct doc *d, struct doc_item *it, const char *field, const char *text, struct err *err)
{
	const struct field *f = field_find(it->o, field);

	if (f != NULL)
		return doc_set_field(d, it, f, text, err);
	(void)doc_no_field(it->o, field, err);
	(void)doc_item_err(it, 0, err);
	return ERR_INVALID;
}

int
doc_no_field(const struct object *o, const char *field, struct err *err)
{
	const char *near = schema_nearest(o, field);
	struct buf shown = { 0 };

	value_show(field[0] != '\0' ? field : "\"\"", &shown);
	(void)err_field(err, ERR_INVALID, NULL, buf_text(&shown), "unknown field%s%s%s",
	    near != NULL ? "; did you mean " : "", near != NULL ? near : "",
	    near != NULL ? "?" : "");
	buf_fini(&shown);
	return ERR_INVALID;
}

int
doc_args(
    struct doc *d, struct doc_item *it, bool unset, int argc, char *const *argv, struct err *err)
{
	char field[64];
	int rc = 0;

	for (int i = 0; rc == 0 && i < argc; i++) {
		const char *eq = strchr(argv[i], '=');
		size_t n = eq != NULL ? (size_t)(eq - argv[i]) : strlen(argv[i]);

		if (unset ? eq != NULL : eq == NULL || n == 0) {
			rc = refuse(NULL, ERR_USAGE, argv[i], err,
			    unset ? "is not the name of a field"
				  : "is not of the form field=value");
			(void)doc_item_err(it, 0, err);
			break;
		}
		if (n >= sizeof(field))
			n = sizeof(field) - 1; /* no field is that long: it will be unknown */
		memcpy(field, argv[i], n);
		field[n] = '\0';
		rc = doc_set(d, it, field, unset ? DOC_UNSET : eq + 1, err);
	}
	return rc;
}
