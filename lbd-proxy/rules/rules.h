/* rules.h - the content rules of a service, compiled once for its view and never changed. Made by the control thread; any thread may
 * take a reference and give it back. */
#ifndef LBD_PROXY_RULES_H
#define LBD_PROXY_RULES_H

#include "base/buf.h"
#include "base/mono.h"
#include "schema/rule_text.h"
#include "schema/schema.h"

#include "coding/replacer.h"
#include "http/http_edit.h"
#include "rates/meters.h"
#include "hits.h"

#include <stdatomic.h>

struct svc;
/* Where a rule leads: name NULL nowhere; svc NULL: it is not served now. Borrowed, but by struct rules. */
struct rules_pool {
	struct svc *svc;
	const char *name;
};
struct rule {
	const char *name;
	uint32_t id;
	uint8_t action, part; /* enum rule_action, rule_part */
	bool last;
	uint16_t status; /* with the default of the action */
	uint8_t header_len;
	const char *header;
	struct when when;
	struct rule_text text; /* of location, value or pool_by */
	struct pattern *pattern;
	struct svc *pool;      /* reference; NULL: not served now */
	const char *pool_name; /* NULL: it leads nowhere */
	const char *body, *type;
	dur_t time;
	uint64_t rate;
	int16_t priority;
	struct replacement replace; /* of action replace_body */
	const char *types;
	struct rule_hits *hits; /* reference */
	unsigned retry_s; /* of an answer 429: the window of what its condition counts; 0 unknown */
};
struct rules {
	atomic_uint refs;
	struct arena *arena;
	struct buf key; /* all that it was made of */
	uint32_t requests, answers;
	struct rule *request; /* in the order in which they are looked at */
	struct rule *answer;
	uint32_t uses;	      /* a bit for each source that rules for requests look at */
	bool keeps_head;      /* rules for answers look at the request */
	bool replaces;	      /* rules for answers replace texts in bodies */
	struct meters meters; /* what they count; n 0: nothing */
	uint32_t named_n;     /* pools that a rule may name (pool_by), by name; references */
	struct rules_pool *named;
};

/* What rules refer to beside servers; NULL: they name no list and count nothing. */
struct lists;
struct rules_env {
	const struct lists *lists;
	uint64_t lists_now; /* changes whenever a list has other entries */
	struct svc *svc;    /* whose rules they are: it has the table of what is counted */
	const struct rules_pool
	    *named; /* served pools that rules may name, in the order of their names */
	uint32_t named_n;
};
/* rules_new - of n rows of kind content_rule; pools: what the pool of each row is now, NULL where it is not served. NULL: none is enabled. old
 * (may be NULL) is what there was before: it is taken again when nothing differs. */
struct rules *rules_new(const struct service *of, const void *const *rows, uint32_t n,
    const struct rules_pool *pools, const struct rules_env *env, struct rules *old);
struct rules *rules_ref(struct rules *r);
void rules_unref(struct rules *r); /* NULL is fine */

/* What a worker needs while it looks at rules; made when it first does. */
#define RULES_ROOM (64 * 1024) /* bytes of texts for one head */
struct rules_scratch {
	struct pattern_match *match;
	struct http_edits edits;
	/* what is replaced in the body; texts are those of the rules */
	unsigned replaces;
	struct replacement replace[REPLACER_MOST];
	size_t used;
	char room[RULES_ROOM];
};
struct worker;
struct rules_scratch *rules_scratch(struct worker *w); /* NULL: no memory */
struct rules_scratch *rules_scratch_new(void);	       /* the same for who is no worker */
void rules_scratch_free(struct rules_scratch *s);      /* NULL is fine */

#endif
