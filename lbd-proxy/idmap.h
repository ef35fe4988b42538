/* idmap.h - row ids to pointers. Control plane: ends the process without memory. */
#ifndef LBD_PROXY_IDMAP_H
#define LBD_PROXY_IDMAP_H

#include <stddef.h>
#include <stdint.h>

struct idmap {
	struct idmap_slot {
		uint32_t id; /* 0: empty */
		void *p;
	} * slot;
	uint32_t n, mask; /* mask + 1 slots; slot NULL: none */
};

void *idmap_get(const struct idmap *m, uint32_t id); /* NULL when absent */
/* idmap_put - add or replace; p NULL takes it out. id is not 0. */
void idmap_put(struct idmap *m, uint32_t id, void *p);
void idmap_fini(struct idmap *m); /* what it points to stays */
/* idmap_next - walk: start with *at 0; NULL at the end. No changes meanwhile. */
void *idmap_next(const struct idmap *m, uint32_t *at, uint32_t *id_out);

#endif
