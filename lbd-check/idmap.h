/* idmap.h - from row ids to pointers; open addressing, 16 bytes a place, at most three quarters full. */
#ifndef CHECK_IDMAP_H
#define CHECK_IDMAP_H

#include <stdint.h>

struct idmap {
	struct idmap_place *places; /* { 0 } is empty */
	uint32_t n, room;
};

void idmap_fini(struct idmap *m);		     /* the pointers are the owner's */
void *idmap_get(const struct idmap *m, uint32_t id); /* NULL */
/* idmap_put - id is not 0 and not in yet; p is not NULL. */
void idmap_put(struct idmap *m, uint32_t id, void *p);
void *idmap_take(struct idmap *m, uint32_t id); /* out of the map; NULL */
/* idmap_next - each pointer in turn, in no order: at begins with 0. NULL at the end. The map must stand still. */
void *idmap_next(const struct idmap *m, uint32_t *at);

#endif
