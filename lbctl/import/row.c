/* Rows of ours in the making, and the report: every value goes through the schema here, so that what a parser takes is
 * allowed and canonical, and what it cannot take is told with the same sentence as everywhere. Rules between fields
 * and rows are not known here; cmd_import.c asks the store for those at the end. */
#include "import/import.h"

#include "base/must.h"
#include "schema/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const taken_words[TAKEN_KINDS] = { "mapped", "mapped with a difference",
	"not supported" };

void
import_init(struct import *im)
{
	*im = (struct import){ .a = arena_new(256 * 1024) };
	im->last_service = &im->services;
	im->last_check = &im->checks;
	im->last_extra = &im->extras;
	im->last_out = &im->out;
	im->last_line = &im->report;
}

void
import_fini(struct import *im)
{
	textmap_fini(&im->check_by_text);
	textmap_fini(&im->by_path);
	textmap_fini(&im->numbers);
	arena_unref(im->a);
	*im = (struct import){ 0 };
}

struct import_service *
import_service_new(struct import *im, struct place at, struct err *err)
{
	struct import_service *s;

	if (im->services_n == IMPORT_SERVICES_MAX) {
		(void)err_set(err, ERR_INVALID, "line %u: more than %u services", at.line,
		    IMPORT_SERVICES_MAX);
		return NULL;
	}
	s = arena_alloc(im->a, sizeof(*s));
	s->row = (struct import_row){ .o = object_of(KIND_service), .at = at };
	s->last_end = &s->ends;
	s->last_server = &s->servers;
	s->forward = forward_dr;
	*im->last_service = s;
	im->last_service = &s->next;
	im->services_n++;
	return s;
}

struct import_server *
import_server_new(struct import *im, struct import_service *s, struct place at, struct err *err)
{
	struct import_server *r;

	if (im->servers_n == IMPORT_SERVERS_MAX) {
		(void)err_set(
		    err, ERR_INVALID, "line %u: more than %u servers", at.line, IMPORT_SERVERS_MAX);
		return NULL;
	}
	r = arena_alloc(im->a, sizeof(*r));
	r->row = (struct import_row){ .o = object_of(KIND_server), .at = at };
	*s->last_server = r;
	s->last_server = &r->next;
	im->servers_n++;
	return r;
}

struct import_service *
import_service_like(struct import *im, const struct import_service *s, struct err *err)
{
	struct import_service *own = import_service_new(im, s->row.at, err);
	struct import_server *r;

	if (own == NULL)
		return NULL;
	own->row = s->row;
	own->label = s->label;
	own->family = s->family;
	own->forward = s->forward;
	own->tunnel = s->tunnel;
	for (const struct import_server *from = s->servers; from != NULL; from = from->next) {
		r = import_server_new(im, own, from->row.at, err);
		if (r == NULL)
			return NULL;
		*r = *from;
		r->next = NULL;
	}
	return own;
}

int
import_end_add(
    struct import *im, struct import_service *s, const struct import_end *e, struct err *err)
{
	struct import_end *own;

	if (s->ends_n == IMPORT_ENDS_MAX)
		return err_set(err, ERR_INVALID,
		    "line %u: more than %u addresses and ranges in one service", e->at.line,
		    IMPORT_ENDS_MAX);
	own = arena_alloc(im->a, sizeof(*own));
	*own = *e;
	own->next = NULL;
	*s->last_end = own;
	s->last_end = &own->next;
	s->ends_n++;
	return 0;
}

struct import_row *
import_extra_new(struct import *im, enum kind kind, struct place at)
{
	struct import_extra *e = arena_alloc(im->a, sizeof(*e));

	e->row = (struct import_row){ .o = object_of(kind), .at = at };
	*im->last_extra = e;
	im->last_extra = &e->next;
	return &e->row;
}

struct import_row *
import_kid_new(struct import *im, struct import_row *parent, enum kind kind, struct place at)
{
	struct import_extra *e = arena_alloc(im->a, sizeof(*e));

	e->row = (struct import_row){ .o = object_of(kind), .at = at };
	if (parent->last_kid != NULL)
		parent->last_kid->next = e;
	else
		parent->kids = e;
	parent->last_kid = e;
	return &e->row;
}

void
import_kid_name(
    struct import *im, struct import_row *r, const struct import_row *parent, const char *wanted)
{
	char prefix[100];

	(void)snprintf(prefix, sizeof(prefix), "%s %s/", r->o->name, parent->name);
	import_name(im, r, prefix, wanted);
}

int
import_put(
    struct import *im, struct import_row *r, const char *field, const char *value, struct err *err)
{
	const struct field *f = field_find(r->o, field);
	struct buf text = { 0 };
	struct cell c;
	int rc;

	must(f != NULL && f->type != VT_REF && f->type != VT_SECRET);
	rc = value_parse(f, value, NULL, im->a, &c, err);
	if (rc == 0) {
		value_format(f, &c, NULL, &text);
		r->text[f - r->o->f] = arena_text(im->a, buf_text(&text), text.len);
	}
	buf_fini(&text);
	return rc;
}

void
import_putf(struct import *im, struct import_row *r, const char *field, const char *fmt, ...)
{
	char value[1200];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	must(import_put(im, r, field, value, NULL) == 0);
}

const char *
import_value(const struct import_row *r, const char *field)
{
	const struct field *f = field_find(r->o, field);

	must(f != NULL);
	return r->text[f - r->o->f];
}

const char **
import_text(struct import_row *r, const char *field)
{
	const struct field *f = field_find(r->o, field);

	must(f != NULL);
	return &r->text[f - r->o->f];
}

void
import_say(
    struct import *im, struct place at, enum taken how, const char *what, const char *fmt, ...)
{
	struct report_line *l = arena_alloc(im->a, sizeof(*l));
	struct buf shown = { 0 }, why = { 0 };
	char text[700];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_puts(&why, text);
	value_show(what, &shown);
	*l = (struct report_line){ .at = at, .how = how };
	l->what = arena_text(im->a, buf_text(&shown), shown.len);
	l->why = arena_text(im->a, buf_text(&why), why.len);
	buf_fini(&shown);
	buf_fini(&why);
	*im->last_line = l;
	im->last_line = &l->next;
	im->count[how]++;
}

bool
import_take(struct import *im, struct import_row *r, struct place at, const char *what,
    const char *field, const char *value, const char *difference)
{
	struct err err = { 0 };

	if (import_put(im, r, field, value, &err) != 0) {
		import_say(im, at, NOT_TAKEN, what, "%s %s", r->o->name, err.text);
		return false;
	}
	if (difference != NULL)
		import_say(
		    im, at, TAKEN_OTHERWISE, what, "%s.%s: %s", r->o->name, field, difference);
	else
		import_say(im, at, TAKEN, what, "%s.%s", r->o->name, field);
	return true;
}

struct import_check *
import_check_intern(struct import *im, const struct import_row *r)
{
	struct import_check *c;
	struct buf key = { 0 };

	for (unsigned i = 0; i < r->o->n; i++)
		if (r->text[i] != NULL)
			buf_printf(&key, "%u=%s\n", i, r->text[i]);
	c = textmap_get(&im->check_by_text, buf_text(&key));
	if (c == NULL) {
		c = arena_alloc(im->a, sizeof(*c));
		c->row = *r;
		*im->last_check = c;
		im->last_check = &c->next;
		(void)textmap_put(
		    &im->check_by_text, arena_text(im->a, buf_text(&key), key.len), c);
	}
	buf_fini(&key);
	return c;
}

struct import_check *
import_untested(struct import *im, struct place at)
{
	struct import_row r = { .o = object_of(KIND_check), .at = at };

	import_putf(im, &r, "kind", "none");
	return import_check_intern(im, &r);
}

/* ---- the report --------------------------------------------------------------------------------------------- */

struct sorted {
	const struct report_line *l;
	unsigned at; /* the order in which they were said */
};

/* Lines of the file itself in order; those of included files stay where they were said. */
static int
by_line(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	if (x->l->at.file == NULL && y->l->at.file == NULL && x->l->at.line != y->l->at.line)
		return x->l->at.line < y->l->at.line ? -1 : 1;
	if ((x->l->at.file == NULL) != (y->l->at.file == NULL))
		return x->l->at.file == NULL ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static void
print_line(const struct report_line *l, struct buf *out)
{
	if (l->at.file != NULL)
		buf_printf(out, "%s ", l->at.file);
	if (l->at.line > 0)
		buf_printf(out, "line %u: ", l->at.line);
	buf_printf(out, "%s: %s%s%s\n", taken_words[l->how], l->what, l->why[0] != '\0' ? ": " : "",
	    l->why);
}

void
import_report(const struct import *im, struct buf *out)
{
	unsigned n = 0, i = 0;
	const struct report_line *l;
	struct sorted *v;

	for (l = im->report; l != NULL; l = l->next)
		n++;
	v = calloc(n + 1, sizeof(*v));
	must(v != NULL);
	for (l = im->report; l != NULL; l = l->next, i++)
		v[i] = (struct sorted){ l, i };
	qsort(v, n, sizeof(*v), by_line);
	for (i = 0; i < n; i++)
		print_line(v[i].l, out);
	free(v);
	buf_printf(out, "%u %s, %u %s, %u %s\n", im->count[TAKEN], taken_words[TAKEN],
	    im->count[TAKEN_OTHERWISE], taken_words[TAKEN_OTHERWISE], im->count[NOT_TAKEN],
	    taken_words[NOT_TAKEN]);
}
