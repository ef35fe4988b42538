/* record.h - the file RUN/lbd-ipvs.made: which kernel services, and which sync daemons, are lbd's. It survives a kill, so
 * the next start knows its own from what others made. Written before anything is added, so nothing of ours is ever
 * foreign; it may name what is not there. Services with a mark of lbd's own (MARK_BASE) need no record. */
#ifndef IPVS_APPLY_RECORD_H
#define IPVS_APPLY_RECORD_H

#include "apply/owned.h"

#include "base/buf.h"
#include "sys/paths.h"

struct record {
	char path[320];
	struct owned keys; /* those with marks of lbd's own too, but not in the file */
	bool sync[2];	   /* master, backup: started by lbd */
	uint32_t lines;	   /* that the file has */
	bool whole;	   /* must be written anew: absent or not to be trusted */
	struct buf more;   /* lines to append */
	uint32_t more_n;
};
/* record_init - reads the file; every key has row 0 then. Lines that cannot be understood are passed over. */
void record_init(struct record *r, const struct paths *p);
void record_fini(struct record *r); /* the file stays */
/* record_put, record_drop - in memory; record_save brings the file up to date: by appending, or whole when most of its
 * lines are of the past. 0 or -errno; cheap when nothing changed. */
void record_put(struct record *r, const struct ipvs_key *k, uint32_t service);
void record_drop(struct record *r, const struct ipvs_key *k);
void record_sync(struct record *r, unsigned state, bool on); /* IPVS_SYNC_* */
int record_save(struct record *r);
void record_remove(struct record *r); /* file and memory */
/* record_key_parse - what key_format printed; pure. */
bool record_key_parse(const char *text, struct ipvs_key *out);

#endif
