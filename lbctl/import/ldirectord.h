/* ldirectord.h - a service of ldirectord.cf while it is read; for ldirectord*.c only. */
#ifndef LBCTL_IMPORT_LDIRECTORD_H
#define LBCTL_IMPORT_LDIRECTORD_H

#include "import/import.h"

/* ld_said: a directive whose meaning is known at the end only; value NULL: not said.
 * What can be said for all services and, again, for one; NULL or -1: not said. */
struct ld_common {
	int checktimeout, negotiatetimeout, interval, failures; /* seconds; count */
	int quiescent;						/* 0 no, 1 yes */
	struct ld_said {
		const char *value, *what;
		struct place at;
	} fallback[2]; /* of IPv4, of IPv6 */
};
struct ld_virtual {
	struct import_service *s;
	struct ld_common own;
	uint16_t port;	      /* 0: a mark */
	const char *protocol; /* "tcp", "udp" */
	struct ld_said checktype, service, request, receive, host, method;
	int checkport;
};

/* ld_check - the check of a service as a row of ours, for servers with a request and receive of their own (NULL: those of
 * the service), which stand at the place. */
struct import_check *ld_check(struct import *im, const struct ld_virtual *v,
    const struct ld_common *global, const char *request, const char *receive, struct place at);
/* ld_report - what became of the directives of a service that say how it is tested. Once for each service. */
void ld_report(struct import *im, const struct ld_virtual *v, const struct ld_common *global);

#endif
