/* pages.h - an array of pointers that is never changed, only replaced: versions share the pages in which they
 * do not differ. Replacing one of 100,000 entries copies 4 KiB. Versions may be released by any thread. */
#ifndef STORE_PAGES_H
#define STORE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BITS 9
#define PAGE_ROWS (1u << PAGE_BITS)

struct page; /* counted references, then pointers */
struct pages;

struct pages *pages_new(
    const void *const *v, uint32_t n); /* pointers are copied; v may be NULL when n is 0 */
struct pages *pages_ref(struct pages *p);
void pages_unref(struct pages *p); /* NULL is fine */
uint32_t pages_count(const struct pages *p);
const void *pages_at(const struct pages *p, uint32_t at); /* at < pages_count */
size_t pages_bytes(const struct pages *p);

/* One change, in places of the version before: at pos, take one away, put one in front of it, or both. */
struct page_edit {
	uint32_t pos;
	bool removes, inserts;
	const void *v;
};
/* pages_splice - a new version; edits in rising order of pos, those that only insert first. */
struct pages *pages_splice(struct pages *old, const struct page_edit *e, uint32_t n);

/* pages_same - how many entries from at on two versions surely share, because it is one page; 0 is unknown. */
uint32_t pages_same(const struct pages *a, const struct pages *b, uint32_t at);

#endif
