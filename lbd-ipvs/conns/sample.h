/* sample.h - looks at the kernel's connections now and then, for hints. */
#ifndef IPVS_CONNS_SAMPLE_H
#define IPVS_CONNS_SAMPLE_H

#include "store/snapshot.h"
#include "sys/loop.h"

struct conns;
struct sample;
struct sample *sample_new(struct loop *l, struct conns *c); /* c is borrowed; its ops are called */
void sample_free(struct sample *s);
void sample_apply(struct sample *s, const struct snapshot *now);

#endif
