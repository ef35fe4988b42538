/* reader.h - a thread that reads the kernel's table whenever it is asked to, so that no reading stalls the loop. */
#ifndef IPVS_APPLY_READER_H
#define IPVS_APPLY_READER_H

#include "plan/table.h"

#include "base/err.h"
#include "sys/loop.h"

struct reading {
	int code; /* 0, or -errno with err filled and nothing else */
	struct err err;
	mono_t began, ended;
	dur_t cost; /* processor time of the reading */
	struct ipvs_table table;
	struct ipvs_timeouts timeouts;
	struct ipvs_sync sync[2]; /* master, backup */
};
struct reader;
/* reader_new - done is called in the loop's thread; the reading is the callee's (reading_fini). -errno: no thread. */
int reader_new(
    struct reader **out, struct loop *l, void (*done)(void *arg, struct reading *r), void *arg);
void reader_free(struct reader *r); /* waits for a reading under way */
/* reader_ask - read after this time; of two wishes the earlier counts. */
void reader_ask(struct reader *r, dur_t after);
/* reader_delay - not before this time; while thousands of changes go out, reading would only slow them down. */
void reader_delay(struct reader *r, dur_t after);
void reading_fini(struct reading *r);

/* cadence_next - how long to wait after a reading that cost this much processor time: READ_EVERY, or so long that
 * reading takes at most READ_SHARE of a processor, but never above READ_LATEST. Pure. */
#define READ_EVERY DUR_S(1)
#define READ_LATEST DUR_S(60)
#define READ_SHARE 50 /* one part in so many */
dur_t cadence_next(dur_t cost);

#endif
