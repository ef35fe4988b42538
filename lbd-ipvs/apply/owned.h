/* owned.h - keys of kernel services that are lbd's, and for which row each stands: a hash table. */
#ifndef IPVS_APPLY_OWNED_H
#define IPVS_APPLY_OWNED_H

#include "plan/table.h"

struct owned {
	struct owned_slot *slot; /* { 0 } is empty */
	uint32_t n, mask;
};
void owned_fini(struct owned *o);
/* owned_get - whether key is in; service_out (may be NULL): the row, 0 when no row wants it any more. */
bool owned_get(const struct owned *o, const struct ipvs_key *k, uint32_t *service_out);
/* owned_put - true when key is new. owned_drop - true when it was in. */
bool owned_put(struct owned *o, const struct ipvs_key *k, uint32_t service);
bool owned_drop(struct owned *o, const struct ipvs_key *k);
/* owned_next - each in turn, in no order; *at begins with 0; NULL at the end. */
const struct ipvs_key *owned_next(const struct owned *o, uint32_t *at, uint32_t *service_out);

#endif
