/* overview.h - System Overview: what the query asks for, and its parts, for the page and for live updates. */
#ifndef OVERVIEW_H
#define OVERVIEW_H

#include "web.h"

#define OVERVIEW_PAGE 100 /* services on one page */

enum overview_sort {
	SORT_STATUS,
	SORT_NAME,
	SORT_IP,
	SORT_PORTS,
	SORT_CONNS,
	SORT_PROTO,
	SORT_METHOD,
	SORT_MODE,
	SORT_UP,
	SORT_TRAFFIC,
	SORT_NONE, /* the sparkline */
};
struct overview_query {
	char q[64];	/* text to look for, "" all */
	unsigned layer; /* 4, 7, 0 both */
	int state;	/* enum status, -1 all */
	enum overview_sort sort;
	bool down;	 /* descending */
	unsigned page;	 /* from 1 on */
	char open[2048]; /* names of unfolded services, comma separated; "all" */
};
/* overview_parse - unknown words are as if absent: a link that somebody kept still works. */
void overview_parse(const struct pairs *query, struct overview_query *out);
/* overview_href - "?..." for the same view but one member: key NULL changes nothing. Safe in an attribute. */
void overview_href(
    struct buf *b, const struct overview_query *q, const char *key, const char *value);
/* overview_toggle - the same with a service unfolded or folded. */
void overview_toggle(struct buf *b, const struct overview_query *q, const char *name);
bool overview_is_open(const struct overview_query *q, const char *name);

struct overview_rows {
	const struct service *v[OVERVIEW_PAGE];
	unsigned n;		 /* on this page */
	unsigned matched, pages; /* in all */
	unsigned layer4, layer7, all;
};
void overview_select(
    const struct view *v, const struct overview_query *q, struct overview_rows *out);

/* overview_part.c: one piece each; the live stream sends them alone. */
void overview_tiles(struct call *c, struct buf *b);
void overview_notes(struct call *c, struct buf *b); /* trial, daemons that are away */
/* overview_row.c: the <tbody> of a service. */
void overview_tbody(
    struct call *c, struct buf *b, const struct overview_query *q, const struct service *s);
/* overview_facts.c: what is above the real servers. */
void overview_facts(struct call *c, struct buf *b, const struct service *s);
/* maintenance.c: the word beside a service's name, and the switch when it is unfolded. */
void overview_maintenance_word(struct buf *b, const struct service *s);
void overview_maintenance(
    struct call *c, struct buf *b, const struct overview_query *q, const struct service *s);
/* overview_chart.c: the two graphs at the end. */
void overview_charts(struct call *c, struct buf *b);
void overview_spark(struct call *c, struct buf *b, uint32_t service);
void page_ms(struct buf *b, uint64_t ms); /* "5 s", "500 ms", "30 min" */

#endif
