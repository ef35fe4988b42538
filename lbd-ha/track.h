/* track.h - what must be well on this node: scripts, files, processes, units, interfaces and neighbours, watched by the
 * side process. */
#ifndef HA_TRACK_H
#define HA_TRACK_H

#include "judge.h"

#include "store/snapshot.h"
#include "sys/loop.h"
#include "sys/paths.h"

#define TRACK_MOST 67 /* of the configuration and the suite's daemons */

struct track_ops {
	void (*changed)(void *arg); /* a state, or what is told of it */
	void *arg;
};
/* One track as it stands; texts are borrowed until track_use. */
struct track_row {
	uint32_t id;
	const char *name, *kind, *target, *state;
	const char *text; /* of the last result: "exit code 2"; "" */
	mono_t since;	  /* of the state */
};

struct tracker;
struct tracker *track_new(struct loop *l, const struct paths *p, const struct track_ops *ops);
void track_free(struct tracker *k);
/* track_use - the enabled tracks of a configuration (NULL: none). One that is as before goes on with what is known. */
void track_use(struct tracker *k, const struct snapshot *s);
struct judge_sum track_sum(const struct tracker *k);
/* track_row - the i-th in order of id; false: there is none. */
bool track_row(const struct tracker *k, unsigned i, struct track_row *out);

#endif
