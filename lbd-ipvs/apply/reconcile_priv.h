/* reconcile_priv.h - what the files of reconciling share: reconcile.c (the interface, and sending), look.c (readings),
 * settle.c (timeouts and sync daemons). */
#ifndef IPVS_APPLY_RECONCILE_PRIV_H
#define IPVS_APPLY_RECONCILE_PRIV_H

#include "apply/reader.h"
#include "apply/reconcile.h"
#include "apply/record.h"
#include "kernel/kernel.h"

#include "base/idmap.h"
#include "base/list.h"

#define RECONCILE_MAGIC 0x1b5ec0c1
#define FAULT_RETRY DUR_S(5)	/* without ip_vs, or after a failed call */
#define REFUSED_RETRY DUR_S(10) /* what the kernel refused */
#define TURN_OPS 4096 /* operations sent in one turn of the loop, about; so that it stays awake */
#define EDIT_LINES 10 /* edits by others told one by one of each reading */
#define WHY_TEXT 256
#define FAULT_TEXT 640 /* a refusal with its names, or the text of a struct err */

/* What stands for one row. */
struct entry {
	uint32_t service;
	struct ipvs_table want;
	struct list dirty; /* in reconcile.dirty, or alone */
	bool refused, told;
	mono_t retry;		/* of what was refused */
	char fault[FAULT_TEXT]; /* "": as it should be */
};

/* A key that was changed since the last reading: a reading that began before it is wrong there. */
struct touch {
	struct ipvs_key key;
	mono_t at;
	bool
	    structure; /* a service came or went: the kernel may have listed others twice or not at all */
};

struct reconcile {
	uint32_t magic;
	struct loop *loop;
	struct reconcile_ops ops;
	struct record record;
	bool unwritable; /* said in the log once */
	struct reader *reader;
	struct kernel *kernel; /* NULL: not open */
	char fault[FAULT_TEXT];
	bool quiet;		 /* fault is not in the log, because nothing needs ip_vs */
	struct loop_timer again; /* more in the next turn */
	bool deferred;

	struct ipvs_table have; /* the mirror */
	bool known;		/* the mirror is true */
	mono_t have_at;
	struct touch *touched;
	uint32_t touched_n;

	struct idmap entries; /* by row id */
	struct list dirty;
	bool started, cleared;
	bool first;   /* nothing was compared yet: differences are not somebody's edits */
	bool counted; /* what the start found and changed was said in the log */
	uint32_t found, due;
	mono_t not_before; /* readings that began earlier say nothing */
	unsigned stale;	   /* times in a row that the mirror proved wrong */
	bool sweep;	   /* orphans may be in the table */

	struct ipvs_timeouts timeouts;
	bool timeouts_new, sync_set, sync_new;
	struct ipvs_sync sync[2]; /* as wanted: master, backup */
	struct ipvs_sync sync_is[2];
	mono_t settle_retry;
	char settle_fault[FAULT_TEXT];
};

/* reconcile.c */
void reconcile_dirty(struct reconcile *r, struct entry *e);
void reconcile_defer(struct reconcile *r);
void reconcile_fault(
    struct reconcile *r, const char *fault); /* NULL: none; tells when it changed */
bool reconcile_ready(struct reconcile *r);   /* the socket is open */
void reconcile_lost(struct reconcile *r, const struct err *err);
void reconcile_save(struct reconcile *r);
/* look.c */
void look_take(struct reconcile *r, struct reading *reading);
void look_stamp(struct reconcile *r, const struct entry *e); /* row ids into the mirror */
/* settle.c */
void settle_run(struct reconcile *r);
void settle_look(struct reconcile *r, const struct reading *reading);
/* settle_sync_same - whether a daemon that runs is as wanted; what is not set (0, "") is the kernel's. Pure. */
bool settle_sync_same(const struct ipvs_sync *want, const struct ipvs_sync *is);
bool settle_timeouts_same(const struct ipvs_timeouts *want, const struct ipvs_timeouts *is);

#endif
