/* metrics_priv.h - what metrics*.c share: one scrape, and families of rows. */
#ifndef WEB_METRICS_PRIV_H
#define WEB_METRICS_PRIV_H

#include "web.h"

enum over { OVER_NODE, OVER_VIP, OVER_RIP };
struct scrape;
struct family {
	const char *name, *type, *help;
	enum over over;
	void (*row)(struct scrape *x, struct buf *b, const void *object);
};
struct scrape {
	struct web *w;
	struct snapshot *s;
	unsigned family;
	uint32_t at;
	bool vip, rip, node; /* what is asked for */
	const char *name;    /* of the family that is written now */
	const struct counter *counter;
};

/* metrics_label - the text of a label, as the format wants it. */
void metrics_label(struct buf *b, const char *text);

/* metrics_ha.c: rows of the pair. Without a word of lbd-ha for VIEW_HA_STALE there are none: what is not known is absent. */
void metrics_ha_role(struct scrape *x, struct buf *b, const void *object);
void metrics_ha_generation(struct scrape *x, struct buf *b, const void *object);
void metrics_ha_changes(struct scrape *x, struct buf *b, const void *object);
void metrics_ha_lease(struct scrape *x, struct buf *b, const void *object);
void metrics_ha_carrier(struct scrape *x, struct buf *b, const void *object);
void metrics_ha_sent(struct scrape *x, struct buf *b, const void *object);
void metrics_ha_received(struct scrape *x, struct buf *b, const void *object);
void metrics_ha_lost(struct scrape *x, struct buf *b, const void *object);
void metrics_ha_rtt(struct scrape *x, struct buf *b, const void *object);
void metrics_ha_check(struct scrape *x, struct buf *b, const void *object);
void metrics_ha_peer(struct scrape *x, struct buf *b, const void *object);
void metrics_ha_in_sync(struct scrape *x, struct buf *b, const void *object);
void metrics_ha_entries(struct scrape *x, struct buf *b, const void *object);
void metrics_ha_pending(struct scrape *x, struct buf *b, const void *object);
void metrics_ha_foreign(struct scrape *x, struct buf *b, const void *object);
void metrics_fip_held(struct scrape *x, struct buf *b, const void *object);
void metrics_fip_route(struct scrape *x, struct buf *b, const void *object);

/* metrics_rules.c */
void metrics_rule_hits(struct scrape *x, struct buf *b, const void *object);
void metrics_rule_unknown(struct scrape *x, struct buf *b, const void *object);

/* metrics_phases.c */
void metrics_phases(struct scrape *x, struct buf *b, const void *object);

#endif
