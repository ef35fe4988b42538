/* walk.h - reads the kernel's list of connections, beside the loop.
 *
 * The kernel gives the list in pieces of a page and begins to count from the first entry for each, so a long list costs
 * it time (100,000 entries: 1,500 reads of up to some milliseconds). A thread of its own reads and parses; the loop gets
 * rows in batches, and the thread waits while too many of them lie there. */
#ifndef IPVS_CONNS_WALK_H
#define IPVS_CONNS_WALK_H

#include "conns/entry.h"
#include "conns/index.h"

#include "base/mono.h"
#include "sys/loop.h"

#define WALK_PATH "/proc/net/ip_vs_conn"
#define WALKS_MAX 2 /* threads at once; more walks wait for their turn */

struct walk_row {
	uint32_t service, server; /* row ids; 0: not lbd's, or a fallback server */
	struct entry e;		  /* of a template: client is the network that persist_mask says */
};

enum { WALK_CONNECTIONS = 1, WALK_TEMPLATES = 2 };
/* What is looked for; all of it must fit. */
struct walk_want {
	unsigned kinds;		  /* WALK_ bits */
	uint32_t service, server; /* 0: every one, also what is not lbd's */
	struct addr client;	  /* host or network; family 0: every one */
	char key[ENTRY_PE_DATA];  /* what a persistence engine keeps; "": anything */
	char state[ENTRY_STATE];  /* upper or lower case; "": every one */
};
/* walk_takes - pure. */
bool walk_takes(const struct walk_want *want, const struct walk_row *row);
/* walk_client - text of a filter to client, or with keys allowed to key. ERR_INVALID. */
int walk_client(struct walk_want *want, const char *text, bool keys, struct err *err);

struct walks;						   /* who takes turns */
struct walks *walks_new(struct loop *l, const char *path); /* path is copied */
/* walks_free - ends all threads; every walk must be freed before. The loop must not turn afterwards. */
void walks_free(struct walks *ws);

struct walk_ops {
	/* Something new is there: walk_next, or walk_ended. In the loop. */
	void (*more)(void *arg);
	/* Not NULL: called for each row by the thread, in place of batches. arg must live until walk_ended or walk_free. */
	void (*each)(void *arg, const struct walk_row *row);
	void *arg;
};
struct walk;
/* walk_new - begins soon; takes a reference of its own to ix. */
struct walk *walk_new(
    struct walks *ws, struct index *ix, const struct walk_want *want, const struct walk_ops *ops);
/* walk_free - at any time; with ops.each it waits for the thread, a piece of the list at most. */
void walk_free(struct walk *w);
/* walk_next - borrowed until the next call; NULL: nothing now. */
const struct walk_row *walk_next(struct walk *w);
/* walk_ended - everything was given. *code_out: 0, or -errno; a kernel without ip_vs has an empty list. */
bool walk_ended(const struct walk *w, int *code_out);
dur_t walk_cost(const struct walk *w); /* processor time of the thread; once it ended */

#endif
