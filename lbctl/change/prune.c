/* What does a file leave out? Its edits are the names that stay; rows of the snapshot that are in reach (by owner
 * label, as servers of a service that is there, or all) and are not named become deletions. */
#include "prune.h"

#include "base/mem.h"
#include "operate/glob.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct keep {
	const struct doc_item **item; /* sorted by kind, path */
	unsigned n;
};

static int
by_path(const void *pa, const void *pb)
{
	const struct doc_item *a = *(const struct doc_item *const *)pa,
			      *b = *(const struct doc_item *const *)pb;

	return a->o->kind != b->o->kind ? a->o->kind - b->o->kind : strcmp(a->path, b->path);
}

static void
keep_init(struct keep *k, const struct doc *d)
{
	const struct doc_item *it;

	*k = (struct keep){ .item = mem_alloc((d->n + 1) * sizeof(void *)) };
	for (it = d->first; it != NULL; it = it->next)
		k->item[k->n++] = it;
	qsort(k->item, k->n, sizeof(void *), by_path);
}

static const struct doc_item *
keep_find(const struct keep *k, unsigned kind, const char *path)
{
	unsigned lo = 0, hi = k->n, mid;

	while (lo < hi) {
		const struct doc_item *it;
		int diff;

		mid = lo + (hi - lo) / 2;
		it = k->item[mid];
		diff = it->o->kind != kind ? it->o->kind - (int)kind : strcmp(it->path, path);
		if (diff == 0)
			return it;
		if (diff < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* Does an edit of the doc carry the owner label of this row? */
static bool
same_owner(const struct doc *d, const char *labels)
{
	const struct object *o = object_of(KIND_service);
	const struct field *f = field_find(o, "labels");
	const char *p = strstr(labels, "owner=");
	const struct doc_item *it;
	char want[300];

	while (p != NULL && p != labels && p[-1] != ',')
		p = strstr(p + 1, "owner=");
	if (p == NULL)
		return false;
	(void)snprintf(want, sizeof(want), "%.*s", (int)strcspn(p, ","), p);
	for (it = d->first; it != NULL; it = it->next) {
		const char *has = it->o == o ? it->text[f - o->f] : NULL;

		if (has != NULL && has != DOC_UNSET && glob_labels(want, has))
			return true;
	}
	return false;
}

static int
add_deletion(struct doc *d, const struct object *o, const char *path, unsigned *n, struct err *err)
{
	struct doc_item *it;
	int rc = doc_add(d, DOC_DELETE, o, path, 0, &it, err);

	if (rc == 0) {
		it->cascade = true;
		(*n)++;
	}
	return rc;
}

static int
prune_children(const struct snapshot *s, struct doc *d, const struct keep *k,
    const struct object *child, uint32_t parent, unsigned *n, struct err *err)
{
	const void *const *rows;
	uint32_t count, i;
	char path[160];
	int rc = 0;

	rows = snapshot_children(s, child->kind, parent, &count);
	for (i = 0; i < count && rc == 0; i++) {
		(void)snapshot_path(s, child->kind, *(const uint32_t *)rows[i], path);
		if (keep_find(k, child->kind, path) == NULL)
			rc = add_deletion(d, child, path, n, err);
	}
	return rc;
}

static int
prune_service(const struct snapshot *s, struct doc *d, const struct keep *k, enum prune how,
    const struct service *svc, unsigned *n, struct err *err)
{
	const struct object *o = object_of(KIND_service), *child = NULL;
	int rc = 0;

	if (keep_find(k, KIND_service, svc->name) == NULL) {
		if (how == PRUNE_ALL || (how == PRUNE_OWNED && same_owner(d, svc->labels)))
			return add_deletion(d, o, svc->name, n, err);
		return 0;
	}
	while (rc == 0 && (child = object_child(o, child)) != NULL)
		rc = prune_children(s, d, k, child, svc->id, n, err);
	return rc;
}

static int
prune_kind(const struct snapshot *s, struct doc *d, const struct keep *k, const struct object *o,
    unsigned *n, struct err *err)
{
	const void *const *rows;
	uint32_t count, i;
	char path[160];
	int rc = 0;

	if (o->scope != SCOPE_SHARED || (o->flags & (O_SINGLE | O_CHILD)) ||
	    o->kind == KIND_service)
		return 0;
	rows = snapshot_by_name(s, o->kind, &count);
	for (i = 0; i < count && rc == 0; i++) {
		(void)snapshot_path(s, o->kind, *(const uint32_t *)rows[i], path);
		if (keep_find(k, o->kind, path) == NULL)
			rc = add_deletion(d, o, path, n, err);
	}
	return rc;
}

int
prune_add(const struct snapshot *s, struct doc *d, enum prune how, unsigned *n_out, struct err *err)
{
	const void *const *rows;
	uint32_t count, i;
	struct keep k;
	int rc = 0;
	unsigned o;

	*n_out = 0;
	keep_init(&k, d);
	rows = snapshot_by_name(s, KIND_service, &count);
	for (i = 0; i < count && rc == 0; i++)
		rc = prune_service(s, d, &k, how, rows[i], n_out, err);
	for (o = 0; o < KINDS && rc == 0 && how == PRUNE_ALL; o++)
		rc = prune_kind(s, d, &k, object_of(object_order[o]), n_out, err);
	free(k.item);
	return rc;
}
