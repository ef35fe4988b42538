/* verdict.h - what a row of probe results means: is the server fit? Pure; time comes as an argument. */
#ifndef CHECK_VERDICT_H
#define CHECK_VERDICT_H

#include "base/mono.h"
#include "schema/schema.h"
#include "store/state.h"

/* How one probe ended. */
struct result {
	uint16_t reason; /* enum reason */
	uint16_t detail; /* http status; 0: none */
	uint32_t latency_us;
};

/* What a result says about the server. VOID: nothing, as when this node ran out of ports. */
enum worth { WORTH_GOOD, WORTH_BAD, WORTH_VOID };
enum worth verdict_worth(const struct result *r);

/* How a server stands. Zeroed: nothing is known. */
struct standing {
	uint8_t verdict;	  /* enum verdict */
	bool proven;		  /* by the check as it is now: then rise counts */
	uint16_t run;		  /* results in a row that speak for a change */
	uint16_t shown, shown_of; /* "(2 of 3)" of the last result; of 0: nothing was counted */
	struct result last;
	uint32_t turns;	   /* from up to down and back; the first verdict is none */
	uint32_t downs;	   /* those from up to down */
	uint64_t down_s;   /* seconds that it was down, without those since `since` */
	int64_t since, at; /* seconds since 1970: the verdict's last change, the last probe's end */
	uint64_t probes, failed;
};

/* verdict_feed - one more result; wall is its time in seconds since 1970.
 *
 * Unknown: the first good result makes up, `fall` bad ones in a row make down; fewer leave it unknown.
 * Up: `fall` bad ones in a row make down. Down: `rise` good ones in a row make up, but when the check was
 * changed since (verdict_renew) the first good one does. A VOID result counts nowhere.
 * Returns whether the verdict changed. */
bool verdict_feed(
    struct standing *s, const struct check *rule, const struct result *r, int64_t wall);
/* verdict_renew - the check tests something else from now on: the verdict stands until the new check is clear. */
void verdict_renew(struct standing *s);
/* verdict_reset - another server stands behind the name: nothing is known; counters stay. Returns whether the
 * verdict changed. */
bool verdict_reset(struct standing *s, int64_t wall);
/* verdict_interval - from the beginning of one probe to that of the next. dice: any random number. */
dur_t verdict_interval(const struct standing *s, const struct check *rule, uint32_t dice);
/* verdict_format - "http status 500 in 3 ms (3 of 3)"; pure, always ends with NUL. */
#define VERDICT_TEXT 160
void verdict_format(const struct standing *s, char *out, size_t room);
/* The same for one result, without the count. */
void result_format(const struct result *r, char *out, size_t room);
const char *verdict_word(unsigned verdict); /* up, down, unknown */

#endif
