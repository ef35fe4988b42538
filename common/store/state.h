/* state.h - how a server and a service stand, in the words and colours that every surface shows. Pure. */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include "schema/schema.h"

enum verdict { VERDICT_UNKNOWN, VERDICT_UP, VERDICT_DOWN };
enum status { ST_OK, ST_WARN, ST_DOWN, ST_OFF, ST_UNK }; /* green, yellow, red, blue, grey */

/* What is shown: an order of an operator wins over a verdict. SRV_WARN: fit by its check, and yet its connections
 * betray that something is wrong (L4_HINT). */
enum server_state { SRV_UP, SRV_WARN, SRV_DOWN, SRV_DRAIN, SRV_HALT, SRV_UNKNOWN };
enum server_state server_state(const struct admin *a, enum verdict v, bool hint);
/* S183-S187: all up: green; some of the enabled down, or one with a warning: yellow; all of them down: red; all halted
 * or drained: blue; no verdict, or no server: grey. A disabled service is blue. One that lacks its quorum, or whose
 * clients the fallback takes, is yellow where it would be green or grey; one that the kernel does not carry is red. */
struct service_view {
	unsigned up, warn, down, drain, halt, unknown;
	bool no_quorum, fallback, fault;
};
unsigned service_servers(const struct service_view *v); /* in all */
enum status service_status(bool enabled, const struct service_view *v);
enum status server_status(enum server_state s);

const char *status_class(enum status s);  /* ok warn down off unk: the panel's classes */
const char *status_colour(enum status s); /* green yellow red blue grey */
const char *status_word(enum status s,
    const struct service_view *v);	      /* "Healthy", "Offline (drain)", "No quorum" ... */
const char *server_word(enum server_state s); /* "Healthy" "Warning" "Down" "Offline (drain)" ... */
const char *server_token(
    enum server_state s); /* up warning down drain halt unknown: lbctl, JSON, metrics */

/* What an operator's order means at an instant, for layers 4 and 7 alike. weight: in force (snapshot_weight). */
struct admission {
	bool fresh, known, cut;
	int64_t next; /* seconds since 1970: when it changes by itself; 0 never */
};
void admission_of(const struct admin *a, const struct service *s, uint32_t weight, int64_t now_s,
    struct admission *out);

/* server_fit - whether a server may take traffic by its verdict: unknown counts as its check's "assume" says. */
bool server_fit(const struct check *c, enum verdict v);

#endif
