/* hints.h - what connections that stay half open betray of a server. Pure. */
#ifndef IPVS_CONNS_HINTS_H
#define IPVS_CONNS_HINTS_H

#include "conns/entry.h"

#include "base/mono.h"
#include "msg/msg.h"
#include "schema/schema.h"

#define HINT_OLD_S \
	4 /* a handshake that takes longer stays half open: SYN was repeated at 1 and 3 seconds by then */
#define HINT_LEAST 3 /* fewer than so many are chance */
#define HINT_RAISE_PCT 50
#define HINT_CLEAR_PCT 20
#define HINT_KEEP DUR_S(300) /* without any new connection a hint stays so long */

/* How long the kernel keeps an entry that nothing more was heard of, in seconds. */
struct hint_times {
	uint32_t established, half_open;
	uint32_t
	    least; /* with less left a half-open entry tells nothing: secure_tcp may have made its time short */
};
/* One look at a server's TCP connections. */
struct hint_sample {
	uint32_t half; /* in SYN_RECV for HINT_OLD_S at least */
	uint32_t done; /* whose handshake ended well in the last minute, as far as can be seen */
};
/* hint_count - one entry of the server into its sample. */
void hint_count(struct hint_sample *s, const struct entry *e, const struct hint_times *t);

/* What is known of a server; { 0 } is nothing. */
struct hint {
	uint16_t what; /* enum finding */
	mono_t seen;   /* half open connections, last */
};
/* hint_decide - true: h->what changed. forward: mode_dr, mode_nat, mode_tun or mode_snat. */
bool hint_decide(struct hint *h, const struct hint_sample *s, unsigned forward, mono_t now);
/* hint_text - in words and figures; out of at least 300 bytes. vip: the virtual address as text. */
#define HINT_TEXT 400
void hint_text(char out[HINT_TEXT], const char *server, const char *vip,
    const struct hint_sample *s, unsigned forward);

#endif
