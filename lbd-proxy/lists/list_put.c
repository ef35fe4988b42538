/* Pieces of a text are kept until the last one is here; then they are read as entries. Whoever sends pieces and goes away leaves
 * them behind for a minute; of more than a few such the oldest is forgotten. */
#include "list_put.h"

#include "base/mem.h"
#include "schema/schema.h"
#include "store/x509.h"

#include <string.h>

struct list_put {
	struct open {
		bool used;
		uint64_t upload;
		mono_t seen;
		struct buf text;
	} open[LIST_PUT_OPEN];
};

struct list_put *
list_put_new(void)
{
	return mem_alloc(sizeof(struct list_put));
}

static void
forget(struct open *o)
{
	buf_fini(&o->text);
	*o = (struct open){ 0 };
}

void
list_put_free(struct list_put *p)
{
	for (unsigned i = 0; p != NULL && i < LIST_PUT_OPEN; i++)
		forget(&p->open[i]);
	free(p);
}

void
list_put_expire(struct list_put *p, mono_t now)
{
	for (unsigned i = 0; i < LIST_PUT_OPEN; i++)
		if (p->open[i].used && now - p->open[i].seen > LIST_PUT_WAIT)
			forget(&p->open[i]);
}

/* The upload, a new one at its first piece in the place of the one that is silent longest. NULL: its beginning is missing. */
static struct open *
open_of(struct list_put *p, const struct msg_list_put *m, mono_t now)
{
	struct open *o = &p->open[0];

	for (unsigned i = 0; i < LIST_PUT_OPEN; i++)
		if (p->open[i].used && p->open[i].upload == m->upload) {
			if (m->offset == p->open[i].text.len)
				return &p->open[i];
			forget(&p->open[i]);
		}
	if (m->offset != 0)
		return NULL;
	list_put_expire(p, now);
	for (unsigned i = 0; i < LIST_PUT_OPEN && o->used; i++)
		if (!p->open[i].used || p->open[i].seen < o->seen)
			o = &p->open[i];
	forget(o);
	o->used = true;
	o->upload = m->upload;
	return o;
}

static struct itemset *
read_all(const struct msg_list_put *m, const struct buf *text, struct err *err)
{
	const char *p = text->p != NULL ? (const char *)text->p : "";

	if (m->kind == LIST_PUT_KIND_INSIDE)
		return itemset_load(p, text->len, err);
	if (m->kind >= list_kind_list.n) {
		(void)err_set(err, ERR_INVALID, "a list of kind %u is not known", m->kind);
		return NULL;
	}
	return itemset_read(m->kind, p, text->len, err);
}

static struct itemset *
change(const struct msg_list_put *m, struct itemset *what,
    struct itemset *(*base)(void *arg, const char *name, struct err *err), void *arg,
    struct err *err)
{
	char name[X509_HEX + 1] = "";
	struct itemset *from = NULL, *s = NULL;

	span_text(m->base, name, sizeof(name));
	if (name[0] != '\0') {
		from = base(arg, name, err);
		if (from == NULL)
			return NULL;
	}
	if (from != NULL && itemset_kind(from) != itemset_kind(what))
		(void)err_set(err, ERR_INVALID,
		    "the entries that it has are of kind %s: load others",
		    word_text(&list_kind_list, (int)itemset_kind(from)));
	else
		s = m->change == LIST_PUT_ADD ? itemset_add(from, what, err)
					      : itemset_take(from, what, err);
	itemset_unref(from);
	return s;
}

int
list_put_take(struct list_put *p, const struct msg_list_put *m,
    struct itemset *(*base)(void *arg, const char *name, struct err *err), void *arg,
    struct itemset **out, struct err *err)
{
	struct open *o = open_of(p, m, mono_now());
	struct itemset *s, *what;

	if (o == NULL)
		return err_set(
		    err, ERR_CONFLICT, "the pieces before this one are not here: begin anew");
	if (m->text.len > ITEMS_TEXT_MOST - o->text.len || m->change >= LIST_PUT_CHANGES) {
		forget(o);
		return err_set(
		    err, ERR_INVALID, "the text is longer than %u bytes", ITEMS_TEXT_MOST);
	}
	buf_put(&o->text, m->text.p, m->text.len);
	o->seen = mono_now();
	if (m->more) {
		*out = NULL;
		return 0;
	}
	s = what = read_all(m, &o->text, err);
	forget(o);
	if (what != NULL && m->change != LIST_PUT_ALL) {
		s = change(m, what, base, arg, err);
		itemset_unref(what);
	}
	if (s == NULL)
		return err->code;
	*out = s;
	return 0;
}
