/* resolve.h - DNS names to addresses, without blocking, through c-ares; each name is looked up
 * again when its TTL (5 s to 1 h) has passed. A name that stops resolving keeps its last answer. */
#ifndef SYS_RESOLVE_H
#define SYS_RESOLVE_H

#include "base/addr.h"
#include "sys/loop.h"

#define RESOLVE_HOST 254

struct resolver;
struct resolver *resolver_new(struct loop *l);
void resolver_free(struct resolver *r);
/* resolver_keep - before the first watch: answers last over a restart, in the file FOLDER/names (folder: 0700, made when it
 * is needed). What is read there is told at once, DNS is asked all the same. say: of a file that cannot be read, and once of
 * one that cannot be written; work goes on. */
void resolver_keep(struct resolver *r, const char *folder, void (*say)(const char *why));

enum resolve_kind {
	RESOLVE_FIRST, /* the first address; it stays as long as answers have it */
	RESOLVE_EACH,  /* watches of one name and group share the addresses */
	RESOLVE_SRV,   /* they share the places of the SRV records */
};
struct resolve_want {
	const char *name; /* copied; an address is answered as it stands */
	enum resolve_kind kind;
	uint64_t group; /* who shares: those with the same */
	uint32_t key;	/* decides who gets what, equally on every node (resolve_share) */
};
struct resolve_place {
	struct addr addr;	 /* family 0: none */
	uint16_t port, weight;	 /* of SRV; else 0 */
	bool backup;		 /* SRV: its priority is not the first */
	char host[RESOLVE_HOST]; /* SRV: its target; else "" */
};

/* resolver_watch - begins; fn is called with the first place found, whenever it changes, and with family 0 and a
 * reason when there is none: the first look-up failed, or others have all places. Never called from within. */
struct resolve;
typedef void (*resolve_fn)(void *arg, const struct resolve_place *p, const char *why);
struct resolve *resolver_watch(
    struct resolver *r, const struct resolve_want *want, resolve_fn fn, void *arg);
void resolver_unwatch(struct resolve *w);
/* resolve_good - when DNS last answered, in seconds since 1970; 0 never. resolve_fault - why the last look-up failed;
 * NULL: it did not. Borrowed until the next call. */
int64_t resolve_good(const struct resolve *w);
const char *resolve_fault(const struct resolve *w);

#endif
