/* idmap.h - row ids to pointers: open addressing, 16 bytes a slot, at most half full. Control plane: ends the process
 * without memory. */
#ifndef BASE_IDMAP_H
#define BASE_IDMAP_H

#include <stdint.h>

struct idmap {
	struct idmap_slot *slot; /* { 0 } is an empty map */
	uint32_t n, mask;	 /* mask + 1 slots; slot NULL: none */
};

void idmap_fini(struct idmap *m);		     /* the pointers are the owner's */
void *idmap_get(const struct idmap *m, uint32_t id); /* NULL when absent */
/* idmap_put - add or replace; p NULL takes it out. id is not 0. */
void idmap_put(struct idmap *m, uint32_t id, void *p);
void *idmap_take(struct idmap *m, uint32_t id); /* out of the map; NULL when absent */
/* idmap_next - each in turn, in no order: *at begins with 0; NULL at the end. The map stands still meanwhile.
 * id_out may be NULL. */
void *idmap_next(const struct idmap *m, uint32_t *at, uint32_t *id_out);

#endif
