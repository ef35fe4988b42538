/* services.h - every service of layer 4: what is known of its servers, what is wanted for it in the kernel, and how
 * the kernel stands to it. Everything belongs to the loop's thread.
 *
 * What is wanted is asked for anew (plan/want.c) when something that it depends on changed: rows, orders, verdicts,
 * the quorum, time. All changes of one turn of the loop are settled together at its end. */
#ifndef IPVS_SERVICES_H
#define IPVS_SERVICES_H

#include "plan/want.h"

#include "sys/loop.h"

#define SERVICE_FAULT 300

/* One service of layer 4 as it stands. */
struct service_state {
	uint32_t id, mark;
	bool loaded;		   /* the kernel has it as it should be; also when it is disabled
                    and the kernel has nothing */
	bool fallback;		   /* takes its clients */
	char fault[SERVICE_FAULT]; /* "" none */
	unsigned keys;		   /* services of the kernel that stand for it */
	struct ipvs_key key[2];
	int64_t since; /* when its counters were set to zero; 0 unknown */
};

struct services_ops {
	/* From now on these stand for the service; the table is taken. */
	void (*want)(void *arg, uint32_t service, struct ipvs_table *t);
	void (*send)(void *arg); /* what was wanted goes to the kernel now */
	void (*cut)(void *arg, uint32_t server, const char *why);
	/* A state is worth telling; gone: it is not of layer 4 any more. */
	void (*told)(void *arg, const struct service_state *s, bool gone);
	/* Whether the kernel should bring clients that persistence knows to servers
   * at weight 0. */
	void (*templates)(void *arg, bool stay);
	void *arg;
};

struct services;
struct services *services_new(struct loop *l, const struct services_ops *ops);
void services_free(struct services *s);
/* services_apply - the next configuration; old is NULL at first. Costs what changed. now is referenced. What it means
 * for the kernel was wanted when it returns, once services_start was called. */
void services_apply(struct services *s, struct snapshot *old, struct snapshot *now);
/* services_refused - one that services_apply wanted the last time and that has a fault; NULL: there is none. */
const struct service_state *services_refused(const struct services *s);
/* services_start - enough is known of the servers; before this nothing is wanted. */
void services_start(struct services *s);

/* What lbd-check says. live: it has just found out (not: the state that a new link begins with). why: for the log. */
void services_verdict(
    struct services *s, uint32_t server, enum verdict v, const char *why, bool live);
void services_quorum(struct services *s, uint32_t service, bool enough);
void services_check_away(struct services *s, bool away);

/* What the kernel says: of one service, fault NULL: it has it; of all at once, NULL: nothing is in the way. */
void services_fault(struct services *s, uint32_t service, const char *fault);
void services_whole_fault(struct services *s, const char *fault);

const struct service_state *services_find(const struct services *s, uint32_t id); /* NULL */
/* services_next - each that was told at least once, in no order; *at begins with 0; NULL at the end. */
const struct service_state *services_next(const struct services *s, uint32_t *at);
void services_flushed(struct services *s, uint32_t id, int64_t now_s); /* 0: all */
/* Services, and how many of them have a fault; first_out: one of these, or NULL. */
void services_count(const struct services *s, uint32_t *n_out, uint32_t *faults_out,
    const struct service_state **first_out);

#endif
