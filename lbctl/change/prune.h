/* prune.h - what a set of edits leaves out. */
#ifndef LBCTL_PRUNE_H
#define LBCTL_PRUNE_H

#include "ctl.h"

enum prune {
	PRUNE_OWNED, /* servers of the services that the doc has, and services with the owner label that it has */
	PRUNE_ALL,	/* every row of the shared configuration but settings */
	PRUNE_CHILDREN, /* servers of the services that the doc has */
};
/* prune_add - append a deletion for each row of the snapshot that is left out; *n_out of them. */
int prune_add(
    const struct snapshot *s, struct doc *d, enum prune how, unsigned *n_out, struct err *err);

#endif
