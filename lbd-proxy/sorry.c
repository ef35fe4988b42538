/* Bodies of pages, made when a view first needs them. The map has a reference of each, so that services share them; a row that
 * changes loses its place here, while views that answer with the old bytes keep those until they go. */
#include "sorry.h"

#include "base/must.h"

struct search {
	struct idmap *bodies;
	const struct snapshot *now;
};

static struct error_body *
body_of(void *arg, const char *name)
{
	const struct search *s = arg;
	const struct error_page *row = snapshot_find_path(s->now, KIND_error_page, name);
	struct error_body *b;

	if (row == NULL)
		return NULL;
	b = idmap_get(s->bodies, row->id);
	if (b == NULL) {
		b = error_body_new(row);
		idmap_put(s->bodies, row->id, b);
	}
	return error_body_ref(b);
}

struct error_pages *
sorry_pages(struct idmap *bodies, const struct snapshot *now, const struct service *row)
{
	struct search s = { .bodies = bodies, .now = now };

	return error_pages_new(row->error_pages == NULL ? "" : row->error_pages, body_of, &s);
}

void
sorry_forget(struct idmap *bodies, uint32_t id)
{
	error_body_unref(idmap_take(bodies, id));
}

void
sorry_fini(struct idmap *bodies)
{
	struct error_body *b;
	uint32_t at = 0;

	while ((b = idmap_next(bodies, &at, NULL)) != NULL)
		error_body_unref(b);
	idmap_fini(bodies);
}
