/* YAML into edits: the adapter of libyaml, which is included nowhere else.
 *
 * libyaml gives events; a stack of levels says what the next key or value is: a kind, a name within a kind (or
 * within a parent), a field, a list of one field. Scalars are taken as text, whatever YAML would make of them,
 * and typed by the schema later. Aliases, several documents, values where a mapping belongs and keys that are
 * there twice are refused; size and depth are bounded before anything is kept. Errors begin with the line.
 * Writing is yaml_writer.c. */
#include "schema/doc.h"
#include "schema/tree.h"
#include "schema/yaml.h"
#include "base/must.h"

#include <string.h>
#include <yaml.h>

enum level {
	LEVEL_TOP,    /* keys are kinds */
	LEVEL_NAMES,  /* keys are names of objects of kind o, within parent */
	LEVEL_FIELDS, /* keys are fields of it, or the plural of its children */
};

struct frame {
	enum level level;
	bool in_value;		/* the key was there, its value comes next */
	uint32_t children;	/* a bit for each kind that was there */
	const struct object *o; /* NAMES: their kind; TOP and FIELDS: the kind that the key named */
	struct doc_item *it;	/* FIELDS: the object; NAMES: the parent or NULL */
	const struct field *f;	/* FIELDS: that the key named */
};

struct reader {
	struct tree t;
	struct frame stack[YAML_DEPTH];
	unsigned depth; /* frames in use */
	bool in_list, began, ended;
	struct buf name; /* NAMES: the key */
	struct buf list; /* elements so far, joined by commas */
	unsigned name_line, line;
};

static struct frame *
top(struct reader *r)
{
	return &r->stack[r->depth - 1];
}

/* Deeper than the shape goes is never asked for: top, names, fields, and both again for children. */
static void
push(struct reader *r, enum level level, const struct object *o, struct doc_item *it)
{
	must(r->depth < YAML_DEPTH);
	r->stack[r->depth++] = (struct frame){ .level = level, .o = o, .it = it };
}

/* "~", "null" and nothing at all stand for an empty mapping where a mapping belongs. */
static bool
is_nothing(const yaml_event_t *ev)
{
	const char *s = (const char *)ev->data.scalar.value;

	return ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (s[0] == '\0' || strcmp(s, "~") == 0 || strcmp(s, "null") == 0);
}

static int
on_key(struct reader *r, const char *text)
{
	struct frame *fr = top(r);
	int rc = 0;

	fr->in_value = true;
	switch (fr->level) {
	case LEVEL_TOP: return tree_kind(&r->t, text, &fr->o);
	case LEVEL_NAMES:
		r->name.len = 0;
		buf_puts(&r->name, text);
		r->name_line = r->line;
		return 0;
	case LEVEL_FIELDS: break;
	}
	r->t.line = r->line;
	rc = tree_key(&r->t, fr->it, text, &fr->f, &fr->o);
	if (rc == 0 && fr->o != NULL && (fr->children & 1U << fr->o->kind) != 0)
		rc = tree_shape(&r->t, fr->it->o, fr->it, text, "is there twice");
	fr->children |= fr->o != NULL ? 1U << fr->o->kind : 0;
	return rc;
}

/* A value that is a mapping; entered is whether it has a level of its own, or is empty and stands for one. */
static int
on_mapping(struct reader *r, bool entered)
{
	struct frame *fr = top(r);
	const struct object *o = fr->o;
	struct doc_item *it = fr->it;
	int rc;

	fr->in_value = false;
	if (fr->level == LEVEL_FIELDS && o == NULL)
		return tree_shape(
		    &r->t, it->o, it, fr->f->name, "a mapping stands where a value belongs");
	if (fr->level == LEVEL_NAMES) {
		rc = tree_item(&r->t, o, it, buf_text(&r->name), r->name_line, &it);
	} else if ((o->flags & O_SINGLE) != 0) {
		rc = tree_item(&r->t, o, NULL, NULL, r->line, &it);
	} else {
		if (entered)
			push(r, LEVEL_NAMES, o, it);
		return 0;
	}
	if (rc == 0 && entered)
		push(r, LEVEL_FIELDS, NULL, it);
	return rc;
}

static int
on_scalar(struct reader *r, const yaml_event_t *ev)
{
	const char *text = (const char *)ev->data.scalar.value;
	struct frame *fr = top(r);

	if (memchr(text, '\0', ev->data.scalar.length) != NULL)
		return err_set(r->t.err, ERR_INVALID, "a NUL has no place in a text");
	if (r->in_list) {
		buf_printf(&r->list, "%s%s", r->list.len > 0 ? "," : "", text);
		return 0;
	}
	if (!fr->in_value)
		return on_key(r, text);
	if (fr->level == LEVEL_FIELDS && fr->o == NULL) {
		fr->in_value = false;
		return tree_set(&r->t, fr->it, fr->f, text);
	}
	if (is_nothing(ev))
		return on_mapping(r, false);
	if (fr->level == LEVEL_NAMES)
		return tree_shape(
		    &r->t, fr->o, NULL, buf_text(&r->name), "a value stands where fields belong");
	if (fr->level == LEVEL_FIELDS)
		return tree_shape(
		    &r->t, NULL, fr->it, fr->o->plural, "a value stands where names belong");
	return tree_shape(&r->t, fr->o, NULL, NULL,
	    (fr->o->flags & O_SINGLE) != 0 ? "a value stands where fields belong"
					   : "a value stands where names belong");
}

static int
on_list_begin(struct reader *r)
{
	struct frame *fr = top(r);

	if (r->in_list || !fr->in_value || fr->level != LEVEL_FIELDS || fr->o != NULL)
		return err_set(r->t.err, ERR_INVALID, "a list has no place here");
	r->in_list = true;
	r->list.len = 0;
	return tree_list(&r->t, fr->it, fr->f);
}

static int
on_list_end(struct reader *r)
{
	struct frame *fr = top(r);

	r->in_list = false;
	fr->in_value = false;
	return tree_set(&r->t, fr->it, fr->f, buf_text(&r->list));
}

static int
on_mapping_begin(struct reader *r)
{
	if (r->depth == 0) {
		push(r, LEVEL_TOP, NULL, NULL);
		return 0;
	}
	if (r->in_list || !top(r)->in_value)
		return err_set(r->t.err, ERR_INVALID, "a mapping has no place here");
	return on_mapping(r, true);
}

static int
on_event(struct reader *r, const yaml_event_t *ev)
{
	r->line = (unsigned)ev->start_mark.line + 1;
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (r->began)
			return err_set(
			    r->t.err, ERR_INVALID, "a second document has no place here");
		r->began = true;
		return 0;
	case YAML_SCALAR_EVENT:
		if (r->depth > 0)
			return on_scalar(r, ev);
		return is_nothing(ev) ? 0
				      : err_set(r->t.err, ERR_INVALID,
					    "a value stands where kinds of objects belong");
	case YAML_MAPPING_START_EVENT: return on_mapping_begin(r);
	case YAML_MAPPING_END_EVENT: r->depth--; return 0;
	case YAML_SEQUENCE_START_EVENT:
		return r->depth > 0 ? on_list_begin(r)
				    : err_set(r->t.err, ERR_INVALID, "a list has no place here");
	case YAML_SEQUENCE_END_EVENT: return on_list_end(r);
	case YAML_ALIAS_EVENT: return err_set(r->t.err, ERR_INVALID, "aliases have no place here");
	case YAML_STREAM_END_EVENT: r->ended = true; return 0;
	default: return 0;
	}
}

static int
next_event(struct reader *r, yaml_parser_t *p)
{
	yaml_event_t ev;
	int rc;

	if (yaml_parser_parse(p, &ev) != 1)
		return err_set(r->t.err, ERR_INVALID, "line %zu: this is not YAML: %s",
		    p->problem_mark.line + 1, p->problem != NULL ? p->problem : "out of memory");
	rc = on_event(r, &ev);
	if (rc != 0)
		(void)err_prefix(r->t.err, "line %u: ", r->line);
	yaml_event_delete(&ev);
	return rc;
}

int
yaml_parse(struct doc *d, enum doc_op op, const char *text, size_t len, struct err *err)
{
	struct reader r = { 0 };
	yaml_parser_t p;
	int rc = tree_size(len, err);

	if (rc != 0)
		return rc;
	tree_init(&r.t, d, op, err);
	must(yaml_parser_initialize(&p) == 1);
	yaml_parser_set_input_string(&p, (const unsigned char *)text, len);
	while (rc == 0 && !r.ended)
		rc = next_event(&r, &p);
	yaml_parser_delete(&p);
	tree_fini(&r.t);
	buf_fini(&r.name);
	buf_fini(&r.list);
	return rc;
}
