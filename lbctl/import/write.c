/* The rows as YAML: checks and certificates first, then services with their servers, then the rest by kind, fields in the order of their
 * tags. The writer of the schema does the writing. */
#include "import/import.h"

#include "schema/yaml.h"

#include <stdio.h>

static bool
shown(const struct import_row *r, bool hide)
{
	return r->name != NULL && !r->left_out && !(hide && r->hidden) &&
	       (r->with == NULL || shown(r->with, hide));
}

static void
put_fields(struct yaml_writer *w, const struct import_row *r)
{
	for (unsigned i = 0; i < r->o->n; i++)
		if (r->text[i] != NULL)
			yaml_scalar(w, r->o->f[i].name, &r->o->f[i], r->text[i]);
}

static void
put_kids(struct yaml_writer *w, const struct import_row *r, bool hide)
{
	bool any = false;

	for (const struct import_extra *e = r->kids; e != NULL; e = e->next) {
		if (!shown(&e->row, hide))
			continue;
		if (!any)
			yaml_map_begin(w, e->row.o->plural);
		any = true;
		yaml_map_begin(w, e->row.name);
		put_fields(w, &e->row);
		yaml_map_end(w);
	}
	if (any)
		yaml_map_end(w);
}

static void
put_servers(struct yaml_writer *w, const struct import_service *s, bool hide)
{
	bool any = false;

	for (const struct import_server *r = s->servers; r != NULL; r = r->next) {
		if (!shown(&r->row, hide))
			continue;
		if (!any)
			yaml_map_begin(w, r->row.o->plural);
		any = true;
		yaml_map_begin(w, r->row.name);
		put_fields(w, &r->row);
		yaml_map_end(w);
	}
	if (any)
		yaml_map_end(w);
}

/* Which checks a row that is written names. The service names that of its first server. */
static void
find_used(struct import *im, bool hide)
{
	for (struct import_check *c = im->checks; c != NULL; c = c->next)
		c->used = false;
	for (struct import_service *s = im->out; s != NULL; s = s->next) {
		if (!shown(&s->row, hide))
			continue;
		for (struct import_server *r = s->servers; r != NULL; r = r->next)
			if (r == s->servers || shown(&r->row, hide))
				r->check->used = true;
	}
}

/* That of which there is one has no name there. */
static void
put_setting(struct yaml_writer *w, const struct import *im)
{
	for (const struct import_extra *e = im->extras; e != NULL; e = e->next)
		if (e->row.o == object_of(KIND_setting) && shown(&e->row, false)) {
			yaml_map_begin(w, e->row.o->name);
			put_fields(w, &e->row);
			yaml_map_end(w);
		}
}

static void
put_checks(struct yaml_writer *w, const struct import *im, bool hide)
{
	bool any = false;

	for (const struct import_check *c = im->checks; c != NULL; c = c->next) {
		if (!c->used || !shown(&c->row, hide))
			continue;
		if (!any)
			yaml_map_begin(w, c->row.o->name);
		any = true;
		yaml_map_begin(w, c->row.name);
		put_fields(w, &c->row);
		yaml_map_end(w);
	}
	if (any)
		yaml_map_end(w);
}

static void
put_extras(struct yaml_writer *w, const struct import *im, enum kind kind, bool hide)
{
	bool any = false;

	for (const struct import_extra *e = im->extras; e != NULL; e = e->next) {
		if (e->row.o != object_of(kind) || !shown(&e->row, hide))
			continue;
		if (!any)
			yaml_map_begin(w, e->row.o->name);
		any = true;
		yaml_map_begin(w, e->row.name);
		put_fields(w, &e->row);
		put_kids(w, &e->row, hide);
		yaml_map_end(w);
	}
	if (any)
		yaml_map_end(w);
}

void
import_write(struct import *im, bool hide, const char *title, struct buf *out)
{
	struct yaml_writer w;
	bool any = false;

	yaml_writer_init(&w, out);
	yaml_comment(&w, title);
	find_used(im, hide);
	put_setting(&w, im);
	put_checks(&w, im, hide);
	put_extras(&w, im, KIND_cert, hide);
	put_extras(&w, im, KIND_ca, hide);
	put_extras(&w, im, KIND_itemlist, hide);
	put_extras(&w, im, KIND_tls, hide);
	put_extras(&w, im, KIND_error_page, hide);
	for (const struct import_service *s = im->out; s != NULL; s = s->next) {
		if (!shown(&s->row, hide))
			continue;
		if (!any)
			yaml_map_begin(&w, s->row.o->name);
		any = true;
		yaml_map_begin(&w, s->row.name);
		put_fields(&w, &s->row);
		put_servers(&w, s, hide);
		put_kids(&w, &s->row, hide);
		yaml_map_end(&w);
	}
	if (any)
		yaml_map_end(&w);
	put_extras(&w, im, KIND_fip, hide);
	put_extras(&w, im, KIND_vroute, hide);
	put_extras(&w, im, KIND_vrouter, hide);
	put_extras(&w, im, KIND_track, hide);
	yaml_writer_finish(&w);
}
