/* conns_priv.h - what the files of this folder share of struct conns. */
#ifndef IPVS_CONNS_PRIV_H
#define IPVS_CONNS_PRIV_H

#include "conns/clear.h"
#include "conns/conns.h"
#include "conns/cut.h"
#include "conns/forget.h"
#include "conns/sample.h"
#include "conns/walk.h"

#define CONNS_MAGIC 0xc0225000

struct conns {
	uint32_t magic;
	struct daemon *d;
	struct packet *packet;
	struct conns_ops ops;
	struct snapshot *now; /* NULL: nothing to look at yet */
	struct index *index;  /* of now; NULL: not built yet */
	struct walks *walks;
	struct forget *forget;
	struct sample *sample;
	struct cuts *cuts;
	struct clears *clears;
};

/* conns_index - of the snapshot in force; borrowed; NULL before the first. */
struct index *conns_index(struct conns *c);

#endif
