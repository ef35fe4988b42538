/* advice_priv.h - what the systems' texts are written with. */
#ifndef ADVICE_PRIV_H
#define ADVICE_PRIV_H

#include "advice/advice.h"

/* A page being written. */
struct page {
	const struct advice_ask *a;
	struct advice *out;
	unsigned forward; /* enum forward */
	bool six;	  /* the virtual address is IPv6 */
	const char *name; /* of the service */
	char vip[ADDR_TEXT], rip[ADDR_TEXT];
	char host[8];	 /* "/32", "/128": of the virtual address */
	char ports[400]; /* of the service, as the server sees them: "80,8000-8010" */
	struct advice_tunnel tunnel;
	unsigned mss; /* tun: the largest segment that fits */
};

void page_put(struct page *p, enum advice_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define TITLE(p, ...) page_put(p, ADVICE_TITLE, __VA_ARGS__)
#define SAY(p, ...) page_put(p, ADVICE_TEXT, __VA_ARGS__)
#define RUN(p, ...) page_put(p, ADVICE_COMMAND, __VA_ARGS__)
#define EXPECT(p, ...) page_put(p, ADVICE_EXPECT, __VA_ARGS__)
#define OTHER(p, ...) page_put(p, ADVICE_OTHER, __VA_ARGS__)

/* page_prefixes - every virtual address of the service as a prefix (host or network), in order; fn is called for each. */
void page_prefixes(
    const struct page *p, void (*fn)(void *arg, const struct addr *prefix), void *arg);
/* page_protocols - "TCP", "UDP", "TCP and UDP", "SCTP". */
const char *page_protocol(const struct page *p);
/* page_application - the application must listen at both addresses; how to see it. */
void page_listen(struct page *p, const char *command);
/* page_last - how to look from the load balancer whether all is well. */
void page_last(struct page *p);

typedef int (*advice_fn)(struct page *p, struct err *err);
int advice_linux(struct page *p, struct err *err);
int advice_bsd(struct page *p, struct err *err);
int advice_macos(struct page *p, struct err *err);
int advice_solaris(struct page *p, struct err *err);
int advice_windows(struct page *p, struct err *err);
int advice_no_tunnel(const struct page *p, const char *system, struct err *err);

#endif
