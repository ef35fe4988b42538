/* Versions of an array of pointers. A version is a directory of pages with counted references; all pages but
 * the last are full, so an entry is found by shift and mask. An edit that replaces copies one page; one that
 * moves the entries behind it fills new pages from there on. New rows have the highest ids and stand at the
 * end, so that is rare. The pointers themselves belong to others. */
#include "store/pages.h"
#include "base/mem.h"
#include "base/must.h"

#include <stdatomic.h>
#include <string.h>

struct page {
	atomic_uint refs;
	const void *v[];
};

struct pages {
	atomic_uint refs;
	uint32_t n, dir;
	struct page *page[];
};

static struct page *
page_new(uint32_t rows)
{
	struct page *pg = mem_grow(NULL, sizeof(*pg) + rows * sizeof(pg->v[0]));

	atomic_init(&pg->refs, 1);
	return pg;
}

static struct page *
page_ref(struct page *pg)
{
	(void)atomic_fetch_add_explicit(&pg->refs, 1, memory_order_relaxed);
	return pg;
}

static void
page_unref(struct page *pg)
{
	if (atomic_fetch_sub_explicit(&pg->refs, 1, memory_order_acq_rel) == 1)
		free(pg);
}

/* Rows in page i of an array of n. */
static uint32_t
page_rows(uint32_t n, uint32_t i)
{
	uint32_t left = n - i * PAGE_ROWS;

	return left < PAGE_ROWS ? left : PAGE_ROWS;
}

static struct pages *
dir_new(uint32_t n)
{
	uint32_t dir = (n + PAGE_ROWS - 1) >> PAGE_BITS;
	struct pages *p = mem_grow(NULL, sizeof(*p) + dir * sizeof(struct page *));

	atomic_init(&p->refs, 1);
	p->n = n;
	p->dir = dir;
	return p;
}

struct pages *
pages_new(const void *const *v, uint32_t n)
{
	struct pages *p = dir_new(n);

	for (uint32_t i = 0; i < p->dir; i++) {
		uint32_t rows = page_rows(n, i);

		p->page[i] = page_new(rows);
		memcpy(p->page[i]->v, v + i * PAGE_ROWS, rows * sizeof(*v));
	}
	return p;
}

struct pages *
pages_ref(struct pages *p)
{
	(void)atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void
pages_unref(struct pages *p)
{
	if (p == NULL || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (uint32_t i = 0; i < p->dir; i++)
		page_unref(p->page[i]);
	free(p);
}

uint32_t
pages_count(const struct pages *p)
{
	return p->n;
}

const void *
pages_at(const struct pages *p, uint32_t at)
{
	return p->page[at >> PAGE_BITS]->v[at & (PAGE_ROWS - 1)];
}

size_t
pages_bytes(const struct pages *p)
{
	return sizeof(*p) + p->dir * (sizeof(struct page *) + sizeof(struct page)) +
	       p->n * sizeof(void *);
}

uint32_t
pages_same(const struct pages *a, const struct pages *b, uint32_t at)
{
	uint32_t i = at >> PAGE_BITS;

	if ((at & (PAGE_ROWS - 1)) != 0 || i >= a->dir || i >= b->dir || a->page[i] != b->page[i])
		return 0;
	return page_rows(a->n < b->n ? a->n : b->n, i);
}

/* The first page from which on entries may move. */
static uint32_t
first_moved(const struct pages *old, const struct page_edit *e, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (e[i].removes != e[i].inserts)
			return e[i].pos >> PAGE_BITS;
	return old->dir;
}

/* Entries of the new version, one after the other into new pages. */
struct filler {
	struct pages *p;
	uint32_t at;
};

static void
fill(struct filler *f, const void *v)
{
	uint32_t i = f->at >> PAGE_BITS;

	if ((f->at & (PAGE_ROWS - 1)) == 0)
		f->p->page[i] = page_new(page_rows(f->p->n, i));
	f->p->page[i]->v[f->at & (PAGE_ROWS - 1)] = v;
	f->at++;
}

static void
fill_rest(
    struct pages *p, const struct pages *old, uint32_t from, const struct page_edit *e, uint32_t n)
{
	struct filler f = { .p = p, .at = from };

	for (uint32_t at = from, i = 0; at < old->n || i < n;) {
		bool keep = true;

		for (; i < n && e[i].pos == at; i++) {
			if (e[i].inserts)
				fill(&f, e[i].v);
			if (e[i].removes)
				keep = false;
		}
		if (at < old->n && keep)
			fill(&f, pages_at(old, at));
		must(at < old->n || i == n);
		at++;
	}
	must(f.at == p->n);
}

struct pages *
pages_splice(struct pages *old, const struct page_edit *e, uint32_t n)
{
	uint32_t moved = first_moved(old, e, n), count = old->n, i = 0;
	struct pages *p;

	for (uint32_t k = 0; k < n; k++)
		count += (uint32_t)e[k].inserts - (uint32_t)e[k].removes;
	p = dir_new(count);
	for (uint32_t at = 0; at < moved; at++) {
		if (i == n || e[i].pos >> PAGE_BITS != at) {
			p->page[at] = page_ref(old->page[at]);
			continue;
		}
		p->page[at] = page_new(page_rows(old->n, at));
		memcpy(p->page[at]->v, old->page[at]->v, page_rows(old->n, at) * sizeof(void *));
		for (; i < n && e[i].pos >> PAGE_BITS == at; i++)
			p->page[at]->v[e[i].pos & (PAGE_ROWS - 1)] = e[i].v;
	}
	if (moved * PAGE_ROWS < old->n || i < n)
		fill_rest(p, old, moved * PAGE_ROWS, e + i, n - i);
	return p;
}
